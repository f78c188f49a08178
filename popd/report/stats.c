/*
 * What a slot's counters were at the last look is kept in two places: sums, which change with every
 * packet, and drops by reason, which most tunnels never have. Both are mapped and touched only when
 * used.
 */
#include "popd/report/stats.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "popd/core/view.h"

enum { SECONDS_A_DAY = 86400 };

/* All workers together. `drops` and drops by reason may come round, as the counters do. */
struct seen {
	uint64_t packets_in, bytes_in, packets_out, bytes_out, rtt_sum_us;
	uint32_t sent, received, drops;
	uint32_t hint; /* of the slot's entry, not compared */
};

struct reasons {
	uint32_t count[DROP__COUNT];
};

/* Drops that the PoP counted, and those of them that were told for tunnels or for none. */
struct settled {
	uint64_t count[DROP__COUNT];
	uint32_t hint;
};

struct stats {
	size_t slots;
	struct seen *seen;
	struct reasons *reasons;
	struct settled settled;
	struct statbook *book;
	struct dropbook *drops;
	struct stats_batch batch;
};

static void *map(size_t n, size_t size)
{
	void *p = mmap(NULL, n * size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

struct stats *stats_create(size_t slots, size_t a_slot, size_t drops_a_slot)
{
	struct stats *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->slots = slots;
	s->seen = map(slots, sizeof(*s->seen));
	s->reasons = map(slots, sizeof(*s->reasons));
	s->book = statbook_create(slots * a_slot);
	s->drops = dropbook_create(slots * drops_a_slot);
	if (!s->seen || !s->reasons || !s->book || !s->drops) {
		stats_free(s);
		return NULL;
	}
	return s;
}

void stats_free(struct stats *s)
{
	if (!s)
		return;
	if (s->seen)
		munmap(s->seen, s->slots * sizeof(*s->seen));
	if (s->reasons)
		munmap(s->reasons, s->slots * sizeof(*s->reasons));
	statbook_free(s->book);
	dropbook_free(s->drops);
	free(s);
}

/* ---- collecting ---- */

static struct seen look(const struct view_tunnel *v)
{
	struct seen now = {
		.packets_in = v->packets_in,
		.bytes_in = v->bytes_in,
		.packets_out = v->packets_out,
		.bytes_out = v->bytes_out,
		.rtt_sum_us = v->rtt_sum_us,
		.sent = v->sent,
		.received = v->received,
	};
	for (size_t i = 0; i < DROP__COUNT; i++)
		now.drops += (uint32_t)v->drops[i];
	return now;
}

static bool same(const struct seen *a, const struct seen *b)
{
	return memcmp(a, b, offsetof(struct seen, hint)) == 0;
}
_Static_assert(offsetof(struct seen, hint) == 5 * 8 + 3 * 4, "no padding for memcmp to trip over");

/* A counter that is less than it was has begun anew. */
static uint64_t grown(uint64_t now, uint64_t then)
{
	return now >= then ? now - then : now;
}

/* Probes go out once a minute and looks are more frequent, so as a rule one answer came at most,
 * whose time is known exactly; else their mean is. */
static void add_growth(struct statbook_entry *e, const struct seen *now, const struct seen *then)
{
	uint64_t growth[MEASURE__TUNNEL] = {
		[MEASURE_SENT] = now->sent - then->sent,
		[MEASURE_RECEIVED] = now->received - then->received,
		[MEASURE_RTT_SUM] = grown(now->rtt_sum_us, then->rtt_sum_us),
		[MEASURE_PACKETS_IN] = grown(now->packets_in, then->packets_in),
		[MEASURE_BYTES_IN] = grown(now->bytes_in, then->bytes_in),
		[MEASURE_PACKETS_OUT] = grown(now->packets_out, then->packets_out),
		[MEASURE_BYTES_OUT] = grown(now->bytes_out, then->bytes_out),
		[MEASURE_DROPS] = now->drops - then->drops,
	};
	if (growth[MEASURE_RECEIVED] > 0)
		growth[MEASURE_RTT_MIN] = growth[MEASURE_RTT_MAX] = growth[MEASURE_RTT_SUM] /
								    growth[MEASURE_RECEIVED];
	statbook_add(e, growth);
}

/* False: no memory; what was not added is found by the next look. */
static bool collect_reasons(struct stats *s, uint32_t slot, uint32_t tunnel, int32_t day,
			    const struct view_tunnel *v)
{
	struct reasons *seen = &s->reasons[slot];

	for (enum drop why = DROP_NONE + 1; why < DROP__COUNT; why++) {
		uint32_t now = (uint32_t)v->drops[why], growth = now - seen->count[why];
		if (growth == 0)
			continue;
		if (!dropbook_add(s->drops, &(struct dropbook_entry){ tunnel, day, why, growth }))
			return false;
		s->settled.count[why] += growth;
		seen->count[why] = now;
	}
	return true;
}

struct instant {
	int32_t day, quarter;
};

/* False: no memory. */
static bool collect_tunnel(struct stats *s, uint32_t slot, uint32_t tunnel,
			   const struct view_tunnel *v, struct instant at)
{
	struct seen now = look(v), *then = &s->seen[slot];

	if (same(&now, then))
		return true;
	if (now.drops != then->drops && !collect_reasons(s, slot, tunnel, at.day, v))
		return false;
	struct statbook_entry *e = statbook_entry(s->book, &then->hint, tunnel, at.day, at.quarter);
	if (!e)
		return false;
	add_growth(e, &now, then);
	now.hint = then->hint;
	*then = now;
	return true;
}

/* What the PoP has dropped beyond what its tunnels were charged with. `pop` was looked at before
 * them, so nothing is told twice; what a tunnel had not told when it went is here too. */
static void collect_rest(struct stats *s, const struct view_pop *pop, struct instant at)
{
	struct statbook_entry *e = NULL;

	for (enum drop why = DROP_NONE + 1; why < DROP__COUNT; why++) {
		uint64_t *told = &s->settled.count[why], now = pop->drops[why].count;
		if (now <= *told)
			continue;
		if (!e)
			e = statbook_entry(s->book, &s->settled.hint, 0, at.day, at.quarter);
		if (!e || !dropbook_add(s->drops,
					&(struct dropbook_entry){ 0, at.day, why, now - *told }))
			return;
		e->value[MEASURE_DROPS] += now - *told;
		*told = now;
	}
}

void stats_collect(struct stats *s, struct table *t, struct counters *const *workers, size_t n,
		   wall_t now)
{
	const struct instant at = { (int32_t)(now.s / SECONDS_A_DAY),
				    (int32_t)(now.s % SECONDS_A_DAY / QUARTER_SECONDS) };
	size_t left = table_count(t);
	struct view_pop pop;

	view_pop(workers, n, &pop);
	for (uint32_t slot = 0; slot < s->slots && left > 0; slot++) {
		const struct tunnel_conf *c = atomic_load_explicit(&table_slot(t, slot)->conf,
								   memory_order_relaxed);
		struct view_tunnel v;
		if (!c)
			continue;
		left--;
		view_tunnel(workers, n, slot, &v);
		if (!collect_tunnel(s, slot, c->id, &v, at))
			return;
	}
	collect_rest(s, &pop, at);
}

void stats_slot_freed(struct stats *s, uint32_t slot)
{
	static const struct seen none;

	if (same(&s->seen[slot], &none))
		return;
	s->seen[slot] = none;
	memset(&s->reasons[slot], 0, sizeof(s->reasons[slot]));
}

/* ---- batches ---- */

static bool is_under_way(const struct stats_batch *b)
{
	return b->n > 0 || b->n_drops > 0;
}

const struct stats_batch *stats_batch(struct stats *s)
{
	struct stats_batch *b = &s->batch;

	if (!is_under_way(b)) {
		b->n = statbook_take(s->book, b->entries, STATS_BATCH);
		b->n_drops = dropbook_take(s->drops, b->drops, STATS_BATCH);
		b->number += is_under_way(b);
	}
	return is_under_way(b) ? b : NULL;
}

void stats_acknowledge(struct stats *s)
{
	s->batch.n = s->batch.n_drops = 0;
}

size_t stats_waiting(const struct stats *s)
{
	return s->batch.n + s->batch.n_drops + statbook_count(s->book) + dropbook_count(s->drops);
}
