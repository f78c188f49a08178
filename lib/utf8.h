/*
 * UTF-8, strictly as RFC 3629 defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
 * Pure.
 */
#ifndef LIB_UTF8_H
#define LIB_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

enum { UTF8_REPLACEMENT = 0xfffd, UTF8_MAX = 4 };

/* The length in bytes (1..4) of the character that `len` bytes at `text` begin with, its code point
 * in *code; 0, and the first byte in *code, when they begin with none. `len` is at least 1. */
size_t utf8_decode(const char *text, size_t len, uint32_t *code) NONNULL;

/* True when the whole of `text` is UTF-8. */
bool utf8_is_valid(const char *text) NONNULL;

/* The next code point of the NUL-terminated text at *text, which moves on by at least one byte; 0
 * at the end (then it stays). For HTML and JSON: bytes that are not UTF-8, control characters other
 * than tab and newline, and non-characters become UTF8_REPLACEMENT. */
uint32_t utf8_next(const char **text) NONNULL;

/* Writes one code point, at most U+10FFFF, and returns its length in bytes. */
size_t utf8_put(uint32_t code, char out[static UTF8_MAX]) NONNULL;

/* The code points of utf8_next as text, NUL-terminated, to be freed. NULL: no memory. */
char *utf8_clean(const char *text) NONNULL MUSTCHECK;

#endif
