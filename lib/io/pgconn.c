#include "lib/io/pgconn.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/io/pginfo.h"
#include "lib/io/pgres.h"
#include "lib/log.h"

static void socket_ready(struct ev_loop *loop, ev_io *w, int revents);
static void timer_due(struct ev_loop *loop, ev_timer *w, int revents);

void pgconn_init(struct pgconn *c)
{
	c->state = PGCONN_CLOSED;
	ev_init(&c->io, socket_ready);
	ev_init(&c->timer, timer_due);
}

void pgconn_close(struct pgconn *c)
{
	ev_io_stop(c->loop, &c->io);
	ev_timer_stop(c->loop, &c->timer);
	PQclear(c->res);
	c->res = NULL;
	PQfinish(c->pg);
	c->pg = NULL;
	free(c->prepared);
	c->prepared = NULL;
	c->prepared_len = 0;
	c->state = PGCONN_CLOSED;
}

void pgconn_shun_host(struct pgconn *c)
{
	pginfo_rotate(c->info, c->turn);
}

/* libpq's errors have one line for each host that it tried. Its hints for beginners are on lines of
 * their own that begin with a tab. */
static void drop_hints(const char *text, char *out, size_t size)
{
	bool in_hint = false;
	size_t used = 0;

	for (; *text && used + 1 < size; text++) {
		if (*text == '\n')
			in_hint = text[1] == '\t';
		if (!in_hint)
			out[used++] = *text;
	}
	out[used] = '\0';
}

static void lose(struct pgconn *c, int err, const char *why)
{
	enum pgconn_state was = c->state;
	char text[512], copy[256];

	drop_hints(why, text, sizeof(text));
	pgres_one_line(text, copy, sizeof(copy));
	pgconn_close(c);
	c->events->lost(c, was, err, copy);
}

static void lose_broken(struct pgconn *c)
{
	lose(c, -ERR_AWAY, PQerrorMessage(c->pg));
}

/*
 * libpq may close its socket and open another under the same number (the next host, TLS tried and
 * refused): ev_io_set makes libev register the descriptor anew even if nothing else changed.
 */
static void watch(struct pgconn *c, int events)
{
	if (ev_is_active(&c->io) && c->io.fd == PQsocket(c->pg) &&
	    (c->io.events & (EV_READ | EV_WRITE)) == events && c->state != PGCONN_CONNECTING)
		return;
	ev_io_stop(c->loop, &c->io);
	ev_io_set(&c->io, PQsocket(c->pg), events);
	ev_io_start(c->loop, &c->io);
}

static void arm(struct pgconn *c, double seconds)
{
	ev_timer_stop(c->loop, &c->timer);
	if (seconds <= 0)
		return;
	ev_now_update(c->loop);
	ev_timer_set(&c->timer, seconds, 0.);
	ev_timer_start(c->loop, &c->timer);
}

/* Sends what was handed to libpq. False: the connection is broken. */
static bool flush(struct pgconn *c)
{
	int left = PQflush(c->pg);

	if (left < 0)
		return false;
	watch(c, left > 0 ? EV_READ | EV_WRITE : EV_READ);
	return true;
}

static void log_notice(void *arg, const PGresult *res)
{
	char text[256];

	(void)arg;
	pgres_message(res, text, sizeof(text));
	log_debug("database notice: %s", text);
}

void pgconn_open(struct pgconn *c)
{
	c->pg = pginfo_connect(c->info, &c->turn);
	c->state = PGCONN_CONNECTING;
	if (!c->pg)
		return lose(c, -ERR_AWAY, "out of memory");
	PQsetNoticeReceiver(c->pg, log_notice, NULL);
	if (PQstatus(c->pg) == CONNECTION_BAD)
		return lose_broken(c);
	arm(c, c->connect_timeout);
	watch(c, EV_WRITE);
}

static void begin_setup(struct pgconn *c)
{
	c->state = PGCONN_SETUP;
	if (PQsetnonblocking(c->pg, 1) != 0 || !PQsendQuery(c->pg, c->setup) || !flush(c))
		lose_broken(c);
}

static void poll_connect(struct pgconn *c)
{
	/* Before libpq may close the descriptor. */
	ev_io_stop(c->loop, &c->io);
	switch (PQconnectPoll(c->pg)) {
	case PGRES_POLLING_READING:
		return watch(c, EV_READ);
	case PGRES_POLLING_WRITING:
		return watch(c, EV_WRITE);
	case PGRES_POLLING_OK:
		return begin_setup(c);
	default:
		return lose_broken(c);
	}
}

static const char *stmt_name(const struct pgconn *c, char *out, size_t size)
{
	snprintf(out, size, "s%u", c->stmt.number);
	return out;
}

static void execute(struct pgconn *c)
{
	char name[16];

	c->state = PGCONN_EXECUTING;
	if (!PQsendQueryPrepared(c->pg, stmt_name(c, name, sizeof(name)), (int)c->n_params,
				 c->params, NULL, NULL, 0) ||
	    !flush(c))
		lose_broken(c);
}

static void prepare(struct pgconn *c)
{
	char name[16];

	c->state = PGCONN_PREPARING;
	if (!PQsendPrepare(c->pg, stmt_name(c, name, sizeof(name)), c->stmt.sql, 0, NULL) ||
	    !flush(c))
		lose_broken(c);
}

void pgconn_send(struct pgconn *c, struct pgconn_stmt stmt, size_t n, const char *const *params,
		 double timeout)
{
	c->stmt = stmt;
	c->n_params = n;
	c->params = params;
	arm(c, timeout > 0.001 ? timeout : 0.001);
	if (stmt.number < c->prepared_len && c->prepared[stmt.number])
		execute(c);
	else
		prepare(c);
}

/* False: no memory. Then the statement would be prepared twice, which the server refuses. */
static bool remember_prepared(struct pgconn *c)
{
	size_t needed = c->stmt.number + 1U;

	if (needed > c->prepared_len) {
		bool *grown = realloc(c->prepared, needed * sizeof(*grown));
		if (!grown)
			return false;
		memset(grown + c->prepared_len, 0, (needed - c->prepared_len) * sizeof(*grown));
		c->prepared = grown;
		c->prepared_len = needed;
	}
	c->prepared[c->stmt.number] = true;
	return true;
}

static void become_idle(struct pgconn *c)
{
	c->state = PGCONN_IDLE;
	arm(c, c->ping_interval);
}

static void ping(struct pgconn *c)
{
	c->state = PGCONN_PINGING;
	arm(c, c->connect_timeout);
	if (!PQsendQuery(c->pg, "SELECT 1") || !flush(c))
		lose_broken(c);
}

/* The server has answered the step under way in full. The owner takes the result when the statement
 * is over. */
static void finish_step(struct pgconn *c)
{
	PGresult *res = c->res;
	int err = res ? pgres_error(res) : -ERR_AWAY;

	if (!res || pgres_is_fatal(res) || PQstatus(c->pg) == CONNECTION_BAD)
		return lose_broken(c);
	if (c->state == PGCONN_PREPARING && err == 0) {
		PQclear(res);
		c->res = NULL;
		if (!remember_prepared(c))
			return lose(c, -ERR_AWAY, "out of memory");
		return execute(c);
	}
	if ((c->state == PGCONN_SETUP || c->state == PGCONN_PINGING) && err)
		return lose(c, -ERR_AWAY, PQresultErrorMessage(res));

	enum pgconn_state was = c->state;
	c->res = NULL;
	become_idle(c);
	if (was == PGCONN_PREPARING || was == PGCONN_EXECUTING)
		return c->events->answered(c, res);
	PQclear(res);
	if (was == PGCONN_SETUP)
		c->events->ready(c);
}

/* Keeps the first error of a step, else its last result. False for COPY, which would never end. */
static bool keep_result(struct pgconn *c, PGresult *res)
{
	ExecStatusType status = PQresultStatus(res);

	if (c->res && pgres_error(c->res)) {
		PQclear(res);
	} else {
		PQclear(c->res);
		c->res = res;
	}
	return status != PGRES_COPY_IN && status != PGRES_COPY_OUT && status != PGRES_COPY_BOTH;
}

static bool is_waiting(const struct pgconn *c)
{
	return c->state == PGCONN_SETUP || c->state == PGCONN_PREPARING ||
	       c->state == PGCONN_EXECUTING || c->state == PGCONN_PINGING;
}

static void take_notifications(struct pgconn *c)
{
	for (PGnotify *n; c->pg && (n = PQnotifies(c->pg)); PQfreemem(n)) {
		if (c->events->notified)
			c->events->notified(c, n->extra);
	}
}

static void exchange(struct pgconn *c)
{
	if (!PQconsumeInput(c->pg) || !flush(c))
		return lose_broken(c);
	take_notifications(c);
	while (is_waiting(c) && !PQisBusy(c->pg)) {
		PGresult *res = PQgetResult(c->pg);
		if (!res)
			finish_step(c);
		else if (!keep_result(c, res))
			return lose(c, -ERR_AWAY,
				    "the statement is a COPY, which the pool cannot run");
	}
	if (c->pg)
		take_notifications(c);
}

static void socket_ready(struct ev_loop *loop, ev_io *w, int revents)
{
	struct pgconn *c = container_of(w, struct pgconn, io);

	(void)loop;
	(void)revents;
	if (c->state == PGCONN_CONNECTING)
		poll_connect(c);
	else
		exchange(c);
}

static void timer_due(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct pgconn *c = container_of(w, struct pgconn, timer);

	(void)loop;
	(void)revents;
	switch (c->state) {
	case PGCONN_IDLE:
		return ping(c);
	case PGCONN_CONNECTING:
	case PGCONN_SETUP:
		pgconn_shun_host(c);
		return lose(c, -ERR_TIMEOUT,
			    "the server did not answer a connection attempt in time");
	default:
		return lose(c, -ERR_TIMEOUT, "the server did not answer a statement in time");
	}
}
