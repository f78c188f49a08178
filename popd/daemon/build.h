/*
 * Makes the parts of a running popd, one after another, and frees them together. Control thread.
 */
#ifndef POPD_DAEMON_BUILD_H
#define POPD_DAEMON_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/daemon/parts.h"

/* In this order; each returns false after a line in the log. */

/* Checks what must be right before anything is touched, and makes the control socket: it keeps two
 * popds of one configuration apart. */
bool build_control(struct parts *p) NONNULL MUSTCHECK;
/* The table and what is kept beside it, filled from the snapshot; `seq`: the change of the feed
 * that the snapshot knew, 0 without one. */
bool build_table(struct parts *p, uint64_t *seq) NONNULL MUSTCHECK;
/* The workers, started. They call `wake` in their own threads. */
bool build_workers(struct parts *p, void (*wake)(void *ctx), void *ctx) NONNULL_ARGS(1, 2)
	MUSTCHECK;
/* The interface and its routes, and the fast path in the kernel. */
bool build_link(struct parts *p) NONNULL MUSTCHECK;
/* What watches the host; the interface must be there. */
bool build_host(struct parts *p) NONNULL MUSTCHECK;
/* The database, the feed going on after `seq`, and what keeps watch over the tunnels. */
bool build_database(struct parts *p, uint64_t seq) NONNULL MUSTCHECK;
/* What operators look at: commands, which call `reload` with `p`, and metrics. A metrics server
 * that cannot listen does not keep popd from starting. */
bool build_views(struct parts *p, void (*reload)(void *parts)) NONNULL MUSTCHECK;

/* Frees whatever has been built. */
void build_free(struct parts *p) NONNULL;

#endif
