/*
 * Statistics for the database: the growth of the workers' counters by tunnel and quarter of an hour,
 * and drops by tunnel, reason and day, kept until the database acknowledges a batch with them. A
 * batch never changes and has a number, so that a batch that is sent twice counts once. The books
 * are bounded while the database is away (books.h). No clock, no database.
 */
#ifndef POPD_REPORT_STATS_H
#define POPD_REPORT_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/clock.h"
#include "popd/core/counters.h"
#include "popd/core/table.h"
#include "popd/report/books.h"

struct stats;

enum {
	STATS_BATCH = 1000,
	/* Limits of the books, in entries for each slot: a week by day and the present quarter. */
	STATS_A_SLOT = 8,
	STATS_DROPS_A_SLOT = 16,
};

struct stats_batch {
	uint64_t number; /* 1, 2, ... */
	size_t n, n_drops;
	struct statbook_entry entries[STATS_BATCH];
	struct dropbook_entry drops[STATS_BATCH];
};

/* For `slots` tunnel slots, with at most `a_slot` entries for each in the statbook and
 * `drops_a_slot` in the dropbook. NULL: no memory. */
struct stats *stats_create(size_t slots, size_t a_slot, size_t drops_a_slot);
void stats_free(struct stats *s); /* NULL is fine */

/* Adds the growth of all counters since the last call to the quarter of `now`. Drops that no tunnel
 * is charged with count for tunnel 0. Without memory the rest is added by the next call. */
void stats_collect(struct stats *s, struct table *t, struct counters *const *workers, size_t n,
		   wall_t now) NONNULL;

/* The slot's tunnel was deleted and its counters are about to be cleared. */
void stats_slot_freed(struct stats *s, uint32_t slot) NONNULL;

/* The batch to send: the one not yet acknowledged, or a new one of the oldest entries; NULL: there
 * is nothing to send. */
const struct stats_batch *stats_batch(struct stats *s) NONNULL;
/* The database has the batch: the next one may follow. */
void stats_acknowledge(struct stats *s) NONNULL;

/* Number of entries not yet acknowledged, in both books. */
size_t stats_waiting(const struct stats *s) NONNULL;

/* ---- as PostgreSQL array texts ---- */

/* The parameters of api.popd_samples, from `tunnel` on. */
enum stats_column {
	STATS_TUNNEL,
	STATS_DAY,
	STATS_QUARTER,
	STATS_MEASURES, /* MEASURE__TUNNEL of them, in the list's order */
	STATS_DROP_TUNNEL = STATS_MEASURES + MEASURE__TUNNEL,
	STATS_DROP_DAY,
	STATS_DROP_REASON,
	STATS_DROP_PACKETS,
	STATS_COLUMNS
};

/* One column of a batch, malloc'ed. NULL: no memory. */
char *stats_column_text(const struct stats_batch *b, enum stats_column column) NONNULL;

/* The names of all drop reasons, or their sentences in the same order, malloc'ed. NULL: no memory. */
char *stats_reasons_text(bool sentences);

#endif
