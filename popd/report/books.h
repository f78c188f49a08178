/*
 * What waits to be reported to the database, in two bounded books. The statbook has sums by tunnel
 * and quarter of an hour (UTC), the dropbook drops by tunnel, reason and day. While the database is
 * away a book grows to its limit; then it gives up detail, the oldest first, and never a sum:
 *
 *   statbook  quarters of past days become one entry a day; then quarters of today before the
 *             present one; then the two oldest days of a tunnel become the later of the two
 *   dropbook  entries of the same tunnel, reason and day become one; then the two oldest days of a
 *             tunnel and reason become the later of the two
 *   both      at last the oldest half is kept for the PoP as a whole (tunnel 0)
 *
 * No clock, no database.
 */
#ifndef POPD_REPORT_BOOKS_H
#define POPD_REPORT_BOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/drop.h"
#include "popd/core/measure.h"

/* ---- sums ---- */

enum { QUARTER_SECONDS = 900, QUARTERS_A_DAY = 96, QUARTER_NONE = -1 };

struct statbook_entry {
	uint32_t tunnel; /* 0: the PoP as a whole */
	int32_t day;     /* days since 1970-01-01, UTC */
	int32_t quarter; /* of that day; QUARTER_NONE: only the day is known */
	uint64_t value[MEASURE__TUNNEL];
};

struct statbook;

/* At most `limit` entries. NULL: no memory. */
struct statbook *statbook_create(size_t limit);
void statbook_free(struct statbook *b); /* NULL is fine */

/* The entry to add to, an empty one if there is none yet. `*hint` is the caller's, one for each
 * tunnel and 0 at first; with it the same entry is found again quickly. Valid until the next call.
 * NULL: no memory. */
struct statbook_entry *statbook_entry(struct statbook *b, uint32_t *hint, uint32_t tunnel,
				      int32_t day, int32_t quarter) NONNULL;

/* Adds `from` to `into`, each measure as measure_how says. */
void statbook_add(struct statbook_entry *into, const uint64_t from[static MEASURE__TUNNEL]) NONNULL;

/* Moves up to `n` entries out, the oldest first; returns how many. */
size_t statbook_take(struct statbook *b, struct statbook_entry *out, size_t n) NONNULL;

size_t statbook_count(const struct statbook *b) NONNULL;

/* ---- drops by reason ---- */

struct dropbook_entry {
	uint32_t tunnel; /* 0: the PoP as a whole, or no tunnel is known */
	int32_t day;     /* days since 1970-01-01, UTC */
	enum drop reason;
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
