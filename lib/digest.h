/*
 * Digests, randomness and constant-time comparison; the one place that names OpenSSL's digest
 * headers. A digest_ctx is the working memory of one thread, so that a digest neither allocates nor
 * locks.
 */
#ifndef LIB_DIGEST_H
#define LIB_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

enum digest_alg { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST__COUNT };
enum {
	DIGEST_MD5_LEN = 16,
	DIGEST_SHA1_LEN = 20,
	DIGEST_SHA256_LEN = 32,
	DIGEST_MAX_LEN = 32,
	DIGEST_MAX_HEX = 65
};

struct digest_ctx;

/* Checks that OpenSSL has the algorithms. Call once, at start-up. 0, or -ERR_SYS when one is
 * missing (a policy forbids MD5, say). */
int digest_init(void) MUSTCHECK;
size_t digest_len(enum digest_alg alg);

struct digest_ctx *digest_ctx_create(void);   /* NULL: no memory */
void digest_ctx_free(struct digest_ctx *ctx); /* NULL is fine */

/* A piece of the input; the pieces are hashed one after the other. */
struct digest_part {
	const void *data;
	size_t len;
};

/* Writes digest_len(alg) bytes. Takes no memory. False, and zeros that prove nothing, when OpenSSL
 * fails, which it never does once digest_init was good. */
bool digest_parts(struct digest_ctx *ctx, enum digest_alg alg, const struct digest_part *parts,
		  size_t n, uint8_t *out) NONNULL MUSTCHECK;
bool digest(struct digest_ctx *ctx, enum digest_alg alg, const void *data, size_t len, uint8_t *out)
	NONNULL_ARGS(1, 5) MUSTCHECK;
/* Lower-case hex text with NUL: 2 * digest_len(alg) + 1 bytes. */
bool digest_hex(struct digest_ctx *ctx, enum digest_alg alg, const void *data, size_t len,
		char out[static DIGEST_MAX_HEX]) NONNULL_ARGS(1, 5) MUSTCHECK;

/* Equal, in a time that depends on `len` only. */
bool digest_equal(const void *a, const void *b, size_t len) NONNULL;

/* `len` random bytes from the kernel's generator. False: it gave none, and nothing may go on. */
bool random_bytes(void *out, size_t len) NONNULL MUSTCHECK;

/* Overwrites memory with zeros, where the compiler would leave out a memset. */
void secure_zero(void *p, size_t len) NONNULL;

/* hex_encode writes 2 * len lower-case digits and a NUL; hex_decode takes exactly 2 * len digits of
 * either case: 0 or -ERR_FORMAT. */
void hex_encode(const void *data, size_t len, char *out) NONNULL;
int hex_decode(const char *text, size_t text_len, uint8_t *out, size_t len) NONNULL MUSTCHECK;

#endif
