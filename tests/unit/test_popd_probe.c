/* Liveness probes: what is sent, what counts as an answer, and that nothing else does. */
#include "popd/core/probe.h"

#include "tests/unit/test_popd_fixture.h"

static struct packet probe_of(struct pop *p, uint32_t id, uint16_t sequence)
{
	struct packet probe = { .len = PROBE_LEN };

	probe_build(probe.b, conf_of_tunnel(table_by_id(p->table, id)),
		    p->pipeline.forward.probe_key, 77, sequence, p->now.mono_us);
	return probe;
}

/* Sends a probe to T3 (static) and returns its client's answer. */
static struct packet answer_to_probe(struct pop *p, uint16_t sequence)
{
	struct packet probe = probe_of(p, 3, sequence), answer = { .len = PROBE_LEN };
	struct job job;

	job_init(&job, JOB_PROBE, &probe, (struct endpoint4){ { 0 }, 0 }, 0);
	job.tunnel = table_by_id(p->table, 3);
	pop_run(p, &job, 1);
	assert_int_equal(job.drop, DROP_NONE);
	assert_int_equal(job.out[0].kind, OUT_PROTO41);
	assert_int_equal(job.out[0].len, PROBE_LEN);
	assert_memory_equal(job.out[0].data, probe.b, PROBE_LEN);
	assert_int_equal(plain_csum(probe.b, probe.b + 40, PROBE_LEN - 40, 58), 0);
	memcpy(answer.b, probe.b, PROBE_LEN);
	memcpy(answer.b + 8, probe.b + 24, 16);
	memcpy(answer.b + 24, probe.b + 8, 16);
	answer.b[40] = 129;
	seal_icmp(&answer);
	job_end(&job);
	return answer;
}

static enum drop from_t3(struct pop *p, struct packet packet)
{
	return pop_send(p, JOB_FROM_PROTO41, packet, at("203.0.113.3", 0));
}

static void the_answer_to_a_probe_is_counted_with_its_time_and_no_drop(void **state)
{
	struct pop p = pop_new();
	const struct tunnel_counters *c = &p.counters->tunnels[table_by_id(p.table, 3)->slot];
	static const uint32_t trips[] = { 1234, 99, 50000 };

	(void)state;
	for (uint16_t i = 0; i < ARRAY_LEN(trips); i++) {
		struct packet answer = answer_to_probe(
			&p, (uint16_t)(0xfffe + i)); /* the sequence wraps around */
		p.now.mono_us += trips[i];
		assert_int_equal(from_t3(&p, answer), DROP_NONE);
	}
	assert_int_equal(atomic_load(&c->echo_sent), 3);
	assert_int_equal(atomic_load(&c->echo_received), 3);
	assert_int_equal(atomic_load(&c->rtt_min_us), 99);
	assert_int_equal(atomic_load(&c->rtt_max_us), 50000);
	assert_int_equal(atomic_load(&c->rtt_sum_us), 51333);
	assert_int_equal(atomic_load(&c->packets_in), 0);
	assert_int_equal(atomic_load(&c->packets_out), 0);
	pop_end(&p);
}

static void copies_old_ones_and_forgeries_of_an_answer_are_not_counted(void **state)
{
	struct pop p = pop_new();
	const struct tunnel_counters *c = &p.counters->tunnels[table_by_id(p.table, 3)->slot];
	struct packet first = answer_to_probe(&p, 1), second = answer_to_probe(&p, 2),
		      third = answer_to_probe(&p, 3);

	(void)state;
	assert_int_equal(from_t3(&p, second), DROP_NONE);
	assert_int_equal(from_t3(&p, second), DROP_POP_UNUSED);
	assert_int_equal(from_t3(&p, first), DROP_POP_UNUSED);
	for (size_t i = 44; i < PROBE_LEN; i++) { /* any field that is not the checksum's */
		struct packet forged = third;
		forged.b[i] ^= 1;
		seal_icmp(&forged);
		if (from_t3(&p, forged) != DROP_POP_UNUSED)
			fail_msg("byte %zu may be forged", i);
	}
	struct packet elsewhere = third; /* not from ::2 */
	elsewhere.b[23] = 3;
	seal_icmp(&elsewhere);
	assert_int_equal(from_t3(&p, elsewhere), DROP_POP_UNUSED);
	p.now.mono_us += PROBE_LIFE_US + 1;
	assert_int_equal(from_t3(&p, third), DROP_POP_UNUSED);
	assert_int_equal(atomic_load(&c->echo_received), 1);
	pop_end(&p);
}

static void an_answer_cut_anywhere_or_with_a_byte_more_is_none(void **state)
{
	struct pop p = pop_new();
	struct packet answer = answer_to_probe(&p, 1);
	const struct tunnel_conf *c = conf_of_tunnel(table_by_id(p.table, 3));
	uint32_t rtt, word;

	(void)state;
	for (size_t len = 0; len <= PROBE_LEN - 40 + 1; len++) {
		uint8_t *cut = malloc(len ? len : 1);
		assert_non_null(cut);
		memcpy(cut, answer.b + 40, len < PROBE_LEN - 40 ? len : PROBE_LEN - 40);
		assert_int_equal(probe_is_answer(cut, len, c, p.pipeline.forward.probe_key,
						 p.now.mono_us + 1, &rtt, &word),
				 len == PROBE_LEN - 40);
		free(cut);
	}
	pop_end(&p);
}

static void an_answer_through_another_tunnel_is_not_counted(void **state)
{
	struct pop p = pop_new();
	struct packet answer = answer_to_probe(&p, 1);

	(void)state;
	/* T6's client has seen T3's probe and sends its answer to T3's ::1, then to its own. */
	memcpy(answer.b + 8, addr("2001:db8:2ff:6::2").b, 16);
	seal_icmp(&answer);
	assert_int_equal(pop_send(&p, JOB_FROM_PROTO41, answer, at("203.0.113.6", 0)),
			 DROP_POP_UNUSED);
	memcpy(answer.b + 24, addr("2001:db8:2ff:6::1").b, 16);
	seal_icmp(&answer);
	assert_int_equal(pop_send(&p, JOB_FROM_PROTO41, answer, at("203.0.113.6", 0)),
			 DROP_POP_UNUSED);
	pop_end(&p);
}

static void probes_to_tunnels_that_cannot_have_one_end_by_name(void **state)
{
	static const struct {
		uint32_t id;
		enum drop why;
	} rows[] = { { 4, DROP_TUNNEL_DISABLED },
		     { 5, DROP_NO_ENDPOINT },
		     { 1, DROP_TUNNEL_DOWN },
		     { 2, DROP_TUNNEL_DOWN } };
	struct pop p = pop_new();

	(void)state;
	pass(&p, EXPIRY);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct packet probe = probe_of(&p, rows[i].id, 1);
		struct job job;
		job_init(&job, JOB_PROBE, &probe, (struct endpoint4){ { 0 }, 0 }, 0);
		job.tunnel = table_by_id(p.table, rows[i].id);
		pop_run(&p, &job, 1);
		assert_int_equal(job.drop, rows[i].why);
		assert_int_equal(job.out[0].kind, OUT_NONE);
		job_end(&job);
	}
	struct packet probe = probe_of(&p, 3, 1);
	struct job job;
	job_init(&job, JOB_PROBE, &probe, (struct endpoint4){ { 0 }, 0 }, 0);
	job.tunnel = table_by_id(p.table, 3);
	assert_true(table_delete(p.table, 3));
	pop_run(&p, &job, 1);
	assert_int_equal(job.drop, DROP_TUNNEL_UNKNOWN);
	job_end(&job);
	pop_end(&p);
}

/* Time, T-id, identifier and sequence are the bytes 00 to 0f, whose hash is in the SipHash
 * paper. */
static void the_check_value_is_siphash(void **state)
{
	struct digest_ctx *d = digest_ctx_create();
	struct tunnel_conf *c = conf_new(d, 0x08090a0b, TUNNEL_STATIC, "2001:db8:2ff:3::", NULL);
	static const uint8_t want[8] = { 0x3f, 0x2a, 0xcc, 0x7f, 0x57, 0xc2, 0x9b, 0xdb };
	uint8_t key[16], probe[PROBE_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	probe_build(probe, c, key, 0x0c0d, 0x0e0f, INT64_C(0x0001020304050607));
	assert_memory_equal(probe + 48, key, sizeof(key));
	assert_memory_equal(probe + 64, want, sizeof(want));
	free(c);
	digest_ctx_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_answer_to_a_probe_is_counted_with_its_time_and_no_drop),
		cmocka_unit_test(copies_old_ones_and_forgeries_of_an_answer_are_not_counted),
		cmocka_unit_test(an_answer_cut_anywhere_or_with_a_byte_more_is_none),
		cmocka_unit_test(an_answer_through_another_tunnel_is_not_counted),
		cmocka_unit_test(probes_to_tunnels_that_cannot_have_one_end_by_name),
		cmocka_unit_test(the_check_value_is_siphash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
