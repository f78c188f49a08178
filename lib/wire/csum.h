/* The Internet checksum (RFC 1071), also with IPv6's pseudo-header (RFC 8200 8.1). Pure. */
#ifndef LIB_WIRE_CSUM_H
#define LIB_WIRE_CSUM_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

/* Adds `len` bytes to a sum that starts with 0; all pieces but the last must be of even length. */
uint64_t csum_add(uint64_t sum, const void *data, size_t len) NONNULL;
/* The 16 bits to store big-endian in a checksum field that was zero in the sum. With the received
 * field in the sum: 0 when it is right. */
uint16_t csum_fold(uint64_t sum);

/* The checksum of an upper layer of `len` bytes in the IPv6 packet whose header is at `header`. */
uint16_t csum_upper(const uint8_t *header, uint8_t next, const uint8_t *upper, size_t len) NONNULL;

/* The new checksum after a 16-bit field that it covers has changed (RFC 1624). */
uint16_t csum_update(uint16_t csum, uint16_t old, uint16_t new);

#endif
