#include "popd/ctl/table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct columns {
	size_t n, count, room;
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
	if (c->count == c->room) {
		size_t room = c->room ? 2 * c->room : 64;
		char **grown = realloc(c->cells, room * sizeof(*grown));
		if (!grown)
			return;
		c->cells = grown;
		c->room = room;
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
