/* A row of the feed, its columns separated by newlines, parsed as a tunnel and as a PoP: what is
 * accepted is valid. */
#include <stdlib.h>
#include <string.h>

#include "popd/feed/feedrow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void try_tunnel(char *const *column, struct digest_ctx *digest)
{
	const struct feedrow_tunnel row = { column[0], column[1], column[2], column[3],
					    column[4], column[5], column[6], column[7] };
	char why[FEEDROW_WHY];
	uint32_t id;
	struct tunnel_conf *c = feedrow_parse_tunnel(&row, digest, &id, why);

	if (!c)
		return;
	require(c->id == id && id > 0 && c->type < TUNNEL_TYPE__COUNT);
	require(c->mtu >= TUNNEL_MTU_MIN && c->mtu <= TUNNEL_MTU_MAX);
	require(c->type != TUNNEL_STATIC || !ip4_is_martian(c->static_endpoint));
	require(c->type == TUNNEL_STATIC || strlen(c->secret) == TUNNEL_SECRET_LEN);
	for (size_t i = 0; i < c->route_count; i++)
		require(c->routes[i].len <= 128);
	tunnel_conf_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct digest_ctx *digest;
	char *column[8] = { NULL }, why[FEEDROW_WHY];
	char *text = malloc(size + 1);

	if (!digest) {
		require(digest_init() == 0);
		digest = digest_ctx_create();
	}
	require(text && digest);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	char *rest = text;
	for (size_t i = 0; i < 8 && rest; i++) {
		char *one = strsep(&rest, "\n");
		column[i] = strcmp(one, "NULL") == 0 ? NULL : one;
	}
	try_tunnel(column, digest);
	const struct feedrow_pop row = { column[0], column[1], column[2], column[3] };
	struct pop_conf pop;
	if (feedrow_parse_pop(&row, &pop, why) == 0)
		require(pop.prefix_count <= TABLE_POP_PREFIXES && pop.tunnel_prefix_count >= 1);
	free(text);
	return 0;
}
