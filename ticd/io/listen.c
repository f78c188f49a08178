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

#include "lib/io/listen.h"
#include "lib/log.h"
#include "ticd/core/peers.h"

enum {
	/* connections taken in one go, so that those there are get their turn */
	ACCEPT_BUDGET = 64,
	/* connections beyond the limit that are being told so; further ones get a bare sentence */
	REFUSED_MAX = 64,
	BACKLOG = 4096,
};
#define PAUSE_SECONDS 0.1 /* between tries while the system has no descriptor or memory for us */

static const char too_many[] =
	"400 Too many connections at the moment, please try again in a minute";
static const char too_many_from_you[] =
	"400 Too many connections from your address, please close some or try again in a minute";

struct listener {
	struct conn_env *env;
	int fd, spare; /* the descriptor kept for saying that there are none */
	struct ev_io io;
	struct ev_timer pause;
	struct ev_timer emptied; /* rings `empty` outside of any connection's callback */
	unsigned max, max_per_address;
	size_t count, refused;
	struct peers *peers;
	struct log_limit full;
	void (*empty)(void *ctx);
	void *empty_ctx;
};

/* A sentence without a connection: best effort, for when there is nothing to keep one with. */
static void refuse_bare(int fd, const char *sentence)
{
	char waste[1024];

	(void)!send(fd, sentence, strlen(sentence), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)!send(fd, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	shutdown(fd, SHUT_WR);
	while (recv(fd, waste, sizeof(waste), MSG_DONTWAIT) > 0)
		;
	close(fd);
}

static void take_peer(struct conn_peer *peer, const struct sockaddr_storage *from)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	memset(peer, 0, sizeof(*peer));
	if (from->ss_family == AF_INET) {
		memcpy(peer->ip.b, mapped, sizeof(mapped));
		memcpy(peer->ip.b + 12, &((const struct sockaddr_in *)(const void *)from)->sin_addr,
		       4);
	} else {
		memcpy(peer->ip.b, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr,
		       16);
	}
	peer->is_ip4 = memcmp(peer->ip.b, mapped, sizeof(mapped)) == 0;
	if (peer->is_ip4) {
		const uint8_t *b = peer->ip.b + 12;

		ip4_text((struct ip4){ (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
				       (uint32_t)b[2] << 8 | b[3] },
			 peer->text);
	} else {
		ip6_text(&peer->ip, peer->text);
	}
}

/* Admitted ones are counted with their address, refused ones apart. */
static void admit(struct listener *l, int fd, const struct conn_peer *peer)
{
	const char *refusal = NULL;
	int on = 1;

	if (l->count >= l->max)
		refusal = too_many;
	else if (!peers_enter(l->peers, &peer->ip, l->max_per_address))
		refusal = too_many_from_you;
	if (refusal != NULL)
		log_limited(&l->full, 5, 10, LOG_LEVEL_WARN,
			    "%s: refused: too many connections%s (%zu in all)", peer->text,
			    refusal == too_many ? "" : " from this address", l->count);
	if (refusal != NULL && l->refused >= REFUSED_MAX) {
		refuse_bare(fd, refusal);
		return;
	}
	if (refusal != NULL)
		l->refused++;
	else
		l->count++;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!conn_start(l->env, fd, peer, refusal)) {
		log_limited(&l->full, 5, 10, LOG_LEVEL_ERROR, "%s: refused: no memory", peer->text);
		refuse_bare(fd, too_many);
		l->env->closed(l->env, &peer->ip, refusal != NULL);
	}
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
	if (l->empty != NULL && env->first == NULL)
		ev_timer_start(env->loop, &l->emptied);
}

static void pause_accepting(struct listener *l)
{
	ev_io_stop(l->env->loop, &l->io);
	ev_timer_set(&l->pause, PAUSE_SECONDS, 0.);
	ev_timer_start(l->env->loop, &l->pause);
}

static void pause_over(struct ev_loop *loop, struct ev_timer *w, int events)
{
	struct listener *l = container_of(w, struct listener, pause);

	(void)events;
	ev_io_start(loop, &l->io);
}

static void rang_empty(struct ev_loop *loop, struct ev_timer *w, int events)
{
	struct listener *l = container_of(w, struct listener, emptied);

	(void)loop, (void)events;
	l->empty(l->empty_ctx);
}

/* Out of descriptors: the spare one serves to take the next client and to tell it. */
static void refuse_with_spare(struct listener *l)
{
	int fd;

	log_limited(&l->full, 5, 10, LOG_LEVEL_WARN,
		    "refused: no file descriptors left (%zu connections)", l->count);
	if (l->spare < 0)
		return;
	close(l->spare);
	fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		refuse_bare(fd, too_many);
	l->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* False: no more for now. */
static bool accept_one(struct listener *l)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	struct conn_peer peer;
	int fd = accept4(l->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		take_peer(&peer, &from);
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
	default: /* the client is gone already, or what the network did to it is reported here */
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

	if (l == NULL)
		return NULL;
	l->env = env;
	l->max = conf->connections;
	l->max_per_address = conf->connections_per_address;
	l->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	l->fd = listen_open(&conf->listen, BACKLOG, why);
	if (l->fd < 0)
		log_error("%s", why);
	l->peers = peers_create();
	ev_io_init(&l->io, accept_ready, l->fd, EV_READ);
	ev_timer_init(&l->pause, pause_over, PAUSE_SECONDS, 0.);
	ev_timer_init(&l->emptied, rang_empty, 0., 0.);
	env->closed = conn_closed;
	env->owner = l;
	if (l->fd < 0 || l->peers == NULL) {
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
	if (listener == NULL)
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
	if (listener->env->first == NULL)
		ev_timer_start(listener->env->loop, &listener->emptied);
}

size_t listener_connections(const struct listener *listener)
{
	return listener->count;
}
