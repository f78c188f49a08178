#include "popd/port/gro.h"

#include <string.h>

#include "lib/wire/be.h"
#include "lib/wire/csum.h"
#include "lib/wire/ipv6.h"
#include "lib/wire/transport.h"
#include "popd/port/segment.h"

enum {
	BYTES_MAX = 65535, /* payload length is a 16-bit field */
	FLOWS = 256,       /* cells of the map from tunnel to its newest group; a power of two */
};
_Static_assert(FLOWS >= 2 * GRO_MAX, "the map always has a free cell");

struct flows {
	const struct tunnel *tunnel[FLOWS];
	uint16_t group[FLOWS];
	bool used[FLOWS];
};

/* The cell of `tunnel`, or the free one where it belongs. */
static size_t flow_cell(const struct flows *f, const struct tunnel *tunnel)
{
	size_t i = ((uintptr_t)tunnel >> 6) * 0x9e3779b97f4a7c15u >> 56;

	while (f->used[i] && f->tunnel[i] != tunnel)
		i = (i + 1) % FLOWS;
	return i;
}

/* Fills `group` for a packet that others may be appended to; anything unusual stays GRO_ALONE. Its
 * checksum, which takes reading all of it, is verified only when there is a packet to append. */
static void classify(const struct out *out, struct gro_kinds kinds, struct gro_group *group)
{
	const uint8_t *p = out->data;

	if (out->gso.size > 0 || out->len < IPV6_HEADER + UDP_HEADER ||
	    be16_load(p + IPV6_AT_LENGTH) != out->len - IPV6_HEADER)
		return;
	size_t upper = out->len - IPV6_HEADER, header = 0;
	const uint8_t *transport = p + IPV6_HEADER;
	if (p[IPV6_AT_NEXT] == IPV6_NEXT_TCP && kinds.tcp && upper >= TCP_HEADER) {
		header = (size_t)(transport[TCP_AT_OFFSET] >> 4) * 4;
		/* A checksum of ffff is as right as one of 0, but segmentation gives 0. */
		if (header < TCP_HEADER || header >= upper ||
		    (transport[TCP_AT_FLAGS] & ~TCP_PSH) != TCP_ACK ||
		    be16_load(transport + TCP_AT_CHECK) == 0xffff)
			return;
	} else if (p[IPV6_AT_NEXT] == IPV6_NEXT_UDP && kinds.udp) {
		header = UDP_HEADER;
		if (header >= upper || be16_load(transport + UDP_AT_LENGTH) != upper ||
		    be16_load(transport + UDP_AT_CHECK) == 0)
			return;
	} else {
		return;
	}
	bool is_tcp = p[IPV6_AT_NEXT] == IPV6_NEXT_TCP;
	group->kind = is_tcp ? GRO_TCP : GRO_UDP;
	group->header = (uint16_t)(IPV6_HEADER + header);
	group->segment = (uint16_t)(upper - header);
	group->sequence = is_tcp ? be32_load(transport + TCP_AT_SEQUENCE) + group->segment : 0;
	group->closed = is_tcp && (transport[TCP_AT_FLAGS] & TCP_PSH);
}

/* True when the headers, of one kind and length, differ only in what segmentation changes. */
static bool is_same_flow(const uint8_t *a, const uint8_t *b, const struct gro_group *group)
{
	const uint8_t *ta = a + IPV6_HEADER, *tb = b + IPV6_HEADER;

	/* traffic class and flow label; next header and hop limit; addresses; ports */
	if (memcmp(a, b, IPV6_AT_LENGTH) != 0 ||
	    memcmp(a + IPV6_AT_NEXT, b + IPV6_AT_NEXT, IPV6_HEADER - IPV6_AT_NEXT) != 0 ||
	    memcmp(ta, tb, 4) != 0)
		return false;
	if (group->kind == GRO_UDP)
		return true;
	return memcmp(ta + TCP_AT_ACK, tb + TCP_AT_ACK, TCP_AT_FLAGS - TCP_AT_ACK) == 0 &&
	       memcmp(ta + TCP_AT_WINDOW, tb + TCP_AT_WINDOW, 2) == 0 &&
	       memcmp(ta + TCP_AT_URGENT, tb + TCP_AT_URGENT, 2) == 0 &&
	       memcmp(ta + TCP_HEADER, tb + TCP_HEADER, group->header - IPV6_HEADER - TCP_HEADER) ==
		       0;
}

static bool checksum_is_right(const struct out *out)
{
	return csum_upper(out->data, out->data[IPV6_AT_NEXT], out->data + IPV6_HEADER,
			  out->len - IPV6_HEADER) == 0;
}

/* Verifies the checksums of both packets. One that is wrong stays alone, so that no right checksum
 * of a merged packet ever covers it. */
static bool verify(struct gro_group *group, const struct out *first, struct gro_group *more,
		   const struct out *out)
{
	if (!group->verified && !checksum_is_right(first))
		group->kind = GRO_ALONE;
	else if (!checksum_is_right(out))
		more->kind = GRO_ALONE;
	group->verified = true;
	return group->kind != GRO_ALONE && more->kind != GRO_ALONE;
}

/* True when `out`, alone in its group `more`, continues `group`. */
static bool continues(const struct gro_group *group, const uint8_t *first,
		      const struct gro_group *more, const struct out *out)
{
	if (group->closed || group->kind == GRO_ALONE || group->kind != more->kind ||
	    group->header != more->header || more->segment > group->segment ||
	    group->bytes + more->segment > BYTES_MAX)
		return false;
	if (group->kind == GRO_TCP && more->sequence - more->segment != group->sequence)
		return false;
	return (group->kind != GRO_UDP || group->count < GRO_UDP_SEGMENTS) &&
	       is_same_flow(first, out->data, group);
}

static void append(struct gro *g, struct gro_group *group, uint16_t i, const struct gro_group *more)
{
	g->next[group->last] = i;
	group->last = i;
	group->count++;
	group->bytes += more->segment;
	group->sequence = more->sequence;
	group->closed = more->closed || more->segment < group->segment;
}

void gro_plan(struct gro *g, struct out *const *outs, size_t n, struct gro_kinds kinds)
{
	struct flows flows;

	memset(flows.used, 0, sizeof(flows.used));
	g->count = 0;
	for (uint16_t i = 0; i < n; i++) {
		struct gro_group alone = {
			.first = i, .last = i, .count = 1, .kind = GRO_ALONE, .bytes = outs[i]->len
		};
		size_t cell = flow_cell(&flows, outs[i]->tunnel);
		g->next[i] = GRO_NONE;
		classify(outs[i], kinds, &alone);
		struct gro_group *newest = flows.used[cell] ? &g->groups[flows.group[cell]] : NULL;
		if (newest && continues(newest, outs[newest->first]->data, &alone, outs[i]) &&
		    verify(newest, outs[newest->first], &alone, outs[i])) {
			append(g, newest, i, &alone);
			continue;
		}
		flows.used[cell] = true;
		flows.tunnel[cell] = outs[i]->tunnel;
		flows.group[cell] = (uint16_t)g->count;
		g->groups[g->count++] = alone;
	}
}

void gro_finish(const struct gro_group *group, struct out *const *outs)
{
	uint8_t *p = outs[group->first]->data, *transport = p + IPV6_HEADER;
	size_t upper = group->bytes - IPV6_HEADER;
	uint8_t *check = transport + (group->kind == GRO_TCP ? TCP_AT_CHECK : UDP_AT_CHECK);

	be16_store(p + IPV6_AT_LENGTH, (uint16_t)upper);
	if (group->kind == GRO_TCP)
		transport[TCP_AT_FLAGS] |= outs[group->last]->data[IPV6_HEADER + TCP_AT_FLAGS] &
					   TCP_PSH;
	else
		be16_store(transport + UDP_AT_LENGTH, (uint16_t)upper);
	be16_store(check, segment_partial_checksum(p, upper, p[IPV6_AT_NEXT]));
}
