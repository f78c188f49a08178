/*
 * The metrics as Prometheus reads them: text format 0.0.4, each family with its HELP and TYPE, from
 * plain values. What is counted has its name and sentence from popd/core/measure.h and
 * popd/core/drop.h: a measure "x" is popd_x_total here, microseconds become seconds. Pure: no
 * clock, no table, no socket.
 */
#ifndef POPD_OBSERVE_METRICS_TEXT_H
#define POPD_OBSERVE_METRICS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/wr.h"
#include "popd/core/measure.h"
#include "popd/core/offload.h"
#include "popd/core/table.h"
#include "popd/core/view.h"
#include "popd/port/worker.h"

/* The PoP's single numbers. X(enumerator, name, type, sentence). Times are seconds since 1970, 0:
 * never. */
#define METRICS_SCALAR_LIST(X)                                                              \
	X(STARTED, "start_time_seconds", GAUGE, "when popd started, in seconds since 1970") \
	X(ENABLED, "enabled", GAUGE, "1 while the broker has this PoP enabled")             \
	X(WORKERS, "workers", GAUGE, "forwarding threads")                                  \
	X(ACTIVE, "tunnels_active", GAUGE,                                                  \
	  "tunnels that are up and were heard from within five minutes")                    \
	X(CAPACITY, "tunnels_capacity", GAUGE, "tunnels that fit the table")                \
	X(TABLE, "table_bytes", GAUGE, "memory that the tunnel table has touched")          \
	X(DATABASE, "database_up", GAUGE, "1 while the database answers")                   \
	X(FEED_SEQUENCE, "feed_sequence", GAUGE,                                            \
	  "number of the last change of the broker that is in force here")                  \
	X(FEED_LOADED, "feed_loaded", GAUGE,                                                \
	  "1 when all tunnels were loaded from the database since the start")               \
	X(FEED_TIME, "feed_loaded_timestamp_seconds", GAUGE,                                \
	  "when all tunnels were last loaded, 0: never")                                    \
	X(FEED_CHANGES, "feed_changes_total", COUNTER,                                      \
	  "changes of the broker taken over since that load")                               \
	X(FEED_BAD_ROWS, "feed_bad_rows_total", COUNTER,                                    \
	  "rows of the database that could not be used")                                    \
	X(REPORT_TIME, "report_timestamp_seconds", GAUGE,                                   \
	  "when the database last answered a report, 0: never")                             \
	X(STATISTICS, "statistics_waiting", GAUGE,                                          \
	  "entries of statistics that the database has not yet")                            \
	X(SNAPSHOT_TIME, "snapshot_timestamp_seconds", GAUGE,                               \
	  "when the snapshot was last written, 0: never")                                   \
	X(SNAPSHOT_SIZE, "snapshot_bytes", GAUGE, "size of the snapshot")

enum metrics_scalar {
#define X(e, name, type, text) METRICS_##e,
	METRICS_SCALAR_LIST(X)
#undef X
		METRICS_SCALAR__COUNT
};

struct metrics_pop {
	const char *name, *version, *sha1; /* the caller's */
	uint64_t scalars[METRICS_SCALAR__COUNT];
	struct view_pop sums;
	struct view_tunnels tunnels;
	enum offload_state offloads[OFFLOAD__COUNT];
	struct worker_queue queues[WORKER_QUEUES]; /* of all workers together */
	size_t queue_count;
	struct histogram_view late_us; /* the control loop */
	unsigned workers;
	struct view_load loads[TABLE_WORKERS]; /* the first `workers` are told of */
};

/* Writes the whole page; of what does not fit the cursor is failed. METRICS_TEXT bytes, and
 * METRICS_TEXT_WORKER for each worker, are enough. */
enum { METRICS_TEXT = 48 * 1024, METRICS_TEXT_WORKER = 4096 };
void metrics_text_pop(struct wr *w, const struct metrics_pop *p) NONNULL;

/* One tunnel. */
struct metrics_tunnel {
	uint32_t id;
	enum tunnel_type type;
	bool up;
	struct view_tunnel sums;
};

/* Families of a tunnel, 0..METRICS_TUNNEL_FAMILIES-1: that it is up, then its measures. All samples
 * of a family stand together, after its head. A family has `parts` lines at most for a tunnel, each
 * of at most METRICS_LINE bytes; a part may be empty. */
enum { METRICS_TUNNEL_FAMILIES = 1 + MEASURE__TUNNEL, METRICS_LINE = 256 };
void metrics_text_tunnel_head(struct wr *w, size_t family) NONNULL;
size_t metrics_text_tunnel_parts(size_t family);
void metrics_text_tunnel(struct wr *w, size_t family, size_t part, const struct metrics_tunnel *t)
	NONNULL;

#endif
