#include "popd/report/dropbook.h"

#include <stdlib.h>

#include "popd/report/fifo.h"

/* With fewer free places than one in so many, the book is as good as full. */
enum { SLACK = 16 };

struct dropbook {
	size_t limit;
	struct fifo entries;
};

struct dropbook *dropbook_create(size_t limit)
{
	struct dropbook *b = calloc(1, sizeof(*b));

	if (b)
		*b = (struct dropbook){ .limit = limit,
					.entries = { .size = sizeof(struct dropbook_entry) } };
	return b;
}

void dropbook_free(struct dropbook *b)
{
	if (!b)
		return;
	fifo_free(&b->entries);
	free(b);
}

static int by_key(const void *a, const void *b)
{
	const struct dropbook_entry *x = a, *y = b;

	if (x->tunnel != y->tunnel)
		return x->tunnel < y->tunnel ? -1 : 1;
	if (x->why != y->why)
		return x->why < y->why ? -1 : 1;
	return x->day < y->day ? -1 : x->day > y->day;
}

static int by_day(const void *a, const void *b)
{
	const struct dropbook_entry *x = a, *y = b;

	return x->day < y->day ? -1 : x->day > y->day;
}

/* `e` is sorted by key. What has the same key becomes one and, with `days`, the two oldest days of
 * a tunnel and reason. Returns how many are left. */
static size_t fold(struct dropbook_entry *e, size_t n, bool days)
{
	size_t kept = 0;
	bool oldest = false;

	for (size_t i = 0; i < n; i++) {
		struct dropbook_entry *last = kept ? &e[kept - 1] : NULL, next = e[i];
		bool same = last && last->tunnel == next.tunnel && last->why == next.why;
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

static void compact(struct dropbook *b)
{
	struct dropbook_entry *e = fifo_items(&b->entries);
	size_t n = fifo_count(&b->entries), enough = b->limit - b->limit / SLACK;

	qsort(e, n, sizeof(*e), by_key);
	n = fold(e, n, false);
	if (n >= enough)
		n = fold(e, n, true);
	qsort(e, n, sizeof(*e), by_day);
	if (n >= enough) {
		for (size_t i = 0; i < n / 2; i++)
			e[i].tunnel = 0;
		qsort(e, n, sizeof(*e), by_key);
		n = fold(e, n, false);
		qsort(e, n, sizeof(*e), by_day);
	}
	fifo_keep(&b->entries, n);
}

bool dropbook_add(struct dropbook *b, const struct dropbook_entry *e)
{
	if (fifo_count(&b->entries) >= b->limit)
		compact(b);
	struct dropbook_entry *place = fifo_push(&b->entries);
	if (!place)
		return false;
	*place = *e;
	return true;
}

size_t dropbook_take(struct dropbook *b, struct dropbook_entry *out, size_t n)
{
	return fifo_take(&b->entries, out, n);
}

size_t dropbook_count(const struct dropbook *b)
{
	return fifo_count(&b->entries);
}
