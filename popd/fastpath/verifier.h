/*
 * The log in which the kernel's BPF verifier says why it refuses a program: many lines of what it
 * looked at, then the reason, then statistics. Pure.
 */
#ifndef POPD_FASTPATH_VERIFIER_H
#define POPD_FASTPATH_VERIFIER_H

#include "lib/cc.h"

/* Cuts `log` into lines, gives each to `line`, and returns the reason, which lies in `log`. NULL:
 * there is none, as when the program never came before the verifier. */
const char *verifier_reason(char *log, void (*line)(void *arg, const char *line), void *arg)
	NONNULL_ARGS(1, 2);

#endif
