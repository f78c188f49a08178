/*
 * What popd tells the database of itself: that it lives (every report_interval), and what its
 * tunnels did (in batches, each sent until acknowledged). The answer to a report tells whether the
 * PoP is enabled and how far the feed has got.
 */
#ifndef POPD_REPORT_PGREPORT_H
#define POPD_REPORT_PGREPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"

struct ev_loop;
struct pgpool;
struct pgreport;
struct stats;

struct pgreport_facts {
	uint32_t configured, up, active;
	uint64_t feed_seq;
};

struct pgreport_conf {
	struct ev_loop *loop;
	struct pgpool *pool;
	struct stats *stats;
	const char *pop;      /* outlives it */
	char incarnation[33]; /* 32 hex digits, one value per start */
	uint32_t started;     /* wall second */
	double interval, statistics_interval;
	void (*facts)(void *ctx, struct pgreport_facts *out);
	void (*collect)(void *ctx); /* brings `stats` up to date */
	void (*answered)(void *ctx, bool enabled, uint64_t feed_seq);
	void *ctx;
};

/* Reports at once and then at each interval. NULL: no memory. */
struct pgreport *pgreport_create(const struct pgreport_conf *conf) NONNULL;
void pgreport_free(struct pgreport *r); /* NULL is fine */
void pgreport_set_intervals(struct pgreport *r, double interval, double statistics_interval)
	NONNULL;

/* Sends what is waiting, for the last time: calls `done` when all is acknowledged or the database
 * gives no answer. */
void pgreport_finish(struct pgreport *r, void (*done)(void *ctx)) NONNULL;

/* Wall second of the last report that was answered; 0: none yet. */
uint32_t pgreport_last(const struct pgreport *r) NONNULL;

#endif
