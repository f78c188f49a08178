/*
 * The metrics' HTTP server: GET /metrics on the control thread's loop (libmicrohttpd, named in
 * metrics.c only). Nothing of it waits, and its limits hold for everybody: connections, header
 * bytes, a time for each request and each answer, so that no scraper delays popd. The PoP's page is
 * made at most once a second, however many ask. With ?tunnels=1 the tunnels' series follow, piece
 * by piece, to two readers at a time.
 */
#ifndef POPD_OBSERVE_METRICS_H
#define POPD_OBSERVE_METRICS_H

#include "lib/cc.h"
#include "lib/config.h"
#include "popd/observe/metrics_walk.h"

struct ev_loop;
struct metrics;
struct metrics_pop;

struct metrics_conf {
	struct ev_loop *loop;
	struct config_listen at; /* an empty host: off */
	struct metrics_tunnels tunnels;
	void (*gather)(void *ctx, struct metrics_pop *out);
	void *ctx;
};

/* Listens, if it can and is not off; if it cannot, the log has a warning. NULL: no memory. */
struct metrics *metrics_create(const struct metrics_conf *conf) NONNULL;
void metrics_free(struct metrics *m); /* NULL is fine */

/* Tries again to listen, if it should and does not. */
void metrics_listen(struct metrics *m) NONNULL;

/* Lives as long as `m`, the problem until the next metrics_listen. */
struct metrics_state {
	const char *address; /* as in the configuration; NULL: off */
	const char *problem; /* why nobody listens there, a sentence; NULL: somebody does */
};
struct metrics_state metrics_state(const struct metrics *m) NONNULL;

#endif
