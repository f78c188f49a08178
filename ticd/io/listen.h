/*
 * Accepts connections, counts them in total and per address, and refuses those beyond the limits
 * with a sentence. When the process is out of file descriptors it refuses one client at a time,
 * with a descriptor kept for that.
 */
#ifndef TICD_IO_LISTEN_H
#define TICD_IO_LISTEN_H

#include <stddef.h>

#include "lib/cc.h"
#include "lib/config.h"
#include "ticd/io/conn.h"

struct listener;

struct listen_conf {
	struct config_listen listen;
	unsigned connections, connections_per_address;
};

/* Binds and listens; NULL, with the reason in the log, when that fails. `env` stays the caller's,
 * but its `closed` and `owner` are set here. */
struct listener *listener_create(struct conn_env *env, const struct listen_conf *conf) NONNULL;
void listener_free(struct listener *listener); /* NULL is fine; the connections must be gone */

/* New limits apply to new connections. */
void listener_set_limits(struct listener *listener, unsigned connections,
			 unsigned connections_per_address) NONNULL;

/* Accepts no more. `empty` is called from the loop when the last connection is over, at once when
 * there is none. */
void listener_stop(struct listener *listener, void (*empty)(void *ctx), void *ctx)
	NONNULL_ARGS(1, 2);

size_t listener_connections(const struct listener *listener) NONNULL;

#endif
