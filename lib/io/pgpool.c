/*
 * The pool's policy; the files beside it do the rest: pginfo.c (conninfo and hosts), pgconn.c (one
 * connection), pgres.c (results and what SQLSTATEs mean), pgjob.c (statements and lists),
 * pgserver.c (what is known of the server), pglisten.c (the listening connection).
 *
 * A statement goes from `waiting` to a slot's connection to `answers`, or at once to `refusals`.
 * Every event - a statement submitted, a connection ready, idle again or lost, a timer - ends in
 * pump(), which does whatever can be done now: expire, dispatch, open connections, give up, and set
 * the timer for what comes next. Only the timer `deliver` calls back, at the loop's next
 * pass, so that they may call anything of the pool.
 *
 * The state of the server decides how hard we try. UP: open as many connections as statements wait,
 * up to the limit. AWAY (the last attempt failed and no connection is left): one attempt at a time,
 * with growing pauses, and statements are refused instead of kept waiting. A new statement may
 * shorten a pause, so that the first one after a restart finds the server.
 */
#include "lib/io/pgpool.h"

#include <assert.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/io/pgconn.h"
#include "lib/io/pginfo.h"
#include "lib/io/pgjob.h"
#include "lib/io/pglisten.h"
#include "lib/io/pgres.h"
#include "lib/io/pgserver.h"
#include "lib/log.h"

enum {
	/* how long a statement waits for a connection to a server that was away a moment ago */
	AWAY_WAIT_MS = 500,
	/* the pause between two attempts that a new statement causes */
	ASK_PAUSE_MS = 250,
};

struct slot {
	struct pgconn conn;
	struct pgpool *pool;
	struct pgjob *job; /* running, or NULL */
	bool renew;        /* close it once it is idle */
};

struct pgpool {
	struct ev_loop *loop;
	struct pginfo *info;
	struct pglisten *listen;
	pgpool_notify *notify;
	void *notify_ctx;
	double query_timeout;
	size_t queue_max;
	char setup[64];

	struct pgjob_list waiting, answers;
	struct pgrefusals refusals;
	const char **statements; /* by number; the callers' literals */
	unsigned n_statements;

	struct pgserver server;
	struct log_limit error_limit;

	ev_timer timer;   /* the next expiry or attempt to connect */
	ev_timer deliver; /* at once, when there are answers */
	bool pumping, pump_again;
	bool calling; /* one of the callers' functions is running */
	bool doomed;  /* pgpool_free was called from there */

	size_t n_slots;
	struct slot slots[];
};

static void pump(struct pgpool *pool);
static void destroy(struct pgpool *pool);

static void answer(struct pgpool *pool, struct pgjob *job, int err, struct pg_result *res)
{
	job->err = err;
	job->res.pg = res;
	pgjob_append(&pool->answers, job);
}

static bool is_live(const struct pgconn *c)
{
	return c->state == PGCONN_IDLE || c->state == PGCONN_PREPARING ||
	       c->state == PGCONN_EXECUTING;
}

static size_t count_live(const struct pgpool *pool)
{
	size_t n = 0;
	for (size_t i = 0; i < pool->n_slots; i++)
		n += is_live(&pool->slots[i].conn);
	return n;
}

static size_t count_connecting(const struct pgpool *pool)
{
	size_t n = 0;
	for (size_t i = 0; i < pool->n_slots; i++)
		n += pool->slots[i].conn.state == PGCONN_CONNECTING ||
		     pool->slots[i].conn.state == PGCONN_SETUP;
	return n;
}

static struct slot *find_slot(struct pgpool *pool, enum pgconn_state state)
{
	for (size_t i = 0; i < pool->n_slots; i++) {
		if (pool->slots[i].conn.state == state)
			return &pool->slots[i];
	}
	return NULL;
}

static void conn_ready(struct pgconn *c)
{
	struct pgpool *pool = container_of(c, struct slot, conn)->pool;

	pgserver_connected(&pool->server);
	pump(pool);
}

static void log_failure(struct pgpool *pool, const struct pgjob *job, const struct pg_result *res)
{
	const char *sqlstate = pgres_sqlstate(res);
	char message[256];

	pgres_message(res, message, sizeof(message));
	log_limited(&pool->error_limit, 10, 10, LOG_LEVEL_WARN,
		    "database: a statement failed: %s%s%s, in: %.100s", sqlstate,
		    *sqlstate ? " " : "", message, job->stmt.sql);
}

/* This server serves no statement now (it shuts down, became a standby, has no memory): the next
 * connection goes to another host. */
static void drop_connection(struct pgpool *pool, struct pgconn *c, const struct pg_result *res)
{
	char why[256];

	pgres_message(res, why, sizeof(why));
	pgconn_shun_host(c);
	pgconn_close(c);
	pgserver_lost(&pool->server, count_live(pool), mono_now().ms, why);
}

static void statement_answered(struct pgconn *c, struct pg_result *res)
{
	struct slot *slot = container_of(c, struct slot, conn);
	struct pgpool *pool = slot->pool;
	struct pgjob *job = slot->job;
	int err = pgres_error(res);
	bool renew = slot->renew;

	slot->job = NULL;
	slot->renew = false;
	pgserver_answered(&pool->server);
	if (err && pgres_is_stale(res) && !job->retried) {
		/* The schema's functions were replaced; a new session prepares everything again. */
		struct pgres stale = { res };
		pgres_clear(&stale);
		pgconn_close(c);
		job->retried = true;
		pgjob_put_back(&pool->waiting, job);
	} else {
		if (err && err != -ERR_REFUSED)
			log_failure(pool, job, res);
		if (err == -ERR_AWAY)
			drop_connection(pool, c, res);
		else if (renew)
			pgconn_close(c);
		answer(pool, job, err, res);
	}
	pump(pool);
}

static void conn_lost(struct pgconn *c, enum pgconn_state was, int err, const char *why)
{
	struct slot *slot = container_of(c, struct slot, conn);
	struct pgpool *pool = slot->pool;

	if (slot->job)
		answer(pool, slot->job, err, NULL);
	slot->job = NULL;
	slot->renew = false;
	if (was == PGCONN_CONNECTING || was == PGCONN_SETUP)
		pgserver_failed(&pool->server, count_live(pool), mono_now().ms, why);
	else
		pgserver_lost(&pool->server, count_live(pool), mono_now().ms, why);
	pump(pool);
}

static const struct pgconn_events events = { conn_ready, statement_answered, conn_lost, NULL };

/* The server is away or may be, and no connection is left that could prove otherwise. */
static bool is_doubtful(const struct pgpool *pool)
{
	return (pool->server.state == PGSERVER_SHAKY || pool->server.state == PGSERVER_AWAY) &&
	       count_live(pool) == 0;
}

static int64_t waiting_limit(const struct pgpool *pool, const struct pgjob *job)
{
	int64_t from = job->submitted > pool->server.doubt_since ? job->submitted
								 : pool->server.doubt_since;
	int64_t limit = from + AWAY_WAIT_MS;
	return is_doubtful(pool) && limit < job->deadline ? limit : job->deadline;
}

static void expire(struct pgpool *pool, int64_t now)
{
	while (pool->waiting.head && waiting_limit(pool, pool->waiting.head) <= now) {
		struct pgjob *job = pgjob_take(&pool->waiting);
		answer(pool, job, job->deadline <= now ? -ERR_TIMEOUT : -ERR_AWAY, NULL);
	}
}

static void dispatch(struct pgpool *pool, int64_t now)
{
	struct slot *slot;

	while (pool->waiting.head && (slot = find_slot(pool, PGCONN_IDLE))) {
		struct pgjob *job = pgjob_take(&pool->waiting);
		slot->job = job;
		pgconn_send(&slot->conn, job->stmt, job->n, job->params,
			    (double)(job->deadline - now) / 1000.);
	}
}

/* How many connections to begin now. */
static size_t count_to_open(const struct pgpool *pool, int64_t now)
{
	size_t connecting = count_connecting(pool);

	if (is_doubtful(pool)) {
		bool is_time = now >= pool->server.retry_at;
		bool is_asked = pool->waiting.len > 0 &&
				now - pool->server.last_attempt >= ASK_PAUSE_MS;
		return connecting == 0 && (is_time || is_asked) ? 1 : 0;
	}
	if (now < pool->server.retry_at || pool->waiting.len <= connecting)
		return 0;
	return pool->waiting.len - connecting;
}

static void open_connections(struct pgpool *pool, int64_t now)
{
	size_t left = count_to_open(pool, now);
	struct slot *slot;

	for (; left > 0 && (slot = find_slot(pool, PGCONN_CLOSED)); left--) {
		pool->server.last_attempt = now;
		pgconn_open(&slot->conn);
		if (slot->conn.state == PGCONN_CLOSED)
			break;
	}
}

static void give_up_if_away(struct pgpool *pool)
{
	if (pool->server.state != PGSERVER_AWAY || count_live(pool) > 0 ||
	    count_connecting(pool) > 0)
		return;
	for (struct pgjob *job; (job = pgjob_take(&pool->waiting));)
		answer(pool, job, -ERR_AWAY, NULL);
}

static void arm(struct pgpool *pool, ev_timer *timer, double seconds)
{
	ev_timer_stop(pool->loop, timer);
	ev_now_update(pool->loop);
	ev_timer_set(timer, seconds > 0. ? seconds : 0., 0.);
	ev_timer_start(pool->loop, timer);
}

static void arm_delivery(struct pgpool *pool)
{
	if ((pool->answers.len > 0 || pool->refusals.len > 0) && !ev_is_active(&pool->deliver))
		arm(pool, &pool->deliver, 0.);
}

static void arm_timer(struct pgpool *pool, int64_t now)
{
	int64_t next = INT64_MAX;
	bool may_open = pool->waiting.len > 0 || is_doubtful(pool);

	if (pool->waiting.head)
		next = waiting_limit(pool, pool->waiting.head);
	if (may_open && pool->server.retry_at > now && count_connecting(pool) == 0 &&
	    pool->server.retry_at < next)
		next = pool->server.retry_at;
	if (next == INT64_MAX)
		ev_timer_stop(pool->loop, &pool->timer);
	else
		arm(pool, &pool->timer, (double)(next - now + 1) / 1000.);
}

/* Sending and opening may lose a connection at once, which calls this again: that pass waits for
 * this one to end. */
static void pump(struct pgpool *pool)
{
	pool->pump_again = true;
	if (pool->pumping || pool->doomed)
		return;
	pool->pumping = true;
	while (pool->pump_again) {
		pool->pump_again = false;
		int64_t now = mono_now().ms;
		expire(pool, now);
		dispatch(pool, now);
		open_connections(pool, now);
		give_up_if_away(pool);
		arm_timer(pool, now);
		arm_delivery(pool);
	}
	pool->pumping = false;
}

static void timer_due(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	pump(container_of(w, struct pgpool, timer));
}

/* Delivers the answers that are there now. Answers to statements that the callbacks submit are for
 * the next pass. */
static void deliver_due(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct pgpool *pool = container_of(w, struct pgpool, deliver);
	size_t answers = pool->answers.len, refusals = pool->refusals.len;

	(void)loop;
	(void)revents;
	pool->calling = true;
	for (; answers > 0 && !pool->doomed; answers--)
		pgjob_finish(pgjob_take(&pool->answers));
	for (; refusals > 0 && pool->refusals.len > 0; refusals--)
		pgrefusals_finish_first(&pool->refusals);
	pool->calling = false;
	if (pool->doomed)
		destroy(pool);
	else
		arm_delivery(pool);
}

static void listener_changed(void *ctx, bool is_up, const char *why)
{
	struct pgpool *pool = ctx;

	if (is_up)
		pgserver_connected(&pool->server);
	else if (count_live(pool) == 0)
		pgserver_failed(&pool->server, 0, mono_now().ms, why);
	pump(pool);
}

static void notified(void *ctx, const char *payload)
{
	struct pgpool *pool = ctx;

	if (pool->doomed)
		return;
	pool->calling = true;
	pool->notify(pool->notify_ctx, payload);
	pool->calling = false;
	if (pool->doomed)
		arm(pool, &pool->deliver, 0.);
}

static void init_slot(struct pgpool *pool, struct slot *slot, double connect_timeout)
{
	slot->pool = pool;
	slot->conn.loop = pool->loop;
	slot->conn.info = pool->info;
	slot->conn.events = &events;
	slot->conn.setup = pool->setup;
	slot->conn.connect_timeout = connect_timeout;
	pgconn_init(&slot->conn);
}

static bool start_listening(struct pgpool *pool, const struct pgpool_conf *conf)
{
	const struct pglisten_conf listen_conf = {
		.info = pool->info,
		.channel = conf->listen,
		.connect_timeout = conf->connect_timeout,
		.notify = notified,
		.changed = listener_changed,
		.ctx = pool,
	};
	pool->listen = pglisten_create(pool->loop, &listen_conf);
	return pool->listen != NULL;
}

struct pgpool *pgpool_create(struct ev_loop *loop, const struct pgpool_conf *conf)
{
	size_t n = conf->connections ? conf->connections : 1;
	struct pgpool *pool = calloc(1, sizeof(*pool) + n * sizeof(pool->slots[0]));

	if (!pool)
		return NULL;
	pool->loop = loop;
	pool->notify = conf->notify;
	pool->notify_ctx = conf->notify_ctx;
	pool->query_timeout = conf->query_timeout;
	pool->queue_max = conf->queue_max ? conf->queue_max : 1;
	pool->n_slots = n;
	/* The server gives up as well: a statement whose client is gone would go on and hold its
	 * locks. */
	snprintf(pool->setup, sizeof(pool->setup), "SET statement_timeout = %ld",
		 (long)(conf->query_timeout * 1000.) + 1);
	ev_init(&pool->timer, timer_due);
	ev_init(&pool->deliver, deliver_due);
	pool->info = pginfo_create(conf->conninfo, conf->application);
	for (size_t i = 0; i < n; i++)
		init_slot(pool, &pool->slots[i], conf->connect_timeout);
	if (pool->info && (!conf->listen || start_listening(pool, conf)))
		return pool;
	destroy(pool);
	return NULL;
}

static void forget_job(struct pgjob *job)
{
	if (job->query)
		job->query->job = NULL;
	job->query = NULL;
}

/* Afterwards every query is idle: its owner may be gone by the time a doomed pool is destroyed. */
static void drop_statements(struct pgpool *pool)
{
	for (struct pgjob *job; (job = pgjob_take(&pool->waiting));)
		pgjob_free(job);
	for (struct pgjob *job; (job = pgjob_take(&pool->answers));)
		pgjob_free(job);
	while (pool->refusals.head)
		pgrefusals_remove(&pool->refusals, pool->refusals.head);
	for (size_t i = 0; i < pool->n_slots; i++) {
		if (pool->slots[i].job)
			forget_job(pool->slots[i].job);
	}
}

static void destroy(struct pgpool *pool)
{
	drop_statements(pool);
	ev_timer_stop(pool->loop, &pool->timer);
	ev_timer_stop(pool->loop, &pool->deliver);
	pglisten_free(pool->listen);
	for (size_t i = 0; i < pool->n_slots; i++) {
		pgconn_close(&pool->slots[i].conn);
		pgjob_free(pool->slots[i].job);
	}
	pginfo_free(pool->info);
	free(pool->statements);
	free(pool);
}

void pgpool_free(struct pgpool *pool)
{
	if (!pool)
		return;
	drop_statements(pool);
	pool->doomed = true;
	if (!pool->calling)
		destroy(pool);
}

/* The number under which connections prepare the statement. False: no memory. */
static bool number_statement(struct pgpool *pool, const char *sql, unsigned *number)
{
	for (unsigned i = 0; i < pool->n_statements; i++) {
		if (pool->statements[i] == sql || strcmp(pool->statements[i], sql) == 0) {
			*number = i;
			return true;
		}
	}
	const char **grown = reallocarray(pool->statements, pool->n_statements + 1, sizeof(*grown));
	if (!grown)
		return false;
	pool->statements = grown;
	grown[pool->n_statements] = sql;
	*number = pool->n_statements++;
	return true;
}

static void refuse(struct pgpool *pool, struct pgquery *query, const char *sql, const char *why)
{
	log_limited(&pool->error_limit, 10, 10, LOG_LEVEL_WARN,
		    "database: %s; refused to run: %.100s", why, sql);
	pgrefusals_append(&pool->refusals, query, why);
}

void pgpool_query(struct pgpool *pool, struct pgquery *query, const char *sql, size_t n,
		  const char *const *params, pgpool_done *done, void *ctx)
{
	unsigned number;
	struct pgjob *job;

	assert(!pgquery_is_active(query));
	*query = (struct pgquery){ .done = done, .ctx = ctx };
	if (pool->waiting.len >= pool->queue_max) {
		refuse(pool, query, sql, "too many statements are waiting");
	} else if (!number_statement(pool, sql, &number) || !(job = pgjob_create(n, params))) {
		refuse(pool, query, sql, err_text(-ERR_NOMEM));
	} else {
		query->job = job;
		job->query = query;
		job->stmt = (struct pgconn_stmt){ sql, number };
		job->submitted = mono_now().ms;
		job->deadline = job->submitted + (int64_t)(pool->query_timeout * 1000.);
		pgjob_append(&pool->waiting, job);
	}
	pump(pool);
}

void pgpool_forget(struct pgpool *pool, struct pgquery *query)
{
	if (query->job)
		forget_job(query->job);
	else if (query->refusal)
		pgrefusals_remove(&pool->refusals, query);
}

void pgpool_renew(struct pgpool *pool)
{
	for (size_t i = 0; i < pool->n_slots; i++) {
		struct slot *slot = &pool->slots[i];
		if (slot->conn.state == PGCONN_IDLE)
			pgconn_close(&slot->conn);
		slot->renew = slot->job != NULL;
	}
}

bool pgpool_is_up(const struct pgpool *pool)
{
	return pool->server.state == PGSERVER_UP;
}
