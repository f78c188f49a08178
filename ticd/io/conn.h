/*
 * One client's connection: bytes between its socket and its session, in clear text (paced) or in
 * TLS (a record a line), and every way it may end: goodbye with a FIN after a whole line, a
 * timeout, a peer that is gone. A connection owns its socket and itself: it frees itself when it is
 * over, from its own watchers only.
 */
#ifndef TICD_IO_CONN_H
#define TICD_IO_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"
#include "lib/log.h"
#include "lib/peer.h"

struct conn;
struct ev_loop;
struct session_env;
struct tls_server;

/* How a connection is counted. */
enum conn_place {
	CONN_REFUSED,  /* apart from the others: it only hears why */
	CONN_HEADER,   /* apart as well: a front's, which has not yet said for whom it is */
	CONN_FRONT,    /* in total: a front's that speaks for itself */
	CONN_ADMITTED, /* in total and with its client's address */
};

/* What all connections share; the owner sets it up, and may change it between events (a reload). */
struct conn_env {
	struct ev_loop *loop;
	struct session_env *session;
	struct tls_server *tls; /* NULL: no TLS */
	/* seconds */
	int login_timeout, idle_timeout, write_timeout;
	/* A connection that was started is over; may not be NULL. */
	void (*closed)(struct conn_env *env, const struct ip6 *ip, enum conn_place place);
	/* Counts the client that a front speaks for (NULL: itself) where it belongs from now on, in
	 * *place, and returns NULL or why it is refused. Then *place may stay CONN_HEADER: the
	 * connection has to end at once. */
	const char *(*admit)(struct conn_env *env, const struct peer *client,
			     enum conn_place *place);
	void *owner;        /* for the two */
	struct conn *first; /* all there are */
	/* those counted in total that have not logged in, the oldest first */
	struct conn *waiting, *waiting_last;
	struct log_limit broken, evicted, garbage;
};

/* Takes the non-blocking socket and greets, or, with a refusal (a whole sentence with its code),
 * says that and closes. Always ends in one call of `closed`: without memory for a connection the
 * client gets conn_too_many, and `closed` is called before this returns. */
void conn_start(struct conn_env *env, int fd, const struct peer *peer, const char *refusal)
	NONNULL_ARGS(1, 3);

/* The same for a connection of a front (lib/fronts.h): its first bytes say for whom it is (lib/proxy.h),
 * and from then on it is that client's. Without them it is closed. */
void conn_start_front(struct conn_env *env, int fd, const struct peer *front) NONNULL;

/* Closes the oldest connection that has not logged in, with a sentence. False: all have. */
bool conn_evict(struct conn_env *env) NONNULL;

/* Takes the non-blocking socket, sends the sentence without waiting or allocating (a peer that
 * sends much may lose it), and closes. */
void conn_refuse(int fd, const char *sentence) NONNULL;
/* The sentence for a client beyond what the server can hold. */
extern const char conn_too_many[];

/* Closes all with a sentence, each as soon as the store has answered it. */
void conn_stop_all(struct conn_env *env) NONNULL;

/* Ends all at once, without `closed`. */
void conn_free_all(struct conn_env *env) NONNULL;

#endif
