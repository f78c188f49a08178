#include "ticd/io/listen.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/io/listen.h"
#include "lib/log.h"

enum {
	ACCEPT_BUDGET = 64, /* connections a wake-up, so that the existing ones get their turn */
	REFUSED_MAX = 64,   /* refused connections at a time; further ones end by conn_refuse */
	BACKLOG = 4096,
	PAUSE_MS = 100, /* between attempts while the system lacks descriptors or memory */
};

static const char too_many_per_address[] =
	"400 Too many connections from your address, please close some or try again in a minute";

struct listener {
	struct conn_env *env;
	int fd, spare; /* the spare descriptor serves a refusal when there is no other left */
	struct ev_io io;
	struct ev_timer pause;
	struct ev_timer emptied; /* calls `empty` outside of any connection's callback */
	unsigned max;
	struct peers_max per_address;
	struct fronts fronts;
	size_t count, refused, headers; /* enum conn_place says which is counted where */
	struct peers *peers;
	struct log_limit full;
	void (*empty)(void *ctx);
	void *empty_ctx;
};

/* Counts a client with its address. NULL, or why it is refused. */
static const char *enter_address(struct listener *l, const struct peer *peer)
{
	char text[PEER_PREFIX_TEXT];
	struct prefix6 full;

	if (!peers_has_room(l->peers, &peer->ip, &l->per_address, &full)) {
		log_limited(&l->full, 5, 10, LOG_LEVEL_WARN,
			    "%s: refused: too many connections from %s (%zu in total)", peer->text,
			    peer_prefix_text(&full, text), l->count);
		return too_many_per_address;
	}
	return peers_enter(l->peers, &peer->ip) == 0 ? NULL : conn_too_many;
}

/* Makes room for one more. False: everybody has logged in. */
static bool make_room(struct listener *l, const struct peer *client)
{
	if (l->count < l->max || conn_evict(l->env))
		return true;
	log_limited(&l->full, 5, 10, LOG_LEVEL_WARN,
		    "%s: refused: too many connections (%zu in total, and all have logged in)",
		    client ? client->text : "a front", l->count);
	return false;
}

/* Counts a client (NULL: a front itself), or says why it is refused. The limits of the address come
 * first: who is beyond them may not cost another's connection. */
static const char *enter(struct listener *l, const struct peer *client)
{
	const char *refusal = client ? enter_address(l, client) : NULL;

	if (refusal)
		return refusal;
	if (make_room(l, client)) {
		l->count++;
		return NULL;
	}
	if (client)
		peers_leave(l->peers, &client->ip);
	return conn_too_many;
}

/* Takes the socket of a front's new connection. */
static void start_front(struct listener *l, int fd, const struct peer *front)
{
	if (l->headers >= LISTEN_HEADERS_MAX) {
		log_limited(
			&l->full, 5, 10, LOG_LEVEL_WARN,
			"%s: refused: it has %zu connections for which it has not said for whom they are",
			front->text, l->headers);
		conn_refuse(fd, conn_too_many);
		return;
	}
	l->headers++;
	conn_start_front(l->env, fd, front);
}

static void start_client(struct listener *l, int fd, const struct peer *peer)
{
	const char *refusal = enter(l, peer);

	if (refusal && l->refused >= REFUSED_MAX) {
		conn_refuse(fd, refusal);
		return;
	}
	if (refusal)
		l->refused++;
	conn_start(l->env, fd, peer, refusal);
}

static void admit(struct listener *l, int fd, const struct peer *peer)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (fronts_has(&l->fronts, &peer->ip))
		start_front(l, fd, peer);
	else
		start_client(l, fd, peer);
}

static const char *conn_admit(struct conn_env *env, const struct peer *client,
			      enum conn_place *place)
{
	struct listener *l = env->owner;
	const char *refusal = enter(l, client);

	if (refusal && l->refused >= REFUSED_MAX)
		return refusal;
	l->headers--;
	if (refusal)
		l->refused++;
	*place = refusal ? CONN_REFUSED : client ? CONN_ADMITTED : CONN_FRONT;
	return refusal;
}

static void conn_closed(struct conn_env *env, const struct ip6 *ip, enum conn_place place)
{
	struct listener *l = env->owner;

	if (place == CONN_REFUSED)
		l->refused--;
	else if (place == CONN_HEADER)
		l->headers--;
	else
		l->count--;
	if (place == CONN_ADMITTED)
		peers_leave(l->peers, ip);
	if (l->empty && !env->first)
		ev_timer_start(env->loop, &l->emptied);
}

static void pause_accepting(struct listener *l)
{
	ev_io_stop(l->env->loop, &l->io);
	ev_timer_set(&l->pause, PAUSE_MS / 1000., 0.);
	ev_timer_start(l->env->loop, &l->pause);
}

static void pause_due(struct ev_loop *loop, struct ev_timer *w, int events)
{
	struct listener *l = container_of(w, struct listener, pause);

	(void)events;
	ev_io_start(loop, &l->io);
}

static void emptied_due(struct ev_loop *loop, struct ev_timer *w, int events)
{
	struct listener *l = container_of(w, struct listener, emptied);

	(void)loop, (void)events;
	l->empty(l->empty_ctx);
}

/* Out of descriptors: the spare one is used to refuse the next client. */
static void refuse_with_spare(struct listener *l)
{
	int fd;

	log_limited(
		&l->full, 5, 10, LOG_LEVEL_WARN,
		"refused: no file descriptors left (%zu connections); raise the limit of open files",
		l->count);
	if (l->spare < 0)
		return;
	close(l->spare);
	fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		conn_refuse(fd, conn_too_many);
	l->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* False: none is left for now. */
static bool accept_one(struct listener *l)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	struct peer peer;
	int fd = accept4(l->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		peer = peer_of_sockaddr((const struct sockaddr *)&from);
		admit(l, fd, &peer);
		return true;
	}
	switch (errno) {
	case EMFILE:
	case ENFILE:
		refuse_with_spare(l);
		pause_accepting(l);
		return false;
	case ENOBUFS:
	case ENOMEM:
		pause_accepting(l);
		return false;
	case EAGAIN:
		return false;
	default: /* the client is gone already, or accept4 reports an error of the network */
		return true;
	}
}

static void accept_ready(struct ev_loop *loop, struct ev_io *w, int events)
{
	struct listener *l = container_of(w, struct listener, io);

	(void)loop, (void)events;
	for (int i = 0; i < ACCEPT_BUDGET && accept_one(l); i++)
		;
}

struct listener *listener_create(struct conn_env *env, const struct config_listen *at,
				 const struct listen_limits *limits)
{
	struct listener *l = calloc(1, sizeof(*l));
	char why[LISTEN_WHY];

	if (!l) {
		log_error("cannot listen: out of memory");
		return NULL;
	}
	l->env = env;
	listener_set_limits(l, limits);
	l->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	l->fd = listen_open(at, BACKLOG, why);
	l->peers = peers_create();
	ev_io_init(&l->io, accept_ready, l->fd, EV_READ);
	ev_timer_init(&l->pause, pause_due, 0., 0.);
	ev_timer_init(&l->emptied, emptied_due, 0., 0.);
	env->closed = conn_closed;
	env->admit = conn_admit;
	env->owner = l;
	if (l->fd < 0 || !l->peers) {
		log_error("%s", l->fd < 0 ? why : "cannot listen: out of memory");
		listener_free(l);
		return NULL;
	}
	ev_io_start(env->loop, &l->io);
	return l;
}

static void stop_accepting(struct listener *l)
{
	ev_io_stop(l->env->loop, &l->io);
	ev_timer_stop(l->env->loop, &l->pause);
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

void listener_free(struct listener *listener)
{
	if (!listener)
		return;
	stop_accepting(listener);
	ev_timer_stop(listener->env->loop, &listener->emptied);
	if (listener->spare >= 0)
		close(listener->spare);
	peers_free(listener->peers);
	free(listener);
}

void listener_set_limits(struct listener *listener, const struct listen_limits *limits)
{
	listener->max = limits->connections;
	listener->per_address = limits->per_address;
	listener->fronts = *limits->fronts;
}

void listener_stop(struct listener *listener, void (*empty)(void *ctx), void *ctx)
{
	stop_accepting(listener);
	listener->empty = empty;
	listener->empty_ctx = ctx;
	if (!listener->env->first)
		ev_timer_start(listener->env->loop, &listener->emptied);
}

size_t listener_connections(const struct listener *listener)
{
	return listener->count;
}
