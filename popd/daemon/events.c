#include "popd/daemon/events.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "popd/core/table.h"
#include "popd/feed/store.h"
#include "popd/port/worker.h"

enum { LOG_BURST = 100, LOG_PERIOD = 10 };

struct events {
	struct store *store;
	uint32_t *told; /* by slot: wall second of the last line, mapped and touched when used */
	size_t slots;
	struct log_limit limit;
};

struct events *events_create(struct table *t, struct store *store)
{
	struct events *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->store = store;
	e->slots = table_slots(t);
	e->told = mmap(NULL, e->slots * sizeof(*e->told), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (e->told == MAP_FAILED) {
		free(e);
		return NULL;
	}
	return e;
}

void events_free(struct events *e)
{
	if (!e)
		return;
	munmap(e->told, e->slots * sizeof(*e->told));
	free(e);
}

static void tell(struct events *e, const struct worker_event *event)
{
	const struct tunnel_conf *c = atomic_load_explicit(&event->tunnel->conf,
							   memory_order_relaxed);
	uint32_t now = (uint32_t)wall_now().s, *told = &e->told[event->tunnel->slot];
	char at[ENDPOINT4_TEXT], was[ENDPOINT4_TEXT];

	if (!c || *told == now)
		return;
	*told = now;
	endpoint4_text(endpoint_of(event->endpoint), at);
	if (event->kind == EVENT_ENDPOINT_MOVED && event->old_endpoint != 0)
		log_limited(&e->limit, LOG_BURST, LOG_PERIOD, LOG_LEVEL_INFO,
			    "T%" PRIu32 " has moved to %s from %s", c->id, at,
			    endpoint4_text(endpoint_of(event->old_endpoint), was));
	else
		log_limited(&e->limit, LOG_BURST, LOG_PERIOD, LOG_LEVEL_INFO,
			    "T%" PRIu32 " is up at %s", c->id, at);
}

void events_drain(struct events *e, struct worker *const *workers, unsigned n)
{
	struct worker_event event;

	for (unsigned i = 0; i < n; i++) {
		while (worker_next_event(workers[i], &event)) {
			store_note(e->store, event.tunnel);
			tell(e, &event);
		}
		if (worker_lost_events(workers[i]))
			store_note_changed(e->store);
	}
	store_append(e->store);
}
