#include "popd/observe/top.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/pages.h"
#include "popd/core/view.h"
#include "popd/observe/value.h"

/* A slot at the last sample. */
struct sample {
	struct view_totals totals;
	uint32_t id; /* of the tunnel it had; 0: none */
};

/* The largest so far; the smallest of them is rows[0], and no row is smaller than rows[(i - 1) /
 * 2]. */
struct heap {
	size_t n;
	struct top_row rows[TOP_MAX];
};

struct top {
	struct table *table;
	struct counters *const *counters;
	size_t n;
	struct sample *samples; /* by slot, mapped, touched when used; NULL: there is none yet */
	mono_t sampled, asked;
	int64_t window;
	struct heap heaps[TOP_BY__COUNT]; /* sorted after a sample */
};

static const char *const by_names[] = {
	[TOP_BYTES] = "bytes", [TOP_PACKETS] = "packets", [TOP_DROPS] = "drops"
};
_Static_assert(ARRAY_LEN(by_names) == TOP_BY__COUNT, "every order has a name");

const char *top_by_name(enum top_by by)
{
	return by < TOP_BY__COUNT ? by_names[by] : "?";
}

int top_by_parse(const char *name, enum top_by *out)
{
	for (enum top_by by = 0; by < TOP_BY__COUNT; by++) {
		if (strcmp(name, by_names[by]) == 0) {
			*out = by;
			return 0;
		}
	}
	return -ERR_UNKNOWN;
}

/* ---- the largest ---- */

static double size_of(const struct top_row *r, enum top_by by)
{
	switch (by) {
	case TOP_BYTES:
		return r->bytes_in + r->bytes_out;
	case TOP_PACKETS:
		return r->packets_in + r->packets_out;
	default:
		return r->drops;
	}
}

/* Of two equal rows the one with the higher id is smaller, so that the order is always the same. */
static bool is_smaller(const struct top_row *a, const struct top_row *b, enum top_by by)
{
	double x = size_of(a, by), y = size_of(b, by);

	return x < y || (x == y && a->id > b->id);
}

static void swap(struct top_row *a, struct top_row *b)
{
	struct top_row old = *a;

	*a = *b;
	*b = old;
}

static void sink(struct heap *h, size_t i, enum top_by by)
{
	for (;;) {
		size_t smallest = i, child = 2 * i + 1;
		for (size_t k = child; k < h->n && k < child + 2; k++)
			if (is_smaller(&h->rows[k], &h->rows[smallest], by))
				smallest = k;
		if (smallest == i)
			return;
		swap(&h->rows[i], &h->rows[smallest]);
		i = smallest;
	}
}

static void offer(struct heap *h, const struct top_row *row, enum top_by by)
{
	if (!(size_of(row, by) > 0))
		return;
	if (h->n == TOP_MAX) {
		if (is_smaller(row, &h->rows[0], by))
			return;
		h->rows[0] = *row;
		sink(h, 0, by);
		return;
	}
	size_t i = h->n++;
	h->rows[i] = *row;
	for (; i > 0 && is_smaller(&h->rows[i], &h->rows[(i - 1) / 2], by); i = (i - 1) / 2)
		swap(&h->rows[i], &h->rows[(i - 1) / 2]);
}

/* Sorts the heap, the largest first. */
static void sort(struct heap *h, enum top_by by)
{
	size_t n = h->n;

	while (h->n > 1) {
		swap(&h->rows[0], &h->rows[--h->n]);
		sink(h, 0, by);
	}
	h->n = n;
}

/* ---- sampling ---- */

struct top *top_create(struct table *table, struct counters *const *counters, size_t n)
{
	struct top *t = calloc(1, sizeof(*t));

	if (t) {
		t->table = table;
		t->counters = counters;
		t->n = n;
	}
	return t;
}

static void forget(struct top *t)
{
	if (t->samples)
		pages_free(t->samples, table_slots(t->table), sizeof(*t->samples));
	t->samples = NULL;
}

void top_free(struct top *t)
{
	if (!t)
		return;
	forget(t);
	free(t);
}

/* Counters that went back were reset: their rate is unknown. */
static double rate(uint64_t now, uint64_t then, int64_t window)
{
	return now > then ? (double)(now - then) * 1000 / (double)window : 0;
}

static void compare(struct top *t, uint32_t slot, uint32_t id, const struct view_totals *now)
{
	const struct view_totals *then = &t->samples[slot].totals;
	struct top_row row = {
		.id = id,
		.slot = slot,
		.packets_in = rate(now->packets_in, then->packets_in, t->window),
		.bytes_in = rate(now->bytes_in, then->bytes_in, t->window),
		.packets_out = rate(now->packets_out, then->packets_out, t->window),
		.bytes_out = rate(now->bytes_out, then->bytes_out, t->window),
		.drops = rate(now->drops, then->drops, t->window),
	};

	for (enum top_by by = 0; by < TOP_BY__COUNT; by++)
		offer(&t->heaps[by], &row, by);
}

static void sample_tunnel(struct top *t, const struct tunnel *tunnel)
{
	const struct tunnel_conf *c = atomic_load_explicit(&tunnel->conf, memory_order_relaxed);
	struct sample *sample = &t->samples[tunnel->slot];
	struct view_totals now;

	if (!c) {
		if (sample->id != 0) /* do not touch a page that was never used */
			sample->id = 0;
		return;
	}
	view_totals(t->counters, t->n, tunnel->slot, &now);
	if (t->window > 0 && sample->id == c->id)
		compare(t, tunnel->slot, c->id, &now);
	*sample = (struct sample){ now, c->id };
}

int top_sample(struct top *t, mono_t now)
{
	bool first = !t->samples;

	t->asked = now;
	if (!first && mono_since(now, t->sampled) < TOP_PERIOD_MS)
		return 0;
	if (first)
		t->samples = pages_alloc(table_slots(t->table), sizeof(*t->samples));
	if (!t->samples)
		return -ERR_NOMEM;
	t->window = first ? 0 : mono_since(now, t->sampled);
	t->sampled = now;
	for (enum top_by by = 0; by < TOP_BY__COUNT; by++)
		t->heaps[by].n = 0;
	for (size_t i = 0; i < table_slots_used(t->table); i++)
		sample_tunnel(t, table_slot(t->table, i));
	for (enum top_by by = 0; by < TOP_BY__COUNT; by++)
		sort(&t->heaps[by], by);
	return 0;
}

void top_tick(struct top *t, mono_t now)
{
	if (mono_since(now, t->asked) >= TOP_KEEP_MS)
		forget(t);
}

int64_t top_window(const struct top *t)
{
	return t->window;
}

size_t top_rows(const struct top *t, enum top_by by, const struct top_row **rows)
{
	*rows = t->heaps[by].rows;
	return t->heaps[by].n;
}

/* ---- as JSON ---- */

static void set_bits(json_t *o, const char *key, double bytes)
{
	value_set(o, key, json_integer((json_int_t)(8 * bytes)));
}

/* To the tenth: the clock of the samples is no more exact. */
static void set_rate(json_t *o, const char *key, double per_second)
{
	value_set(o, key, json_real(round(per_second * 10) / 10));
}

/* NULL: the tunnel has gone since the sample. */
static json_t *row_json(const struct top *top, const struct top_row *r)
{
	const struct tunnel *t = table_slot(top->table, r->slot);
	const struct tunnel_conf *c = atomic_load_explicit(&t->conf, memory_order_relaxed);
	struct view_totals v;

	if (!c || c->id != r->id)
		return NULL;
	json_t *o = json_object();
	value_set(o, "id", value_tunnel(r->id));
	value_set(o, "type", json_string(tunnel_type_name((enum tunnel_type)c->type)));
	value_set(o, "endpoint",
		  value_endpoint(atomic_load_explicit(&t->endpoint, memory_order_relaxed)));
	set_bits(o, "bits_in_per_second", r->bytes_in);
	set_bits(o, "bits_out_per_second", r->bytes_out);
	set_rate(o, "packets_in_per_second", r->packets_in);
	set_rate(o, "packets_out_per_second", r->packets_out);
	set_rate(o, "drops_per_second", r->drops);
	view_totals(top->counters, top->n, r->slot, &v);
	value_set_measure(o, MEASURE_PACKETS_IN, v.packets_in);
	value_set_measure(o, MEASURE_BYTES_IN, v.bytes_in);
	value_set_measure(o, MEASURE_PACKETS_OUT, v.packets_out);
	value_set_measure(o, MEASURE_BYTES_OUT, v.bytes_out);
	value_set_measure(o, MEASURE_DROPS, v.drops);
	return o;
}

json_t *top_json(const struct top *t, enum top_by by, size_t limit)
{
	const struct top_row *rows;
	size_t count = top_rows(t, by, &rows);
	json_t *o = json_object(), *list = json_array();

	for (size_t i = 0; i < count && i < limit; i++) {
		json_t *row = row_json(t, &rows[i]);
		if (row)
			(void)json_array_append_new(list, row);
	}
	value_set(o, "by", json_string(top_by_name(by)));
	value_set(o, "window_ms", t->window > 0 ? json_integer(t->window) : json_null());
	value_set(o, "tunnels", list);
	return o;
}
