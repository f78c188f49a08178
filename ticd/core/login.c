#include "ticd/core/login.h"

#include <stdio.h>
#include <string.h>

#include "lib/num.h"

static const char *nullable(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

/* A name too long for any handle is kept cut: it will be looked up, and not be found, like any
 * other unknown one. */
void login_run_username(struct session *s, const struct session_args *args)
{
	struct word name = args->at[0];

	if (name.len >= sizeof(s->login))
		name.len = sizeof(s->login) - 1;
	if (!word_copy(name, s->login, sizeof(s->login)))
		return;
	session_set_state(s, SESSION_CHALLENGE);
	session_say(s, "200 Choose your authentication challenge please");
}

void login_run_challenge(struct session *s, const struct session_args *args)
{
	enum auth_method method = auth_method_find(args->at[0]);
	uint8_t bytes[AUTH_CHALLENGE_BYTES];

	if (method == AUTH_CLEAR && s->tls != SESSION_TLS_ON) {
		session_say(
			s,
			"500 A password in clear needs TLS: say starttls first, or choose md5 or sha256");
		return;
	}
	if (method == AUTH_COOKIE || method == AUTH__COUNT) {
		session_say(s, "500 This challenge is not known here, choose md5 or sha256");
		return;
	}
	if (!s->env->random(bytes, sizeof(bytes))) {
		log_limited(&s->env->faults, 10, 10, LOG_LEVEL_ERROR,
			    "no random bytes to be had, nobody can log in");
		session_say(
			s,
			"400 No challenge can be made at the moment, please try again in a minute");
		return;
	}
	s->method = method;
	hex_encode(bytes, sizeof(bytes), s->challenge);
	session_set_state(s, SESSION_AUTHENTICATE);
	session_say(s, "200 %s", s->challenge);
}

/* Logs the reason and says that there is none to be told; the third time it says goodbye. The
 * answer is sent at a fixed time after the question, so that how long the look-up took tells
 * nothing either. */
static void refuse(struct session *s, const char *reason)
{
	log_limited(&s->env->failures, 20, 10, LOG_LEVEL_INFO, "%s: login as %s refused: %s",
		    s->address, s->login, reason);
	session_set_state(s, SESSION_INITIAL);
	s->is_refusal = true;
	if (++s->failures >= SESSION_FAILURES_MAX)
		session_close(s,
			      "500 Login failed, the user name or the password is wrong; goodbye");
	else
		session_say(s, "500 Login failed, the user name or the password is wrong");
}

/* The same for what the user may know, having proved who they are. */
static void refuse_known(struct session *s, const char *reason)
{
	log_limited(&s->env->failures, 20, 10, LOG_LEVEL_INFO, "%s: login as %s refused: %s",
		    s->address, s->handle, reason);
	session_set_state(s, SESSION_INITIAL);
	s->failures++;
}

static void accept_answered(struct session *s, const struct store_answer *a)
{
	if (a->err != 0 || a->rows == 0) {
		session_say_error(s, a);
		refuse_known(s, "the store did not answer");
		return;
	}
	if (strcmp(store_cell(a, 0, ACCEPT_ACCEPTED), "t") != 0) {
		session_say(
			s,
			"500 More than %s logins within an hour as %s is too often: the next one is possible at %s. "
			"A client needs to log in only when it starts; see %s/ for more information.",
			store_cell(a, 0, ACCEPT_PER_HOUR), s->handle,
			store_cell(a, 0, ACCEPT_UNTIL), s->env->url);
		refuse_known(s, "too often");
		return;
	}
	log_limited(&s->env->logins, 100, 10, LOG_LEVEL_INFO,
		    "%s: %s logged in by %s in %s, client: %s", s->address, s->handle,
		    auth_method_name(s->method), s->tls == SESSION_TLS_ON ? "TLS" : "clear",
		    s->client[0] != '\0' ? s->client : "unknown");
	session_say(s, "200 Successfully logged in using %s as %s (%s) from %s",
		    auth_method_name(s->method), s->handle, s->full_name, s->address);
	session_set_state(s, SESSION_MAIN);
}

static void ask_accept(struct session *s)
{
	char per_hour[SESSION_ID];
	const char *params[] = { s->account,
				 nullable(s->tunnel),
				 auth_method_name(s->method),
				 s->address,
				 s->tls == SESSION_TLS_ON ? "t" : "f",
				 nullable(s->client),
				 per_hour };

	snprintf(per_hour, sizeof(per_hour), "%u", s->env->logins_per_hour);
	session_ask(s, STORE_LOGIN_ACCEPT, params, accept_answered);
}

static void take_account(struct session *s, const struct store_answer *a)
{
	snprintf(s->account, sizeof(s->account), "%s", store_cell(a, 0, LOGIN_ACCOUNT));
	snprintf(s->full_name, sizeof(s->full_name), "%s", store_cell(a, 0, LOGIN_FULL_NAME));
	snprintf(s->handle, sizeof(s->handle), "%.32s%s%.10s", store_cell(a, 0, LOGIN_HANDLE),
		 s->tunnel[0] != '\0' ? "/T" : "", s->tunnel);
}

/* The fake secret is made for everybody, so that it takes no longer for those who need it. */
static void login_answered(struct session *s, const struct store_answer *a)
{
	struct auth_secret secret;
	bool is_known, is_right;

	if (a->err != 0) {
		session_say_error(s, a);
		session_set_state(s, SESSION_INITIAL);
		return;
	}
	if (!auth_secret_fake(s->env->digest, s->env->fake_key, s->login, &secret)) {
		refuse(s, "a digest failed");
		return;
	}
	is_known = a->rows > 0 && auth_secret_set(&secret, store_cell(a, 0, LOGIN_MD5),
						  store_cell(a, 0, LOGIN_SHA256));
	is_right = auth_check(s->env->digest, s->method, s->challenge, &secret, &s->response);
	secure_zero(&secret, sizeof(secret));
	if (!is_known || !is_right) {
		refuse(s, a->rows == 0 ? "no such login"
			  : is_known   ? "wrong secret"
				       : "it has no usable secret");
		return;
	}
	take_account(s, a);
	if (strcmp(store_cell(a, 0, LOGIN_ENABLED), "t") != 0) {
		session_say(s, "500 The account %s is disabled; see %s/ for more information.",
			    s->handle, s->env->url);
		refuse_known(s, "the account is disabled");
		return;
	}
	ask_accept(s);
}

/* HANDLE or HANDLE/T123; anything else stays whole and will not be found. */
static void split_login(struct session *s, char handle[static SESSION_LOGIN])
{
	const char *slash = strchr(s->login, '/');
	uint32_t id;

	memcpy(handle, s->login, SESSION_LOGIN);
	s->tunnel[0] = '\0';
	if (slash == NULL || num_parse_tunnel_id(slash + 1, strlen(slash + 1), &id) != 0)
		return;
	handle[slash - s->login] = '\0';
	snprintf(s->tunnel, sizeof(s->tunnel), "%u", id);
}

void login_run_authenticate(struct session *s, const struct session_args *args)
{
	char handle[SESSION_LOGIN];
	const char *params[] = { handle, NULL };

	if (auth_method_find(args->at[0]) != s->method) {
		session_say(s, "500 The challenge was for %s, begin again with username",
			    auth_method_name(s->method));
		session_set_state(s, SESSION_INITIAL);
		return;
	}
	if (!auth_response_set(s->env->digest, s->method, args->at[1], &s->response)) {
		refuse(s, "a digest failed");
		return;
	}
	split_login(s, handle);
	params[1] = nullable(s->tunnel);
	session_ask(s, STORE_LOGIN, params, login_answered);
}
