/*
 * One client's connection: bytes between its socket and its session, in clear (paced) or in TLS (a
 * record a line), and every way it may end: goodbye with a FIN after a whole line, a time-out, a
 * peer that is gone. A connection owns its socket and itself: it frees itself when it is over, from
 * its own watchers only.
 */
#ifndef TICD_IO_CONN_H
#define TICD_IO_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"
#include "lib/ip.h"
#include "lib/log.h"

struct conn;
struct ev_loop;
struct session_env;
struct tls_server;

/* What all connections share; the owner sets it up, and may change it between events (a reload). */
struct conn_env {
	struct ev_loop *loop;
	struct session_env *session;
	struct tls_server *tls; /* NULL: none */
	/* seconds */
	int login_timeout, idle_timeout, write_timeout;
	/* One is over; may not be NULL. */
	void (*closed)(struct conn_env *env, const struct ip6 *ip, bool is_refused);
	void *owner;        /* for `closed` */
	struct conn *first; /* all there are */
	struct log_limit broken;
};

struct conn_peer {
	struct ip6 ip; /* IPv4 as ::ffff:a.b.c.d */
	char text[IP6_TEXT];
	bool is_ip4;
};

/* Takes the non-blocking socket and greets, or, with a refusal (a whole sentence with its code),
 * says that and closes. False: no memory, the socket is still the caller's. */
bool conn_start(struct conn_env *env, int fd, const struct conn_peer *peer, const char *refusal)
	NONNULL_ARGS(1, 3) MUSTCHECK;

/* Says goodbye to all: each is told as soon as what it is waiting for has been answered. */
void conn_stop_all(struct conn_env *env) NONNULL;

/* Ends all at once, without `closed`. */
void conn_free_all(struct conn_env *env) NONNULL;

#endif
