/*
 * The running PoP at one moment, as plain values: what popctl status and the metrics show, both
 * from here, so that they cannot disagree. Filled in one place (popd/daemon/facts.c), since only
 * the daemon knows all parts. Strings belong to the parts and live as long as popd.
 */
#ifndef POPD_OBSERVE_FACTS_H
#define POPD_OBSERVE_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/ip.h"
#include "lib/log.h"
#include "popd/observe/fitness.h"
#include "popd/core/offload.h"
#include "popd/core/table.h"
#include "popd/core/view.h"
#include "popd/feed/pgfeed.h"
#include "popd/port/worker.h"

/* The metrics server. */
struct metrics_state {
	const char *address; /* as in the configuration; NULL: off */
	const char *problem; /* why it does not listen, a sentence; NULL: it does */
};

/* Times are wall seconds, 0: never; told from monotonic ones, so that a step of the clock makes none
 * of them older. */
struct facts {
	const char *pop, *version, *tun;
	const char *sha1; /* the widest engine in use */
	struct ip4 ipv4;
	pid_t pid;
	uint32_t now, started;
	enum log_level log_level;
	bool enabled;           /* by the broker, as far as the database has said */
	struct fitness fitness; /* of the host */

	uint64_t capacity; /* tunnels */
	uint64_t table_bytes;
	struct view_tunnels tunnels;
	size_t prefix_count; /* the PoP's */
	struct prefix6 prefixes[TABLE_POP_PREFIXES];

	struct view_pop traffic;   /* all that forwards, together */
	bool has_fast_path;        /* a program in the kernel forwards too: */
	struct view_pop fast_path; /* its part of it */

	unsigned workers;
	struct view_load loads[TABLE_WORKERS]; /* of the first `workers` */
	uint32_t stalled_s[TABLE_WORKERS];     /* seconds that it stands still; 0: it does not */
	struct view_load load;                 /* all workers together */
	struct histogram_view late_us;         /* delay of the control thread's timer */
	struct worker_queue queues[WORKER_QUEUES]; /* all workers together, the TUN's first */
	size_t queue_count;
	enum offload_state offloads[OFFLOAD__COUNT];

	bool database_up;
	struct pgfeed_status feed;
	uint32_t loaded_at;        /* the feed's last full load */
	uint32_t report_at;        /* the last that the database has acknowledged */
	size_t statistics_waiting; /* entries that the database has not acknowledged */
	uint32_t snapshot_at;
	uint64_t snapshot_bytes;
	struct metrics_state metrics;
};

#endif
