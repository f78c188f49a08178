/*
 * Accepts connections on a listening socket, a few at a wake-up. While the process has no descriptor or
 * the kernel no memory for another one, the socket stays readable, and a loop that only tried again
 * would take all of a core: so it pauses, and says so once until a connection is accepted again.
 */
#ifndef LIB_IO_ACCEPTOR_H
#define LIB_IO_ACCEPTOR_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "lib/cc.h"

/* Zeroed at first; its owner's memory. */
struct acceptor {
	struct ev_loop *loop;
	struct ev_io io;
	struct ev_timer pause;
	const char *what;
	bool lacks; /* the last attempt failed, which was said */
	bool held;
	void (*accepted)(void *ctx, int fd, const struct sockaddr_storage *from, socklen_t len);
	void *ctx;
};

/* Calls `accepted` for each connection, whose descriptor (non-blocking, closed on exec) is then the
 * callee's. `fd` listens, is non-blocking and stays the caller's; `what`, for the log, outlives it. */
void acceptor_start(struct acceptor *a, struct ev_loop *loop, int fd, const char *what,
		    void (*accepted)(void *ctx, int fd, const struct sockaddr_storage *from,
				     socklen_t len),
		    void *ctx) NONNULL_ARGS(1, 2, 4, 5);
/* Accepts nothing while held: further clients wait in the socket's backlog. */
void acceptor_hold(struct acceptor *a, bool held) NONNULL;
/* One that was never started is fine. */
void acceptor_stop(struct acceptor *a) NONNULL;

#endif
