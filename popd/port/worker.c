/*
 * The loop: when a port is readable, the worker receives a batch, runs the pipeline, and sends the
 * outputs by kind in the order of the jobs, so that a tunnel's packets keep their order. A port
 * gets at most WORKER_BUDGET batches per wake-up; then the loop serves the others first.
 *
 * The control thread uses only a worker's rings, async watcher and atomic words, and reads its
 * counters.
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
#include <time.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "popd/core/probe.h"
#include "popd/port/icmp4.h"
#include "popd/port/port.h"
#include "popd/port/raw41.h"
#include "popd/port/ring.h"
#include "popd/port/tun.h"
#include "popd/port/udp.h"

enum { WORKER_BUDGET = 4, COMMAND_RING = 4096, EVENT_RING = 4096, SECOND_US = 1000000 };
enum { STOP_SECONDS = 2 };

enum command_kind { COMMAND_PROBE, COMMAND_EXPIRY, COMMAND_ICMP_ERROR };
struct command {
	enum command_kind kind;
	struct tunnel *tunnel;
	uint32_t value; /* sequence, or seconds */
	struct icmp_error icmp_error;
};

enum { PORT_TUN, PORT_AYIYA, PORT_HEARTBEAT, PORT_RAW41, PORT_ICMP4, PORT__COUNT };
static const char *const queue_names[] = { "tun", "ayiya", "heartbeat", "proto41", "icmp4" };
_Static_assert(ARRAY_LEN(queue_names) == PORT__COUNT, "every port has a name");
_Static_assert((int)TUN_WHY <= (int)WORKER_WHY, "a sentence of the TUN's fits");
_Static_assert((int)PORT__COUNT <= (int)WORKER_QUEUES, "worker_queues has a place for each");

struct watched_port {
	struct port *port;
	struct ev_io readable;
	struct worker *worker;
};

/* The first bytes of an ICMP error, kept until its tunnel is found or later errors replace it. */
struct pending_error {
	uint32_t ticket, len;
	uint8_t head[DROP_HEAD];
};

/* Outputs of one port, in order. */
struct outbox {
	size_t n;
	struct out *outs[2 * JOB_BATCH];
};

struct worker {
	unsigned number;
	struct ev_loop *loop;
	struct ev_async command;
	struct ev_timer asks_due; /* runs while an address waits to be asked again */
	struct watched_port ports[PORT__COUNT];
	struct pipeline pipeline;
	struct ring *commands, *events, *icmp_errors;
	uint16_t probe_id;
	void (*wake)(void *ctx);
	void *wake_ctx;
	pthread_t thread;
	bool started;
	_Atomic bool stop, failed, lost;
	_Atomic uint32_t progress;
	struct job jobs[JOB_BATCH];
	struct outbox outboxes[PORT__COUNT];
	struct buffers *probes, *ask_packets;
	struct pending_error *pending; /* WORKER_ICMP_ERRORS of them, by ticket */
	uint32_t ticket;               /* of the newest */
	struct tap *tap;
	struct worker_load load;
};

static struct timestamp timestamp_now(void)
{
	mono_us_t mono = mono_us_now();

	return (struct timestamp){ .wall = wall_seconds(),
				   .mono_us = mono.us,
				   .mono = mono_seconds_of(mono) };
}

static void enqueue(struct worker *w, struct out *out)
{
	static const uint8_t port_of[] = {
		[OUT_TUN] = PORT_TUN, [OUT_UDP] = PORT_AYIYA, [OUT_PROTO41] = PORT_RAW41
	};

	if (out->kind == OUT_NONE)
		return;
	struct outbox *box = &w->outboxes[port_of[out->kind]];
	box->outs[box->n++] = out;
}

/* Hands the error to the control thread, which searches for its tunnel. */
static void push_icmp_error(struct worker *w, const struct job *job, struct timestamp now)
{
	struct icmp_error e = job->icmp_error;
	struct pending_error *kept = &w->pending[++w->ticket % WORKER_ICMP_ERRORS];

	e.ticket = kept->ticket = w->ticket;
	kept->len = job->len;
	memcpy(kept->head, job->data, job->len < DROP_HEAD ? job->len : DROP_HEAD);
	if (!ring_push(w->icmp_errors, &e))
		pipeline_icmp_error(&w->pipeline, NULL, &e, job->data, job->len, now);
}

static void apply_icmp_error(struct worker *w, const struct command *c)
{
	const struct icmp_error *e = &c->icmp_error;
	const struct pending_error *kept = &w->pending[e->ticket % WORKER_ICMP_ERRORS];

	pipeline_icmp_error(&w->pipeline, c->tunnel, e, kept->head,
			    kept->ticket == e->ticket ? kept->len : 0, timestamp_now());
}

/* Pushes the job's event, if it has one, for the control thread. True: wake it. */
static bool push_event(struct worker *w, const struct job *job, struct timestamp now)
{
	if (job->event == EVENT_NONE)
		return false;
	if (job->event == EVENT_ICMP_ERROR) {
		push_icmp_error(w, job, now);
		return true;
	}
	bool moved = job->event != EVENT_TUNNEL_UP;
	struct worker_event e = {
		.kind = job->event,
		.tunnel = job->tunnel,
		.old_endpoint = job->old_endpoint,
		.endpoint = moved ? job->endpoint
				  : atomic_load_explicit(&job->tunnel->endpoint,
							 memory_order_relaxed),
	};
	if (!ring_push(w->events, &e))
		atomic_store_explicit(&w->lost, true, memory_order_release);
	return true;
}

/* Runs `n` jobs and sends their outputs. */
static void run_jobs(struct worker *w, size_t n)
{
	struct timestamp now = timestamp_now();
	bool wake = false, watched = tap_is_watched(w->tap);

	if (UNLIKELY(watched))
		tap_before(w->tap, w->jobs, n);
	pipeline_run(&w->pipeline, w->jobs, n, now);
	if (UNLIKELY(watched))
		wake = tap_after(w->tap, w->jobs, n);
	for (size_t i = 0; i < n; i++) {
		enqueue(w, &w->jobs[i].out[0]);
		enqueue(w, &w->jobs[i].out[1]);
		wake |= push_event(w, &w->jobs[i], now);
	}
	for (size_t i = 0; i < PORT__COUNT; i++) {
		struct outbox *box = &w->outboxes[i];
		if (box->n > 0)
			w->ports[i].port->ops->send(w->ports[i].port, box->outs, box->n, now.wall);
		box->n = 0;
	}
	histogram_add(&w->load.packets, n);
	histogram_add(&w->load.us, (uint64_t)(mono_us_now().us - now.mono_us));
	if (wake)
		w->wake(w->wake_ctx);
}

/* Makes job i of an ask that is due. false: nobody is to be asked any more. */
static bool make_ask(struct worker *w, size_t i, const struct ask *a)
{
	uint8_t *data = buffers_at(w->ask_packets, i);
	const struct tunnel_conf *c = atomic_load_explicit(&a->tunnel->conf, memory_order_acquire);

	if (!c || c->id != a->id || !c->enabled || !tunnel_accepts_endpoint(c, a->endpoint) ||
	    (a->number > 0 &&
	     roam_has_answered(w->pipeline.roam, a->tunnel, c, a->endpoint, a->asked_us)))
		return false;
	ask_build(data, a, c, w->pipeline.forward.probe_key, w->probe_id);
	job_fill(&w->jobs[i], JOB_ASK, data, ASK_LEN, (struct endpoint4){ { 0 }, 0 }, 0);
	w->jobs[i].tunnel = a->tunnel;
	w->jobs[i].endpoint = a->endpoint;
	return true;
}

/* Sets the timer for the next ask that becomes due. */
static void set_asks_timer(struct worker *w, int64_t now)
{
	int64_t due = INT64_MAX;

	for (size_t b = 0; b < ROAM_BUDGET__COUNT; b++)
		if (asks_due_us(&w->pipeline.asks[b]) < due)
			due = asks_due_us(&w->pipeline.asks[b]);
	ev_timer_stop(w->loop, &w->asks_due);
	if (due == INT64_MAX)
		return;
	ev_now_update(w->loop);
	ev_timer_set(&w->asks_due, due > now ? (double)(due - now) / SECOND_US : 0., 0.);
	ev_timer_start(w->loop, &w->asks_due);
}

static bool take_due_ask(struct worker *w, int64_t now, struct ask *out)
{
	for (size_t b = 0; b < ROAM_BUDGET__COUNT; b++)
		if (asks_take_due(&w->pipeline.asks[b], now, out))
			return true;
	return false;
}

static bool has_new_asks(const struct worker *w)
{
	for (size_t b = 0; b < ROAM_BUDGET__COUNT; b++)
		if (asks_has_new(&w->pipeline.asks[b]))
			return true;
	return false;
}

/* Sends the asks that are due. */
static void send_asks(struct worker *w)
{
	int64_t now = mono_us_now().us;
	struct ask a;
	size_t n = 0;

	while (take_due_ask(w, now, &a)) {
		if (make_ask(w, n, &a) && ++n == JOB_BATCH) {
			run_jobs(w, n);
			n = 0;
		}
	}
	if (n > 0)
		run_jobs(w, n);
	set_asks_timer(w, now);
}

/* Runs `n` jobs, and asks the addresses that they bring up; between table_worker_enter and _leave.
 */
static void run(struct worker *w, size_t n)
{
	run_jobs(w, n);
	if (UNLIKELY(has_new_asks(w)))
		send_asks(w);
}

static void asks_due(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	struct worker *w = container_of(timer, struct worker, asks_due);

	(void)loop;
	(void)revents;
	table_worker_enter(w->pipeline.table, w->number);
	send_asks(w);
	table_worker_leave(w->pipeline.table, w->number);
}

/* The TUN device was deleted, by an operator. The control thread ends popd, and its service manager
 * restarts it. */
static void fail(struct worker *w)
{
	atomic_store_explicit(&w->failed, true, memory_order_release);
	ev_break(w->loop, EVBREAK_ALL);
	w->wake(w->wake_ctx);
}

static void note_progress(struct worker *w)
{
	uint32_t n = atomic_load_explicit(&w->progress, memory_order_relaxed);

	atomic_store_explicit(&w->progress, n + 1, memory_order_relaxed);
}

/* Receives and runs one batch; returns the number of packets. */
static size_t receive_batch(struct worker *w, struct port *port)
{
	table_worker_enter(w->pipeline.table, w->number);
	size_t n = port->ops->receive(port, w->jobs, JOB_BATCH);
	if (n > 0)
		run(w, n);
	table_worker_leave(w->pipeline.table, w->number);
	note_progress(w);
	return n;
}

static void port_ready(struct ev_loop *loop, struct ev_io *io, int revents)
{
	struct watched_port *p = container_of(io, struct watched_port, readable);
	struct port *port = p->port;

	(void)loop;
	(void)revents;
	for (int budget = WORKER_BUDGET; budget > 0 || port->backlog; budget--) {
		size_t n = receive_batch(p->worker, port);
		if (n < JOB_BATCH && !port->backlog)
			break;
	}
	if (port->gone)
		fail(p->worker);
}

static void make_probe(struct worker *w, size_t i, const struct command *command)
{
	uint8_t *data = buffers_at(w->probes, i);
	const struct tunnel_conf *c = atomic_load_explicit(&command->tunnel->conf,
							   memory_order_acquire);

	if (c)
		probe_build(data, c, w->pipeline.forward.probe_key, w->probe_id,
			    (uint16_t)command->value, timestamp_now().mono_us);
	job_fill(&w->jobs[i], JOB_PROBE, data, c ? PROBE_LEN : 0, (struct endpoint4){ { 0 }, 0 },
		 0);
	w->jobs[i].tunnel = command->tunnel;
}

/* Executes all commands that wait; probes are few, one a minute for each tunnel. */
static void commands_ready(struct ev_loop *loop, struct ev_async *async, int revents)
{
	struct worker *w = container_of(async, struct worker, command);
	struct command command;
	size_t n = 0;

	(void)revents;
	if (atomic_load_explicit(&w->stop, memory_order_acquire)) {
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	table_worker_enter(w->pipeline.table, w->number);
	while (ring_pop(w->commands, &command)) {
		if (command.kind == COMMAND_EXPIRY) {
			w->pipeline.forward.expiry = command.value;
			continue;
		}
		if (command.kind == COMMAND_ICMP_ERROR) {
			apply_icmp_error(w, &command);
			continue;
		}
		make_probe(w, n, &command);
		/* without data when its tunnel has been deleted since */
		if (w->jobs[n].len > 0 && ++n == JOB_BATCH) {
			run(w, n);
			n = 0;
		}
	}
	if (n > 0)
		run(w, n);
	table_worker_leave(w->pipeline.table, w->number);
	note_progress(w);
}

static void *thread_main(void *arg)
{
	struct worker *w = arg;

	ev_run(w->loop, 0);
	return NULL;
}

/* Adds a port, whose watcher starts if it receives. false: `port` is NULL. */
static bool add_port(struct worker *w, size_t i, struct port *port)
{
	struct watched_port *p = &w->ports[i];

	if (!port)
		return false;
	p->port = port;
	p->worker = w;
	ev_io_init(&p->readable, port_ready, port->fd, EV_READ);
	if (port->receives)
		ev_io_start(w->loop, &p->readable);
	return true;
}

static bool cannot_open(char *why, const char *what, const char *which)
{
	snprintf(why, WORKER_WHY, "cannot open %s %s: %s", what, which, strerror(errno));
	return false;
}

static bool open_ports(struct worker *w, const struct worker_conf *conf, char why[static TUN_WHY])
{
	char text[ENDPOINT4_TEXT];
	struct endpoint4 ayiya = { conf->ipv4, conf->ayiya_port },
			 heartbeat = { conf->ipv4, conf->heartbeat_port };
	struct pipeline *p = &w->pipeline;

	if (!add_port(w, PORT_TUN, tun_port_create(conf->tun, conf->count, conf->offloads, p, why)))
		return false;
	if (!add_port(w, PORT_AYIYA, udp_port_create(ayiya, JOB_FROM_AYIYA, conf->offloads, p)))
		return cannot_open(why, "UDP", endpoint4_text(ayiya, text));
	if (!add_port(w, PORT_HEARTBEAT, udp_port_create(heartbeat, JOB_FROM_HEARTBEAT, NULL, p)))
		return cannot_open(why, "UDP", endpoint4_text(heartbeat, text));
	if (!add_port(w, PORT_RAW41,
		      raw41_port_create(conf->ipv4, conf->number, conf->count, conf->offloads, p)))
		return cannot_open(why, "a raw socket for", "protocol 41");
	if (conf->number == 0 && !add_port(w, PORT_ICMP4, icmp4_port_create(conf->ipv4, p)))
		return cannot_open(why, "a raw socket for", "ICMPv4 errors");
	return true;
}

static bool make_parts(struct worker *w, const struct worker_conf *conf)
{
	w->loop = ev_loop_new(EVFLAG_AUTO);
	w->commands = ring_create(COMMAND_RING, sizeof(struct command));
	w->events = ring_create(EVENT_RING, sizeof(struct worker_event));
	w->icmp_errors = ring_create(WORKER_ICMP_ERRORS, sizeof(struct icmp_error));
	w->probes = buffers_create(JOB_BATCH, PROBE_LEN);
	w->ask_packets = buffers_create(JOB_BATCH, ASK_LEN);
	w->pipeline.asks = calloc(ROAM_BUDGET__COUNT, sizeof(*w->pipeline.asks));
	w->pending = calloc(WORKER_ICMP_ERRORS, sizeof(*w->pending));
	w->tap = tap_create(conf->watch);
	w->pipeline.table = conf->table;
	w->pipeline.counters = counters_create(table_slots(conf->table));
	w->pipeline.limiter = conf->limiter;
	w->pipeline.roam = conf->roam;
	w->pipeline.digest = digest_ctx_create();
	w->pipeline.sha1 = conf->sha1;
	w->pipeline.forward.expiry = conf->expiry;
	w->pipeline.ayiya_port = conf->ayiya_port;
	w->pipeline.dscp = conf->dscp;
	memcpy(w->pipeline.forward.probe_key, conf->probe_key,
	       sizeof(w->pipeline.forward.probe_key));
	memcpy(&w->probe_id, conf->probe_key, sizeof(w->probe_id));
	return w->loop && w->commands && w->events && w->icmp_errors && w->pending && w->probes &&
	       w->ask_packets && w->pipeline.asks && w->tap && w->pipeline.counters &&
	       w->pipeline.digest;
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
	ev_timer_init(&w->asks_due, asks_due, 0., 0.);
	ev_async_init(&w->command, commands_ready);
	ev_async_start(w->loop, &w->command);
	return w;
}

int worker_start(struct worker *w)
{
	sigset_t all, before;

	/* the control thread handles signals */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errno = pthread_create(&w->thread, NULL, thread_main, w);
	w->started = errno == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return w->started ? 0 : -ERR_SYS;
}

bool worker_stop(struct worker *w)
{
	struct timespec until;

	if (!w->started)
		return true;
	atomic_store_explicit(&w->stop, true, memory_order_release);
	ev_async_send(w->loop, &w->command);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += STOP_SECONDS;
	w->started = pthread_clockjoin_np(w->thread, NULL, CLOCK_MONOTONIC, &until) != 0;
	return !w->started;
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
	ring_free(w->commands);
	ring_free(w->events);
	ring_free(w->icmp_errors);
	free(w->pending);
	buffers_free(w->probes);
	buffers_free(w->ask_packets);
	free(w->pipeline.asks);
	tap_free(w->tap);
	counters_free(w->pipeline.counters);
	digest_ctx_free(w->pipeline.digest);
	free(w);
}

static bool push_command(struct worker *w, struct command command)
{
	if (!ring_push(w->commands, &command))
		return false;
	ev_async_send(w->loop, &w->command);
	return true;
}

bool worker_probe(struct worker *w, struct tunnel *t, uint16_t sequence)
{
	return push_command(
		w, (struct command){ .kind = COMMAND_PROBE, .tunnel = t, .value = sequence });
}

bool worker_set_expiry(struct worker *w, uint32_t expiry)
{
	return push_command(w, (struct command){ .kind = COMMAND_EXPIRY, .value = expiry });
}

bool worker_icmp_error(struct worker *w, struct tunnel *t, const struct icmp_error *e)
{
	return push_command(
		w, (struct command){ .kind = COMMAND_ICMP_ERROR, .tunnel = t, .icmp_error = *e });
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

uint32_t worker_progress(struct worker *w)
{
	ev_async_send(w->loop, &w->command);
	return atomic_load_explicit(&w->progress, memory_order_relaxed);
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
