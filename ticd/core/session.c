/*
 * The dialogue of one client (PROTOCOLS: TIC). Files: session.c holds the state machine and the
 * flow of lines and answers, verbs.c the table of commands that decides what is legal where,
 * login.c the way in, queries.c what a logged-in user may ask. The session owns its buffers and
 * nothing else; the store, the digests and the settings come with struct session_env.
 *
 * Flow: bytes -> line_in -> session_run -> verbs_dispatch -> a handler, which either says its reply
 * or asks the store. An answer comes through session_answered, says the reply and tells the owner
 * by changed(), who then calls session_run again.
 */
#include "ticd/core/session.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "ticd/core/verbs.h"

static const struct {
	const char *name;
	unsigned next; /* the states that may follow, as bits */
} states[] = {
	[SESSION_NEW] = { "new", 1u << SESSION_INITIAL },
	[SESSION_INITIAL] = { "initial", 1u << SESSION_CHALLENGE },
	[SESSION_CHALLENGE] = { "challenge", 1u << SESSION_AUTHENTICATE | 1u << SESSION_INITIAL },
	[SESSION_AUTHENTICATE] = { "authenticate", 1u << SESSION_MAIN | 1u << SESSION_INITIAL },
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

/* The one door. Closing may follow anything, and nothing follows closing. */
void session_set_state(struct session *s, enum session_state state)
{
	if (s->state == state || s->state == SESSION_CLOSING)
		return;
	assert(state == SESSION_CLOSING || (states[s->state].next & 1u << state) != 0);
	if (s->state == SESSION_AUTHENTICATE)
		wipe_login(s);
	log_debug("%s: %s -> %s", s->address, states[s->state].name, states[state].name);
	s->state = state;
	if (state == SESSION_CLOSING)
		forget_question(s);
}

void session_init(struct session *s, struct session_env *env, const char *address, bool is_ip4,
		  void (*changed)(void *), void *ctx)
{
	memset(s, 0, sizeof(*s));
	s->env = env;
	s->changed = changed;
	s->changed_ctx = ctx;
	s->is_ip4 = is_ip4;
	line_init(&s->in);
	snprintf(s->address, sizeof(s->address), "%s", address);
}

void session_end(struct session *s)
{
	forget_question(s);
	wipe_login(s);
	secure_zero(s->in.buf, sizeof(s->in.buf));
	out_clear(&s->out);
}

void session_put(struct session *s, const struct reply *reply)
{
	if (reply_ok(reply) && out_append(&s->out, reply->buf, reply_len(reply)))
		return;
	/* Half a reply is worse than none: the client sees a close instead of a wrong record. */
	log_limited(&s->env->faults, 10, 10, LOG_LEVEL_ERROR,
		    "%s: closed, a reply does not fit its buffer", s->address);
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

	if (s->state == SESSION_CLOSING)
		return;
	va_start(ap, fmt);
	say_formatted(s, fmt, ap);
	va_end(ap);
	session_set_state(s, SESSION_CLOSING);
}

void session_fault(struct session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_formatted(s, fmt, ap);
	va_end(ap);
	if (++s->faults >= SESSION_FAULTS_MAX)
		session_close(s, "500 Too many lines that make no sense here, goodbye");
}

void session_greet(struct session *s)
{
	session_set_state(s, SESSION_INITIAL);
	session_say(s, "200 %s ready (%s)", s->env->service, s->env->url);
}

void session_tls_grant(struct session *s)
{
	session_say(s, "200 TLS may begin");
	s->tls = SESSION_TLS_GRANTED;
}

void session_tls_injected(struct session *s)
{
	log_limited(&s->env->faults, 10, 10, LOG_LEVEL_WARN,
		    "%s: closed, it sent more in clear after starttls", s->address);
	s->tls = SESSION_TLS_OFF;
	session_close(s, "500 Nothing may be sent between starttls and its answer, goodbye");
}

void session_tls_refuse(struct session *s)
{
	s->tls = SESSION_TLS_OFF;
	session_say(s, "400 TLS cannot be begun at the moment, please try again in a minute");
}

void session_tls_started(struct session *s)
{
	s->tls = SESSION_TLS_ON;
}

static void session_answered(void *ctx, const struct store_answer *answer)
{
	struct session *s = ctx;

	s->answered(s, answer);
	s->changed(s->changed_ctx);
}

void session_ask(struct session *s, enum store_question q, const char *const *params,
		 void (*answered)(struct session *s, const struct store_answer *answer))
{
	s->answered = answered;
	s->asking = (struct store_call){ .question = q, .done = session_answered, .ctx = s };
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
			"500 Internal error; it has been logged, please tell the operators if it stays");
		break;
	}
}

bool session_can_run(const struct session *s)
{
	return s->state != SESSION_NEW && s->state != SESSION_CLOSING && !s->asking.active &&
	       out_len(&s->out) <= SESSION_OUT_LOW &&
	       (s->tls == SESSION_TLS_OFF || s->tls == SESSION_TLS_ON);
}

void session_run(struct session *s, wall_t now)
{
	while (session_can_run(s)) {
		const char *text;
		size_t len;

		switch (line_next(&s->in, &text, &len)) {
		case LINE_NONE:
			return;
		case LINE_TEXT:
			verbs_dispatch(s, text, len, now);
			break;
		case LINE_TOO_LONG:
			log_limited(&s->env->faults, 10, 10, LOG_LEVEL_INFO,
				    "%s: closed, a line of more than %d bytes", s->address,
				    LINE_TEXT_MAX);
			session_close(s, "500 A line may have %d bytes at most, goodbye",
				      LINE_TEXT_MAX);
			return;
		case LINE_BINARY:
			log_limited(&s->env->faults, 10, 10, LOG_LEVEL_INFO,
				    "%s: closed, it sent something that is not text", s->address);
			session_close(s, "500 This service speaks lines of plain text, goodbye");
			return;
		}
	}
}
