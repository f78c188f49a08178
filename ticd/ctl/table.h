/*
 * Rows as text for a terminal: lists with a heading and aligned columns, records as "name: value"
 * lines. Texts are taken as UTF-8; control characters and bytes that are not UTF-8 come out as
 * \xNN, so nothing stored in the database can act on the terminal.
 */
#ifndef TICD_CTL_TABLE_H
#define TICD_CTL_TABLE_H

#include <stdio.h>

#include "ticd/ctl/answer.h"

/* Terminal columns of `text` as table_text writes it, by the locale's wcwidth. */
size_t table_width(const char *text) NONNULL;

/* Writes `text`, escaping what must not reach a terminal. Returns the columns written. */
size_t table_text(FILE *out, const char *text) NONNULL;

/* A list: column names as an upper-case heading, numbers aligned to the right, yes and no for
 * booleans, "-" for NULL; no blanks at line ends. */
void table_list(FILE *out, const struct rows *rows) NONNULL;

/* Every row as "name: value" lines with aligned values, an empty line between rows. */
void table_record(FILE *out, const struct rows *rows) NONNULL;

/* The first column only, a line a row: a message, or a file's lines. */
void table_lines(FILE *out, const struct rows *rows) NONNULL;

#endif
