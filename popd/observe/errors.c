/*
 * A mark holds each worker's counts by reason. A worker's record shows only when that worker has
 * counted a drop since the mark: then the record is of it or of a later one (counters.h), never of
 * one before the mark.
 */
#include "popd/observe/errors.h"

#include <stdlib.h>

#include "lib/err.h"
#include "popd/core/pages.h"
#include "popd/core/view.h"

struct mark {
	uint32_t since;
	uint64_t counts[]; /* [worker][reason] */
};

struct errors {
	struct counters *const *workers;
	size_t n, slots;
	struct mark *pop;
	struct mark **tunnels; /* by slot; mapped, touched when used */
};

static struct mark *mark_create(size_t workers)
{
	return calloc(1, sizeof(struct mark) + workers * DROP__COUNT * sizeof(uint64_t));
}

struct errors *errors_create(struct counters *const *workers, size_t n)
{
	struct errors *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	*e = (struct errors){
		.workers = workers, .n = n, .slots = workers[0]->slots, .pop = mark_create(n)
	};
	e->tunnels = pages_alloc(e->slots, sizeof(*e->tunnels));
	if (!e->pop || !e->tunnels) {
		errors_free(e);
		return NULL;
	}
	return e;
}

void errors_free(struct errors *e)
{
	if (!e)
		return;
	for (size_t i = 0; e->tunnels && i < e->slots; i++)
		free(e->tunnels[i]);
	pages_free(e->tunnels, e->slots, sizeof(*e->tunnels));
	free(e->pop);
	free(e);
}

/* ---- one worker's count of one reason, of the PoP or of a slot ---- */

static const uint32_t whole_pop = UINT32_MAX; /* in place of a slot */

static uint64_t count_of(const struct counters *c, uint32_t slot, enum drop why)
{
	if (slot == whole_pop)
		return atomic_load_explicit(&c->drops[why].count, memory_order_acquire);
	return counters_drops(c, slot, why);
}

static const struct drop_record *record_of(const struct counters *c, uint32_t slot, enum drop why)
{
	if (slot == whole_pop)
		return &c->drops[why].last;
	return counters_record(c, slot, why);
}

static void add(struct errors_row *row, const struct counters *c, uint32_t slot, enum drop why,
		uint64_t before)
{
	uint64_t count = count_of(c, slot, why);
	struct drop_note note;

	if (count == before)
		return;
	row->count += count - before;
	const struct drop_record *record = record_of(c, slot, why);
	if (record && view_note(record, &note) && (!row->has_last || note.time >= row->last.time)) {
		row->has_last = true;
		row->last = note;
	}
}

static void sum(const struct errors *e, uint32_t slot, const struct mark *mark,
		struct errors_view *out)
{
	*out = (struct errors_view){ .since = mark ? mark->since : 0 };
	for (size_t w = 0; w < e->n; w++)
		for (enum drop d = 1; d < DROP__COUNT; d++)
			add(&out->rows[d], e->workers[w], slot, d,
			    mark ? mark->counts[w * DROP__COUNT + d] : 0);
}

static void set_mark(const struct errors *e, uint32_t slot, struct mark *mark, uint32_t now)
{
	mark->since = now;
	for (size_t w = 0; w < e->n; w++)
		for (enum drop d = 0; d < DROP__COUNT; d++)
			mark->counts[w * DROP__COUNT + d] = count_of(e->workers[w], slot, d);
}

/* ---- */

void errors_of_tunnel(const struct errors *e, uint32_t slot, struct errors_view *out)
{
	sum(e, slot, e->tunnels[slot], out);
}

void errors_of_pop(const struct errors *e, struct errors_view *out)
{
	sum(e, whole_pop, e->pop, out);
}

int errors_reset_tunnel(struct errors *e, uint32_t slot, uint32_t now)
{
	if (!e->tunnels[slot])
		e->tunnels[slot] = mark_create(e->n);
	if (!e->tunnels[slot])
		return -ERR_NOMEM;
	set_mark(e, slot, e->tunnels[slot], now);
	return 0;
}

void errors_reset_pop(struct errors *e, uint32_t now)
{
	set_mark(e, whole_pop, e->pop, now);
}

void errors_slot_freed(struct errors *e, uint32_t slot)
{
	free(e->tunnels[slot]);
	e->tunnels[slot] = NULL;
}
