#include "ticd/ctl/table.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include "lib/utf8.h"

enum { ESCAPED = 4 }; /* columns of \xNN */

/* Columns of the character (len 0: an invalid byte), or -1 when it is to be escaped. */
static int char_width(uint32_t code, size_t len)
{
	if (len == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0))
		return -1;
	if (code == 0x061c || code == 0x200e || code == 0x200f ||
	    (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
		return -1; /* direction marks, which would reorder the text beside them */
	if (code < 0x7f)
		return 1;
	int width = wcwidth((wchar_t)code);
	return width < 0 ? 1 : width; /* unknown to the locale: counts as one */
}

/* Walks `text`, writing to `out` unless that is NULL. */
static size_t walk(FILE *out, const char *text)
{
	size_t width = 0, left = strlen(text);
	while (left > 0) {
		uint32_t code;
		size_t len = utf8_decode(text, left, &code);
		size_t step = len > 0 ? len : 1;
		int columns = char_width(code, len);
		width += columns < 0 ? ESCAPED * step : (size_t)columns;
		for (size_t i = 0; out && i < step; i++)
			fprintf(out, columns < 0 ? "\\x%02x" : "%c", (unsigned char)text[i]);
		text += step;
		left -= step;
	}
	return width;
}

size_t table_width(const char *text)
{
	return walk(NULL, text);
}

size_t table_text(FILE *out, const char *text)
{
	return walk(out, text);
}

static const char *cell_text(const struct rows *rows, size_t row, size_t column)
{
	const char *text = rows_cell(rows, row, column);
	if (!text)
		return "-";
	if (rows->columns[column].kind == ROWS_BOOL)
		return *text == 't' ? "yes" : "no";
	return text;
}

static void pad(FILE *out, size_t n)
{
	while (n-- > 0)
		putc(' ', out);
}

static size_t column_width(const struct rows *rows, size_t column)
{
	size_t widest = strlen(rows->columns[column].name);
	for (size_t row = 0; row < rows->n; row++) {
		size_t width = table_width(cell_text(rows, row, column));
		widest = width > widest ? width : widest;
	}
	return widest;
}

/* Column names are SQL identifiers: last_report becomes "LAST REPORT" over a list and "last report"
 * in a record. */
static void write_name(FILE *out, const char *name, bool upper)
{
	for (; *name; name++)
		putc(*name == '_' ? ' ' : upper ? toupper((unsigned char)*name) : *name, out);
}

enum { COLUMNS_MAX = 64 }; /* of a list; no function of the database has as many */

/* Row -1 is the heading. */
static void write_row(FILE *out, const struct rows *rows, const size_t *widths, ptrdiff_t row)
{
	size_t owed = 0; /* blanks before the next text, so that none end a line */
	for (size_t column = 0; column < rows->width && column < COLUMNS_MAX; column++) {
		const char *name = rows->columns[column].name;
		const char *text = row < 0 ? name : cell_text(rows, (size_t)row, column);
		size_t width = row < 0 ? strlen(name) : table_width(text),
		       gap = widths[column] - width;
		bool right = rows->columns[column].kind == ROWS_NUMBER;
		if (width > 0)
			pad(out, owed + (right ? gap : 0));
		owed = width > 0 ? (right ? 0 : gap) : owed + gap;
		owed += 2;
		if (row < 0)
			write_name(out, name, true);
		else
			table_text(out, text);
	}
	putc('\n', out);
}

void table_list(FILE *out, const struct rows *rows)
{
	size_t widths[COLUMNS_MAX];
	for (size_t column = 0; column < rows->width && column < COLUMNS_MAX; column++)
		widths[column] = column_width(rows, column);
	for (ptrdiff_t row = -1; row < (ptrdiff_t)rows->n; row++)
		write_row(out, rows, widths, row);
}

void table_record(FILE *out, const struct rows *rows)
{
	size_t widest = 0;
	for (size_t column = 0; column < rows->width; column++) {
		size_t width = strlen(rows->columns[column].name);
		widest = width > widest ? width : widest;
	}
	for (size_t row = 0; row < rows->n; row++) {
		if (row > 0)
			putc('\n', out);
		for (size_t column = 0; column < rows->width; column++) {
			const char *name = rows->columns[column].name,
				   *text = cell_text(rows, row, column);
			write_name(out, name, false);
			putc(':', out);
			if (*text)
				pad(out, widest - strlen(name) + 1);
			table_text(out, text);
			putc('\n', out);
		}
	}
}

void table_lines(FILE *out, const struct rows *rows)
{
	for (size_t row = 0; row < rows->n; row++) {
		table_text(out, cell_text(rows, row, 0));
		putc('\n', out);
	}
}
