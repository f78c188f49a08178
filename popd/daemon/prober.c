#include "popd/daemon/prober.h"

#include <ev.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "popd/port/worker.h"

enum { ROUND = 60 }; /* seconds until each tunnel has had its turn */

struct prober {
	struct ev_loop *loop;
	struct ev_timer tick;
	struct table *table;
	struct worker *const *workers;
	unsigned n;
	const int64_t *expiry;
	unsigned second;   /* of the round, 0 to ROUND - 1 */
	uint16_t sequence; /* of the round */
	size_t slots;      /* all slots in use are below it */
};

/* One more than the highest slot in use. */
static size_t used_slots(struct table *t)
{
	size_t left = table_count(t), slots = table_slots(t), i;

	for (i = 0; i < slots && left > 0; i++)
		left -= atomic_load_explicit(&table_slot(t, i)->conf, memory_order_relaxed) != NULL;
	return i;
}

/* Counts the slots once a round; in between the number only grows, with new tunnels. */
static void follow_slots(struct prober *p)
{
	if (p->second == 0)
		p->slots = used_slots(p->table);
	while (p->slots < table_slots(p->table) &&
	       atomic_load_explicit(&table_slot(p->table, p->slots)->conf, memory_order_relaxed))
		p->slots++;
}

static void probe_slot(struct prober *p, size_t slot, mono_s_t now)
{
	struct tunnel *t = table_slot(p->table, slot);
	const struct tunnel_conf *c = atomic_load_explicit(&t->conf, memory_order_relaxed);

	/* A worker that is behind with its probes skips this one; the next comes in a minute. */
	if (c && tunnel_is_up(t, c, now, (uint32_t)*p->expiry))
		(void)worker_probe(p->workers[slot % p->n], t, p->sequence);
}

static void tick_due(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	struct prober *p = container_of(timer, struct prober, tick);
	mono_s_t now = mono_seconds();

	(void)loop;
	(void)revents;
	follow_slots(p);
	p->sequence += p->second == 0;
	for (size_t i = p->second; i < p->slots; i += ROUND)
		probe_slot(p, i, now);
	p->second = (p->second + 1) % ROUND;
}

struct prober *prober_create(struct ev_loop *loop, struct table *t, struct worker *const *workers,
			     unsigned n, const int64_t *expiry)
{
	struct prober *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	*p = (struct prober){
		.loop = loop, .table = t, .workers = workers, .n = n, .expiry = expiry
	};
	ev_timer_init(&p->tick, tick_due, 1., 1.);
	ev_timer_start(loop, &p->tick);
	return p;
}

void prober_free(struct prober *p)
{
	if (!p)
		return;
	ev_timer_stop(p->loop, &p->tick);
	free(p);
}
