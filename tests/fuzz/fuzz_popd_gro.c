/*
 * Packets on their way to the TUN, merged and cut again: whatever they are, each comes out once,
 * bit for bit as it was, and those of one tunnel in their order. Input: the kinds that the kernel
 * accepts, then packets:
 *
 *   0 tunnel 2 bits | repeat 4 | make checksum right 1 | sequence goes on 1     1 payload     2 header bytes to change (2 each)
 *
 * Each begins as a sound TCP or UDP packet, or nearly nothing would ever be merged.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/wire/be.h"
#include "lib/wire/csum.h"
#include "lib/wire/ipv6.h"
#include "lib/wire/transport.h"
#include "popd/port/gro.h"
#include "popd/port/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PACKETS = 24, ROOM = 512, CHANGES = 2, RECIPE = 2 + 2 * CHANGES, TUNNELS = 4 };

static uint8_t bytes[PACKETS][ROOM], before[PACKETS][ROOM];
static struct out out[PACKETS], *outs[PACKETS];
static struct tunnel tunnels[TUNNELS];

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void seal(uint8_t *p, size_t len)
{
	bool udp = p[IPV6_AT_NEXT] == IPV6_NEXT_UDP;
	uint8_t *check = p + IPV6_HEADER + (udp ? UDP_AT_CHECK : TCP_AT_CHECK);

	be16_store(check, 0);
	uint16_t value = csum_upper(p, p[IPV6_AT_NEXT], p + IPV6_HEADER, len - IPV6_HEADER);
	be16_store(check, value == 0 && udp ? 0xffff : value);
}

/* A TCP segment, at `sequence`, or a UDP datagram of the tunnel's one flow. */
static size_t make(uint8_t *p, bool udp, unsigned tunnel, uint32_t sequence, size_t payload)
{
	size_t header = IPV6_HEADER + (udp ? UDP_HEADER : TCP_HEADER), len = header + payload;

	memset(p, 0, header);
	p[0] = 0x60;
	be16_store(p + IPV6_AT_LENGTH, (uint16_t)(len - IPV6_HEADER));
	p[IPV6_AT_NEXT] = udp ? IPV6_NEXT_UDP : IPV6_NEXT_TCP;
	p[IPV6_AT_HOPS] = 64;
	p[IPV6_AT_SOURCE + 15] = (uint8_t)tunnel;
	if (udp) {
		be16_store(p + IPV6_HEADER + UDP_AT_LENGTH, (uint16_t)(len - IPV6_HEADER));
	} else {
		be32_store(p + IPV6_HEADER + TCP_AT_SEQUENCE, sequence);
		p[IPV6_HEADER + TCP_AT_OFFSET] = TCP_HEADER / 4 << 4;
		p[IPV6_HEADER + TCP_AT_FLAGS] = TCP_ACK;
	}
	for (size_t i = 0; i < payload; i++)
		p[header + i] = (uint8_t)(sequence + i);
	return len;
}

static size_t make_all(const uint8_t *data, size_t size)
{
	uint32_t sequence[TUNNELS] = { 0, 0xfffffff0, 1000, 1000 };
	size_t n = 0;

	for (; size >= RECIPE; data += RECIPE, size -= RECIPE) {
		unsigned tunnel = data[0] & 3, repeat = (data[0] >> 2 & 15) + 1;
		for (; repeat > 0 && n < PACKETS; repeat--, n++) {
			size_t len = make(bytes[n], tunnel == 3, tunnel, sequence[tunnel], data[1]);
			for (size_t c = 2; c < RECIPE; c += 2)
				bytes[n][data[c] % len] ^= data[c + 1];
			/* a packet of another protocol has no place for a checksum */
			bool fits = bytes[n][IPV6_AT_NEXT] == IPV6_NEXT_UDP ||
				    (bytes[n][IPV6_AT_NEXT] == IPV6_NEXT_TCP &&
				     len >= IPV6_HEADER + TCP_HEADER);
			if (!(data[0] & 0x40) && fits)
				seal(bytes[n], len);
			if (!(data[0] & 0x80))
				sequence[tunnel] += data[1];
			out[n] = (struct out){ .kind = OUT_TUN,
					       .data = bytes[n],
					       .len = (uint32_t)len,
					       .tunnel = tunnel ? &tunnels[tunnel] : NULL };
			outs[n] = &out[n];
		}
	}
	return n;
}

/* Cuts a merged packet like the kernel. */
static void cut_again(const struct gro *g, const struct gro_group *group)
{
	static uint8_t merged[PACKETS * ROOM], one[ROOM];
	struct segments s;
	size_t len = 0;

	gro_finish(group, outs);
	for (uint16_t i = group->first; i != GRO_NONE; i = g->next[i]) {
		size_t skip = i == group->first ? 0 : group->header;
		memcpy(merged + len, bytes[i] + skip, out[i].len - skip);
		len += out[i].len - skip;
	}
	require(len == group->bytes &&
		len == (size_t)IPV6_HEADER + be16_load(merged + IPV6_AT_LENGTH));
	require(segments_begin(&s, merged, len, IPV6_HEADER, group->kind == GRO_TCP,
			       group->segment));
	for (uint16_t i = group->first; i != GRO_NONE; i = g->next[i])
		require(segments_next(&s, one, sizeof(one)) == out[i].len &&
			memcmp(one, before[i], out[i].len) == 0);
	require(segments_next(&s, one, sizeof(one)) == 0);
}

static void check(const struct gro *g, size_t n, struct gro_kinds kinds)
{
	int newest[TUNNELS] = { -1, -1, -1, -1 };
	size_t seen = 0;

	for (size_t i = 0; i < g->count; i++) {
		const struct gro_group *group = &g->groups[i];
		size_t count = 0;
		for (uint16_t m = group->first; m != GRO_NONE; m = g->next[m], count++) {
			size_t tunnel = out[m].tunnel ? (size_t)(out[m].tunnel - tunnels) : 0;
			require(m < n && newest[tunnel] < (int)m &&
				out[m].tunnel == out[group->first].tunnel);
			newest[tunnel] = m;
		}
		require(count == group->count && count > 0);
		require(count == 1 ||
			(group->kind == GRO_TCP ? kinds.tcp : group->kind == GRO_UDP && kinds.udp));
		if (count > 1)
			cut_again(g, group);
		seen += count;
	}
	require(seen == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gro g;

	if (size == 0)
		return 0;
	struct gro_kinds kinds = { data[0] & 1, data[0] & 2 };
	size_t n = make_all(data + 1, size - 1);
	for (size_t i = 0; i < n; i++)
		memcpy(before[i], bytes[i], out[i].len);
	gro_plan(&g, outs, n, kinds);
	check(&g, n, kinds);
	return 0;
}
