#include "ticd/core/out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void out_gives_back_what_went_in(void **state)
{
	struct out o = { .buf = NULL };
	unsigned put = 0, got = 0;
	char text[16];

	(void)state;
	srand(1);
	for (int round = 0; round < 20000; round++) {
		if (rand() % 2 == 0) {
			assert_true(out_append(
				&o, text, (size_t)snprintf(text, sizeof(text), "%07u\n", put++)));
		} else if (out_len(&o) > 0) {
			assert_int_equal(atoi(out_data(&o)), got++);
			out_drop(&o, 8);
		}
		assert_int_equal(out_len(&o), 8 * (put - got));
	}
	out_clear(&o);
	assert_int_equal(out_len(&o), 0);
}

static void out_empty_holds_no_memory(void **state)
{
	struct out o = { .buf = NULL };

	(void)state;
	assert_true(out_append(&o, "abc", 3));
	assert_non_null(o.buf);
	out_drop(&o, 3);
	assert_null(o.buf);
	assert_true(out_append(&o, "", 0));
	assert_null(o.buf);
}

static void out_limit_is_exact(void **state)
{
	struct out o = { .buf = NULL };
	char *block = calloc(1, OUT_MAX);

	(void)state;
	assert_non_null(block);
	assert_true(out_append(&o, block, OUT_MAX - 1));
	assert_false(out_append(&o, block, 2));
	assert_int_equal(out_len(&o), OUT_MAX - 1);
	assert_true(out_append(&o, block, 1));
	assert_false(out_append(&o, block, 1));
	out_drop(&o, 1000);
	assert_true(out_append(&o, block, 1000));
	out_clear(&o);
	free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(out_gives_back_what_went_in),
		cmocka_unit_test(out_empty_holds_no_memory),
		cmocka_unit_test(out_limit_is_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
