/* SipHash-2-4 (Aumasson and Bernstein): a keyed 64-bit check value of a short message. Pure. */
#ifndef POPD_CORE_SIPHASH_H
#define POPD_CORE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

uint64_t siphash(const uint8_t key[static 16], const void *data, size_t len) NONNULL;

#endif
