/*
 * A forwarding thread: its own loop, TUN queue, UDP sockets, counters and buffers; all it shares is
 * the table, which it reads without locks. The kernel deals packets out among the workers
 * (steer.h); ICMPv4 errors are worker 0's. Orders from the control thread and events for it travel
 * in rings that neither side waits on.
 */
#ifndef POPD_PORT_WORKER_H
#define POPD_PORT_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/ip.h"
#include "popd/core/histogram.h"
#include "popd/core/offload.h"
#include "popd/core/pipeline.h"
#include "popd/port/tap.h"

struct worker;
struct ev_loop;

enum { WORKER_WHY = 400, WORKER_ICMP_ERRORS = 256 };

/* Something the log or the endpoint journal wants to know. */
struct worker_event {
	enum event kind;
	struct tunnel *tunnel;
	uint64_t old_endpoint, endpoint;
};

/* What its batches are like: how many packets, and how long from the look at the clock to the last
 * one's being sent. */
struct worker_load {
	struct histogram packets, us;
};

/* A socket's receive queue, by what comes in there. */
enum { WORKER_QUEUES = 8 };
struct worker_queue {
	const char *name;
	uint64_t drops; /* packets that the kernel had no room for in it */
};

struct worker_conf {
	unsigned number, count; /* 0.., of how many */
	struct table *table;
	struct ip4 ipv4;
	uint16_t ayiya_port, heartbeat_port;
	enum dscp dscp;
	const char *tun;
	struct offloads *offloads;     /* all workers' */
	const struct tap_watch *watch; /* the same */
	struct sha1_set sha1;
	struct limiter *limiter; /* all workers', of ICMPv6 errors */
	uint32_t expiry;
	uint8_t probe_key[16];
	/* Called in the worker's thread after events, or when the TUN has vanished: must be quick
	 * and safe there. */
	void (*wake)(void *ctx);
	void *wake_ctx;
};

/* Opens all it needs; packets wait until worker_start. NULL: `why` says so in a sentence. */
struct worker *worker_create(const struct worker_conf *conf, char why[static WORKER_WHY]) NONNULL;
/* 0 or -ERR_SYS. */
int worker_start(struct worker *w) NONNULL MUSTCHECK;
/* Ends the thread when it has finished its batch; fine when it was never started. */
void worker_stop(struct worker *w) NONNULL;
void worker_free(struct worker *w); /* stopped; NULL is fine */

/* ---- control thread ---- */

/* Has the worker send an echo request into `t`. false: it is behind with the ones before. */
bool worker_probe(struct worker *w, struct tunnel *t, uint16_t sequence) NONNULL;
/* false: behind; try again. */
bool worker_set_expiry(struct worker *w, uint32_t expiry) NONNULL MUSTCHECK;
/* The next ICMP error that shows only an endpoint, at most WORKER_ICMP_ERRORS since the last that
 * were taken; false: none waiting. */
bool worker_next_icmp_error(struct worker *w, struct icmp_error *out) NONNULL;
/* Has the worker settle it with `t`, or (NULL) count that nobody has such an endpoint. false:
 * behind. */
bool worker_icmp_error(struct worker *w, struct tunnel *t, const struct icmp_error *c)
	NONNULL_ARGS(1, 3);
/* The next event; false: none waiting. */
bool worker_next_event(struct worker *w, struct worker_event *out) NONNULL;
/* True once after events had to be thrown away. */
bool worker_lost_events(struct worker *w) NONNULL;
/* True when the TUN has vanished under the worker, which has ended then. */
bool worker_has_failed(const struct worker *w) NONNULL;
/* What is told of watched packets. */
struct tap *worker_tap(struct worker *w) NONNULL;
struct counters *worker_counters(struct worker *w) NONNULL;
const struct worker_load *worker_load(const struct worker *w) NONNULL;
/* All that it receives from but the TUN, whose queue the interface counts for (link.h). Asks the
 * kernel. Gives how many. */
size_t worker_queues(const struct worker *w, struct worker_queue out[static WORKER_QUEUES]) NONNULL;

#endif
