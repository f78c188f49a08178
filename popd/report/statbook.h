/*
 * What waits to be told to the database, summed up by tunnel and quarter of an hour (UTC). While
 * the database is away the book grows to its bound and then gives up detail, the oldest first and
 * never a sum: quarters of days gone by become one entry of their day, then those of today before
 * this one; then a tunnel's two oldest days become one of the later; at last the oldest days of all
 * tunnels are kept for the PoP as a whole (tunnel 0). Pure.
 */
#ifndef POPD_REPORT_STATBOOK_H
#define POPD_REPORT_STATBOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/measure.h"

enum { QUARTER_SECONDS = 900, QUARTERS_A_DAY = 96, QUARTER_NONE = -1 };

struct statbook_entry {
	uint32_t tunnel; /* 0: the PoP, no tunnel in particular */
	int32_t day;     /* days since 1970-01-01, UTC */
	int32_t quarter; /* of that day; QUARTER_NONE: known by the day only */
	uint64_t value[MEASURE__TUNNEL];
};

struct statbook;

/* At most `limit` entries. NULL: no memory. */
struct statbook *statbook_create(size_t limit);
void statbook_free(struct statbook *b); /* NULL is fine */

/* The entry to add to now. `*hint` is the caller's, one a tunnel, 0 at first: it makes finding the
 * same entry again quick. Valid until the next call. NULL: no memory. */
struct statbook_entry *statbook_entry(struct statbook *b, uint32_t *hint, uint32_t tunnel,
				      int32_t day, int32_t quarter) NONNULL;

/* Adds `from` to `into`, measure by measure, each in its way. */
void statbook_add(struct statbook_entry *into, const uint64_t from[static MEASURE__TUNNEL]) NONNULL;

/* Moves up to `n` entries out, the oldest first; returns how many. */
size_t statbook_take(struct statbook *b, struct statbook_entry *out, size_t n) NONNULL;

size_t statbook_count(const struct statbook *b) NONNULL;

#endif
