#include "popd/observe/errors.h"

#include "popd/report/stats.h"
#include "tests/unit/test_popd_fixture.h"

enum { SLOTS = 4, OURS = 1, OTHER = 2 };

struct two {
	struct counters *workers[2];
	struct errors *errors;
};

static void two_begin(struct two *t)
{
	t->workers[0] = counters_create(SLOTS);
	t->workers[1] = counters_create(SLOTS);
	assert_true(t->workers[0] && t->workers[1]);
	t->errors = errors_create(t->workers, 2);
	assert_non_null(t->errors);
}

static void two_end(struct two *t)
{
	errors_free(t->errors);
	counters_free(t->workers[0]);
	counters_free(t->workers[1]);
}

/* Worker `w` drops a packet from port `from` for slot `slot`. */
static void drop(struct two *t, unsigned w, uint32_t slot, enum drop why, uint16_t from,
		 uint32_t now)
{
	count_drop(t->workers[w], why, slot, slot == UINT32_MAX ? 0 : slot + 10,
		   endpoint_pack(at("192.0.2.9", from), 0), now);
}

static void assert_row(const struct errors_view *v, enum drop why, uint64_t count,
		       uint16_t last_from)
{
	assert_int_equal(v->rows[why].count, count);
	assert_int_equal(v->rows[why].has_last, count > 0);
	if (count > 0)
		assert_int_equal(endpoint_of(v->rows[why].last.peer).port, last_from);
}

static void workers_are_summed_and_the_newest_packet_shows(void **state)
{
	struct two t;
	struct errors_view v;

	(void)state;
	two_begin(&t);
	drop(&t, 0, OURS, DROP_TOO_BIG, 1, NOW);
	drop(&t, 1, OURS, DROP_TOO_BIG, 2, NOW + 2);
	drop(&t, 0, OURS, DROP_TOO_BIG, 3, NOW + 1);
	drop(&t, 1, OTHER, DROP_HOP_LIMIT, 4, NOW);
	drop(&t, 0, UINT32_MAX, DROP_AYIYA_FORM, 5, NOW);
	errors_of_tunnel(t.errors, OURS, &v);
	assert_int_equal(v.since, 0);
	assert_row(&v, DROP_TOO_BIG, 3, 2);
	assert_row(&v, DROP_HOP_LIMIT, 0, 0);
	assert_row(&v, DROP_AYIYA_FORM, 0, 0);
	errors_of_pop(t.errors, &v);
	assert_row(&v, DROP_TOO_BIG, 3, 2);
	assert_row(&v, DROP_HOP_LIMIT, 1, 4);
	assert_row(&v, DROP_AYIYA_FORM, 1, 5);
	two_end(&t);
}

/* Also when the old and the new one are from the same second and from different workers. */
static void after_a_reset_only_what_comes_shows(void **state)
{
	struct two t;
	struct errors_view v;

	(void)state;
	two_begin(&t);
	drop(&t, 0, OURS, DROP_TOO_BIG, 1, NOW);
	drop(&t, 1, OURS, DROP_TOO_BIG, 2, NOW);
	drop(&t, 0, OTHER, DROP_TOO_BIG, 3, NOW);
	assert_int_equal(errors_reset_tunnel(t.errors, OURS, NOW), 0);
	errors_of_tunnel(t.errors, OURS, &v);
	assert_int_equal(v.since, NOW);
	assert_row(&v, DROP_TOO_BIG, 0, 0);
	errors_of_tunnel(t.errors, OTHER, &v); /* is another's */
	assert_row(&v, DROP_TOO_BIG, 1, 3);
	errors_of_pop(t.errors, &v); /* is the PoP's own */
	assert_row(&v, DROP_TOO_BIG, 3, 2);
	drop(&t, 0, OURS, DROP_TOO_BIG, 4, NOW);
	errors_of_tunnel(t.errors, OURS, &v);
	assert_row(&v, DROP_TOO_BIG, 1, 4);
	errors_reset_pop(t.errors, NOW + 5);
	errors_of_pop(t.errors, &v);
	assert_int_equal(v.since, NOW + 5);
	assert_row(&v, DROP_TOO_BIG, 0, 0);
	errors_of_tunnel(t.errors, OURS, &v);
	assert_row(&v, DROP_TOO_BIG, 1, 4);
	assert_int_equal(errors_reset_tunnel(t.errors, OURS, NOW + 6), 0); /* again */
	errors_of_tunnel(t.errors, OURS, &v);
	assert_row(&v, DROP_TOO_BIG, 0, 0);
	two_end(&t);
}

static void a_reset_takes_nothing_from_the_statistics(void **state)
{
	struct pop p = pop_new();
	struct counters *const *workers = (struct counters *const *)&p.counters;
	struct errors *errors = errors_create(workers, 1);
	struct stats *stats = stats_create(FIXTURE_TUNNELS, STATS_A_SLOT, STATS_DROPS_A_SLOT);
	uint32_t slot = table_by_id(p.table, 1)->slot;

	(void)state;
	count_drop(p.counters, DROP_TOO_BIG, slot, 1, 0, NOW);
	stats_collect(stats, p.table, workers, 1, (wall_t){ NOW });
	count_drop(p.counters, DROP_TOO_BIG, slot, 1, 0, NOW);
	assert_int_equal(errors_reset_tunnel(errors, slot, NOW), 0);
	errors_reset_pop(errors, NOW);
	count_drop(p.counters, DROP_TOO_BIG, slot, 1, 0, NOW);
	stats_collect(stats, p.table, workers, 1, (wall_t){ NOW });
	const struct stats_batch *b = stats_batch(stats);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->entries[0].value[MEASURE_DROPS], 3);
	stats_free(stats);
	errors_free(errors);
	pop_end(&p);
}

static void a_slot_that_another_tunnel_gets_shows_nothing_of_the_old_one(void **state)
{
	struct two t;
	struct errors_view v;

	(void)state;
	two_begin(&t);
	drop(&t, 0, OURS, DROP_TOO_BIG, 1, NOW);
	drop(&t, 1, OURS, DROP_HOP_LIMIT, 2, NOW);
	assert_int_equal(errors_reset_tunnel(t.errors, OURS, NOW), 0);
	drop(&t, 0, OURS, DROP_TOO_BIG, 3, NOW);
	errors_slot_freed(t.errors, OURS);
	counters_clear_slot(t.workers[0], OURS);
	counters_clear_slot(t.workers[1], OURS);
	errors_of_tunnel(t.errors, OURS, &v);
	assert_int_equal(v.since, 0);
	for (enum drop d = 0; d < DROP__COUNT; d++)
		assert_row(&v, d, 0, 0);
	drop(&t, 0, OURS, DROP_TOO_BIG, 4, NOW + 1);
	errors_of_tunnel(t.errors, OURS, &v);
	assert_row(&v, DROP_TOO_BIG, 1, 4);
	errors_of_pop(t.errors, &v); /* remembers */
	assert_row(&v, DROP_TOO_BIG, 3, 4);
	two_end(&t);
}

static void without_a_record_left_counts_go_on(void **state)
{
	struct two t;
	struct errors_view v;

	(void)state;
	two_begin(&t);
	t.workers[0]->records_used = (uint32_t)t.workers[0]->record_capacity - 1;
	drop(&t, 0, OURS, DROP_TOO_BIG, 1, NOW);
	drop(&t, 0, OURS, DROP_HOP_LIMIT, 2, NOW);
	drop(&t, 0, OURS, DROP_HOP_LIMIT, 3, NOW);
	drop(&t, 0, OURS, DROP_TOO_BIG, 4, NOW);
	errors_of_tunnel(t.errors, OURS, &v);
	assert_row(&v, DROP_TOO_BIG, 2, 4);
	assert_int_equal(v.rows[DROP_HOP_LIMIT].count, 2);
	assert_false(v.rows[DROP_HOP_LIMIT].has_last);
	errors_of_pop(t.errors, &v);
	assert_row(&v, DROP_HOP_LIMIT, 2, 3);
	two_end(&t);
}

static void every_reason_of_every_tunnel_has_its_own_count(void **state)
{
	struct two t;
	struct errors_view v;

	(void)state;
	two_begin(&t);
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		for (enum drop d = 1; d < DROP__COUNT; d++)
			for (unsigned n = 0; n < 1 + slot + d; n++)
				drop(&t, n % 2, slot, d, (uint16_t)(100 * slot + d), NOW);
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		errors_of_tunnel(t.errors, slot, &v);
		for (enum drop d = 1; d < DROP__COUNT; d++)
			assert_row(&v, d, 1 + slot + d, (uint16_t)(100 * slot + d));
	}
	two_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_are_summed_and_the_newest_packet_shows),
		cmocka_unit_test(after_a_reset_only_what_comes_shows),
		cmocka_unit_test(a_reset_takes_nothing_from_the_statistics),
		cmocka_unit_test(a_slot_that_another_tunnel_gets_shows_nothing_of_the_old_one),
		cmocka_unit_test(without_a_record_left_counts_go_on),
		cmocka_unit_test(every_reason_of_every_tunnel_has_its_own_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
