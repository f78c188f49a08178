/* The small parts of the core: rate limits, counters, tunnels, digests in place. */
#include <pthread.h>

#include "popd/core/auth.h"
#include "popd/core/encap.h"
#include "popd/core/path.h"

#include "lib/err.h"
#include "tests/unit/test_popd_fixture.h"

enum { SECOND = 1000000 };

/* ---- limit ---- */

static unsigned take_many(struct limiter *l, uint32_t slot, int64_t at_us, unsigned tries)
{
	unsigned taken = 0;

	while (tries-- > 0)
		taken += limiter_take(l, LIMIT_UNREACHABLE, slot, at_us);
	return taken;
}

static void a_burst_is_a_second_s_worth_and_comes_back_with_time(void **state)
{
	struct limiter *l = limiter_create(FIXTURE_TUNNELS, 100, 10);

	(void)state;
	assert_int_equal(take_many(l, 1, 0, 50), 10);
	assert_int_equal(take_many(l, 1, SECOND / 10 - 1, 50), 0);
	assert_int_equal(take_many(l, 1, SECOND / 10, 50), 1);
	assert_int_equal(take_many(l, 1, 100 * (int64_t)SECOND, 50), 10);
	limiter_free(l);
}

static void all_tunnels_share_the_pop_s_budget_and_a_refusal_costs_nothing(void **state)
{
	struct limiter *l = limiter_create(FIXTURE_TUNNELS, 25, 10);

	(void)state;
	assert_int_equal(take_many(l, 1, 0, 1000), 10);
	assert_int_equal(take_many(l, 2, 0, 1000), 10);
	assert_int_equal(take_many(l, 3, 0, 1000), 5);
	assert_int_equal(take_many(l, UINT32_MAX, 0, 10), 0);
	assert_int_equal(take_many(l, UINT32_MAX, SECOND, 100), 10);
	limiter_free(l);
}

static unsigned take_kind(struct limiter *l, enum limit kind, uint32_t slot)
{
	unsigned taken = 0;

	for (int i = 0; i < 1000; i++)
		taken += limiter_take(l, kind, slot, 0);
	return taken;
}

static void no_kind_of_error_takes_another_s_tokens(void **state)
{
	struct limiter *l = limiter_create(FIXTURE_TUNNELS, 25, 10);

	(void)state;
	assert_int_equal(take_kind(l, LIMIT_UNALLOCATED, UINT32_MAX), 25);
	assert_int_equal(take_kind(l, LIMIT_UNREACHABLE, UINT32_MAX), 10);
	assert_int_equal(take_kind(l, LIMIT_UNREACHABLE, 1), 10);
	assert_int_equal(take_kind(l, LIMIT_UNREACHABLE, 2), 5);
	assert_int_equal(take_kind(l, LIMIT_TIME_EXCEEDED, 1), 10);
	assert_int_equal(take_kind(l, LIMIT_TIME_EXCEEDED, 2), 10);
	assert_int_equal(take_kind(l, LIMIT_TIME_EXCEEDED, 3), 5);
	/* the PoP's own rate does not hold back what path MTU discovery needs */
	for (uint32_t slot = 0; slot < FIXTURE_TUNNELS; slot++)
		assert_int_equal(take_kind(l, LIMIT_TOO_BIG, slot), 10);
	limiter_free(l);
}

static void a_tunnel_that_scans_has_one_budget_for_all_its_unreachables(void **state)
{
	struct limiter *l = limiter_create(FIXTURE_TUNNELS, 100, 10);

	(void)state;
	assert_int_equal(take_kind(l, LIMIT_UNALLOCATED, 1), 10);
	assert_int_equal(take_kind(l, LIMIT_UNREACHABLE, 1), 0);
	assert_int_equal(take_kind(l, LIMIT_UNALLOCATED, UINT32_MAX), 90);
	limiter_free(l);
}

struct taker {
	struct limiter *limiter;
	uint32_t slot;
	unsigned taken;
};

static void *takes(void *arg)
{
	struct taker *t = arg;

	t->taken = take_many(t->limiter, t->slot, 0, 2000);
	return NULL;
}

static void workers_that_take_at_once_get_no_more_than_there_is(void **state)
{
	enum { THREADS = 4 };
	struct limiter *l = limiter_create(FIXTURE_TUNNELS, 1000, 700);
	struct taker takers[THREADS];
	pthread_t threads[THREADS];
	unsigned of_one = 0, of_all = 0;

	(void)state;
	for (uint32_t i = 0; i < THREADS; i++) {
		takers[i] = (struct taker){ l, i % 2, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, takes, &takers[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		of_all += takers[i].taken;
		of_one += i % 2 ? 0 : takers[i].taken;
	}
	/* While a token is given back because the PoP had none left, another worker may miss it; no
	 * token is taken twice. */
	assert_true(of_one <= 700 && of_all - of_one <= 700 && of_all == 1000);
	limiter_free(l);
}

static void rates_at_the_edges(void **state)
{
	struct limiter *none = limiter_create(FIXTURE_TUNNELS, 0, 10),
		       *no_tunnel = limiter_create(FIXTURE_TUNNELS, 10, 0),
		       *one = limiter_create(FIXTURE_TUNNELS, 1, 1),
		       *many = limiter_create(FIXTURE_TUNNELS, UINT32_MAX, UINT32_MAX);

	(void)state;
	assert_int_equal(take_many(none, 1, 0, 10), 0);
	assert_int_equal(take_many(no_tunnel, 1, 0, 10), 0);
	assert_int_equal(take_kind(no_tunnel, LIMIT_UNALLOCATED, UINT32_MAX), 10);
	assert_int_equal(take_many(one, 1, 0, 10), 1);
	assert_int_equal(take_many(one, 1, SECOND - 1, 10), 0);
	assert_int_equal(take_many(one, 1, SECOND, 10), 1);
	assert_int_equal(take_many(many, 1, 0, 5000), 5000);
	limiter_free(none);
	limiter_free(no_tunnel);
	limiter_free(one);
	limiter_free(many);
	limiter_free(NULL);
}

/* ---- counters ---- */

static void a_drop_is_counted_for_the_pop_and_for_its_tunnel_alone(void **state)
{
	struct counters *c = counters_create(10);

	(void)state;
	assert_int_equal(counters_drops(c, 3, DROP_TOO_BIG), 0);
	count_drop(c, DROP_TOO_BIG, 3, 33, 7, NOW);
	count_drop(c, DROP_TOO_BIG, UINT32_MAX, 0, 8, NOW + 1);
	count_drop(c, DROP_HOP_LIMIT, 9, 99, 9, NOW + 2);
	assert_int_equal(atomic_load(&c->drops[DROP_TOO_BIG].count), 2);
	struct drop_note note;
	assert_int_equal(drop_record_read(&c->drops[DROP_TOO_BIG].last, &note), DROP_RECORD_READ);
	assert_true(note.tunnel == 0 && note.peer == 8 && note.time == NOW + 1);
	assert_int_equal(counters_drops(c, 3, DROP_TOO_BIG), 1);
	assert_int_equal(drop_record_read(counters_record(c, 3, DROP_TOO_BIG), &note),
			 DROP_RECORD_READ);
	assert_true(note.tunnel == 33 && note.peer == 7 && note.time == NOW);
	assert_null(counters_record(c, 3, DROP_HOP_LIMIT));
	assert_int_equal(counters_drops(c, 9, DROP_HOP_LIMIT), 1);
	assert_int_equal(counters_drops(c, 0, DROP_TOO_BIG), 0);
	counters_free(c);
	counters_free(NULL);
}

static void a_cleared_slot_counts_from_nothing_and_every_slot_can_have_its_drops(void **state)
{
	enum { N = 8 };
	struct counters *c = counters_create(N);

	(void)state;
	for (int round = 0; round < 3; round++)
		for (uint32_t slot = 0; slot < N; slot++) {
			counters_in(c, slot, 1, 10);
			counters_out(c, slot, 20);
			counters_echo_sent(c, slot);
			counters_echo_received(c, slot, 5);
			count_drop(c, DROP_LINK_LOCAL, slot, 1, 1, NOW);
			assert_int_equal(counters_drops(c, slot, DROP_LINK_LOCAL), 1);
			counters_clear_slot(c, slot);
			assert_int_equal(atomic_load(&c->tunnels[slot].packets_in) +
						 atomic_load(&c->tunnels[slot].bytes_in),
					 0);
			assert_int_equal(atomic_load(&c->tunnels[slot].packets_out) +
						 atomic_load(&c->tunnels[slot].bytes_out),
					 0);
			assert_int_equal(atomic_load(&c->tunnels[slot].echo_sent) +
						 atomic_load(&c->tunnels[slot].rtt_sum_us),
					 0);
			assert_int_equal(counters_drops(c, slot, DROP_LINK_LOCAL), 0);
			struct drop_note note;
			assert_int_equal(
				drop_record_read(counters_record(c, slot, DROP_LINK_LOCAL), &note),
				DROP_RECORD_EMPTY);
		}
	assert_int_equal(atomic_load(&c->packets_in), 3 * N);
	counters_free(c);
}

/* ---- tunnel ---- */

static void a_tunnel_is_up_while_it_is_enabled_has_an_endpoint_and_is_heard_from(void **state)
{
	struct pop p = pop_new();
	static const struct {
		uint32_t id;
		int later;
		bool up;
	} rows[] = {
		{ 1, 0, true },    { 1, EXPIRY - 10, true }, { 1, EXPIRY - 9, false },
		{ 1, -100, true }, { 3, 0, true },           { 3, 1000000, true },
		{ 4, 0, false },   { 5, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct tunnel *t = table_by_id(p.table, rows[i].id);
		assert_int_equal(
			tunnel_is_up(t, conf_of_tunnel(t), mono(NOW + rows[i].later), EXPIRY),
			rows[i].up);
	}
	pop_end(&p);
}

static void types_have_names_and_names_types(void **state)
{
	enum tunnel_type got;

	(void)state;
	for (enum tunnel_type t = 0; t < TUNNEL_TYPE__COUNT; t++) {
		assert_int_equal(tunnel_type_parse(tunnel_type_name(t), &got), 0);
		assert_int_equal(got, t);
	}
	assert_int_equal(tunnel_type_parse("6in4", &got), -ERR_UNKNOWN);
	assert_int_equal(tunnel_type_parse("", &got), -ERR_UNKNOWN);
	assert_string_equal(tunnel_type_name(TUNNEL_TYPE__COUNT), "?");
}

static void keys_are_the_digests_of_the_secret_s_text(void **state)
{
	struct digest_ctx *d = digest_ctx_create();
	struct tunnel_conf *c = tunnel_conf_create(0);
	char hex[65], too_long[TUNNEL_SECRET_LEN + 1];

	(void)state;
	assert_int_equal(tunnel_conf_set_secret(c, d, "abc", 3), 0);
	hex_encode(c->key_sha1, 20, hex);
	assert_string_equal(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
	hex_encode(c->key_sha256, 32, hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	memset(too_long, 'x', sizeof(too_long));
	assert_int_equal(tunnel_conf_set_secret(c, d, too_long, sizeof(too_long)), -ERR_RANGE);
	assert_string_equal(c->secret, "abc");
	assert_null(tunnel_conf_create(TUNNEL_ROUTES_MAX + 1));
	tunnel_conf_free(c);
	tunnel_conf_free(NULL);
	digest_ctx_free(d);
}

/* ---- encapsulation ---- */

static const struct {
	enum tunnel_type type;
	bool sha256;
	uint16_t mtu, path;
	uint32_t want;
} mtus[] = {
	{ TUNNEL_STATIC, false, 1480, 0, 1480 },       { TUNNEL_STATIC, false, 1480, 1500, 1480 },
	{ TUNNEL_STATIC, false, 1480, 1499, 1479 },    { TUNNEL_STATIC, false, 1480, 1300, 1280 },
	{ TUNNEL_STATIC, false, 1480, 68, 1280 },      { TUNNEL_STATIC, false, 1480, 1, 1280 },
	{ TUNNEL_AYIYA, false, 1428, 1500, 1428 },     { TUNNEL_AYIYA, false, 1428, 1400, 1328 },
	{ TUNNEL_AYIYA, true, 1416, 1400, 1316 },      { TUNNEL_AYIYA, false, 1280, 0, 1280 },
	{ TUNNEL_HEARTBEAT, false, 1280, 9000, 1280 },
};

static void the_mtu_is_what_path_and_configuration_leave(void **state)
{
	struct pop p = pop_new();
	struct tunnel *t = table_by_id(p.table, 1);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mtus); i++) {
		struct tunnel_conf *c = conf_new(p.digest, 1, mtus[i].type,
						 "2001:db8:2ff:1::", NULL);
		c->mtu = mtus[i].mtu;
		atomic_store(&t->path, mtus[i].path ? path_pack(mtus[i].path, mono(NOW)) : 0);
		if (encap_mtu(t, c, endpoint_pack(at("192.0.2.1", 1), mtus[i].sha256), mono(NOW)) !=
		    mtus[i].want)
			fail_msg("row %zu", i);
		free(c);
	}
	pop_end(&p);
}

/* ---- digests ---- */

static void a_digest_may_be_written_into_what_was_hashed(void **state)
{
	struct digest_ctx *d = digest_ctx_create();
	uint8_t data[3][200], want[3][32];
	static const enum digest_alg algs[3] = { DIGEST_SHA1, DIGEST_SHA256, DIGEST_MD5 };
	struct auth_item items[3];
	struct sha1_set sha1 = sha1_set_choose(SHA1_AUTO);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		memset(data[i], (int)i + 1, sizeof(data[i]));
		assert_true(digest(d, algs[i], data[i], sizeof(data[i]), want[i]));
		items[i] = (struct auth_item){
			.alg = algs[i], .data = data[i], .len = sizeof(data[i]), .out = data[i] + 24
		};
	}
	auth_run(d, &sha1, items, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_true(items[i].done);
		assert_memory_equal(data[i] + 24, want[i], digest_len(algs[i]));
	}
	auth_run(d, &sha1, items, 0);
	digest_ctx_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_is_a_second_s_worth_and_comes_back_with_time),
		cmocka_unit_test(all_tunnels_share_the_pop_s_budget_and_a_refusal_costs_nothing),
		cmocka_unit_test(no_kind_of_error_takes_another_s_tokens),
		cmocka_unit_test(a_tunnel_that_scans_has_one_budget_for_all_its_unreachables),
		cmocka_unit_test(workers_that_take_at_once_get_no_more_than_there_is),
		cmocka_unit_test(rates_at_the_edges),
		cmocka_unit_test(a_drop_is_counted_for_the_pop_and_for_its_tunnel_alone),
		cmocka_unit_test(
			a_cleared_slot_counts_from_nothing_and_every_slot_can_have_its_drops),
		cmocka_unit_test(
			a_tunnel_is_up_while_it_is_enabled_has_an_endpoint_and_is_heard_from),
		cmocka_unit_test(types_have_names_and_names_types),
		cmocka_unit_test(keys_are_the_digests_of_the_secret_s_text),
		cmocka_unit_test(the_mtu_is_what_path_and_configuration_leave),
		cmocka_unit_test(a_digest_may_be_written_into_what_was_hashed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
