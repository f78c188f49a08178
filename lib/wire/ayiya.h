/*
 * AYIYA, Anything In Anything (draft-massar-v6ops-ayiya-02), the part that an IPv6 tunnel between a
 * client and its PoP uses: a 16-byte integer identity, a shared secret, SHA-1 or (with the number
 * that the 2024 client gives it) SHA-256. Codec only: core decides what a client may send. Pure.
 *
 *  0  identity length (log 2) 4 | identity type 4
 *  1  signature length in 32-bit words 4 | hash method 4
 *  2  authentication method 4 | opcode 4
 *  3  next header
 *  4  epoch, seconds, big endian
 *  8  identity, 16 bytes
 * 24  signature: 20 bytes (SHA-1) or 32 (SHA-256)
 *     payload
 *
 * To sign, put the digest of the secret into the signature field, hash from byte 0 to the end of
 * the payload, and put that hash in its place.
 */
#ifndef LIB_WIRE_AYIYA_H
#define LIB_WIRE_AYIYA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/digest.h"
#include "lib/ip.h"

enum ayiya_hash {
	AYIYA_HASH_NONE = 0,
	AYIYA_HASH_MD5 = 1,
	AYIYA_HASH_SHA1 = 2,
	AYIYA_HASH_UMAC = 3,
	AYIYA_HASH_SHA256 = 4
};
enum ayiya_auth { AYIYA_AUTH_NONE = 0, AYIYA_AUTH_SECRET = 1, AYIYA_AUTH_PUBLIC_KEY = 2 };
enum ayiya_opcode {
	AYIYA_NOOP = 0,
	AYIYA_FORWARD = 1,
	AYIYA_ECHO_REQUEST = 2,
	AYIYA_ECHO_REQUEST_FORWARD = 3,
	AYIYA_ECHO_RESPONSE = 4,
	AYIYA_MOTD = 5,
	AYIYA_QUERY_REQUEST = 6,
	AYIYA_QUERY_RESPONSE = 7,
};
enum { AYIYA_NEXT_IPV4 = 4, AYIYA_NEXT_IPV6 = 41, AYIYA_NEXT_NONE = 59 };
enum {
	AYIYA_FIXED = 24,
	AYIYA_IDENTITY_16_INTEGER = 0x41, /* byte 0 */
	AYIYA_HEADER_SHA1 = 44,
	AYIYA_HEADER_SHA256 = 56,
	AYIYA_HEADER_MAX = 56,
	AYIYA_AT_IDENTITY = 8,
	AYIYA_AT_SIGNATURE = 24
};

struct ayiya_view {
	uint8_t hash, auth, opcode, next_header; /* as received */
	uint32_t epoch;
	uint32_t signature_len; /* bytes */
	uint32_t header_len;    /* where the payload begins */
};

/* 0; -ERR_TRUNCATED: shorter than its header; -ERR_FORMAT: the identity is not a 16-byte integer.
 * The identity is at AYIYA_AT_IDENTITY, the signature at AYIYA_AT_SIGNATURE. */
int ayiya_decode(const uint8_t *data, size_t len, struct ayiya_view *out) NONNULL MUSTCHECK;

/* The digest of a hash method; DIGEST__COUNT: not supported. */
enum digest_alg ayiya_digest(unsigned hash);
static inline size_t ayiya_header_len(bool sha256)
{
	return sha256 ? AYIYA_HEADER_SHA256 : AYIYA_HEADER_SHA1;
}

/* Writes a header of ayiya_header_len(sha256) bytes with `key`, the digest of the secret, where the
 * signature goes. */
void ayiya_encode(uint8_t *out, bool sha256, enum ayiya_opcode opcode, uint8_t next_header,
		  uint32_t epoch, const struct ip6 *identity, const uint8_t *key) NONNULL;

#endif
