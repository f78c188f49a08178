/* Aligned columns: rows are collected, then printed with each column as wide as its widest cell. */
#ifndef POPD_CTL_TABLE_H
#define POPD_CTL_TABLE_H

#include <stdio.h>

#include "lib/cc.h"

struct columns;

/* `n` columns; `right` names, by a '1' at its place, those whose cells are aligned to the right.
 * NULL: no memory. */
struct columns *columns_create(size_t n, const char *right) NONNULL;
void columns_free(struct columns *c); /* NULL is fine */
/* The next cell, row by row; copied. Control characters come out as '?'. */
void columns_add(struct columns *c, const char *text) NONNULL;
void columns_print(const struct columns *c, FILE *f) NONNULL;

#endif
