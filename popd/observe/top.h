/*
 * The busiest tunnels: the growth of all counters between two samples, as rates, and the TOP_MAX
 * largest in each order. Samples are taken when somebody asks, at most one in TOP_PERIOD_MS however
 * many ask; the memory for them is freed when nobody has asked for TOP_KEEP_MS. Time is an
 * argument. Control thread.
 */
#ifndef POPD_OBSERVE_TOP_H
#define POPD_OBSERVE_TOP_H

#include <jansson.h>
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

/* A tunnel and its rates, each a second. */
struct top_row {
	uint32_t id, slot;
	double packets_in, bytes_in, packets_out, bytes_out, drops;
};

struct top;
/* `counters` is an array of `n`, the caller's; it and the table outlive this. NULL: no memory. */
struct top *top_create(struct table *table, struct counters *const *counters, size_t n) NONNULL;
void top_free(struct top *t); /* NULL is fine */

/* Samples the counters of all tunnels, unless the last sample is younger than TOP_PERIOD_MS. 0 or
 * -ERR_NOMEM. */
int top_sample(struct top *t, mono_t now) NONNULL MUSTCHECK;
/* Frees the samples when nobody has asked for a while. To be called each second. */
void top_tick(struct top *t, mono_t now) NONNULL;

/* Milliseconds between the last two samples; 0: there are no two yet, so there are no rates. */
int64_t top_window(const struct top *t) NONNULL;
/* The busiest tunnels in that time, the busiest first (both directions together); idle ones are
 * left out. Returns their number; the rows live until the next sample. */
size_t top_rows(const struct top *t, enum top_by by, const struct top_row **rows) NONNULL;

/* An object:
 *
 *   by            the order: "bytes", "packets" or "drops"
 *   window_ms     the time that the rates are of; null: this was the first sample, ask again
 *   tunnels       at most `limit`, the busiest first; each
 *     id, type, endpoint                   "T7", "ayiya", null: none known
 *     bits_in_per_second, ...bits_out...   of inner packets, to the bit
 *     packets_in_per_second, ...out..., drops_per_second
 *     packets_in, bytes_in, packets_out, bytes_out, drops    in total, as in popctl tunnel show
 */
json_t *top_json(const struct top *t, enum top_by by, size_t limit) NONNULL;

#endif
