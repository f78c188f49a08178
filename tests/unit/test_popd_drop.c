/* Every reason for letting a packet go, reached by a packet that has only this one fault, and charged to the right
 * tunnel. A reason without a row fails. */
#include "tests/unit/test_popd_fixture.h"

#define CLIENT1 "2001:db8:2ff:1::2"
#define CLIENT2 "2001:db8:2ff:2::2"
#define CLIENT3 "2001:db8:2ff:3::2"
#define CLIENT5 "2001:db8:2ff:5::2"
#define CLIENT6 "2001:db8:2ff:6::2"
#define OUTSIDE "2001:db8:f00::1"
#define HOME1 "192.0.2.1", 4001
#define HOME2 "192.0.2.2", 0
#define HOME3 "203.0.113.3", 0

/* What a row gives back. */
struct sent {
	enum job_source source;
	struct packet packet;
	struct endpoint4 from;
	uint8_t tos;
};

static struct sent from_ayiya(struct packet p)
{
	return (struct sent){ JOB_FROM_AYIYA, p, at(HOME1), 0 };
}
static struct sent from_static(struct packet p)
{
	return (struct sent){ JOB_FROM_PROTO41, p, at(HOME3), 0 };
}
static struct sent from_tun(struct packet p)
{
	return (struct sent){ JOB_FROM_TUN, p, { { 0 }, 0 }, 0 };
}
static struct sent from_beat(struct packet p)
{
	return (struct sent){ JOB_FROM_HEARTBEAT, p, at(HOME2), 0 };
}

static struct packet good_inner(void)
{
	return echo(CLIENT1, OUTSIDE);
}

static struct sent ayiya_of(struct pop *pop, const struct ayiya_form *f)
{
	struct packet inner = good_inner();
	return from_ayiya(ayiya(pop->digest, CLIENT1, &inner, f));
}

static struct sent ayiya_with(struct pop *pop, struct packet inner)
{
	return from_ayiya(ayiya(pop->digest, CLIENT1, &inner, AYIYA_GOOD));
}

static struct sent outer_short(struct pop *pop)
{
	struct sent s = ayiya_of(pop, AYIYA_GOOD);
	s.packet.len = 43;
	return s;
}

static struct sent outer_martian(struct pop *pop)
{
	struct sent s = ayiya_of(pop, AYIYA_GOOD);
	s.from = at("127.0.0.1", 4001);
	return s;
}

static struct sent ayiya_form(struct pop *pop)
{
	return ayiya_of(pop, AYIYA_OF(.first = 0x31));
}
static struct sent ayiya_unsigned(struct pop *pop)
{
	return ayiya_of(pop, AYIYA_OF(.auth = ZERO));
}
static struct sent ayiya_method(struct pop *pop)
{
	struct sent s = ayiya_of(pop, AYIYA_GOOD);
	s.packet.b[1] = 0x41; /* MD5 */
	return s;
}
static struct sent ayiya_opcode(struct pop *pop)
{
	return ayiya_of(pop, AYIYA_OF(.opcode = 5));
}
static struct sent ayiya_next_header(struct pop *pop)
{
	return ayiya_of(pop, AYIYA_OF(.next = 4));
}
static struct sent ayiya_signature(struct pop *pop)
{
	return ayiya_of(pop, AYIYA_OF(.secret = "ffffffffffffffffffffffffffffffff"));
}

static struct sent beat_form(struct pop *pop)
{
	struct sent s = from_beat(beat(pop->digest, CLIENT2, "sender", NOW, SECRET, ""));
	s.packet.b[0] = 'h';
	return s;
}
static struct sent beat_address(struct pop *pop)
{
	return from_beat(beat(pop->digest, CLIENT2, "192.0.2.99", NOW, SECRET, ""));
}
static struct sent beat_signature(struct pop *pop)
{
	return from_beat(beat(pop->digest, CLIENT2, "sender", NOW, "ffff", ""));
}

static struct sent tunnel_unknown(struct pop *pop)
{
	struct packet inner = good_inner();
	return from_ayiya(ayiya(pop->digest, "2001:db8:2ff:777::2", &inner, AYIYA_GOOD));
}
static struct sent tunnel_type(struct pop *pop)
{
	struct packet inner = good_inner();
	return from_ayiya(ayiya(pop->digest, CLIENT3, &inner, AYIYA_GOOD));
}
static struct sent tunnel_disabled(struct pop *pop)
{
	struct packet inner = good_inner();
	return from_ayiya(ayiya(pop->digest, "2001:db8:2ff:4::2", &inner, AYIYA_GOOD));
}
static struct sent tunnel_down(struct pop *pop)
{
	(void)pop;
	return (struct sent){ JOB_FROM_PROTO41, echo(CLIENT5, OUTSIDE), at(HOME2), 0 };
}
static struct sent clock_skew(struct pop *pop)
{
	return ayiya_of(pop, AYIYA_OF(.epoch = NOW + 121));
}
static struct sent replay_stale(struct pop *pop)
{
	return ayiya_of(pop, AYIYA_OF(.epoch = NOW - 16));
}
static struct sent replay_move(struct pop *pop)
{
	struct sent s = ayiya_of(pop, AYIYA_OF(.epoch = NOW - 10));
	s.from.port++;
	return s;
}
static struct sent endpoint_mismatch(struct pop *pop)
{
	struct sent s = from_static(echo(CLIENT3, OUTSIDE));
	(void)pop;
	s.from = at("203.0.113.4", 0);
	return s;
}

static struct sent inner_short(struct pop *pop)
{
	struct packet inner = good_inner();
	inner.len--;
	return ayiya_with(pop, inner);
}
static struct sent inner_version(struct pop *pop)
{
	struct packet inner = good_inner();
	inner.b[0] = 0x45;
	return ayiya_with(pop, inner);
}
static struct sent inner_martian_source(struct pop *pop)
{
	return ayiya_with(pop, echo("::ffff:192.0.2.1", OUTSIDE));
}
static struct sent inner_martian_dest(struct pop *pop)
{
	return ayiya_with(pop, echo(CLIENT1, "::1"));
}
static struct sent inner_multicast(struct pop *pop)
{
	return ayiya_with(pop, echo(CLIENT1, "ff0e::1"));
}
static struct sent link_local(struct pop *pop)
{
	return ayiya_with(pop, echo("fe80::1", "ff02::2"));
}
static struct sent spoofed_from_tunnel(struct pop *pop)
{
	return ayiya_with(pop, echo("2001:db8:bad::1", OUTSIDE));
}
static struct sent spoofed_from_uplink(struct pop *pop)
{
	(void)pop;
	return from_tun(echo("2001:db8:30ff::1", CLIENT3));
}
static struct sent same_tunnel(struct pop *pop)
{
	return ayiya_with(pop, echo(CLIENT1, "2001:db8:3001:99::1"));
}
static struct sent tunnel_loop(struct pop *pop)
{
	return ayiya_with(pop, echo(CLIENT1, "2002:c633:6402::1"));
}
static struct sent hop_limit(struct pop *pop)
{
	return ayiya_with(pop, with_hops(good_inner(), 1));
}
static struct sent too_big(struct pop *pop)
{
	(void)pop;
	return from_tun(ipv6(OUTSIDE, CLIENT3, 17, 64, NULL, 1241));
}
static struct sent no_such_tunnel(struct pop *pop)
{
	return ayiya_with(pop, echo(CLIENT1, "2001:db8:2ff:777::2"));
}
static struct sent tunnel_net_host(struct pop *pop)
{
	(void)pop;
	return from_tun(echo(OUTSIDE, "2001:db8:2ff:3::3"));
}
static struct sent not_for_pop(struct pop *pop)
{
	return ayiya_with(pop, udp(CLIENT1, "2001:db8:2ff:1::1"));
}
static struct sent pop_unused(struct pop *pop)
{
	return ayiya_with(pop, icmp(CLIENT1, "2001:db8:2ff:1::1", 129, 0, 8));
}
static struct sent ecn_invalid(struct pop *pop)
{
	struct sent s = ayiya_of(pop, AYIYA_GOOD);
	s.tos = 3;
	return s;
}
static struct sent no_endpoint(struct pop *pop)
{
	struct tunnel_conf *c = conf_new(pop->digest, 9, TUNNEL_STATIC, "2001:db8:2ff:9::", NULL);
	pop_add(pop, c);
	return from_tun(echo(OUTSIDE, "2001:db8:2ff:9::2"));
}

/* A router about our packet to T3's client. */
static struct sent from_router(uint8_t type, uint8_t code)
{
	struct packet inner = echo(OUTSIDE, CLIENT3), about = outer(POP_IPV4_TEXT, "203.0.113.3", 0, &inner);
	return (struct sent){ JOB_FROM_ICMP4, icmp4(type, code, 1400, &about, 100), at("192.0.2.254", 0), 0 };
}
static struct sent outer_unreachable(struct pop *pop)
{
	(void)pop;
	return from_router(3, 1);
}
static struct sent outer_time_exceeded(struct pop *pop)
{
	(void)pop;
	return from_router(11, 0);
}
static struct sent outer_parameter(struct pop *pop)
{
	(void)pop;
	return from_router(12, 0);
}
static struct sent outer_too_big(struct pop *pop)
{
	(void)pop;
	return from_router(3, 4);
}
static struct sent icmp4_unverified(struct pop *pop)
{
	struct sent s = from_router(3, 1);
	(void)pop;
	s.packet.b[8 + 15]++; /* we are not that address */
	seal_icmp4(&s.packet);
	return s;
}

static const struct {
	enum drop why;
	struct sent (*send)(struct pop *pop);
	uint32_t tunnel; /* charged; 0: none */
} rows[] = {
	{ DROP_OUTER_SHORT, outer_short, 0 },
	{ DROP_OUTER_MARTIAN, outer_martian, 0 },
	{ DROP_AYIYA_FORM, ayiya_form, 0 },
	{ DROP_AYIYA_UNSIGNED, ayiya_unsigned, 0 },
	{ DROP_AYIYA_METHOD, ayiya_method, 0 },
	{ DROP_AYIYA_OPCODE, ayiya_opcode, 1 },
	{ DROP_AYIYA_NEXT_HEADER, ayiya_next_header, 1 },
	{ DROP_AYIYA_SIGNATURE, ayiya_signature, 1 },
	{ DROP_BEAT_FORM, beat_form, 0 },
	{ DROP_BEAT_ADDRESS, beat_address, 2 },
	{ DROP_BEAT_SIGNATURE, beat_signature, 2 },
	{ DROP_TUNNEL_UNKNOWN, tunnel_unknown, 0 },
	{ DROP_TUNNEL_TYPE, tunnel_type, 3 },
	{ DROP_TUNNEL_DISABLED, tunnel_disabled, 4 },
	{ DROP_TUNNEL_DOWN, tunnel_down, 5 },
	{ DROP_CLOCK_SKEW, clock_skew, 1 },
	{ DROP_REPLAY_STALE, replay_stale, 1 },
	{ DROP_REPLAY_MOVE, replay_move, 1 },
	{ DROP_ENDPOINT_MISMATCH, endpoint_mismatch, 3 },
	{ DROP_INNER_SHORT, inner_short, 1 },
	{ DROP_INNER_VERSION, inner_version, 1 },
	{ DROP_INNER_MARTIAN_SOURCE, inner_martian_source, 1 },
	{ DROP_INNER_MARTIAN_DEST, inner_martian_dest, 1 },
	{ DROP_INNER_MULTICAST, inner_multicast, 1 },
	{ DROP_LINK_LOCAL, link_local, 1 },
	{ DROP_SPOOFED_FROM_TUNNEL, spoofed_from_tunnel, 1 },
	{ DROP_SPOOFED_FROM_UPLINK, spoofed_from_uplink, 3 },
	{ DROP_SAME_TUNNEL, same_tunnel, 1 },
	{ DROP_TUNNEL_LOOP, tunnel_loop, 1 },
	{ DROP_HOP_LIMIT, hop_limit, 1 },
	{ DROP_TOO_BIG, too_big, 3 },
	{ DROP_NO_SUCH_TUNNEL, no_such_tunnel, 1 },
	{ DROP_TUNNEL_NET_HOST, tunnel_net_host, 3 },
	{ DROP_NOT_FOR_POP, not_for_pop, 1 },
	{ DROP_POP_UNUSED, pop_unused, 1 },
	{ DROP_ECN_INVALID, ecn_invalid, 1 },
	{ DROP_OUTER_UNREACHABLE, outer_unreachable, 3 },
	{ DROP_OUTER_TIME_EXCEEDED, outer_time_exceeded, 3 },
	{ DROP_OUTER_PARAMETER, outer_parameter, 3 },
	{ DROP_OUTER_TOO_BIG, outer_too_big, 3 },
	{ DROP_ICMP4_UNVERIFIED, icmp4_unverified, 0 },
	{ DROP_NO_ENDPOINT, no_endpoint, 9 },
};

/* Not a matter of packets: what the kernel refuses (pipeline_refused, tested below), and faults of ours. */
static const enum drop elsewhere[] = { DROP_NONE, DROP_TUN_REFUSED, DROP_SEND_REFUSED, DROP_INTERNAL };

static void every_reason_is_reached_by_a_packet(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pop pop = pop_new();
		struct sent s = rows[i].send(&pop);
		struct job job;
		job_init(&job, s.source, &s.packet, s.from, s.tos);
		pop_run(&pop, &job, 1);
		if (job.drop != rows[i].why)
			fail_msg("wanted %s, got %s", drop_name(rows[i].why), drop_name(job.drop));
		assert_int_equal(drops_of(&pop, rows[i].why), 1);
		const struct drop_last *last = &pop.counters->drops[rows[i].why];
		if (atomic_load(&last->tunnel) != rows[i].tunnel)
			fail_msg("%s: wanted T%u, got T%u", drop_name(rows[i].why), rows[i].tunnel,
				 atomic_load(&last->tunnel));
		assert_int_equal(atomic_load(&last->time), NOW);
		struct endpoint4 from = endpoint_of(atomic_load(&last->from));
		assert_int_equal(from.addr.v, s.from.addr.v);
		assert_int_equal(from.port, s.from.port);
		if (rows[i].tunnel)
			assert_int_equal(tunnel_drops_of(&pop, rows[i].tunnel, rows[i].why), 1);
		job_end(&job);
		pop_end(&pop);
	}
}

static void no_reason_is_without_a_row(void **state)
{
	bool covered[DROP__COUNT] = { false };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		covered[rows[i].why] = true;
	for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++)
		covered[elsewhere[i]] = true;
	for (enum drop d = 0; d < DROP__COUNT; d++)
		if (!covered[d])
			fail_msg("no packet reaches %s", drop_name(d));
}

static void the_same_packets_without_their_fault_pass(void **state)
{
	(void)state;
	struct pop pop = pop_new();
	struct sent controls[] = {
		ayiya_of(&pop, AYIYA_GOOD),
		ayiya_of(&pop, AYIYA_OF(.sha256 = true)),
		ayiya_of(&pop, AYIYA_OF(.epoch = NOW + 120)),
		ayiya_of(&pop, AYIYA_OF(.opcode = ZERO, .next = 59)),
		ayiya_of(&pop, AYIYA_OF(.opcode = 3)),
		from_beat(beat(pop.digest, CLIENT2, "sender", NOW, SECRET, "")),
		from_beat(beat(pop.digest, CLIENT2, "192.0.2.2", NOW, SECRET, "\n")),
		from_static(echo(CLIENT3, OUTSIDE)),
		from_static(echo("2001:db8:3003::5", CLIENT6)),
		from_tun(ipv6(OUTSIDE, CLIENT3, 17, 64, NULL, 1240)),
		from_tun(ipv6(OUTSIDE, CLIENT6, 17, 64, NULL, 1440)),
	};
	for (size_t i = 0; i < ARRAY_LEN(controls); i++) {
		enum drop d = pop_send(&pop, controls[i].source, controls[i].packet, controls[i].from);
		if (d != DROP_NONE)
			fail_msg("control %zu: %s", i, drop_name(d));
	}
	pop_end(&pop);
}

static void what_the_kernel_refuses_is_counted_by_where_it_was_to_go(void **state)
{
	(void)state;
	struct pop pop = pop_new();
	struct tunnel *t = table_by_id(pop.table, 3);
	pipeline_refused(&pop.pipeline, &(struct out){ .kind = OUT_TUN, .tunnel = t }, NOW);
	pipeline_refused(&pop.pipeline, &(struct out){ .kind = OUT_TUN }, NOW);
	pipeline_refused(&pop.pipeline, &(struct out){ .kind = OUT_UDP, .tunnel = t }, NOW);
	pipeline_refused(&pop.pipeline, &(struct out){ .kind = OUT_PROTO41, .tunnel = t }, NOW);
	assert_int_equal(drops_of(&pop, DROP_TUN_REFUSED), 2);
	assert_int_equal(tunnel_drops_of(&pop, 3, DROP_TUN_REFUSED), 1);
	assert_int_equal(tunnel_drops_of(&pop, 3, DROP_SEND_REFUSED), 2);
	pop_end(&pop);
}

static void names_and_sentences_are_there_for_each_and_names_differ(void **state)
{
	(void)state;
	for (enum drop d = 0; d < DROP__COUNT; d++) {
		assert_true(strlen(drop_name(d)) > 1 && strlen(drop_text(d)) > 10);
		for (enum drop e = 0; e < d; e++)
			assert_string_not_equal(drop_name(d), drop_name(e));
	}
	assert_string_equal(drop_name(DROP__COUNT), "?");
	assert_string_equal(drop_text((enum drop) - 1), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_is_reached_by_a_packet),
		cmocka_unit_test(no_reason_is_without_a_row),
		cmocka_unit_test(the_same_packets_without_their_fault_pass),
		cmocka_unit_test(what_the_kernel_refuses_is_counted_by_where_it_was_to_go),
		cmocka_unit_test(names_and_sentences_are_there_for_each_and_names_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
