/*
 * The busiest tunnels: growth of all counters between two looks, as rates, and the TOP_MAX largest
 * by each measure. It remembers what it saw of each tunnel, so it is made when somebody asks and
 * freed when nobody has for a while; looks are bounded, however many ask. Pure but for the counters
 * it reads: time is an argument. Control thread.
 */
#ifndef POPD_OBSERVE_TOP_H
#define POPD_OBSERVE_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/clock.h"
#include "popd/core/counters.h"
#include "popd/core/table.h"

enum { TOP_MAX = 200, TOP_PERIOD_MS = 500, TOP_KEEP_MS = 60000 };

enum top_by { TOP_BYTES, TOP_PACKETS, TOP_DROPS, TOP_BY__COUNT };
const char *top_by_name(enum top_by by); /* "bytes", "packets", "drops" */
int top_by_parse(const char *name, enum top_by *out) NONNULL MUSTCHECK;

/* A tunnel, with what it did a second. */
struct top_row {
	uint32_t id, slot;
	double packets_in, bytes_in, packets_out, bytes_out, drops;
};

struct top;
/* NULL: no memory. */
struct top *top_create(size_t slots);
void top_free(struct top *t); /* NULL is fine */

/* Looks at all tunnels, unless the last look is younger than TOP_PERIOD_MS. */
void top_look(struct top *t, struct table *table, struct counters *const *workers, size_t n,
	      mono_t now) NONNULL;

/* Milliseconds between the last two looks; 0: there was one only, so there are no rates yet. */
int64_t top_window(const struct top *t) NONNULL;
/* The busiest in that time, the busiest first (both directions together); those that did nothing
 * are left out. How many; they live until the next look. */
size_t top_rows(const struct top *t, enum top_by by, const struct top_row **rows) NONNULL;

/* Nobody has asked for TOP_KEEP_MS. */
bool top_is_idle(const struct top *t, mono_t now) NONNULL;

#endif
