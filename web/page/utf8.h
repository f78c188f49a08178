/*
 * Text from outside as code points that may stand in an HTML page or a JSON string. Pure.
 * What is not valid UTF-8, and control and non-characters, which HTML forbids, read as U+FFFD.
 */
#ifndef WEB_PAGE_UTF8_H
#define WEB_PAGE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

enum { UTF8_REPLACEMENT = 0xfffd, UTF8_MAX = 4 };

/* The next code point of the NUL-terminated text at *text, which moves on by at least one byte; 0
 * at the end (then it stays). */
uint32_t utf8_next(const char **text) NONNULL;

/* Writes one code point (a value utf8_next returned, not 0) and returns its length in bytes. */
size_t utf8_put(uint32_t c, char out[static UTF8_MAX]) NONNULL;

/* A cleaned copy, NUL-terminated, to be freed. NULL: no memory. */
char *utf8_clean(const char *text) NONNULL MUSTCHECK;

#endif
