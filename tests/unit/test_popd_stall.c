#include "popd/daemon/stall.h"

#include "tests/unit/test_popd_fixture.h"

static mono_t second(int64_t n)
{
	return (mono_t){ n * 1000 };
}

static void a_thread_that_does_nothing_for_three_looks_stands_still_once(void **state)
{
	struct stall s = { 0 };

	(void)state;
	assert_int_equal(stall_look(&s, 7, second(100)), STALL_SAME);
	assert_int_equal(stall_look(&s, 7, second(101)), STALL_SAME);
	assert_int_equal(stall_look(&s, 7, second(102)), STALL_SAME);
	assert_int_equal(stall_seconds(&s, second(102)), 0);
	assert_int_equal(stall_look(&s, 7, second(103)), STALL_BEGINS);
	assert_int_equal(stall_seconds(&s, second(103)), 3);
	for (int64_t n = 104; n < 200; n++)
		assert_int_equal(stall_look(&s, 7, second(n)), STALL_SAME);
	assert_int_equal(stall_seconds(&s, second(200)), 100);
	assert_int_equal(stall_look(&s, 8, second(201)), STALL_ENDS);
	assert_int_equal(stall_seconds(&s, second(201)), 0);
	assert_int_equal(stall_look(&s, 9, second(202)), STALL_SAME);
}

static void a_process_that_was_stopped_for_an_hour_stands_for_no_thread(void **state)
{
	struct stall s = { 0 };

	(void)state;
	assert_int_equal(stall_look(&s, 1, second(1)), STALL_SAME);
	assert_int_equal(stall_look(&s, 1, second(3600)), STALL_SAME);
	assert_int_equal(stall_seconds(&s, second(3600)), 0);
	assert_int_equal(stall_look(&s, 2, second(3601)), STALL_SAME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_that_does_nothing_for_three_looks_stands_still_once),
		cmocka_unit_test(a_process_that_was_stopped_for_an_hour_stands_for_no_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
