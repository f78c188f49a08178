/*
 * What a command comes to: rows of the database, or a fault.
 *
 * struct rows holds text cells under named columns, the form that table.c and json.c print. It
 * names no database library; whoever makes one says how its memory is released.
 *
 * struct fault is one plain sentence for the operator and a short code for scripts (--json):
 * "usage" (the command line), "input" (a file's content), "database" (away or failed), "failed"
 * (this machine) or, when a rule of the broker refused, its five characters beginning with BK.
 * Texts hold no secret and no conninfo.
 */
#ifndef TICD_CTL_ANSWER_H
#define TICD_CTL_ANSWER_H

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
	void *owner;                       /* of all of the above, for `release` */
	void (*release)(void *owner);      /* NULL: nothing to release */
};

/* The cell; NULL for SQL NULL, or when there is no such row or column. */
static inline const char *rows_cell(const struct rows *rows, size_t row, size_t column)
{
	return row < rows->n && column < rows->width ? rows->cells[row * rows->width + column]
						     : NULL;
}

/* Releases the memory; `rows` is empty afterwards. */
static inline void rows_free(struct rows *rows)
{
	if (rows->release)
		rows->release(rows->owner);
	*rows = (struct rows){ 0 };
}

enum { FAULT_CODE = 16, FAULT_TEXT = 1024 };

struct fault {
	char code[FAULT_CODE];
	char text[FAULT_TEXT]; /* one line without a full stop */
};

/* Sets `f` (a longer text is cut); returns `err`, for `return fault_set(...)`. */
int fault_set(struct fault *f, int err, const char *code, const char *fmt, ...)
	NONNULL_ARGS(1, 3, 4) FORMAT(4, 5);
/* -ERR_NOMEM, with its sentence. */
int fault_nomem(struct fault *f) NONNULL;

/* Puts a formatted "<text>: " before the sentence. */
void fault_prefix(struct fault *f, const char *fmt, ...) NONNULL_ARGS(1, 2) FORMAT(2, 3);

#endif
