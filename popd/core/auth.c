#include "popd/core/auth.h"

static void compute(struct digest_ctx *ctx, struct auth_item *item)
{
	item->done = digest(ctx, item->alg, item->data, item->len, item->out);
}

static void compute_many(struct digest_ctx *ctx, const struct sha1_set *sha1, struct sha1_job *jobs,
			 struct auth_item **owners, size_t n)
{
	sha1_many(sha1, ctx, jobs, n);
	for (size_t i = 0; i < n; i++)
		owners[i]->done = jobs[i].done;
}

/* SHA-1, the hash of nearly every client, is computed for several packets at once; the others one
 * by one. */
void auth_run(struct digest_ctx *ctx, const struct sha1_set *sha1, struct auth_item *items,
	      size_t n)
{
	struct sha1_job jobs[SHA1_MANY_MAX];
	struct auth_item *owners[SHA1_MANY_MAX];
	size_t waiting = 0;

	for (size_t i = 0; i < n; i++) {
		if (items[i].alg != DIGEST_SHA1 || sha1->widest == SHA1_OPENSSL) {
			compute(ctx, &items[i]);
			continue;
		}
		owners[waiting] = &items[i];
		jobs[waiting++] = (struct sha1_job){ .data = items[i].data,
						     .len = items[i].len,
						     .out = items[i].out };
		if (waiting == SHA1_MANY_MAX) {
			compute_many(ctx, sha1, jobs, owners, waiting);
			waiting = 0;
		}
	}
	compute_many(ctx, sha1, jobs, owners, waiting);
}
