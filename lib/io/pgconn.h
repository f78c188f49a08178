/*
 * One asynchronous PostgreSQL connection on a libev loop: a state machine that connects, sets the
 * session up, runs one statement at a time and reports the result to its owner. A connection that
 * broke or ran out of time is closed, and the owner opens another. Nothing here blocks but libpq's
 * look-up of host names when it begins to connect.
 *
 *  CLOSED -open-> CONNECTING -> SETUP -ready-> IDLE -send-> PREPARING -> EXECUTING -answered-> IDLE
 *     ^                                        IDLE -ping_interval-> PINGING -> IDLE
 *     +--------- lost: from any state, by an error or a timeout
 */
#ifndef LIB_IO_PGCONN_H
#define LIB_IO_PGCONN_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"

struct pg_conn;
struct pg_result;
struct pgconn;
struct pginfo;

enum pgconn_state {
	PGCONN_CLOSED,
	PGCONN_CONNECTING,
	PGCONN_SETUP,
	PGCONN_IDLE,
	PGCONN_PREPARING,
	PGCONN_EXECUTING,
	PGCONN_PINGING,
};

/* Called from the loop, and `lost` also from inside pgconn_open and pgconn_send. The callee may
 * send or close. */
struct pgconn_events {
	void (*ready)(struct pgconn *c); /* idle for the first time */
	void (*answered)(struct pgconn *c,
			 struct pg_result *res); /* idle again; the callee takes `res` */
	/* Closed; -ERR_TIMEOUT or -ERR_AWAY. */
	void (*lost)(struct pgconn *c, enum pgconn_state was, int err, const char *why);
	void (*notified)(struct pgconn *c, const char *payload); /* may be NULL */
};

struct pgconn_stmt {
	const char *sql;
	unsigned number; /* the owner's, from 0: names the prepared statement on the server */
};

struct pgconn {
	/* The owner sets these once; what they point to outlives the connection. */
	struct ev_loop *loop;
	struct pginfo *info;
	const struct pgconn_events *events;
	const char *setup;      /* SQL run after each connect; may be several statements */
	double connect_timeout; /* seconds, setup included */
	/* seconds without traffic after which it checks that the server answers; 0: never */
	double ping_interval;

	/* The rest is pgconn.c's. */
	enum pgconn_state state;
	struct pg_conn *pg;
	struct pg_result *res; /* of the step under way */
	unsigned turn;         /* the order of hosts it was opened with */
	ev_io io;
	ev_timer timer;
	struct pgconn_stmt stmt; /* being prepared or executed */
	size_t n_params;
	const char *const *params;
	bool *prepared; /* by statement number */
	size_t prepared_len;
};

void pgconn_init(struct pgconn *c) NONNULL;

/* From CLOSED: begins to connect. */
void pgconn_open(struct pgconn *c) NONNULL;

/* From IDLE: runs one statement; `params` must live until its answer. After `timeout` seconds the
 * connection is lost. */
void pgconn_send(struct pgconn *c, struct pgconn_stmt stmt, size_t n, const char *const *params,
		 double timeout) NONNULL_ARGS(1);

/* The next connection begins with another host, since this one became a standby, say. */
void pgconn_shun_host(struct pgconn *c) NONNULL;

/* To CLOSED, without an event. */
void pgconn_close(struct pgconn *c) NONNULL;

#endif
