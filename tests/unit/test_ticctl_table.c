#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "ticd/ctl/table.h"

static const struct {
	const char *text, *shown;
	size_t width;
} texts[] = {
	{ "", "", 0 },
	{ "plain", "plain", 5 },
	{ "Zürich", "Zürich", 6 },
	{ "東京", "東京", 4 },           /* two columns each */
	{ "e\xcc\x81", "e\xcc\x81", 1 }, /* a combining accent takes none */
	{ "a\nb\tc", "a\\x0ab\\x09c", 11 },
	{ "\x1b[31mred", "\\x1b[31mred", 11 }, /* no colours from the database */
	{ "\x7f", "\\x7f", 4 },
	{ "\xc2\x9b", "\\xc2\\x9b", 8 }, /* the one-character CSI */
	{ "\xe2\x80\xae"
	  "abc",
	  "\\xe2\\x80\\xae"
	  "abc",
	  15 },                           /* right-to-left override */
	{ "Z\xfcrich", "Z\\xfcrich", 9 }, /* not UTF-8 */
	{ "cut \xe2\x82", "cut \\xe2\\x82", 12 },
};

/* What `write` prints, for the caller to free. */
static char *printed(void (*write)(FILE *out, const void *arg), const void *arg)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	assert_non_null(out);
	write(out, arg);
	fclose(out);
	return text;
}

static void write_text(FILE *out, const void *arg)
{
	table_text(out, arg);
}
static void write_list(FILE *out, const void *arg)
{
	table_list(out, arg);
}
static void write_record(FILE *out, const void *arg)
{
	table_record(out, arg);
}
static void write_lines(FILE *out, const void *arg)
{
	table_lines(out, arg);
}

static void expect(void (*write)(FILE *out, const void *arg), const void *arg, const char *wanted)
{
	char *got = printed(write, arg);
	assert_string_equal(got, wanted);
	free(got);
}

static void text_of_any_bytes_is_shown_without_harm(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		expect(write_text, texts[i].text, texts[i].shown);
		assert_int_equal(table_width(texts[i].text), texts[i].width);
	}
}

static const struct rows_column columns[] = { { "name", ROWS_TEXT },
					      { "last_report", ROWS_TEXT },
					      { "n", ROWS_NUMBER },
					      { "up", ROWS_BOOL } };
/* clang-format off */
static const char *const cells[] = {
	"zürich01", "2026-11-23T13:45:12Z", "7", "t",
	"x", NULL, "10000", "f",
	"", "", NULL, NULL,
};
/* clang-format on */
static const struct rows full = { 3, 4, columns, cells, NULL, NULL };
static const struct rows empty = { 0, 4, columns, NULL, NULL, NULL };

static void list_aligns_characters_and_ends_no_line_in_blanks(void **state)
{
	(void)state;
	expect(write_list, &full,
	       "NAME      LAST REPORT               N  UP\n"
	       "zürich01  2026-11-23T13:45:12Z      7  yes\n"
	       "x         -                     10000  no\n"
	       "                                    -  -\n");
	const struct rows texts_only = {
		3, 2, columns, (const char *const[]){ "a", "b", "ccc", "", "", "" }, NULL, NULL
	};
	expect(write_list, &texts_only, "NAME  LAST REPORT\na     b\nccc\n\n");
	expect(write_list, &empty, "NAME  LAST REPORT  N  UP\n");
}

static void record_puts_values_under_each_other(void **state)
{
	(void)state;
	const struct rows first = { 1, 4, columns, cells, NULL, NULL };
	const struct rows two = { 2,    2,   columns, (const char *const[]){ "a", "", "b", NULL },
				  NULL, NULL };
	expect(write_record, &first,
	       "name:        zürich01\n"
	       "last report: 2026-11-23T13:45:12Z\n"
	       "n:           7\n"
	       "up:          yes\n");
	expect(write_record, &two,
	       "name:        a\nlast report:\n\nname:        b\nlast report: -\n");
	expect(write_record, &empty, "");
}

static void lines_print_the_first_column_alone(void **state)
{
	(void)state;
	expect(write_lines, &full, "zürich01\nx\n\n");
}

static int use_utf8(void **state)
{
	(void)state;
	return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : 1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_any_bytes_is_shown_without_harm),
		cmocka_unit_test(list_aligns_characters_and_ends_no_line_in_blanks),
		cmocka_unit_test(record_puts_values_under_each_other),
		cmocka_unit_test(lines_print_the_first_column_alone),
	};
	return cmocka_run_group_tests(tests, use_utf8, NULL);
}
