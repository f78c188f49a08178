/*
 * What a door of the database answered: rows of text cells under named columns, the form that
 * table.c and json.c print. It names no database library; whoever makes one says how its memory is
 * given back.
 */
#ifndef TICD_CTL_ROWS_H
#define TICD_CTL_ROWS_H

#include <stddef.h>

#include "lib/cc.h"

enum rows_kind { ROWS_TEXT, ROWS_NUMBER, ROWS_BOOL };

struct rows_column {
	const char *name;
	enum rows_kind kind; /* ROWS_BOOL cells read "t" or "f" */
};

struct rows {
	size_t n, width;
	const struct rows_column *columns; /* `width` of them */
	const char *const *cells;          /* n * width, row after row; NULL is SQL NULL */
	void *owner;                       /* what `release` gives back, all of the above with it */
	void (*release)(void *owner);      /* NULL: nothing to give back */
};

/* The cell, or NULL for SQL NULL and for what is not there. */
static inline const char *rows_cell(const struct rows *rows, size_t row, size_t column)
{
	return row < rows->n && column < rows->width ? rows->cells[row * rows->width + column]
						     : NULL;
}

/* Gives the memory back; `rows` is empty afterwards. */
static inline void rows_free(struct rows *rows)
{
	if (rows->release)
		rows->release(rows->owner);
	*rows = (struct rows){ 0 };
}

#endif
