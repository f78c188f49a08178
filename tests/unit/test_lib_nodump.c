#include "lib/nodump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cmocka.h>

static void processes_after_it_leave_no_core(void **state)
{
	struct rlimit limit = { 1 << 20, 1 << 20 };

	(void)state;
	(void)setrlimit(RLIMIT_CORE, &limit);
	nodump_set();
	assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
	assert_int_equal(limit.rlim_cur, 0);
	assert_int_equal(limit.rlim_max, 0);
	assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), nodump_is_traced() ? 1 : 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processes_after_it_leave_no_core),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
