/* Bytes for people, as tcpdump -X has them: sixteen a line with their offset, then as characters.
 */
#ifndef POPD_CTL_DUMP_H
#define POPD_CTL_DUMP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/cc.h"

void dump_bytes(const uint8_t *data, size_t len, FILE *out) NONNULL;

#endif
