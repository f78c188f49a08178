#include "ticd/proto/auth.h"

#include <string.h>

static const char *const method_names[AUTH__COUNT] = {
	[AUTH_CLEAR] = "clear",
	[AUTH_MD5] = "md5",
	[AUTH_SHA256] = "sha256",
	[AUTH_COOKIE] = "cookie",
};

enum auth_method auth_method_find(struct token name)
{
	for (size_t i = 0; i < AUTH__COUNT; i++)
		if (token_is(name, method_names[i]))
			return (enum auth_method)i;
	return AUTH__COUNT;
}

const char *auth_method_name(enum auth_method method)
{
	return method < AUTH__COUNT ? method_names[method] : "unknown";
}

/* Decodes and encodes, so that the result is lower case whatever the store holds. */
bool auth_secret_set(struct auth_secret *out, const char *md5_hex, const char *sha256_hex)
{
	uint8_t md5[DIGEST_MD5_LEN], sha256[DIGEST_SHA256_LEN];

	if (!md5_hex || !sha256_hex ||
	    hex_decode(md5_hex, strlen(md5_hex), md5, sizeof(md5)) != 0 ||
	    hex_decode(sha256_hex, strlen(sha256_hex), sha256, sizeof(sha256)) != 0)
		return false;
	hex_encode(md5, sizeof(md5), out->md5);
	hex_encode(sha256, sizeof(sha256), out->sha256);
	return true;
}

bool auth_secret_fake(struct digest_ctx *digest, const uint8_t key[static AUTH_KEY_BYTES],
		      const char *name, struct auth_secret *out)
{
	const struct digest_part parts[] = { { key, AUTH_KEY_BYTES }, { name, strlen(name) } };
	uint8_t hash[DIGEST_SHA256_LEN];

	if (!digest_parts(digest, DIGEST_SHA256, parts, ARRAY_LEN(parts), hash))
		return false;
	hex_encode(hash, DIGEST_MD5_LEN, out->md5);
	hex_encode(hash, sizeof(hash), out->sha256);
	return true;
}

/* A response longer than any digest stays empty, and so matches nothing. */
bool auth_response_set(struct digest_ctx *digest, enum auth_method method, struct token given,
		       struct auth_response *out)
{
	memset(out, 0, sizeof(*out));
	if (method == AUTH_CLEAR)
		return digest_hex(digest, DIGEST_SHA256, given.text, given.len, out->text);
	if (given.len >= sizeof(out->text))
		return true;
	token_copy(given, out->text, sizeof(out->text));
	for (char *c = out->text; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'F')
			*c |= 0x20;
	return true;
}

/* `response` is a zero-padded array, so the comparison takes the same time whatever the client
 * sent, its length included. */
static bool matches(const char *expected, size_t len, const struct auth_response *response)
{
	char padded[DIGEST_MAX_HEX] = { 0 };

	memcpy(padded, expected, len);
	return digest_equal(padded, response->text, sizeof(padded));
}

static bool check_digest(struct digest_ctx *digest, enum digest_alg alg, const char *challenge,
			 const char *secret_hex, const struct auth_response *response)
{
	const struct digest_part parts[] = { { challenge, strlen(challenge) },
					     { secret_hex, strlen(secret_hex) } };
	uint8_t hash[DIGEST_MAX_LEN];
	char expected[DIGEST_MAX_HEX];

	if (!digest_parts(digest, alg, parts, ARRAY_LEN(parts), hash))
		return false;
	hex_encode(hash, digest_len(alg), expected);
	return matches(expected, 2 * digest_len(alg), response);
}

bool auth_check(struct digest_ctx *digest, enum auth_method method, const char *challenge,
		const struct auth_secret *secret, const struct auth_response *response)
{
	switch (method) {
	case AUTH_CLEAR:
		return matches(secret->sha256, 2 * DIGEST_SHA256_LEN, response);
	case AUTH_MD5:
		return check_digest(digest, DIGEST_MD5, challenge, secret->md5, response);
	case AUTH_SHA256:
		return check_digest(digest, DIGEST_SHA256, challenge, secret->sha256, response);
	case AUTH_COOKIE:
	case AUTH__COUNT:
		break;
	}
	return false;
}
