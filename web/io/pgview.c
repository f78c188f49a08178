/*
 * A round asks for one thing at a time: first the status of all PoPs, then the histories that are
 * missing or older than their PoP's state, one after the other; a timer starts the next round. A
 * failure ends the round: the view stays, and the next round starts from the beginning.
 *
 * The view of the status is one block, replaced whole. Histories live in slots beside it, one for
 * each PoP, and move to the new view's slots by name.
 */
#include "web/io/pgview.h"

#include <ev.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/io/pgpool.h"
#include "lib/log.h"
#include "web/io/settings.h"
#include "web/page/stamp.h"
#include "web/page/view.h"

enum {
	HISTORY_ROWS = 50,
	IDLE_AFTER_MS = 60 * 1000, /* since the last visitor */
};

static const char sql_status[] =
	"SELECT name, city, country, isp_name, isp_website, ipv4, ipv6, version, reason, state, "
	"since, last_report, configured, up, active, generated FROM api.web_pop_status()";
enum {
	COL_NAME,
	COL_CITY,
	COL_COUNTRY,
	COL_ISP_NAME,
	COL_ISP_WEBSITE,
	COL_IPV4,
	COL_IPV6,
	COL_VERSION,
	COL_REASON, /* the last of those that are text */
	COL_STATE,
	COL_SINCE,
	COL_LAST_REPORT,
	COL_CONFIGURED,
	COL_UP,
	COL_ACTIVE,
	COL_GENERATED,
	COL__COUNT
};

static const char sql_history[] =
	"SELECT state, since, until, reason FROM api.web_pop_history($1, $2)";

/* A PoP's history, and the state that the PoP had when it was read. */
struct slot {
	struct history_view *history; /* NULL: none was read */
	bool asked;
	enum pop_state state;
	char reason[HISTORY_REASON];
	wall_t since;
};

struct pgview {
	struct ev_loop *loop;
	ev_timer timer; /* until the next round; stopped during one */
	struct pgpool *pool;
	double refresh, idle_refresh;
	mono_t visited;
	bool was_visited;

	struct pgquery query;
	mono_t asked_at; /* when this round asked for the status */
	size_t asking;   /* the slot whose history is asked for */

	struct status_view *view; /* NULL: no answer yet */
	struct slot *slots;       /* view->n */
	mono_t view_at;
	bool away;
	wall_t away_since;
	struct log_limit busy;
};

static bool has_visitors(const struct pgview *v)
{
	return v->was_visited && mono_since(mono_now(), v->visited) < IDLE_AFTER_MS;
}

/* While the database is away the pool decides how often to try it. */
static void round_end(struct pgview *v)
{
	v->timer.repeat = has_visitors(v) || v->away ? v->refresh : v->idle_refresh;
	ev_timer_again(v->loop, &v->timer);
}

/* -ERR_BUSY does not say that the database is away: it comes from no memory here or a deadlock. */
static void round_fail(struct pgview *v, int err, const char *why)
{
	if (err == -ERR_BUSY) {
		log_limited(&v->busy, 5, 60, LOG_LEVEL_WARN,
			    "the PoPs were not read from the database, trying again: %s", why);
	} else if (!v->away) {
		v->away = true;
		v->away_since = wall_now();
		log_warnx("the database is away: %s", *why ? why : err_text(err));
	}
	round_end(v);
}

static wall_t stamp_of(const struct pgres *res, size_t row, size_t col)
{
	wall_t t;
	return stamp_parse(pgres_str(res, row, col), &t) == 0 ? t : (wall_t){ 0 };
}

static int64_t count_of(const struct pgres *res, size_t row, size_t col)
{
	int64_t n;
	return pgres_i64(res, row, col, &n) == 0 ? n : 0;
}

static bool pop_fill(struct status_view *view, struct pop_view *pop, const struct pgres *res,
		     size_t row)
{
	const char **const texts[] = {
		[COL_NAME] = &pop->name,
		[COL_CITY] = &pop->city,
		[COL_COUNTRY] = &pop->country,
		[COL_ISP_NAME] = &pop->isp_name,
		[COL_ISP_WEBSITE] = &pop->isp_website,
		[COL_IPV4] = &pop->ipv4,
		[COL_IPV6] = &pop->ipv6,
		[COL_VERSION] = &pop->version,
		[COL_REASON] = &pop->reason,
	};
	for (size_t col = 0; col < ARRAY_LEN(texts); col++)
		*texts[col] = status_view_text(view, pgres_text(res, row, col));
	pop->since = stamp_of(res, row, COL_SINCE);
	pop->last_report = stamp_of(res, row, COL_LAST_REPORT);
	pop->configured = count_of(res, row, COL_CONFIGURED);
	pop->up = count_of(res, row, COL_UP);
	pop->active = count_of(res, row, COL_ACTIVE);
	return *pop->name && pop_state_parse(pgres_str(res, row, COL_STATE), &pop->state) == 0;
}

/* 0, -ERR_NOMEM or -ERR_FORMAT: not the answer to sql_status. */
static int view_make(const struct pgres *res, struct status_view **out)
{
	size_t n = pgres_rows(res), text = 0;
	for (size_t row = 0; row < n; row++)
		for (size_t col = 0; col <= COL_REASON; col++)
			text += strlen(pgres_str(res, row, col)) + 1;
	struct status_view *view = status_view_create(n, text);
	if (!view)
		return -ERR_NOMEM;
	view->generated = n ? stamp_of(res, 0, COL_GENERATED) : wall_now();
	bool good = view->generated.s != 0;
	for (size_t row = 0; row < n && good; row++)
		good = pop_fill(view, &view->pops[row], res, row);
	if (!good) {
		free(view);
		return -ERR_FORMAT;
	}
	*out = view;
	return 0;
}

static void slots_free(struct slot *slots, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(slots[i].history);
	free(slots);
}

/* The index of `name` in the old view, nearly always the same as in the new one; old->n: none. */
static size_t old_index(const struct status_view *old, const char *name, size_t guess)
{
	if (guess < old->n && strcmp(old->pops[guess].name, name) == 0)
		return guess;
	const struct pop_view *pop = status_view_find(old, name);
	return pop ? (size_t)(pop - old->pops) : old->n;
}

/* False: no memory. */
static bool view_swap(struct pgview *v, struct status_view *fresh)
{
	struct slot *slots = calloc(fresh->n + 1, sizeof(*slots));
	if (!slots)
		return false;
	for (size_t i = 0; v->view && i < fresh->n; i++) {
		size_t old = old_index(v->view, fresh->pops[i].name, i);
		if (old < v->view->n) {
			slots[i] = v->slots[old];
			v->slots[old] = (struct slot){ 0 };
		}
	}
	if (v->view)
		slots_free(v->slots, v->view->n);
	free(v->view);
	v->view = fresh;
	v->slots = slots;
	return true;
}

/* NULL: no memory. */
static struct history_view *history_make(const struct pgres *res)
{
	size_t n = pgres_rows(res);
	bool cut = n > HISTORY_ROWS;
	if (cut)
		n = HISTORY_ROWS;
	struct history_view *history = calloc(1, sizeof(*history) + n * sizeof(history->rows[0]));
	if (!history)
		return NULL;
	history->cut = cut;
	for (size_t row = 0; row < n; row++) {
		struct history_row *to = &history->rows[history->n];
		*to = (struct history_row){ .since = stamp_of(res, row, 1),
					    .until = stamp_of(res, row, 2) };
		snprintf(to->reason, sizeof(to->reason), "%s", pgres_str(res, row, 3));
		if (pop_state_parse(pgres_str(res, row, 0), &to->state) == 0)
			history->n++;
	}
	return history;
}

static void history_ask(struct pgview *v);

static void history_done(void *ctx, const struct pg_answer *answer)
{
	struct pgview *v = ctx;
	if (answer->err == -ERR_AWAY || answer->err == -ERR_TIMEOUT || answer->err == -ERR_BUSY) {
		round_fail(v, answer->err, answer->message);
		return;
	}
	/* A PoP that was just deleted is refused, and the next round is without it. Any other
	 * error costs that one history. */
	if (answer->err && answer->err != -ERR_REFUSED)
		log_warnx("the history of %s was not read from the database: %s",
			  v->view->pops[v->asking].name, answer->message);
	struct history_view *history = answer->res ? history_make(answer->res) : NULL;
	if (answer->res && !history) {
		round_fail(v, -ERR_BUSY, err_text(-ERR_NOMEM));
		return;
	}
	struct slot *slot = &v->slots[v->asking];
	if (history) {
		free(slot->history);
		slot->history = history;
	}
	slot->asked = true;
	slot->state = v->view->pops[v->asking].state;
	slot->since = v->view->pops[v->asking].since;
	snprintf(slot->reason, sizeof(slot->reason), "%s", v->view->pops[v->asking].reason);
	history_ask(v);
}

static bool needs_history(const struct slot *slot, const struct pop_view *pop)
{
	return !slot->asked || slot->state != pop->state || slot->since.s != pop->since.s ||
	       strncmp(slot->reason, pop->reason, sizeof(slot->reason) - 1) != 0;
}

/* Asks for the next history that is needed, or ends the round. */
static void history_ask(struct pgview *v)
{
	char limit[12];
	for (v->asking = 0; v->asking < v->view->n; v->asking++)
		if (needs_history(&v->slots[v->asking], &v->view->pops[v->asking]))
			break;
	if (v->asking == v->view->n) {
		round_end(v);
		return;
	}
	snprintf(limit, sizeof(limit), "%d", HISTORY_ROWS + 1);
	const char *const params[] = { v->view->pops[v->asking].name, limit };
	pgpool_query(v->pool, &v->query, sql_history, ARRAY_LEN(params), params, history_done, v);
}

static void status_done(void *ctx, const struct pg_answer *answer)
{
	struct pgview *v = ctx;
	if (answer->err) {
		round_fail(v, answer->err, answer->message);
		return;
	}
	struct status_view *fresh = NULL;
	int err = view_make(answer->res, &fresh);
	if (err == -ERR_FORMAT) {
		round_fail(v, err, "api.web_pop_status gave an answer that webd cannot read");
		return;
	}
	if (err || !view_swap(v, fresh)) {
		free(fresh);
		round_fail(v, -ERR_BUSY, err_text(-ERR_NOMEM));
		return;
	}
	v->view_at = v->asked_at;
	if (v->away)
		log_info("the database is back after %" PRId64 " s",
			 wall_now().s - v->away_since.s);
	v->away = false;
	history_ask(v);
}

static void round_begin(struct pgview *v)
{
	ev_timer_stop(v->loop, &v->timer);
	v->asked_at = mono_now();
	pgpool_query(v->pool, &v->query, sql_status, 0, NULL, status_done, v);
}

static void round_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	round_begin(container_of(timer, struct pgview, timer));
}

static bool take_settings(struct pgview *v, const struct settings *s)
{
	const struct pgpool_conf conf = {
		.conninfo = s->conninfo,
		.application = "webd",
		.connections = 1,
		.queue_max = 4,
		.connect_timeout = (double)s->connect_timeout,
		.query_timeout = (double)s->query_timeout,
	};
	struct pgpool *pool = pgpool_create(v->loop, &conf);
	if (!pool)
		return false;
	pgpool_free(v->pool);
	v->pool = pool;
	v->refresh = (double)s->refresh;
	v->idle_refresh = (double)s->idle_refresh;
	round_begin(v);
	return true;
}

struct pgview *pgview_create(struct ev_loop *loop, const struct settings *settings)
{
	struct pgview *v = calloc(1, sizeof(*v));
	if (!v)
		return NULL;
	v->loop = loop;
	ev_init(&v->timer, round_due);
	if (!take_settings(v, settings)) {
		free(v);
		return NULL;
	}
	return v;
}

void pgview_free(struct pgview *v)
{
	if (!v)
		return;
	ev_timer_stop(v->loop, &v->timer);
	pgpool_free(v->pool);
	if (v->view)
		slots_free(v->slots, v->view->n);
	free(v->view);
	free(v);
}

bool pgview_reload(struct pgview *v, const struct settings *settings)
{
	return take_settings(v, settings);
}

void pgview_visit(struct pgview *v)
{
	v->visited = mono_now();
	v->was_visited = true;
	if (!pgquery_is_active(&v->query) &&
	    (double)mono_since(v->visited, v->asked_at) >= v->refresh * 1000)
		round_begin(v);
}

static const struct history_view *history_of(void *ctx, const char *pop)
{
	const struct pgview *v = ctx;
	const struct pop_view *found = v->view ? status_view_find(v->view, pop) : NULL;
	return found ? v->slots[found - v->view->pops].history : NULL;
}

void pgview_fill(struct pgview *v, struct page_now *out)
{
	out->view = v->view;
	out->age = v->view ? mono_since(mono_now(), v->view_at) / 1000 : 0;
	out->away = v->away;
	out->away_since = v->away_since;
	out->history = history_of;
	out->history_ctx = v;
}
