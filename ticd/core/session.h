/*
 * The state of one TIC session: who the client is, the bytes it sent that wait to be read as lines,
 * the replies that wait to be sent, and the question to the store that is under way. It has no
 * socket, clock or loop, and knows no command: ticd/core/dialogue.h runs lines on it, the verbs
 * change it, and the connection asks it what to wait for.
 *
 * The session owns its buffers and nothing else; the store, the digests and the settings come with
 * struct session_env.
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
#include "lib/peer.h"
#include "ticd/core/failures.h"
#include "ticd/core/out.h"
#include "ticd/core/store.h"
#include "ticd/proto/auth.h"
#include "ticd/proto/line.h"
#include "ticd/proto/reply.h"
#include "ticd/proto/tokens.h"

enum session_state {
	SESSION_NEW,          /* not yet greeted */
	SESSION_INITIAL,      /* greeted */
	SESSION_CHALLENGE,    /* has a user name */
	SESSION_AUTHENTICATE, /* has a challenge */
	SESSION_SHOW_ONLY,    /* logged in, but only tunnels may be shown: see `refusal` */
	SESSION_MAIN,         /* logged in */
	SESSION_CLOSING,      /* takes no more lines; to be closed when `out` is empty */
	SESSION__COUNT
};

enum session_tls {
	SESSION_TLS_OFF,
	SESSION_TLS_ASKED,   /* by the client; the connection answers (ticd/core/dialogue.h) */
	SESSION_TLS_GRANTED, /* the handshake begins when `out` is empty */
	SESSION_TLS_ON
};

enum {
	SESSION_LOGIN = 64,       /* a user name as sent, with NUL; handles are at most 32 */
	SESSION_HANDLE = 48,      /* HANDLE or HANDLE/T123, with NUL */
	SESSION_NAME = 100,       /* a full name, with NUL */
	SESSION_CLIENT = 160,     /* how the client describes itself, with NUL */
	SESSION_ID = 24,          /* a number as text, with NUL */
	SESSION_SUBJECT = 40,     /* an id or a PoP's name, with NUL */
	SESSION_SENTENCE = 300,   /* why something is refused, with NUL */
	SESSION_FAILURES_MAX = 3, /* refused logins in one session */
	SESSION_REJECTS_MAX = 20, /* invalid lines in one session */
	/* From the authenticate line to the reply that refuses it, so that the time of the look-up
	 * tells nothing about the account. */
	SESSION_REFUSAL_MS = 50,
	SESSION_BACKLOG_MAX = 4096, /* no line is read while more bytes than this are unsent */
};

/* What all sessions share; the owner changes it between calls (a reload). */
struct session_env {
	const char *service, *url; /* of the greeting; the base URL without a final slash */
	bool has_tls;
	struct store *store;
	struct failures *failures;
	struct digest_ctx *digest;
	bool (*random)(void *out, size_t len);
	uint8_t fake_key[AUTH_KEY_BYTES]; /* random, for auth_secret_fake */
	struct log_limit logins, refusals, slowed, faults;
};

struct session {
	struct session_env *env;
	/* The store has answered: run the dialogue and send. Must not free the session. */
	void (*changed)(void *ctx);
	void *changed_ctx;

	enum session_state state; /* session_set_state is the only writer */
	enum session_tls tls;
	struct line_in in;
	struct out out;

	struct peer peer;
	char client[SESSION_CLIENT];

	char login[SESSION_LOGIN]; /* from `username` until logged in */
	enum auth_method method;
	char challenge[AUTH_CHALLENGE_HEX];
	struct auth_response response;
	/* as the store numbers them; tunnel "" unless this is a login for one tunnel only */
	char account[SESSION_ID], tunnel[SESSION_ID];
	char handle[SESSION_HANDLE], full_name[SESSION_NAME];
	char login_id[SESSION_ID]; /* as the store numbers logins; "": not recorded */
	/* in SESSION_SHOW_ONLY: why everything else is refused */
	char refusal[SESSION_SENTENCE];
	unsigned failures, rejects;
	mono_t line_at;    /* when the line that is being answered was read */
	mono_t held_until; /* when `is_held`: nothing is sent before */
	bool is_held;

	struct store_call asking; /* the question under way */
	void (*answered)(struct session *s, const struct store_answer *answer);
	char subject[SESSION_SUBJECT]; /* the id or name the question is about */
};

/* Takes no ownership; `env` outlives the session. */
void session_init(struct session *s, struct session_env *env, const struct peer *peer,
		  void (*changed)(void *), void *ctx) NONNULL_ARGS(1, 2, 3, 4);
/* Forgets the question under way, frees `out`, wipes what was secret. */
void session_end(struct session *s) NONNULL;

/* The one door to `state`: leaves the old one, enters the new one, logs. */
void session_set_state(struct session *s, enum session_state state) NONNULL;
const char *session_state_name(enum session_state state);

/* Questions of the connection. */

static inline bool session_is_closing(const struct session *s)
{
	return s->state == SESSION_CLOSING;
}
static inline bool session_is_logged_in(const struct session *s)
{
	return s->state == SESSION_MAIN || s->state == SESSION_SHOW_ONLY;
}
/* The store has not answered yet. */
static inline bool session_is_asking(const struct session *s)
{
	return s->asking.active;
}
/* It is the client's turn to send something. */
static inline bool session_awaits_client(const struct session *s)
{
	return !session_is_asking(s) && !session_is_closing(s);
}
/* Bytes from the client have a use and a place. */
static inline bool session_takes_input(const struct session *s)
{
	return !session_is_closing(s) && !line_is_full(&s->in);
}
/* Replies wait to be sent. */
static inline bool session_has_output(const struct session *s)
{
	return out_len(&s->out) > 0;
}
/* So many replies wait to be sent that no further line is read. */
static inline bool session_is_backlogged(const struct session *s)
{
	return out_len(&s->out) > SESSION_BACKLOG_MAX;
}
static inline bool session_wants_tls(const struct session *s)
{
	return s->tls == SESSION_TLS_ASKED;
}
/* The reply that grants TLS is sent: the next bytes are the handshake's. */
static inline bool session_awaits_handshake(const struct session *s)
{
	return s->tls == SESSION_TLS_GRANTED && !session_is_closing(s) && !session_has_output(s);
}
/* Milliseconds for which nothing may be sent: the answer to a login is held back (session_hold). */
int64_t session_hold_ms(struct session *s, mono_t now) NONNULL;

/* For the verbs (ticd/core/verbs.c, login.c, queries.c) and the dialogue. */

struct session_args {
	size_t n;
	const struct token *at; /* the tokens after the verb's own */
	struct token rest;      /* everything after the first token */
	wall_t now;
};

/* One line; the bytes of a reply built elsewhere. A reply that cannot be kept closes. */
void session_say(struct session *s, const char *fmt, ...) NONNULL FORMAT(2, 3);
void session_put(struct session *s, const struct reply *reply) NONNULL;
/* Says why a line is invalid, and closes after SESSION_REJECTS_MAX of them. */
void session_reject(struct session *s, const char *fmt, ...) NONNULL FORMAT(2, 3);
/* Says the sentence (code included) and closes. */
void session_close(struct session *s, const char *fmt, ...) NONNULL FORMAT(2, 3);

/* What is said from now on goes out `ms` after the line that is being answered was read, or later. */
void session_hold(struct session *s, int64_t ms) NONNULL;

/* Asks the store; no line is read until `answered` has been called. */
void session_ask(struct session *s, enum store_question q, const char *const *params,
		 void (*answered)(struct session *s, const struct store_answer *answer))
	NONNULL_ARGS(1, 4);
/* Says what an answer with an error means for the user. */
void session_say_error(struct session *s, const struct store_answer *answer) NONNULL;

#endif
