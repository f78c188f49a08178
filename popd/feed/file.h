/* CRC-32C (Castagnoli, RFC 3720 12.1) by the processor's instruction where it has one. Pure. */
#ifndef POPD_FEED_CRC32C_H
#define POPD_FEED_CRC32C_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

uint32_t crc32c(const void *data, size_t len) NONNULL;
/* The same without the instruction, for processors that lack it and for the test that both agree.
 */
uint32_t crc32c_portable(const void *data, size_t len) NONNULL;

#endif
