#include "ticd/proto/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void tokens_are_split_at_blanks(void **state)
{
	static const struct {
		const char *line;
		size_t n;
		const char *first, *second, *rest;
	} rows[] = {
		{ "", 0, "", "", "" },
		{ "   \t ", 0, "", "", "" },
		{ "quit", 1, "quit", "", "" },
		{ "  quit  ", 1, "quit", "", "" },
		{ "tunnel list", 2, "tunnel", "list", "list" },
		{ "tunnel \t list ", 2, "tunnel", "list", "list" },
		{ "client  TIC/draft-00 a  b ", 4, "client", "TIC/draft-00", "TIC/draft-00 a  b" },
		{ "1 2 3 4 5 6 7 8 9 10", 10, "1", "2", "2 3 4 5 6 7 8 9 10" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tokens t = tokens_split(rows[i].line, strlen(rows[i].line));

		assert_int_equal(t.n, rows[i].n);
		assert_true(token_is(t.at[0], rows[i].first));
		assert_true(token_is(t.at[1], rows[i].second));
		assert_int_equal(t.rest.len, strlen(rows[i].rest));
		assert_memory_equal(t.rest.text, rows[i].rest, t.rest.len);
	}
}

static void token_is_the_same_in_any_case(void **state)
{
	struct token t = { "StartTLS now", 8 };

	(void)state;
	assert_true(token_is(t, "starttls"));
	assert_true(token_is(t, "STARTTLS"));
	assert_false(token_is(t, "starttl"));
	assert_false(token_is(t, "starttls "));
}

static void token_copy_is_cut_to_its_buffer(void **state)
{
	struct token t = { "abcdef", 4 };
	char out[8];

	(void)state;
	token_copy(t, out, sizeof(out));
	assert_string_equal(out, "abcd");
	token_copy(t, out, 5);
	assert_string_equal(out, "abcd");
	token_copy(t, out, 4);
	assert_string_equal(out, "abc");
	token_copy(t, out, 1);
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_are_split_at_blanks),
		cmocka_unit_test(token_is_the_same_in_any_case),
		cmocka_unit_test(token_copy_is_cut_to_its_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
