/* What every page has: head, header, the notice about old data, footer; and the small pieces
 * several pages share. Pure.
 * */
#ifndef WEB_PAGE_LAYOUT_H
#define WEB_PAGE_LAYOUT_H

#include "lib/cc.h"
#include "web/page/view.h"

struct html;

enum { PAGE_REFRESH = 30 }; /* seconds between a live page's self-refreshes */

struct layout {
	const char *title; /* of this page, the site's follows; "": the site's alone */
	const char *path;  /* canonical, "/..."; NULL: the page has no address of its own */
	unsigned refresh;  /* seconds; 0: it does not refresh itself */
};

/* Everything up to and including <main>. */
void layout_open(struct html *h, const struct page_now *now, const struct layout *layout) NONNULL;
void layout_close(struct html *h) NONNULL;

/* Says that and how old the data is, when that matters: nothing while the database answers. */
void layout_put_age(struct html *h, const struct page_now *now) NONNULL;

/* The state in words with its mark, "Up"; `stale` makes it "Was up". */
void layout_put_state(struct html *h, enum pop_state state, bool stale) NONNULL;

/* "City, Country" or what there is of it; nothing for neither. */
void layout_put_place(struct html *h, const struct pop_view *pop) NONNULL;

/* The ISP's name, a link when its web address is a plain http or https one; "-" for none. */
void layout_put_isp(struct html *h, const struct pop_view *pop) NONNULL;

/* A count with its thousands apart: "10,240". */
void layout_put_number(struct html *h, int64_t n) NONNULL;

#endif
