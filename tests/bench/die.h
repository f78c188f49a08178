/* Ends a program of the bench with a sentence on standard error. */
#ifndef BENCH_DIE_H
#define BENCH_DIE_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cc.h"

static inline void die(const char *fmt, ...) NORETURN FORMAT(1, 2);
static inline void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* The same, and what the system says. */
static inline NORETURN void die_errno(const char *what)
{
	die("%s: %s", what, strerror(errno));
}

#endif
