/*
 * The metrics' HTTP server: GET /metrics on the control thread's loop (libmicrohttpd, named in
 * metrics.c only). It never blocks, and its limits hold for everybody: connections, header bytes, a
 * time for each request and each answer, so that no scraper delays popd. The PoP's page is made at
 * most once a second, however many ask. With ?tunnels=1 the tunnels' series follow, piece by piece,
 * for two scrapers at a time.
 */
#ifndef POPD_OBSERVE_METRICS_H
#define POPD_OBSERVE_METRICS_H

#include "lib/cc.h"
#include "lib/config.h"
#include "popd/observe/facts.h"
#include "popd/observe/metrics_text.h"

struct ev_loop;
struct metrics;

struct metrics_conf {
	struct ev_loop *loop;
	struct config_listen at; /* an empty host: off */
	struct metrics_tunnels tunnels;
	unsigned workers;
	void (*facts)(void *ctx, struct facts *out);
	void *ctx;
};

/* Listens, unless it is off; when it cannot, the log has a warning. NULL: no memory. */
struct metrics *metrics_create(const struct metrics_conf *conf) NONNULL;
void metrics_free(struct metrics *m); /* NULL is fine */

/* Tries to listen again, unless it is off or listens already. */
void metrics_listen(struct metrics *m) NONNULL;

/* Lives as long as `m`, the problem until the next metrics_listen. */
struct metrics_state metrics_state(const struct metrics *m) NONNULL;

#endif
