/*
 * Responses to challenges: `method` byte, then challenge, response and secret a line each. A
 * response is accepted exactly when it is the one of the protocol, in either case of its letters,
 * and never with a method that has none.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ticd/proto/auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT = 128 };
enum { RIGHT = 0x10, SPOILED = 0x20, LOUD = 0x40 };

static struct digest_ctx *ctx;

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* The next line, cut to the buffer. */
static void line(const uint8_t **at, size_t *left, char out[static TEXT])
{
	const uint8_t *end = *left > 0 ? memchr(*at, '\n', *left) : NULL;
	size_t len = end ? (size_t)(end - *at) : *left, kept = len < TEXT - 1 ? len : TEXT - 1;

	if (kept > 0)
		memcpy(out, *at, kept);
	out[kept] = '\0';
	*at += end ? len + 1 : len;
	*left -= end ? len + 1 : len;
}

/* hex(h(challenge || hex(h(secret)))) */
static void expected(enum digest_alg alg, const char *challenge, const char *secret,
		     char out[static DIGEST_MAX_HEX])
{
	char text[TEXT + DIGEST_MAX_HEX], hex[DIGEST_MAX_HEX];

	require(digest_hex(ctx, alg, secret, strlen(secret), hex));
	strcpy(text, challenge);
	strcat(text, hex);
	require(digest_hex(ctx, alg, text, strlen(text), out));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum digest_alg algs[] = {
		[AUTH_MD5] = DIGEST_MD5, [AUTH_SHA256] = DIGEST_SHA256
	};
	char challenge[TEXT], answer[TEXT], password[TEXT], right[DIGEST_MAX_HEX] = "",
							    md5[DIGEST_MAX_HEX];
	char sha256[DIGEST_MAX_HEX];
	struct auth_secret secret;
	struct auth_response response;

	if (!ctx)
		require(digest_init() == 0 && (ctx = digest_ctx_create()) != NULL);
	uint8_t flags = size > 0 ? data[0] : 0;
	enum auth_method method = (enum auth_method)(flags % (AUTH__COUNT + 1));
	data += size > 0;
	size -= size > 0;
	line(&data, &size, challenge);
	line(&data, &size, answer);
	line(&data, &size, password);
	require(digest_hex(ctx, DIGEST_MD5, password, strlen(password), md5));
	require(digest_hex(ctx, DIGEST_SHA256, password, strlen(password), sha256));
	require(auth_secret_set(&secret, md5, sha256) && !auth_secret_set(&secret, sha256, md5));

	if (method == AUTH_CLEAR)
		strcpy(right, "-");
	else if (method == AUTH_MD5 || method == AUTH_SHA256)
		expected(algs[method], challenge, password, right);
	if (flags & RIGHT && *right)
		strcpy(answer, method == AUTH_CLEAR ? password : right);
	if (flags & LOUD && method != AUTH_CLEAR)
		for (char *c = answer; *c; c++)
			*c = *c >= 'a' && *c <= 'f' ? (char)(*c - 'a' + 'A') : *c;
	if (flags & SPOILED && *answer)
		answer[strlen(answer) / 2] ^= 1;
	/* Only the letters a to f may be in upper case. */
	bool is_right = method == AUTH_CLEAR ? strcmp(answer, password) == 0
					     : *right && strcasecmp(answer, right) == 0;
	require(auth_response_set(ctx, method, (struct token){ answer, strlen(answer) },
				  &response));
	require(auth_check(ctx, method, challenge, &secret, &response) == is_right);
	struct token name = { answer, strlen(answer) };
	enum auth_method found = auth_method_find(name);
	require(found == AUTH__COUNT || token_is(name, auth_method_name(found)));
	return 0;
}
