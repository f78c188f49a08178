#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/histogram.h"

static void each_value_is_counted_in_the_bucket_whose_bound_it_does_not_exceed(void **state)
{
	static const struct {
		uint64_t value;
		size_t bucket;
	} rows[] = {
		{ 0, 0 },
		{ 1, 0 },
		{ 2, 1 },
		{ 3, 2 },
		{ 4, 2 },
		{ 5, 3 },
		{ 64, 6 },
		{ 65, 7 },
		{ 1 << 20, 20 },
		{ (1 << 22) - 1, 22 },
		{ 1 << 22, 22 },
		{ (1 << 22) + 1, 23 },
		{ UINT64_C(1) << 63, 23 },
		{ (UINT64_C(1) << 63) + 1, 23 },
		{ UINT64_MAX, 23 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct histogram h;
		struct histogram_view v = { .sum = 0 };
		memset(&h, 0, sizeof(h));
		histogram_add(&h, rows[i].value);
		histogram_read(&h, &v);
		assert_int_equal(histogram_count(&v), 1);
		assert_int_equal(v.counts[rows[i].bucket], 1);
		assert_int_equal(v.sum, rows[i].value);
		assert_true(rows[i].value <= histogram_bound(rows[i].bucket));
		assert_true(rows[i].bucket == 0 ||
			    rows[i].value > histogram_bound(rows[i].bucket - 1));
	}
}

static void reading_adds_so_that_workers_can_be_summed(void **state)
{
	struct histogram a, b;
	struct histogram_view v = { .sum = 0 };

	(void)state;
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	histogram_add(&a, 3);
	histogram_add(&b, 4);
	histogram_add(&b, 100);
	histogram_read(&a, &v);
	histogram_read(&b, &v);
	assert_int_equal(v.counts[2], 2);
	assert_int_equal(v.counts[7], 1);
	assert_int_equal(v.sum, 107);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The sorted values are the oracle. */
static void a_quantile_is_the_bound_of_the_bucket_with_that_value(void **state)
{
	enum { VALUES = 777 };
	static uint64_t values[VALUES];
	struct histogram h;
	struct histogram_view v = { .sum = 0 };

	(void)state;
	memset(&h, 0, sizeof(h));
	assert_int_equal(histogram_quantile(&v, 500), 0);
	srandom(5);
	for (size_t i = 0; i < VALUES; i++) {
		values[i] = (uint64_t)random() >> (random() % 31);
		histogram_add(&h, values[i]);
	}
	histogram_read(&h, &v);
	qsort(values, VALUES, sizeof(values[0]), by_value);
	for (unsigned permille = 1; permille <= 1000; permille++) {
		uint64_t value = values[(VALUES * permille + 999) / 1000 - 1];
		size_t bucket = 0;
		while (value > histogram_bound(bucket))
			bucket++;
		assert_int_equal(histogram_quantile(&v, permille), histogram_bound(bucket));
	}
}

static void a_quantile_of_very_many_does_not_overflow(void **state)
{
	struct histogram_view v = { .counts = { [3] = UINT64_MAX / 2, [9] = UINT64_MAX / 2 } };

	(void)state;
	assert_int_equal(histogram_quantile(&v, 499), 8);
	assert_int_equal(histogram_quantile(&v, 990), 512);
	assert_int_equal(histogram_quantile(&v, 1000), 512);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			each_value_is_counted_in_the_bucket_whose_bound_it_does_not_exceed),
		cmocka_unit_test(reading_adds_so_that_workers_can_be_summed),
		cmocka_unit_test(a_quantile_is_the_bound_of_the_bucket_with_that_value),
		cmocka_unit_test(a_quantile_of_very_many_does_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
