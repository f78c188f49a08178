/* What ICMPv4 errors do to a tunnel: which are believed, how they lower the path MTU, and when it
 * expires. */
#include "popd/core/path.h"

#include "popd/core/encap.h"
#include "popd/core/drop_detail.h"
#include "tests/unit/test_popd_fixture.h"

#define OUTSIDE "2001:db8:f00::1"
#define ROUTER "192.0.2.254", 0
enum { LONG = 4096, SHORT = 28 };

static uint32_t known(struct pop *p, uint32_t id)
{
	return path_mtu(atomic_load(&table_by_id(p->table, id)->path), p->now.mono);
}

/* Our outer packet to the tunnel's client. */
static struct packet to_six(void)
{
	struct packet inner = ipv6(OUTSIDE, "2001:db8:2ff:6::2", 17, 63, NULL, 1400);

	return outer(POP_IPV4_TEXT, "203.0.113.6", 0, &inner);
}

static struct packet to_one(struct pop *p, uint32_t epoch)
{
	struct packet inner = ipv6(OUTSIDE, "2001:db8:2ff:1::2", 17, 63, NULL, 1200);
	struct packet datagram = ayiya(p->digest, "2001:db8:2ff:1::1", &inner,
				       AYIYA_OF(.epoch = epoch));

	return outer(POP_IPV4_TEXT, "192.0.2.1", 4001, &datagram);
}

static enum drop too_big(struct pop *p, uint16_t mtu, struct packet about, size_t keep)
{
	return pop_send(p, JOB_FROM_ICMP4, icmp4(3, 4, mtu, &about, keep), at(ROUTER));
}

static void fragmentation_needed_lowers_the_mtu_and_never_raises_it(void **state)
{
	static const struct {
		uint16_t said;
		uint32_t known, inner;
	} steps[] = { { 1500, 1500, 1480 }, { 1492, 1492, 1472 }, { 1450, 1450, 1430 },
		      { 1460, 1450, 1430 }, { 1301, 1301, 1281 }, { 1300, 1300, 1280 },
		      { 576, 576, 1280 },   { 1, 68, 1280 },      { 1500, 68, 1280 } };
	struct pop p = pop_new();
	struct tunnel *t = table_by_id(p.table, 6);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		assert_int_equal(too_big(&p, steps[i].said, to_six(), LONG), DROP_OUTER_TOO_BIG);
		assert_int_equal(known(&p, 6), steps[i].known);
		assert_int_equal(
			encap_mtu(t, conf_of_tunnel(t), atomic_load(&t->endpoint), mono(NOW)),
			steps[i].inner);
	}
	assert_int_equal(tunnel_drops_of(&p, 6, DROP_OUTER_TOO_BIG), ARRAY_LEN(steps));
	assert_int_equal(known(&p, 3), 0);
	pop_end(&p);
}

static void then_senders_get_an_error_and_df_is_clear_at_1280(void **state)
{
	struct pop p = pop_new();
	struct packet large = ipv6(OUTSIDE, "2001:db8:2ff:6::2", 17, 64, NULL, 1360),
		      least = ipv6(OUTSIDE, "2001:db8:2ff:6::2", 17, 64, NULL, 1240);
	struct job job;

	(void)state;
	assert_int_equal(pop_run_one(&p, &job, JOB_FROM_TUN, large, at("0.0.0.0", 0)), DROP_NONE);
	assert_true(job.out[0].kind == OUT_PROTO41 && job.out[0].dont_fragment);
	job_end(&job);
	assert_int_equal(too_big(&p, 1419, to_six(), LONG), DROP_OUTER_TOO_BIG);
	assert_int_equal(pop_run_one(&p, &job, JOB_FROM_TUN, large, at("0.0.0.0", 0)),
			 DROP_TOO_BIG);
	assert_int_equal(job.out[0].kind, OUT_TUN);
	assert_true(job.out[0].data[40] == 2 && job.out[0].data[46] == 1399 >> 8 &&
		    job.out[0].data[47] == (1399 & 255));
	job_end(&job);
	assert_int_equal(too_big(&p, 1200, to_six(), LONG), DROP_OUTER_TOO_BIG);
	assert_int_equal(pop_run_one(&p, &job, JOB_FROM_TUN, least, at("0.0.0.0", 0)), DROP_NONE);
	assert_true(job.out[0].kind == OUT_PROTO41 && !job.out[0].dont_fragment);
	job_end(&job);
	pop_end(&p);
}

static void after_ten_minutes_the_path_mtu_expires(void **state)
{
	struct pop p = pop_new();

	(void)state;
	assert_int_equal(too_big(&p, 1400, to_six(), LONG), DROP_OUTER_TOO_BIG);
	pass(&p, PATH_LIFE - 1);
	assert_int_equal(known(&p, 6), 1400);
	/* a repeated error does not prolong it, or a forger could keep an old value for ever */
	assert_int_equal(too_big(&p, 1400, to_six(), LONG), DROP_OUTER_TOO_BIG);
	pass(&p, 1);
	assert_int_equal(known(&p, 6), 0);
	assert_int_equal(too_big(&p, 1450, to_six(), LONG), DROP_OUTER_TOO_BIG);
	assert_int_equal(known(&p, 6), 1450);
	p.now.wall -= 3600; /* a step of the wall clock is no time */
	assert_int_equal(known(&p, 6), 1450);
	p.now.wall += 7200;
	assert_int_equal(known(&p, 6), 1450);
	pop_end(&p);
}

static void an_endpoint_that_moves_has_no_path_mtu(void **state)
{
	struct pop p = pop_new();
	struct packet inner = echo("2001:db8:2ff:1::2", OUTSIDE);

	(void)state;
	assert_int_equal(too_big(&p, 1340, to_one(&p, NOW), LONG), DROP_OUTER_TOO_BIG);
	assert_int_equal(known(&p, 1), 1340);
	assert_int_equal(pop_send(&p, JOB_FROM_AYIYA,
				  ayiya(p.digest, "2001:db8:2ff:1::2", &inner, AYIYA_GOOD),
				  at("192.0.2.1", 4002)),
			 DROP_NONE);
	assert_int_equal(known(&p, 1), 0);
	/* an error about a packet to the old endpoint does not apply to the new one */
	assert_int_equal(too_big(&p, 1340, to_one(&p, NOW), LONG), DROP_ICMP4_UNVERIFIED);
	path_lower(table_by_id(p.table, 1), endpoint_pack(at("192.0.2.1", 4001), 0), 1300,
		   mono(NOW));
	assert_int_equal(known(&p, 1), 0);
	pop_end(&p);
}

static void routers_older_than_rfc_1191_mean_the_next_plateau(void **state)
{
	static const struct {
		uint32_t len, mtu;
	} rows[] = { { 65535, 32000 }, { 1500, 1492 }, { 1492, 1480 }, { 1480, 1460 },
		     { 1301, 1300 },   { 1300, 1006 }, { 1007, 1006 }, { 296, 68 },
		     { 68, 68 },       { 0, 68 } };
	struct pop p = pop_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(path_plateau(rows[i].len), rows[i].mtu);
	assert_int_equal(too_big(&p, 0, to_six(), LONG), DROP_OUTER_TOO_BIG); /* 1460 bytes */
	assert_int_equal(known(&p, 6), 1420);
	pop_end(&p);
}

/* ---- what is believed ---- */

struct claim {
	struct packet about;
	struct endpoint4 from;
};

static struct claim genuine(struct pop *p)
{
	return (struct claim){ to_one(p, NOW), at(ROUTER) };
}
static struct claim not_from_us(struct pop *p)
{
	struct claim c = genuine(p);
	put32(c.about.b + 12, addr4("198.51.100.3").v);
	return c;
}
static struct claim to_another_address(struct pop *p)
{
	struct claim c = genuine(p);
	c.about.b[19]++;
	return c;
}
static struct claim to_another_port(struct pop *p)
{
	struct claim c = genuine(p);
	c.about.b[23]++;
	return c;
}
static struct claim from_another_port(struct pop *p)
{
	struct claim c = genuine(p);
	put16(c.about.b + 20, 3740);
	return c;
}
static struct claim of_yesterday(struct pop *p)
{
	return (struct claim){ to_one(p, NOW - 86400), at(ROUTER) };
}
static struct claim of_tomorrow(struct pop *p)
{
	return (struct claim){ to_one(p, NOW + 121), at(ROUTER) };
}
static struct claim with_the_client_s_identity(struct pop *p)
{
	struct claim c = genuine(p);
	c.about.b[28 + 8 + 15] = 2;
	return c;
}
static struct claim of_another_tunnel(struct pop *p)
{
	struct claim c = genuine(p);
	c.about.b[28 + 8 + 7] = 4;
	return c;
}
static struct claim of_no_tunnel(struct pop *p)
{
	struct claim c = genuine(p);
	c.about.b[28 + 8 + 7] = 99;
	return c;
}
static struct claim protocol_41_to_an_ayiya_client(struct pop *p)
{
	struct packet inner = echo(OUTSIDE, "2001:db8:2ff:1::2");
	(void)p;
	return (struct claim){ outer(POP_IPV4_TEXT, "192.0.2.1", 0, &inner), at(ROUTER) };
}
static struct claim ayiya_to_a_static_client(struct pop *p)
{
	struct packet inner = echo(OUTSIDE, "2001:db8:2ff:3::2");
	struct packet datagram = ayiya(p->digest, "2001:db8:2ff:3::1", &inner, AYIYA_GOOD);
	return (struct claim){ outer(POP_IPV4_TEXT, "203.0.113.3", 4001, &datagram), at(ROUTER) };
}
static struct claim another_client_s_inner(struct pop *p)
{
	struct packet inner = echo(OUTSIDE, "2001:db8:2ff:3::2");
	(void)p;
	return (struct claim){ outer(POP_IPV4_TEXT, "203.0.113.6", 0, &inner), at(ROUTER) };
}
static struct claim inner_of_nobody_here(struct pop *p)
{
	struct packet inner = echo(OUTSIDE, "2001:db8:ff0::2");
	(void)p;
	return (struct claim){ outer(POP_IPV4_TEXT, "203.0.113.6", 0, &inner), at(ROUTER) };
}

static void errors_about_packets_that_we_could_not_have_sent_change_nothing(void **state)
{
	static struct claim (*const claims[])(struct pop *) = { not_from_us,
								to_another_address,
								to_another_port,
								from_another_port,
								of_yesterday,
								of_tomorrow,
								with_the_client_s_identity,
								of_another_tunnel,
								of_no_tunnel,
								protocol_41_to_an_ayiya_client,
								ayiya_to_a_static_client,
								another_client_s_inner,
								inner_of_nobody_here };
	struct pop p = pop_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
		struct claim c = claims[i](&p);
		enum drop d = pop_send(&p, JOB_FROM_ICMP4, icmp4(3, 4, 1300, &c.about, LONG),
				       c.from);
		if (d != DROP_ICMP4_UNVERIFIED)
			fail_msg("claim %zu: %s", i, drop_name(d));
		for (uint32_t id = 1; id <= 6; id++) {
			assert_int_equal(known(&p, id), 0);
			assert_int_equal(tunnel_drops_of(&p, id, DROP_ICMP4_UNVERIFIED), 0);
		}
	}
	struct claim c = genuine(&p);
	assert_int_equal(pop_send(&p, JOB_FROM_ICMP4, icmp4(3, 4, 1300, &c.about, LONG), c.from),
			 DROP_OUTER_TOO_BIG);
	assert_int_equal(known(&p, 1), 1300);
	pop_end(&p);
}

static void each_kind_of_error_is_counted_with_its_sender(void **state)
{
	static const struct {
		uint8_t type, code;
		enum drop why;
	} rows[] = { { 3, 0, DROP_OUTER_UNREACHABLE },    { 3, 3, DROP_OUTER_UNREACHABLE },
		     { 3, 13, DROP_OUTER_UNREACHABLE },   { 3, 4, DROP_OUTER_TOO_BIG },
		     { 11, 0, DROP_OUTER_TIME_EXCEEDED }, { 11, 1, DROP_OUTER_TIME_EXCEEDED },
		     { 12, 0, DROP_OUTER_PARAMETER } };
	struct pop p = pop_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct packet about = to_six();
		uint64_t before = drops_of(&p, rows[i].why);
		assert_int_equal(pop_send(&p, JOB_FROM_ICMP4,
					  icmp4(rows[i].type, rows[i].code, 1400, &about, LONG),
					  at(ROUTER)),
				 rows[i].why);
		assert_int_equal(drops_of(&p, rows[i].why), before + 1);
		assert_true(tunnel_last_of(&p, 6, rows[i].why).peer ==
			    endpoint_pack(at(ROUTER), 0));
	}
	pop_end(&p);
}

/* ---- short quotes ---- */

/* All that such a quote shows follows from the client's IPv4 address. */
static void a_quote_without_the_inner_destination_lowers_no_mtu_of_protocol_41(void **state)
{
	struct pop p = pop_new();
	struct packet about = to_six();

	(void)state;
	for (size_t keep = SHORT; keep < 20 + 40; keep++)
		assert_int_equal(too_big(&p, 1300, about, keep), DROP_ICMP4_UNVERIFIED);
	assert_int_equal(known(&p, 6), 0);
	assert_int_equal(too_big(&p, 1300, about, 20 + 40), DROP_OUTER_TOO_BIG);
	assert_int_equal(known(&p, 6), 1300);
	pop_end(&p);
}

static void a_short_quote_waits_for_its_tunnel_to_be_found(void **state)
{
	struct pop p = pop_new();
	struct packet about[] = { to_six(), to_one(&p, NOW) };
	const uint32_t ids[] = { 6, 1 };
	const uint64_t places[] = { endpoint_pack(at("203.0.113.6", 0), 0),
				    endpoint_pack(at("192.0.2.1", 4001), 0) };
	const uint8_t codes[] = { 1, 4 };
	const enum drop why[] = { DROP_OUTER_UNREACHABLE, DROP_OUTER_TOO_BIG };
	const uint32_t mtu[] = { 0, 1330 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct tunnel *its = table_by_id(p.table, ids[i]),
			      *other = table_by_id(p.table, ids[1 - i]);
		struct job job;
		assert_int_equal(pop_run_one(&p, &job, JOB_FROM_ICMP4,
					     icmp4(3, codes[i], 1330, &about[i], SHORT),
					     at(ROUTER)),
				 DROP_NONE);
		assert_int_equal(job.event, EVENT_ICMP_ERROR);
		assert_true(job.icmp_error.about == places[i] && job.icmp_error.mtu == mtu[i] &&
			    job.icmp_error.reason == why[i]);
		assert_true(icmp_error_is_about(&job.icmp_error, its, conf_of_tunnel(its)));
		assert_false(icmp_error_is_about(&job.icmp_error, other, conf_of_tunnel(other)));
		assert_int_equal(known(&p, ids[i]), 0);
		pipeline_icmp_error(&p.pipeline, other, &job.icmp_error, job.data, job.len,
				    stamp(NOW, 0));
		pipeline_icmp_error(&p.pipeline, NULL, &job.icmp_error, job.data, job.len,
				    stamp(NOW, 0));
		assert_int_equal(drops_of(&p, DROP_ICMP4_UNVERIFIED), 2 * (i + 1));
		assert_int_equal(tunnel_drops_of(&p, ids[1 - i], DROP_ICMP4_UNVERIFIED), 0);
		pipeline_icmp_error(&p.pipeline, its, &job.icmp_error, job.data, job.len,
				    stamp(NOW, 0));
		assert_int_equal(tunnel_drops_of(&p, ids[i], why[i]), 1);
		struct drop_note note = tunnel_last_of(&p, ids[i], why[i]);
		assert_int_equal(note.len, job.len);
		assert_memory_equal(note.head, job.data, note.head_len);
		assert_int_equal(known(&p, ids[i]), mtu[i]);
		job_end(&job);
	}
	pop_end(&p);
}

static void an_error_about_a_tunnel_deleted_meanwhile_is_unverified(void **state)
{
	struct pop p = pop_new();
	struct tunnel *t = table_by_id(p.table, 6);
	struct icmp_error c = { DROP_OUTER_TOO_BIG, 1300, atomic_load(&t->endpoint), 0, 0 };

	(void)state;
	assert_true(table_delete(p.table, 6));
	pipeline_icmp_error(&p.pipeline, t, &c, NULL, 0, stamp(NOW, 0));
	assert_int_equal(drops_of(&p, DROP_ICMP4_UNVERIFIED), 1);
	assert_true(atomic_load(&t->path) == 0);
	pop_end(&p);
}

/* ---- our own link ---- */

static void a_packet_too_big_for_our_own_link_lowers_the_mtu_by_a_plateau(void **state)
{
	struct pop p = pop_new();
	struct tunnel *t = table_by_id(p.table, 6);
	uint8_t data[1480] = { 0x60 };
	struct out out = { .kind = OUT_PROTO41,
			   .data = data,
			   .len = sizeof(data),
			   .to = at("203.0.113.6", 0),
			   .dont_fragment = true,
			   .tunnel = t };

	(void)state;
	p.pipeline.last = p.now.mono;
	pipeline_too_big(&p.pipeline, &out, NOW);
	assert_int_equal(known(&p, 6), 1492);
	assert_int_equal(tunnel_drops_of(&p, 6, DROP_OUTER_TOO_BIG), 1);
	struct drop_note note = tunnel_last_of(&p, 6, DROP_OUTER_TOO_BIG);
	char text[DROP_DETAIL_TEXT];
	assert_string_equal(
		drop_detail_text(&note, text),
		"the IPv4 packet of 1500 bytes to 203.0.113.6 exceeds the MTU of our own link");
	out.tunnel = NULL;
	pipeline_too_big(&p.pipeline, &out, NOW);
	assert_int_equal(drops_of(&p, DROP_OUTER_TOO_BIG), 2);
	pop_end(&p);
}

/* ---- outer headers ---- */

static void only_an_answer_larger_than_the_mtu_may_be_fragmented_above_1280(void **state)
{
	struct pop p = pop_new();
	struct packet asks = icmp("2001:db8:2ff:6::2", "2001:db8:2ff:6::1", 128, 0, 1400);
	struct job job;

	(void)state;
	assert_int_equal(pop_run_one(&p, &job, JOB_FROM_PROTO41, asks, at("203.0.113.6", 0)),
			 DROP_NONE);
	assert_true(job.out[0].kind == OUT_PROTO41 && job.out[0].dont_fragment);
	job_end(&job);
	assert_int_equal(too_big(&p, 1400, to_six(), LONG), DROP_OUTER_TOO_BIG);
	assert_int_equal(pop_run_one(&p, &job, JOB_FROM_PROTO41, asks, at("203.0.113.6", 0)),
			 DROP_NONE);
	assert_true(job.out[0].kind == OUT_PROTO41 && job.out[0].len == 1440 &&
		    !job.out[0].dont_fragment);
	job_end(&job);
	pop_end(&p);
}

static void the_outer_class_is_policy_and_ecn_and_the_inner_one_stays(void **state)
{
	static const struct {
		enum dscp dscp;
		uint8_t inner, outer;
	} rows[] = { { DSCP_COPY, 0xb9, 0xb9 },       { DSCP_COPY, 0, 0 },
		     { DSCP_FIXED, 0xb9, 0x01 },      { DSCP_FIXED + 46, 0x02, 0xba },
		     { DSCP_FIXED + 63, 0x03, 0xff }, { DSCP_LAST, 0xfc, 0xfc } };
	struct pop p = pop_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (uint32_t id = 1; id <= 6; id += 5) {
			struct packet inner = echo(OUTSIDE, id == 1 ? "2001:db8:2ff:1::2"
								    : "2001:db8:2ff:6::2");
			struct job job;
			inner.b[0] |= rows[i].inner >> 4;
			inner.b[1] = (uint8_t)(rows[i].inner << 4);
			p.pipeline.dscp = rows[i].dscp;
			assert_int_equal(
				pop_run_one(&p, &job, JOB_FROM_TUN, inner, at("0.0.0.0", 0)),
				DROP_NONE);
			assert_int_equal(job.out[0].tos, rows[i].outer);
			const uint8_t *carried = job.out[0].data + (id == 1 ? 44 : 0);
			assert_memory_equal(carried, inner.b, 7);
			job_end(&job);
		}
	}
	pop_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fragmentation_needed_lowers_the_mtu_and_never_raises_it),
		cmocka_unit_test(then_senders_get_an_error_and_df_is_clear_at_1280),
		cmocka_unit_test(after_ten_minutes_the_path_mtu_expires),
		cmocka_unit_test(an_endpoint_that_moves_has_no_path_mtu),
		cmocka_unit_test(routers_older_than_rfc_1191_mean_the_next_plateau),
		cmocka_unit_test(errors_about_packets_that_we_could_not_have_sent_change_nothing),
		cmocka_unit_test(each_kind_of_error_is_counted_with_its_sender),
		cmocka_unit_test(
			a_quote_without_the_inner_destination_lowers_no_mtu_of_protocol_41),
		cmocka_unit_test(a_short_quote_waits_for_its_tunnel_to_be_found),
		cmocka_unit_test(an_error_about_a_tunnel_deleted_meanwhile_is_unverified),
		cmocka_unit_test(a_packet_too_big_for_our_own_link_lowers_the_mtu_by_a_plateau),
		cmocka_unit_test(only_an_answer_larger_than_the_mtu_may_be_fragmented_above_1280),
		cmocka_unit_test(the_outer_class_is_policy_and_ecn_and_the_inner_one_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
