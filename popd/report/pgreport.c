#include "popd/report/pgreport.h"

#include <ev.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/io/pgpool.h"
#include "lib/log.h"
#include "lib/version.h"
#include "lib/wr.h"
#include "popd/report/stats.h"

enum { REASONS_TEXT = 8192 };

struct pgreport {
	struct pgreport_conf conf;
	struct ev_timer report, statistics;
	struct pgquery report_query, batch_query, reasons_query;
	bool again;         /* a report is due as soon as the one under way is answered */
	bool reasons_known; /* to the database, since this start */
	mono_s_t last;
	void (*finished)(void *ctx); /* from pgreport_finish on, until it is called */
	struct log_limit limit;
};

static void log_failure(struct pgreport *r, const struct pg_answer *answer, const char *what)
{
	bool away = answer->err == -ERR_AWAY || answer->err == -ERR_TIMEOUT ||
		    answer->err == -ERR_BUSY;

	log_limited(&r->limit, 1, 300, away ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
		    "the database did not take %s; popd tries again: %s", what,
		    answer->message[0] ? answer->message : err_text(answer->err));
}

/* ---- reports ---- */

static void take_answer(struct pgreport *r, const struct pg_answer *answer)
{
	int64_t seq, clock;

	if (answer->err) {
		log_failure(r, answer, "a report");
		return;
	}
	if (pgres_rows(answer->res) != 1 || pgres_i64(answer->res, 0, 1, &seq) != 0 || seq < 0 ||
	    pgres_i64(answer->res, 0, 2, &clock) != 0)
		return;
	r->last = mono_seconds();
	r->conf.answered(r->conf.ctx, pgres_bool(answer->res, 0, 0), (uint64_t)seq, clock);
}

static void report_answered(void *ctx, const struct pg_answer *answer)
{
	struct pgreport *r = ctx;
	bool again = r->again;

	take_answer(r, answer);
	r->again = false;
	if (again && !answer->err)
		ev_feed_event(r->conf.loop, &r->report, EV_TIMER);
}

/* The reasons as a PostgreSQL array text; those that do not fit are left out. */
static void put_reasons(char out[static REASONS_TEXT], const struct pgreport_facts *facts)
{
	struct wr w = wr_init((uint8_t *)out, REASONS_TEXT);

	wr_str(&w, "{");
	for (size_t i = 0; i < facts->reason_count; i++) {
		wr_str(&w, i == 0 ? "\"" : ",\"");
		for (const char *p = facts->reasons[i]; *p; p++) {
			if (*p == '"' || *p == '\\')
				wr_u8(&w, '\\');
			wr_u8(&w, (uint8_t)*p);
		}
		wr_str(&w, "\"");
	}
	wr_str(&w, "}");
	wr_u8(&w, 0);
	if (!wr_ok(&w))
		snprintf(out, REASONS_TEXT, "{\"more reasons than fit\"}");
}

static void send_report(struct pgreport *r)
{
	char started[CLOCK_TEXT], configured[16], up[16], active[16], seq[24],
		reasons[REASONS_TEXT];
	const char *params[] = {
		r->conf.incarnation, BROKER_VERSION, started, configured, up, active, seq, reasons
	};
	struct pgreport_facts facts = { .reason_count = 0 };

	r->conf.facts(r->conf.ctx, &facts);
	wall_text((wall_t){ r->conf.started }, started);
	snprintf(configured, sizeof(configured), "%" PRIu32, facts.configured);
	snprintf(up, sizeof(up), "%" PRIu32, facts.up);
	snprintf(active, sizeof(active), "%" PRIu32, facts.active);
	snprintf(seq, sizeof(seq), "%" PRIu64, facts.feed_seq);
	put_reasons(reasons, &facts);
	/* A start in the future is refused. Our clock may be ahead, which the answer would show. */
	pgpool_query(
		r->conf.pool, &r->report_query,
		"SELECT enabled, feed_seq, clock FROM api.popd_report($1, $2, least($3::timestamptz, now()), $4::int, $5::int, $6::int, $7::bigint,"
		" $8::text[])",
		ARRAY_LEN(params), params, report_answered, r);
}

static void report_due(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	struct pgreport *r = container_of(timer, struct pgreport, report);

	(void)loop;
	(void)revents;
	if (!pgquery_is_active(&r->report_query))
		send_report(r);
}

/* ---- statistics ---- */

static void finish(struct pgreport *r)
{
	void (*finished)(void *ctx) = r->finished;

	r->finished = NULL;
	if (finished)
		finished(r->conf.ctx);
}

/* True when the fault is in what was sent, so that the database will never take it, which would
 * delay all that follow: an implausible or malformed value. Anything else may pass: a function that
 * does not exist yet, a right that was not granted yet, a lock, a clock. */
static bool is_refused_for_good(const struct pg_answer *answer)
{
	static const char *const states[] = { "BK003", "22", "23" };

	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (answer->err && strncmp(answer->sqlstate, states[i], strlen(states[i])) == 0)
			return true;
	return false;
}

static void send_batches(struct pgreport *r);

static void batch_answered(void *ctx, const struct pg_answer *answer)
{
	struct pgreport *r = ctx;
	bool refused = is_refused_for_good(answer);

	if (refused)
		log_warnx("a batch of statistics is dropped, since the database refuses it: %s",
			  answer->message);
	else if (answer->err)
		log_failure(r, answer, "a batch of statistics");
	if (refused || !answer->err)
		stats_acknowledge(r->conf.stats);
	if (answer->err)
		finish(r);
	else
		send_batches(r);
}

/* False: no memory; the statement is not sent. */
static bool send_batch(struct pgreport *r, const struct stats_batch *b)
{
	char number[24];
	char *columns[STATS_COLUMNS] = { 0 };
	const char *params[2 + STATS_COLUMNS] = { r->conf.incarnation, number };
	bool complete = true;

	snprintf(number, sizeof(number), "%" PRIu64, b->number);
	for (size_t i = 0; complete && i < STATS_COLUMNS; i++) {
		params[2 + i] = columns[i] = stats_column_text(b, (enum stats_column)i);
		complete = columns[i];
	}
	if (complete)
		pgpool_query(
			r->conf.pool, &r->batch_query,
			"SELECT applied FROM api.popd_samples($1, $2::bigint, $3::int[], $4::date[], $5::int[], $6::int[], $7::int[],"
			" $8::int[], $9::bigint[], $10::int[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[],"
			" $16::int[], $17::date[], $18::text[], $19::bigint[])",
			ARRAY_LEN(params), params, batch_answered, r);
	for (size_t i = 0; i < STATS_COLUMNS; i++)
		free(columns[i]);
	return complete;
}

/* Sends the next batch, unless one is under way. */
static void send_batches(struct pgreport *r)
{
	const struct stats_batch *b = stats_batch(r->conf.stats);

	if (pgquery_is_active(&r->batch_query))
		return;
	if (!b || !send_batch(r, b))
		finish(r);
}

static void reasons_answered(void *ctx, const struct pg_answer *answer)
{
	struct pgreport *r = ctx;

	r->reasons_known = !answer->err || is_refused_for_good(answer);
	if (answer->err)
		log_failure(r, answer, "the sentences of drop reasons");
}

/* Sends the sentences of the drop reasons; batches have only their names. */
static void send_reasons(struct pgreport *r)
{
	char *names = stats_reasons_text(false), *sentences = stats_reasons_text(true);
	const char *params[] = { names, sentences };

	if (names && sentences)
		pgpool_query(r->conf.pool, &r->reasons_query,
			     "SELECT changed FROM api.popd_reasons($1::text[], $2::text[])",
			     ARRAY_LEN(params), params, reasons_answered, r);
	free(names);
	free(sentences);
}

static void statistics_due(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	struct pgreport *r = container_of(timer, struct pgreport, statistics);

	(void)loop;
	(void)revents;
	r->conf.collect(r->conf.ctx);
	if (!r->reasons_known && !pgquery_is_active(&r->reasons_query))
		send_reasons(r);
	send_batches(r);
}

/* ---- from outside ---- */

struct pgreport *pgreport_create(const struct pgreport_conf *conf)
{
	struct pgreport *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->conf = *conf;
	ev_timer_init(&r->report, report_due, 0., conf->interval);
	ev_timer_init(&r->statistics, statistics_due, conf->statistics_interval,
		      conf->statistics_interval);
	ev_timer_start(conf->loop, &r->report);
	ev_timer_start(conf->loop, &r->statistics);
	return r;
}

void pgreport_free(struct pgreport *r)
{
	if (!r)
		return;
	ev_timer_stop(r->conf.loop, &r->report);
	ev_timer_stop(r->conf.loop, &r->statistics);
	pgpool_forget(r->conf.pool, &r->report_query);
	pgpool_forget(r->conf.pool, &r->batch_query);
	pgpool_forget(r->conf.pool, &r->reasons_query);
	free(r);
}

void pgreport_set_intervals(struct pgreport *r, double interval, double statistics_interval)
{
	r->report.repeat = interval;
	r->statistics.repeat = statistics_interval;
	ev_timer_again(r->conf.loop, &r->report);
	ev_timer_again(r->conf.loop, &r->statistics);
}

void pgreport_finish(struct pgreport *r, void (*done)(void *ctx))
{
	ev_timer_stop(r->conf.loop, &r->report);
	ev_timer_stop(r->conf.loop, &r->statistics);
	r->conf.collect(r->conf.ctx);
	r->finished = done;
	send_batches(r);
}

void pgreport_now(struct pgreport *r)
{
	if (pgquery_is_active(&r->report_query))
		r->again = true;
	else
		send_report(r);
}

mono_s_t pgreport_last(const struct pgreport *r)
{
	return r->last;
}
