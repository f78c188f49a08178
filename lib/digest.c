#include "lib/digest.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/err.h"
#include "lib/num.h"

static const struct {
	const char *name;
	size_t len;
} algs[] = {
	[DIGEST_MD5] = { "MD5", DIGEST_MD5_LEN },
	[DIGEST_SHA1] = { "SHA1", DIGEST_SHA1_LEN },
	[DIGEST_SHA256] = { "SHA256", DIGEST_SHA256_LEN },
};
_Static_assert(ARRAY_LEN(algs) == DIGEST__COUNT, "every algorithm has a row");

/* One OpenSSL context an algorithm, so that a digest only restarts its own and nothing is fetched
 * or allocated again. */
struct digest_ctx {
	EVP_MD *md[DIGEST__COUNT];
	EVP_MD_CTX *evp[DIGEST__COUNT];
};

int digest_init(void)
{
	struct digest_ctx *ctx = digest_ctx_create();

	digest_ctx_free(ctx);
	return ctx ? 0 : -ERR_SYS;
}

size_t digest_len(enum digest_alg alg)
{
	return (unsigned)alg < DIGEST__COUNT ? algs[alg].len : 0;
}

struct digest_ctx *digest_ctx_create(void)
{
	struct digest_ctx *ctx = calloc(1, sizeof(*ctx));

	for (unsigned i = 0; ctx && i < DIGEST__COUNT; i++) {
		ctx->md[i] = EVP_MD_fetch(NULL, algs[i].name, NULL);
		ctx->evp[i] = EVP_MD_CTX_new();
		if (!ctx->md[i] || !ctx->evp[i] ||
		    EVP_DigestInit_ex2(ctx->evp[i], ctx->md[i], NULL) != 1) {
			digest_ctx_free(ctx);
			return NULL;
		}
	}
	return ctx;
}

void digest_ctx_free(struct digest_ctx *ctx)
{
	for (unsigned i = 0; ctx && i < DIGEST__COUNT; i++) {
		EVP_MD_CTX_free(ctx->evp[i]);
		EVP_MD_free(ctx->md[i]);
	}
	free(ctx);
}

bool digest_parts(struct digest_ctx *ctx, enum digest_alg alg, const struct digest_part *parts,
		  size_t n, uint8_t *out)
{
	EVP_MD_CTX *evp = ctx->evp[alg];
	bool done = EVP_DigestInit_ex2(evp, NULL, NULL) == 1;

	for (size_t i = 0; done && i < n; i++)
		done = EVP_DigestUpdate(evp, parts[i].data, parts[i].len) == 1;
	done = done && EVP_DigestFinal_ex(evp, out, NULL) == 1;
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
