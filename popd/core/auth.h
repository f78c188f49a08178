/*
 * The digests of a batch, computed together: auth_run alone knows the engines that compute several
 * side by side. Pure.
 */
#ifndef POPD_CORE_AUTH_H
#define POPD_CORE_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/digest.h"
#include "lib/sha1_many.h"

struct auth_item {
	enum digest_alg alg;
	/* out: false when OpenSSL failed; then `out` holds zeros, which prove nothing */
	bool done;
	uint32_t len;
	const uint8_t *data; /* in one piece */
	/* digest_len(alg) bytes; may lie inside this item's data, not inside another's */
	uint8_t *out;
};

void auth_run(struct digest_ctx *ctx, const struct sha1_set *sha1, struct auth_item *items,
	      size_t n) NONNULL;

#endif
