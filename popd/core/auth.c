#include "popd/core/auth.h"

void auth_run(struct digest_ctx *ctx, struct auth_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		items[i].done = digest(ctx, items[i].alg, items[i].data, items[i].len, items[i].out);
}
