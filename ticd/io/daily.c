#include "ticd/io/daily.h"

#include <ev.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/io/pgpool.h"
#include "lib/log.h"

enum {
	FIRST_SECONDS = 2,
	AGAIN_SECONDS = 3600,
	RETRY_SECONDS = 60,
	CONNECT_SECONDS = 10,
	QUERY_SECONDS = 600, /* catching up after weeks takes minutes, and no client waits for it */
	ROWS_LOGGED = 50,
	DATE_LEN = 10,
};

/* Each run has a pool, and so a connection, of its own, so that the job delays no client. */
struct daily {
	struct ev_loop *loop;
	char *conninfo;
	struct ev_timer timer; /* the next run, or the end of this one */
	struct pgpool *pool;   /* NULL: no run under way */
	struct pgquery query;
	int next; /* seconds until the run after this one */
};

static const char *tunnel_text(const struct pgres *res, size_t row, char buf[static 24])
{
	const char *id = pgres_text(res, row, 2);

	buf[0] = '\0';
	if (id)
		snprintf(buf, 24, " T%.20s", id);
	return buf;
}

static void log_rows(const struct pgres *res)
{
	size_t rows = pgres_rows(res);
	char tunnel[24];

	for (size_t i = 0; i < rows && i < ROWS_LOGGED; i++)
		log_info("ISK for %s: %s%s %s %s ISK, balance %s %s", pgres_str(res, i, 0),
			 pgres_str(res, i, 1), tunnel_text(res, i, tunnel), pgres_str(res, i, 3),
			 pgres_str(res, i, 4), pgres_str(res, i, 5), pgres_str(res, i, 6));
	if (rows > ROWS_LOGGED)
		log_info("ISK: %zu more bookings, all in the ledger", rows - ROWS_LOGGED);
}

static void set_timer(struct daily *d, int seconds)
{
	ev_timer_stop(d->loop, &d->timer);
	ev_timer_set(&d->timer, seconds, 0.);
	ev_timer_start(d->loop, &d->timer);
}

/* The pool calls this, so it cannot be freed here: the timer does that at once. */
static void prune_ready(void *ctx, const struct pg_answer *answer)
{
	struct daily *d = ctx;

	if (answer->err != 0) {
		log_warnx("pruning failed, next attempt in %d s: %s", RETRY_SECONDS,
			  answer->message);
		d->next = RETRY_SECONDS;
	}
	set_timer(d, 0);
}

static void answer_ready(void *ctx, const struct pg_answer *answer)
{
	struct daily *d = ctx;

	if (answer->err == 0)
		log_rows(answer->res);
	else
		log_warnx("the daily ISK job failed, next attempt in %d s: %s", RETRY_SECONDS,
			  answer->message);
	d->next = answer->err == 0 ? AGAIN_SECONDS : RETRY_SECONDS;
	pgpool_query(d->pool, &d->query, "SELECT * FROM api.prune()", 0, NULL, prune_ready, d);
}

static void begin(struct daily *d)
{
	const struct pgpool_conf conf = { .conninfo = d->conninfo,
					  .application = "ticd daily",
					  .connections = 1,
					  .queue_max = 1,
					  .connect_timeout = CONNECT_SECONDS,
					  .query_timeout = QUERY_SECONDS };
	char today[CLOCK_TEXT];
	const char *params[] = { today };

	d->pool = pgpool_create(d->loop, &conf);
	if (!d->pool) {
		set_timer(d, RETRY_SECONDS);
		return;
	}
	wall_text(wall_now(), today);
	today[DATE_LEN] = '\0';
	pgpool_query(d->pool, &d->query, "SELECT * FROM api.isk_daily($1::date)", 1, params,
		     answer_ready, d);
}

static void timer_due(struct ev_loop *loop, struct ev_timer *w, int events)
{
	struct daily *d = container_of(w, struct daily, timer);

	(void)loop, (void)events;
	if (!d->pool) {
		begin(d);
		return;
	}
	pgpool_free(d->pool);
	d->pool = NULL;
	set_timer(d, d->next);
}

struct daily *daily_create(struct ev_loop *loop, const char *conninfo)
{
	struct daily *d = calloc(1, sizeof(*d));

	if (!d || !(d->conninfo = strdup(conninfo))) {
		free(d);
		return NULL;
	}
	d->loop = loop;
	ev_timer_init(&d->timer, timer_due, 0., 0.);
	return d;
}

void daily_free(struct daily *daily)
{
	if (!daily)
		return;
	ev_timer_stop(daily->loop, &daily->timer);
	pgpool_free(daily->pool);
	free(daily->conninfo);
	free(daily);
}

void daily_enable(struct daily *daily, bool on)
{
	bool is_on = ev_is_active(&daily->timer) || daily->pool;

	if (on == is_on)
		return;
	if (on) {
		set_timer(daily, FIRST_SECONDS);
		return;
	}
	ev_timer_stop(daily->loop, &daily->timer);
	pgpool_free(daily->pool);
	daily->pool = NULL;
}
