/*
 * The tunnels' metrics, piece by piece: a walk over all families and, for each, all tunnels, that
 * stops when its buffer is full or it has looked at enough, and goes on there. So it costs the same
 * memory for a hundred thousand tunnels as for one, and never long at a time. A tunnel that comes
 * or goes meanwhile may have samples of some families only.
 */
#ifndef POPD_OBSERVE_METRICS_WALK_H
#define POPD_OBSERVE_METRICS_WALK_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/counters.h"
#include "popd/core/table.h"

/* Slots that one call looks at, at most. */
enum { METRICS_WALK_SLOTS = 4096 };

/* Zeroed at its beginning. */
struct metrics_walk {
	size_t family, slot, part;
	bool headed;
};

/* Control thread. */
struct metrics_tunnels {
	struct table *table;
	struct counters *const *counters; /* of the workers, and of whatever else forwards */
	unsigned counter_sets;
	const int64_t *expiry;
};

/* Fills `buf` with the next whole lines: how many bytes, at least one; 0 when all is told. `size`
 * is at least METRICS_LINE; `now`: wall seconds. */
size_t metrics_walk_next(struct metrics_walk *walk, const struct metrics_tunnels *of, uint32_t now,
			 char *buf, size_t size) NONNULL;

#endif
