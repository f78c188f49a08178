#include "ticd/io/daily.h"

#include <ev.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/io/pgpool.h"
#include "lib/log.h"

#define FIRST_SECONDS 2.
#define AGAIN_SECONDS 3600.
#define RETRY_SECONDS 60.
#define CONNECT_SECONDS 10.
#define QUERY_SECONDS 600. /* catching up after weeks takes time, which no client waits for */

enum { ROWS_LOGGED = 50, DATE_LEN = 10 };

/* The pool is made for each run and freed after it: a connection of its own, so that the job never
 * stands in a client's way. */
struct daily {
	struct ev_loop *loop;
	char *conninfo;
	struct ev_timer timer; /* the next run, or the end of this one */
	struct pgpool *pool;   /* NULL: no run under way */
	double next;           /* seconds until the run after this one */
};

static const char *tunnel_text(const struct pgres *res, size_t row, char buf[static 24])
{
	const char *id = pgres_text(res, row, 2);

	buf[0] = '\0';
	if (id != NULL)
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

static void set_timer(struct daily *d, double seconds)
{
	ev_timer_stop(d->loop, &d->timer);
	ev_timer_set(&d->timer, seconds, 0.);
	ev_timer_start(d->loop, &d->timer);
}

/* Called by the pool, which therefore cannot be freed here: the timer does that in a moment. */
static void prune_ready(void *ctx, const struct pg_answer *answer)
{
	struct daily *d = ctx;

	if (answer->err != 0) {
		log_warnx("pruning failed, next attempt in %.0f s: %s", RETRY_SECONDS,
			  answer->message);
		d->next = RETRY_SECONDS;
	}
	set_timer(d, 0.);
}

static void answered(void *ctx, const struct pg_answer *answer)
{
	struct daily *d = ctx;

	if (answer->err == 0)
		log_rows(answer->res);
	else
		log_warnx("the daily ISK job could not run, again in %.0f s: %s", RETRY_SECONDS,
			  answer->message);
	d->next = answer->err == 0 ? AGAIN_SECONDS : RETRY_SECONDS;
	pgpool_query(d->pool, "SELECT * FROM api.prune()", 0, NULL, prune_ready, d);
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
	if (d->pool == NULL) {
		set_timer(d, RETRY_SECONDS);
		return;
	}
	wall_text(wall_now(), today);
	today[DATE_LEN] = '\0';
	pgpool_query(d->pool, "SELECT * FROM api.isk_daily($1::date)", 1, params, answered, d);
}

static void timer_rang(struct ev_loop *loop, struct ev_timer *w, int events)
{
	struct daily *d = container_of(w, struct daily, timer);

	(void)loop, (void)events;
	if (d->pool == NULL) {
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

	if (d == NULL || (d->conninfo = strdup(conninfo)) == NULL) {
		free(d);
		return NULL;
	}
	d->loop = loop;
	ev_timer_init(&d->timer, timer_rang, 0., 0.);
	return d;
}

void daily_free(struct daily *daily)
{
	if (daily == NULL)
		return;
	ev_timer_stop(daily->loop, &daily->timer);
	pgpool_free(daily->pool);
	free(daily->conninfo);
	free(daily);
}

void daily_enable(struct daily *daily, bool on)
{
	bool is_on = ev_is_active(&daily->timer) || daily->pool != NULL;

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
