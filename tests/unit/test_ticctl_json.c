#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ticd/ctl/json.h"

static const struct rows_column columns[] = { { "message", ROWS_TEXT },
					      { "n", ROWS_NUMBER },
					      { "up", ROWS_BOOL } };

struct sink {
	FILE *file;
	char *text;
	size_t len;
};

static struct sink *sink_open(struct sink *s)
{
	s->file = open_memstream(&s->text, &s->len);
	assert_non_null(s->file);
	return s;
}

static void sink_expect(struct sink *s, const char *wanted)
{
	fclose(s->file);
	assert_string_equal(s->text, wanted);
	free(s->text);
}

static void list_is_an_array_of_objects(void **state)
{
	struct sink s;
	(void)state;
	const char *const cells[] = { "a \"b\" ü", "7", "t", NULL, NULL, NULL };
	const struct rows rows = { 2, 3, columns, cells, NULL, NULL };
	assert_true(json_write_list(sink_open(&s)->file, &rows));
	sink_expect(
		&s,
		"[\n  {\n    \"message\": \"a \\\"b\\\" ü\",\n    \"n\": 7,\n    \"up\": true\n  },\n"
		"  {\n    \"message\": null,\n    \"n\": null,\n    \"up\": null\n  }\n]\n");
	const struct rows none = { 0, 3, columns, NULL, NULL, NULL };
	assert_true(json_write_list(sink_open(&s)->file, &none));
	sink_expect(&s, "[]\n");
}

static void record_is_one_object_and_may_take_one_more_key(void **state)
{
	struct sink s;
	(void)state;
	const struct rows rows = { 1, 1, columns, (const char *const[]){ "done" }, NULL, NULL };
	assert_true(json_write_record(sink_open(&s)->file, &rows, "secret", NULL));
	sink_expect(&s, "{\n  \"message\": \"done\"\n}\n");
	assert_true(json_write_record(sink_open(&s)->file, &rows, "secret", "abc"));
	sink_expect(&s, "{\n  \"message\": \"done\",\n  \"secret\": \"abc\"\n}\n");
}

/* The text of a number and its JSON. */
static const struct {
	const char *text, *json;
} numbers[] = {
	{ "0", "0" },
	{ "-5", "-5" },
	{ "9223372036854775807", "9223372036854775807" },
	{ "-9223372036854775808", "-9223372036854775808" },
	{ "9223372036854775808", "9.2233720368547758e18" },
	{ "1.5", "1.5" },
	{ "NaN", "\"NaN\"" },
	{ "Infinity", "\"Infinity\"" },
	{ "", "\"\"" },
	{ "12 apples", "\"12 apples\"" },
};

static void numbers_are_numbers_where_json_has_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		struct sink s;
		char wanted[80];
		const struct rows rows = { 1,           1,
					   &columns[1], (const char *const[]){ numbers[i].text },
					   NULL,        NULL };
		snprintf(wanted, sizeof(wanted), "{\n  \"n\": %s\n}\n", numbers[i].json);
		assert_true(json_write_record(sink_open(&s)->file, &rows, "secret", NULL));
		sink_expect(&s, wanted);
	}
}

static void text_that_is_not_utf8_is_repaired(void **state)
{
	struct sink s;
	struct fault fault;
	(void)state;
	fault_set(&fault, -1, "usage", "no 'Z\xfcrich' \xe2\x82");
	assert_true(json_write_fault(sink_open(&s)->file, &fault));
	sink_expect(&s, "{\n  \"error\": \"no 'Z\xef\xbf\xbdrich' \xef\xbf\xbd\",\n"
			"  \"code\": \"usage\"\n}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_is_an_array_of_objects),
		cmocka_unit_test(record_is_one_object_and_may_take_one_more_key),
		cmocka_unit_test(numbers_are_numbers_where_json_has_them),
		cmocka_unit_test(text_that_is_not_utf8_is_repaired),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
