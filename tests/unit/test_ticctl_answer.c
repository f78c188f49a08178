#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "ticd/ctl/answer.h"

static const struct {
	const char *text, *line;
} rows[] = {
	{ "", "" },
	{ "a sentence.", "a sentence." },
	{ "connection failed\n\tIs the server running?\n",
	  "connection failed Is the server running?" },
	{ "two  blanks stay", "two  blanks stay" },
	{ "\n\nfirst", "first" },
	{ "cr\r\nlf", "cr lf" },
	{ " \n ", "" },
};

static void set_makes_one_line_and_gives_the_error_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fault f;
		assert_int_equal(fault_set(&f, -7, "BK001", "%s", rows[i].text), -7);
		assert_string_equal(f.code, "BK001");
		assert_string_equal(f.text, rows[i].line);
	}
}

static void text_fits_exactly_or_is_cut(void **state)
{
	char text[FAULT_TEXT + 2];
	struct fault f;
	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t len = FAULT_TEXT - 2; len <= FAULT_TEXT + 1; len++) {
		fault_set(&f, -1, "a code that is far too long", "%.*s", (int)len, text);
		assert_int_equal(strlen(f.text), len < FAULT_TEXT ? len : FAULT_TEXT - 1);
		assert_int_equal(strlen(f.code), FAULT_CODE - 1);
	}
}

static void prefix_goes_before_and_never_beyond(void **state)
{
	char text[FAULT_TEXT];
	struct fault f;
	(void)state;
	fault_set(&f, -1, "database", "reason");
	fault_prefix(&f, "schema/%s", "roles.sql");
	assert_string_equal(f.text, "schema/roles.sql: reason");
	memset(text, 'x', sizeof(text));
	for (size_t len = FAULT_TEXT - 8; len < FAULT_TEXT; len++) {
		fault_set(&f, -1, "database", "reason");
		fault_prefix(&f, "%.*s", (int)len, text);
		assert_true(strlen(f.text) < FAULT_TEXT);
		/* What does not fit with at least a byte of the reason leaves the reason alone. */
		assert_true(len + 2 < FAULT_TEXT ? f.text[len] == ':'
						 : strcmp(f.text, "reason") == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_makes_one_line_and_gives_the_error_back),
		cmocka_unit_test(text_fits_exactly_or_is_cut),
		cmocka_unit_test(prefix_goes_before_and_never_beyond),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
