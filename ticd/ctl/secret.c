#include "ticd/ctl/secret.h"

#include "lib/err.h"

const char secret_alphabet[33] = "abcdefghijkmnpqrstuvwxyz23456789";

int secret_create(struct secret *out)
{
	uint8_t random[SECRET_LEN];
	struct digest_ctx *ctx = digest_ctx_create();
	int err = 0;

	if (!ctx)
		return -ERR_NOMEM;
	if (!random_bytes(random, sizeof(random))) {
		err = -ERR_SYS;
		goto free_ctx;
	}
	for (size_t i = 0; i < SECRET_LEN; i++)
		out->text[i] =
			secret_alphabet[random[i] &
					31]; /* 32 divides 256: every character is as likely */
	out->text[SECRET_LEN] = '\0';
	if (!digest_hex(ctx, DIGEST_MD5, out->text, SECRET_LEN, out->md5) ||
	    !digest_hex(ctx, DIGEST_SHA256, out->text, SECRET_LEN, out->sha256))
		err = -ERR_SYS;
	secure_zero(random, sizeof(random));
free_ctx:
	digest_ctx_free(ctx);
	return err;
}
