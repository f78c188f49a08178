#include "lib/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	int64_t s;
	const char *text;
} spans[] = {
	{ INT64_MIN, "0 s" },
	{ -5, "0 s" },
	{ 0, "0 s" },
	{ 1, "1 s" },
	{ 119, "119 s" },
	{ 120, "2 min" },
	{ 179, "2 min" },
	{ 3599, "59 min" },
	{ 3600, "1 h" },
	{ 3659, "1 h" },
	{ 3661, "1 h 1 min" },
	{ 86399, "23 h 59 min" },
	{ 86400, "1 day" },
	{ 90000, "1 day 1 h" },
	{ 176400, "2 days 1 h" },
	{ 7 * 86400 - 1, "6 days 23 h" },
	{ 7 * 86400 + 3600, "7 days" },
	{ 400 * 86400L, "400 days" },
	{ INT64_MAX, "106751991167300 days" },
};

static void span_shows_the_units_that_matter(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
		char out[SPAN_TEXT];
		assert_string_equal(span_text(spans[i].s, out), spans[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(span_shows_the_units_that_matter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
