#include "popd/observe/metrics_walk.h"

#include "lib/wr.h"
#include "popd/core/view.h"
#include "popd/observe/metrics_text.h"

/* All the lines of the walk's family that slot has, from its part on; false: not all fit. */
static bool tell_tunnel(struct metrics_walk *walk, const struct metrics_tunnels *of, uint32_t now,
			struct wr *w)
{
	const struct tunnel *t = table_slot(of->table, walk->slot);
	const struct tunnel_conf *c = atomic_load_explicit(&t->conf, memory_order_relaxed);
	size_t parts = metrics_text_tunnel_parts(walk->family);

	if (!c)
		return true;
	struct metrics_tunnel m = {
		.id = c->id,
		.type = (enum tunnel_type)c->type,
		.up = tunnel_is_up(t, c, now, (uint32_t)*of->expiry),
	};
	view_tunnel(of->counters, of->counter_sets, t->slot, &m.sums);
	for (; walk->part < parts; walk->part++) {
		struct wr before = *w;
		metrics_text_tunnel(w, walk->family, walk->part, &m);
		if (!wr_ok(w)) {
			*w = before;
			return false;
		}
	}
	return true;
}

static bool tell_head(struct metrics_walk *walk, struct wr *w)
{
	struct wr before = *w;

	if (walk->headed)
		return true;
	metrics_text_tunnel_head(w, walk->family);
	walk->headed = wr_ok(w);
	if (!walk->headed)
		*w = before;
	return walk->headed;
}

size_t metrics_walk_next(struct metrics_walk *walk, const struct metrics_tunnels *of, uint32_t now,
			 char *buf, size_t size)
{
	struct wr w = wr_init(buf, size);

	for (size_t looks = 0; walk->family < METRICS_TUNNEL_FAMILIES; walk->family++) {
		if (!tell_head(walk, &w))
			return wr_len(&w);
		for (; walk->slot < table_slots_used(of->table); walk->slot++) {
			if (looks++ == METRICS_WALK_SLOTS) {
				if (wr_len(&w) == 0)
					wr_str(&w,
					       "\n"); /* an empty line says nothing, but is not the end */
				return wr_len(&w);
			}
			if (!tell_tunnel(walk, of, now, &w))
				return wr_len(&w);
			walk->part = 0;
		}
		walk->slot = 0;
		walk->headed = false;
	}
	return wr_len(&w);
}
