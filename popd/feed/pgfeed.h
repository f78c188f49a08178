/*
 * The tunnel table follows the database: first a full load (hello, then pages of tunnels), then
 * every change as it is committed. A change holds the present state of its tunnel, so a change that
 * arrives twice does no harm. After any failure the feed tries again, and where changes are missing
 * it loads everything again. A row that breaks the contract is logged and skipped: its tunnel stays
 * as it was.
 *
 * Rows hold the tunnels' secrets. libpq keeps what it has read in the connection's buffer until
 * other answers happen to overwrite it, so some seconds after such rows the feed has the pool's
 * connections closed and opened again (pgpool_renew).
 */
#ifndef POPD_FEED_PGFEED_H
#define POPD_FEED_PGFEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/clock.h"
#include "lib/digest.h"
#include "popd/core/table.h"

struct ev_loop;
struct pgpool;
struct pgfeed;

struct pgfeed_conf {
	struct ev_loop *loop;
	struct pgpool *pool;
	struct table *table;
	struct digest_ctx *digest; /* the control thread's */
	const char *pop;           /* name; the log-in must be its own; outlives the feed */
	struct ip4 ipv4;           /* where this popd listens */
	uint64_t seq;              /* of the snapshot; 0: there was none */
	/* the PoP's row was read; it may be as before */
	void (*pop_changed)(void *ctx, const struct pop_conf *pop, bool enabled);
	/* tunnels were set or deleted; called once for those that arrived together */
	void (*table_changed)(void *ctx);
	/* a full load has ended; `outcome` is a sentence for the operator */
	void (*reloaded)(void *ctx, bool good, const char *outcome);
	void *ctx;
};

/* Begins a full load at once. NULL: no memory. */
struct pgfeed *pgfeed_create(const struct pgfeed_conf *conf) NONNULL;
void pgfeed_free(struct pgfeed *f); /* NULL is fine */

/* After a notification: asks for changes. */
void pgfeed_wake(struct pgfeed *f) NONNULL;
/* Asks for changes if `seq`, which the answer to a report gave, is not the table's. */
void pgfeed_heard_seq(struct pgfeed *f, uint64_t seq) NONNULL;
/* Begins a full load, after the one under way if there is one; `reloaded` is called at its end. */
void pgfeed_reload(struct pgfeed *f) NONNULL;

struct pgfeed_status {
	uint64_t seq;       /* number of the last change in the table */
	bool loaded;        /* a full load has succeeded since popd started */
	bool busy;          /* a statement is under way */
	mono_s_t loaded_at; /* the last full load; 0: none */
	uint32_t load_ms;   /* how long it took */
	uint64_t changes;   /* number of changes applied */
	uint64_t bad_rows;  /* number of rows refused */
};
struct pgfeed_status pgfeed_status(const struct pgfeed *f) NONNULL;

#endif
