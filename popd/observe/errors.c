/*
 * A mark holds each worker's counts by reason. A worker's record shows only when that worker has
 * counted a drop since the mark: then the record is of it or of a later one (counters.h), never of
 * one before the mark.
 */
#include "popd/observe/errors.h"

#include <stdlib.h>

#include "lib/clock.h"
#include "lib/digest.h"
#include "lib/err.h"
#include "lib/pages.h"
#include "popd/core/drop_detail.h"
#include "popd/core/view.h"
#include "popd/observe/value.h"

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

/* ---- the views and their marks ---- */

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

/* ---- as JSON ---- */

static json_t *peer(const struct drop_note *n)
{
	char text[ENDPOINT4_TEXT];

	if (n->peer)
		return json_string(endpoint4_text(endpoint_of(n->peer), text));
	return json_string(job_is_own(n->source) ? "popd" : "uplink");
}

static void set_last(json_t *o, const struct drop_note *n, uint32_t now)
{
	char at[CLOCK_TEXT], sentence[DROP_DETAIL_TEXT], hex[2 * DROP_HEAD + 1];

	hex_encode(n->head, n->head_len, hex);
	value_set(o, "at", json_string(wall_text((wall_t){ n->time }, at)));
	value_set(o, "age", json_integer(now > n->time ? now - n->time : 0));
	value_set(o, "tunnel", value_tunnel(n->tunnel));
	value_set(o, "from", n->refused ? json_null() : peer(n));
	if (n->refused)
		value_set(o, "to", peer(n));
	value_set(o, "sentence", json_string(drop_detail_text(n, sentence)));
	value_set(o, "source", value_source(n->source));
	value_set(o, "length", json_integer(n->len));
	value_set(o, "packet", json_string(hex));
}

static void set_nothing(json_t *o, enum drop why)
{
	static const char *const keys[] = { "at", "age", "tunnel", "from" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		value_set(o, keys[i], json_null());
	value_set(o, "sentence", json_string(drop_text(why)));
}

json_t *errors_json(const struct errors_view *v, uint32_t now, bool all)
{
	json_t *list = json_array();

	for (enum drop d = 1; d < DROP__COUNT; d++) {
		const struct errors_row *row = &v->rows[d];
		if (row->count == 0 && !all)
			continue;
		json_t *o = json_object();
		value_set(o, "name", json_string(drop_name(d)));
		value_set(o, "count", json_integer((json_int_t)row->count));
		if (row->has_last)
			set_last(o, &row->last, now);
		else
			set_nothing(o, d);
		value_set(o, "text", json_string(drop_text(d)));
		(void)json_array_append_new(list, o);
	}
	return list;
}
