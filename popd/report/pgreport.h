/*
 * What popd reports of itself to the database: that it is alive, at every report interval, and its
 * tunnels' statistics, in batches that are sent again until they are acknowledged. The answer to a
 * report says whether the PoP is enabled, and the number of the feed's last change.
 */
#ifndef POPD_REPORT_PGREPORT_H
#define POPD_REPORT_PGREPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/clock.h"

struct ev_loop;
struct pgpool;
struct pgreport;
struct stats;

enum { PGREPORT_REASONS = 20 };
struct pgreport_facts {
	uint32_t configured, up, active; /* numbers of tunnels */
	uint64_t feed_seq;               /* number of the last change in the table */
	/* why this PoP cannot carry packets, a sentence each; none: it can */
	const char *reasons[PGREPORT_REASONS];
	size_t reason_count;
};

struct pgreport_conf {
	struct ev_loop *loop;
	struct pgpool *pool;
	struct stats *stats;
	char incarnation[33];                 /* 32 random hex digits, others at every start */
	uint32_t started;                     /* wall second */
	double interval, statistics_interval; /* seconds */
	/* fills `out` for a report */
	void (*facts)(void *ctx, struct pgreport_facts *out);
	/* brings `stats` up to date */
	void (*collect)(void *ctx);
	/* a report was answered; `clock`: the database's, in seconds since 1970 */
	void (*answered)(void *ctx, bool enabled, uint64_t feed_seq, int64_t clock);
	void *ctx;
};

/* Reports at once and then at every interval. NULL: no memory. */
struct pgreport *pgreport_create(const struct pgreport_conf *conf) NONNULL;
void pgreport_free(struct pgreport *r); /* NULL is fine */
void pgreport_set_intervals(struct pgreport *r, double interval, double statistics_interval)
	NONNULL;

/* Reports now; while a report is under way, when that is answered. */
void pgreport_now(struct pgreport *r) NONNULL;

/* Before popd ends: sends what waits. Always calls `done`, perhaps before it returns: when
 * everything is acknowledged, or a batch cannot be sent. */
void pgreport_finish(struct pgreport *r, void (*done)(void *ctx)) NONNULL;

/* When the last report was answered; 0: none was. */
mono_s_t pgreport_last(const struct pgreport *r) NONNULL;

#endif
