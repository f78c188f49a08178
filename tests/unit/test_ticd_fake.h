/*
 * A store for the tests: holds the one question under way with a copy of its parameters until the
 * test answers it. And a session around it whose clock, challenge and peer are the test's.
 */
#ifndef TESTS_UNIT_TEST_TICD_FAKE_H
#define TESTS_UNIT_TEST_TICD_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "tests/unit/test_ticd_feed.h"
#include "ticd/core/dialogue.h"

enum { FAKE_PARAM = 1100, FAKE_OUT = 64 * 1024 };

struct fake {
	struct store store;
	struct store_call *call; /* NULL: nothing asked */
	char params[STORE_PARAMS_MAX][FAKE_PARAM];
	bool is_null[STORE_PARAMS_MAX];
	unsigned asked, forgotten, changed;

	struct session_env env;
	struct session session;
	char out[FAKE_OUT]; /* all that was said, NUL-terminated */
	size_t out_len;
};

struct fake_rows {
	size_t cols;
	const char *const *cells;
};

static inline void fake_ask(struct store *store, struct store_call *call, const char *const *params)
{
	struct fake *f = container_of(store, struct fake, store);

	if (f->call != NULL)
		abort(); /* one question at a time */
	f->call = call;
	f->asked++;
	call->active = true;
	for (size_t i = 0; i < store_shape(call->question)->params; i++) {
		f->is_null[i] = params[i] == NULL;
		snprintf(f->params[i], FAKE_PARAM, "%s", params[i] != NULL ? params[i] : "\\N");
	}
}

static inline void fake_forget(struct store *store, struct store_call *call)
{
	struct fake *f = container_of(store, struct fake, store);

	if (call->active) {
		f->forgotten++;
		f->call = NULL;
	}
	call->active = false;
}

static inline const char *fake_cell(const void *res, size_t row, size_t col)
{
	const struct fake_rows *rows = res;
	const char *text = rows->cells[row * rows->cols + col];

	return text != NULL ? text : "";
}

/* Answers the question under way; `cells` has rows * the question's columns entries. */
static inline void fake_answer(struct fake *f, int err, const char *message,
			       const char *const *cells, size_t rows)
{
	struct store_call *call = f->call;
	struct fake_rows res = { .cols = store_shape(call->question)->cols, .cells = cells };
	struct store_answer answer = {
		.err = err, .message = message, .rows = rows, .res = &res, .cell = fake_cell
	};

	f->call = NULL;
	call->active = false;
	call->done(call->ctx, &answer);
}

static inline bool fake_random(void *out, size_t len)
{
	static const uint8_t captured[16] = { 0x5f, 0x2b, 0x1c, 0x0a, 0x9e, 0x8d, 0x7c, 0x6b,
					      0x5a, 0x49, 0x38, 0x27, 0x16, 0x05, 0x14, 0x23 };

	for (size_t i = 0; i < len; i++)
		((uint8_t *)out)[i] = captured[i % sizeof(captured)];
	return true;
}

static inline void fake_changed(void *ctx)
{
	((struct fake *)ctx)->changed++;
}

/* A greeted session at 10.9.0.2, with the challenge of the captured dialogue. */
static inline void fake_start(struct fake *f, struct digest_ctx *digest)
{
	static struct failures *failures; /* of all sessions of the process */
	struct peer peer;

	if (!failures && !(failures = failures_create()))
		abort();
	if (peer_parse("10.9.0.2", 8, &peer) != 0)
		abort();
	memset(f, 0, offsetof(struct fake, out)); /* but for the large buffer of what was said */
	f->out[0] = '\0';
	f->out_len = 0;
	f->store = (struct store){ .ask = fake_ask, .forget = fake_forget };
	f->env = (struct session_env){ .service = "TIC Service on tic.example.net",
				       .url = "http://example.net",
				       .store = &f->store,
				       .failures = failures,
				       .digest = digest,
				       .random = fake_random,
				       .fake_key = { 1, 2, 3 } };
	session_init(&f->session, &f->env, &peer, fake_changed, f);
}

/* What a connection does after each event: runs the dialogue, takes its output. */
static inline void fake_run(struct fake *f, wall_t now)
{
	struct session *s = &f->session;
	bool was_full;

	do {
		dialogue_run(s, now, (mono_t){ 0 });
		was_full = session_is_backlogged(s);
		if (!session_has_output(s))
			return;
		if (out_len(&s->out) + f->out_len >= FAKE_OUT)
			abort();
		memcpy(f->out + f->out_len, out_data(&s->out), out_len(&s->out));
		f->out_len += out_len(&s->out);
		f->out[f->out_len] = '\0';
		out_drop(&s->out, out_len(&s->out));
	} while (was_full);
}

/* Puts text in as a client would, as much as fits, and runs the dialogue. */
static inline void fake_say(struct fake *f, const char *text, wall_t now)
{
	size_t len = strlen(text);

	while (len > 0) {
		size_t n = line_feed(&f->session.in, text, len);

		text += n;
		len -= n;
		fake_run(f, now);
		if (n == 0)
			return;
	}
}

/* The captured user: TEST-SIXXS with the secret "blog-pass". */
#define FAKE_MD5 "6766ad17a4f9f732803f986feef5160b"
#define FAKE_SHA256 "4fddd718af9e1f929a3e9eec0a6c1073539d9dc3ca05a0af4fd63f8ffb341dfd"
#define FAKE_MD5_ANSWER "64da47367be8017a5f63484a787c1da9"
#define FAKE_SHA256_ANSWER "0e052402a9caa8bf7b715521c24502d1598397517d57a7dc3be5841e371d1125"

static const char *const fake_account[] = { "12",     "TEST-SIXXS", "Test User",
					    FAKE_MD5, FAKE_SHA256,  "t" };
static const char *const fake_accepted[] = { "77", NULL };
static const char *const fake_restricted[] = { NULL, "TEST-SIXXS has logged in too often." };

static inline void fake_login_answered(struct fake *f, wall_t now, const char *const *accepted)
{
	fake_say(f, "username TEST-SIXXS\nchallenge md5\nauthenticate md5 " FAKE_MD5_ANSWER "\n",
		 now);
	fake_answer(f, 0, "", fake_account, 1);
	fake_answer(f, 0, "", accepted, 1);
	fake_run(f, now);
}

/* Logs the captured user in. */
static inline void fake_login(struct fake *f, wall_t now)
{
	fake_login_answered(f, now, fake_accepted);
}

/* The same with too many logins of the name: only a tunnel may be shown. */
static inline void fake_login_restricted(struct fake *f, wall_t now)
{
	fake_login_answered(f, now, fake_restricted);
}

#endif
