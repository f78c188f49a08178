#include "popd/observe/top.h"

#include "lib/err.h"
#include "tests/unit/test_popd_fixture.h"

enum { MANY = 1000 };

struct many {
	struct pop p;
	struct table *table;
	struct counters *counters[2];
	struct top *top;
};

static void many_add(struct many *m, uint32_t id)
{
	char net[40];

	snprintf(net, sizeof(net), "2001:db8:2ff:%x::", id);
	assert_int_equal(table_set(m->table, conf_new(m->p.digest, id, TUNNEL_AYIYA, net, NULL)),
			 0);
}

static void many_begin(struct many *m)
{
	static const uint8_t seed[16] = { 9 };

	m->p = pop_new();
	m->table = table_create(MANY, 2, seed);
	m->counters[0] = counters_create(MANY);
	m->counters[1] = counters_create(MANY);
	assert_true(m->table && m->counters[0] && m->counters[1]);
	m->top = top_create(m->table, m->counters, 2);
	assert_non_null(m->top);
	for (uint32_t id = 1; id <= MANY; id++)
		many_add(m, id);
}

static void many_end(struct many *m)
{
	top_free(m->top);
	table_free(m->table);
	counters_free(m->counters[0]);
	counters_free(m->counters[1]);
	pop_end(&m->p);
}

static void sample(struct many *m, int64_t ms)
{
	assert_int_equal(top_sample(m->top, (mono_t){ ms }), 0);
}

static uint32_t slot_of(struct many *m, uint32_t id)
{
	return table_by_id(m->table, id)->slot;
}

static void rates_are_growth_over_the_time_between_two_samples(void **state)
{
	struct many m;
	const struct top_row *rows;

	(void)state;
	many_begin(&m);
	uint32_t slot = slot_of(&m, 7);
	counters_in(m.counters[0], slot, 1, 1000);
	sample(&m, 10000);
	assert_int_equal(top_window(m.top), 0);
	assert_int_equal(top_rows(m.top, TOP_BYTES, &rows), 0); /* there is no interval yet */
	for (int i = 0; i < 4; i++) {
		counters_in(m.counters[i % 2], slot, 1, 100);
		counters_out(m.counters[1], slot, 50);
		count_drop(m.counters[0], DROP_HOP_LIMIT, slot, 7, 0, NOW);
		count_drop(m.counters[1], DROP_TOO_BIG, slot, 7, 0, NOW);
	}
	sample(&m, 12000);
	assert_int_equal(top_window(m.top), 2000);
	assert_int_equal(top_rows(m.top, TOP_BYTES, &rows), 1);
	assert_int_equal(rows[0].id, 7);
	assert_true(rows[0].packets_in == 2 && rows[0].bytes_in == 200);
	assert_true(rows[0].packets_out == 2 && rows[0].bytes_out == 100);
	assert_true(rows[0].drops == 4);
	sample(&m, 13000);
	assert_int_equal(top_rows(m.top, TOP_BYTES, &rows), 0);
	assert_int_equal(top_rows(m.top, TOP_DROPS, &rows), 0);
	many_end(&m);
}

static enum top_by sorted_by;
static int naive_order(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;
	double p = sorted_by == TOP_BYTES     ? x->bytes_in + x->bytes_out
		   : sorted_by == TOP_PACKETS ? x->packets_in + x->packets_out
					      : x->drops;
	double q = sorted_by == TOP_BYTES     ? y->bytes_in + y->bytes_out
		   : sorted_by == TOP_PACKETS ? y->packets_in + y->packets_out
					      : y->drops;

	if (p != q)
		return p > q ? -1 : 1;
	return x->id < y->id ? -1 : 1;
}

/* Random traffic, and the oracle sorts all of it. */
static void the_busiest_are_those_that_sorting_all_finds(void **state)
{
	static struct top_row all[MANY];
	struct many m;
	const struct top_row *rows;

	(void)state;
	many_begin(&m);
	srandom(11);
	sample(&m, 0);
	for (int round = 1; round <= 30; round++) {
		unsigned busy = (unsigned)random() %
				1000; /* of a thousand; from few to nearly all */
		for (uint32_t id = 1; id <= MANY; id++) {
			struct top_row *r = &all[id - 1];
			*r = (struct top_row){ .id = id };
			if ((unsigned)random() % 1000 >= busy)
				continue;
			for (long k = random() % 4; k > 0; k--) {
				size_t bytes = 1 + (size_t)random() % 3; /* many of the same size */
				counters_in(m.counters[k % 2], slot_of(&m, id), 1, bytes);
				r->packets_in++;
				r->bytes_in += (double)bytes;
				counters_out(m.counters[0], slot_of(&m, id), 40);
				r->packets_out++;
				r->bytes_out += 40;
			}
			if (random() % 2) {
				count_drop(m.counters[1], DROP_HOP_LIMIT, slot_of(&m, id), id, 0,
					   NOW);
				r->drops++;
			}
		}
		sample(&m, round * 1000);
		for (sorted_by = 0; sorted_by < TOP_BY__COUNT; sorted_by++) {
			qsort(all, MANY, sizeof(all[0]), naive_order);
			size_t n = top_rows(m.top, sorted_by, &rows), wanted = 0;
			while (wanted < TOP_MAX &&
			       (sorted_by == TOP_DROPS ? all[wanted].drops
						       : all[wanted].bytes_out) > 0)
				wanted++;
			assert_int_equal(n, wanted);
			for (size_t i = 0; i < n; i++) {
				assert_int_equal(rows[i].id, all[i].id);
				assert_int_equal(rows[i].slot, slot_of(&m, rows[i].id));
				assert_true(rows[i].bytes_in == all[i].bytes_in &&
					    rows[i].drops == all[i].drops);
			}
		}
	}
	many_end(&m);
}

static void many_who_ask_share_a_sample(void **state)
{
	struct many m;
	const struct top_row *rows;

	(void)state;
	many_begin(&m);
	sample(&m, 1000);
	counters_in(m.counters[0], slot_of(&m, 1), 1, 100);
	sample(&m, 1000 + TOP_PERIOD_MS - 1);
	assert_int_equal(top_window(m.top), 0);
	sample(&m, 1000 + TOP_PERIOD_MS);
	assert_int_equal(top_window(m.top), TOP_PERIOD_MS);
	assert_int_equal(top_rows(m.top, TOP_PACKETS, &rows), 1);
	sample(&m, 1000 + TOP_PERIOD_MS + 1); /* the same again */
	assert_int_equal(top_rows(m.top, TOP_PACKETS, &rows), 1);
	assert_true(rows[0].packets_in == 2);
	many_end(&m);
}

static void samples_are_kept_until_nobody_has_asked_for_a_while(void **state)
{
	struct many m;

	(void)state;
	many_begin(&m);
	sample(&m, 1000);
	top_tick(m.top, (mono_t){ 999 + TOP_KEEP_MS });
	sample(&m, 1000 + TOP_KEEP_MS);
	assert_int_equal(top_window(m.top), TOP_KEEP_MS);
	top_tick(m.top, (mono_t){ 1000 + 2 * TOP_KEEP_MS });
	sample(&m, 2000 + 2 * TOP_KEEP_MS);
	assert_int_equal(top_window(m.top), 0); /* the first again */
	many_end(&m);
}

/* A tunnel does not inherit the traffic of the one that had its slot before. */
static void a_slot_with_a_new_tunnel_begins_anew(void **state)
{
	struct many m;
	const struct top_row *rows;

	(void)state;
	many_begin(&m);
	uint32_t slot = slot_of(&m, 5);
	sample(&m, 0);
	counters_in(m.counters[0], slot, 1, 100);
	assert_true(table_delete(m.table, 5));
	sample(&m, 1000);
	assert_int_equal(top_rows(m.top, TOP_PACKETS, &rows), 0);
	table_reclaim(m.table);
	many_add(&m, MANY + 1);
	assert_int_equal(slot_of(&m, MANY + 1), slot);
	counters_in(m.counters[0], slot, 1, 100);
	sample(&m, 2000);
	assert_int_equal(top_rows(m.top, TOP_PACKETS, &rows), 0);
	counters_clear_slot(m.counters[0], slot); /* and counters that go back are no traffic */
	sample(&m, 3000);
	assert_int_equal(top_rows(m.top, TOP_PACKETS, &rows), 0);
	counters_in(m.counters[0], slot, 1, 100);
	sample(&m, 4000);
	assert_int_equal(top_rows(m.top, TOP_PACKETS, &rows), 1);
	assert_int_equal(rows[0].id, MANY + 1);
	many_end(&m);
}

static void orders_have_names(void **state)
{
	enum top_by by;

	(void)state;
	for (enum top_by b = 0; b < TOP_BY__COUNT; b++) {
		assert_int_equal(top_by_parse(top_by_name(b), &by), 0);
		assert_int_equal(by, b);
	}
	assert_int_equal(top_by_parse("", &by), -ERR_UNKNOWN);
	assert_int_equal(top_by_parse("byte", &by), -ERR_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_are_growth_over_the_time_between_two_samples),
		cmocka_unit_test(the_busiest_are_those_that_sorting_all_finds),
		cmocka_unit_test(many_who_ask_share_a_sample),
		cmocka_unit_test(samples_are_kept_until_nobody_has_asked_for_a_while),
		cmocka_unit_test(a_slot_with_a_new_tunnel_begins_anew),
		cmocka_unit_test(orders_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
