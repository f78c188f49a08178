/*
 * The PoPs as the database last described them, read again in the background, so that every page is
 * made at once from memory, whether the database is there or not. Reads the status every few
 * seconds, more often while visitors come; a PoP's history once, and again when its state changes.
 */
#ifndef WEB_IO_PGVIEW_H
#define WEB_IO_PGVIEW_H

#include <stdbool.h>

#include "lib/cc.h"

struct ev_loop;
struct page_now;
struct pgview;
struct settings;

/* Takes the [database] settings, which need not outlive the call, and begins to read. NULL: no
 * memory or a conninfo that does not parse (both logged). */
struct pgview *pgview_create(struct ev_loop *loop, const struct settings *settings)
	NONNULL MUSTCHECK;
void pgview_free(struct pgview *v); /* NULL is fine */

/* New settings: a new connection, the same view. False, and nothing changes: no memory, or the new
 * conninfo does not parse (both logged). */
bool pgview_reload(struct pgview *v, const struct settings *settings) NONNULL MUSTCHECK;

/* A visitor came: reads at once when the view is older than the setting `refresh`. */
void pgview_visit(struct pgview *v) NONNULL;

/* Sets the members of `out` that describe the data (all but site and now). Valid until the loop
 * goes on. */
void pgview_fill(struct pgview *v, struct page_now *out) NONNULL;

#endif
