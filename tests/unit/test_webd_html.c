#include "web/page/html.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/utf8.h"

static void assert_html(struct html *h, const char *expected)
{
	size_t len;
	char *data = html_take(h, &len);
	assert_non_null(data);
	assert_int_equal(len, strlen(expected));
	assert_memory_equal(data, expected, len);
	free(data);
}

#define BAD "\xef\xbf\xbd" /* U+FFFD */

static const struct {
	const char *name, *input, *expected;
} texts[] = {
	{ "plain", "Amsterdam", "Amsterdam" },
	{ "markup", "<b>&\"'</b>", "&lt;b&gt;&amp;&quot;&#39;&lt;/b&gt;" },
	{ "already escaped is escaped again", "&lt;", "&amp;lt;" },
	{ "tab and newline stay", "a\tb\nc", "a\tb\nc" },
	{ "control characters", "a\x01\x1f\x7f\r", "a" BAD BAD BAD BAD },
	{ "C1 control", "\xc2\x85", BAD },
	{ "two, three and four bytes", "\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\xa2",
	  "\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\xa2" },
	{ "highest code point's neighbours", "\xf4\x8f\xbf\xbd\xf4\x8f\xbf\xbf\xf4\x90\x80\x80",
	  "\xf4\x8f\xbf\xbd" BAD BAD },
	{ "overlong slash", "\xc0\xaf", BAD },
	{ "overlong less-than in three bytes", "\xe0\x80\xbc", BAD },
	{ "surrogate", "\xed\xa0\x80", BAD },
	{ "non-characters", "\xef\xbf\xbe\xef\xb7\x90", BAD BAD },
	{ "lone continuation byte", "\x80<", BAD "&lt;" },
	{ "sequence cut by markup", "\xe2\x82<", BAD "&lt;" },
	{ "sequence cut by the end", "\xf0\x9f\x90", BAD },
	{ "no such lead byte", "\xff\xf8", BAD BAD },
};

static void text_of_any_bytes_is_escaped_and_valid(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct html h = html_init(1000);
		print_message("%s\n", texts[i].name);
		html_text(&h, texts[i].input);
		assert_html(&h, texts[i].expected);
	}
}

static void cleaned_text_is_the_same_without_escapes(void **state)
{
	(void)state;
	char *clean = utf8_clean("a\x01<\xff\xc3\xbc\xe2\x82");
	assert_string_equal(clean, "a" BAD "<" BAD "\xc3\xbc" BAD);
	free(clean);
}

static void put_escapes_arguments_and_not_markup(void **state)
{
	(void)state;
	struct html h = html_init(1000);
	html_put(&h, "<p class=\"%s\">%s</p>", "\"x", "<&>");
	html_put(&h, "%d|%ld|%lld|%" PRId64 "|%u|%lu|%llu|%zu|%%", -1, -2L, -3LL, INT64_MIN, 4U,
		 5UL, 6ULL, (size_t)7);
	const char *volatile none = NULL; /* volatile, so that the compiler cannot know the value */
	html_put(&h, "[%s]", none);
	assert_html(
		&h,
		"<p class=\"&quot;x\">&lt;&amp;&gt;</p>-1|-2|-3|-9223372036854775808|4|5|6|7|%[]");
}

static void put_refuses_a_conversion_it_does_not_know(void **state)
{
	size_t len = 1;
	(void)state;
	struct html h = html_init(1000);
	html_put(&h, "%c %s", 'c', "later");
	assert_true(h.failed);
	html_put(&h, "more");
	assert_null(html_take(&h, &len));
	assert_int_equal(len, 0);
}

static void limit_is_exact_and_failure_sticks(void **state)
{
	(void)state;
	static char text[20001];
	memset(text, 'x', sizeof(text) - 1);
	for (size_t max = 19999; max <= 20001; max++) {
		struct html h = html_init(max);
		size_t len;
		html_put(&h, "%s", text);
		char *data = html_take(&h, &len);
		assert_true((data != NULL) == (max >= 20000));
		assert_int_equal(len, data ? 20000 : 0);
		free(data);
	}
	struct html h = html_init(3);
	html_put(&h, "abcd");
	html_put(&h, "a");
	assert_true(h.failed);
	html_free(&h);
}

static void nothing_written_is_no_document(void **state)
{
	size_t len;
	(void)state;
	struct html h = html_init(10);
	assert_null(html_take(&h, &len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_any_bytes_is_escaped_and_valid),
		cmocka_unit_test(cleaned_text_is_the_same_without_escapes),
		cmocka_unit_test(put_escapes_arguments_and_not_markup),
		cmocka_unit_test(put_refuses_a_conversion_it_does_not_know),
		cmocka_unit_test(limit_is_exact_and_failure_sticks),
		cmocka_unit_test(nothing_written_is_no_document),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
