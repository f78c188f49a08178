#include "popd/io/stats.h"

#include "tests/unit/test_popd_fixture.h"

enum { DAY = 20780 };

static void add(_Atomic uint64_t *v, uint64_t n)
{
	atomic_fetch_add(v, n);
}

static struct tunnel_counters *counters_of(struct pop *p, uint32_t id)
{
	return &p->counters->tunnels[table_by_id(p->table, id)->slot];
}

static void answer_probe(struct pop *p, uint32_t id, uint32_t rtt_us)
{
	uint32_t slot = table_by_id(p->table, id)->slot;

	counters_echo_sent(p->counters, slot);
	counters_echo_received(p->counters, slot, rtt_us);
}

static void growth_is_told_once_by_tunnel_and_day(void **state)
{
	struct pop p = pop_new();
	struct stats *s = stats_create(FIXTURE_TUNNELS, 4 * FIXTURE_TUNNELS);

	(void)state;
	stats_collect(s, p.table, &p.counters, 1, DAY);
	assert_int_equal(stats_waiting(s), 0); /* nothing happened: nothing to tell */
	assert_int_equal(stats_batch(s)->n, 0);

	add(&counters_of(&p, 1)->packets_in, 5);
	add(&counters_of(&p, 1)->octets_in, 500);
	stats_collect(s, p.table, &p.counters, 1, DAY);
	add(&counters_of(&p, 1)->packets_in, 2);
	add(&counters_of(&p, 2)->packets_out, 3);
	count_drop(p.counters, DROP_HOP_LIMIT, table_by_id(p.table, 2)->slot, 2, 0, NOW);
	stats_collect(s, p.table, &p.counters, 1, DAY);
	assert_int_equal(stats_waiting(s), 2); /* the same day: one entry a tunnel */
	add(&counters_of(&p, 1)->packets_in, 1);
	stats_collect(s, p.table, &p.counters, 1, DAY + 1);

	const struct stats_batch *b = stats_batch(s);
	assert_int_equal(b->n, 3);
	assert_int_equal(b->number, 1);
	assert_true(b->entries[0].tunnel == 1 && b->entries[0].day == DAY && b->entries[0].packets_in == 7 &&
		    b->entries[0].octets_in == 500);
	assert_true(b->entries[1].tunnel == 2 && b->entries[1].packets_out == 3 && b->entries[1].drops == 1);
	assert_true(b->entries[2].tunnel == 1 && b->entries[2].day == DAY + 1 && b->entries[2].packets_in == 1);
	stats_acknowledge(s);
	assert_int_equal(stats_batch(s)->n, 0);
	stats_free(s);
	pop_end(&p);
}

static void a_batch_stays_as_it_is_until_it_is_acknowledged(void **state)
{
	struct pop p = pop_new();
	struct stats *s = stats_create(FIXTURE_TUNNELS, 4 * FIXTURE_TUNNELS);

	(void)state;
	add(&counters_of(&p, 1)->packets_in, 5);
	stats_collect(s, p.table, &p.counters, 1, DAY);
	assert_int_equal(stats_batch(s)->entries[0].packets_in, 5);
	add(&counters_of(&p, 1)->packets_in, 4); /* while the batch is under way */
	stats_collect(s, p.table, &p.counters, 1, DAY);
	const struct stats_batch *again = stats_batch(s);
	assert_true(again->number == 1 && again->n == 1 && again->entries[0].packets_in == 5);
	assert_int_equal(stats_waiting(s), 2);
	stats_acknowledge(s);
	const struct stats_batch *next = stats_batch(s);
	assert_true(next->number == 2 && next->n == 1 && next->entries[0].packets_in == 4);
	stats_free(s);
	pop_end(&p);
}

static void round_trip_times_are_kept_as_least_sum_and_most(void **state)
{
	struct pop p = pop_new();
	struct stats *s = stats_create(FIXTURE_TUNNELS, 4 * FIXTURE_TUNNELS);
	static const uint32_t times[] = { 900, 300, 700 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		answer_probe(&p, 1, times[i]);
		stats_collect(s, p.table, &p.counters, 1, DAY);
	}
	counters_echo_sent(p.counters, table_by_id(p.table, 2)->slot); /* never answered */
	stats_collect(s, p.table, &p.counters, 1, DAY);
	const struct stats_batch *b = stats_batch(s);
	assert_int_equal(b->n, 2);
	assert_true(b->entries[0].sent == 3 && b->entries[0].received == 3);
	assert_true(b->entries[0].rtt_min_us == 300 && b->entries[0].rtt_sum_us == 1900 &&
		    b->entries[0].rtt_max_us == 900);
	assert_true(b->entries[1].sent == 1 && b->entries[1].received == 0 && b->entries[1].rtt_min_us == 0);
	stats_free(s);
	pop_end(&p);
}

static void two_workers_count_as_one(void **state)
{
	struct pop p = pop_new();
	struct counters *second = counters_create(FIXTURE_TUNNELS), *both[] = { p.counters, second };
	struct stats *s = stats_create(FIXTURE_TUNNELS, 4 * FIXTURE_TUNNELS);

	(void)state;
	add(&counters_of(&p, 1)->packets_in, 5);
	add(&second->tunnels[table_by_id(p.table, 1)->slot].packets_in, 6);
	stats_collect(s, p.table, both, 2, DAY);
	assert_int_equal(stats_batch(s)->entries[0].packets_in, 11);
	stats_free(s);
	counters_free(second);
	pop_end(&p);
}

static void a_slot_given_to_another_tunnel_begins_at_zero(void **state)
{
	struct pop p = pop_new();
	struct stats *s = stats_create(FIXTURE_TUNNELS, 4 * FIXTURE_TUNNELS);
	uint32_t slot = table_by_id(p.table, 1)->slot;

	(void)state;
	add(&counters_of(&p, 1)->packets_in, 50);
	stats_collect(s, p.table, &p.counters, 1, DAY);
	assert_int_equal(stats_batch(s)->entries[0].packets_in, 50);
	stats_acknowledge(s);
	stats_slot_freed(s, slot);
	counters_clear_slot(p.counters, slot);
	add(&p.counters->tunnels[slot].packets_in, 3);
	stats_collect(s, p.table, &p.counters, 1, DAY);
	assert_int_equal(stats_batch(s)->entries[0].packets_in, 3);
	stats_free(s);
	pop_end(&p);
}

/* A database that stays away: the book is bounded, and not one packet is lost from the sum. */
static void the_book_is_bounded_and_keeps_every_sum(void **state)
{
	enum { LIMIT = 2 * FIXTURE_TUNNELS + 2, DAYS = 400 };
	struct pop p = pop_new();
	struct stats *s = stats_create(FIXTURE_TUNNELS, LIMIT);
	uint64_t in[7] = { 0 }, least = UINT64_MAX;

	(void)state;
	for (int day = 0; day < DAYS; day++) {
		for (uint32_t id = 1; id <= 6; id++)
			add(&counters_of(&p, id)->packets_in, id);
		answer_probe(&p, 1, 1000 + (uint32_t)day);
		stats_collect(s, p.table, &p.counters, 1, DAY + day);
		assert_true(stats_waiting(s) <= LIMIT + 1);
	}
	for (const struct stats_batch *b; (b = stats_batch(s))->n > 0; stats_acknowledge(s))
		for (size_t i = 0; i < b->n; i++) {
			in[b->entries[i].tunnel] += b->entries[i].packets_in;
			if (b->entries[i].tunnel == 1 && b->entries[i].rtt_min_us < least)
				least = b->entries[i].rtt_min_us;
		}
	for (uint32_t id = 1; id <= 6; id++)
		assert_int_equal(in[id], (uint64_t)id * DAYS);
	assert_int_equal(least, 1000);
	stats_free(s);
	pop_end(&p);
}

static void columns_are_postgresql_arrays(void **state)
{
	static struct stats_batch b = {
		.number = 1,
		.n = 2,
		.entries = { { 7, DAY, 3, 2, 100, 200, 300, 1, 2, 3, 4, UINT64_MAX },
			     { 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0 } },
	};
	static const char *const expected[STATS_COLUMNS] = {
		[STATS_TUNNEL] = "{7,8}",       [STATS_DAY] = "{2026-11-23,1970-01-01}",
		[STATS_SENT] = "{3,1}",         [STATS_RECEIVED] = "{2,0}",
		[STATS_RTT_MIN] = "{100,NULL}", [STATS_RTT_SUM] = "{300,0}",
		[STATS_RTT_MAX] = "{200,0}",    [STATS_PACKETS_IN] = "{1,0}",
		[STATS_OCTETS_IN] = "{2,0}",    [STATS_PACKETS_OUT] = "{3,0}",
		[STATS_OCTETS_OUT] = "{4,0}",   [STATS_DROPS] = "{18446744073709551615,0}",
	};

	(void)state;
	for (int i = 0; i < STATS_COLUMNS; i++) {
		char *text = stats_column_text(&b, (enum stats_column)i);
		assert_string_equal(text, expected[i]);
		free(text);
	}
}

static void a_full_batch_of_largest_values_fits_its_text(void **state)
{
	static struct stats_batch b = { .number = 1, .n = STATS_BATCH };

	(void)state;
	memset(b.entries, 0xff, sizeof(b.entries));
	for (size_t i = 0; i < STATS_BATCH; i++)
		b.entries[i].day = 2000000;
	for (int i = 0; i < STATS_COLUMNS; i++) {
		char *text = stats_column_text(&b, (enum stats_column)i);
		assert_non_null(text);
		assert_int_equal(text[strlen(text) - 1], '}');
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(growth_is_told_once_by_tunnel_and_day),
		cmocka_unit_test(a_batch_stays_as_it_is_until_it_is_acknowledged),
		cmocka_unit_test(round_trip_times_are_kept_as_least_sum_and_most),
		cmocka_unit_test(two_workers_count_as_one),
		cmocka_unit_test(a_slot_given_to_another_tunnel_begins_at_zero),
		cmocka_unit_test(the_book_is_bounded_and_keeps_every_sum),
		cmocka_unit_test(columns_are_postgresql_arrays),
		cmocka_unit_test(a_full_batch_of_largest_values_fits_its_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
