/*
 * A connection is in one of four modes, header (a front's, until it has said for whom it is), talk (in
 * clear text or TLS), handshake between the two, and linger at the end, and has three watchers: the socket, the deadline, and the timer that
 * continues paced output. That timer is also fed by an answer of the store, so that all work is
 * done, and the connection freed, at the end of a callback of its own and never inside the store's.
 *
 * Every event ends in conn_work: run the dialogue, send what it said, then arm the watchers.
 */
#include "ticd/io/conn.h"

#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/proxy.h"
#include "ticd/core/dialogue.h"
#include "ticd/core/session.h"
#include "ticd/io/channel.h"

_Static_assert((int)REPLY_MAX <= (int)OUT_PACE_BYTES, "every reply fits the pace's budget");

enum mode { MODE_HEADER, MODE_TALK, MODE_HANDSHAKE, MODE_LINGER };

enum {
	HEADER_SECONDS = 5,        /* a front has to say for whom it is */
	LINGER_SECONDS = 2,        /* how long the peer may take to close after our FIN */
	LINGER_BYTES = 256 * 1024, /* and how much it may still send */
	REFUSED_READS = 64,        /* of 1024 bytes, by conn_refuse */
};

const char conn_too_many[] = "400 Too many connections at the moment, please try again in a minute";

struct conn {
	struct conn *next, **back;                    /* env->first's list */
	struct conn *next_waiting, *previous_waiting; /* env->waiting's */
	bool is_waiting;
	struct conn_env *env;
	struct peer peer;
	enum mode mode;
	struct channel channel;
	struct session session;
	struct ev_io io;
	struct ev_timer deadline, pacer;
	mono_t connected, received; /* when the client connected, and last sent something */
	mono_t sent;                /* last progress of output, or the start of linger */
	size_t drained;             /* bytes discarded in linger */
	bool has_output;            /* replies have waited to be sent since `sent` */
	bool is_stopping;           /* to be closed as soon as the store has answered */
	enum conn_place place;
};

/* The list of those that have not logged in */

static void waiting_enter(struct conn *c)
{
	struct conn_env *env = c->env;

	c->is_waiting = true;
	c->previous_waiting = env->waiting_last;
	*(env->waiting_last ? &env->waiting_last->next_waiting : &env->waiting) = c;
	env->waiting_last = c;
}

static void waiting_leave(struct conn *c)
{
	struct conn_env *env = c->env;

	if (!c->is_waiting)
		return;
	c->is_waiting = false;
	*(c->previous_waiting ? &c->previous_waiting->next_waiting
			      : &env->waiting) = c->next_waiting;
	*(c->next_waiting ? &c->next_waiting->previous_waiting
			  : &env->waiting_last) = c->previous_waiting;
	c->next_waiting = c->previous_waiting = NULL;
}

/* The end */

static void conn_free(struct conn *c)
{
	waiting_leave(c);
	ev_io_stop(c->env->loop, &c->io);
	ev_timer_stop(c->env->loop, &c->deadline);
	ev_timer_stop(c->env->loop, &c->pacer);
	session_end(&c->session);
	channel_free(&c->channel);
	*c->back = c->next;
	if (c->next)
		c->next->back = c->back;
	free(c);
}

/* Logs the channel's error once, while the TLS connection that may own its text exists. */
static void log_error_of(struct conn *c)
{
	if (c->channel.error)
		log_limited(&c->env->broken, 10, 10, LOG_LEVEL_INFO, "%s: closed: %s", c->peer.text,
			    c->channel.error);
	c->channel.error = NULL;
}

static void conn_over(struct conn *c)
{
	struct conn_env *env = c->env;
	struct ip6 ip = c->peer.ip;
	enum conn_place place = c->place;

	log_error_of(c);
	conn_free(c);
	env->closed(env, &ip, place);
}

/* Sends a FIN after a whole line, then reads for a short time more: closing with unread input would
 * make the kernel send a reset that can overtake our last reply. */
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

/* True when the next bytes of the client have a place to go. */
static bool takes_input(const struct conn *c)
{
	return !c->channel.is_eof && session_takes_input(&c->session);
}

static bool read_input(struct conn *c)
{
	size_t space, got;
	char *to;

	if (!takes_input(c))
		return true;
	to = line_space(&c->session.in, &space);
	if (!channel_read(&c->channel, to, space, &got))
		return false;
	if (got > 0)
		c->received = mono_now();
	line_received(&c->session.in, got);
	return true;
}

static bool send_output(struct conn *c)
{
	struct ev_loop *loop = c->env->loop;
	int64_t hold = session_hold_ms(&c->session, mono_now()), wait = hold;
	bool is_alive = true;
	size_t sent = 0;

	c->channel.wants_write = false;
	if (wait == 0) {
		is_alive = channel_send(&c->channel, &c->session.out, &sent);
		wait = c->channel.wait_ms;
	}
	if (!c->has_output || sent > 0)
		c->sent = mono_now(); /* the write timeout counts from here */
	if (hold > 0)
		c->sent.ms = mono_now().ms + hold; /* or from the end of the hold */
	c->has_output = session_has_output(&c->session);
	ev_timer_stop(loop, &c->pacer);
	if (is_alive && wait > 0) {
		ev_now_update(loop);
		ev_timer_set(&c->pacer, (double)wait / 1000.0, 0.);
		ev_timer_start(loop, &c->pacer);
	}
	return is_alive;
}

/* Bytes that are in the socket now were sent before our answer: somebody injected them. */
static void answer_starttls(struct conn *c)
{
	if (channel_has_input(&c->channel))
		dialogue_close_injected(&c->session);
	else if (c->env->tls && channel_begin_tls(&c->channel, c->env->tls))
		dialogue_grant_tls(&c->session);
	else
		dialogue_refuse_tls(&c->session);
}

static bool shake_hands(struct conn *c)
{
	bool is_alive = channel_shake_hands(&c->channel);

	c->mode = MODE_HANDSHAKE;
	if (is_alive && c->channel.is_encrypted) {
		c->mode = MODE_TALK;
		dialogue_tls_started(&c->session);
	}
	if (!is_alive && !c->channel.is_eof)
		linger(c); /* so that OpenSSL's alert arrives */
	return c->mode == MODE_LINGER || is_alive;
}

/* Sends what can be sent at once, before the connection ends without lingering. */
static void say_last(struct conn *c)
{
	size_t got;

	if (c->mode == MODE_TALK && send_output(c))
		channel_finish(&c->channel);
	for (int i = 0; i < REFUSED_READS && channel_discard(&c->channel, &got) && got > 0; i++)
		;
}

/* A front's connection becomes its client's (NULL: it stays the front's). False: it is over. */
static bool take_client(struct conn *c, const struct peer *client)
{
	const char *refusal = c->env->admit(c->env, client, &c->place);

	c->mode = MODE_TALK;
	if (client)
		c->peer = c->session.peer = *client;
	if (!refusal) {
		waiting_enter(c);
		dialogue_greet(&c->session);
		return true;
	}
	session_close(&c->session, "%s", refusal);
	if (c->place == CONN_HEADER)
		say_last(c);
	return c->place != CONN_HEADER;
}

static bool read_header(struct conn *c)
{
	uint8_t data[PROXY_HEADER_MAX];
	enum proxy_result result;
	struct peer client;
	size_t len, used = 0;
	bool has_ended = channel_has_ended(&c->channel); /* before what it sent is looked at */

	if (!channel_peek(&c->channel, data, sizeof(data), &len))
		return false;
	result = proxy_read(data, len, &used, &client);
	switch (result) {
	case PROXY_MORE:
		return !has_ended;
	case PROXY_GARBAGE:
		log_limited(
			&c->env->garbage, 1, 60, LOG_LEVEL_WARN,
			"%s: closed: it is one of [ticd] fronts, but it does not begin with the PROXY protocol",
			c->peer.text);
		return false;
	case PROXY_CLIENT:
	case PROXY_OWN:
		break;
	}
	return channel_take(&c->channel, used) &&
	       take_client(c, result == PROXY_CLIENT ? &client : NULL);
}

/* Deadlines */

enum deadline {
	DEADLINE_NONE,
	DEADLINE_HEADER,
	DEADLINE_LINGER,
	DEADLINE_WRITE,
	DEADLINE_LOGIN,
	DEADLINE_IDLE
};

/* Keeps the earlier of `*first` and `other`, which is `seconds` after `since`. */
static void keep_first(enum deadline *first, int64_t *left, enum deadline other, int seconds,
		       mono_t since, mono_t now)
{
	int64_t ms = seconds * INT64_C(1000) - mono_since(now, since);

	if (*first == DEADLINE_NONE || ms < *left) {
		*first = other;
		*left = ms;
	}
}

/* The first deadline, and in how many milliseconds it is. None while the store is being asked: it
 * always answers, at its own timeout at the latest. */
static enum deadline next_deadline(const struct conn *c, int64_t *left)
{
	bool awaits_client = session_awaits_client(&c->session);
	enum deadline first = DEADLINE_NONE;
	mono_t now = mono_now();

	*left = 0;
	if (c->mode == MODE_HEADER) {
		keep_first(&first, left, DEADLINE_HEADER, HEADER_SECONDS, c->connected, now);
		return first;
	}
	if (c->mode == MODE_LINGER) {
		keep_first(&first, left, DEADLINE_LINGER, LINGER_SECONDS, c->sent, now);
		return first;
	}
	if (c->has_output)
		keep_first(&first, left, DEADLINE_WRITE, c->env->write_timeout, c->sent, now);
	else if (awaits_client)
		keep_first(&first, left, DEADLINE_IDLE, c->env->idle_timeout, c->received, now);
	if (awaits_client && !session_is_logged_in(&c->session))
		keep_first(&first, left, DEADLINE_LOGIN, c->env->login_timeout, c->connected, now);
	return first;
}

static void arm_deadline(struct conn *c)
{
	int64_t left;

	ev_timer_stop(c->env->loop, &c->deadline);
	if (next_deadline(c, &left) == DEADLINE_NONE)
		return;
	ev_timer_set(&c->deadline, left > 0 ? (double)left / 1000.0 : 0.0, 0.);
	ev_timer_start(c->env->loop, &c->deadline);
}

/* The work */

static void watch(struct conn *c)
{
	bool reads = c->mode != MODE_TALK || takes_input(c);
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

	return c->mode == MODE_TALK && !session_has_output(s) &&
	       (session_is_closing(s) || (c->channel.is_eof && !session_is_asking(s)));
}

/* Runs the dialogue and sends, again and again while sending makes it possible to go on. False: the
 * connection is gone. */
static bool converse(struct conn *c)
{
	struct session *s = &c->session;
	bool was_backlogged;

	do {
		dialogue_run(s, wall_now(), mono_now());
		if (session_wants_tls(s))
			answer_starttls(c);
		if (c->is_stopping && !session_is_asking(s))
			session_close(
				s, "400 This server is stopping, please connect again in a moment");
		was_backlogged = session_is_backlogged(s);
		if (!send_output(c))
			return false;
	} while (was_backlogged && dialogue_can_run(s));
	if (session_is_logged_in(s))
		waiting_leave(c);
	return session_awaits_handshake(s) ? shake_hands(c) : true;
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
	case MODE_HEADER:
		is_alive = read_header(c);
		break;
	case MODE_TALK:
		is_alive = read_input(c);
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

static void pacer_due(struct ev_loop *loop, struct ev_timer *w, int events)
{
	(void)loop, (void)events;
	conn_work(container_of(w, struct conn, pacer), true);
}

static void deadline_due(struct ev_loop *loop, struct ev_timer *w, int events)
{
	struct conn *c = container_of(w, struct conn, deadline);
	int64_t left;
	enum deadline first = next_deadline(c, &left);

	(void)loop, (void)events;
	if (first == DEADLINE_NONE || left > 0) {
		arm_deadline(c);
		return;
	}
	if (first == DEADLINE_WRITE)
		c->channel.error = "the client does not read its replies";
	if (first == DEADLINE_WRITE || first == DEADLINE_LINGER || first == DEADLINE_HEADER ||
	    c->mode == MODE_HANDSHAKE) {
		conn_over(c);
		return;
	}
	if (first == DEADLINE_LOGIN)
		session_close(&c->session, "500 No login within %d seconds, goodbye",
			      c->env->login_timeout);
	else
		session_close(&c->session, "500 No command for %d seconds, goodbye",
			      c->env->idle_timeout);
	conn_work(c, true);
}

/* The store has answered: the work is done after its callback, in one of ours. */
static void session_changed(void *ctx)
{
	struct conn *c = ctx;

	ev_feed_event(c->env->loop, &c->pacer, EV_TIMER);
}

void conn_refuse(int fd, const char *sentence)
{
	char discarded[1024];

	(void)!send(fd, sentence, strlen(sentence), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)!send(fd, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	shutdown(fd, SHUT_WR);
	for (int i = 0; i < REFUSED_READS; i++)
		if (recv(fd, discarded, sizeof(discarded), MSG_DONTWAIT) <= 0)
			break;
	close(fd);
}

/* NULL: out of memory, the client was told so and `closed` was called. */
static struct conn *conn_create(struct conn_env *env, int fd, const struct peer *peer,
				enum conn_place place)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c) {
		log_limited(&env->broken, 10, 10, LOG_LEVEL_ERROR, "%s: refused: out of memory",
			    peer->text);
		conn_refuse(fd, conn_too_many);
		env->closed(env, &peer->ip, place);
		return NULL;
	}
	c->env = env;
	c->place = place;
	c->peer = *peer;
	c->connected = c->received = c->sent = mono_now();
	channel_init(&c->channel, fd);
	session_init(&c->session, env->session, peer, session_changed, c);
	ev_io_init(&c->io, io_ready, fd, EV_READ);
	ev_timer_init(&c->deadline, deadline_due, 0., 0.);
	ev_timer_init(&c->pacer, pacer_due, 0., 0.);
	c->next = env->first;
	c->back = &env->first;
	if (c->next)
		c->next->back = &c->next;
	env->first = c;
	if (place == CONN_ADMITTED)
		waiting_enter(c);
	return c;
}

void conn_start(struct conn_env *env, int fd, const struct peer *peer, const char *refusal)
{
	struct conn *c = conn_create(env, fd, peer, refusal ? CONN_REFUSED : CONN_ADMITTED);

	if (!c)
		return;
	c->mode = MODE_TALK;
	if (refusal)
		session_close(&c->session, "%s", refusal);
	else
		dialogue_greet(&c->session);
	conn_work(c, true);
}

void conn_start_front(struct conn_env *env, int fd, const struct peer *front)
{
	struct conn *c = conn_create(env, fd, front, CONN_HEADER);

	if (c)
		conn_work(c, true);
}

/* What can be sent at once is sent; the socket is needed for another client. */
bool conn_evict(struct conn_env *env)
{
	struct conn *c = env->waiting;

	if (!c)
		return false;
	log_limited(
		&env->evicted, 5, 10, LOG_LEVEL_WARN,
		"%s: closed: the server is full, and of those who have not logged in it waits longest (%lld s)",
		c->peer.text, (long long)(mono_since(mono_now(), c->connected) / 1000));
	if (c->mode == MODE_TALK)
		session_close(
			&c->session,
			"400 The server is full and you have not logged in, please try again in a minute");
	say_last(c);
	conn_over(c);
	return true;
}

void conn_stop_all(struct conn_env *env)
{
	for (struct conn *c = env->first, *next; c; c = next) {
		next = c->next;
		c->is_stopping = true;
		conn_work(c, c->mode == MODE_TALK || c->mode == MODE_LINGER);
	}
}

void conn_free_all(struct conn_env *env)
{
	while (env->first)
		conn_free(env->first);
}
