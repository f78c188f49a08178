/*
 * What a raw protocol-41 socket may hand over that never was on any wire so: TCP segments which the
 * kernel's receive offload (GRO) has merged into one packet of up to 64 KiB, and TCP or UDP packets
 * of a neighbouring virtual machine whose checksum was left to hardware that is not there. Both
 * carry the checksum of the pseudo-header only. Nothing tells the size of the segments, so a merged
 * packet is cut for the MTU that every IPv6 path has (1280 bytes), with sequence numbers, flags and
 * checksums as the sender would have set them. Pure; unit-tested and fuzzed.
 */
#ifndef POPD_PORT_COALESCED_H
#define POPD_PORT_COALESCED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/pipeline.h"
#include "popd/port/segment.h"

enum {
	COALESCED_SEGMENT = 1280
}; /* largest packet that it is cut into, unless the headers alone are longer */

/* What of it may travel on as a GSO packet, uncut: several segments of plain TCP without extension
 * headers or a congestion mark that only the first segment may carry (CWR, RFC 3168 6.1.2). `s` as
 * coalesced_begin left it; segment 0: it may not. */
struct gso coalesced_gso(const struct segments *s) NONNULL;

/* True when the packet at `data` is such a one: then take it with segments_next until that says 0.
 * False: the packet is fine as it is (or broken in a way that others judge). */
bool coalesced_begin(struct segments *s, const uint8_t *data, size_t len) NONNULL;

#endif
