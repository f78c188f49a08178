/*
 * One statement is under way at a time. The `want_` flags are what remains to be done, `next_step`
 * picks: hello, then pages until a short one, then changes until a short answer, then idle until
 * someone wakes us. Hello comes before the pages and its seq is where changes go on from, so
 * nothing committed in between is missed.
 *
 * A prefix that moves from one tunnel to another may be told of its new owner first. The table
 * refuses that (a prefix has one owner); such rows are kept aside and tried again when what was
 * asked for has been answered completely.
 */
#include "popd/feed/pgfeed.h"

#include <ev.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/io/pgpool.h"
#include "lib/log.h"
#include "popd/feed/feedrow.h"

enum { PAGE = 2000, ASIDE = 4096, OUTCOME = 240 };
static const double retry_delays[] = { 0.2, 1, 2, 5, 10 };

struct pgfeed {
	struct pgfeed_conf conf;
	struct pgquery query;
	struct ev_timer retry;
	unsigned failures;
	/* full: the hello or page under way is part of a full load */
	bool busy, want_full, want_pop, want_changes, loaded, full;
	bool ipv4_told;
	uint64_t seq, hello_seq;
	uint32_t last_id;
	uint8_t *seen; /* by slot, during a full load: named by it */
	mono_t load_began;
	uint32_t loaded_at, load_ms;
	size_t load_rows, load_bad;
	uint64_t changes, bad_rows;
	struct tunnel_conf *aside[ASIDE];
	size_t aside_count;
	struct log_limit bad_limit, fail_limit;
};

static void next_step(struct pgfeed *f);

static void drop_aside(struct pgfeed *f)
{
	for (size_t i = 0; i < f->aside_count; i++)
		free(f->aside[i]);
	f->aside_count = 0;
}

static void retry_due(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	next_step(container_of(timer, struct pgfeed, retry));
}

static void fail(struct pgfeed *f, const struct pg_answer *answer, const char *what)
{
	char outcome[OUTCOME];
	size_t step = f->failures < ARRAY_LEN(retry_delays) ? f->failures
							    : ARRAY_LEN(retry_delays) - 1;
	const char *why = answer->message[0] ? answer->message : err_text(answer->err);

	f->failures++;
	log_limited(&f->fail_limit, 1, 60,
		    answer->err == -ERR_AWAY || answer->err == -ERR_TIMEOUT ? LOG_LEVEL_INFO
									    : LOG_LEVEL_WARN,
		    "the feed waits for the database (%s: %s)", what, why);
	if (f->full) {
		f->full = false;
		f->want_full = true;
		if (answer->err == -ERR_REFUSED)
			snprintf(outcome, sizeof(outcome), "not reloaded: %s", why);
		else
			snprintf(
				outcome, sizeof(outcome),
				"not reloaded: the database gives no answer (%s); tunnels stay as they are and the load is tried again",
				err_text(answer->err));
		f->conf.reloaded(f->conf.ctx, false, outcome);
	} else {
		f->want_changes = true;
	}
	drop_aside(f);
	ev_timer_stop(f->conf.loop, &f->retry);
	ev_timer_set(&f->retry, retry_delays[step], 0.);
	ev_timer_start(f->conf.loop, &f->retry);
}

/* ---- rows ---- */

static void mark_seen(struct pgfeed *f, uint32_t id)
{
	const struct tunnel *t = table_by_id(f->conf.table, id);

	if (t)
		f->seen[t->slot] = 1;
}

static void bad_row(struct pgfeed *f, uint32_t id, const char *why)
{
	f->bad_rows++;
	f->load_bad += f->full;
	log_limited(&f->bad_limit, 20, 60, LOG_LEVEL_WARN,
		    "tunnel T%" PRIu32 " of the feed is passed over: %s", id, why);
}

/* Takes a row whose tunnel columns begin at `col`. */
static void take_row(struct pgfeed *f, const struct pgres *res, size_t row, size_t col)
{
	const struct feedrow_tunnel text = {
		.id = pgres_text(res, row, col),
		.type = pgres_text(res, row, col + 1),
		.prefix = pgres_text(res, row, col + 2),
		.secret = pgres_text(res, row, col + 3),
		.endpoint = pgres_text(res, row, col + 4),
		.mtu = pgres_text(res, row, col + 5),
		.enabled = pgres_text(res, row, col + 6),
		.routes = pgres_text(res, row, col + 7),
	};
	char why[FEEDROW_WHY];
	uint32_t id;
	struct tunnel_conf *c = feedrow_parse_tunnel(&text, f->conf.digest, &id, why);

	if (!c) {
		bad_row(f, id, why);
		mark_seen(f, id);
		return;
	}
	int err = table_set(f->conf.table, c);
	if (err == -ERR_EXISTS && f->aside_count < ASIDE) {
		f->aside[f->aside_count] = feedrow_parse_tunnel(&text, f->conf.digest, &id, why);
		f->aside_count += f->aside[f->aside_count] != NULL;
	} else if (err) {
		bad_row(f, id,
			err == -ERR_NOMEM ? "there is no room for it (max_tunnels)"
					  : "one of its prefixes is another tunnel's");
	}
	mark_seen(f, id);
}

/* Tries what was kept aside until a round brings nothing more. */
static void settle_aside(struct pgfeed *f)
{
	for (size_t before = SIZE_MAX; f->aside_count > 0 && f->aside_count < before;) {
		before = f->aside_count;
		size_t kept = 0;
		for (size_t i = 0; i < before; i++) {
			struct tunnel_conf *c = f->aside[i];
			size_t size = sizeof(*c) + c->route_count * sizeof(c->routes[0]);
			struct tunnel_conf *copy = malloc(size);
			if (copy)
				memcpy(copy, c, size);
			if (copy && table_set(f->conf.table, copy) == 0) {
				mark_seen(f, c->id);
				free(c);
			} else {
				f->aside[kept++] = c;
			}
		}
		f->aside_count = kept;
	}
	for (size_t i = 0; i < f->aside_count; i++)
		bad_row(f, f->aside[i]->id, "one of its prefixes is another tunnel's");
	drop_aside(f);
}

/* ---- a full load ---- */

static size_t delete_unseen(struct pgfeed *f)
{
	struct table *t = f->conf.table;
	size_t slots = table_slots(t), left = table_count(t), gone = 0;

	for (size_t i = 0; i < slots && left > 0; i++) {
		const struct tunnel_conf *c = atomic_load_explicit(&table_slot(t, i)->conf,
								   memory_order_relaxed);
		if (!c)
			continue;
		left--;
		if (!f->seen[i] && table_delete(t, c->id) == 0)
			gone++;
	}
	return gone;
}

static void full_load_done(struct pgfeed *f)
{
	char outcome[OUTCOME];
	size_t gone = delete_unseen(
		f); /* first: it may hold a prefix that something kept aside has now */

	settle_aside(f);
	f->full = false;
	f->loaded = true;
	f->seq = f->hello_seq;
	f->loaded_at = wall_seconds();
	f->load_ms = (uint32_t)mono_since(mono_now(), f->load_began);
	int used = snprintf(outcome, sizeof(outcome),
			    "%zu tunnels loaded in %" PRIu32 " ms, %zu that are gone removed",
			    f->load_rows - f->load_bad, f->load_ms, gone);
	if (f->load_bad > 0)
		snprintf(outcome + used, sizeof(outcome) - (size_t)used,
			 ", %zu bad rows passed over", f->load_bad);
	log_info("feed: %s", outcome);
	f->want_changes = true; /* what was committed meanwhile */
	f->conf.table_changed(f->conf.ctx);
	f->conf.reloaded(f->conf.ctx, true, outcome);
}

static void query(struct pgfeed *f, const char *sql, size_t n, const char *const *params,
		  pgpool_done *done)
{
	f->busy = true;
	pgpool_query(f->conf.pool, &f->query, sql, n, params, done, f);
}

static void page_answered(void *ctx, const struct pg_answer *answer);

static void ask_page(struct pgfeed *f)
{
	char after[16], limit[16];
	const char *params[] = { f->conf.pop, after, limit };

	snprintf(after, sizeof(after), "%" PRIu32, f->last_id);
	snprintf(limit, sizeof(limit), "%d", PAGE);
	query(f,
	      "SELECT id, type, prefix, secret, endpoint, mtu, enabled, routes FROM api.popd_tunnels($1, $2::int, $3::int)",
	      3, params, page_answered);
}

static void page_answered(void *ctx, const struct pg_answer *answer)
{
	struct pgfeed *f = ctx;
	int64_t id = 0;

	f->busy = false;
	if (answer->err) {
		fail(f, answer, "tunnels");
		return;
	}
	size_t rows = pgres_rows(answer->res);
	for (size_t i = 0; i < rows; i++)
		take_row(f, answer->res, i, 0);
	f->load_rows += rows;
	if (rows > 0 && (pgres_i64(answer->res, rows - 1, 0, &id) != 0 ||
			 id <= (int64_t)f->last_id || id > INT32_MAX)) {
		struct pg_answer odd = { .err = -ERR_FORMAT,
					 .sqlstate = "",
					 .message = "ids that do not ascend" };
		fail(f, &odd, "tunnels");
		return;
	}
	f->last_id = (uint32_t)id;
	if (rows < PAGE)
		full_load_done(f);
	next_step(f);
}

static bool take_pop(struct pgfeed *f, const struct pgres *res)
{
	const struct feedrow_pop text = { pgres_text(res, 0, 0), pgres_text(res, 0, 1),
					  pgres_text(res, 0, 2) };
	char why[FEEDROW_WHY], a[IP4_TEXT], b[IP4_TEXT];
	struct pop_conf pop;

	if (feedrow_parse_pop(&text, &pop, why) != 0) {
		log_limited(&f->fail_limit, 1, 60, LOG_LEVEL_WARN,
			    "the database says of this PoP what cannot be: %s", why);
		return false;
	}
	if (pop.ipv4.v != f->conf.ipv4.v && !f->ipv4_told)
		log_warnx(
			"the database tells clients that this PoP is at %s, but popd listens at %s",
			ip4_text(pop.ipv4, a), ip4_text(f->conf.ipv4, b));
	f->ipv4_told = pop.ipv4.v != f->conf.ipv4.v;
	pop.ipv4 = f->conf.ipv4;
	table_set_pop(f->conf.table, &pop);
	f->conf.pop_changed(f->conf.ctx, &pop, pgres_bool(res, 0, 3));
	return true;
}

static void hello_answered(void *ctx, const struct pg_answer *answer)
{
	struct pgfeed *f = ctx;
	int64_t seq;

	f->busy = false;
	if (answer->err) {
		fail(f, answer, "hello");
		return;
	}
	if (pgres_rows(answer->res) != 1 || pgres_i64(answer->res, 0, 4, &seq) != 0 || seq < 0 ||
	    !take_pop(f, answer->res)) {
		struct pg_answer odd = { .err = -ERR_FORMAT,
					 .sqlstate = "",
					 .message = "an answer that cannot be" };
		fail(f, &odd, "hello");
		return;
	}
	f->failures = 0;
	f->want_pop = false;
	if (!f->full) { /* a change of the PoP alone */
		next_step(f);
		return;
	}
	f->hello_seq = (uint64_t)seq;
	f->last_id = 0;
	f->load_rows = f->load_bad = 0;
	memset(f->seen, 0, table_slots(f->conf.table));
	ask_page(f);
}

static void ask_hello(struct pgfeed *f, bool full)
{
	const char *params[] = { f->conf.pop };

	f->full = full;
	if (full) {
		f->want_full = false;
		f->load_began = mono_now();
	}
	query(f,
	      "SELECT ipv4, tunnel_prefixes, subnet_prefixes, enabled, feed_seq FROM api.popd_hello($1)",
	      1, params, hello_answered);
}

/* ---- changes ---- */

enum change { CHANGE_DONE, CHANGE_POP, CHANGE_RELOAD };

static enum change take_change(struct pgfeed *f, const struct pgres *res, size_t row)
{
	const char *op = pgres_str(res, row, 1);
	int64_t id;

	if (strcmp(op, "reload") == 0)
		return CHANGE_RELOAD;
	f->changes++;
	if (strcmp(op, "pop") == 0)
		return CHANGE_POP;
	if (strcmp(op, "set") == 0)
		take_row(f, res, row, 2);
	else if (strcmp(op, "delete") == 0 && pgres_i64(res, row, 2, &id) == 0 && id > 0 &&
		 id <= INT32_MAX)
		(void)table_delete(f->conf.table,
				   (uint32_t)id); /* -ERR_NOT_FOUND: it never got here */
	else
		bad_row(f, 0, "a change of a kind that is not known");
	return CHANGE_DONE;
}

static void changes_answered(void *ctx, const struct pg_answer *answer)
{
	struct pgfeed *f = ctx;

	f->busy = false;
	if (answer->err) {
		fail(f, answer, "changes");
		return;
	}
	f->failures = 0;
	size_t rows = pgres_rows(answer->res);
	for (size_t i = 0; i < rows; i++) {
		int64_t seq = 0;
		enum change what = take_change(f, answer->res, i);
		if (what == CHANGE_RELOAD) {
			log_info("feed: the database keeps no changes since number %" PRIu64
				 "; everything is loaded again",
				 f->seq);
			f->want_full = true;
			break;
		}
		f->want_pop |= what == CHANGE_POP;
		if (pgres_i64(answer->res, i, 0, &seq) == 0 && seq > 0 && (uint64_t)seq > f->seq)
			f->seq = (uint64_t)seq;
	}
	if (rows < PAGE)
		settle_aside(f);
	else
		f->want_changes = true;
	if (rows > 0)
		f->conf.table_changed(f->conf.ctx);
	next_step(f);
}

static void ask_changes(struct pgfeed *f)
{
	char after[24], limit[16];
	const char *params[] = { f->conf.pop, after, limit };

	f->want_changes = false;
	snprintf(after, sizeof(after), "%" PRIu64, f->seq);
	snprintf(limit, sizeof(limit), "%d", PAGE);
	query(f,
	      "SELECT seq, op, id, type, prefix, secret, endpoint, mtu, enabled, routes FROM api.popd_changes($1, $2::bigint, $3::int)",
	      3, params, changes_answered);
}

static void next_step(struct pgfeed *f)
{
	if (f->busy)
		return;
	ev_timer_stop(f->conf.loop, &f->retry);
	if (f->full) {
		ask_page(f);
	} else if (f->want_full) {
		drop_aside(f);
		ask_hello(f, true);
	} else if (f->want_pop) {
		ask_hello(f, false);
	} else if (f->want_changes) {
		ask_changes(f);
	}
}

/* ---- from outside ---- */

struct pgfeed *pgfeed_create(const struct pgfeed_conf *conf)
{
	struct pgfeed *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->conf = *conf;
	f->seq = conf->seq;
	f->want_full = true;
	f->seen = calloc(table_slots(conf->table), 1);
	if (!f->seen) {
		free(f);
		return NULL;
	}
	ev_timer_init(&f->retry, retry_due, 0., 0.);
	next_step(f);
	return f;
}

void pgfeed_free(struct pgfeed *f)
{
	if (!f)
		return;
	ev_timer_stop(f->conf.loop, &f->retry);
	pgpool_forget(f->conf.pool, &f->query);
	drop_aside(f);
	free(f->seen);
	free(f);
}

void pgfeed_wake(struct pgfeed *f)
{
	f->want_changes = true;
	next_step(f);
}

/* An answer may be older than the changes that came after it was made; a database that really went
 * back is found out when it is asked for changes. */
void pgfeed_heard_seq(struct pgfeed *f, uint64_t seq)
{
	if (!f->busy && f->loaded && seq != f->seq)
		pgfeed_wake(f);
}

void pgfeed_reload(struct pgfeed *f)
{
	f->want_full = true;
	next_step(f);
}

struct pgfeed_status pgfeed_status(const struct pgfeed *f)
{
	return (struct pgfeed_status){
		.seq = f->seq,
		.loaded = f->loaded,
		.busy = f->busy,
		.loaded_at = f->loaded_at,
		.load_ms = f->load_ms,
		.changes = f->changes,
		.bad_rows = f->bad_rows,
	};
}
