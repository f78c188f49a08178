#include "popd/ctl/print.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/span.h"

/* ---- cells ---- */

const char *cell_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "-";
}

unsigned long long cell_number(const json_t *o, const char *key)
{
	return (unsigned long long)json_integer_value(json_object_get(o, key));
}

const char *cell_ago(const json_t *o, const char *key, char out[static CELL])
{
	const json_t *age = json_object_get(o, key);
	char text[SPAN_TEXT];

	if (!json_is_integer(age))
		snprintf(out, CELL, "never");
	else
		snprintf(out, CELL, "%s ago", span_text(json_integer_value(age), text));
	return out;
}

const char *cell_bytes(unsigned long long n, char out[static CELL])
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB" };
	double v = (double)n;
	size_t unit = 0;

	if (n < 10000) {
		snprintf(out, CELL, "%llu B", n);
		return out;
	}
	for (v /= 1000; v >= 10000 && unit + 1 < ARRAY_LEN(units); v /= 1000)
		unit++;
	snprintf(out, CELL, v < 100 ? "%.1f %s" : "%.0f %s", v, units[unit]);
	return out;
}

const char *cell_count(unsigned long long n, char out[static CELL])
{
	snprintf(out, CELL, "%llu", n);
	return out;
}

const char *cell_bits(unsigned long long n, char out[static CELL])
{
	static const char *const units[] = { "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s" };
	double v = (double)n;
	size_t unit = 0;

	for (; v >= 1000 && unit + 1 < ARRAY_LEN(units); v /= 1000)
		unit++;
	snprintf(out, CELL, unit > 0 && v < 100 ? "%.1f %s" : "%.0f %s", v, units[unit]);
	return out;
}

const char *cell_rate(const json_t *o, const char *key, char out[static CELL])
{
	double v = json_number_value(json_object_get(o, key));

	snprintf(out, CELL, v < 100 ? "%.1f" : "%.0f", v);
	return out;
}

/* ---- columns ---- */

struct columns {
	size_t n, count, size;
	const char *right;
	char **cells;
};

struct columns *columns_create(size_t n, const char *right)
{
	struct columns *c = calloc(1, sizeof(*c));

	if (c)
		*c = (struct columns){ .n = n, .right = right };
	return c;
}

void columns_free(struct columns *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->count; i++)
		free(c->cells[i]);
	free(c->cells);
	free(c);
}

void columns_add(struct columns *c, const char *text)
{
	if (c->count == c->size) {
		size_t size = c->size ? 2 * c->size : 64;
		char **grown = realloc(c->cells, size * sizeof(*grown));
		if (!grown)
			return;
		c->cells = grown;
		c->size = size;
	}
	char *copy = strdup(text);
	if (!copy)
		return;
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	c->cells[c->count++] = copy;
}

static int width(const struct columns *c, size_t column)
{
	size_t widest = 0;

	for (size_t i = column; i < c->count; i += c->n)
		if (strlen(c->cells[i]) > widest)
			widest = strlen(c->cells[i]);
	return (int)widest;
}

void columns_print(const struct columns *c, FILE *f)
{
	int *widths = calloc(c->n, sizeof(*widths));

	if (!widths)
		return;
	for (size_t i = 0; i < c->n; i++)
		widths[i] = width(c, i);
	for (size_t i = 0; i < c->count; i++) {
		size_t column = i % c->n;
		bool last = column + 1 == c->n;
		if (c->right[column] == '1')
			fprintf(f, "%*s%s", widths[column], c->cells[i], last ? "\n" : "  ");
		else if (last)
			fprintf(f, "%s\n", c->cells[i]);
		else
			fprintf(f, "%-*s  ", widths[column], c->cells[i]);
	}
	free(widths);
}

/* ---- bytes ---- */

enum { ROW = 16, PAIR = 2 };

static char printable(uint8_t byte)
{
	return byte >= ' ' && byte < 0x7f ? (char)byte : '.';
}

static void print_row(const uint8_t *data, size_t at, size_t n, FILE *out)
{
	fprintf(out, "\t0x%04zx: ", at);
	for (size_t i = 0; i < ROW; i++) {
		if (i % PAIR == 0)
			fputc(' ', out);
		if (i < n)
			fprintf(out, "%02x", data[i]);
		else
			fputs("  ", out);
	}
	fputs("  ", out);
	for (size_t i = 0; i < n; i++)
		fputc(printable(data[i]), out);
	fputc('\n', out);
}

void print_bytes(const uint8_t *data, size_t len, FILE *out)
{
	for (size_t at = 0; at < len; at += ROW)
		print_row(data + at, at, len - at < ROW ? len - at : ROW, out);
}
