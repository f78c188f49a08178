/* The pages: each writes one whole document from struct page_now. web/page/site.c decides which one
 * answers a request. Pure. */
#ifndef WEB_PAGE_PAGE_H
#define WEB_PAGE_PAGE_H

#include <stddef.h>

#include "lib/cc.h"
#include "web/page/view.h"

struct html;

/* What the broker is, with links to the rest. Works without a view. */
void page_front(struct html *h, const struct page_now *now) NONNULL;

/* Every PoP of now->view, which is not NULL. */
void page_status(struct html *h, const struct page_now *now) NONNULL;

/* One PoP of now->view and its history. */
void page_pop(struct html *h, const struct page_now *now, const struct pop_view *pop) NONNULL;

/* Why there is nothing to show: 404, 405, 500 or 503, which refreshes itself. */
void page_error(struct html *h, const struct page_now *now, unsigned status) NONNULL;

/* Every PoP as JSON text (no NUL), to be freed; webd(8) describes it. Without a view: no PoPs and
 * an "error". NULL: no memory. */
char *page_status_json(const struct page_now *now, size_t *len) NONNULL MUSTCHECK;

/* The state of all PoPs of now->view in one sentence, in a coloured box: "All 3 PoPs are up." */
void page_put_summary(struct html *h, const struct page_now *now) NONNULL;

#endif
