/* What people read: values out of popd's answers, aligned columns, and bytes. */
#ifndef POPD_CTL_PRINT_H
#define POPD_CTL_PRINT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/cc.h"

/* ---- cells: each is written into the caller's and returned. A key that is missing, or of another
 * kind, is "-", 0 or "never". ---- */

enum { CELL = 160 };

const char *cell_text(const json_t *o, const char *key); /* the answer's own */
unsigned long long cell_number(const json_t *o, const char *key);

/* "12 min ago" */
const char *cell_ago(const json_t *o, const char *key, char out[static CELL]) NONNULL_ARGS(2, 3);
/* "900 B", "12.3 MB" */
const char *cell_bytes(unsigned long long n, char out[static CELL]) NONNULL;
const char *cell_count(unsigned long long n, char out[static CELL]) NONNULL;
/* Of bits a second: "12.3 Mbit/s" */
const char *cell_bits(unsigned long long n, char out[static CELL]) NONNULL;
const char *cell_rate(const json_t *o, const char *key, char out[static CELL]) NONNULL_ARGS(2, 3);

/* ---- columns: collected row by row, then printed as wide as their widest cells ---- */

struct columns;

/* `n` columns; a '1' in `right` aligns that column's cells to the right. NULL: no memory. */
struct columns *columns_create(size_t n, const char *right) NONNULL;
void columns_free(struct columns *c); /* NULL is fine */
/* The next cell, row by row; copied. Control characters become '?'. */
void columns_add(struct columns *c, const char *text) NONNULL;
void columns_print(const struct columns *c, FILE *f) NONNULL;

/* ---- bytes, as tcpdump -X prints them: 16 a line, with offset and as characters ---- */

void print_bytes(const uint8_t *data, size_t len, FILE *out) NONNULL;

#endif
