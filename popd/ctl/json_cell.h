/* Values out of popd's answers, as people read them: each into the caller's cell, which is
 * returned. What is not there, or of another kind, is "-", 0 or "never". */
#ifndef POPD_CTL_JSON_CELL_H
#define POPD_CTL_JSON_CELL_H

#include <jansson.h>

#include "lib/cc.h"

enum { CELL = 160 };

const char *cell_text(const json_t *o, const char *key); /* the answer's own */
unsigned long long cell_number(const json_t *o, const char *key);

const char *cell_span(unsigned long long seconds, char out[static CELL])
	NONNULL; /* "8 s", "12 min", "3 h 05 min", "4 d 7 h" */
const char *cell_ago(const json_t *o, const char *key, char out[static CELL]) NONNULL_ARGS(2, 3);
const char *cell_bytes(unsigned long long n, char out[static CELL])
	NONNULL; /* "900 B", "12.3 MB" */
const char *cell_count(unsigned long long n, char out[static CELL]) NONNULL;
const char *cell_bits(unsigned long long n, char out[static CELL])
	NONNULL; /* a second: "12.3 Mbit/s" */
const char *cell_rate(const json_t *o, const char *key, char out[static CELL]) NONNULL_ARGS(2, 3);

#endif
