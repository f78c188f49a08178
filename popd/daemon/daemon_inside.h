/*
 * The inside of struct popd, shared by daemon.c (runs it), build.c (makes its parts and takes them
 * down) and wiring.c (what the parts tell each other). Nobody else includes it. All of it is the
 * control thread's, wiring_wake excepted.
 */
#ifndef POPD_DAEMON_DAEMON_INSIDE_H
#define POPD_DAEMON_DAEMON_INSIDE_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/clock.h"
#include "lib/digest.h"
#include "lib/io/pgpool.h"
#include "lib/sha1_many.h"
#include "popd/core/histogram.h"
#include "popd/core/offload.h"
#include "popd/core/table.h"
#include "popd/daemon/daemon.h"
#include "popd/daemon/events.h"
#include "popd/daemon/link.h"
#include "popd/daemon/prober.h"
#include "popd/daemon/endpoint_scan.h"
#include "popd/fastpath/bpf_encap.h"
#include "popd/feed/checkpoint.h"
#include "popd/feed/pgfeed.h"
#include "popd/feed/snapshot.h"
#include "popd/feed/store.h"
#include "popd/observe/control.h"
#include "popd/observe/control_json.h"
#include "popd/observe/errors.h"
#include "popd/observe/metrics.h"
#include "popd/observe/metrics_text.h"
#include "popd/observe/top.h"
#include "popd/observe/trace.h"
#include "popd/port/worker.h"
#include "popd/report/pgreport.h"
#include "popd/report/stats.h"

struct popd {
	struct settings *settings;
	const char *path;
	struct ev_loop *loop;
	struct ev_signal sigterm, sigint, sighup;
	struct ev_async wake;
	struct ev_timer second, farewell;
	struct digest_ctx *digest;
	struct table *table;
	struct worker *workers[TABLE_WORKERS];
	struct bpf_encap *encap;                      /* NULL: not wanted, or not to be had */
	struct counters *counters[TABLE_WORKERS + 1]; /* the workers', then those of `encap` */
	unsigned worker_count, counter_count;
	struct limiter *limiter;
	struct offloads offloads;
	struct sha1_set sha1;
	struct link *link;
	struct store *store;
	struct checkpoint *checkpoint;
	struct events *events;
	struct errors *errors;
	struct trace *trace;
	struct stats *stats;
	struct control *control;
	struct prober *prober;
	struct endpoint_scan *endpoint_scan;
	struct metrics *metrics;
	struct top *top; /* NULL: nobody has asked of late */
	struct pgpool *pool;
	struct pgfeed *feed;
	struct pgreport *report;
	struct control_view view;
	uint32_t started;
	char channel[SNAPSHOT_NAME + 8];
	bool enabled, stopping, failed;
	unsigned seconds;
	struct histogram late_us; /* how late housekeeping's timer was */
	mono_us_t due;            /* when it is due next */
};

/* ---- build.c: each makes what its name says and tells the log why it cannot ---- */

/* What must be right before anything is touched; the control socket among it, since it is what
 * keeps two popd's of one configuration apart. */
bool build_may_start(struct popd *d) NONNULL MUSTCHECK;
/* The table and what lives beside it, filled from the snapshot; `seq`: the change that knew, 0
 * without one. */
bool build_table(struct popd *d, uint64_t *seq) NONNULL MUSTCHECK;
/* The workers, started; d->wake must be ready for them. */
bool build_workers(struct popd *d) NONNULL MUSTCHECK;
bool build_link(struct popd *d) NONNULL MUSTCHECK;
/* The fast path in the kernel, if it is wanted and can be had; without it popd does as well, only
 * slower. */
void build_encap(struct popd *d) NONNULL;
/* What keeps watch and tells of it: prober and database, the feed going on after `seq`; then
 * d->view. */
bool build_database(struct popd *d, uint64_t seq) NONNULL MUSTCHECK;
/* The metrics' server; that it cannot listen is no reason not to start. */
bool build_metrics(struct popd *d) NONNULL MUSTCHECK;
/* Whatever has been built, and `d` itself. */
void build_free(struct popd *d) NONNULL;

/* ---- wiring.c: what is called with `ctx` = the struct popd, each as the header of the part that
 * calls it says ---- */

uint32_t wiring_now(void); /* wall second */
void wiring_slot_freed(void *ctx, uint32_t slot);
uint64_t wiring_feed_seq(void *ctx);
void wiring_pop_changed(void *ctx, const struct pop_conf *pop, bool enabled);
void wiring_table_changed(void *ctx);
void wiring_reload_ended(void *ctx, bool good, const char *outcome);
void wiring_notified(void *ctx, const char *payload);
void wiring_report_facts(void *ctx, struct pgreport_facts *out);
void wiring_collect_statistics(void *ctx);
void wiring_report_answered(void *ctx, bool enabled, uint64_t seq);
void wiring_control_facts(void *ctx, struct control_facts *out);
void wiring_load(void *ctx, unsigned worker, struct view_load *out);
struct top *wiring_top(void *ctx);
void wiring_metrics(void *ctx, struct metrics_pop *out);
enum control_verdict wiring_control_asked(void *ctx, unsigned client, const char *line, size_t len,
					  char **answer);
void wiring_control_left(void *ctx, unsigned client);
void wiring_follow(void *ctx, unsigned client, const struct trace_filter *filter);
bool wiring_tell(void *ctx, unsigned client, const char *line, size_t len);
void wiring_wake(void *ctx); /* in a worker's thread */

/* ---- daemon.c ---- */

/* Reads the configuration again and has everything loaded again (control_view). */
void daemon_reload(void *ctx);

#endif
