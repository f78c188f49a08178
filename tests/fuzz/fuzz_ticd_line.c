/*
 * Lines, tokens and replies. The first byte cuts the rest into pieces, the second may put a line of
 * about the maximum length before it. However a stream arrives, it gives the same lines, of
 * printable text and not too long; their tokens lie in them; and a reply made of them is whole
 * lines of ASCII that fit a client's buffer.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test_ticd_feed.h"
#include "ticd/proto/line.h"
#include "ticd/proto/reply.h"
#include "ticd/proto/tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORD = 4096 };

/* The lines, one after the other, and how the stream ended. */
struct record {
	char text[RECORD];
	size_t len;
	enum line_result end;
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_reply(const struct tokens *t)
{
	static struct reply r;

	reply_init(&r);
	reply_line(&r, "200 %.*s", (int)t->rest.len, t->rest.text);
	reply_field(&r, "Key", "before ", t->rest.len > 0 ? "value \x80\n" : NULL, 100);
	require(reply_len(&r) <= REPLY_MAX && memcmp(r.buf, "200 ", 4) == 0);
	for (size_t i = 0; i < reply_len(&r); i++)
		require((r.buf[i] >= ' ' && r.buf[i] <= '~') || r.buf[i] == '\n');
	require(r.buf[reply_len(&r) - 1] == '\n');
}

static void check_tokens(const char *text, size_t len)
{
	struct tokens t = tokens_split(text, len);
	char copy[32];

	require(t.rest.len <= len);
	for (size_t i = 0; i < TOKENS_MAX; i++) {
		const struct token *one = &t.at[i];
		require((one->len > 0) == (i < t.n));
		require(one->len == 0 || (one->text >= text && one->text + one->len <= text + len));
		require(!memchr(one->text, ' ', one->len) && !memchr(one->text, '\t', one->len));
		token_copy(*one, copy, sizeof(copy));
		require(strlen(copy) == (one->len < sizeof(copy) ? one->len : sizeof(copy) - 1));
		require(token_is(*one, copy) == (one->len < sizeof(copy)));
	}
	check_reply(&t);
}

static void take(struct line_in *in, struct record *r, bool check)
{
	const char *text;
	size_t len;

	while ((r->end = line_next(in, &text, &len)) == LINE_TEXT) {
		require(len <= LINE_TEXT_MAX && r->len + len < RECORD);
		for (size_t i = 0; i < len; i++)
			require((text[i] >= ' ' && text[i] <= '~') || text[i] == '\t');
		memcpy(r->text + r->len, text, len);
		r->len += len;
		r->text[r->len++] = '\n';
		if (check)
			check_tokens(text, len);
	}
}

static void feed(const uint8_t *data, size_t size, size_t step, struct record *r)
{
	static struct line_in in;

	line_init(&in);
	r->len = 0;
	r->end = LINE_NONE;
	for (size_t at = 0; at < size && r->end == LINE_NONE;) {
		size_t n = line_feed(&in, data + at, size - at < step ? size - at : step);
		require(n > 0);
		at += n;
		take(&in, r, step > size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct record whole, pieces;
	static uint8_t stream[RECORD / 2];

	if (size < 2 || size > RECORD / 4)
		return 0;
	size_t filler = data[1] >= 0xf0 ? LINE_TEXT_MAX - 8 + (data[1] & 15u) : 0,
	       len = filler + size - 2;
	memset(stream, 'x', filler);
	memcpy(stream + filler, data + 2, size - 2);
	feed(stream, len, len + 1, &whole);
	feed(stream, len, data[0] ? data[0] : 1, &pieces);
	require(whole.end == pieces.end && whole.len == pieces.len &&
		memcmp(whole.text, pieces.text, whole.len) == 0);
	return 0;
}
