/*
 * A forwarding thread with its own loop, TUN queue, sockets, counters and buffers. Workers share
 * the table, which they read without locks. The kernel distributes packets among them (steer.h);
 * worker 0 receives ICMPv4 errors. Commands from the control thread, and events for it, go through
 * rings on which neither side waits.
 */
#ifndef POPD_PORT_WORKER_H
#define POPD_PORT_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/histogram.h"
#include "lib/ip.h"
#include "popd/core/offload.h"
#include "popd/core/pipeline.h"
#include "popd/port/tap.h"

struct worker;
struct ev_loop;

enum { WORKER_WHY = 400, WORKER_ICMP_ERRORS = 256 };

/* For the log and the endpoint journal. */
struct worker_event {
	enum event kind;
	struct tunnel *tunnel;
	uint64_t old_endpoint, endpoint;
};

/* Its batches: packets per batch, and microseconds from reading the clock until the last packet is
 * sent. */
struct worker_load {
	struct histogram packets, us;
};

/* The receive queue of a socket. */
enum { WORKER_QUEUES = 8 };
struct worker_queue {
	const char *name;
	uint64_t drops; /* packets that the kernel dropped since the queue was full */
};

struct worker_conf {
	unsigned number, count; /* worker `number`, from 0, of `count` */
	struct table *table;
	struct ip4 ipv4;
	uint16_t ayiya_port, heartbeat_port;
	enum dscp dscp;
	const char *tun;
	struct offloads *offloads;     /* shared by all workers */
	const struct tap_watch *watch; /* the same */
	struct sha1_set sha1;
	struct limiter *limiter; /* of ICMPv6 errors, shared by all workers */
	struct roam *roam;       /* the same */
	uint32_t expiry;
	uint8_t probe_key[16];
	/* Called in the worker's thread after it pushed events, or when the TUN was deleted. Must
	 * be quick and thread-safe. */
	void (*wake)(void *ctx);
	void *wake_ctx;
};

/* Opens the ports; packets wait in them until worker_start. NULL on failure: `why` is a sentence
 * about it. */
struct worker *worker_create(const struct worker_conf *conf, char why[static WORKER_WHY]) NONNULL;
/* 0 or -ERR_SYS. */
int worker_start(struct worker *w) NONNULL MUSTCHECK;
/* Ends the thread after its batch, if it was started. false: it stands still, and uses its memory as
 * long as the process lives. */
bool worker_stop(struct worker *w) NONNULL;
void worker_free(struct worker *w); /* after worker_stop; NULL is fine */

/* ---- control thread ---- */

/* Commands. false: the ring is full of earlier ones; try again. */

/* Sends an echo request into `t`. */
bool worker_probe(struct worker *w, struct tunnel *t, uint16_t sequence) NONNULL;
bool worker_set_expiry(struct worker *w, uint32_t expiry) NONNULL MUSTCHECK;
/* Applies an ICMP error to `t`, or counts it as unverified (NULL: no tunnel has its endpoint). */
bool worker_icmp_error(struct worker *w, struct tunnel *t, const struct icmp_error *e)
	NONNULL_ARGS(1, 3);

/* The next ICMP error that names its tunnel by the endpoint only; false: there is none. At most
 * WORKER_ICMP_ERRORS wait. */
bool worker_next_icmp_error(struct worker *w, struct icmp_error *out) NONNULL;
/* The next event; false: there is none. */
bool worker_next_event(struct worker *w, struct worker_event *out) NONNULL;
/* True once after events were lost because too many waited. */
bool worker_lost_events(struct worker *w) NONNULL;
/* How often the worker has done something. Each call makes it do something soon, so a number that
 * stays the same from one call to the next, seconds later, is that of a worker that stands still. */
uint32_t worker_progress(struct worker *w) NONNULL;
/* True when the TUN was deleted, which ends the worker. */
bool worker_has_failed(const struct worker *w) NONNULL;
struct tap *worker_tap(struct worker *w) NONNULL;
struct counters *worker_counters(struct worker *w) NONNULL;
const struct worker_load *worker_load(const struct worker *w) NONNULL;
/* The queues of its sockets, as the kernel counts them; returns their number. (The TUN's queue
 * counts in the interface: link.h.) */
size_t worker_queues(const struct worker *w, struct worker_queue out[static WORKER_QUEUES]) NONNULL;

#endif
