#include "ticd/core/verbs.h"

#include <stdbool.h>
#include <string.h>

#include "ticd/core/login.h"
#include "ticd/core/queries.h"
#include "ticd/proto/words.h"

#define IN(state) (1u << SESSION_##state)
#define IN_ANY (IN(INITIAL) | IN(CHALLENGE) | IN(AUTHENTICATE) | IN(MAIN))

static void run_help(struct session *s, const struct session_args *args);

/* Whatever the client says about itself is welcome; nothing depends on it. */
static void run_client(struct session *s, const struct session_args *args)
{
	struct word words = args->rest;

	if (words.len >= sizeof(s->client))
		words.len = sizeof(s->client) - 1;
	if (word_copy(words, s->client, sizeof(s->client)))
		log_debug("%s: client %s", s->address, s->client);
	session_say(s, "200 Client Identity accepted");
}

static void run_unixtime(struct session *s, const struct session_args *args)
{
	session_say(s, "200 %lld", (long long)args->now.s);
}

static void run_starttls(struct session *s, const struct session_args *args)
{
	(void)args;
	if (s->tls == SESSION_TLS_ON)
		session_say(s, "500 TLS is in use already");
	else if (!s->env->has_tls)
		session_say(s, "500 This service is not TLS enabled");
	else if (!line_is_empty(&s->in))
		session_tls_injected(s);
	else
		s->tls = SESSION_TLS_ASKED;
}

static void run_quit(struct session *s, const struct session_args *args)
{
	(void)args;
	session_close(s, "200 Bye");
}

static const struct verb verbs[] = {
	{ "client", NULL, IN(INITIAL), 0, VERB_ANY_ARGS, run_client,
	  "client TIC/draft-00 <name>/<version> <os>/<version>", "say what you are" },
	{ "get", "unixtime", IN_ANY, 0, 0, run_unixtime, "get unixtime",
	  "seconds since 1970 here" },
	{ "starttls", NULL, IN(INITIAL), 0, 0, run_starttls, "starttls", "go on in TLS" },
	{ "username", NULL, IN(INITIAL), 1, 1, login_run_username, "username <handle>[/T<id>]",
	  "begin to log in" },
	{ "challenge", NULL, IN(CHALLENGE), 1, 1, login_run_challenge, "challenge md5|sha256|clear",
	  "choose how to prove it" },
	{ "authenticate", NULL, IN(AUTHENTICATE), 2, 2, login_run_authenticate,
	  "authenticate <method> <response>", "prove it" },
	{ "tunnel", "list", IN(MAIN), 0, 0, queries_run_tunnel_list, "tunnel list",
	  "your tunnels" },
	{ "tunnel", "show", IN(MAIN), 1, 1, queries_run_tunnel_show, "tunnel show T<id>",
	  "all about one tunnel" },
	{ "tunnel", "set", IN(MAIN), 3, 3, queries_run_tunnel_set,
	  "tunnel set T<id> endpoint <ipv4>|current", "move a static tunnel (costs ISK)" },
	{ "tunnel", "set", IN(MAIN), 3, 3, queries_run_tunnel_set,
	  "tunnel set T<id> state enabled|disabled", "switch it on or off" },
	{ "route", "list", IN(MAIN), 0, 0, queries_run_route_list, "route list", "your subnets" },
	{ "route", "show", IN(MAIN), 1, 1, queries_run_route_show, "route show R<id>",
	  "all about one subnet" },
	{ "pop", "list", IN(MAIN), 0, 0, queries_run_pop_list, "pop list",
	  "the points of presence" },
	{ "pop", "show", IN(MAIN), 1, 1, queries_run_pop_show, "pop show <pop>", "all about one" },
	{ "help", NULL, IN_ANY, 0, VERB_ANY_ARGS, run_help, "help", "this list" },
	{ "quit", NULL, IN_ANY, 0, VERB_ANY_ARGS, run_quit, "quit", "say goodbye" },
	{ "exit", NULL, IN_ANY, 0, VERB_ANY_ARGS, run_quit, "exit", "the same" },
};

const struct verb *verbs_table(size_t *n)
{
	*n = ARRAY_LEN(verbs);
	return verbs;
}

static void run_help(struct session *s, const struct session_args *args)
{
	struct reply reply;

	(void)args;
	reply_init(&reply);
	reply_line(&reply, "201 What can be said now");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if ((verbs[i].states & 1u << s->state) != 0)
			reply_line(&reply, "%s - %s", verbs[i].usage, verbs[i].help);
	reply_line(&reply, "202 Done");
	session_put(s, &reply);
}

static const char *hint(enum session_state state)
{
	switch (state) {
	case SESSION_INITIAL:
		return "log in first, beginning with username";
	case SESSION_CHALLENGE:
		return "choose a challenge";
	case SESSION_AUTHENTICATE:
		return "authenticate";
	default:
		return "you are logged in";
	}
}

/* The first word fits no row together with the second: name the second words that would. */
static void say_unknown(struct session *s, struct word name)
{
	char known[128];
	struct wr w = wr_init(known, sizeof(known));
	const char *verb = NULL;

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (!word_is(name, verbs[i].name) ||
		    (verb != NULL && strcmp(verbs[i].object, verbs[i - 1].object) == 0))
			continue;
		wr_fmt(&w, "%s%s", verb != NULL ? ", " : "", verbs[i].object);
		verb = verbs[i].name;
	}
	if (verb == NULL)
		session_fault(s, "400 Unknown command, 'help' lists what can be said now");
	else
		session_fault(s, "400 '%s' needs one of these after it: %s", verb,
			      wr_cstr(&w) != NULL ? known : "see help");
}

static const struct verb *find(const struct words *words)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (word_is(words->at[0], verbs[i].name) &&
		    (verbs[i].object == NULL || word_is(words->at[1], verbs[i].object)))
			return &verbs[i];
	return NULL;
}

void verbs_dispatch(struct session *s, const char *line, size_t len, wall_t now)
{
	struct words words = words_split(line, len);
	const struct verb *verb = find(&words);
	struct session_args args = { .rest = words.rest, .now = now };
	size_t own;

	if (verb == NULL) {
		say_unknown(s, words.at[0]);
		return;
	}
	if ((verb->states & 1u << s->state) == 0) {
		session_fault(s, "400 '%s' cannot be said now: %s", verb->name, hint(s->state));
		return;
	}
	own = verb->object != NULL ? 2 : 1;
	args.n = words.n - own;
	args.at = words.at + own;
	if (args.n < verb->min_args ||
	    (verb->max_args != VERB_ANY_ARGS && args.n > verb->max_args)) {
		session_fault(s, "400 Say it as: %s", verb->usage);
		return;
	}
	verb->run(s, &args);
}
