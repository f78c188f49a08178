#include "popd/core/grace.h"

#include <sched.h>
#include <stdlib.h>

#include "lib/err.h"
#include "lib/pages.h"

enum { TRIES = 1000 };

struct retired {
	uint64_t epoch;
	void (*release)(void *owner, void *what);
	void *owner, *what;
};

int grace_init(struct grace *g, unsigned workers)
{
	*g = (struct grace){ .epoch = 1, .worker_count = workers };
	g->workers = pages_alloc(workers, sizeof(*g->workers));
	return g->workers ? 0 : -ERR_NOMEM;
}

void grace_free(struct grace *g)
{
	if (g->workers)
		grace_reclaim(g);
	free(g->list);
	pages_free(g->workers, g->worker_count, sizeof(*g->workers));
	*g = (struct grace){ .epoch = 1 };
}

/* True when every worker has left, or has entered after `epoch`. */
static bool has_passed(const struct grace *g, uint64_t epoch)
{
	for (unsigned i = 0; i < g->worker_count; i++) {
		uint64_t seen = atomic_load(&g->workers[i].seen);
		if (seen != 0 && seen <= epoch)
			return false;
	}
	return true;
}

/* Grows the list, if need be, for one more. False: no memory. */
static bool reserve(struct grace *g)
{
	if (g->count < g->size)
		return true;
	size_t size = g->size ? g->size * 2 : 64;
	struct retired *list = malloc(size * sizeof(*list));
	if (!list)
		return false;
	for (size_t i = 0; i < g->count; i++)
		list[i] = g->list[(g->first + i) % g->size];
	free(g->list);
	g->list = list;
	g->size = size;
	g->first = 0;
	return true;
}

bool grace_wait_shortly(struct grace *g)
{
	uint64_t epoch = atomic_fetch_add(&g->epoch, 1);

	for (int i = 0; i < TRIES; i++) {
		if (has_passed(g, epoch))
			return true;
		(void)sched_yield();
	}
	return false;
}

void grace_retire(struct grace *g, void (*release)(void *owner, void *what), void *owner,
		  void *what)
{
	if (reserve(g)) {
		uint64_t epoch = atomic_fetch_add(&g->epoch, 1);
		g->list[(g->first + g->count++) % g->size] = (struct retired){ epoch, release,
									       owner, what };
		return;
	}
	if (!grace_wait_shortly(g))
		return;
	grace_reclaim(g);
	release(owner, what);
}

void grace_reclaim(struct grace *g)
{
	while (g->count > 0 && has_passed(g, g->list[g->first].epoch)) {
		struct retired r = g->list[g->first];
		g->first = (g->first + 1) % g->size;
		g->count--;
		r.release(r.owner, r.what);
	}
}
