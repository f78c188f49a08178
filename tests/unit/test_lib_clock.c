#include "lib/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/cc.h"

static void a_time_of_one_clock_is_told_by_the_other(void **state)
{
	static const struct {
		uint32_t wall, mono;
	} rows[] = { { 0, 0 }, { 1000000, 5000 }, { 999999, 4999 }, { 995001, 1 } };
	const struct moment now = { 1000000, { 5000 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(moment_mono(now, rows[i].wall).s, rows[i].mono);
		assert_int_equal(moment_wall(now, (mono_s_t){ rows[i].mono }), rows[i].wall);
	}
}

static void what_cannot_be_told_is_the_nearest_that_can(void **state)
{
	const struct moment now = { 1000000, { 5000 } }, early = { 10, { 5000 } };

	(void)state;
	assert_int_equal(moment_mono(now, 1003600).s, 5000); /* the clock was set back */
	assert_int_equal(moment_mono(now, 1).s, 1);
	assert_int_equal(moment_wall(early, (mono_s_t){ 100 }), 1);
	assert_int_equal(moment_wall(now, (mono_s_t){ 5010 }), 1000010);
}

static void times_before_the_boot_have_numbers(void **state)
{
	(void)state;
	assert_int_equal(mono_seconds_of((mono_us_t){ 0 }).s, MONO_S_BOOT);
	assert_int_equal(mono_seconds_of((mono_us_t){ 2999999 }).s, MONO_S_BOOT + 2);
	struct moment now = moment_now();
	assert_true(now.mono.s >= MONO_S_BOOT);
	assert_int_equal(moment_wall(now, moment_mono(now, now.wall - 86400 * 365)),
			 now.wall - 86400 * 365);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_time_of_one_clock_is_told_by_the_other),
		cmocka_unit_test(what_cannot_be_told_is_the_nearest_that_can),
		cmocka_unit_test(times_before_the_boot_have_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
