#include "popd/core/counters.h"

#include <stdlib.h>
#include <string.h>

#include "popd/core/pages.h"

_Static_assert(sizeof(struct tunnel_counters) == 64, "one cache line a tunnel");

/* One writer: no read-modify-write instruction is needed, a reader on another core sees the old value or the new one.
 * */
#define ADD(field, n)                                                                               \
	atomic_store_explicit(&(field), atomic_load_explicit(&(field), memory_order_relaxed) + (n), \
			      memory_order_relaxed)
#define SET(field, v) atomic_store_explicit(&(field), (v), memory_order_relaxed)
#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)

struct counters *counters_create(size_t slots)
{
	struct counters *c = pages_alloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->slots = slots;
	c->tunnels = pages_alloc(slots, sizeof(*c->tunnels));
	c->rows = pages_alloc(slots, sizeof(*c->rows));
	if (!c->tunnels || !c->rows) {
		counters_free(c);
		return NULL;
	}
	return c;
}

void counters_free(struct counters *c)
{
	if (!c)
		return;
	pages_free(c->tunnels, c->slots, sizeof(*c->tunnels));
	pages_free(c->rows, c->slots, sizeof(*c->rows));
	pages_free(c, 1, sizeof(*c));
}

/* The slot's row, given to it on first need. There are as many rows as slots, and a slot never gives its row back. */
static struct tunnel_drops *row_of(struct counters *c, uint32_t slot)
{
	uint32_t row = GET(c->tunnels[slot].row);

	if (row == 0) {
		row = ++c->rows_used;
		atomic_store_explicit(&c->tunnels[slot].row, row, memory_order_release);
	}
	return &c->rows[row - 1];
}

void counters_drop(struct counters *c, enum drop why, uint32_t slot, uint32_t tunnel_id, uint64_t from, uint32_t now)
{
	struct drop_last *all = &c->drops[why];

	ADD(all->count, 1);
	SET(all->time, now);
	SET(all->tunnel, tunnel_id);
	SET(all->from, from);
	if (slot >= c->slots)
		return;
	struct tunnel_drops *own = row_of(c, slot);
	ADD(own->count[why], 1);
	SET(own->last, why);
	SET(own->last_time, now);
	SET(own->last_from, from);
}

void counters_in(struct counters *c, uint32_t slot, uint32_t packets, size_t octets)
{
	ADD(c->packets_in, packets);
	ADD(c->octets_in, octets);
	ADD(c->tunnels[slot].packets_in, packets);
	ADD(c->tunnels[slot].octets_in, octets);
}

void counters_out(struct counters *c, uint32_t slot, size_t octets)
{
	ADD(c->packets_out, 1);
	ADD(c->octets_out, octets);
	ADD(c->tunnels[slot].packets_out, 1);
	ADD(c->tunnels[slot].octets_out, octets);
}

void counters_echo_sent(struct counters *c, uint32_t slot)
{
	ADD(c->echo_sent, 1);
	ADD(c->tunnels[slot].echo_sent, 1);
}

static void widen(_Atomic uint32_t *min, _Atomic uint32_t *max, uint32_t value)
{
	uint32_t least = GET(*min);

	if (least == 0 || value < least)
		SET(*min, value);
	if (value > GET(*max))
		SET(*max, value);
}

void counters_echo_received(struct counters *c, uint32_t slot, uint32_t rtt_us)
{
	struct tunnel_counters *t = &c->tunnels[slot];

	ADD(c->echo_received, 1);
	ADD(c->rtt_sum_us, rtt_us);
	widen(&c->rtt_min_us, &c->rtt_max_us, rtt_us);
	ADD(t->echo_received, 1);
	ADD(t->rtt_sum_us, rtt_us);
	widen(&t->rtt_min_us, &t->rtt_max_us, rtt_us);
}

void counters_beat(struct counters *c)
{
	ADD(c->beats, 1);
}

void counters_move(struct counters *c)
{
	ADD(c->moves, 1);
}

void counters_answer(struct counters *c, bool sent)
{
	if (sent)
		ADD(c->answers, 1);
	else
		ADD(c->answers_limited, 1);
}

const struct tunnel_drops *counters_drops(const struct counters *c, uint32_t slot)
{
	uint32_t row = atomic_load_explicit(&c->tunnels[slot].row, memory_order_acquire);

	return row ? &c->rows[row - 1] : NULL;
}

void counters_clear_slot(struct counters *c, uint32_t slot)
{
	struct tunnel_counters *t = &c->tunnels[slot];
	uint32_t row = GET(t->row);

	SET(t->packets_in, 0);
	SET(t->octets_in, 0);
	SET(t->packets_out, 0);
	SET(t->octets_out, 0);
	SET(t->echo_sent, 0);
	SET(t->echo_received, 0);
	SET(t->rtt_min_us, 0);
	SET(t->rtt_max_us, 0);
	SET(t->rtt_sum_us, 0);
	if (row == 0)
		return;
	struct tunnel_drops *own = &c->rows[row - 1];
	for (size_t i = 0; i < DROP__COUNT; i++)
		SET(own->count[i], 0);
	SET(own->last, DROP_NONE);
	SET(own->last_time, 0);
	SET(own->last_from, 0);
}
