/* UTF-8, strictly as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
 * Pure. */
#ifndef LIB_UTF8_H
#define LIB_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

/* The length in bytes (1..4) of the character that `len` bytes at `text` begin with, its code point
 * in *code; 0, and the first byte in *code, when they begin with none. `len` is at least 1. */
size_t utf8_decode(const char *text, size_t len, uint32_t *code) NONNULL;

/* True when the whole of `text` is UTF-8. */
bool utf8_is_valid(const char *text) NONNULL;

#endif
