/*
 * Receive offload of our own: inner packets on their way to the TUN are merged into GSO packets,
 * since the kernel's cost is one traversal a write, whatever the size. What may be merged is what
 * any segmentation gives back bit for bit: consecutive segments of one TCP flow, or datagrams of
 * one UDP flow, of equal size (the last may be shorter), alike in every header bit but the sequence
 * number. Each checksum is verified first: a wrong one is never healed, that packet goes alone and
 * as it is. Packets of one tunnel keep their order, for only its newest group ever grows. Pure.
 */
#ifndef POPD_PORT_GRO_H
#define POPD_PORT_GRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/job.h"

enum {
	GRO_MAX = 2 * JOB_BATCH,
	GRO_NONE = UINT16_MAX,
	GRO_UDP_SEGMENTS = 64,
	GRO_HEADER_MAX = 40 + 60
};

enum gro_kind { GRO_ALONE, GRO_TCP, GRO_UDP };

struct gro_group {
	uint16_t first, last; /* members: indices of outs, linked by gro.next */
	uint16_t count;
	uint8_t kind;    /* enum gro_kind; GRO_ALONE: cannot grow */
	bool closed;     /* may not grow any more: pushed, short, full */
	bool whole;      /* its first member's checksum has been looked at, all others' are right */
	uint16_t header; /* bytes before the payload */
	uint16_t segment;  /* payload bytes of each member but the last */
	uint32_t sequence; /* TCP: the next one */
	uint32_t bytes;    /* the merged packet's */
};

struct gro {
	size_t count; /* groups, in the order to be written in */
	struct gro_group groups[GRO_MAX];
	uint16_t next[GRO_MAX]; /* the member after this one; GRO_NONE: it was the last */
};

/* Which kinds the kernel takes merged. */
struct gro_offer {
	bool tcp, udp;
};

/* Groups `n` (<= GRO_MAX) inner packets. What is merged already stays as it is. */
void gro_plan(struct gro *g, struct out *const *outs, size_t n, struct gro_offer offer) NONNULL;

/* Makes the first member's headers those of the whole group: lengths, PSH, and the checksum of the
 * pseudo-header alone, which the kernel completes. For groups of two or more, right before they are
 * written. */
void gro_finish(const struct gro_group *group, struct out *const *outs) NONNULL;

#endif
