/*
 * Files: session.c holds the state and its door, verbs.c the table of commands that decides what is
 * legal where, login.c the way in, queries.c what a logged-in user may ask and change.
 *
 * Flow: bytes -> line_in -> dialogue_run -> dispatch -> a verb, which says its reply, asks the
 * store or asks for TLS. The store's answer says the reply later and tells the owner by changed(),
 * who then calls dialogue_run again.
 */
#include "ticd/core/dialogue.h"

#include <string.h>

#include "lib/wr.h"
#include "ticd/core/verbs.h"

void dialogue_greet(struct session *s)
{
	session_set_state(s, SESSION_INITIAL);
	session_say(s, "200 %s ready (%s)", s->env->service, s->env->url);
}

void dialogue_grant_tls(struct session *s)
{
	session_say(s, "200 Ready to start TLS");
	s->tls = SESSION_TLS_GRANTED;
}

void dialogue_refuse_tls(struct session *s)
{
	s->tls = SESSION_TLS_OFF;
	session_say(s, "400 TLS cannot be started at the moment, please try again in a minute");
}

void dialogue_close_injected(struct session *s)
{
	log_limited(&s->env->faults, 10, 10, LOG_LEVEL_WARN,
		    "%s: closed: it sent clear text between starttls and its answer", s->peer.text);
	s->tls = SESSION_TLS_OFF;
	session_close(s, "500 Nothing may be sent between starttls and its answer, goodbye");
}

void dialogue_tls_started(struct session *s)
{
	s->tls = SESSION_TLS_ON;
}

static const char *next_step(enum session_state state)
{
	switch (state) {
	case SESSION_INITIAL:
		return "log in first, starting with 'username'";
	case SESSION_CHALLENGE:
		return "'challenge' comes next";
	case SESSION_AUTHENTICATE:
		return "'authenticate' comes next";
	default:
		return "you are already logged in";
	}
}

/* No row has these first two tokens together; lists the second ones of the rows that have the
 * first. Rows of one name are neighbours. */
static void reject_unknown(struct session *s, struct token name)
{
	char known[128];
	struct wr w = wr_init(known, sizeof(known));
	const char *verb = NULL, *last = "";
	size_t n;
	const struct verb *verbs = verbs_table(&n);

	for (size_t i = 0; i < n; i++) {
		if (!token_is(name, verbs[i].name) || strcmp(verbs[i].object, last) == 0)
			continue;
		wr_fmt(&w, "%s%s", verb ? ", " : "", verbs[i].object);
		verb = verbs[i].name;
		last = verbs[i].object;
	}
	if (!verb)
		session_reject(s, "400 Unknown command; 'help' lists the commands");
	else
		session_reject(s, "400 '%s' must be followed by one of: %s", verb,
			       wr_cstr(&w) ? known : "see help");
}

static const struct verb *find(const struct tokens *tokens)
{
	size_t n;
	const struct verb *verbs = verbs_table(&n);

	for (size_t i = 0; i < n; i++)
		if (token_is(tokens->at[0], verbs[i].name) &&
		    (!verbs[i].object || token_is(tokens->at[1], verbs[i].object)))
			return &verbs[i];
	return NULL;
}

static void dispatch(struct session *s, const char *line, size_t len, wall_t now)
{
	struct tokens tokens = tokens_split(line, len);
	const struct verb *verb = find(&tokens);
	struct session_args args = { .rest = tokens.rest, .now = now };
	size_t own;

	if (!verb) {
		reject_unknown(s, tokens.at[0]);
		return;
	}
	if ((verb->states & 1u << SESSION_MAIN) != 0 && s->state == SESSION_SHOW_ONLY &&
	    (verb->states & 1u << SESSION_SHOW_ONLY) == 0) {
		session_say(s, "500 %s See %s/ for more information.", s->refusal, s->env->url);
		return;
	}
	if ((verb->states & 1u << s->state) == 0) {
		session_reject(s, "400 '%s' is not possible now: %s", verb->name,
			       next_step(s->state));
		return;
	}
	own = verb->object ? 2 : 1;
	args.n = tokens.n - own;
	args.at = tokens.at + own;
	if (args.n < verb->min_args ||
	    (verb->max_args != VERB_ANY_ARGS && args.n > verb->max_args)) {
		session_reject(s, "400 Usage: %s", verb->usage);
		return;
	}
	verb->run(s, &args);
	if (session_wants_tls(s) && !line_is_empty(&s->in))
		dialogue_close_injected(s);
}

bool dialogue_can_run(const struct session *s)
{
	return s->state != SESSION_NEW && session_awaits_client(s) && !session_is_backlogged(s) &&
	       (s->tls == SESSION_TLS_OFF || s->tls == SESSION_TLS_ON);
}

void dialogue_run(struct session *s, wall_t now, mono_t at)
{
	while (dialogue_can_run(s)) {
		const char *text;
		size_t len;

		switch (line_next(&s->in, &text, &len)) {
		case LINE_NONE:
			return;
		case LINE_TEXT:
			s->line_at = at;
			dispatch(s, text, len, now);
			break;
		case LINE_TOO_LONG:
			log_limited(&s->env->faults, 10, 10, LOG_LEVEL_INFO,
				    "%s: closed: it sent a line of more than %d bytes",
				    s->peer.text, LINE_TEXT_MAX);
			session_close(s, "500 A line may have at most %d bytes, goodbye",
				      LINE_TEXT_MAX);
			return;
		case LINE_BINARY:
			log_limited(&s->env->faults, 10, 10, LOG_LEVEL_INFO,
				    "%s: closed: it sent control characters or binary data",
				    s->peer.text);
			session_close(s,
				      "500 This service accepts lines of plain text only, goodbye");
			return;
		}
	}
}
