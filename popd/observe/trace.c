#include "popd/observe/trace.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "popd/observe/value.h"

enum { BUDGET = 256 }; /* packets in one call, so that the control thread has time for others */

struct watcher {
	bool active;
	struct trace_filter filter;
	uint64_t lost; /* lines that were not sent, not yet reported */
};

struct trace {
	struct table *table;
	trace_sender *send;
	void *ctx;
	struct tap_watch watch;
	struct watcher watchers[TRACE_WATCHERS];
};

struct trace *trace_create(struct table *table, trace_sender *send, void *ctx)
{
	struct trace *t = calloc(1, sizeof(*t));

	if (t) {
		t->table = table;
		t->send = send;
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

/* ---- which tunnels are watched ---- */

static bool has(const struct trace_filter *filter, uint32_t id)
{
	for (size_t i = 0; i < filter->n; i++)
		if (filter->ids[i] == id)
			return true;
	return false;
}

static bool is_followed(const struct trace *t, uint32_t id)
{
	for (size_t i = 0; i < TRACE_WATCHERS; i++)
		if (t->watchers[i].active && has(&t->watchers[i].filter, id))
			return true;
	return false;
}

/* The packets of a tunnel that is held take no fast path. */
static void hold(struct tunnel *tunnel, bool held)
{
	if ((atomic_load_explicit(&tunnel->held, memory_order_relaxed) != 0) != held)
		atomic_store_explicit(&tunnel->held, held, memory_order_relaxed);
}

/* Marks those of the filter's tunnels that exist as watched, or as no longer watched by anybody. */
static void mark(struct trace *t, const struct trace_filter *filter)
{
	for (size_t i = 0; i < filter->n; i++) {
		struct tunnel *tunnel = table_by_id(t->table, filter->ids[i]);
		if (!tunnel)
			continue;
		bool followed = is_followed(t, filter->ids[i]);
		atomic_store_explicit(&tunnel->watched, followed, memory_order_relaxed);
		hold(tunnel, followed || atomic_load_explicit(&t->watch.all, memory_order_relaxed));
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

/* ---- a packet as JSON ---- */

static const char *const out_names[] = {
	[OUT_NONE] = "none", [OUT_TUN] = "tun", [OUT_UDP] = "udp", [OUT_PROTO41] = "proto41"
};

static json_t *hex(const uint8_t *bytes, uint32_t len, uint32_t snap, uint32_t size)
{
	char text[2 * TAP_SNAP + 1];
	uint32_t n = len < snap ? len : snap;

	n = n < size ? n : size;
	hex_encode(bytes, n, text);
	return json_stringn(text, (size_t)2 * n);
}

static json_t *from(const struct tap_packet *p)
{
	char text[ENDPOINT4_TEXT];

	if (p->source == JOB_FROM_TUN)
		return json_string("uplink");
	return json_string(job_is_own(p->source) ? "popd" : endpoint4_text(p->from, text));
}

static json_t *out_object(const struct tap_out *out, const uint8_t *bytes, uint32_t snap,
			  uint32_t size)
{
	char text[ENDPOINT4_TEXT];
	json_t *o = json_object();

	value_set(o, "kind", json_string(out_names[out->kind]));
	value_set(o, "answer", json_boolean(out->answer));
	value_set(o, "tunnel", value_tunnel(out->tunnel));
	value_set(o, "to",
		  json_string(out->kind == OUT_TUN ? "uplink" : endpoint4_text(out->to, text)));
	value_set(o, "tos", json_integer(out->tos));
	value_set(o, "df", json_boolean(out->dont_fragment));
	value_set(o, "length", json_integer(out->len));
	value_set(o, "packet", hex(bytes, out->len, snap, size));
	return o;
}

/* malloc'ed; NULL: no memory. */
static char *packet_json(const struct tap_packet *p, uint32_t snap)
{
	json_t *o = json_object(), *outs = json_array();

	value_set(o, "at", json_integer(p->wall_us));
	value_set(o, "tunnel", value_tunnel(p->tunnel));
	value_set(o, "charged", value_tunnel(p->charged));
	value_set(o, "source", value_source(p->source));
	value_set(o, "from", from(p));
	value_set(o, "tos", json_integer(p->tos));
	value_set(o, "length", json_integer(p->len));
	value_set(o, "packet", hex(p->data, p->len, snap, sizeof(p->data)));
	value_set(o, "drop", p->drop ? json_string(drop_name(p->drop)) : json_null());
	value_set(o, "text", p->drop ? json_string(drop_text(p->drop)) : json_null());
	if (p->out[0].kind != OUT_NONE)
		(void)json_array_append_new(outs,
					    out_object(&p->out[0], p->sent, snap, sizeof(p->sent)));
	if (p->out[1].kind != OUT_NONE)
		(void)json_array_append_new(outs,
					    out_object(&p->out[1], p->echo, snap, sizeof(p->echo)));
	value_set(o, "out", outs);
	char *text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

/* ---- sending ---- */

/* Reports lost lines before any later packet is sent. false: the watcher has no room. */
static bool send_lost(struct trace *t, unsigned watcher)
{
	struct watcher *w = &t->watchers[watcher];
	char line[40];

	if (w->lost == 0)
		return true;
	int len = snprintf(line, sizeof(line), "{\"lost\":%llu}", (unsigned long long)w->lost);
	if (!t->send(t->ctx, watcher, line, (size_t)len))
		return false;
	w->lost = 0;
	return true;
}

static bool concerns(const struct trace_filter *filter, const struct tap_packet *p)
{
	return filter->all || has(filter, p->tunnel) || has(filter, p->charged) ||
	       has(filter, p->out[0].tunnel) || has(filter, p->out[1].tunnel);
}

/* Watchers that ask for the same number of bytes share one text. */
static void send_packet(struct trace *t, const struct tap_packet *p)
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
			text = packet_json(p, snap);
		}
		if (!text || !send_lost(t, i) || !t->send(t->ctx, i, text, strlen(text)))
			w->lost++;
	}
	free(text);
}

/* The tap with the oldest packet; NULL: all are empty. An answer may come in by another worker than
 * the one its question left by, which may put the question into its tap a little later: so an empty
 * tap is looked at twice. */
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

/* Nobody knows which tunnels the lost packets were of: all watchers have lost them. */
static void note_lost(struct trace *t, uint64_t lost)
{
	for (size_t i = 0; lost > 0 && i < TRACE_WATCHERS; i++)
		t->watchers[i].lost += t->watchers[i].active ? lost : 0;
}

bool trace_drain(struct trace *t, struct tap *const *taps, size_t n)
{
	struct tap *tap = NULL;
	size_t sent = 0;

	while (sent < BUDGET && (tap = oldest(taps, n))) {
		send_packet(t, tap_first(tap));
		tap_done(tap);
		sent++;
	}
	for (size_t i = 0; i < n; i++)
		note_lost(t, tap_lost(taps[i]));
	return sent == BUDGET;
}

void trace_tick(struct trace *t)
{
	if (atomic_load_explicit(&t->watch.watchers, memory_order_relaxed) == 0)
		return;
	mark_all(t);
	for (unsigned i = 0; i < TRACE_WATCHERS; i++)
		if (t->watchers[i].active)
			(void)send_lost(t, i);
}
