#include "ticd/ctl/json.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "lib/utf8.h"

/* A text that is not UTF-8 (an argument, a sentence that was cut) is cleaned. */
static json_t *text_value(const char *text)
{
	if (utf8_is_valid(text))
		return json_string(text);
	char *clean = utf8_clean(text);
	json_t *value = clean ? json_string(clean) : NULL;
	free(clean);
	return value;
}

/* Integers stay exact; NaN and the like stay texts. */
static json_t *number_value(const char *text)
{
	char *end;
	errno = 0;
	long long integer = strtoll(text, &end, 10);
	if (*end == '\0' && end != text && errno == 0)
		return json_integer(integer);
	double real = strtod(text, &end);
	json_t *value = *end == '\0' && end != text ? json_real(real) : NULL;
	return value ? value : text_value(text);
}

static json_t *cell_value(const struct rows *rows, size_t row, size_t column)
{
	const char *text = rows_cell(rows, row, column);
	if (!text)
		return json_null();
	switch (rows->columns[column].kind) {
	case ROWS_BOOL:
		return json_boolean(*text == 't');
	case ROWS_NUMBER:
		return number_value(text);
	case ROWS_TEXT:
		break;
	}
	return text_value(text);
}

static json_t *row_object(const struct rows *rows, size_t row)
{
	json_t *object = json_object();
	for (size_t column = 0; object && column < rows->width; column++) {
		if (json_object_set_new(object, rows->columns[column].name,
					cell_value(rows, row, column)) != 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

/* Takes `value`. */
static bool write_value(FILE *out, json_t *value)
{
	bool is_written = value && json_dumpf(value, out, JSON_INDENT(2)) == 0;
	json_decref(value);
	putc('\n', out);
	return is_written;
}

bool json_write_list(FILE *out, const struct rows *rows)
{
	json_t *list = json_array();
	for (size_t row = 0; list && row < rows->n; row++) {
		if (json_array_append_new(list, row_object(rows, row)) != 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return write_value(out, list);
}

bool json_write_record(FILE *out, const struct rows *rows, const char *extra_name,
		       const char *extra)
{
	json_t *object = row_object(rows, 0);
	if (object && extra && json_object_set_new(object, extra_name, text_value(extra)) != 0) {
		json_decref(object);
		object = NULL;
	}
	return write_value(out, object);
}

bool json_write_fault(FILE *out, const struct fault *fault)
{
	json_t *object = json_object();
	if (object && (json_object_set_new(object, "error", text_value(fault->text)) != 0 ||
		       json_object_set_new(object, "code", text_value(fault->code)) != 0)) {
		json_decref(object);
		object = NULL;
	}
	return write_value(out, object);
}
