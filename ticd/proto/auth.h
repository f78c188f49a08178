/*
 * TIC's challenge and response. The server holds only hex(md5(secret)) and hex(sha256(secret));
 * every response is compared in constant time, and a login that does not exist is checked against a
 * fake secret, so that its refusal takes the same time as any other. Pure.
 */
#ifndef TICD_PROTO_AUTH_H
#define TICD_PROTO_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/digest.h"
#include "ticd/proto/tokens.h"

enum auth_method { AUTH_CLEAR, AUTH_MD5, AUTH_SHA256, AUTH_COOKIE, AUTH__COUNT };

enum {
	AUTH_CHALLENGE_BYTES = 16,
	AUTH_CHALLENGE_HEX = 2 * AUTH_CHALLENGE_BYTES + 1,
	AUTH_KEY_BYTES = 32
};

/* What the server keeps of a secret: lower-case hex with NUL. */
struct auth_secret {
	char md5[2 * DIGEST_MD5_LEN + 1];
	char sha256[2 * DIGEST_SHA256_LEN + 1];
};

/* The method of that name in any case, or AUTH__COUNT. */
enum auth_method auth_method_find(struct token name);
const char *auth_method_name(enum auth_method method);

/* Sets `out` to the digests of the store; false, and `out` is unchanged, when one is not hex text
 * of its length. */
bool auth_secret_set(struct auth_secret *out, const char *md5_hex, const char *sha256_hex)
	NONNULL_ARGS(1) MUSTCHECK;

/* The secret of a login nobody has: always the same for one key and name, as a real one is. False:
 * a digest failed. */
bool auth_secret_fake(struct digest_ctx *digest, const uint8_t key[static AUTH_KEY_BYTES],
		      const char *name, struct auth_secret *out) NONNULL MUSTCHECK;

/* The client's response, kept until the store has answered. A password sent in clear text is kept
 * as its digest only. False: a digest failed. */
struct auth_response {
	char text[DIGEST_MAX_HEX];
};
bool auth_response_set(struct digest_ctx *digest, enum auth_method method, struct token given,
		       struct auth_response *out) NONNULL_ARGS(1, 4) MUSTCHECK;

/* True when `response` answers `challenge` for this secret. clear: the secret itself (the challenge
 * is not used). md5, sha256: hex(h(challenge || hex(h(secret)))), in either case of letters.
 * cookie: never. */
bool auth_check(struct digest_ctx *digest, enum auth_method method, const char *challenge,
		const struct auth_secret *secret, const struct auth_response *response)
	NONNULL_ARGS(1, 3, 4, 5) MUSTCHECK;

#endif
