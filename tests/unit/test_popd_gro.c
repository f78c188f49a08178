/* Segmentation of a merged packet gives back its members bit for bit; packets that differ in a
 * header or have a wrong checksum are never merged. */
#include "popd/port/gro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/wire/be.h"
#include "lib/wire/csum.h"
#include "lib/wire/ipv6.h"
#include "lib/wire/transport.h"
#include "popd/port/segment.h"

enum { ROOM = 2048, MERGED = 70000 };
static const struct gro_kinds both = { true, true };

struct packets {
	uint8_t data[GRO_MAX][ROOM], before[GRO_MAX][ROOM];
	struct out out[GRO_MAX];
	struct out *outs[GRO_MAX];
	struct tunnel tunnels[4];
	size_t n;
	struct gro gro;
	uint8_t merged[MERGED];
};

static int set_up(void **state)
{
	*state = calloc(1, sizeof(struct packets));
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

static void seal(uint8_t *p, size_t len)
{
	uint8_t next = p[IPV6_AT_NEXT];
	uint8_t *check = p + IPV6_HEADER + (next == IPV6_NEXT_TCP ? TCP_AT_CHECK : UDP_AT_CHECK);

	be16_store(check, 0);
	uint16_t value = csum_upper(p, next, p + IPV6_HEADER, len - IPV6_HEADER);
	be16_store(check, value == 0 && next == IPV6_NEXT_UDP ? 0xffff : value);
}

/* Adds a packet of flow `flow` (its source port) with `payload` bytes; TCP with `flags` and
 * `sequence`, or UDP when flags is 0. */
static uint8_t *add(struct packets *k, unsigned tunnel, unsigned flow, uint8_t flags,
		    uint32_t sequence, size_t payload)
{
	uint8_t *p = k->data[k->n];
	size_t header = IPV6_HEADER + (flags ? TCP_HEADER : UDP_HEADER);

	memset(p, 0, header);
	p[0] = 0x60;
	be16_store(p + IPV6_AT_LENGTH, (uint16_t)(header + payload - IPV6_HEADER));
	p[IPV6_AT_NEXT] = flags ? IPV6_NEXT_TCP : IPV6_NEXT_UDP;
	p[IPV6_AT_HOPS] = 63;
	p[IPV6_AT_SOURCE] = p[IPV6_AT_DESTINATION] = 0x20;
	p[IPV6_AT_SOURCE + 15] = (uint8_t)tunnel;
	be16_store(p + IPV6_HEADER, (uint16_t)flow);
	be16_store(p + IPV6_HEADER + 2, 443);
	if (flags) {
		be32_store(p + IPV6_HEADER + TCP_AT_SEQUENCE, sequence);
		p[IPV6_HEADER + TCP_AT_OFFSET] = TCP_HEADER / 4 << 4;
		p[IPV6_HEADER + TCP_AT_FLAGS] = flags;
	} else {
		be16_store(p + IPV6_HEADER + UDP_AT_LENGTH, (uint16_t)(UDP_HEADER + payload));
	}
	for (size_t i = 0; i < payload; i++)
		p[header + i] = (uint8_t)(sequence + i * 31 + flow);
	seal(p, header + payload);
	k->out[k->n] = (struct out){ .kind = OUT_TUN,
				     .data = p,
				     .len = (uint32_t)(header + payload),
				     .tunnel = &k->tunnels[tunnel] };
	k->outs[k->n] = &k->out[k->n];
	k->n++;
	return p;
}

/* Plans, and proves for every group that cutting the merged packet gives back its members. */
static void plan_and_prove(struct packets *k, struct gro_kinds kinds)
{
	size_t seen = 0;

	memcpy(k->before, k->data, sizeof(k->data));
	gro_plan(&k->gro, k->outs, k->n, kinds);
	for (size_t g = 0; g < k->gro.count; g++) {
		const struct gro_group *group = &k->gro.groups[g];
		seen += group->count;
		if (group->count == 1)
			continue;
		gro_finish(group, k->outs);
		size_t len = 0;
		for (uint16_t i = group->first; i != GRO_NONE; i = k->gro.next[i]) {
			size_t skip = i == group->first ? 0 : group->header;
			memcpy(k->merged + len, k->outs[i]->data + skip, k->outs[i]->len - skip);
			len += k->outs[i]->len - skip;
		}
		assert_int_equal(len, group->bytes);
		struct segments s;
		uint8_t one[ROOM];
		assert_true(segments_begin(&s, k->merged, len, IPV6_HEADER, group->kind == GRO_TCP,
					   group->segment));
		for (uint16_t i = group->first; i != GRO_NONE; i = k->gro.next[i]) {
			assert_int_equal(segments_next(&s, one, sizeof(one)), k->out[i].len);
			assert_memory_equal(one, k->before[i], k->out[i].len);
		}
		assert_int_equal(segments_next(&s, one, sizeof(one)), 0);
	}
	assert_int_equal(seen, k->n);
}

static void a_run_of_segments_becomes_one_packet_and_comes_apart_again(void **state)
{
	struct packets *k = *state;

	k->n = 0;
	for (uint32_t i = 0; i < 40; i++)
		add(k, 0, 1000, i == 39 ? TCP_ACK | TCP_PSH : TCP_ACK, 5000 + i * 1220,
		    i == 39 ? 100 : 1220);
	plan_and_prove(k, both);
	assert_int_equal(k->gro.count, 1);
	assert_int_equal(k->gro.groups[0].count, 40);
}

static void a_run_of_datagrams_becomes_one_packet_and_comes_apart_again(void **state)
{
	struct packets *k = *state;

	k->n = 0;
	for (uint32_t i = 0; i < 30; i++)
		add(k, 0, 1000, 0, i, i == 29 ? 7 : 1200);
	plan_and_prove(k, both);
	assert_int_equal(k->gro.count, 1);
}

static void flows_of_different_tunnels_are_merged_side_by_side(void **state)
{
	struct packets *k = *state;

	k->n = 0;
	for (uint32_t i = 0; i < 40; i++)
		add(k, i % 4, 1000 + i % 4, TCP_ACK, i / 4 * 1220, 1220);
	plan_and_prove(k, both);
	assert_int_equal(k->gro.count, 4);
}

static void flows_of_one_tunnel_keep_the_order_of_their_packets(void **state)
{
	struct packets *k = *state;
	int last = -1;

	k->n = 0;
	for (uint32_t i = 0; i < 40; i++)
		add(k, 0, 1000 + i / 3 % 2, TCP_ACK, i * 1220, 1220);
	plan_and_prove(k, both);
	for (size_t g = 0; g < k->gro.count; g++) {
		for (uint16_t i = k->gro.groups[g].first; i != GRO_NONE; i = k->gro.next[i]) {
			assert_int_equal(i, last + 1);
			last = i;
		}
	}
}

/* Each row changes the second of two segments that would be merged without it. */
static void ack_moves(uint8_t *p)
{
	p[IPV6_HEADER + TCP_AT_ACK + 3] = 1;
}
static void window_moves(uint8_t *p)
{
	p[IPV6_HEADER + TCP_AT_WINDOW] = 1;
}
static void sequence_jumps(uint8_t *p)
{
	p[IPV6_HEADER + TCP_AT_SEQUENCE + 3] ^= 1;
}
static void syn(uint8_t *p)
{
	p[IPV6_HEADER + TCP_AT_FLAGS] |= 2;
}
static void fin(uint8_t *p)
{
	p[IPV6_HEADER + TCP_AT_FLAGS] |= TCP_FIN;
}
static void urgent(uint8_t *p)
{
	p[IPV6_HEADER + TCP_AT_FLAGS] |= 0x20;
}
/* without URG it has no meaning, but must arrive unchanged */
static void urgent_pointer_changes(uint8_t *p)
{
	p[IPV6_HEADER + TCP_AT_URGENT] = 1;
}
static void congestion(uint8_t *p)
{
	p[IPV6_HEADER + TCP_AT_FLAGS] |= TCP_CWR;
}
static void class_changes(uint8_t *p)
{
	p[1] |= 0x30;
}
static void label_changes(uint8_t *p)
{
	p[3] = 9;
}
static void hops_change(uint8_t *p)
{
	p[IPV6_AT_HOPS] = 9;
}
static void port_changes(uint8_t *p)
{
	p[IPV6_HEADER + 1] ^= 1;
}
static void source_changes(uint8_t *p)
{
	p[IPV6_AT_SOURCE + 9] = 9;
}

static void segments_that_are_not_alike_stay_apart(void **state)
{
	static void (*const changes[])(uint8_t *) = {
		ack_moves,   window_moves,           sequence_jumps, syn,           fin,
		urgent,      urgent_pointer_changes, congestion,     class_changes, label_changes,
		hops_change, port_changes,           source_changes
	};
	struct packets *k = *state;

	for (size_t row = 0; row < ARRAY_LEN(changes); row++) {
		k->n = 0;
		add(k, 0, 1000, TCP_ACK, 0, 1220);
		uint8_t *p = add(k, 0, 1000, TCP_ACK, 1220, 1220);
		changes[row](p);
		seal(p, k->out[1].len);
		plan_and_prove(k, both);
		assert_int_equal(k->gro.count, 2);
	}
}

static void a_gso_packet_stays_alone(void **state)
{
	struct packets *k = *state;

	k->n = 0;
	for (uint32_t i = 0; i < 3; i++)
		add(k, 0, 1000, TCP_ACK, i * 1000, 1000);
	k->out[1].gso = (struct gso){ 500, IPV6_HEADER + TCP_HEADER };
	gro_plan(&k->gro, k->outs, k->n, both);
	assert_int_equal(k->gro.count, 3);
}

static void a_wrong_checksum_is_never_healed(void **state)
{
	struct packets *k = *state;

	for (size_t wrong = 0; wrong < 3; wrong++) {
		k->n = 0;
		for (uint32_t i = 0; i < 3; i++)
			add(k, 0, 1000, TCP_ACK, i * 1220, 1220);
		k->data[wrong][700] ^= 1;
		plan_and_prove(k, both);
		for (size_t g = 0; g < k->gro.count; g++)
			if (k->gro.groups[g].first == wrong)
				assert_int_equal(k->gro.groups[g].count, 1);
		assert_memory_equal(k->data[wrong], k->before[wrong], k->out[wrong].len);
	}
}

/* ffff in place of 0 is right, but segmentation would write 0 */
static void a_checksum_that_would_not_come_back_stays_as_it_is(void **state)
{
	struct packets *k = *state;

	k->n = 0;
	add(k, 0, 1000, TCP_ACK, 0, 1220);
	uint8_t *p = add(k, 0, 1000, TCP_ACK, 1220, 1220);
	uint8_t *check = p + IPV6_HEADER + TCP_AT_CHECK, *payload = p + IPV6_HEADER + TCP_HEADER;
	/* Added to a word that it covers, a checksum leaves 0. */
	uint32_t word = (uint32_t)be16_load(payload) + be16_load(check);
	be16_store(payload, (uint16_t)((word & 0xffff) + (word >> 16)));
	seal(p, k->out[1].len);
	assert_int_equal(be16_load(check), 0);
	be16_store(check, 0xffff);
	plan_and_prove(k, both);
	assert_int_equal(k->gro.count, 2);
	assert_memory_equal(p, k->before[1], k->out[1].len);
}

static void pushed_short_and_pure_segments_end_a_group(void **state)
{
	struct packets *k = *state;

	k->n = 0;
	add(k, 0, 1000, TCP_ACK | TCP_PSH, 0, 1220);
	add(k, 0, 1000, TCP_ACK, 1220, 1220);
	add(k, 0, 1000, TCP_ACK, 2440, 500);
	add(k, 0, 1000, TCP_ACK, 2940, 500);
	add(k, 0, 1000, TCP_ACK, 3440, 0);
	plan_and_prove(k, both);
	assert_int_equal(k->gro.count, 4);
}

static void nothing_is_merged_that_the_kernel_refuses(void **state)
{
	struct packets *k = *state;

	k->n = 0;
	for (uint32_t i = 0; i < 8; i++)
		add(k, 0, 1000, i < 4 ? TCP_ACK : 0, i * 1220, 1220);
	plan_and_prove(k, (struct gro_kinds){ false, false });
	assert_int_equal(k->gro.count, 8);
	plan_and_prove(k, (struct gro_kinds){ false, true });
	assert_int_equal(k->gro.count, 5);
}

static void random_traffic_comes_apart_as_it_was(void **state)
{
	struct packets *k = *state;
	uint32_t x = 11;

	for (int round = 0; round < 400; round++) {
		uint32_t sequence[8] = { 0 };
		k->n = 0;
		while (k->n < GRO_MAX) {
			x = x * 1664525 + 1013904223;
			unsigned flow = x >> 28 & 7;
			size_t payload = x >> 20 & 3 ? 1220 : x >> 8 & 1023;
			add(k, flow / 2, 1000 + flow,
			    flow & 1 ? (x >> 24 & 15 ? TCP_ACK : TCP_ACK | TCP_PSH) : 0,
			    sequence[flow], payload);
			sequence[flow] += (uint32_t)payload;
			if ((x >> 4 & 31) == 0)
				k->data[k->n - 1][k->out[k->n - 1].len - 1] ^= 0x55;
		}
		plan_and_prove(k, both);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_of_segments_becomes_one_packet_and_comes_apart_again),
		cmocka_unit_test(a_run_of_datagrams_becomes_one_packet_and_comes_apart_again),
		cmocka_unit_test(flows_of_different_tunnels_are_merged_side_by_side),
		cmocka_unit_test(flows_of_one_tunnel_keep_the_order_of_their_packets),
		cmocka_unit_test(segments_that_are_not_alike_stay_apart),
		cmocka_unit_test(a_gso_packet_stays_alone),
		cmocka_unit_test(a_wrong_checksum_is_never_healed),
		cmocka_unit_test(a_checksum_that_would_not_come_back_stays_as_it_is),
		cmocka_unit_test(pushed_short_and_pure_segments_end_a_group),
		cmocka_unit_test(nothing_is_merged_that_the_kernel_refuses),
		cmocka_unit_test(random_traffic_comes_apart_as_it_was),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
