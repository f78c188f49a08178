#include "ticd/core/session.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"

static const struct {
	const char *name;
	unsigned next; /* the states that may follow, as bits */
} states[] = {
	[SESSION_NEW] = { "new", 1u << SESSION_INITIAL },
	[SESSION_INITIAL] = { "initial", 1u << SESSION_CHALLENGE },
	[SESSION_CHALLENGE] = { "challenge", 1u << SESSION_AUTHENTICATE | 1u << SESSION_INITIAL },
	[SESSION_AUTHENTICATE] = { "authenticate", 1u << SESSION_MAIN | 1u << SESSION_SHOW_ONLY |
							   1u << SESSION_INITIAL },
	[SESSION_SHOW_ONLY] = { "logged in to show a tunnel", 1u << SESSION_MAIN },
	[SESSION_MAIN] = { "logged in", 0 },
	[SESSION_CLOSING] = { "closing", 0 },
};
_Static_assert(ARRAY_LEN(states) == SESSION__COUNT, "every state has a row");

const char *session_state_name(enum session_state state)
{
	return states[state].name;
}

static void forget_question(struct session *s)
{
	s->env->store->forget(s->env->store, &s->asking);
}

static void wipe_login(struct session *s)
{
	secure_zero(s->challenge, sizeof(s->challenge));
	secure_zero(&s->response, sizeof(s->response));
	s->login[0] = '\0';
}

/* Any state may be followed by closing, and closing by none. */
void session_set_state(struct session *s, enum session_state state)
{
	if (s->state == state || s->state == SESSION_CLOSING)
		return;
	assert(state == SESSION_CLOSING || (states[s->state].next & 1u << state) != 0);
	if (s->state == SESSION_AUTHENTICATE)
		wipe_login(s);
	log_debug("%s: %s -> %s", s->peer.text, states[s->state].name, states[state].name);
	s->state = state;
	if (state == SESSION_CLOSING)
		forget_question(s);
}

void session_init(struct session *s, struct session_env *env, const struct peer *peer,
		  void (*changed)(void *), void *ctx)
{
	memset(s, 0, sizeof(*s));
	s->env = env;
	s->changed = changed;
	s->changed_ctx = ctx;
	s->peer = *peer;
	line_init(&s->in);
}

void session_end(struct session *s)
{
	forget_question(s);
	wipe_login(s);
	secure_zero(s->in.buf, sizeof(s->in.buf));
	out_clear(&s->out);
}

int64_t session_hold_ms(struct session *s, mono_t now)
{
	int64_t left = s->is_held ? mono_since(s->held_until, now) : 0;

	s->is_held = left > 0;
	return s->is_held ? left : 0;
}

void session_hold(struct session *s, int64_t ms)
{
	mono_t until = { s->line_at.ms + ms };

	if (!s->is_held || mono_since(until, s->held_until) > 0)
		s->held_until = until;
	s->is_held = true;
}

void session_put(struct session *s, const struct reply *reply)
{
	if (reply_ok(reply) && out_append(&s->out, reply->buf, reply_len(reply)))
		return;
	/* Half a reply is worse than none: the client sees a close instead of a wrong record. */
	log_limited(&s->env->faults, 10, 10, LOG_LEVEL_ERROR,
		    "%s: closed: no memory for a reply, or it is too long", s->peer.text);
	out_clear(&s->out);
	session_set_state(s, SESSION_CLOSING);
}

/* The sentence is formatted once here, then cleaned and bounded by reply_line. */
static void say_formatted(struct session *s, const char *fmt, va_list ap) FORMAT(2, 0);
static void say_formatted(struct session *s, const char *fmt, va_list ap)
{
	struct reply reply;
	char text[REPLY_MAX];

	vsnprintf(text, sizeof(text), fmt, ap);
	reply_init(&reply);
	reply_line(&reply, "%s", text);
	session_put(s, &reply);
}

void session_say(struct session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_formatted(s, fmt, ap);
	va_end(ap);
}

void session_close(struct session *s, const char *fmt, ...)
{
	va_list ap;

	if (session_is_closing(s))
		return;
	va_start(ap, fmt);
	say_formatted(s, fmt, ap);
	va_end(ap);
	session_set_state(s, SESSION_CLOSING);
}

void session_reject(struct session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_formatted(s, fmt, ap);
	va_end(ap);
	if (++s->rejects >= SESSION_REJECTS_MAX)
		session_close(s, "500 Too many invalid commands, goodbye");
}

static void answer_ready(void *ctx, const struct store_answer *answer)
{
	struct session *s = ctx;

	s->answered(s, answer);
	s->changed(s->changed_ctx);
}

void session_ask(struct session *s, enum store_question q, const char *const *params,
		 void (*answered)(struct session *s, const struct store_answer *answer))
{
	s->answered = answered;
	s->asking = (struct store_call){ .question = q, .done = answer_ready, .ctx = s };
	s->env->store->ask(s->env->store, &s->asking, params);
}

/* 4xx is for what may work later, 5xx for what will not. */
void session_say_error(struct session *s, const struct store_answer *answer)
{
	switch (-answer->err) {
	case ERR_REFUSED:
		session_say(s, "500 %s", answer->message);
		break;
	case ERR_AWAY:
	case ERR_TIMEOUT:
		session_say(
			s,
			"400 The database cannot be reached at the moment, please try again in a minute");
		break;
	case ERR_BUSY:
		session_say(
			s,
			"400 Too many requests are waiting at the moment, please try again in a minute");
		break;
	default:
		session_say(
			s,
			"500 Internal error, which has been logged; please contact the operators if it persists");
		break;
	}
}
