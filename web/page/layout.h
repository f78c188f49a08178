/* What every page has: head, header, the notice about old data, footer; and what several pages show
 * alike. Pure. */
#ifndef WEB_PAGE_LAYOUT_H
#define WEB_PAGE_LAYOUT_H

#include "lib/cc.h"
#include "web/page/view.h"

struct html;

enum { PAGE_REFRESH = 30 }; /* seconds after which a page refreshes itself */

struct layout {
	const char *title; /* of this page, before the site's; "": the site's alone */
	const char *path;  /* canonical, "/..."; NULL: the page has no address of its own */
	unsigned refresh;  /* seconds; 0: it does not refresh itself */
};

/* Everything up to and including <main>. */
void layout_open(struct html *h, const struct page_now *now, const struct layout *layout) NONNULL;
void layout_close(struct html *h) NONNULL;

/* How old the data is, when the database is away or the data stale; else nothing. */
void layout_put_age(struct html *h, const struct page_now *now) NONNULL;

/* The state with its mark: "Up"; `stale`: "Was up". */
void layout_put_state(struct html *h, enum pop_state state, bool stale) NONNULL;

/* "City, Country", or the one that is known; nothing without either. */
void layout_put_place(struct html *h, const struct pop_view *pop) NONNULL;

/* The ISP's name, a link when its web address is an http or https one; a dash for none. */
void layout_put_isp(struct html *h, const struct pop_view *pop) NONNULL;

/* A count with a comma between its thousands: "10,240". */
void layout_put_number(struct html *h, int64_t n) NONNULL;

#endif
