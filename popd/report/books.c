/*
 * Entries are in the order in which they were begun. A hint is the number of an entry, counted from
 * the first ever; it is used only if the entry there is the right one, so nothing keeps hints up to
 * date.
 */
#include "popd/report/books.h"

#include <stdlib.h>
#include <string.h>

/* Giving up detail stops once one entry in SLACK is free. Joining the oldest days is given up for
 * something coarser when it frees less than one entry in WORTH. */
enum { SLACK = 16, WORTH = 1024 };

/* ---- entries of one size: added at the end, taken from the front ---- */

enum { FIFO_FIRST = 256, FIFO_KEPT = 4096 };

struct fifo {
	size_t size; /* of an entry */
	size_t head, count, capacity;
	unsigned char *entries;
};

static void fifo_clear(struct fifo *f)
{
	free(f->entries);
	*f = (struct fifo){ .size = f->size };
}

static void *fifo_entries(const struct fifo *f)
{
	return f->entries ? f->entries + f->head * f->size : NULL;
}

static size_t fifo_count(const struct fifo *f)
{
	return f->count - f->head;
}

/* Makes space at the end: by moving the entries to the front, or by growing. False: no memory. */
static bool fifo_reserve(struct fifo *f)
{
	if (f->count < f->capacity)
		return true;
	if (f->head > 0 && f->head >= fifo_count(f)) {
		memcpy(f->entries, fifo_entries(f), fifo_count(f) * f->size);
		f->count -= f->head;
		f->head = 0;
		return true;
	}
	size_t capacity = f->capacity ? 2 * f->capacity : FIFO_FIRST;
	unsigned char *grown = realloc(f->entries, capacity * f->size);
	if (!grown)
		return false;
	f->entries = grown;
	f->capacity = capacity;
	return true;
}

/* A new entry at the end, not initialised. NULL: no memory. */
static void *fifo_push(struct fifo *f)
{
	return fifo_reserve(f) ? f->entries + f->count++ * f->size : NULL;
}

/* Moves up to `n` entries to `out`; returns how many. Frees the memory that a crowd needed. */
static size_t fifo_take(struct fifo *f, void *out, size_t n)
{
	size_t taken = fifo_count(f) < n ? fifo_count(f) : n;

	if (taken == 0)
		return 0;
	memcpy(out, fifo_entries(f), taken * f->size);
	f->head += taken;
	if (f->head < f->count)
		return taken;
	if (f->capacity > FIFO_KEPT)
		fifo_clear(f);
	f->head = f->count = 0;
	return taken;
}

/* Keeps the first `n`, no more than there are. */
static void fifo_truncate(struct fifo *f, size_t n)
{
	f->count = f->head + n;
}

/* ---- statbook ---- */

struct statbook {
	size_t limit;
	uint32_t taken; /* the number of the first entry that is still there */
	struct fifo fifo;
};

struct statbook *statbook_create(size_t limit)
{
	struct statbook *b = calloc(1, sizeof(*b));

	if (b)
		*b = (struct statbook){ .limit = limit,
					.fifo = { .size = sizeof(struct statbook_entry) } };
	return b;
}

void statbook_free(struct statbook *b)
{
	if (!b)
		return;
	fifo_clear(&b->fifo);
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

/* True when `next` may be added to `last`, of the same tunnel. `first`: nothing but entries of the
 * tunnel's oldest day was added to `last` yet. `now`: the entry for which there is no space. */
typedef bool may_join(const struct statbook_entry *last, const struct statbook_entry *next,
		      bool first, const struct statbook_entry *now);

static bool are_quarters_of_a_past_day(const struct statbook_entry *last,
				       const struct statbook_entry *next, bool first,
				       const struct statbook_entry *now)
{
	(void)first;
	return last->day == next->day && (last->day != now->day || last->quarter == next->quarter);
}

static bool are_past_quarters(const struct statbook_entry *last, const struct statbook_entry *next,
			      bool first, const struct statbook_entry *now)
{
	(void)first;
	return last->day == next->day && (next->day != now->day || next->quarter < now->quarter);
}

static bool are_two_oldest_days(const struct statbook_entry *last,
				const struct statbook_entry *next, bool first,
				const struct statbook_entry *now)
{
	(void)now;
	return first && last->day < next->day;
}

/* Joins entries, which are sorted by tunnel, the oldest first; returns how many remain. */
static size_t join_entries(struct statbook_entry *e, size_t n, may_join *joins,
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

/* Gives the older half to the PoP as a whole, by day: the book is full of tunnels that were deleted.
 */
static size_t forget_tunnels(struct statbook_entry *e, size_t n)
{
	size_t half = n / 2;

	qsort(e, n, sizeof(*e), by_age);
	for (size_t i = 0; i < half; i++) {
		e[i].tunnel = 0;
		e[i].quarter = QUARTER_NONE;
	}
	qsort(e, n, sizeof(*e), by_tunnel);
	return join_entries(e, n, are_quarters_of_a_past_day,
			    &(struct statbook_entry){ .day = INT32_MAX });
}

static void compact_statbook(struct statbook *b, const struct statbook_entry *now)
{
	struct statbook_entry *e = fifo_entries(&b->fifo);
	size_t n = fifo_count(&b->fifo), enough = b->limit - b->limit / SLACK;

	qsort(e, n, sizeof(*e), by_tunnel);
	n = join_entries(e, n, are_quarters_of_a_past_day, now);
	if (n >= enough)
		n = join_entries(e, n, are_past_quarters, now);
	if (n >= enough) {
		size_t left = join_entries(e, n, are_two_oldest_days, now);
		n = n - left > b->limit / WORTH ? left : forget_tunnels(e, left);
	}
	qsort(e, n, sizeof(*e), by_age);
	fifo_truncate(&b->fifo, n);
}

struct statbook_entry *statbook_entry(struct statbook *b, uint32_t *hint, uint32_t tunnel,
				      int32_t day, int32_t quarter)
{
	const struct statbook_entry new = { .tunnel = tunnel, .day = day, .quarter = quarter };
	struct statbook_entry *e = fifo_entries(&b->fifo);
	uint32_t at = *hint - b->taken;

	if (at < fifo_count(&b->fifo)) {
		e += at;
		if (e->tunnel == tunnel && e->day == day && e->quarter == quarter)
			return e;
	}
	if (fifo_count(&b->fifo) >= b->limit)
		compact_statbook(b, &new);
	e = fifo_push(&b->fifo);
	if (!e)
		return NULL;
	*hint = b->taken + (uint32_t)fifo_count(&b->fifo) - 1;
	*e = new;
	return e;
}

size_t statbook_take(struct statbook *b, struct statbook_entry *out, size_t n)
{
	size_t taken = fifo_take(&b->fifo, out, n);

	b->taken += (uint32_t)taken;
	return taken;
}

size_t statbook_count(const struct statbook *b)
{
	return fifo_count(&b->fifo);
}

/* ---- dropbook ---- */

struct dropbook {
	size_t limit;
	struct fifo fifo;
};

struct dropbook *dropbook_create(size_t limit)
{
	struct dropbook *b = calloc(1, sizeof(*b));

	if (b)
		*b = (struct dropbook){ .limit = limit,
					.fifo = { .size = sizeof(struct dropbook_entry) } };
	return b;
}

void dropbook_free(struct dropbook *b)
{
	if (!b)
		return;
	fifo_clear(&b->fifo);
	free(b);
}

static int by_key(const void *a, const void *b)
{
	const struct dropbook_entry *x = a, *y = b;

	if (x->tunnel != y->tunnel)
		return x->tunnel < y->tunnel ? -1 : 1;
	if (x->reason != y->reason)
		return x->reason < y->reason ? -1 : 1;
	return x->day < y->day ? -1 : x->day > y->day;
}

static int by_day(const void *a, const void *b)
{
	const struct dropbook_entry *x = a, *y = b;

	return x->day < y->day ? -1 : x->day > y->day;
}

/* Joins entries of the same tunnel, reason and day and, with `days`, the two oldest days of a tunnel
 * and reason. They are sorted by key. Returns how many remain. */
static size_t join_drops(struct dropbook_entry *e, size_t n, bool days)
{
	size_t kept = 0;
	bool oldest = false;

	for (size_t i = 0; i < n; i++) {
		struct dropbook_entry *last = kept ? &e[kept - 1] : NULL, next = e[i];
		bool same = last && last->tunnel == next.tunnel && last->reason == next.reason;
		if (same && (last->day == next.day || (days && oldest))) {
			oldest = oldest && last->day == next.day;
			last->packets += next.packets;
			last->day = next.day;
		} else {
			e[kept++] = next;
			oldest = !same;
		}
	}
	return kept;
}

static void compact_dropbook(struct dropbook *b)
{
	struct dropbook_entry *e = fifo_entries(&b->fifo);
	size_t n = fifo_count(&b->fifo), enough = b->limit - b->limit / SLACK;

	qsort(e, n, sizeof(*e), by_key);
	n = join_drops(e, n, false);
	if (n >= enough)
		n = join_drops(e, n, true);
	qsort(e, n, sizeof(*e), by_day);
	if (n >= enough) {
		for (size_t i = 0; i < n / 2; i++)
			e[i].tunnel = 0;
		qsort(e, n, sizeof(*e), by_key);
		n = join_drops(e, n, false);
		qsort(e, n, sizeof(*e), by_day);
	}
	fifo_truncate(&b->fifo, n);
}

bool dropbook_add(struct dropbook *b, const struct dropbook_entry *e)
{
	if (fifo_count(&b->fifo) >= b->limit)
		compact_dropbook(b);
	struct dropbook_entry *place = fifo_push(&b->fifo);
	if (!place)
		return false;
	*place = *e;
	return true;
}

size_t dropbook_take(struct dropbook *b, struct dropbook_entry *out, size_t n)
{
	return fifo_take(&b->fifo, out, n);
}

size_t dropbook_count(const struct dropbook *b)
{
	return fifo_count(&b->fifo);
}
