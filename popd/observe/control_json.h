/*
 * What the control socket understands, as text in and text out (jansson underneath). A request is
 * an object {"command": ..., ...} on one line:
 *
 *   {"command": "status"}
 *   {"command": "tunnel list", "all": false, "after": 0}   a page; "next" of the answer is the "after" of the next, or null
 *   {"command": "tunnel show", "what": "T7"}               or any address of a tunnel or of what is routed to it
 *   {"command": "tunnel errors", "what": "T7", "reset": false}
 *   {"command": "counters", "reset": false}
 *   {"command": "top", "by": "bytes", "limit": 20}        the busiest tunnels (top_json.h); both may be left out
 *   {"command": "reasons"}
 *   {"command": "tunnel trace", "what": ["T7", "2001:db8::1"], "all": false, "snap": 128}
 *                                                          from then on a line for each packet (trace_json.h), and now
 *                                                          and then {"lost": n}: so many were not told of
 *   {"command": "reload"}
 *   {"command": "log", "level": "debug"}
 *
 * The answer is an object; {"error": sentence} when the request was refused. Secrets are in none of
 * them.
 */
#ifndef POPD_OBSERVE_CONTROL_JSON_H
#define POPD_OBSERVE_CONTROL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/counters.h"
#include "popd/core/table.h"
#include "popd/core/view.h"
#include "popd/feed/pgfeed.h"
#include "popd/observe/control.h"
#include "popd/observe/errors.h"
#include "popd/observe/metrics.h"
#include "popd/observe/top.h"
#include "popd/observe/trace.h"
#include "popd/port/worker.h"
#include "popd/settings.h"

/* Of a page: tunnels told of, and slots looked at for them. */
enum { CONTROL_PAGE = 500, CONTROL_PAGE_SLOTS = 65536 };

/* What only the daemon as a whole knows, at this moment. */
struct control_facts {
	bool database_up;
	bool enabled; /* the PoP, as far as the database has said */
	struct pgfeed_status feed;
	uint32_t report_at; /* wall seconds, 0: never */
	uint32_t snapshot_at;
	uint64_t snapshot_size;
	size_t statistics_waiting;
	uint64_t tun_drops; /* packets the kernel had no room for on the TUN */
	struct worker_queue queues[WORKER_QUEUES]; /* all workers together, the TUN's first */
	size_t queue_count;
	struct view_load load;         /* all workers together */
	struct histogram_view late_us; /* how late the control loop's clock ticked */
	struct metrics_state metrics;
};

struct control_view {
	const struct settings *settings;
	struct table *table;
	struct counters *const *counters; /* of the workers, and of whatever else forwards */
	unsigned workers, counter_sets;
	struct errors *errors;
	const struct offloads *offloads;
	const char *sha1; /* name of the widest engine in use */
	uint32_t started;
	void (*facts)(void *ctx, struct control_facts *out);
	void (*load)(void *ctx, unsigned worker, struct view_load *out);
	struct top *(*top)(void *ctx); /* which has just looked; NULL: no memory */
	unsigned client;               /* who asks */
	/* Has him told of packets from now on. */
	void (*follow)(void *ctx, unsigned client, const struct trace_filter *filter);
	void (*reload)(void *ctx); /* begins one; its outcome goes to control_json_outcome */
	void *ctx;
};

/* Answers one request. `now`: wall seconds. */
enum control_verdict control_json_handle(const struct control_view *v, uint32_t now,
					 const char *line, size_t len, char **answer) NONNULL;

/* The answer to those who asked for a reload: malloc'ed, NULL: no memory. */
char *control_json_outcome(bool good, const char *sentence) NONNULL;

#endif
