/*
 * The tunnel table follows the database: everything once (hello, then pages of tunnels), afterwards
 * each change as it is committed. Changes tell the present state, so hearing one twice does no
 * harm; whatever goes wrong ends in trying again, and in the worst case in loading everything
 * again. A row that cannot be is logged and passed over: the tunnel stays as it was.
 */
#ifndef POPD_FEED_PGFEED_H
#define POPD_FEED_PGFEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
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
	const char *pop;           /* name; outlives the feed */
	struct ip4 ipv4;           /* where this popd listens */
	uint64_t seq;              /* what a snapshot knew, 0: nothing */
	void (*pop_changed)(void *ctx, const struct pop_conf *pop,
			    bool enabled); /* the PoP or its prefixes (may be the same as before) */
	void (*table_changed)(void *ctx);  /* tunnels were set or deleted */
	void (*reloaded)(void *ctx, bool good,
			 const char *outcome); /* a full load has ended, with a sentence */
	void *ctx;
};

/* Begins a full load at once. NULL: no memory. */
struct pgfeed *pgfeed_create(const struct pgfeed_conf *conf) NONNULL;
void pgfeed_free(struct pgfeed *f); /* NULL is fine */

/* Notified: something may have changed. */
void pgfeed_wake(struct pgfeed *f) NONNULL;
/* The database has reached `seq`, says the answer to a report. */
void pgfeed_heard_seq(struct pgfeed *f, uint64_t seq) NONNULL;
/* Loads everything (again). */
void pgfeed_reload(struct pgfeed *f) NONNULL;

struct pgfeed_status {
	uint64_t seq;       /* what the table reflects */
	bool loaded;        /* completely, since this start */
	bool busy;          /* a load or changes are under way */
	uint32_t loaded_at; /* wall second of the last full load, 0: none */
	uint32_t load_ms;   /* how long it took */
	uint64_t changes;   /* rows applied after it */
	uint64_t bad_rows;
};
struct pgfeed_status pgfeed_status(const struct pgfeed *f) NONNULL;

#endif
