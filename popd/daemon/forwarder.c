#include "popd/daemon/forwarder.h"

#include <inttypes.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/digest.h"
#include "lib/pages.h"
#include "popd/core/counters.h"
#include "popd/core/limit.h"
#include "popd/core/roam.h"
#include "popd/daemon/link.h"
#include "popd/fastpath/bpf_encap.h"
#include "popd/feed/store.h"
#include "popd/port/worker.h"
#include "popd/settings.h"

enum { LOG_BURST = 100, LOG_PERIOD = 10, IPV4_PERIOD = 20 /* seconds */ };

/* ---- the table ---- */

/* Asks for the offloads of the settings; the ports find out which of them the kernel has. */
static void choose_offloads(struct forwarder *f)
{
	for (enum offload o = 0; o < OFFLOAD__COUNT; o++)
		atomic_init(&f->offloads.state[o],
			    f->settings->offloads[o] ? OFFLOAD_ON : OFFLOAD_OFF);
	f->sha1 = sha1_set_choose((enum sha1_engine)f->settings->sha1);
}

/* The kernel's program reads the tunnels, so with one they live in its memory. */
static bool make_table(struct forwarder *f, struct timestamp start)
{
	size_t slots = (size_t)f->settings->max_tunnels;
	uint8_t seed[16];

	if (offload_is_on(&f->offloads, OFFLOAD_BPF_ENCAP))
		f->encap = bpf_encap_create(slots, &f->offloads);
	if (!random_bytes(seed, sizeof(seed)))
		return false;
	f->table = table_create_in(f->encap ? bpf_encap_tunnels(f->encap) : NULL, slots,
				   f->worker_count, seed);
	f->logged = pages_alloc(slots, sizeof(*f->logged));
	if (!random_bytes(seed, sizeof(seed)))
		return false;
	f->roam = roam_create(slots, start, seed);
	return f->table && f->logged && f->roam;
}

struct forwarder *forwarder_create(const struct settings *s, struct timestamp start)
{
	struct forwarder *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->settings = s;
	f->worker_count = settings_worker_count(s, TABLE_WORKERS);
	choose_offloads(f);
	if (make_table(f, start))
		return f;
	forwarder_free(f);
	return NULL;
}

void forwarder_free(struct forwarder *f)
{
	if (!f)
		return;
	for (unsigned i = 0; i < f->worker_count; i++)
		worker_free(f->workers[i]);
	limiter_free(f->limiter);
	roam_free(f->roam);
	pages_free(f->logged, (size_t)f->settings->max_tunnels, sizeof(*f->logged));
	table_free(f->table);
	bpf_encap_free(f->encap);
	free(f);
}

/* ---- the workers ---- */

static bool make_workers(struct forwarder *f, struct worker_conf *conf, char why[static WORKER_WHY])
{
	f->limiter = limiter_create((size_t)f->settings->max_tunnels, (uint32_t)f->settings->errors,
				    (uint32_t)f->settings->tunnel_errors);
	if (!f->limiter || !random_bytes(conf->probe_key, sizeof(conf->probe_key)))
		return false;
	conf->limiter = f->limiter;
	conf->roam = f->roam;
	for (unsigned i = 0; i < f->worker_count; i++) {
		conf->number = i;
		f->workers[i] = worker_create(conf, why);
		if (!f->workers[i])
			return false;
		f->counters[f->counter_sets++] = worker_counters(f->workers[i]);
	}
	if (f->encap)
		f->counters[f->counter_sets++] = bpf_encap_counters(f->encap);
	return true;
}

bool forwarder_start(struct forwarder *f, const struct tap_watch *watch, void (*wake)(void *ctx),
		     void *ctx)
{
	const struct settings *s = f->settings;
	char why[WORKER_WHY] = "no memory for the workers";
	struct worker_conf conf = {
		.table = f->table,
		.ipv4 = s->ipv4,
		.ayiya_port = (uint16_t)s->ayiya_port,
		.heartbeat_port = (uint16_t)s->heartbeat_port,
		.dscp = settings_dscp(s),
		.tun = s->tun,
		.count = f->worker_count,
		.offloads = &f->offloads,
		.watch = watch,
		.sha1 = f->sha1,
		.expiry = (uint32_t)s->expiry,
		.wake = wake,
		.wake_ctx = ctx,
	};

	if (!make_workers(f, &conf, why)) {
		log_error("%s", why);
		return false;
	}
	for (unsigned i = 0; i < f->worker_count; i++) {
		if (worker_start(f->workers[i]) != 0) {
			log_errno("worker %u cannot be started", i);
			return false;
		}
	}
	return true;
}

bool forwarder_stop(struct forwarder *f)
{
	bool ended = true;

	if (f->encap)
		bpf_encap_stop(f->encap);
	for (unsigned i = 0; i < f->worker_count; i++)
		if (f->workers[i] && !worker_stop(f->workers[i])) {
			log_error("worker %u stands still and does not end", i);
			ended = false;
		}
	return ended;
}

/* ---- workers that stand still ---- */

static void look_at_workers(struct forwarder *f)
{
	mono_t now = mono_now();

	for (unsigned i = 0; i < f->worker_count; i++) {
		struct stall *s = &f->stalls[i];
		int64_t stood = mono_since(now, s->moved) / 1000;
		switch (stall_look(s, worker_progress(f->workers[i]), now)) {
		case STALL_SAME:
			break;
		case STALL_BEGINS:
			log_error("worker %u stands still for %" PRId64
				  " s: packets that are queued for it wait, or are lost",
				  i, stood);
			break;
		case STALL_ENDS:
			log_warnx("worker %u goes on after it stood still for %" PRId64 " s", i,
				  stood);
			break;
		}
	}
}

uint32_t forwarder_stalled(const struct forwarder *f, unsigned worker)
{
	return stall_seconds(&f->stalls[worker], mono_now());
}

void forwarder_set_expiry(struct forwarder *f)
{
	for (unsigned i = 0; i < f->worker_count; i++)
		if (!worker_set_expiry(f->workers[i], (uint32_t)f->settings->expiry))
			log_warnx("worker %u is too busy to take the new expiry: reload again", i);
}

void forwarder_clear_slot(struct forwarder *f, uint32_t slot)
{
	for (unsigned i = 0; i < f->counter_sets; i++)
		counters_clear_slot(f->counters[i], slot);
}

unsigned forwarder_taps(const struct forwarder *f, struct tap *taps[static TABLE_WORKERS])
{
	for (unsigned i = 0; i < f->worker_count; i++)
		taps[i] = worker_tap(f->workers[i]);
	return f->worker_count;
}

bool forwarder_has_failed(const struct forwarder *f)
{
	for (unsigned i = 0; i < f->worker_count; i++)
		if (worker_has_failed(f->workers[i]))
			return true;
	return false;
}

/* ---- the kernel's program ---- */

/* Lets the program look up IPv4 routes. */
static bool forward_ipv4(const struct forwarder *f, struct link *link)
{
	if (link_forward_ipv4(link) == 0)
		return true;
	log_warn("%s needs IPv4 forwarding on %s, which cannot be switched on",
		 offload_name(OFFLOAD_BPF_ENCAP), f->settings->tun);
	return false;
}

void forwarder_start_fast_path(struct forwarder *f, struct link *link)
{
	const struct settings *s = f->settings;

	if (!f->encap) {
		bpf_encap_clear(s->tun);
	} else if (!forward_ipv4(f, link)) {
		offload_lost(&f->offloads, OFFLOAD_BPF_ENCAP, OFFLOAD_MISSING);
	} else if (bpf_encap_start(f->encap, f->table, s->tun, s->ipv4, settings_dscp(s)) == 0) {
		f->link = link;
		bpf_encap_tick(f->encap, mono_seconds(), (uint32_t)s->expiry);
	}
}

void forwarder_repair_fast_path(struct forwarder *f)
{
	if (f->link && !bpf_encap_is_attached(f->encap) &&
	    guard_ask(&f->fast_path_guard, mono_now()) != GUARD_WAIT) {
		log_warnx("the kernel's program was taken off %s by others: popd puts it back",
			  f->settings->tun);
		if (bpf_encap_attach(f->encap) != 0)
			log_warn("it cannot be put back");
	}
}

/* An operator's sysctl may switch IPv4 forwarding off, so it is looked at again and again. */
void forwarder_tick(struct forwarder *f)
{
	look_at_workers(f);
	if (!f->encap)
		return;
	bpf_encap_tick(f->encap, mono_seconds(), (uint32_t)f->settings->expiry);
	if (f->link && ++f->seconds % IPV4_PERIOD == 0)
		(void)forward_ipv4(f, f->link);
}

void forwarder_set_pop(struct forwarder *f, const struct pop_conf *pop)
{
	if (f->encap)
		bpf_encap_set_pop(f->encap, pop);
}

/* ---- events ---- */

/* The worker reports it once a minute and tunnel, so it must not be lost among changes, which any
 * client can cause once a second. */
static void log_two_clients(struct forwarder *f, const struct tunnel_conf *c,
			    const struct worker_event *event)
{
	char at[ENDPOINT4_TEXT], was[ENDPOINT4_TEXT];

	log_limited(&f->clients_limit, LOG_BURST, LOG_PERIOD, LOG_LEVEL_WARN,
		    "T%" PRIu32 ": two clients use this tunnel, at %s and at %s", c->id,
		    endpoint4_text(endpoint_of(event->old_endpoint), was),
		    endpoint4_text(endpoint_of(event->endpoint), at));
}

static void log_change(struct forwarder *f, const struct tunnel_conf *c,
		       const struct worker_event *event)
{
	char at[ENDPOINT4_TEXT], was[ENDPOINT4_TEXT];

	endpoint4_text(endpoint_of(event->endpoint), at);
	if (event->kind != EVENT_TUNNEL_UP && event->old_endpoint != 0)
		log_limited(&f->log_limit, LOG_BURST, LOG_PERIOD, LOG_LEVEL_INFO,
			    "T%" PRIu32 " has moved to %s from %s", c->id, at,
			    endpoint4_text(endpoint_of(event->old_endpoint), was));
	else
		log_limited(&f->log_limit, LOG_BURST, LOG_PERIOD, LOG_LEVEL_INFO,
			    "T%" PRIu32 " is up at %s", c->id, at);
}

/* One line of changes a second and tunnel, and LOG_BURST lines in LOG_PERIOD seconds, at most. */
static void log_event(struct forwarder *f, const struct worker_event *event)
{
	const struct tunnel_conf *c = atomic_load_explicit(&event->tunnel->conf,
							   memory_order_relaxed);
	uint32_t now = wall_seconds(), *logged = &f->logged[event->tunnel->slot];

	if (!c)
		return;
	if (*logged != now)
		log_change(f, c, event);
	if (event->kind == EVENT_TWO_CLIENTS)
		log_two_clients(f, c, event);
	*logged = now;
}

void forwarder_drain_events(struct forwarder *f, struct store *store)
{
	struct worker_event event;

	for (unsigned i = 0; i < f->worker_count; i++) {
		while (worker_next_event(f->workers[i], &event)) {
			store_note(store, event.tunnel, moment_now());
			log_event(f, &event);
		}
		if (worker_lost_events(f->workers[i]))
			store_note_changed(store, moment_now());
	}
	store_append(store);
}
