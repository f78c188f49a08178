/*
 * What tunnels did, on its way to the database: the growth of the workers' counters since the last look, by tunnel
 * and day, kept until a batch with it is acknowledged. A batch, once made, never changes and carries a number, so
 * that sending it again counts nothing twice. While the database is away the book grows up to a bound; then the two
 * oldest days of each tunnel become one. Pure: no clock, no database.
 */
#ifndef POPD_IO_STATS_H
#define POPD_IO_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/counters.h"
#include "popd/core/table.h"

struct stats;

enum { STATS_BATCH = 1000 };

struct stats_entry {
	uint32_t tunnel;
	int32_t day; /* days since 1970-01-01, UTC */
	uint32_t sent, received, rtt_min_us, rtt_max_us;
	uint64_t rtt_sum_us, packets_in, octets_in, packets_out, octets_out, drops;
};

struct stats_batch {
	uint64_t number; /* 1, 2, ... */
	size_t n;        /* 0: there is none */
	struct stats_entry entries[STATS_BATCH];
};

/* For `slots` tunnel slots; `limit` (more than twice `slots`) entries are kept at most. NULL: no memory. */
struct stats *stats_create(size_t slots, size_t limit);
void stats_free(struct stats *s); /* NULL is fine */

/* Adds what all tunnels did since the last call to the book of `day`. */
void stats_collect(struct stats *s, struct table *t, struct counters *const *workers, size_t n, int32_t day) NONNULL;

/* The slot's counters are about to be cleared: its tunnel is gone, and the database with it knows no more of it. */
void stats_slot_freed(struct stats *s, uint32_t slot) NONNULL;

/* The batch to send now: the one not yet acknowledged, or a new one of the oldest entries. Its n is 0 when nothing
 * waits. */
const struct stats_batch *stats_batch(struct stats *s) NONNULL;
/* The database has it. */
void stats_acknowledge(struct stats *s) NONNULL;

/* Entries not yet acknowledged. */
size_t stats_waiting(const struct stats *s) NONNULL;

/* The columns of api.popd_statistics from `tunnel` on, as PostgreSQL array texts. */
enum stats_column {
	STATS_TUNNEL,
	STATS_DAY,
	STATS_SENT,
	STATS_RECEIVED,
	STATS_RTT_MIN,
	STATS_RTT_SUM,
	STATS_RTT_MAX,
	STATS_PACKETS_IN,
	STATS_OCTETS_IN,
	STATS_PACKETS_OUT,
	STATS_OCTETS_OUT,
	STATS_DROPS,
	STATS_COLUMNS
};
/* One column of a batch, malloc'ed, for free(). NULL: no memory. */
char *stats_column_text(const struct stats_batch *b, enum stats_column column) NONNULL;

#endif
