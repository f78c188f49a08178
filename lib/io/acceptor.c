#include "lib/io/acceptor.h"

#include <errno.h>

#include "lib/log.h"

enum { BUDGET = 16 }; /* connections at a wake-up */
static const double pause_seconds = 0.1;

static void pause_accepting(struct acceptor *a)
{
	ev_io_stop(a->loop, &a->io);
	ev_timer_set(&a->pause, pause_seconds, 0.);
	ev_timer_start(a->loop, &a->pause);
}

static void pause_due(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct acceptor *a = container_of(timer, struct acceptor, pause);

	(void)events;
	if (!a->held)
		ev_io_start(loop, &a->io);
}

/* The connection that accept4 found was lost, or there is none. */
static bool is_passing(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ECONNABORTED;
}

static void accept_failed(struct acceptor *a)
{
	if (is_passing(errno))
		return;
	if (!a->lacks)
		log_warn("%s accepts no connection for now, and tries again", a->what);
	a->lacks = true;
	pause_accepting(a);
}

/* false: there is none for now. */
static bool accept_one(struct acceptor *a)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	int fd = accept4(a->io.fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		accept_failed(a);
		return false;
	}
	if (a->lacks)
		log_info("%s accepts connections again", a->what);
	a->lacks = false;
	a->accepted(a->ctx, fd, &from, len);
	return !a->held;
}

static void accept_ready(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct acceptor *a = container_of(io, struct acceptor, io);

	(void)loop;
	(void)events;
	for (int i = 0; i < BUDGET && accept_one(a); i++)
		;
}

void acceptor_start(struct acceptor *a, struct ev_loop *loop, int fd, const char *what,
		    void (*accepted)(void *ctx, int fd, const struct sockaddr_storage *from,
				     socklen_t len),
		    void *ctx)
{
	*a = (struct acceptor){ .loop = loop, .what = what, .accepted = accepted, .ctx = ctx };
	ev_io_init(&a->io, accept_ready, fd, EV_READ);
	ev_timer_init(&a->pause, pause_due, 0., 0.);
	ev_io_start(loop, &a->io);
}

void acceptor_hold(struct acceptor *a, bool held)
{
	if (a->held == held)
		return;
	a->held = held;
	if (held)
		ev_io_stop(a->loop, &a->io);
	else if (!ev_is_active(&a->pause))
		ev_io_start(a->loop, &a->io);
}

void acceptor_stop(struct acceptor *a)
{
	if (!a->loop)
		return;
	ev_io_stop(a->loop, &a->io);
	ev_timer_stop(a->loop, &a->pause);
	a->loop = NULL;
}
