/*
 * Entries stand in the order they were begun. A hint is the number of an entry, counted from the
 * first ever; it is trusted only when the one there now is the wanted one, so nothing has to be
 * kept in step.
 */
#include "popd/report/statbook.h"

#include <stdlib.h>

#include "popd/report/fifo.h"

/* With fewer free places than one in so many, the book is as good as full; and a merge of days that
 * frees less than one in so many is not worth its time. */
enum { SLACK = 16, WORTH = 1024 };

struct statbook {
	size_t limit;
	uint32_t taken; /* the number of the first that waits */
	struct fifo entries;
};

struct statbook *statbook_create(size_t limit)
{
	struct statbook *b = calloc(1, sizeof(*b));

	if (b)
		*b = (struct statbook){ .limit = limit,
					.entries = { .size = sizeof(struct statbook_entry) } };
	return b;
}

void statbook_free(struct statbook *b)
{
	if (!b)
		return;
	fifo_free(&b->entries);
	free(b);
}

static uint64_t join(enum measure_how how, uint64_t a, uint64_t b)
{
	switch (how) {
	case MEASURE_MIN:
		return a == 0 || (b != 0 && b < a) ? b : a;
	case MEASURE_MAX:
		return a > b ? a : b;
	case MEASURE_SUM:
		break;
	}
	return a + b;
}

void statbook_add(struct statbook_entry *into, const uint64_t from[static MEASURE__TUNNEL])
{
	for (enum measure m = 0; m < MEASURE__TUNNEL; m++)
		into->value[m] = join(measure_how(m), into->value[m], from[m]);
}

/* ---- giving up detail ---- */

static int by_age(const void *a, const void *b)
{
	const struct statbook_entry *x = a, *y = b;

	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	if (x->quarter != y->quarter)
		return x->quarter < y->quarter ? -1 : 1;
	return x->tunnel < y->tunnel ? -1 : x->tunnel > y->tunnel;
}

static int by_tunnel(const void *a, const void *b)
{
	const struct statbook_entry *x = a, *y = b;

	if (x->tunnel != y->tunnel)
		return x->tunnel < y->tunnel ? -1 : 1;
	return by_age(a, b);
}

/* May `next` be added to `last`, of the same tunnel? `first`: `last` is the tunnel's oldest day and
 * no two in one. */
typedef bool may_join(const struct statbook_entry *last, const struct statbook_entry *next,
		      bool first, const struct statbook_entry *now);

static bool quarters_of_past_days(const struct statbook_entry *last,
				  const struct statbook_entry *next, bool first,
				  const struct statbook_entry *now)
{
	(void)first;
	return last->day == next->day && (last->day != now->day || last->quarter == next->quarter);
}

static bool quarters_of_today(const struct statbook_entry *last, const struct statbook_entry *next,
			      bool first, const struct statbook_entry *now)
{
	(void)first;
	return last->day == next->day && (next->day != now->day || next->quarter < now->quarter);
}

static bool two_oldest_days(const struct statbook_entry *last, const struct statbook_entry *next,
			    bool first, const struct statbook_entry *now)
{
	(void)now;
	return first && last->day < next->day;
}

/* `e` is sorted by tunnel, the oldest first; returns how many are left. */
static size_t fold(struct statbook_entry *e, size_t n, may_join *joins,
		   const struct statbook_entry *now)
{
	size_t kept = 0;
	bool first = false;

	for (size_t i = 0; i < n; i++) {
		struct statbook_entry *last = kept ? &e[kept - 1] : NULL, next = e[i];
		if (!last || last->tunnel != next.tunnel) {
			e[kept++] = next;
			first = true;
		} else if (joins(last, &next, first, now)) {
			statbook_add(last, next.value);
			first = first && last->day == next.day;
			if (last->day != next.day || last->quarter != next.quarter)
				last->quarter = QUARTER_NONE;
			last->day = next.day;
		} else {
			e[kept++] = next;
			first = false;
		}
	}
	return kept;
}

/* The older half is the PoP's from now on, by the day. For a book full of tunnels that are long
 * gone. */
static size_t forget_tunnels(struct statbook_entry *e, size_t n)
{
	size_t half = n / 2;

	qsort(e, n, sizeof(*e), by_age);
	for (size_t i = 0; i < half; i++) {
		e[i].tunnel = 0;
		e[i].quarter = QUARTER_NONE;
	}
	qsort(e, n, sizeof(*e), by_tunnel);
	return fold(e, n, quarters_of_past_days, &(struct statbook_entry){ .day = INT32_MAX });
}

static void compact(struct statbook *b, const struct statbook_entry *now)
{
	struct statbook_entry *e = fifo_items(&b->entries);
	size_t n = fifo_count(&b->entries), enough = b->limit - b->limit / SLACK;

	qsort(e, n, sizeof(*e), by_tunnel);
	n = fold(e, n, quarters_of_past_days, now);
	if (n >= enough)
		n = fold(e, n, quarters_of_today, now);
	if (n >= enough) {
		size_t left = fold(e, n, two_oldest_days, now);
		n = n - left > b->limit / WORTH ? left : forget_tunnels(e, left);
	}
	qsort(e, n, sizeof(*e), by_age);
	fifo_keep(&b->entries, n);
}

/* ---- entries ---- */

struct statbook_entry *statbook_entry(struct statbook *b, uint32_t *hint, uint32_t tunnel,
				      int32_t day, int32_t quarter)
{
	const struct statbook_entry fresh = { .tunnel = tunnel, .day = day, .quarter = quarter };
	struct statbook_entry *e = fifo_items(&b->entries);
	uint32_t at = *hint - b->taken;

	if (at < fifo_count(&b->entries)) {
		e += at;
		if (e->tunnel == tunnel && e->day == day && e->quarter == quarter)
			return e;
	}
	if (fifo_count(&b->entries) >= b->limit)
		compact(b, &fresh);
	e = fifo_push(&b->entries);
	if (!e)
		return NULL;
	*hint = b->taken + (uint32_t)fifo_count(&b->entries) - 1;
	*e = fresh;
	return e;
}

size_t statbook_take(struct statbook *b, struct statbook_entry *out, size_t n)
{
	size_t taken = fifo_take(&b->entries, out, n);

	b->taken += (uint32_t)taken;
	return taken;
}

size_t statbook_count(const struct statbook *b)
{
	return fifo_count(&b->entries);
}
