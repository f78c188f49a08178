/* SipHash-2-4 (Aumasson and Bernstein) of whole words: a short keyed check value. Pure. */
#ifndef LIB_SIPHASH_H
#define LIB_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

/* Of `n` words of 8 bytes, up to 31. Values of different lengths are independent of each other. */
uint64_t siphash(const uint8_t key[static 16], const uint64_t *words, size_t n) NONNULL;

#endif
