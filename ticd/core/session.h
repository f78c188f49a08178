/*
 * One TIC dialogue: lines in, replies out, no socket. The owner puts bytes into `in` (line_room,
 * line_added), calls session_run, and sends what `out` holds. One line is worked on at a time:
 * while the store is being asked the next ones wait in `in`, and so they do while a long list is
 * still in `out`.
 *
 * TLS: starttls stops the session with `tls` at SESSION_TLS_ASKED. The owner, who alone can see
 * whether the client sent anything early, then calls session_tls_grant, session_tls_injected or
 * session_tls_refuse; after a grant it sends `out`, shakes hands and calls session_tls_started.
 */
#ifndef TICD_CORE_SESSION_H
#define TICD_CORE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/clock.h"
#include "lib/digest.h"
#include "lib/ip.h"
#include "lib/log.h"
#include "ticd/core/out.h"
#include "ticd/core/store.h"
#include "ticd/proto/auth.h"
#include "ticd/proto/line.h"
#include "ticd/proto/reply.h"

enum session_state {
	SESSION_NEW,          /* nothing said yet */
	SESSION_INITIAL,      /* greeted */
	SESSION_CHALLENGE,    /* has a user name */
	SESSION_AUTHENTICATE, /* has a challenge */
	SESSION_MAIN,         /* logged in */
	SESSION_CLOSING,      /* takes no more lines; to be closed when `out` is empty */
	SESSION__COUNT
};

enum session_tls { SESSION_TLS_OFF, SESSION_TLS_ASKED, SESSION_TLS_GRANTED, SESSION_TLS_ON };

enum {
	SESSION_LOGIN = 64,       /* a user name as sent, with NUL; handles are at most 32 */
	SESSION_HANDLE = 48,      /* HANDLE or HANDLE/T123, with NUL */
	SESSION_NAME = 100,       /* a full name, with NUL */
	SESSION_CLIENT = 160,     /* the client's own words about itself, with NUL */
	SESSION_ID = 24,          /* a number as text, with NUL */
	SESSION_SUBJECT = 40,     /* an id or a PoP's name, with NUL */
	SESSION_FAILURES_MAX = 3, /* refused logins in one session */
	SESSION_FAULTS_MAX = 20,  /* lines in one session that were not understood */
	/* between the question who somebody is and the answer that it is wrong */
	SESSION_REFUSAL_MS = 50,
	SESSION_OUT_LOW = 4096, /* no further line is worked on while more than this is unsent */
};

/* What all sessions share; the owner changes it between calls (a reload). */
struct session_env {
	const char *service, *url; /* of the greeting; the base URL without a final slash */
	bool has_tls;
	unsigned logins_per_hour; /* 0: any number */
	struct store *store;
	struct digest_ctx *digest;
	bool (*random)(void *out, size_t len);
	uint8_t fake_key[AUTH_KEY_BYTES]; /* random, for auth_secret_fake */
	struct log_limit logins, failures, faults;
};

struct session {
	struct session_env *env;
	/* An answer of the store came in: call session_run and send. Must not free the session. */
	void (*changed)(void *ctx);
	void *changed_ctx;

	enum session_state state; /* session_set_state is the only writer */
	enum session_tls tls;
	struct line_in in;
	struct out out;

	char address[IP6_TEXT]; /* the peer's; IPv4 in its own form */
	bool is_ip4;
	char client[SESSION_CLIENT];

	char login[SESSION_LOGIN]; /* from `username` until logged in */
	enum auth_method method;
	char challenge[AUTH_CHALLENGE_HEX];
	struct auth_response response;
	/* as the store numbers them; tunnel "" unless this is a login for one tunnel only */
	char account[SESSION_ID], tunnel[SESSION_ID];
	char handle[SESSION_HANDLE], full_name[SESSION_NAME];
	unsigned failures, faults;
	/* `out` ends in a refused login: the owner sends it SESSION_REFUSAL_MS after the question,
	 * and clears this. */
	bool is_refusal;

	struct store_call asking; /* the question under way */
	void (*answered)(struct session *s, const struct store_answer *answer);
	char subject[SESSION_SUBJECT]; /* the id or name the question is about */
};

/* Takes nothing over; `env` outlives the session. */
void session_init(struct session *s, struct session_env *env, const char *address, bool is_ip4,
		  void (*changed)(void *), void *ctx) NONNULL_ARGS(1, 2, 3, 5);
/* Forgets the question under way, frees `out`, wipes what was secret. */
void session_end(struct session *s) NONNULL;

void session_greet(struct session *s) NONNULL;

/* Works on the waiting lines as far as that is possible now. */
void session_run(struct session *s, wall_t now) NONNULL;
/* Would session_run take a line now, if there was one? */
bool session_can_run(const struct session *s) NONNULL;

void session_tls_grant(struct session *s) NONNULL;
void session_tls_injected(struct session *s) NONNULL;
void session_tls_refuse(struct session *s)
	NONNULL; /* it cannot be had now; the dialogue goes on in clear */
void session_tls_started(struct session *s) NONNULL;

/* Says the sentence (code included) and closes. */
void session_close(struct session *s, const char *fmt, ...) NONNULL FORMAT(2, 3);

/* For the verbs (ticd/core/verbs.c, login.c, queries.c). */
struct session_args {
	size_t n;
	const struct word *at; /* those after the verb's own words */
	struct word rest;      /* everything after the first word */
	wall_t now;
};
void session_set_state(struct session *s, enum session_state state) NONNULL;
const char *session_state_name(enum session_state state);
/* One line; the bytes of a reply built elsewhere. */
void session_say(struct session *s, const char *fmt, ...) NONNULL FORMAT(2, 3);
void session_put(struct session *s, const struct reply *reply) NONNULL;
/* A line that could not be understood: says why, and closes after too many. */
void session_fault(struct session *s, const char *fmt, ...) NONNULL FORMAT(2, 3);
/* Asks the store; lines wait until `answered` has been called. */
void session_ask(struct session *s, enum store_question q, const char *const *params,
		 void (*answered)(struct session *s, const struct store_answer *answer))
	NONNULL_ARGS(1, 4);
/* Says what an answer with an error means for the user. */
void session_say_error(struct session *s, const struct store_answer *answer) NONNULL;

#endif
