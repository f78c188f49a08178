#include "popd/fastpath/verifier.h"

#include "tests/unit/test_popd_fixture.h"

static void count_line(void *arg, const char *line)
{
	size_t *n = arg;

	assert_true(*line != '\0' && !strchr(line, '\n'));
	++*n;
}

static void the_reason_is_the_last_line_before_the_statistics(void **state)
{
	static const struct {
		const char *log, *reason;
		size_t lines;
	} rows[] = {
		{ "", NULL, 0 },
		{ "\n\n", NULL, 0 },
		{ "processed 0 insns (limit 1000000)\n", NULL, 1 },
		{ "0: (bf) r6 = r1\n12: (63) *(u32 *)(r10 -8) = r1\n"
		  "attempt to corrupt spilled pointer on stack\nverification time 71 usec\n"
		  "stack depth 288\nprocessed 12 insns (limit 1000000) max_states_per_insn 0\n",
		  "attempt to corrupt spilled pointer on stack", 6 },
		{ "The sequence of 8193 jumps is too complex.\nprocessed 5 insns",
		  "The sequence of 8193 jumps is too complex.", 2 },
		{ "no newline", "no newline", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *log = strdup(rows[i].log);
		size_t lines = 0;
		assert_non_null(log);
		const char *reason = verifier_reason(log, count_line, &lines);
		if (rows[i].reason)
			assert_string_equal(reason, rows[i].reason);
		else
			assert_null(reason);
		assert_int_equal(lines, rows[i].lines);
		free(log);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reason_is_the_last_line_before_the_statistics),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
