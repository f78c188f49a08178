/*
 * A connection is in one of three modes, talk (in clear or TLS), handshake between the two, and
 * linger at the end, and has three watchers: the socket, the deadline, and the timer that lets
 * paced output go on. The last one also serves as the bell that an answer of the store rings, so
 * that all work is done, and the connection freed, at the end of a callback of its own and never
 * inside the store's.
 *
 * Every event ends in conn_work: let the session run, send what it said, then see what is to be
 * waited for.
 */
#include "ticd/io/conn.h"

#include <ev.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "ticd/core/session.h"
#include "ticd/io/channel.h"

_Static_assert((int)REPLY_MAX <= (int)PACE_BYTES, "every reply fits into what may be under way");

enum mode { MODE_TALK, MODE_HANDSHAKE, MODE_LINGER };

enum {
	LINGER_SECONDS = 2,        /* how long the peer may take to close after our FIN */
	LINGER_BYTES = 256 * 1024, /* and how much it may still send */
};

struct conn {
	struct conn *next, **back; /* env->first's list */
	struct conn_env *env;
	struct conn_peer peer;
	enum mode mode;
	struct channel channel;
	struct session session;
	struct ev_io io;
	struct ev_timer deadline, pacer;
	mono_t began, heard,
		sent;     /* connected; last input; last progress of output (or linger's begin) */
	mono_t asked;     /* when the store was last asked */
	size_t drained;   /* bytes thrown away in linger */
	bool has_output;  /* something is unsent, since `sent` at the latest */
	bool is_stopping; /* to be told goodbye when it is waiting for nothing */
	bool is_refused;
};

/* The end */

static void conn_free(struct conn *c)
{
	ev_io_stop(c->env->loop, &c->io);
	ev_timer_stop(c->env->loop, &c->deadline);
	ev_timer_stop(c->env->loop, &c->pacer);
	session_end(&c->session);
	channel_free(&c->channel);
	*c->back = c->next;
	if (c->next != NULL)
		c->next->back = c->back;
	free(c);
}

/* Once; the text may be the TLS connection's. */
static void log_error_of(struct conn *c)
{
	if (c->channel.error != NULL)
		log_limited(&c->env->broken, 10, 10, LOG_LEVEL_INFO, "%s: closed: %s", c->peer.text,
			    c->channel.error);
	c->channel.error = NULL;
}

static void conn_over(struct conn *c)
{
	struct conn_env *env = c->env;
	struct ip6 ip = c->peer.ip;
	bool is_refused = c->is_refused;

	log_error_of(c);
	conn_free(c);
	env->closed(env, &ip, is_refused);
}

/* FIN after a whole line; then read on for a moment, since closing with unread input would make the
 * kernel send a reset that can overtake our last answer. */
static void linger(struct conn *c)
{
	log_error_of(c);
	channel_finish(&c->channel);
	session_end(&c->session);
	c->mode = MODE_LINGER;
	c->sent = mono_now();
}

static bool linger_read(struct conn *c)
{
	size_t n;
	bool is_alive = channel_discard(&c->channel, &n);

	c->drained += n;
	return is_alive && c->drained < LINGER_BYTES;
}

/* Input and output. False: the connection is gone. */

static bool take_input(struct conn *c)
{
	size_t room, got;
	char *to = line_room(&c->session.in, &room);

	if (room == 0 || c->channel.is_eof || c->session.state == SESSION_CLOSING)
		return true;
	if (!channel_read(&c->channel, to, room, &got))
		return false;
	if (got > 0)
		c->heard = mono_now();
	line_added(&c->session.in, got);
	return true;
}

/* Milliseconds for which a refused login is still to be held back. */
static int64_t hold_ms(struct conn *c)
{
	int64_t left = c->session.is_refusal ? SESSION_REFUSAL_MS - mono_since(mono_now(), c->asked)
					     : 0;

	if (left <= 0)
		c->session.is_refusal = false;
	return left > 0 ? left : 0;
}

static bool send_output(struct conn *c)
{
	struct ev_loop *loop = c->env->loop;
	int64_t wait = hold_ms(c);
	bool is_alive = true;
	size_t sent = 0;

	c->channel.wants_write = false;
	if (wait == 0) {
		is_alive = channel_send(&c->channel, &c->session.out, &sent);
		wait = c->channel.wait_ms;
	}
	if (!c->has_output || sent > 0)
		c->sent = mono_now(); /* the write time-out counts from here */
	c->has_output = out_len(&c->session.out) > 0;
	ev_timer_stop(loop, &c->pacer);
	if (is_alive && wait > 0) {
		ev_now_update(loop);
		ev_timer_set(&c->pacer, (double)wait / 1000.0, 0.);
		ev_timer_start(loop, &c->pacer);
	}
	return is_alive;
}

/* Whatever is in the socket already was sent before our answer: somebody put it there. */
static void answer_starttls(struct conn *c)
{
	if (channel_has_input(&c->channel))
		session_tls_injected(&c->session);
	else if (c->env->tls != NULL && channel_begin_tls(&c->channel, c->env->tls))
		session_tls_grant(&c->session);
	else
		session_tls_refuse(&c->session);
}

static bool shake_hands(struct conn *c)
{
	bool is_alive = channel_shake_hands(&c->channel);

	c->mode = MODE_HANDSHAKE;
	if (is_alive && c->channel.is_encrypted) {
		c->mode = MODE_TALK;
		session_tls_started(&c->session);
	}
	if (!is_alive && !c->channel.is_eof)
		linger(c); /* OpenSSL has sent an alert, which is to arrive */
	return c->mode == MODE_LINGER || is_alive;
}

/* Deadlines */

enum due { DUE_NEVER, DUE_LINGER, DUE_WRITE, DUE_LOGIN, DUE_IDLE };

static void sooner(enum due *due, int64_t *left, enum due other, int seconds, mono_t since,
		   mono_t now)
{
	int64_t ms = seconds * INT64_C(1000) - mono_since(now, since);

	if (*due == DUE_NEVER || ms < *left) {
		*due = other;
		*left = ms;
	}
}

/* Which deadline comes first, and in how many milliseconds. None while the store is being asked: it
 * has a time-out of its own. */
static enum due next_due(const struct conn *c, int64_t *left)
{
	const struct session *s = &c->session;
	bool is_waiting = !s->asking.active &&
			  s->state != SESSION_CLOSING; /* for the client to say something */
	enum due due = DUE_NEVER;
	mono_t now = mono_now();

	*left = 0;
	if (c->mode == MODE_LINGER) {
		sooner(&due, left, DUE_LINGER, LINGER_SECONDS, c->sent, now);
		return due;
	}
	if (c->has_output)
		sooner(&due, left, DUE_WRITE, c->env->write_timeout, c->sent, now);
	else if (is_waiting)
		sooner(&due, left, DUE_IDLE, c->env->idle_timeout, c->heard, now);
	if (is_waiting && s->state != SESSION_MAIN)
		sooner(&due, left, DUE_LOGIN, c->env->login_timeout, c->began, now);
	return due;
}

static void arm_deadline(struct conn *c)
{
	int64_t left;

	ev_timer_stop(c->env->loop, &c->deadline);
	if (next_due(c, &left) == DUE_NEVER)
		return;
	ev_timer_set(&c->deadline, left > 0 ? (double)left / 1000.0 : 0.0, 0.);
	ev_timer_start(c->env->loop, &c->deadline);
}

/* The work */

static void watch(struct conn *c)
{
	bool has_room = (size_t)(c->session.in.len - c->session.in.start) < LINE_BUFFER;
	bool reads = c->mode != MODE_TALK ||
		     (!c->channel.is_eof && has_room && c->session.state != SESSION_CLOSING);
	int events = (reads ? EV_READ : 0) | (c->channel.wants_write ? EV_WRITE : 0);

	if (events != (c->io.events & (EV_READ | EV_WRITE)) || !ev_is_active(&c->io)) {
		ev_io_stop(c->env->loop, &c->io);
		ev_io_set(&c->io, c->channel.fd, events);
		if (events != 0)
			ev_io_start(c->env->loop, &c->io);
	}
	if (c->mode == MODE_TALK && reads && channel_has_pending(&c->channel))
		ev_feed_event(c->env->loop, &c->io, EV_READ);
	arm_deadline(c);
}

static bool is_finished(const struct conn *c)
{
	const struct session *s = &c->session;

	return c->mode == MODE_TALK && out_len(&s->out) == 0 &&
	       (s->state == SESSION_CLOSING || (c->channel.is_eof && !s->asking.active));
}

/* Lets the session run and sends, again and again while sending makes room for more. False: the
 * connection is gone. */
static bool converse(struct conn *c)
{
	struct session *s = &c->session;
	bool was_full, was_asking;

	do {
		was_asking = s->asking.active;
		session_run(s, wall_now());
		if (!was_asking && s->asking.active)
			c->asked = mono_now();
		if (s->tls == SESSION_TLS_ASKED)
			answer_starttls(c);
		if (c->is_stopping && !s->asking.active)
			session_close(
				s,
				"400 This server is being stopped, please connect again in a moment");
		was_full = out_len(&s->out) > SESSION_OUT_LOW;
		if (!send_output(c))
			return false;
	} while (was_full && session_can_run(s));
	if (s->tls == SESSION_TLS_GRANTED && s->state != SESSION_CLOSING && out_len(&s->out) == 0)
		return shake_hands(c);
	return true;
}

/* Every event ends here. Frees the connection when it is over, so it comes last in its caller. */
static void conn_work(struct conn *c, bool is_alive)
{
	if (is_alive && c->mode == MODE_TALK)
		is_alive = converse(c);
	if (is_alive && is_finished(c)) {
		linger(c);
		is_alive = !c->channel.is_eof;
	}
	if (is_alive)
		watch(c);
	else
		conn_over(c);
}

static void io_ready(struct ev_loop *loop, struct ev_io *w, int events)
{
	struct conn *c = container_of(w, struct conn, io);
	bool is_alive = true;

	(void)loop, (void)events;
	switch (c->mode) {
	case MODE_TALK:
		is_alive = take_input(c);
		break;
	case MODE_HANDSHAKE:
		is_alive = shake_hands(c);
		break;
	case MODE_LINGER:
		is_alive = linger_read(c);
		break;
	}
	conn_work(c, is_alive);
}

static void pacer_rang(struct ev_loop *loop, struct ev_timer *w, int events)
{
	(void)loop, (void)events;
	conn_work(container_of(w, struct conn, pacer), true);
}

static void deadline_reached(struct ev_loop *loop, struct ev_timer *w, int events)
{
	struct conn *c = container_of(w, struct conn, deadline);
	int64_t left;
	enum due due = next_due(c, &left);

	(void)loop, (void)events;
	if (due == DUE_NEVER || left > 0) {
		arm_deadline(c);
		return;
	}
	if (due == DUE_WRITE)
		c->channel.error = "it does not take its answer";
	if (due == DUE_WRITE || due == DUE_LINGER || c->mode == MODE_HANDSHAKE) {
		conn_over(c);
		return;
	}
	if (due == DUE_LOGIN)
		session_close(&c->session, "500 No login within %d seconds, goodbye",
			      c->env->login_timeout);
	else
		session_close(&c->session, "500 Nothing said for %d seconds, goodbye",
			      c->env->idle_timeout);
	conn_work(c, true);
}

/* An answer came in: the work is done after the store's callback, from one of ours. */
static void session_changed(void *ctx)
{
	struct conn *c = ctx;

	ev_feed_event(c->env->loop, &c->pacer, EV_TIMER);
}

bool conn_start(struct conn_env *env, int fd, const struct conn_peer *peer, const char *refusal)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return false;
	c->env = env;
	c->peer = *peer;
	c->is_refused = refusal != NULL;
	c->began = c->heard = c->sent = mono_now();
	channel_init(&c->channel, fd);
	session_init(&c->session, env->session, peer->text, peer->is_ip4, session_changed, c);
	ev_io_init(&c->io, io_ready, fd, EV_READ);
	ev_timer_init(&c->deadline, deadline_reached, 0., 0.);
	ev_timer_init(&c->pacer, pacer_rang, 0., 0.);
	c->next = env->first;
	c->back = &env->first;
	if (c->next != NULL)
		c->next->back = &c->next;
	env->first = c;
	if (refusal != NULL)
		session_close(&c->session, "%s", refusal);
	else
		session_greet(&c->session);
	conn_work(c, true);
	return true;
}

void conn_stop_all(struct conn_env *env)
{
	for (struct conn *c = env->first, *next; c != NULL; c = next) {
		next = c->next;
		c->is_stopping = true;
		conn_work(c, c->mode != MODE_HANDSHAKE);
	}
}

void conn_free_all(struct conn_env *env)
{
	while (env->first != NULL)
		conn_free(env->first);
}
