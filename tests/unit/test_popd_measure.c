#include "popd/core/measure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

/* A name is a column of the database, a key of JSON and part of a metric. */
static void names_are_fit_for_every_use_and_differ(void **state)
{
	(void)state;
	for (enum measure m = 0; m < MEASURE__COUNT; m++) {
		const char *name = measure_name(m);
		assert_true(strlen(name) >= 4);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
		for (enum measure other = 0; other < m; other++)
			assert_string_not_equal(name, measure_name(other));
	}
}

static void each_has_a_unit_that_fits_its_name_and_a_sentence(void **state)
{
	(void)state;
	for (enum measure m = 0; m < MEASURE__COUNT; m++) {
		const char *name = measure_name(m), *unit = measure_unit(m),
			   *text = measure_text(m);
		assert_true(strlen(unit) > 0);
		assert_true(strlen(text) > 10 && text[strlen(text) - 1] != '.');
		assert_int_equal(strncmp(name, "bytes", 5) == 0, strcmp(unit, "bytes") == 0);
		assert_int_equal(strstr(name, "_us") != NULL, strcmp(unit, "microseconds") == 0);
	}
}

static void only_extremes_are_not_summed(void **state)
{
	(void)state;
	for (enum measure m = 0; m < MEASURE__COUNT; m++)
		assert_int_equal(measure_how(m), m == MEASURE_RTT_MIN   ? MEASURE_MIN
						 : m == MEASURE_RTT_MAX ? MEASURE_MAX
									: MEASURE_SUM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_fit_for_every_use_and_differ),
		cmocka_unit_test(each_has_a_unit_that_fits_its_name_and_a_sentence),
		cmocka_unit_test(only_extremes_are_not_summed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
