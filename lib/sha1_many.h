/*
 * SHA-1 (RFC 3174) over many messages at once, one message in each lane of a vector. Engines for 16
 * lanes (AVX-512), 8 (AVX2) and 2 (SHA-NI), chosen at run time by the features of the processor;
 * OpenSSL through lib/digest.h is the fallback and the tests' oracle. All give the same bits. Pure:
 * no allocation, no lock.
 */
#ifndef LIB_SHA1_MANY_H
#define LIB_SHA1_MANY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/digest.h"

/* Slowest first, as measured: two streams of SHA-NI beat eight lanes of AVX2. */
enum sha1_engine { SHA1_AUTO, SHA1_OPENSSL, SHA1_AVX2, SHA1_NI, SHA1_AVX512, SHA1_ENGINE__COUNT };

struct sha1_job {
	const uint8_t *data; /* the whole message, in one piece */
	uint32_t len;
	/* DIGEST_SHA1_LEN bytes; may lie inside another job's message only if that job comes
	 * earlier in the same array */
	uint8_t *out;
	bool done; /* set: false when OpenSSL failed; then `out` holds zeros, which prove nothing */
};

enum { SHA1_MANY_MAX = 64 };

/* "auto", "openssl", "avx2", "sha-ni", "avx512"; NULL-terminated, in the order of the enum. */
extern const char *const sha1_engine_names[SHA1_ENGINE__COUNT + 1];

/* The engines of one caller: the widest for full vectors, the narrower ones for the rest. */
struct sha1_set {
	enum sha1_engine widest; /* never SHA1_AUTO */
	bool use[SHA1_ENGINE__COUNT];
};

/* True when this processor (and kernel) can run the engine. Slow: not for the data path. */
bool sha1_engine_is_usable(enum sha1_engine e);
/* The usable engines up to `widest` (SHA1_AUTO: all of them); OpenSSL is always among them. */
struct sha1_set sha1_set_choose(enum sha1_engine widest);

/* Hashes `n` (<= SHA1_MANY_MAX) messages. `ctx`: this thread's, for OpenSSL. */
void sha1_many(const struct sha1_set *set, struct digest_ctx *ctx, struct sha1_job *jobs, size_t n)
	NONNULL_ARGS(1, 2);

#endif
