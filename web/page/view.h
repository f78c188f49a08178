/*
 * What the pages show, as plain values: a view of the PoPs from one answer of the database, each
 * PoP's history, and what holds while one request is answered. web/io/pgview fills them in and owns
 * them; pages only read.
 */
#ifndef WEB_PAGE_VIEW_H
#define WEB_PAGE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/clock.h"

enum pop_state { POP_UP, POP_DOWN, POP_DISABLED, POP__COUNT };

/* Texts are never NULL; "" means there is none. A time with s == 0 is not known (or never was). */
struct pop_view {
	const char *name, *city, *country, *isp_name, *isp_website, *ipv4, *ipv6, *version;
	enum pop_state state;
	const char *reason;             /* why it is down */
	wall_t since;                   /* of the state */
	int64_t configured, up, active; /* tunnels */
	wall_t last_report;
};

struct status_view {
	wall_t generated; /* by the database's clock */
	size_t n;
	struct pop_view *pops;
	char *text, *text_end; /* the free part of the memory for texts */
};

enum { HISTORY_REASON = 240 * 4 + 1 };
struct history_row {
	enum pop_state state;
	wall_t since, until; /* until.s == 0: it is the present one */
	char reason[HISTORY_REASON];
};

/* Newest first. */
struct history_view {
	size_t n;
	bool cut; /* older rows were left out */
	struct history_row rows[];
};

/* A PoP is up while its last report is younger than these seconds (the database's rule), so an
 * older view does not say what is up now. */
enum { STATUS_TRUE_FOR = 45 };

/* The site as its configuration describes it. */
struct site {
	const char *title;
	const char *url;       /* base address without a final slash */
	const char *style_url; /* of the style sheet, with its version */
};

/* What holds while one request is answered. */
struct page_now {
	const struct site *site;
	const struct status_view *view; /* NULL: the database has not answered yet */
	int64_t age;                    /* of the view, in seconds; 0 without one */
	bool away;                      /* the database did not answer when last asked */
	wall_t away_since;              /* when `away` */
	wall_t now;
	const struct history_view *(*history)(void *ctx, const char *pop); /* NULL: not known */
	void *history_ctx;
};

static inline bool page_is_stale(const struct page_now *now)
{
	return now->view && now->age > STATUS_TRUE_FOR;
}

/* "Now" by the database's clock, for "4 s ago". While the database answers it is the time of the
 * view, so that a page stays the same, byte for byte, until there is a new view. */
static inline wall_t page_time(const struct page_now *now)
{
	return (wall_t){ now->view->generated.s +
			 (now->away || page_is_stale(now) ? now->age : 0) };
}

/* One block for `n` PoPs and `text` bytes of texts (each with its NUL), zeroed, to be freed. NULL:
 * no memory. */
struct status_view *status_view_create(size_t n, size_t text) MUSTCHECK;

/* Copies a text into the view; "" when it is NULL or does not fit. */
const char *status_view_text(struct status_view *view, const char *text) NONNULL_ARGS(1);

/* NULL: no such PoP. */
const struct pop_view *status_view_find(const struct status_view *view, const char *name) NONNULL;

/* "up", "down", "disabled" <-> state; -ERR_UNKNOWN for another name. */
const char *pop_state_name(enum pop_state state);
int pop_state_parse(const char *name, enum pop_state *out) NONNULL MUSTCHECK;

#endif
