/*
 * A whole TIC session from bytes, with a store whose answers the first byte chooses. The output is
 * always whole lines of printable ASCII, none longer than the clients' buffers, and every reply
 * begins with a code.
 */
#include <ctype.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/log.h"
#include "tests/unit/test_ticd_fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ANSWERS_MAX = 200 };

static struct digest_ctx *digest_of_fuzz;
static struct fake fake;
static const wall_t now = { 1795423260 };

static void require(bool holds)
{
	if (!holds)
		abort();
}

static const char *const *row_of(enum store_question question, uint8_t flags)
{
	static const char *const tunnel[] = { "12",
					      "ayiya",
					      "2001:db8:2ff::2",
					      "2001:db8:2ff::1",
					      "64",
					      "1280",
					      "A\nName",
					      "demo01",
					      "ayiya",
					      "192.0.2.1",
					      "enabled",
					      "enabled",
					      "0123456789abcdef0123456789abcdef",
					      "60",
					      "up" };
	static const char *const pop[] = {
		"demo01", "Z\xc3\xbcrich", "CH", "192.0.2.1", "2001:db8::1", NULL, "", NULL, NULL,
		NULL
	};
	static const char *const other[] = { "1",      "2001:db8:2ff::2", "heartbeat",
					     "demo01", "enabled",         "2026-11-23T13:45:12Z" };

	switch (question) {
	case STORE_LOGIN:
		return fake_account;
	case STORE_LOGIN_ACCEPT:
		return (flags & 0x20) != 0 ? fake_restricted : fake_accepted;
	case STORE_TUNNEL_SHOW:
		return tunnel;
	case STORE_POP_SHOW:
		return pop;
	default:
		return other;
	}
}

/* Mostly good answers, so that the session gets far. */
static void answer(uint8_t flags, unsigned count)
{
	static const int errors[] = { -ERR_REFUSED, -ERR_AWAY, -ERR_TIMEOUT, -ERR_BUSY,
				      -ERR_FORMAT };

	if ((flags & 0x40) != 0 && count % 5 == 4)
		fake_answer(&fake, errors[count / 5 % 5], "a\nsentence", NULL, 0);
	else if ((flags & 0x80) != 0 && count % 3 == 2)
		fake_answer(&fake, 0, "", NULL, 0);
	else
		fake_answer(&fake, 0, "", row_of(fake.call->question, flags), 1);
}

/* Takes what was said and checks it; replies inside 201 ... 202 have no code. */
static void check_output(bool *is_inside)
{
	const char *line = fake.out, *end;

	for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		bool has_code = isdigit(line[0]) && isdigit(line[1]) && isdigit(line[2]) &&
				line[3] == ' ';

		require(end - line < REPLY_MAX);
		for (const char *c = line; c < end; c++)
			require(*c >= ' ' && *c <= '~');
		if (*is_inside)
			*is_inside = strncmp(line, "202 ", 4) != 0;
		else
			require(has_code);
		if (has_code && strncmp(line, "201 ", 4) == 0)
			*is_inside = true;
	}
	require(*line == '\0');
	fake.out_len = 0;
	fake.out[0] = '\0';
}

static void settle(uint8_t flags, unsigned *answers, bool *is_inside)
{
	for (;;) {
		fake_run(&fake, now);
		check_output(is_inside);
		if (fake.call != NULL && (*answers)++ < ANSWERS_MAX) {
			answer(flags, *answers);
		} else if (fake.session.tls == SESSION_TLS_ASKED) {
			if ((flags & 0x02) != 0)
				dialogue_refuse_tls(&fake.session);
			else
				dialogue_grant_tls(&fake.session);
		} else if (fake.session.tls == SESSION_TLS_GRANTED) {
			dialogue_tls_started(&fake.session);
		} else {
			return;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t flags = size > 0 ? data[0] : 0;
	size_t step = (flags & 0x1c) != 0 ? (flags & 0x1cu) * 5 : 1, at = 1;
	unsigned answers = 0;
	bool is_inside = false;

	if (digest_of_fuzz == NULL) {
		log_init("fuzz", LOG_LEVEL_ERROR);
		require(digest_init() == 0 && (digest_of_fuzz = digest_ctx_create()) != NULL);
	}
	fake_start(&fake, digest_of_fuzz);
	fake.env.has_tls = (flags & 0x01) != 0;
	dialogue_greet(&fake.session);
	settle(flags, &answers, &is_inside);
	while (at < size && fake.call == NULL && fake.session.state != SESSION_CLOSING) {
		size_t n = line_feed(&fake.session.in, data + at,
				     size - at < step ? size - at : step);

		require(n > 0);
		at += n;
		settle(flags, &answers, &is_inside);
	}
	session_close(&fake.session, "500 The end");
	settle(flags, &answers, &is_inside);
	session_end(&fake.session);
	require(fake.call == NULL && fake.session.out.buf == NULL);
	return 0;
}
