/*
 * One statement is under way at a time. The `want_` flags say what remains to be done, and
 * `next_step` chooses: hello, then pages of tunnels until a short one, then changes until a short
 * answer, then nothing until pgfeed_wake. Changes go on from the sequence number in the answer to
 * hello, which is older than the pages, so no commit in between is missed.
 */
#include "popd/feed/pgfeed.h"

#include <ev.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/io/pgpool.h"
#include "lib/log.h"
#include "popd/feed/apply.h"
#include "popd/feed/feedrow.h"

enum { PAGE = 2000, OUTCOME = 240 };
static const double retry_delays[] = { 0.2, 1, 2, 5, 10 };
static const double secrets_delay = 5.; /* how long rows may stay in libpq's buffers */

struct pgfeed {
	struct pgfeed_conf conf;
	struct apply *apply;
	struct pgquery query; /* one at a time */
	struct ev_timer retry, renew;
	unsigned failures; /* in a row */
	bool want_full, want_pop, want_changes, loaded;
	bool full; /* the hello or page under way is part of a full load */
	bool ipv4_differs;
	uint64_t seq, hello_seq;
	uint32_t last_id; /* of the pages so far */
	mono_t load_began;
	mono_s_t loaded_at;
	uint32_t load_ms;
	size_t load_rows;
	uint64_t load_refused_before; /* apply_refused when the load began */
	uint64_t changes;
	struct log_limit fail_limit;
};

static void next_step(struct pgfeed *f);

static void retry_due(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	next_step(container_of(timer, struct pgfeed, retry));
}

static void renew_due(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	const struct pgfeed *f = container_of(timer, struct pgfeed, renew);

	(void)loop;
	(void)revents;
	pgpool_renew(f->conf.pool);
}

/* Rows with secrets were read. The timer is not put off by later ones. */
static void note_secrets(struct pgfeed *f)
{
	if (ev_is_active(&f->renew))
		return;
	ev_now_update(f->conf.loop);
	ev_timer_set(&f->renew, secrets_delay, 0.);
	ev_timer_start(f->conf.loop, &f->renew);
}

static void retry_later(struct pgfeed *f)
{
	size_t step = f->failures < ARRAY_LEN(retry_delays) ? f->failures
							    : ARRAY_LEN(retry_delays) - 1;

	f->failures++;
	ev_timer_stop(f->conf.loop, &f->retry);
	ev_timer_set(&f->retry, retry_delays[step], 0.);
	ev_timer_start(f->conf.loop, &f->retry);
}

/* `from`: the function of the database that was asked. */
static void fail(struct pgfeed *f, int err, const char *from, const char *why)
{
	bool away = err == -ERR_AWAY || err == -ERR_TIMEOUT;
	char outcome[OUTCOME];

	log_limited(&f->fail_limit, 1, 60, away ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
		    "tunnels stay as they are, since %s gives no answer that popd can use: %s",
		    from, why);
	apply_drop_waiting(f->apply);
	retry_later(f);
	if (!f->full) {
		f->want_changes = true;
		return;
	}
	f->full = false;
	f->want_full = true;
	snprintf(outcome, sizeof(outcome),
		 "not reloaded, tunnels stay as they are and the load is tried again: %s", why);
	f->conf.reloaded(f->conf.ctx, false, outcome);
}

/* True when the statement failed, which is dealt with. */
static bool has_failed(struct pgfeed *f, const struct pg_answer *answer, const char *from)
{
	if (answer->err)
		fail(f, answer->err, from,
		     answer->message[0] ? answer->message : err_text(answer->err));
	return answer->err != 0;
}

/* ---- tunnels ---- */

/* Applies a row whose tunnel columns begin at `col`. */
static void set_tunnel(struct pgfeed *f, const struct pgres *res, size_t row, size_t col)
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

	apply_set(f->apply, &text);
	note_secrets(f);
}

static void full_load_done(struct pgfeed *f)
{
	char outcome[OUTCOME];
	size_t deleted = apply_end_load(f->apply);
	size_t refused = (size_t)(apply_refused(f->apply) - f->load_refused_before);

	f->full = false;
	f->loaded = true;
	f->seq = f->hello_seq;
	f->loaded_at = mono_seconds();
	f->load_ms = (uint32_t)mono_since(mono_now(), f->load_began);
	int used = snprintf(outcome, sizeof(outcome),
			    "%zu tunnels loaded in %" PRIu32 " ms, %zu deleted",
			    f->load_rows - refused, f->load_ms, deleted);
	if (refused > 0)
		snprintf(outcome + used, sizeof(outcome) - (size_t)used,
			 ", %zu rows refused (see the log)", refused);
	log_info("feed: %s", outcome);
	f->want_changes = true; /* committed during the load */
	f->conf.table_changed(f->conf.ctx);
	if (!f->want_full) /* else the end of the next load answers the request */
		f->conf.reloaded(f->conf.ctx, true, outcome);
}

/* The id of the page's last row, or of the page before. False: the ids do not ascend. */
static bool last_id(const struct pgfeed *f, const struct pgres *res, uint32_t *out)
{
	size_t rows = pgres_rows(res);
	int64_t id = 0;

	if (rows > 0 &&
	    (pgres_i64(res, rows - 1, 0, &id) != 0 || id <= (int64_t)f->last_id || id > INT32_MAX))
		return false;
	*out = rows > 0 ? (uint32_t)id : f->last_id;
	return true;
}

static void page_answered(void *ctx, const struct pg_answer *answer)
{
	static const char from[] = "api.popd_tunnels";
	struct pgfeed *f = ctx;

	if (has_failed(f, answer, from))
		return;
	size_t rows = pgres_rows(answer->res);
	for (size_t i = 0; i < rows; i++)
		set_tunnel(f, answer->res, i, 0);
	f->load_rows += rows;
	if (!last_id(f, answer->res, &f->last_id)) {
		fail(f, -ERR_FORMAT, from, "the ids of its rows do not ascend");
		return;
	}
	if (rows < PAGE)
		full_load_done(f);
	next_step(f);
}

static void ask_page(struct pgfeed *f)
{
	char after[16], limit[16];
	const char *params[] = { after, limit };

	snprintf(after, sizeof(after), "%" PRIu32, f->last_id);
	snprintf(limit, sizeof(limit), "%d", PAGE);
	pgpool_query(
		f->conf.pool, &f->query,
		"SELECT id, type, prefix, secret, endpoint, mtu, enabled, routes FROM api.popd_tunnels($1::int, $2::int)",
		ARRAY_LEN(params), params, page_answered, f);
}

/* ---- hello: the PoP itself ---- */

static void warn_of_other_ipv4(struct pgfeed *f, struct ip4 listed)
{
	char a[IP4_TEXT], b[IP4_TEXT];
	bool differs = listed.v != f->conf.ipv4.v;

	if (differs && !f->ipv4_differs)
		log_warnx(
			"clients are told to use %s as this PoP's address, but popd listens at %s; correct `ipv4` in popd.conf or the PoP in the database",
			ip4_text(listed, a), ip4_text(f->conf.ipv4, b));
	f->ipv4_differs = differs;
}

/* False, with the reason: the database knows this log-in as that of another PoP, whose tunnels are
 * none of this one's business. */
static bool is_own_login(const struct pgfeed *f, const char *name, char why[static FEEDROW_WHY])
{
	bool is_own = strcmp(name, f->conf.pop) == 0;

	if (!is_own)
		snprintf(why, FEEDROW_WHY,
			 "the log-in is that of %.32s, but popd.conf names this PoP %s", name,
			 f->conf.pop);
	return is_own;
}

/* False, with the reason: the row is not valid. */
static bool take_pop(struct pgfeed *f, const struct pgres *res, char why[static FEEDROW_WHY])
{
	const struct feedrow_pop text = { pgres_text(res, 0, 0), pgres_text(res, 0, 1),
					  pgres_text(res, 0, 2), pgres_text(res, 0, 6) };
	struct pop_conf pop;

	if (feedrow_parse_pop(&text, &pop, why) != 0)
		return false;
	warn_of_other_ipv4(f, pop.ipv4);
	pop.ipv4 = f->conf.ipv4;
	if (table_set_pop(f->conf.table, &pop) != 0) {
		snprintf(why, FEEDROW_WHY, "no memory for the PoP");
		return false;
	}
	f->conf.pop_changed(f->conf.ctx, &pop, pgres_bool(res, 0, 3));
	return true;
}

static void begin_load(struct pgfeed *f, uint64_t seq)
{
	f->hello_seq = seq;
	f->last_id = 0;
	f->load_rows = 0;
	f->load_refused_before = apply_refused(f->apply);
	apply_begin_load(f->apply);
	ask_page(f);
}

static void hello_answered(void *ctx, const struct pg_answer *answer)
{
	static const char from[] = "api.popd_hello";
	char why[FEEDROW_WHY] = "it has not one row with a sequence number";
	struct pgfeed *f = ctx;
	int64_t seq;

	if (has_failed(f, answer, from))
		return;
	if (pgres_rows(answer->res) != 1 || pgres_i64(answer->res, 0, 4, &seq) != 0 || seq < 0 ||
	    !is_own_login(f, pgres_str(answer->res, 0, 5), why) || !take_pop(f, answer->res, why)) {
		fail(f, -ERR_FORMAT, from, why);
		return;
	}
	f->failures = 0;
	f->want_pop = false;
	if (f->full)
		begin_load(f, (uint64_t)seq);
	else
		next_step(f);
}

static void ask_hello(struct pgfeed *f, bool full)
{
	f->full = full;
	if (full) {
		f->want_full = false;
		f->load_began = mono_now();
	}
	pgpool_query(
		f->conf.pool, &f->query,
		"SELECT ipv4, tunnel_prefixes, subnet_prefixes, enabled, feed_seq, name, pop_addresses FROM api.popd_hello()",
		0, NULL, hello_answered, f);
}

/* ---- changes ---- */

enum change { CHANGE_TUNNEL, CHANGE_POP, CHANGE_RELOAD };

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
		set_tunnel(f, res, row, 2);
	else if (strcmp(op, "delete") == 0 && pgres_i64(res, row, 2, &id) == 0 && id > 0 &&
		 id <= INT32_MAX)
		apply_delete(f->apply, (uint32_t)id);
	else
		apply_refuse(f->apply, "a change is neither set, delete, pop nor reload");
	return CHANGE_TUNNEL;
}

/* False: the database does not have all changes since f->seq any more. */
static bool take_changes(struct pgfeed *f, const struct pgres *res)
{
	size_t rows = pgres_rows(res);

	for (size_t i = 0; i < rows; i++) {
		int64_t seq = 0;
		enum change what = take_change(f, res, i);
		if (what == CHANGE_RELOAD)
			return false;
		f->want_pop |= what == CHANGE_POP;
		if (pgres_i64(res, i, 0, &seq) == 0 && seq > 0 && (uint64_t)seq > f->seq)
			f->seq = (uint64_t)seq;
	}
	return true;
}

static void changes_answered(void *ctx, const struct pg_answer *answer)
{
	struct pgfeed *f = ctx;

	if (has_failed(f, answer, "api.popd_changes"))
		return;
	f->failures = 0;
	size_t rows = pgres_rows(answer->res);
	if (!take_changes(f, answer->res)) {
		log_info("feed: the database no longer has every change since number %" PRIu64
			 "; all tunnels are loaded again",
			 f->seq);
		f->want_full = true;
	}
	if (rows < PAGE)
		apply_settle(f->apply);
	else
		f->want_changes = true;
	if (rows > 0)
		f->conf.table_changed(f->conf.ctx);
	next_step(f);
}

static void ask_changes(struct pgfeed *f)
{
	char after[24], limit[16];
	const char *params[] = { after, limit };

	f->want_changes = false;
	snprintf(after, sizeof(after), "%" PRIu64, f->seq);
	snprintf(limit, sizeof(limit), "%d", PAGE);
	pgpool_query(
		f->conf.pool, &f->query,
		"SELECT seq, op, id, type, prefix, secret, endpoint, mtu, enabled, routes FROM api.popd_changes($1::bigint, $2::int)",
		ARRAY_LEN(params), params, changes_answered, f);
}

static void next_step(struct pgfeed *f)
{
	if (pgquery_is_active(&f->query))
		return;
	ev_timer_stop(f->conf.loop, &f->retry);
	if (f->full) {
		ask_page(f);
	} else if (f->want_full) {
		apply_drop_waiting(f->apply);
		ask_hello(f, true);
	} else if (f->want_pop) {
		ask_hello(f, false);
	} else if (f->want_changes) {
		ask_changes(f);
	}
}

/* ---- from outside ---- */

/*
 * Has glibc overwrite memory when it is freed, in the whole process. libpq and OpenSSL free rows and
 * buffers with secrets as they are; wiping them here would need an allocator of our own, and a later
 * answer overwrites a freed block only by chance. glibc leaves the blocks in its threads' caches (up
 * to 1032 bytes) as they were, but those with rows are larger, and popd wipes its own
 * (tunnel_conf_free). Workers do not allocate while they forward, so it costs them nothing.
 */
static void wipe_freed_memory(void)
{
	enum { ANY_BYTE = 0x5a };

	(void)mallopt(M_PERTURB, ANY_BYTE);
}

struct pgfeed *pgfeed_create(const struct pgfeed_conf *conf)
{
	struct pgfeed *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->conf = *conf;
	f->seq = conf->seq;
	f->want_full = true;
	f->apply = apply_create(conf->table, conf->digest);
	if (!f->apply) {
		free(f);
		return NULL;
	}
	wipe_freed_memory();
	ev_timer_init(&f->retry, retry_due, 0., 0.);
	ev_timer_init(&f->renew, renew_due, 0., 0.);
	next_step(f);
	return f;
}

void pgfeed_free(struct pgfeed *f)
{
	if (!f)
		return;
	ev_timer_stop(f->conf.loop, &f->retry);
	ev_timer_stop(f->conf.loop, &f->renew);
	pgpool_forget(f->conf.pool, &f->query);
	apply_free(f->apply);
	free(f);
}

void pgfeed_wake(struct pgfeed *f)
{
	f->want_changes = true;
	next_step(f);
}

/* An answer may be older than changes that are applied already. A database that was set back shows
 * when it is asked for changes. */
void pgfeed_heard_seq(struct pgfeed *f, uint64_t seq)
{
	if (!pgquery_is_active(&f->query) && f->loaded && seq != f->seq)
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
		.busy = pgquery_is_active(&f->query),
		.loaded_at = f->loaded_at,
		.load_ms = f->load_ms,
		.changes = f->changes,
		.bad_rows = apply_refused(f->apply),
	};
}
