/*
 * Drops by tunnel, day and reason that wait to be told to the database, beside the sums of
 * popd/report/statbook.h. Bounded in the same spirit: when the book is full, what has the same key
 * becomes one; then the two oldest days of a tunnel and reason become one of the later; at last the
 * oldest half is kept for the PoP as a whole (tunnel 0). Pure.
 */
#ifndef POPD_REPORT_DROPBOOK_H
#define POPD_REPORT_DROPBOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/drop.h"

struct dropbook_entry {
	uint32_t tunnel; /* 0: none is known */
	int32_t day;     /* days since 1970-01-01, UTC */
	enum drop why;
	uint64_t packets;
};

struct dropbook;

/* At most `limit` entries. NULL: no memory. */
struct dropbook *dropbook_create(size_t limit);
void dropbook_free(struct dropbook *b); /* NULL is fine */

/* False: no memory. */
bool dropbook_add(struct dropbook *b, const struct dropbook_entry *e) NONNULL MUSTCHECK;

/* Moves up to `n` entries out, the oldest first; returns how many. */
size_t dropbook_take(struct dropbook *b, struct dropbook_entry *out, size_t n) NONNULL;

size_t dropbook_count(const struct dropbook *b) NONNULL;

#endif
