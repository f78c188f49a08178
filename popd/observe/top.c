#include "popd/observe/top.h"

#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "popd/core/pages.h"
#include "popd/core/view.h"

/* A slot at the last look. */
struct seen {
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
	size_t slots;
	struct seen *seen; /* mapped, touched when used */
	mono_t looked, asked;
	int64_t window;
	bool has_looked;
	struct heap heaps[TOP_BY__COUNT]; /* sorted after a look */
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

/* Of equal ones the higher number is the smaller, so that the order is always the same. */
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
		size_t least = i, child = 2 * i + 1;
		for (size_t k = child; k < h->n && k < child + 2; k++)
			if (is_smaller(&h->rows[k], &h->rows[least], by))
				least = k;
		if (least == i)
			return;
		swap(&h->rows[i], &h->rows[least]);
		i = least;
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

/* The largest first: the smallest of what is left goes behind it, again and again. */
static void sort(struct heap *h, enum top_by by)
{
	size_t n = h->n;

	while (h->n > 1) {
		swap(&h->rows[0], &h->rows[--h->n]);
		sink(h, 0, by);
	}
	h->n = n;
}

/* ---- looking ---- */

struct top *top_create(size_t slots)
{
	struct top *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->slots = slots;
	t->seen = pages_alloc(slots, sizeof(*t->seen));
	if (!t->seen) {
		free(t);
		return NULL;
	}
	return t;
}

void top_free(struct top *t)
{
	if (!t)
		return;
	pages_free(t->seen, t->slots, sizeof(*t->seen));
	free(t);
}

/* Counters go back when they are reset; then nothing can be said. */
static double rate(uint64_t now, uint64_t then, int64_t window)
{
	return now > then ? (double)(now - then) * 1000 / (double)window : 0;
}

static void compare(struct top *t, uint32_t slot, uint32_t id, const struct view_totals *now)
{
	const struct view_totals *then = &t->seen[slot].totals;
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

static void look_at(struct top *t, struct counters *const *workers, size_t n,
		    const struct tunnel *tunnel)
{
	const struct tunnel_conf *c = atomic_load_explicit(&tunnel->conf, memory_order_relaxed);
	struct seen *seen = &t->seen[tunnel->slot];
	struct view_totals now;

	if (!c) {
		if (seen->id != 0) /* a page that nobody wrote to costs nothing */
			seen->id = 0;
		return;
	}
	view_totals(workers, n, tunnel->slot, &now);
	if (t->window > 0 && seen->id == c->id)
		compare(t, tunnel->slot, c->id, &now);
	*seen = (struct seen){ now, c->id };
}

void top_look(struct top *t, struct table *table, struct counters *const *workers, size_t n,
	      mono_t now)
{
	size_t slots = table_slots_used(table);

	t->asked = now;
	if (t->has_looked && mono_since(now, t->looked) < TOP_PERIOD_MS)
		return;
	t->window = t->has_looked ? mono_since(now, t->looked) : 0;
	t->looked = now;
	t->has_looked = true;
	for (enum top_by by = 0; by < TOP_BY__COUNT; by++)
		t->heaps[by].n = 0;
	for (size_t i = 0; i < slots; i++)
		look_at(t, workers, n, table_slot(table, i));
	for (enum top_by by = 0; by < TOP_BY__COUNT; by++)
		sort(&t->heaps[by], by);
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

bool top_is_idle(const struct top *t, mono_t now)
{
	return mono_since(now, t->asked) >= TOP_KEEP_MS;
}
