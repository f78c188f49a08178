#include "popd/daemon/endpoint_scan.h"

#include <ev.h>
#include <stdlib.h>

#include "popd/core/icmp_error.h"
#include "popd/core/table.h"
#include "popd/port/worker.h"

/* Most addresses have one tunnel behind them, some have a few. */
enum { ERRORS_MAX = WORKER_ICMP_ERRORS, TUNNELS_MAX = 64 /* found for one error */ };
static const double interval = 0.2; /* seconds between scans */

struct pending {
	struct icmp_error icmp_error;
	unsigned tunnels; /* found */
};

struct endpoint_scan {
	struct ev_loop *loop;
	struct ev_timer timer;
	struct table *table;
	struct worker *worker;
	size_t n;
	struct pending pending[ERRORS_MAX]; /* sorted by endpoint word */
};

static int by_endpoint(const void *a, const void *b)
{
	const struct pending *x = a, *y = b;

	return (x->icmp_error.about > y->icmp_error.about) -
	       (x->icmp_error.about < y->icmp_error.about);
}

/* The first pending error whose endpoint word is `about` or greater. */
static size_t first_from(const struct endpoint_scan *s, uint64_t about)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (s->pending[middle].icmp_error.about < about)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void match(struct endpoint_scan *s, struct tunnel *t)
{
	const struct tunnel_conf *c = atomic_load_explicit(&t->conf, memory_order_relaxed);
	uint64_t endpoint = atomic_load_explicit(&t->endpoint, memory_order_relaxed);

	if (!c || endpoint == 0)
		return;
	uint64_t about = endpoint_pack(endpoint_of(endpoint), 0);
	for (size_t i = first_from(s, about); i < s->n && s->pending[i].icmp_error.about == about;
	     i++) {
		struct pending *p = &s->pending[i];
		/* A worker that is behind skips it: the router will send it again. */
		if (p->tunnels < TUNNELS_MAX && icmp_error_is_about(&p->icmp_error, t, c) &&
		    worker_icmp_error(s->worker, t, &p->icmp_error))
			p->tunnels++;
	}
}

static void scan_due(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	struct endpoint_scan *s = container_of(timer, struct endpoint_scan, timer);
	size_t slots = table_slots_used(s->table);

	(void)revents;
	s->n = 0;
	while (s->n < ERRORS_MAX && worker_next_icmp_error(s->worker, &s->pending[s->n].icmp_error))
		s->pending[s->n++].tunnels = 0;
	qsort(s->pending, s->n, sizeof(s->pending[0]), by_endpoint);
	for (size_t i = 0; i < slots && s->n > 0; i++)
		match(s, table_slot(s->table, i));
	for (size_t i = 0; i < s->n; i++)
		if (s->pending[i].tunnels == 0)
			(void)worker_icmp_error(s->worker, NULL, &s->pending[i].icmp_error);
	if (s->n == 0)
		ev_timer_stop(loop, timer);
}

struct endpoint_scan *endpoint_scan_create(struct ev_loop *loop, struct table *t,
					   struct worker *worker)
{
	struct endpoint_scan *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->loop = loop;
	s->table = t;
	s->worker = worker;
	ev_timer_init(&s->timer, scan_due, 0., interval);
	return s;
}

void endpoint_scan_free(struct endpoint_scan *s)
{
	if (!s)
		return;
	ev_timer_stop(s->loop, &s->timer);
	free(s);
}

/* The timer runs as long as scans have something to do, so the first ICMP error after a pause does
 * not wait. */
void endpoint_scan_wake(struct endpoint_scan *s)
{
	if (ev_is_active(&s->timer))
		return;
	ev_timer_set(&s->timer, 0., interval);
	ev_timer_start(s->loop, &s->timer);
}
