/*
 * Generic receive offload (GRO) in popd: merges inner packets to the TUN into GSO packets, since
 * the kernel processes each write once, whatever its size. Only packets that segmentation restores
 * bit for bit are merged: consecutive segments of one TCP flow, or datagrams of one UDP flow, of
 * equal size (the last may be shorter), with equal headers but for the sequence number. Each
 * checksum is verified first: a packet with a wrong one is written alone, as it is. Packets of one
 * tunnel keep their order, since only its newest group grows. Pure.
 */
#ifndef POPD_PORT_GRO_H
#define POPD_PORT_GRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/job.h"

enum {
	GRO_MAX = 2 * JOB_BATCH, /* packets */
	GRO_NONE = UINT16_MAX,
	GRO_UDP_SEGMENTS = 64,
	GRO_HEADER_MAX = 40 + 60, /* IPv6, and TCP with all options */
};

enum gro_kind { GRO_ALONE, GRO_TCP, GRO_UDP };

struct gro_group {
	uint16_t first, last; /* members: indices of outs, linked by gro.next */
	uint16_t count;
	uint8_t kind;      /* enum gro_kind; GRO_ALONE: cannot grow */
	bool closed;       /* complete: its last member had PSH set or was shorter */
	bool verified;     /* the checksums of all members are right */
	uint16_t header;   /* bytes before the payload */
	uint16_t segment;  /* payload bytes of each member but the last */
	uint32_t sequence; /* TCP: of the next member */
	uint32_t bytes;    /* of the merged packet */
};

struct gro {
	size_t count; /* groups, in the order to write them */
	struct gro_group groups[GRO_MAX];
	uint16_t next[GRO_MAX]; /* the member after this one; GRO_NONE: this is the last */
};

/* The kinds of merged packets that the kernel accepts. */
struct gro_kinds {
	bool tcp, udp;
};

/* Groups `n` (<= GRO_MAX) inner packets. GSO packets stay as they are. */
void gro_plan(struct gro *g, struct out *const *outs, size_t n, struct gro_kinds kinds) NONNULL;

/* Makes the first member's headers those of the merged packet: lengths, PSH, and the checksum of
 * the pseudo-header only, which the kernel completes. For groups of two or more, right before they
 * are written. */
void gro_finish(const struct gro_group *group, struct out *const *outs) NONNULL;

#endif
