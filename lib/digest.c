#include "lib/digest.h"

#include <errno.h>
/* OpenSSL 3 calls these functions deprecated. Its EVP ones allocate memory for each digest. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/err.h"
#include "lib/num.h"

union state {
	MD5_CTX md5;
	SHA_CTX sha1;
	SHA256_CTX sha256;
};

static int md5_begin(union state *s)
{
	return MD5_Init(&s->md5);
}

static int md5_add(union state *s, const void *data, size_t len)
{
	return MD5_Update(&s->md5, data, len);
}

static int md5_end(union state *s, uint8_t *out)
{
	return MD5_Final(out, &s->md5);
}

static int sha1_begin(union state *s)
{
	return SHA1_Init(&s->sha1);
}

static int sha1_add(union state *s, const void *data, size_t len)
{
	return SHA1_Update(&s->sha1, data, len);
}

static int sha1_end(union state *s, uint8_t *out)
{
	return SHA1_Final(out, &s->sha1);
}

static int sha256_begin(union state *s)
{
	return SHA256_Init(&s->sha256);
}

static int sha256_add(union state *s, const void *data, size_t len)
{
	return SHA256_Update(&s->sha256, data, len);
}

static int sha256_end(union state *s, uint8_t *out)
{
	return SHA256_Final(out, &s->sha256);
}

static const struct {
	const char *name;
	size_t len;
	int (*begin)(union state *s);
	int (*add)(union state *s, const void *data, size_t len);
	int (*end)(union state *s, uint8_t *out);
} algs[] = {
	[DIGEST_MD5] = { "MD5", DIGEST_MD5_LEN, md5_begin, md5_add, md5_end },
	[DIGEST_SHA1] = { "SHA1", DIGEST_SHA1_LEN, sha1_begin, sha1_add, sha1_end },
	[DIGEST_SHA256] = { "SHA256", DIGEST_SHA256_LEN, sha256_begin, sha256_add, sha256_end },
};
_Static_assert(ARRAY_LEN(algs) == DIGEST__COUNT, "every algorithm has a row");

struct digest_ctx {
	union state state;
};

int digest_init(void)
{
	bool has_all = true;

	for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
		EVP_MD *md = EVP_MD_fetch(NULL, algs[i].name, NULL);
		has_all = has_all && md;
		EVP_MD_free(md);
	}
	return has_all ? 0 : -ERR_SYS;
}

size_t digest_len(enum digest_alg alg)
{
	return (unsigned)alg < DIGEST__COUNT ? algs[alg].len : 0;
}

struct digest_ctx *digest_ctx_create(void)
{
	return calloc(1, sizeof(struct digest_ctx));
}

void digest_ctx_free(struct digest_ctx *ctx)
{
	if (ctx)
		secure_zero(ctx, sizeof(*ctx));
	free(ctx);
}

bool digest_parts(struct digest_ctx *ctx, enum digest_alg alg, const struct digest_part *parts,
		  size_t n, uint8_t *out)
{
	bool done = algs[alg].begin(&ctx->state) == 1;

	for (size_t i = 0; done && i < n; i++)
		done = algs[alg].add(&ctx->state, parts[i].data, parts[i].len) == 1;
	done = done && algs[alg].end(&ctx->state, out) == 1;
	if (!done)
		memset(out, 0, algs[alg].len);
	return done;
}

bool digest(struct digest_ctx *ctx, enum digest_alg alg, const void *data, size_t len, uint8_t *out)
{
	struct digest_part part = { data, len };
	return digest_parts(ctx, alg, &part, 1, out);
}

bool digest_hex(struct digest_ctx *ctx, enum digest_alg alg, const void *data, size_t len,
		char out[static DIGEST_MAX_HEX])
{
	uint8_t bytes[DIGEST_MAX_LEN];
	bool done = digest(ctx, alg, data, len, bytes);

	hex_encode(bytes, algs[alg].len, out);
	secure_zero(bytes, sizeof(bytes));
	return done;
}

bool digest_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

bool random_bytes(void *out, size_t len)
{
	uint8_t *p = out;

	while (len > 0) {
		ssize_t got = getrandom(p, len, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		p += got;
		len -= (size_t)got;
	}
	return true;
}

void secure_zero(void *p, size_t len)
{
	explicit_bzero(p, len);
}

void hex_encode(const void *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

int hex_decode(const char *text, size_t text_len, uint8_t *out, size_t len)
{
	if (text_len != 2 * len)
		return -ERR_FORMAT;
	for (size_t i = 0; i < len; i++) {
		int high = num_hex_digit(text[2 * i]), low = num_hex_digit(text[2 * i + 1]);
		if (high > 15 || low > 15)
			return -ERR_FORMAT;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}
