#include "popd/observe/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "popd/observe/trace_json.h"

enum { TRACE_BUDGET = 256 }; /* packets a turn, so that the control thread has time for others */

struct watcher {
	bool active;
	struct trace_filter filter;
	uint64_t lost; /* lines it has not been told of */
};

struct trace {
	struct table *table;
	trace_teller *tell;
	void *ctx;
	struct tap_watch watch;
	struct watcher watchers[TRACE_WATCHERS];
};

struct trace *trace_create(struct table *table, trace_teller *tell, void *ctx)
{
	struct trace *t = calloc(1, sizeof(*t));

	if (t) {
		t->table = table;
		t->tell = tell;
		t->ctx = ctx;
	}
	return t;
}

void trace_free(struct trace *t)
{
	free(t);
}

const struct tap_watch *trace_tap_watch(const struct trace *t)
{
	return &t->watch;
}

/* ---- who is watched ---- */

static bool has(const struct trace_filter *filter, uint32_t id)
{
	for (size_t i = 0; i < filter->n; i++)
		if (filter->ids[i] == id)
			return true;
	return false;
}

static bool is_wanted(const struct trace *t, uint32_t id)
{
	for (size_t i = 0; i < TRACE_WATCHERS; i++)
		if (t->watchers[i].active && has(&t->watchers[i].filter, id))
			return true;
	return false;
}

/* What is watched takes no fast path. */
static void hold(struct tunnel *tunnel, bool held)
{
	if ((atomic_load_explicit(&tunnel->held, memory_order_relaxed) != 0) != held)
		atomic_store_explicit(&tunnel->held, held, memory_order_relaxed);
}

/* The tunnels that a watcher names, as far as they exist: watched, when anybody wants them. */
static void mark(struct trace *t, const struct trace_filter *filter)
{
	for (size_t i = 0; i < filter->n; i++) {
		struct tunnel *tunnel = table_by_id(t->table, filter->ids[i]);
		if (!tunnel)
			continue;
		bool wanted = is_wanted(t, filter->ids[i]);
		atomic_store_explicit(&tunnel->watched, wanted, memory_order_relaxed);
		hold(tunnel, wanted || atomic_load_explicit(&t->watch.all, memory_order_relaxed));
	}
}

static void hold_all(struct trace *t, bool all)
{
	for (size_t i = 0; i < table_slots_used(t->table); i++) {
		struct tunnel *tunnel = table_slot(t->table, i);
		if (atomic_load_explicit(&tunnel->conf, memory_order_relaxed))
			hold(tunnel,
			     all || atomic_load_explicit(&tunnel->watched, memory_order_relaxed));
	}
}

static void mark_all(struct trace *t)
{
	uint32_t watchers = 0;
	bool all = false, before = atomic_load_explicit(&t->watch.all, memory_order_relaxed);

	for (size_t i = 0; i < TRACE_WATCHERS; i++) {
		if (!t->watchers[i].active)
			continue;
		mark(t, &t->watchers[i].filter);
		all |= t->watchers[i].filter.all;
		watchers++;
	}
	atomic_store_explicit(&t->watch.all, all, memory_order_relaxed);
	if (all || before)
		hold_all(t, all);
	atomic_store_explicit(&t->watch.watchers, watchers, memory_order_relaxed);
}

void trace_begin(struct trace *t, unsigned watcher, const struct trace_filter *filter)
{
	t->watchers[watcher] = (struct watcher){ .active = true, .filter = *filter };
	mark_all(t);
}

void trace_end(struct trace *t, unsigned watcher)
{
	if (!t->watchers[watcher].active)
		return;
	t->watchers[watcher].active = false;
	mark(t, &t->watchers[watcher].filter);
	mark_all(t);
}

/* ---- telling ---- */

/* What was lost comes before what comes after it. */
static bool tell_lost(struct trace *t, unsigned watcher)
{
	struct watcher *w = &t->watchers[watcher];
	char line[40];

	if (w->lost == 0)
		return true;
	int len = snprintf(line, sizeof(line), "{\"lost\":%llu}", (unsigned long long)w->lost);
	if (!t->tell(t->ctx, watcher, line, (size_t)len))
		return false;
	w->lost = 0;
	return true;
}

static bool concerns(const struct trace_filter *filter, const struct tap_packet *p)
{
	return filter->all || has(filter, p->tunnel) || has(filter, p->charged) ||
	       has(filter, p->out[0].tunnel) || has(filter, p->out[1].tunnel);
}

/* One text for all that want the same of it. */
static void hand_on(struct trace *t, const struct tap_packet *p)
{
	char *text = NULL;
	uint32_t snap = 0;

	for (unsigned i = 0; i < TRACE_WATCHERS; i++) {
		struct watcher *w = &t->watchers[i];
		if (!w->active || !concerns(&w->filter, p))
			continue;
		if (!text || snap != w->filter.snap) {
			free(text);
			snap = w->filter.snap;
			text = trace_json_packet(p, snap);
		}
		if (!text || !tell_lost(t, i) || !t->tell(t->ctx, i, text, strlen(text)))
			w->lost++;
	}
	free(text);
}

/* The worker with the oldest packet; NULL: none has any. A packet may come back by another worker
 * than it left by. It is told of only after it had been when it left; so where there was nothing we
 * look again before we believe it. */
static struct tap *oldest(struct tap *const *taps, size_t n)
{
	struct tap *found = NULL;

	for (size_t i = 0; i < 2 * n; i++) {
		const struct tap_packet *p = tap_first(taps[i % n]);
		if (p && (!found || p->wall_us < tap_first(found)->wall_us))
			found = taps[i % n];
	}
	return found;
}

/* Whose they were nobody knows. */
static void note_lost(struct trace *t, uint64_t lost)
{
	for (size_t i = 0; lost > 0 && i < TRACE_WATCHERS; i++)
		t->watchers[i].lost += t->watchers[i].active ? lost : 0;
}

bool trace_drain(struct trace *t, struct tap *const *taps, size_t n)
{
	struct tap *tap = NULL;
	size_t told = 0;

	while (told < TRACE_BUDGET && (tap = oldest(taps, n))) {
		hand_on(t, tap_first(tap));
		tap_done(tap);
		told++;
	}
	for (size_t i = 0; i < n; i++)
		note_lost(t, tap_lost(taps[i]));
	return told == TRACE_BUDGET;
}

void trace_tick(struct trace *t)
{
	if (atomic_load_explicit(&t->watch.watchers, memory_order_relaxed) == 0)
		return;
	mark_all(t);
	for (unsigned i = 0; i < TRACE_WATCHERS; i++)
		if (t->watchers[i].active)
			(void)tell_lost(t, i);
}
