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
#include "ticd/core/peers.h"

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
	unsigned max, max_per_address;
	size_t count, refused;
	struct peers *peers;
	struct log_limit full;
	void (*empty)(void *ctx);
	void *empty_ctx;
};

/* NULL: the connection was counted with its address. */
static const char *find_refusal(struct listener *l, const struct peer *peer)
{
	int err = l->count < l->max ? peers_enter(l->peers, &peer->ip, l->max_per_address)
				    : -ERR_BUSY;

	if (err == 0)
		return NULL;
	return l->count < l->max && err == -ERR_BUSY ? too_many_per_address : conn_too_many;
}

/* Admitted connections are counted with their address, refused ones apart. */
static void admit(struct listener *l, int fd, const struct peer *peer)
{
	const char *refusal = find_refusal(l, peer);
	int on = 1;

	if (refusal)
		log_limited(&l->full, 5, 10, LOG_LEVEL_WARN,
			    "%s: refused: too many connections%s (%zu in total)", peer->text,
			    refusal == conn_too_many ? "" : " from this address", l->count);
	if (refusal && l->refused >= REFUSED_MAX) {
		conn_refuse(fd, refusal);
		return;
	}
	if (refusal)
		l->refused++;
	else
		l->count++;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	conn_start(l->env, fd, peer, refusal);
}

static void conn_closed(struct conn_env *env, const struct ip6 *ip, bool is_refused)
{
	struct listener *l = env->owner;

	if (is_refused) {
		l->refused--;
	} else {
		l->count--;
		peers_leave(l->peers, ip);
	}
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

struct listener *listener_create(struct conn_env *env, const struct listen_conf *conf)
{
	struct listener *l = calloc(1, sizeof(*l));
	char why[LISTEN_WHY];

	if (!l) {
		log_error("cannot listen: out of memory");
		return NULL;
	}
	l->env = env;
	l->max = conf->connections;
	l->max_per_address = conf->connections_per_address;
	l->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	l->fd = listen_open(&conf->listen, BACKLOG, why);
	l->peers = peers_create();
	ev_io_init(&l->io, accept_ready, l->fd, EV_READ);
	ev_timer_init(&l->pause, pause_due, 0., 0.);
	ev_timer_init(&l->emptied, emptied_due, 0., 0.);
	env->closed = conn_closed;
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

void listener_set_limits(struct listener *listener, unsigned connections,
			 unsigned connections_per_address)
{
	listener->max = connections;
	listener->max_per_address = connections_per_address;
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
