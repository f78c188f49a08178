#include "ticd/core/verbs.h"

#include "ticd/core/login.h"
#include "ticd/core/queries.h"

#define IN(state) (1u << SESSION_##state)
#define IN_ANY (IN(INITIAL) | IN(CHALLENGE) | IN(AUTHENTICATE) | IN(SHOW_ONLY) | IN(MAIN))

static void run_help(struct session *s, const struct session_args *args);

/* Any self-description is accepted; it is logged and kept for statistics, nothing depends on it. */
static void run_client(struct session *s, const struct session_args *args)
{
	token_copy(args->rest, s->client, sizeof(s->client));
	log_debug("%s: client %s", s->peer.text, s->client);
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
		session_say(s, "500 TLS is already in use");
	else if (!s->env->has_tls)
		session_say(s, "500 This service is not TLS enabled");
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
	  "client TIC/draft-00 <name>/<version> <os>/<version>", "identify the client" },
	{ "get", "unixtime", IN_ANY, 0, 0, run_unixtime, "get unixtime",
	  "show the server's clock in seconds since 1970" },
	{ "starttls", NULL, IN(INITIAL), 0, 0, run_starttls, "starttls", "continue in TLS" },
	{ "username", NULL, IN(INITIAL), 1, 1, login_run_username, "username <handle>[/T<id>]",
	  "start a login" },
	{ "challenge", NULL, IN(CHALLENGE), 1, 1, login_run_challenge, "challenge md5|sha256|clear",
	  "ask for a challenge" },
	{ "authenticate", NULL, IN(AUTHENTICATE), 2, 2, login_run_authenticate,
	  "authenticate <method> <response>", "answer the challenge" },
	{ "tunnel", "list", IN(MAIN), 0, 0, queries_run_tunnel_list, "tunnel list",
	  "list your tunnels" },
	{ "tunnel", "show", IN(SHOW_ONLY) | IN(MAIN), 1, 1, queries_run_tunnel_show,
	  "tunnel show T<id>", "show one tunnel" },
	{ "tunnel", "set", IN(MAIN), 3, 3, queries_run_tunnel_set,
	  "tunnel set T<id> endpoint <ipv4>|current", "move a static tunnel (costs ISK)" },
	{ "tunnel", "set", IN(MAIN), 3, 3, queries_run_tunnel_set,
	  "tunnel set T<id> state enabled|disabled", "switch a tunnel on or off" },
	{ "route", "list", IN(MAIN), 0, 0, queries_run_route_list, "route list",
	  "list your subnets" },
	{ "route", "show", IN(MAIN), 1, 1, queries_run_route_show, "route show R<id>",
	  "show one subnet" },
	{ "pop", "list", IN(MAIN), 0, 0, queries_run_pop_list, "pop list", "list the PoPs" },
	{ "pop", "show", IN(MAIN), 1, 1, queries_run_pop_show, "pop show <pop>", "show one PoP" },
	{ "help", NULL, IN_ANY, 0, VERB_ANY_ARGS, run_help, "help", "list these commands" },
	{ "quit", NULL, IN_ANY, 0, VERB_ANY_ARGS, run_quit, "quit", "close the connection" },
	{ "exit", NULL, IN_ANY, 0, VERB_ANY_ARGS, run_quit, "exit", "the same as quit" },
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
	reply_line(&reply, "201 Commands that are possible now");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if ((verbs[i].states & 1u << s->state) != 0)
			reply_line(&reply, "%s - %s", verbs[i].usage, verbs[i].help);
	reply_line(&reply, "202 Done");
	session_put(s, &reply);
}
