#include "popd/report/stats.h"

#include "tests/unit/test_popd_fixture.h"

enum { DAY = 20780, QUARTER = 41 };

/* The last second of a quarter, counted from QUARTER of DAY. */
static wall_t in_quarter(int later)
{
	return (wall_t){ DAY * 86400LL + (QUARTER + later) * 900LL + 899 };
}

static struct stats *stats_new(void)
{
	return stats_create(FIXTURE_TUNNELS, STATS_A_SLOT, STATS_DROPS_A_SLOT);
}

static uint64_t value(const struct stats_batch *b, size_t entry, enum measure m)
{
	return b->entries[entry].value[m];
}

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

static void growth_is_sent_once_by_tunnel_and_quarter(void **state)
{
	struct pop p = pop_new();
	struct stats *s = stats_new();

	(void)state;
	stats_collect(s, p.table, &p.counters, 1, in_quarter(0));
	assert_int_equal(stats_waiting(s), 0); /* no growth, no entry */
	assert_null(stats_batch(s));

	add(&counters_of(&p, 1)->packets_in, 5);
	add(&counters_of(&p, 1)->bytes_in, 500);
	stats_collect(s, p.table, &p.counters, 1, in_quarter(0));
	add(&counters_of(&p, 1)->packets_in, 2);
	add(&counters_of(&p, 2)->packets_out, 3);
	count_drop(p.counters, DROP_HOP_LIMIT, table_by_id(p.table, 2)->slot, 2, 0, NOW);
	stats_collect(s, p.table, &p.counters, 1, in_quarter(0));
	assert_int_equal(stats_waiting(s),
			 3); /* the same quarter: one entry a tunnel, and one of the drop */
	add(&counters_of(&p, 1)->packets_in, 1);
	stats_collect(s, p.table, &p.counters, 1, in_quarter(1));

	const struct stats_batch *b = stats_batch(s);
	assert_int_equal(b->n, 3);
	assert_int_equal(b->number, 1);
	assert_true(b->entries[0].tunnel == 1 && b->entries[0].day == DAY &&
		    b->entries[0].quarter == QUARTER);
	assert_true(value(b, 0, MEASURE_PACKETS_IN) == 7 && value(b, 0, MEASURE_BYTES_IN) == 500);
	assert_true(b->entries[1].tunnel == 2 && value(b, 1, MEASURE_PACKETS_OUT) == 3 &&
		    value(b, 1, MEASURE_DROPS) == 1);
	assert_true(b->entries[2].tunnel == 1 && b->entries[2].quarter == QUARTER + 1 &&
		    value(b, 2, MEASURE_PACKETS_IN) == 1);
	assert_int_equal(b->n_drops, 1);
	assert_true(b->drops[0].tunnel == 2 && b->drops[0].day == DAY &&
		    b->drops[0].reason == DROP_HOP_LIMIT && b->drops[0].packets == 1);
	stats_acknowledge(s);
	assert_null(stats_batch(s));
	stats_free(s);
	pop_end(&p);
}

static void a_batch_stays_as_it_is_until_it_is_acknowledged(void **state)
{
	struct pop p = pop_new();
	struct stats *s = stats_new();

	(void)state;
	add(&counters_of(&p, 1)->packets_in, 5);
	stats_collect(s, p.table, &p.counters, 1, in_quarter(0));
	assert_int_equal(value(stats_batch(s), 0, MEASURE_PACKETS_IN), 5);
	add(&counters_of(&p, 1)->packets_in, 4); /* while the batch is under way */
	stats_collect(s, p.table, &p.counters, 1, in_quarter(0));
	const struct stats_batch *again = stats_batch(s);
	assert_true(again->number == 1 && again->n == 1 &&
		    value(again, 0, MEASURE_PACKETS_IN) == 5);
	assert_int_equal(stats_waiting(s), 2);
	stats_acknowledge(s);
	const struct stats_batch *next = stats_batch(s);
	assert_true(next->number == 2 && next->n == 1 && value(next, 0, MEASURE_PACKETS_IN) == 4);
	stats_free(s);
	pop_end(&p);
}

static void round_trip_times_are_kept_as_min_sum_and_max(void **state)
{
	struct pop p = pop_new();
	struct stats *s = stats_new();
	static const uint32_t times[] = { 900, 300, 700 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		answer_probe(&p, 1, times[i]);
		stats_collect(s, p.table, &p.counters, 1, in_quarter(0));
	}
	counters_echo_sent(p.counters, table_by_id(p.table, 2)->slot); /* never answered */
	stats_collect(s, p.table, &p.counters, 1, in_quarter(0));
	const struct stats_batch *b = stats_batch(s);
	assert_int_equal(b->n, 2);
	assert_true(value(b, 0, MEASURE_SENT) == 3 && value(b, 0, MEASURE_RECEIVED) == 3);
	assert_true(value(b, 0, MEASURE_RTT_MIN) == 300 && value(b, 0, MEASURE_RTT_SUM) == 1900 &&
		    value(b, 0, MEASURE_RTT_MAX) == 900);
	assert_true(value(b, 1, MEASURE_SENT) == 1 && value(b, 1, MEASURE_RECEIVED) == 0 &&
		    value(b, 1, MEASURE_RTT_MIN) == 0);
	stats_free(s);
	pop_end(&p);
}

static void late_answers_beyond_one_are_left_out_of_a_batch(void **state)
{
	struct pop p = pop_new();
	struct stats *s = stats_new();
	uint32_t slot = table_by_id(p.table, 1)->slot;

	(void)state;
	counters_echo_sent(p.counters, slot);
	for (uint32_t i = 0; i < 5; i++) /* kept back by the client, of five minutes */
		counters_echo_received(p.counters, slot, 1000);
	stats_collect(s, p.table, &p.counters, 1, in_quarter(0));
	const struct stats_batch *b = stats_batch(s);
	assert_true(value(b, 0, MEASURE_SENT) == 1 && value(b, 0, MEASURE_RECEIVED) == 2);
	stats_free(s);
	pop_end(&p);
}

static void two_workers_count_as_one(void **state)
{
	struct pop p = pop_new();
	struct counters *second = counters_create(FIXTURE_TUNNELS),
			*both[] = { p.counters, second };
	struct stats *s = stats_new();

	(void)state;
	add(&counters_of(&p, 1)->packets_in, 5);
	add(&second->tunnels[table_by_id(p.table, 1)->slot].packets_in, 6);
	stats_collect(s, p.table, both, 2, in_quarter(0));
	assert_int_equal(value(stats_batch(s), 0, MEASURE_PACKETS_IN), 11);
	stats_free(s);
	counters_free(second);
	pop_end(&p);
}

static void a_slot_given_to_another_tunnel_begins_at_zero(void **state)
{
	struct pop p = pop_new();
	struct stats *s = stats_new();
	uint32_t slot = table_by_id(p.table, 1)->slot;

	(void)state;
	add(&counters_of(&p, 1)->packets_in, 50);
	stats_collect(s, p.table, &p.counters, 1, in_quarter(0));
	assert_int_equal(value(stats_batch(s), 0, MEASURE_PACKETS_IN), 50);
	stats_acknowledge(s);
	stats_slot_freed(s, slot);
	counters_clear_slot(p.counters, slot);
	add(&p.counters->tunnels[slot].packets_in, 3);
	stats_collect(s, p.table, &p.counters, 1, in_quarter(0));
	assert_int_equal(value(stats_batch(s), 0, MEASURE_PACKETS_IN), 3);
	stats_free(s);
	pop_end(&p);
}

/* A database that stays away for 400 days: the books are bounded, and not one packet is lost from
 * the sums. */
static void the_books_are_bounded_and_keep_every_sum(void **state)
{
	enum { DAYS = 400, MOST = (2 + 2) * FIXTURE_TUNNELS };
	struct pop p = pop_new();
	struct stats *s = stats_create(FIXTURE_TUNNELS, 2, 2);
	uint64_t in[7] = { 0 }, drops[7] = { 0 }, least = UINT64_MAX;

	(void)state;
	for (int day = 0; day < DAYS; day++) {
		for (uint32_t id = 1; id <= 6; id++) {
			add(&counters_of(&p, id)->packets_in, id);
			count_drop(p.counters, day % 2 ? DROP_HOP_LIMIT : DROP_TOO_BIG,
				   table_by_id(p.table, id)->slot, id, 0, NOW);
		}
		answer_probe(&p, 1, 1000 + (uint32_t)day);
		stats_collect(s, p.table, &p.counters, 1, in_quarter(96 * day));
		assert_true(stats_waiting(s) <= MOST);
	}
	for (const struct stats_batch *b; (b = stats_batch(s)); stats_acknowledge(s)) {
		for (size_t i = 0; i < b->n; i++) {
			in[b->entries[i].tunnel] += value(b, i, MEASURE_PACKETS_IN);
			if (b->entries[i].tunnel == 1 && value(b, i, MEASURE_RTT_MIN) < least)
				least = value(b, i, MEASURE_RTT_MIN);
		}
		for (size_t i = 0; i < b->n_drops; i++)
			drops[b->drops[i].tunnel] += b->drops[i].packets;
	}
	for (uint32_t id = 1; id <= 6; id++) {
		assert_int_equal(in[id], (uint64_t)id * DAYS);
		assert_int_equal(drops[id], DAYS);
	}
	assert_int_equal(drops[0], 0);
	assert_int_equal(least, 1000);
	stats_free(s);
	pop_end(&p);
}

static void drops_no_tunnel_is_charged_with_are_the_pops(void **state)
{
	struct pop p = pop_new();
	struct stats *s = stats_new();
	uint32_t slot = table_by_id(p.table, 1)->slot;

	(void)state;
	for (int i = 0; i < 5; i++)
		count_drop(p.counters, DROP_TUNNEL_UNKNOWN, UINT32_MAX, 0, 0, NOW);
	count_drop(p.counters, DROP_HOP_LIMIT, slot, 1, 0, NOW);
	stats_collect(s, p.table, &p.counters, 1, in_quarter(0));
	stats_collect(s, p.table, &p.counters, 1, in_quarter(0));
	const struct stats_batch *b = stats_batch(s);
	assert_true(b->n == 2 && b->n_drops == 2);
	assert_true(b->entries[0].tunnel == 1 && value(b, 0, MEASURE_DROPS) == 1 &&
		    b->drops[0].tunnel == 1);
	assert_true(b->entries[1].tunnel == 0 && value(b, 1, MEASURE_DROPS) == 5);
	assert_true(b->drops[1].tunnel == 0 && b->drops[1].reason == DROP_TUNNEL_UNKNOWN &&
		    b->drops[1].packets == 5);
	stats_acknowledge(s);

	/* drops of a tunnel that was deleted before they were collected */
	count_drop(p.counters, DROP_HOP_LIMIT, slot, 1, 0, NOW);
	stats_slot_freed(s, slot);
	counters_clear_slot(p.counters, slot);
	stats_collect(s, p.table, &p.counters, 1, in_quarter(0));
	b = stats_batch(s);
	assert_true(b->n == 1 && b->n_drops == 1 && b->drops[0].tunnel == 0 &&
		    b->drops[0].reason == DROP_HOP_LIMIT && b->drops[0].packets == 1);
	stats_free(s);
	pop_end(&p);
}

static void a_counter_that_begins_again_is_no_enormous_growth(void **state)
{
	struct pop p = pop_new();
	struct stats *s = stats_new();

	(void)state;
	add(&counters_of(&p, 1)->bytes_out, 500);
	stats_collect(s, p.table, &p.counters, 1, in_quarter(0));
	assert_int_equal(value(stats_batch(s), 0, MEASURE_BYTES_OUT), 500);
	stats_acknowledge(s);
	atomic_store(&counters_of(&p, 1)->bytes_out, 20);
	stats_collect(s, p.table, &p.counters, 1, in_quarter(0));
	assert_int_equal(value(stats_batch(s), 0, MEASURE_BYTES_OUT), 20);
	stats_free(s);
	pop_end(&p);
}

/* A tunnel's drops are counted in 32 bits. */
static void drops_that_wrap_around_stay_right(void **state)
{
	struct pop p = pop_new();
	struct stats *s = stats_new();
	uint32_t slot = table_by_id(p.table, 1)->slot;

	(void)state;
	count_drop(p.counters, DROP_HOP_LIMIT, slot, 1, 0, NOW);
	struct tunnel_drops
		*own = &p.counters->tunnel_drops[atomic_load(&p.counters->tunnels[slot].drops) - 1];
	atomic_store(&own->count, UINT32_MAX - 1);
	atomic_store(&p.counters->drops[DROP_HOP_LIMIT].count, UINT32_MAX - 1);
	stats_collect(s, p.table, &p.counters, 1, in_quarter(0));
	assert_int_equal(value(stats_batch(s), 0, MEASURE_DROPS), UINT32_MAX - 1);
	stats_acknowledge(s);
	for (int i = 0; i < 4; i++)
		count_drop(p.counters, DROP_HOP_LIMIT, slot, 1, 0, NOW);
	stats_collect(s, p.table, &p.counters, 1, in_quarter(0));
	const struct stats_batch *b = stats_batch(s);
	assert_true(b->n == 1 && b->n_drops == 1 && value(b, 0, MEASURE_DROPS) == 4 &&
		    b->drops[0].packets == 4);
	stats_free(s);
	pop_end(&p);
}

static void columns_are_postgresql_arrays(void **state)
{
	static struct stats_batch b = {
		.number = 1,
		.n = 2,
		.n_drops = 2,
		.entries = { { 7, DAY, 95, { 3, 2, 100, 200, 300, 1, 2, 3, 4, UINT64_MAX } },
			     { 8, 0, QUARTER_NONE, { 1 } } },
		.drops = { { 7, DAY, DROP_HOP_LIMIT, 12 },
			   { 0, DAY, DROP_TUNNEL_UNKNOWN, UINT64_MAX } },
	};
	static const char *const expected[STATS_COLUMNS] = {
		[STATS_TUNNEL] = "{7,8}",
		[STATS_DAY] = "{2026-11-23,1970-01-01}",
		[STATS_QUARTER] = "{95,NULL}",
		[STATS_MEASURES + MEASURE_SENT] = "{3,1}",
		[STATS_MEASURES + MEASURE_RECEIVED] = "{2,0}",
		[STATS_MEASURES + MEASURE_RTT_MIN] = "{100,NULL}",
		[STATS_MEASURES + MEASURE_RTT_SUM] = "{200,0}",
		[STATS_MEASURES + MEASURE_RTT_MAX] = "{300,0}",
		[STATS_MEASURES + MEASURE_PACKETS_IN] = "{1,0}",
		[STATS_MEASURES + MEASURE_BYTES_IN] = "{2,0}",
		[STATS_MEASURES + MEASURE_PACKETS_OUT] = "{3,0}",
		[STATS_MEASURES + MEASURE_BYTES_OUT] = "{4,0}",
		[STATS_MEASURES + MEASURE_DROPS] = "{18446744073709551615,0}",
		[STATS_DROP_TUNNEL] = "{7,0}",
		[STATS_DROP_DAY] = "{2026-11-23,2026-11-23}",
		[STATS_DROP_REASON] = "{hop-limit,tunnel-unknown}",
		[STATS_DROP_PACKETS] = "{12,18446744073709551615}",
	};

	(void)state;
	for (int i = 0; i < STATS_COLUMNS; i++) {
		char *text = stats_column_text(&b, (enum stats_column)i);
		assert_string_equal(text, expected[i]);
		free(text);
	}
}

static void a_full_batch_of_largest_values_has_its_text_whole(void **state)
{
	static struct stats_batch b = { .number = 1, .n = STATS_BATCH, .n_drops = STATS_BATCH };

	(void)state;
	memset(b.entries, 0xff, sizeof(b.entries));
	memset(b.drops, 0xff, sizeof(b.drops));
	for (size_t i = 0; i < STATS_BATCH; i++) {
		b.entries[i].day = b.drops[i].day = 2000000;
		b.entries[i].quarter = INT32_MIN;
		b.drops[i].reason = (enum drop)(1 + i % (DROP__COUNT - 1));
	}
	for (int i = 0; i < STATS_COLUMNS; i++) {
		char *text = stats_column_text(&b, (enum stats_column)i);
		size_t values = 1;
		assert_non_null(text);
		for (const char *c = text; *c; c++)
			values += *c == ',';
		assert_int_equal(values, STATS_BATCH);
		assert_int_equal(text[strlen(text) - 1], '}');
		free(text);
	}
}

/* The database takes a name of 40 characters and a text of 200. */
static void reasons_are_sent_in_one_order_and_fit_the_database(void **state)
{
	char *names = stats_reasons_text(false), *sentences = stats_reasons_text(true);

	(void)state;
	assert_ptr_equal(strstr(names, "{\"outer-short\",\"outer-martian\","), names);
	assert_ptr_equal(strstr(sentences, "{\"the packet is too short to contain its headers\","),
			 sentences);
	assert_string_equal(names + strlen(names) - 11, "\"internal\"}");
	for (enum drop d = DROP_NONE + 1; d < DROP__COUNT; d++) {
		assert_true(strlen(drop_name(d)) <= 40 && strlen(drop_text(d)) <= 200);
		assert_int_equal(strspn(drop_name(d), "abcdefghijklmnopqrstuvwxyz0123456789-"),
				 strlen(drop_name(d)));
	}
	free(names);
	free(sentences);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(growth_is_sent_once_by_tunnel_and_quarter),
		cmocka_unit_test(a_batch_stays_as_it_is_until_it_is_acknowledged),
		cmocka_unit_test(round_trip_times_are_kept_as_min_sum_and_max),
		cmocka_unit_test(late_answers_beyond_one_are_left_out_of_a_batch),
		cmocka_unit_test(two_workers_count_as_one),
		cmocka_unit_test(a_slot_given_to_another_tunnel_begins_at_zero),
		cmocka_unit_test(the_books_are_bounded_and_keep_every_sum),
		cmocka_unit_test(drops_no_tunnel_is_charged_with_are_the_pops),
		cmocka_unit_test(a_counter_that_begins_again_is_no_enormous_growth),
		cmocka_unit_test(drops_that_wrap_around_stay_right),
		cmocka_unit_test(columns_are_postgresql_arrays),
		cmocka_unit_test(a_full_batch_of_largest_values_has_its_text_whole),
		cmocka_unit_test(reasons_are_sent_in_one_order_and_fit_the_database),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
