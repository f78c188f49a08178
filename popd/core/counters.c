#include "popd/core/counters.h"

#include <stdlib.h>
#include <string.h>

#include "lib/pages.h"

_Static_assert(sizeof(struct tunnel_counters) == 64, "one cache line a tunnel");

/* There is one writer, so no read-modify-write instruction is needed; readers see the old value or
 * the new one. */
#define ADD(field, n)                                                                     \
	atomic_store_explicit(&(field),                                                   \
			      atomic_load_explicit(&(field), memory_order_relaxed) + (n), \
			      memory_order_relaxed)
#define SET(field, v) atomic_store_explicit(&(field), (v), memory_order_relaxed)
#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)

struct counters *counters_create(size_t slots)
{
	return counters_create_in(NULL, slots);
}

struct counters *counters_create_in(struct tunnel_counters *tunnels, size_t slots)
{
	struct counters *c = pages_alloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->slots = slots;
	c->borrows_tunnels = tunnels != NULL;
	c->tunnels = tunnels ? tunnels : pages_alloc(slots, sizeof(*c->tunnels));
	c->tunnel_drops = pages_alloc(slots * DROP__COUNT, sizeof(*c->tunnel_drops));
	c->record_capacity = 2 * slots + COUNTERS_RECORDS;
	c->records = pages_alloc(c->record_capacity, sizeof(*c->records));
	if (!c->tunnels || !c->tunnel_drops || !c->records) {
		counters_free(c);
		return NULL;
	}
	return c;
}

void counters_free(struct counters *c)
{
	if (!c)
		return;
	if (!c->borrows_tunnels)
		pages_free(c->tunnels, c->slots, sizeof(*c->tunnels));
	pages_free(c->tunnel_drops, c->slots * DROP__COUNT, sizeof(*c->tunnel_drops));
	pages_free(c->records, c->record_capacity, sizeof(*c->records));
	pages_free(c, 1, sizeof(*c));
}

static struct tunnel_drops *find(const struct counters *c, uint32_t slot, enum drop why)
{
	uint32_t at = atomic_load_explicit(&c->tunnels[slot].drops, memory_order_acquire);

	for (; at != 0; at = c->tunnel_drops[at - 1].next)
		if (c->tunnel_drops[at - 1].reason == why)
			return &c->tunnel_drops[at - 1];
	return NULL;
}

/* The slot's, allocated on first use. There is one for each slot and reason; none is ever freed. */
static struct tunnel_drops *drops_of(struct counters *c, uint32_t slot, enum drop why)
{
	struct tunnel_drops *d = find(c, slot, why);

	if (d)
		return d;
	d = &c->tunnel_drops[c->drops_used++];
	d->reason = why;
	d->next = GET(c->tunnels[slot].drops);
	atomic_store_explicit(&c->tunnels[slot].drops, c->drops_used, memory_order_release);
	return d;
}

/* There are fewer records than drops; NULL: all are in use. */
static struct drop_record *record_of(struct counters *c, struct tunnel_drops *d)
{
	uint32_t record = GET(d->record);

	if (record == 0 && c->records_used < c->record_capacity) {
		record = ++c->records_used;
		atomic_store_explicit(&d->record, record, memory_order_release);
	}
	return record ? &c->records[record - 1] : NULL;
}

/* Released, so that a reader of the count finds the record as new. */
#define COUNT(field)                                                                              \
	atomic_store_explicit(&(field), atomic_load_explicit(&(field), memory_order_relaxed) + 1, \
			      memory_order_release)

void counters_drop(struct counters *c, uint32_t slot, const struct drop_note *note)
{
	struct pop_drops *all = &c->drops[note->why];

	drop_record_write(&all->last, note);
	COUNT(all->count);
	if (slot >= c->slots)
		return;
	struct tunnel_drops *own = drops_of(c, slot, note->why);
	struct drop_record *record = record_of(c, own);
	if (record)
		drop_record_write(record, note);
	COUNT(own->count);
}

void counters_in(struct counters *c, uint32_t slot, uint32_t packets, size_t bytes)
{
	ADD(c->packets_in, packets);
	ADD(c->bytes_in, bytes);
	ADD(c->tunnels[slot].packets_in, packets);
	ADD(c->tunnels[slot].bytes_in, bytes);
}

void counters_out(struct counters *c, uint32_t slot, size_t bytes)
{
	ADD(c->packets_out, 1);
	ADD(c->bytes_out, bytes);
	ADD(c->tunnels[slot].packets_out, 1);
	ADD(c->tunnels[slot].bytes_out, bytes);
}

void counters_echo_sent(struct counters *c, uint32_t slot)
{
	ADD(c->echo_sent, 1);
	ADD(c->tunnels[slot].echo_sent, 1);
}

static void widen(_Atomic uint32_t *min, _Atomic uint32_t *max, uint32_t value)
{
	uint32_t old = GET(*min);

	if (old == 0 || value < old)
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

void counters_path_challenge(struct counters *c)
{
	ADD(c->path_challenges, 1);
}

void counters_path_response(struct counters *c)
{
	ADD(c->path_responses, 1);
}

void counters_answer(struct counters *c, bool sent)
{
	if (sent)
		ADD(c->answers, 1);
	else
		ADD(c->answers_limited, 1);
}

uint32_t counters_drops(const struct counters *c, uint32_t slot, enum drop why)
{
	const struct tunnel_drops *d = find(c, slot, why);

	return d ? atomic_load_explicit(&d->count, memory_order_acquire) : 0;
}

void counters_add_drops(const struct counters *c, uint32_t slot, uint64_t sum[static DROP__COUNT])
{
	uint32_t at = atomic_load_explicit(&c->tunnels[slot].drops, memory_order_acquire);

	for (; at != 0; at = c->tunnel_drops[at - 1].next)
		sum[c->tunnel_drops[at - 1].reason] += GET(c->tunnel_drops[at - 1].count);
}

const struct drop_record *counters_record(const struct counters *c, uint32_t slot, enum drop why)
{
	const struct tunnel_drops *d = find(c, slot, why);
	uint32_t record = d ? atomic_load_explicit(&d->record, memory_order_acquire) : 0;

	return record ? &c->records[record - 1] : NULL;
}

void counters_clear_slot(struct counters *c, uint32_t slot)
{
	struct tunnel_counters *t = &c->tunnels[slot];
	uint32_t at = GET(t->drops);

	SET(t->packets_in, 0);
	SET(t->bytes_in, 0);
	SET(t->packets_out, 0);
	SET(t->bytes_out, 0);
	SET(t->echo_sent, 0);
	SET(t->echo_received, 0);
	SET(t->rtt_min_us, 0);
	SET(t->rtt_max_us, 0);
	SET(t->rtt_sum_us, 0);
	for (; at != 0; at = c->tunnel_drops[at - 1].next) {
		uint32_t record = GET(c->tunnel_drops[at - 1].record);
		SET(c->tunnel_drops[at - 1].count, 0);
		if (record)
			drop_record_clear(&c->records[record - 1]);
	}
}
