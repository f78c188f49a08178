#include "ticd/proto/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/test_ticd_feed.h"

/* The expected lines, each followed by '|', and the end as '.', 'L' or 'B'. */
static const struct {
	const char *name, *input;
	size_t len; /* 0: strlen(input) */
	const char *expected;
} cases[] = {
	{ "nothing", "", 0, "." },
	{ "one, LF", "quit\n", 0, "quit|." },
	{ "one, CRLF", "quit\r\n", 0, "quit|." },
	{ "two, mixed ends", "a b\r\nc\n", 0, "a b|c|." },
	{ "empty ones", "\n\r\n\n", 0, "|||." },
	{ "unfinished", "get unix", 0, "." },
	{ "unfinished after one", "a\nb", 0, "a|." },
	{ "unfinished at the CR", "a\r", 0, "." },
	{ "tab is a blank", "get\tunixtime\n", 0, "get\tunixtime|." },
	{ "outer blanks stay", "  a  \n", 0, "  a  |." },
	{ "not ASCII", "client \xc3\xa9\n", 0, "client ?\?|." },
	{ "NUL", "a\0b\n", 4, "B" },
	{ "NUL after a line", "a\n\0", 3, "a|B" },
	{ "CR alone", "a\rb\n", 0, "B" },
	{ "two CR", "a\r\r\n", 0, "B" },
	{ "escape", "\x1b[0m\n", 0, "B" },
	{ "delete", "a\x7f\n", 0, "B" },
	{ "the beginning of TLS", "\x16\x03\x01\x02", 4, "B" },
};

/* Feeds [0, cut) and then the rest, or, with step > 0, pieces of that size. */
static void run(const char *input, size_t len, size_t cut, size_t step, char *result, size_t size)
{
	struct line_in in;
	size_t at = 0, used = 0;

	line_init(&in);
	result[0] = '\0';
	for (;;) {
		size_t piece = step > 0 ? step : at < cut ? cut - at : len - at, line_len;
		const char *text;
		enum line_result r;

		if (piece > len - at)
			piece = len - at;
		at += line_feed(&in, input + at, piece);
		while ((r = line_next(&in, &text, &line_len)) == LINE_TEXT) {
			assert_true(used + line_len + 2 < size);
			memcpy(result + used, text, line_len);
			used += line_len;
			result[used++] = '|';
		}
		if (r == LINE_NONE && at < len)
			continue;
		result[used++] = r == LINE_NONE ? '.' : r == LINE_TOO_LONG ? 'L' : 'B';
		result[used] = '\0';
		/* a fault stays one */
		if (r != LINE_NONE)
			assert_int_equal(line_next(&in, &text, &line_len), r);
		return;
	}
}

static void lines_any_split_same_lines(void **state)
{
	char result[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = cases[i].len > 0 ? cases[i].len : strlen(cases[i].input);

		for (size_t cut = 0; cut <= len; cut++) {
			run(cases[i].input, len, cut, 0, result, sizeof(result));
			if (strcmp(result, cases[i].expected) != 0)
				fail_msg("%s, cut at %zu: %s", cases[i].name, cut, result);
		}
		run(cases[i].input, len, 0, 1, result, sizeof(result));
		assert_string_equal(result, cases[i].expected);
	}
}

static void lines_length_limit_is_exact(void **state)
{
	static const struct {
		size_t text;
		const char *end;
		bool fits;
	} rows[] = {
		{ LINE_TEXT_MAX - 1, "\n", true },    { LINE_TEXT_MAX, "\n", true },
		{ LINE_TEXT_MAX, "\r\n", true },      { LINE_TEXT_MAX + 1, "\n", false },
		{ LINE_TEXT_MAX + 1, "\r\n", false }, { LINE_TEXT_MAX + 1, "", false },
		{ LINE_TEXT_MAX + 2, "", false },     { 5000, "\n", false },
	};
	char input[6000], result[6000];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t step = 1; step < 3000; step = step * 3 + 1) {
			size_t len = rows[i].text;

			memset(input, 'x', len);
			memcpy(input + len, rows[i].end, strlen(rows[i].end) + 1);
			len += strlen(rows[i].end);
			run(input, len, 0, step, result, sizeof(result));
			if (rows[i].fits)
				assert_int_equal(strlen(result), rows[i].text + 2);
			else if (rows[i].text == LINE_TEXT_MAX + 1 && rows[i].end[0] == '\0')
				assert_string_equal(
					result,
					"."); /* one more byte decides: it may still be a CR */
			else
				assert_string_equal(result, "L");
		}
	}
}

static void lines_space_is_given_back_when_taken(void **state)
{
	struct line_in in;
	const char *text;
	size_t len, space;
	char filler[LINE_BUFFER];

	(void)state;
	line_init(&in);
	memset(filler, 'y', sizeof(filler));
	assert_int_equal(line_feed(&in, "abc\n", 4), 4);
	assert_int_equal(line_feed(&in, filler, sizeof(filler)), LINE_BUFFER - 4);
	(void)line_space(&in, &space);
	assert_int_equal(space, 0);
	assert_true(line_is_full(&in));
	assert_int_equal(line_next(&in, &text, &len), LINE_TEXT);
	(void)line_space(&in, &space);
	assert_int_equal(space, 4);
	assert_false(line_is_full(&in));
	assert_false(line_is_empty(&in));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_any_split_same_lines),
		cmocka_unit_test(lines_length_limit_is_exact),
		cmocka_unit_test(lines_space_is_given_back_when_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
