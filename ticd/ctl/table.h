/*
 * Rows as text for a terminal: lists with a heading and aligned columns, records as "name: value"
 * lines. Texts are taken as UTF-8; control characters and bytes that are not UTF-8 come out as
 * \xNN, so nothing stored in the database can act on the terminal.
 */
#ifndef TICD_CTL_TABLE_H
#define TICD_CTL_TABLE_H

#include <stdio.h>

#include "ticd/ctl/rows.h"

/* Terminal columns that `text` takes as table_text writes it. Wide and combining characters count
 * as the locale's wcwidth says. */
size_t table_width(const char *text) NONNULL;

/* Writes `text` with what must not reach a terminal escaped. Returns the columns written. */
size_t table_text(FILE *out, const char *text) NONNULL;

/* A list: column names as upper-case heading, numbers to the right, yes/no for booleans, "-" for
 * NULL; no blanks at line ends. */
void table_list(FILE *out, const struct rows *rows) NONNULL;

/* Every row as "name: value" lines, the values under each other, an empty line between rows. */
void table_record(FILE *out, const struct rows *rows) NONNULL;

/* The first column alone, a line a row: a message, or a file's lines. */
void table_lines(FILE *out, const struct rows *rows) NONNULL;

#endif
