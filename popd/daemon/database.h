/*
 * The broker's database as the daemon uses it: the connection pool, the feed that fills the table,
 * the reports that go back, and what each of them brings about in the other parts. Control thread.
 */
#ifndef POPD_DAEMON_DATABASE_H
#define POPD_DAEMON_DATABASE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/feed/pgfeed.h"

struct checkpoint;
struct control;
struct database;
struct forwarder;
struct host;
struct link;
struct stats;

/* The parts that it talks to; all of them outlive it. */
struct database_conf {
	struct ev_loop *loop;
	const struct settings *settings;
	struct digest_ctx *digest; /* the control thread's */
	struct forwarder *forwarder;
	struct link *link;
	struct host *host;
	struct checkpoint *checkpoint;
	struct stats *stats;
	struct control *control;
	uint32_t started; /* wall second */
	uint64_t seq;     /* the change of the feed that the snapshot knew; 0: none */
};

/* Connects, loads and reports from now on. NULL: after a line in the log. */
struct database *database_create(const struct database_conf *conf) NONNULL;
void database_free(struct database *d); /* NULL is fine */

/* Loads all tunnels again; clients of the control socket that wait get the result. */
void database_reload(struct database *d) NONNULL;
/* Reports now, not only with the next interval. */
void database_report(struct database *d) NONNULL;
/* Takes the settings' intervals. */
void database_set_intervals(struct database *d) NONNULL;
/* Brings the statistics up to date. */
void database_collect_statistics(void *database) NONNULL;
/* Sends the statistics for the last time: calls `done` when the database has them or does not
 * answer. */
void database_finish(struct database *d, void (*done)(void *ctx), void *ctx) NONNULL_ARGS(1, 2);

/* What it knows. */
struct database_status {
	bool up;      /* the connection */
	bool enabled; /* the PoP, by the broker; true until the database has answered */
	struct pgfeed_status feed;
	mono_s_t report_at; /* the last that was acknowledged; 0: none was */
};
struct database_status database_status(const struct database *d) NONNULL;

#endif
