/*
 * Accepts connections and counts them in total and per address (IPv6 by /64, /56 and /48). Those
 * beyond the limits of their address are refused with a sentence; for one beyond the limit of all, the
 * oldest that has not logged in has to go. A front's connections are counted with the addresses of its
 * clients. When the process is out of file descriptors it refuses one client at a time,
 * with a descriptor kept for that.
 */
#ifndef TICD_IO_LISTEN_H
#define TICD_IO_LISTEN_H

#include <stddef.h>

#include "lib/cc.h"
#include "lib/config.h"
#include "lib/fronts.h"
#include "lib/peers.h"
#include "ticd/io/conn.h"

struct listener;

/* Fronts' connections at a time that have not yet said for whom they are. */
enum { LISTEN_HEADERS_MAX = 256 };

struct listen_limits {
	unsigned connections;
	struct peers_max per_address;
	const struct fronts *fronts; /* copied */
};

/* Binds and listens; NULL, with the reason in the log, when that fails. `env` stays the caller's,
 * but its `closed`, `admit` and `owner` are set here. */
struct listener *listener_create(struct conn_env *env, const struct config_listen *at,
				 const struct listen_limits *limits) NONNULL;
void listener_free(struct listener *listener); /* NULL is fine; the connections must be gone */

/* New limits apply to new connections. */
void listener_set_limits(struct listener *listener, const struct listen_limits *limits) NONNULL;

/* Accepts no more. `empty` is called from the loop when the last connection is over, at once when
 * there is none. */
void listener_stop(struct listener *listener, void (*empty)(void *ctx), void *ctx)
	NONNULL_ARGS(1, 2);

size_t listener_connections(const struct listener *listener) NONNULL;

#endif
