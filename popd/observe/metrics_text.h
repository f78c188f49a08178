/*
 * The metrics in Prometheus' text format 0.0.4: each family with its HELP and TYPE. What is counted
 * has its name and sentence from popd/core/measure.h and popd/core/drop.h: a measure "x" is
 * popd_x_total here, microseconds become seconds. No clock, no socket.
 */
#ifndef POPD_OBSERVE_METRICS_TEXT_H
#define POPD_OBSERVE_METRICS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/wr.h"
#include "popd/core/measure.h"
#include "popd/core/table.h"
#include "popd/core/view.h"

struct facts;

/* Writes the PoP's page; fails the cursor when it does not fit. METRICS_TEXT bytes, and
 * METRICS_TEXT_WORKER for each worker, are enough. */
enum { METRICS_TEXT = 48 * 1024, METRICS_TEXT_WORKER = 4096 };
void metrics_text_pop(struct wr *w, const struct facts *f) NONNULL;

/* ---- tunnels ---- */

/* One tunnel. */
struct metrics_tunnel {
	uint32_t id;
	enum tunnel_type type;
	bool up;
	struct view_tunnel sums;
};

/* The families of a tunnel, 0..METRICS_TUNNEL_FAMILIES-1: that it is up, then its measures. A
 * family has at most metrics_text_tunnel_parts lines for a tunnel, each of at most METRICS_LINE
 * bytes; a part may be empty. */
enum { METRICS_TUNNEL_FAMILIES = 1 + MEASURE__TUNNEL, METRICS_LINE = 256 };
void metrics_text_tunnel_head(struct wr *w, size_t family) NONNULL;
size_t metrics_text_tunnel_parts(size_t family);
void metrics_text_tunnel(struct wr *w, size_t family, size_t part, const struct metrics_tunnel *t)
	NONNULL;

/* Where the tunnels' series are read from: the caller's parts. Control thread. */
struct metrics_tunnels {
	struct table *table;
	struct counters *const *counters; /* of the workers, and of the kernel's program */
	size_t counter_sets;
	const int64_t *expiry;
};

/*
 * A walk over all families and, for each, over all tunnels, that pauses when its buffer is full or
 * it has visited METRICS_WALK_SLOTS slots. So it takes the same memory for a hundred thousand
 * tunnels as for one, and never long at a time. A tunnel that comes or goes during the walk may
 * have samples of some families only. Zeroed at its beginning.
 */
enum { METRICS_WALK_SLOTS = 4096 };
struct metrics_walk {
	size_t family, slot, part;
	bool headed;
};

/* Fills `buf` with the next whole lines and returns their length; 0 at the end of the walk. `size`
 * is at least METRICS_LINE. */
size_t metrics_walk_next(struct metrics_walk *walk, const struct metrics_tunnels *of, mono_s_t now,
			 char *buf, size_t size) NONNULL;

#endif
