/* Answers as JSON for scripts (--json): one value and a line end. Numbers are numbers, NULL is
 * null, texts are always valid UTF-8. */
#ifndef TICD_CTL_JSON_H
#define TICD_CTL_JSON_H

#include <stdbool.h>
#include <stdio.h>

#include "ticd/ctl/answer.h"

/* An array with an object a row, keys from the columns. False: out of memory, or `out` failed. */
bool json_write_list(FILE *out, const struct rows *rows) NONNULL MUSTCHECK;

/* The first row as one object, followed by `extra_name`: `extra` unless `extra` is NULL. */
bool json_write_record(FILE *out, const struct rows *rows, const char *extra_name,
		       const char *extra) NONNULL_ARGS(1, 2, 3) MUSTCHECK;

/* {"error": sentence, "code": code} */
bool json_write_fault(FILE *out, const struct fault *fault) NONNULL MUSTCHECK;

#endif
