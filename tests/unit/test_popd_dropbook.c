#include "popd/report/books.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

enum { DAY = 20780, MOST = 1000 };

static void note(struct dropbook *b, uint32_t tunnel, int32_t day, enum drop why)
{
	assert_true(dropbook_add(b, &(struct dropbook_entry){ tunnel, day, why, 1 }));
}

static const struct dropbook_entry *taken(struct dropbook *b, size_t *n)
{
	static struct dropbook_entry all[MOST];

	*n = dropbook_take(b, all, MOST);
	assert_int_equal(dropbook_count(b), 0);
	return all;
}

static void entries_of_the_same_key_become_one_when_the_book_is_full(void **state)
{
	struct dropbook *b = dropbook_create(10);
	size_t n;

	(void)state;
	for (int i = 0; i < 100; i++)
		note(b, 1 + (uint32_t)i % 2, DAY + i / 50,
		     i % 4 < 2 ? DROP_HOP_LIMIT : DROP_TOO_BIG);
	const struct dropbook_entry *e = taken(b, &n);
	assert_true(n <= 10);
	uint64_t sums[3][2][2] = { 0 };
	for (size_t i = 0; i < n; i++)
		sums[e[i].tunnel][e[i].day - DAY][e[i].reason == DROP_TOO_BIG] += e[i].packets;
	for (int tunnel = 1; tunnel <= 2; tunnel++)
		for (int day = 0; day < 2; day++)
			assert_true(sums[tunnel][day][0] + sums[tunnel][day][1] == 25 &&
				    sums[tunnel][day][0] >= 12);
	dropbook_free(b);
}

static void the_oldest_days_become_one_when_that_is_not_enough(void **state)
{
	struct dropbook *b = dropbook_create(16);
	uint64_t sum = 0, newest = 0;
	size_t n;

	(void)state;
	for (int32_t day = 0; day < 100; day++)
		for (uint32_t tunnel = 1; tunnel <= 4; tunnel++) {
			note(b, tunnel, DAY + day, DROP_HOP_LIMIT);
			assert_true(dropbook_count(b) <= 16);
		}
	const struct dropbook_entry *e = taken(b, &n);
	for (size_t i = 0; i < n; i++) {
		assert_true(e[i].tunnel != 0);
		assert_true(i == 0 || e[i - 1].day <= e[i].day);
		sum += e[i].packets;
		newest += e[i].day == DAY + 99 ? e[i].packets : 0;
	}
	assert_int_equal(sum, 400);
	assert_int_equal(newest, 4);
	dropbook_free(b);
}

static void at_last_the_oldest_half_is_the_pops(void **state)
{
	struct dropbook *b = dropbook_create(16);
	uint64_t sum = 0, of_pop = 0;
	size_t n;

	(void)state;
	for (uint32_t tunnel = 1; tunnel <= 500; tunnel++) {
		note(b, tunnel, DAY, DROP_HOP_LIMIT);
		assert_true(dropbook_count(b) <= 16);
	}
	const struct dropbook_entry *e = taken(b, &n);
	for (size_t i = 0; i < n; i++) {
		sum += e[i].packets;
		of_pop += e[i].tunnel == 0 ? e[i].packets : 0;
	}
	assert_int_equal(sum, 500);
	assert_true(of_pop > 0 && of_pop < 500);
	dropbook_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_of_the_same_key_become_one_when_the_book_is_full),
		cmocka_unit_test(the_oldest_days_become_one_when_that_is_not_enough),
		cmocka_unit_test(at_last_the_oldest_half_is_the_pops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
