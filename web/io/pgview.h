/*
 * The PoPs as the database last described them, kept fresh in the background, so that every page is
 * made at once from memory, the database being there or not. Asks every few seconds, more often
 * while visitors come; a PoP's history is asked for once and again when its state has changed
 * since.
 */
#ifndef WEB_IO_PGVIEW_H
#define WEB_IO_PGVIEW_H

#include <stdbool.h>

#include "lib/cc.h"

struct ev_loop;
struct page_now;
struct pgview;
struct settings;

/* Reads the [database] settings, which need not outlive the call, and begins to ask. NULL: no
 * memory or a conninfo that does not parse. */
struct pgview *pgview_create(struct ev_loop *loop, const struct settings *settings)
	NONNULL MUSTCHECK;
void pgview_free(struct pgview *v); /* NULL is fine */

/* New settings: a new connection, the same view. false: the new conninfo does not parse, and all
 * stays as it was. */
bool pgview_reload(struct pgview *v, const struct settings *settings) NONNULL MUSTCHECK;

/* A visitor came for what the view says: asks at once when the last answer is not fresh. */
void pgview_visit(struct pgview *v) NONNULL;

/* Fills in all of `out` that is about the data (not site and now). Valid until the loop goes on. */
void pgview_fill(struct pgview *v, struct page_now *out) NONNULL;

#endif
