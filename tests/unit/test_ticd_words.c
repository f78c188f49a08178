#include "ticd/proto/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void words_are_cut_at_blanks(void **state)
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
		struct words w = words_split(rows[i].line, strlen(rows[i].line));

		assert_int_equal(w.n, rows[i].n);
		assert_true(word_is(w.at[0], rows[i].first));
		assert_true(word_is(w.at[1], rows[i].second));
		assert_int_equal(w.rest.len, strlen(rows[i].rest));
		assert_memory_equal(w.rest.text, rows[i].rest, w.rest.len);
	}
}

static void word_is_the_same_in_any_case(void **state)
{
	struct word w = { "StartTLS now", 8 };

	(void)state;
	assert_true(word_is(w, "starttls"));
	assert_true(word_is(w, "STARTTLS"));
	assert_false(word_is(w, "starttl"));
	assert_false(word_is(w, "starttls "));
}

static void word_copy_fits_exactly_or_fails(void **state)
{
	struct word w = { "abcd", 4 };
	char out[8];

	(void)state;
	assert_true(word_copy(w, out, 5));
	assert_string_equal(out, "abcd");
	assert_false(word_copy(w, out, 4));
	assert_string_equal(out, "");
	assert_false(word_copy(w, out, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_cut_at_blanks),
		cmocka_unit_test(word_is_the_same_in_any_case),
		cmocka_unit_test(word_copy_fits_exactly_or_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
