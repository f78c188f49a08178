/*
 * The loop: a port becomes readable, a batch is received, run through the pipeline, and what comes
 * out is sent by kind in the order of the jobs, so that a tunnel's packets keep theirs. A port gets
 * at most WORKER_BUDGET batches a wake-up; then the others have their turn (the loop tells us again
 * of what is still readable).
 *
 * The control thread touches of a worker only the rings, the async watcher, the atomic words, and
 * its counters (reading).
 */
#include "popd/port/worker.h"

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "popd/core/probe.h"
#include "popd/port/icmp4.h"
#include "popd/port/port.h"
#include "popd/port/raw41.h"
#include "popd/port/ring.h"
#include "popd/port/tun.h"
#include "popd/port/udp.h"

enum { WORKER_BUDGET = 4, ORDER_RING = 4096, EVENT_RING = 4096 };

enum order_kind { ORDER_PROBE, ORDER_EXPIRY, ORDER_ICMP_ERROR };
struct order {
	enum order_kind kind;
	struct tunnel *tunnel;
	uint32_t value; /* sequence, or seconds */
	struct icmp_error icmp_error;
};

enum { PORT_TUN, PORT_AYIYA, PORT_HEARTBEAT, PORT_RAW41, PORT_ICMP4, PORT__COUNT };
static const char *const queue_names[] = { "tun", "ayiya", "heartbeat", "proto41", "icmp4" };
_Static_assert(ARRAY_LEN(queue_names) == PORT__COUNT, "every port's queue has a name");
_Static_assert((int)PORT__COUNT <= (int)WORKER_QUEUES, "and a place in what is told of them");

struct watched_port {
	struct port *port;
	struct ev_io readable;
	struct worker *worker;
};

/* An ICMP error's packet, kept until its tunnel has been found, or others have come in its place.
 */
struct quoted {
	uint32_t ticket, len;
	uint8_t head[DROP_HEAD];
};

/* Outs of one kind, in order. */
struct outbox {
	size_t n;
	struct out *outs[2 * JOB_BATCH];
};

struct worker {
	unsigned number;
	struct ev_loop *loop;
	struct ev_async order;
	struct watched_port ports[PORT__COUNT];
	struct pipeline pipeline;
	struct ring *orders, *events, *icmp_errors;
	uint16_t probe_id;
	void (*wake)(void *ctx);
	void *wake_ctx;
	pthread_t thread;
	bool started;
	_Atomic bool stop, failed, lost;
	struct job jobs[JOB_BATCH];
	struct outbox outboxes[PORT__COUNT];
	struct buffers *probes;
	struct quoted *quoted; /* WORKER_ICMP_ERRORS of them, by ticket */
	uint32_t ticket;       /* the last that was given */
	struct tap *tap;
	struct worker_load load;
};

static struct timestamp timestamp_now(void)
{
	return (struct timestamp){ .wall = (uint32_t)wall_now().s, .mono_us = mono_us_now().us };
}

static void post(struct worker *w, struct out *out)
{
	static const uint8_t port_of[] = {
		[OUT_TUN] = PORT_TUN, [OUT_UDP] = PORT_AYIYA, [OUT_PROTO41] = PORT_RAW41
	};

	if (out->kind == OUT_NONE)
		return;
	struct outbox *box = &w->outboxes[port_of[out->kind]];
	box->outs[box->n++] = out;
}

/* Without room for it nobody will look for its tunnel. */
static void hand_on_icmp_error(struct worker *w, const struct job *job, uint32_t now)
{
	struct icmp_error c = job->icmp_error;
	struct quoted *kept = &w->quoted[++w->ticket % WORKER_ICMP_ERRORS];

	c.ticket = kept->ticket = w->ticket;
	kept->len = job->len;
	memcpy(kept->head, job->data, job->len < DROP_HEAD ? job->len : DROP_HEAD);
	if (!ring_push(w->icmp_errors, &c))
		pipeline_icmp_error(&w->pipeline, NULL, &c, job->data, job->len, now);
}

static void settle_icmp_error(struct worker *w, const struct order *order)
{
	const struct quoted *kept = &w->quoted[order->icmp_error.ticket % WORKER_ICMP_ERRORS];
	bool there = kept->ticket == order->icmp_error.ticket;

	pipeline_icmp_error(&w->pipeline, order->tunnel, &order->icmp_error, kept->head,
			    there ? kept->len : 0, timestamp_now().wall);
}

static bool tell(struct worker *w, const struct job *job, uint32_t now)
{
	if (job->event == EVENT_NONE)
		return false;
	if (job->event == EVENT_ICMP_ERROR) {
		hand_on_icmp_error(w, job, now);
		return true;
	}
	struct worker_event e = {
		.kind = job->event,
		.tunnel = job->tunnel,
		.old_endpoint = job->old_endpoint,
		.endpoint = atomic_load_explicit(&job->tunnel->endpoint, memory_order_relaxed),
	};
	if (!ring_push(w->events, &e))
		atomic_store_explicit(&w->lost, true, memory_order_release);
	return true;
}

/* Between table_worker_enter and _leave. */
static void run(struct worker *w, size_t n)
{
	struct timestamp now = timestamp_now();
	bool told = false, watched = tap_is_watched(w->tap);

	if (UNLIKELY(watched))
		tap_before(w->tap, w->jobs, n);
	pipeline_run(&w->pipeline, w->jobs, n, now);
	if (UNLIKELY(watched))
		told = tap_after(w->tap, w->jobs, n);
	for (size_t i = 0; i < n; i++) {
		post(w, &w->jobs[i].out[0]);
		post(w, &w->jobs[i].out[1]);
		told |= tell(w, &w->jobs[i], now.wall);
	}
	for (size_t i = 0; i < PORT__COUNT; i++) {
		struct outbox *box = &w->outboxes[i];
		if (box->n > 0)
			w->ports[i].port->ops->send(w->ports[i].port, box->outs, box->n, now.wall);
		box->n = 0;
	}
	histogram_add(&w->load.packets, n);
	histogram_add(&w->load.us, (uint64_t)(mono_us_now().us - now.mono_us));
	if (told)
		w->wake(w->wake_ctx);
}

/* The device was deleted under us: an operator's doing. The control thread ends popd, and whoever
 * started it starts it anew. */
static void fail(struct worker *w)
{
	atomic_store_explicit(&w->failed, true, memory_order_release);
	ev_break(w->loop, EVBREAK_ALL);
	w->wake(w->wake_ctx);
}

/* One batch; how many there were. */
static size_t take_batch(struct worker *w, struct port *port)
{
	table_worker_enter(w->pipeline.table, w->number);
	size_t n = port->ops->receive(port, w->jobs, JOB_BATCH);
	if (n > 0)
		run(w, n);
	table_worker_leave(w->pipeline.table, w->number);
	return n;
}

static void port_readable(struct ev_loop *loop, struct ev_io *io, int revents)
{
	struct watched_port *p = container_of(io, struct watched_port, readable);
	struct port *port = p->port;

	(void)loop;
	(void)revents;
	for (int budget = WORKER_BUDGET; budget > 0 || port->backlog; budget--) {
		size_t n = take_batch(p->worker, port);
		if (n < JOB_BATCH && !port->backlog)
			break;
	}
	if (port->gone)
		fail(p->worker);
}

static void make_probe(struct worker *w, size_t i, const struct order *order)
{
	uint8_t *data = buffers_at(w->probes, i);
	const struct tunnel_conf *c = atomic_load_explicit(&order->tunnel->conf,
							   memory_order_acquire);

	if (c)
		probe_build(data, c, w->pipeline.forward.probe_key, w->probe_id,
			    (uint16_t)order->value, timestamp_now().mono_us);
	job_fill(&w->jobs[i], JOB_PROBE, data, c ? PROBE_LEN : 0, (struct endpoint4){ { 0 }, 0 },
		 0);
	w->jobs[i].tunnel = order->tunnel;
}

/* What the control thread wants; probes are few (a tunnel's one a minute), so all that wait go at
 * once. */
static void orders_waiting(struct ev_loop *loop, struct ev_async *async, int revents)
{
	struct worker *w = container_of(async, struct worker, order);
	struct order order;
	size_t n = 0;

	(void)revents;
	if (atomic_load_explicit(&w->stop, memory_order_acquire)) {
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	table_worker_enter(w->pipeline.table, w->number);
	while (ring_pop(w->orders, &order)) {
		if (order.kind == ORDER_EXPIRY) {
			w->pipeline.forward.expiry = order.value;
			continue;
		}
		if (order.kind == ORDER_ICMP_ERROR) {
			settle_icmp_error(w, &order);
			continue;
		}
		make_probe(w, n, &order); /* its tunnel may have been deleted since */
		if (w->jobs[n].len > 0 && ++n == JOB_BATCH) {
			run(w, n);
			n = 0;
		}
	}
	if (n > 0)
		run(w, n);
	table_worker_leave(w->pipeline.table, w->number);
}

static void *thread_main(void *arg)
{
	struct worker *w = arg;

	ev_run(w->loop, 0);
	return NULL;
}

/* A port's watcher is ready to start once there is a port; one that only sends has nothing to
 * watch. */
static void watch(struct worker *w, struct watched_port *p)
{
	p->worker = w;
	ev_io_init(&p->readable, port_readable, p->port->fd, EV_READ);
	if (p->port->receives)
		ev_io_start(w->loop, &p->readable);
}

static bool open_ports(struct worker *w, const struct worker_conf *conf, char *why)
{
	char text[ENDPOINT4_TEXT], tun_why[TUN_WHY];
	struct endpoint4 ayiya = { conf->ipv4, conf->ayiya_port },
			 heartbeat = { conf->ipv4, conf->heartbeat_port };
	struct port *p;

	w->ports[PORT_TUN].port = p = tun_port_create(conf->tun, conf->count, conf->offloads,
						      &w->pipeline, tun_why);
	if (!p) {
		snprintf(why, WORKER_WHY, "%s", tun_why);
		return false;
	}
	w->ports[PORT_AYIYA].port = p = udp_port_create(ayiya, JOB_FROM_AYIYA, conf->offloads,
							&w->pipeline);
	if (!p) {
		snprintf(why, WORKER_WHY, "UDP %s cannot be opened: %s",
			 endpoint4_text(ayiya, text), strerror(errno));
		return false;
	}
	w->ports[PORT_HEARTBEAT].port = p = udp_port_create(heartbeat, JOB_FROM_HEARTBEAT, NULL,
							    &w->pipeline);
	if (!p) {
		snprintf(why, WORKER_WHY, "UDP %s cannot be opened: %s",
			 endpoint4_text(heartbeat, text), strerror(errno));
		return false;
	}
	w->ports[PORT_RAW41].port = p = raw41_port_create(conf->ipv4, conf->number, conf->count,
							  conf->offloads, &w->pipeline);
	if (!p) {
		snprintf(why, WORKER_WHY, "a socket for protocol 41 cannot be opened: %s",
			 strerror(errno));
		return false;
	}
	if (conf->number == 0) {
		w->ports[PORT_ICMP4].port = p = icmp4_port_create(conf->ipv4, &w->pipeline);
		if (!p) {
			snprintf(why, WORKER_WHY, "a socket for ICMPv4 errors cannot be opened: %s",
				 strerror(errno));
			return false;
		}
	}
	for (size_t i = 0; i < PORT__COUNT; i++)
		if (w->ports[i].port)
			watch(w, &w->ports[i]);
	return true;
}

static bool make_parts(struct worker *w, const struct worker_conf *conf)
{
	w->loop = ev_loop_new(EVFLAG_AUTO);
	w->orders = ring_create(ORDER_RING, sizeof(struct order));
	w->events = ring_create(EVENT_RING, sizeof(struct worker_event));
	w->icmp_errors = ring_create(WORKER_ICMP_ERRORS, sizeof(struct icmp_error));
	w->probes = buffers_create(JOB_BATCH, PROBE_LEN);
	w->quoted = calloc(WORKER_ICMP_ERRORS, sizeof(*w->quoted));
	w->tap = tap_create(conf->watch);
	w->pipeline.table = conf->table;
	w->pipeline.counters = counters_create(table_slots(conf->table));
	w->pipeline.limiter = conf->limiter;
	w->pipeline.digest = digest_ctx_create();
	w->pipeline.sha1 = conf->sha1;
	w->pipeline.forward.expiry = conf->expiry;
	w->pipeline.ayiya_port = conf->ayiya_port;
	w->pipeline.dscp = conf->dscp;
	memcpy(w->pipeline.forward.probe_key, conf->probe_key,
	       sizeof(w->pipeline.forward.probe_key));
	memcpy(&w->probe_id, conf->probe_key, sizeof(w->probe_id));
	return w->loop && w->orders && w->events && w->icmp_errors && w->quoted && w->probes &&
	       w->tap && w->pipeline.counters && w->pipeline.digest;
}

struct worker *worker_create(const struct worker_conf *conf, char why[static WORKER_WHY])
{
	struct worker *w = aligned_alloc(64, (sizeof(*w) + 63) & ~(size_t)63);

	snprintf(why, WORKER_WHY, "no memory for a worker");
	if (!w)
		return NULL;
	memset(w, 0, sizeof(*w));
	w->number = conf->number;
	w->wake = conf->wake;
	w->wake_ctx = conf->wake_ctx;
	if (!make_parts(w, conf) || !open_ports(w, conf, why)) {
		worker_free(w);
		return NULL;
	}
	ev_async_init(&w->order, orders_waiting);
	ev_async_start(w->loop, &w->order);
	return w;
}

int worker_start(struct worker *w)
{
	sigset_t all, before;

	/* Signals are the control thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errno = pthread_create(&w->thread, NULL, thread_main, w);
	w->started = errno == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return w->started ? 0 : -ERR_SYS;
}

void worker_stop(struct worker *w)
{
	if (!w->started)
		return;
	atomic_store_explicit(&w->stop, true, memory_order_release);
	ev_async_send(w->loop, &w->order);
	pthread_join(w->thread, NULL);
	w->started = false;
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < PORT__COUNT; i++)
		if (w->ports[i].port)
			w->ports[i].port->ops->free(w->ports[i].port);
	if (w->loop)
		ev_loop_destroy(w->loop);
	ring_free(w->orders);
	ring_free(w->events);
	ring_free(w->icmp_errors);
	free(w->quoted);
	buffers_free(w->probes);
	tap_free(w->tap);
	counters_free(w->pipeline.counters);
	digest_ctx_free(w->pipeline.digest);
	free(w);
}

static bool give_order(struct worker *w, struct order order)
{
	if (!ring_push(w->orders, &order))
		return false;
	ev_async_send(w->loop, &w->order);
	return true;
}

bool worker_probe(struct worker *w, struct tunnel *t, uint16_t sequence)
{
	return give_order(w, (struct order){ .kind = ORDER_PROBE, .tunnel = t, .value = sequence });
}

bool worker_set_expiry(struct worker *w, uint32_t expiry)
{
	return give_order(w, (struct order){ .kind = ORDER_EXPIRY, .value = expiry });
}

bool worker_icmp_error(struct worker *w, struct tunnel *t, const struct icmp_error *c)
{
	return give_order(
		w, (struct order){ .kind = ORDER_ICMP_ERROR, .tunnel = t, .icmp_error = *c });
}

bool worker_next_icmp_error(struct worker *w, struct icmp_error *out)
{
	return ring_pop(w->icmp_errors, out);
}

bool worker_next_event(struct worker *w, struct worker_event *out)
{
	return ring_pop(w->events, out);
}

bool worker_lost_events(struct worker *w)
{
	return atomic_exchange_explicit(&w->lost, false, memory_order_acq_rel);
}

bool worker_has_failed(const struct worker *w)
{
	return atomic_load_explicit(&w->failed, memory_order_acquire);
}

struct tap *worker_tap(struct worker *w)
{
	return w->tap;
}

struct counters *worker_counters(struct worker *w)
{
	return w->pipeline.counters;
}

const struct worker_load *worker_load(const struct worker *w)
{
	return &w->load;
}

size_t worker_queues(const struct worker *w, struct worker_queue out[static WORKER_QUEUES])
{
	size_t n = 0;

	for (size_t i = 0; i < PORT__COUNT; i++)
		if (i != PORT_TUN && w->ports[i].port && w->ports[i].port->receives)
			out[n++] = (struct worker_queue){ queue_names[i],
							  port_queue_drops(w->ports[i].port) };
	return n;
}
