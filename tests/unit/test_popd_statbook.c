#include "popd/report/books.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 20780, TUNNELS = 10, MOST = 4096 };

static uint32_t hints[MOST];

/* One packet and one answered probe of `rtt` microseconds. */
static void note(struct statbook *b, uint32_t tunnel, int32_t day, int32_t quarter, uint64_t rtt)
{
	struct statbook_entry *e = statbook_entry(b, &hints[tunnel % MOST], tunnel, day, quarter);

	assert_non_null(e);
	assert_true(e->tunnel == tunnel && e->day == day && e->quarter == quarter);
	statbook_add(e, (uint64_t[MEASURE__TUNNEL]){
				[MEASURE_SENT] = 1,
				[MEASURE_RECEIVED] = rtt > 0,
				[MEASURE_RTT_MIN] = rtt,
				[MEASURE_RTT_SUM] = rtt,
				[MEASURE_RTT_MAX] = rtt,
				[MEASURE_PACKETS_IN] = 1,
			});
}

/* Takes all; the array is static. */
static const struct statbook_entry *taken(struct statbook *b, size_t *n)
{
	static struct statbook_entry all[MOST];

	*n = statbook_take(b, all, MOST);
	assert_int_equal(statbook_count(b), 0);
	return all;
}

static void a_quarter_is_one_entry_however_often_it_grows(void **state)
{
	struct statbook *b = statbook_create(100);
	size_t n;

	(void)state;
	for (int round = 0; round < 5; round++)
		for (uint32_t t = 1; t <= 3; t++)
			note(b, t, DAY, 17, 1000 * t + (uint64_t)round);
	const struct statbook_entry *e = taken(b, &n);
	assert_int_equal(n, 3);
	for (uint32_t t = 1; t <= 3; t++, e++) {
		assert_true(e->tunnel == t && e->day == DAY && e->quarter == 17 &&
			    e->value[MEASURE_PACKETS_IN] == 5);
		assert_true(e->value[MEASURE_RTT_MIN] == 1000 * t &&
			    e->value[MEASURE_RTT_MAX] == 1000 * t + 4);
		assert_int_equal(e->value[MEASURE_RTT_SUM], 5000 * t + 10);
	}
	statbook_free(b);
}

/* Hints stay right when entries are taken from the front. */
static void an_entry_is_found_again_after_others_were_taken(void **state)
{
	struct statbook *b = statbook_create(100);
	struct statbook_entry out[2];
	size_t n;

	(void)state;
	for (uint32_t t = 1; t <= 5; t++)
		note(b, t, DAY, 3, 0);
	assert_int_equal(statbook_take(b, out, 2), 2);
	assert_true(out[0].tunnel == 1 && out[1].tunnel == 2);
	for (uint32_t t = 1; t <= 5; t++)
		note(b, t, DAY, 3, 0);
	const struct statbook_entry *e = taken(b, &n);
	assert_int_equal(n, 5);
	assert_true(e[0].tunnel == 3 && e[0].value[MEASURE_SENT] == 2);
	assert_true(e[3].tunnel == 1 && e[3].value[MEASURE_SENT] == 1);
	statbook_free(b);
}

static void round_trips_stay_right_when_entries_become_one(void **state)
{
	/* four entries at most: the fifth joins the quarters of yesterday */
	struct statbook *b = statbook_create(4);
	size_t n;

	(void)state;
	note(b, 1, DAY, 1, 0); /* unanswered: must not count as the shortest */
	note(b, 1, DAY, 2, 700);
	note(b, 1, DAY, 3, 300);
	note(b, 1, DAY, 4, 900);
	note(b, 1, DAY + 1, 0, 5000);
	const struct statbook_entry *e = taken(b, &n);
	assert_int_equal(n, 2);
	assert_true(e[0].day == DAY && e[0].quarter == QUARTER_NONE);
	assert_true(e[0].value[MEASURE_SENT] == 4 && e[0].value[MEASURE_RECEIVED] == 3);
	assert_true(e[0].value[MEASURE_RTT_MIN] == 300 && e[0].value[MEASURE_RTT_SUM] == 1900 &&
		    e[0].value[MEASURE_RTT_MAX] == 900);
	assert_true(e[1].day == DAY + 1 && e[1].quarter == 0 &&
		    e[1].value[MEASURE_RTT_MIN] == 5000);
	statbook_free(b);
}

/* Detail goes in this order: quarters of past days, then quarters of today before this one. */
static void todays_quarters_outlive_those_of_past_days(void **state)
{
	struct statbook *b = statbook_create(100);
	size_t n, past = 0, today = 0;

	(void)state;
	for (int32_t q = 0; q < 60; q++)
		note(b, 1, DAY, q, 0);
	for (int32_t q = 0; q < 41; q++)
		note(b, 1, DAY + 1, q, 0);
	const struct statbook_entry *e = taken(b, &n);
	for (size_t i = 0; i < n; i++) {
		past += e[i].day == DAY;
		today += e[i].day == DAY + 1;
		assert_int_equal(e[i].quarter == QUARTER_NONE, e[i].day == DAY);
	}
	assert_int_equal(past, 1);
	assert_int_equal(today, 41);
	assert_int_equal(e[0].value[MEASURE_SENT], 60);

	for (int32_t q = 0; q < 96; q++)
		for (uint32_t t = 1; t <= 2; t++)
			note(b, t, DAY, q, 0);
	e = taken(b, &n);
	assert_true(n <= 100 && e[0].quarter == QUARTER_NONE);
	assert_true(e[n - 1].quarter == 95 && e[n - 2].quarter == 95);
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += e[i].value[MEASURE_SENT];
	assert_int_equal(sum, 2 * 96);
	statbook_free(b);
}

/* The daily job charges by the day: a week without the database and with all tunnels busy keeps
 * every day's sums. */
static void a_week_keeps_its_days_apart(void **state)
{
	enum { DAYS = 7, LIMIT = 8 * TUNNELS };
	struct statbook *b = statbook_create(LIMIT);
	uint64_t sums[TUNNELS + 1][DAYS] = { 0 };
	size_t n;

	(void)state;
	for (int32_t day = 0; day < DAYS; day++)
		for (int32_t q = 0; q < QUARTERS_A_DAY; q++)
			for (uint32_t t = 1; t <= TUNNELS; t++) {
				note(b, t, DAY + day, q, 1000 + (uint64_t)q);
				assert_true(statbook_count(b) <= LIMIT);
			}
	const struct statbook_entry *e = taken(b, &n);
	for (size_t i = 0; i < n; i++)
		sums[e[i].tunnel][e[i].day - DAY] += e[i].value[MEASURE_PACKETS_IN];
	for (uint32_t t = 1; t <= TUNNELS; t++)
		for (int32_t day = 0; day < DAYS; day++)
			assert_int_equal(sums[t][day], QUARTERS_A_DAY);
	statbook_free(b);
}

static void beyond_a_week_the_oldest_days_become_one_and_no_sum_is_lost(void **state)
{
	enum { DAYS = 40, LIMIT = 8 * TUNNELS };
	struct statbook *b = statbook_create(LIMIT);
	uint64_t sums[TUNNELS + 1] = { 0 }, newest = 0;
	size_t n;

	(void)state;
	for (int32_t day = 0; day < DAYS; day++)
		for (int32_t q = 0; q < QUARTERS_A_DAY; q += 8)
			for (uint32_t t = 1; t <= TUNNELS; t++) {
				note(b, t, DAY + day, q, 0);
				assert_true(statbook_count(b) <= LIMIT);
			}
	const struct statbook_entry *e = taken(b, &n);
	for (size_t i = 0; i < n; i++) {
		assert_true(i == 0 || e[i - 1].day <= e[i].day); /* the oldest first */
		sums[e[i].tunnel] += e[i].value[MEASURE_SENT];
		if (e[i].day >= DAY + DAYS - 4)
			newest += e[i].value[MEASURE_SENT];
	}
	assert_int_equal(sums[0], 0);
	for (uint32_t t = 1; t <= TUNNELS; t++)
		assert_int_equal(sums[t], DAYS * 12);
	assert_int_equal(newest, 4 * 12 * TUNNELS); /* the newest days are as they were */
	statbook_free(b);
}

static void a_book_of_deleted_tunnels_is_bounded_too(void **state)
{
	enum { LIMIT = 64, GONE = 3000 };
	struct statbook *b = statbook_create(LIMIT);
	uint64_t sum = 0, of_pop = 0;
	size_t n;

	(void)state;
	for (uint32_t t = 1; t <= GONE; t++) {
		note(b, t, DAY + (int32_t)t / 500, (int32_t)t % 96, 0);
		assert_true(statbook_count(b) <= LIMIT);
	}
	const struct statbook_entry *e = taken(b, &n);
	for (size_t i = 0; i < n; i++) {
		sum += e[i].value[MEASURE_SENT];
		of_pop += e[i].tunnel == 0 ? e[i].value[MEASURE_SENT] : 0;
	}
	assert_int_equal(sum, GONE);
	assert_true(of_pop > 0 && of_pop < GONE);
	statbook_free(b);
}

/* A clock that goes back finds quarters of its future; they are neither lost nor taken for the
 * present. */
static void a_clock_that_jumps_loses_nothing(void **state)
{
	static const struct {
		int32_t day, quarter;
	} walk[] = { { DAY, 40 }, { DAY, 41 }, { DAY + 3000, 5 }, { DAY, 42 },
		     { DAY, 7 },  { -3, 95 },  { DAY, 43 },       { DAY, 44 } };
	struct statbook *b = statbook_create(4);
	uint64_t sum = 0;
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(walk); i++)
		note(b, 1, walk[i].day, walk[i].quarter, 0);
	const struct statbook_entry *e = taken(b, &n);
	assert_true(n <= 4);
	for (size_t i = 0; i < n; i++)
		sum += e[i].value[MEASURE_SENT];
	assert_int_equal(sum, ARRAY_LEN(walk));
	statbook_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quarter_is_one_entry_however_often_it_grows),
		cmocka_unit_test(an_entry_is_found_again_after_others_were_taken),
		cmocka_unit_test(round_trips_stay_right_when_entries_become_one),
		cmocka_unit_test(todays_quarters_outlive_those_of_past_days),
		cmocka_unit_test(a_week_keeps_its_days_apart),
		cmocka_unit_test(beyond_a_week_the_oldest_days_become_one_and_no_sum_is_lost),
		cmocka_unit_test(a_book_of_deleted_tunnels_is_bounded_too),
		cmocka_unit_test(a_clock_that_jumps_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
