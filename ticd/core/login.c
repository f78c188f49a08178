#include "ticd/core/login.h"

#include <stdio.h>
#include <string.h>

#include "lib/num.h"

static const char *nullable(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

/* A name longer than any handle is cut, looked up and not found, like any other unknown one. */
void login_run_username(struct session *s, const struct session_args *args)
{
	token_copy(args->at[0], s->login, sizeof(s->login));
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
			"500 A clear-text password needs TLS: send starttls first, or choose md5 or sha256");
		return;
	}
	if (method == AUTH_COOKIE || method == AUTH__COUNT) {
		session_say(s, "500 This kind of challenge is not supported, choose md5 or sha256");
		return;
	}
	if (!s->env->random(bytes, sizeof(bytes))) {
		log_limited(&s->env->faults, 10, 10, LOG_LEVEL_ERROR,
			    "nobody can log in: the system gives no random bytes");
		session_say(
			s,
			"400 No challenge can be generated at the moment, please try again in a minute");
		return;
	}
	s->method = method;
	hex_encode(bytes, sizeof(bytes), s->challenge);
	session_set_state(s, SESSION_AUTHENTICATE);
	session_say(s, "200 %s", s->challenge);
}

/* Says in the log how many failures an address has, once it is slowed for them. */
static void log_refusal(struct session *s, const char *reason)
{
	struct failures_record record = failures_of(s->env->failures, &s->peer.ip, s->line_at);
	char prefix[PEER_PREFIX_TEXT], count[120] = "";

	if (record.delay_ms > 0)
		snprintf(count, sizeof(count),
			 "; %u failures from %s, which now waits %lld ms for each answer",
			 record.count, peer_prefix_text(&record.prefix, prefix),
			 (long long)record.delay_ms);
	log_limited(record.delay_ms > 0 ? &s->env->slowed : &s->env->refusals, 20, 10,
		    LOG_LEVEL_INFO, "%s: login as %s refused: %s%s", s->peer.text, s->login, reason,
		    count);
}

/* Logs the reason and hides it from the client: the sentence is always the same, and it is sent at a
 * fixed time after the line. The third refusal closes. */
static void refuse(struct session *s, const char *reason)
{
	failures_add(s->env->failures, &s->peer.ip, s->line_at);
	log_refusal(s, reason);
	session_set_state(s, SESSION_INITIAL);
	session_hold(s, SESSION_REFUSAL_MS);
	if (++s->failures >= SESSION_FAILURES_MAX)
		session_close(s,
			      "500 Login failed, the user name or the password is wrong; goodbye");
	else
		session_say(s, "500 Login failed, the user name or the password is wrong");
}

/* The same after the client has proved its identity and was told the reason. */
static void refuse_known(struct session *s, const char *reason)
{
	log_limited(&s->env->refusals, 20, 10, LOG_LEVEL_INFO, "%s: login as %s refused: %s",
		    s->peer.text, s->handle, reason);
	session_set_state(s, SESSION_INITIAL);
	s->failures++;
}

static void accept_answered(struct session *s, const struct store_answer *a)
{
	if (a->err != 0 || a->rows == 0) {
		session_say_error(s, a);
		refuse_known(s, "the database did not answer");
		return;
	}
	log_limited(&s->env->logins, 100, 10, LOG_LEVEL_INFO,
		    "%s: %s logged in using %s over %s, client: %s", s->peer.text, s->handle,
		    auth_method_name(s->method), s->tls == SESSION_TLS_ON ? "TLS" : "clear text",
		    s->client[0] != '\0' ? s->client : "unknown");
	session_say(s, "200 Successfully logged in using %s as %s (%s) from %s",
		    auth_method_name(s->method), s->handle, s->full_name, s->peer.text);
	snprintf(s->login_id, sizeof(s->login_id), "%s", store_cell(a, 0, ACCEPT_LOGIN));
	snprintf(s->refusal, sizeof(s->refusal), "%s", store_cell(a, 0, ACCEPT_REFUSAL));
	session_set_state(s, s->login_id[0] != '\0' ? SESSION_MAIN : SESSION_SHOW_ONLY);
}

static void ask_accept(struct session *s)
{
	const char *params[] = { s->account,
				 nullable(s->tunnel),
				 auth_method_name(s->method),
				 s->peer.text,
				 s->tls == SESSION_TLS_ON ? "t" : "f",
				 nullable(s->client) };

	session_ask(s, STORE_LOGIN_ACCEPT, params, accept_answered);
}

static void take_account(struct session *s, const struct store_answer *a)
{
	snprintf(s->account, sizeof(s->account), "%s", store_cell(a, 0, LOGIN_ACCOUNT));
	snprintf(s->full_name, sizeof(s->full_name), "%s", store_cell(a, 0, LOGIN_FULL_NAME));
	snprintf(s->handle, sizeof(s->handle), "%.32s%s%.10s", store_cell(a, 0, LOGIN_HANDLE),
		 s->tunnel[0] != '\0' ? "/T" : "", s->tunnel);
}

/* Every login computes the fake secret, so that an unknown one takes no longer. */
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
		refuse(s, "OpenSSL computed no digest");
		return;
	}
	is_known = a->rows > 0 && auth_secret_set(&secret, store_cell(a, 0, LOGIN_MD5),
						  store_cell(a, 0, LOGIN_SHA256));
	is_right = auth_check(s->env->digest, s->method, s->challenge, &secret, &s->response);
	secure_zero(&secret, sizeof(secret));
	if (!is_known || !is_right) {
		refuse(s, a->rows == 0 ? "no such login"
			  : is_known   ? "wrong secret"
				       : "its digests in the database are unusable");
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

/* HANDLE or HANDLE/T123; anything else stays whole and is not found. */
static void split_login(struct session *s, char handle[static SESSION_LOGIN])
{
	const char *slash = strchr(s->login, '/');
	uint32_t id;

	memcpy(handle, s->login, SESSION_LOGIN);
	s->tunnel[0] = '\0';
	if (!slash || num_parse_tunnel_id(slash + 1, strlen(slash + 1), &id) != 0)
		return;
	handle[slash - s->login] = '\0';
	snprintf(s->tunnel, sizeof(s->tunnel), "%u", id);
}

void login_run_authenticate(struct session *s, const struct session_args *args)
{
	char handle[SESSION_LOGIN];
	const char *params[] = { handle, NULL };

	if (auth_method_find(args->at[0]) != s->method) {
		session_say(s, "500 The challenge was for %s; start again with username",
			    auth_method_name(s->method));
		session_set_state(s, SESSION_INITIAL);
		return;
	}
	/* Right or wrong: an answer that comes in time would tell which it is. */
	session_hold(s, failures_of(s->env->failures, &s->peer.ip, s->line_at).delay_ms);
	if (!auth_response_set(s->env->digest, s->method, args->at[1], &s->response)) {
		refuse(s, "OpenSSL computed no digest");
		return;
	}
	split_login(s, handle);
	params[1] = nullable(s->tunnel);
	session_ask(s, STORE_LOGIN, params, login_answered);
}
