/* The pages: each writes one whole document from what is true now. Pure; web/page/site.c decides
 * which one answers a request. */
#ifndef WEB_PAGE_PAGE_H
#define WEB_PAGE_PAGE_H

#include <stddef.h>

#include "lib/cc.h"
#include "web/page/view.h"

struct html;

/* What the broker is and where to go on. Works without a view. */
void page_front(struct html *h, const struct page_now *now) NONNULL;

/* Every PoP. now->view must be there. */
void page_status(struct html *h, const struct page_now *now) NONNULL;

/* One PoP of now->view and its history. */
void page_pop(struct html *h, const struct page_now *now, const struct pop_view *pop) NONNULL;

/* A page that says why there is nothing else to show: 404, 405, 500, 503. 503 refreshes itself. */
void page_error(struct html *h, const struct page_now *now, unsigned status) NONNULL;

/* Every PoP as JSON text (no NUL), to be freed; the form is in webd(8). Without a view: the form
 * with no PoPs and an "error". NULL: no memory. */
char *page_status_json(const struct page_now *now, size_t *len) NONNULL MUSTCHECK;

/* The state of all PoPs of now->view in one sentence, in a coloured box: "All 3 PoPs are up." */
void page_put_summary(struct html *h, const struct page_now *now) NONNULL;

#endif
