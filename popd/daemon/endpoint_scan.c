#include "popd/daemon/endpoint_scan.h"

#include <ev.h>
#include <stdlib.h>

#include "popd/core/icmp_error.h"
#include "popd/core/table.h"
#include "popd/port/worker.h"

/* Tunnels behind one address are as a rule one, and few at most. */
enum { QUESTIONS = WORKER_ICMP_ERRORS, ANSWERS = 64 };
static const double distance = 0.2; /* seconds between walks */

struct question {
	struct icmp_error icmp_error;
	unsigned answers; /* tunnels found */
};

struct endpoint_scan {
	struct ev_loop *loop;
	struct ev_timer turn;
	struct table *table;
	struct worker *worker;
	size_t n;
	struct question questions[QUESTIONS]; /* by endpoint word */
};

static int by_endpoint(const void *a, const void *b)
{
	const struct question *x = a, *y = b;

	return (x->icmp_error.about > y->icmp_error.about) -
	       (x->icmp_error.about < y->icmp_error.about);
}

/* The first question about an endpoint word that is not less. */
static size_t first_from(const struct endpoint_scan *s, uint64_t about)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (s->questions[middle].icmp_error.about < about)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void ask(struct endpoint_scan *s, struct tunnel *t)
{
	const struct tunnel_conf *c = atomic_load_explicit(&t->conf, memory_order_relaxed);
	uint64_t endpoint = atomic_load_explicit(&t->endpoint, memory_order_relaxed);

	if (!c || endpoint == 0)
		return;
	uint64_t about = endpoint_pack(endpoint_of(endpoint), 0);
	for (size_t i = first_from(s, about); i < s->n && s->questions[i].icmp_error.about == about;
	     i++) {
		struct question *q = &s->questions[i];
		/* A worker that is behind has better things to do; whoever quoted will do so again.
		 */
		if (q->answers < ANSWERS && icmp_error_is_about(&q->icmp_error, t, c) &&
		    worker_icmp_error(s->worker, t, &q->icmp_error))
			q->answers++;
	}
}

static void take_turn(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	struct endpoint_scan *s = container_of(timer, struct endpoint_scan, turn);
	size_t slots = table_slots_used(s->table);

	(void)revents;
	s->n = 0;
	while (s->n < QUESTIONS &&
	       worker_next_icmp_error(s->worker, &s->questions[s->n].icmp_error))
		s->questions[s->n++].answers = 0;
	qsort(s->questions, s->n, sizeof(s->questions[0]), by_endpoint);
	for (size_t i = 0; i < slots && s->n > 0; i++)
		ask(s, table_slot(s->table, i));
	for (size_t i = 0; i < s->n; i++)
		if (s->questions[i].answers == 0)
			(void)worker_icmp_error(s->worker, NULL, &s->questions[i].icmp_error);
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
	ev_timer_init(&s->turn, take_turn, 0., distance);
	return s;
}

void endpoint_scan_free(struct endpoint_scan *s)
{
	if (!s)
		return;
	ev_timer_stop(s->loop, &s->turn);
	free(s);
}

/* The timer runs as long as each turn brings something, so the first ICMP error after a pause need
 * not wait. */
void endpoint_scan_wake(struct endpoint_scan *s)
{
	if (ev_is_active(&s->turn))
		return;
	ev_timer_set(&s->turn, 0., distance);
	ev_timer_start(s->loop, &s->turn);
}
