/*
 * What tunnels did, on its way to the database: the growth of the workers' counters since the last
 * look, by tunnel and quarter of an hour, and drops once more by reason and day, kept until a batch
 * with them is acknowledged. A batch, once made, never changes and carries a number, so that
 * sending it again counts nothing twice. While the database is away the books are bounded (see
 * popd/report/statbook.h and dropbook.h). Pure: no clock, no database.
 */
#ifndef POPD_REPORT_STATS_H
#define POPD_REPORT_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/clock.h"
#include "popd/core/counters.h"
#include "popd/core/table.h"
#include "popd/report/dropbook.h"
#include "popd/report/statbook.h"

struct stats;

enum {
	STATS_BATCH = 1000,
	/* Entries kept at most for a slot when all of them are in use: a week by the day, and the
	 * quarter at hand. */
	STATS_A_SLOT = 8,
	STATS_DROPS_A_SLOT = 16,
};

struct stats_batch {
	uint64_t number;   /* 1, 2, ... */
	size_t n, n_drops; /* 0 and 0: there is none */
	struct statbook_entry entries[STATS_BATCH];
	struct dropbook_entry drops[STATS_BATCH];
};

/* For `slots` tunnel slots; `a_slot` entries are kept at most for each, and `drops_a_slot` of drops
 * by reason. NULL: no memory. */
struct stats *stats_create(size_t slots, size_t a_slot, size_t drops_a_slot);
void stats_free(struct stats *s); /* NULL is fine */

/* Adds what all tunnels did since the last call to the quarter that `now` is in. Drops that no
 * tunnel is charged with are told for tunnel 0. */
void stats_collect(struct stats *s, struct table *t, struct counters *const *workers, size_t n,
		   wall_t now) NONNULL;

/* The slot's counters are about to be cleared: its tunnel is gone, and the database with it knows
 * no more of it. */
void stats_slot_freed(struct stats *s, uint32_t slot) NONNULL;

/* The batch to send now: the one not yet acknowledged, or a new one of the oldest entries; NULL:
 * nothing waits. */
const struct stats_batch *stats_batch(struct stats *s) NONNULL;
/* The database has it. */
void stats_acknowledge(struct stats *s) NONNULL;

/* Entries not yet acknowledged, drops by reason among them. */
size_t stats_waiting(const struct stats *s) NONNULL;

#endif
