/*
 * Writes the snapshot file that popd starts from: the one part of the bench that is built from
 * popd's own code, so that the file is what popd itself would have written.
 *
 *   snapshot FILE AYIYA STATIC ACTIVE
 *
 * The first AYIYA tunnels are of that type, the next STATIC ones protocol 41. ACTIVE of the AYIYA
 * tunnels, evenly spread, have a client that was heard from just now; the others were never heard
 * from.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/digest.h"
#include "popd/feed/snapshot.h"
#include "tests/bench/die.h"
#include "tests/bench/plan.h"

static void set_pop(struct table *t, uint32_t tunnels)
{
	static struct pop_conf pop;

	pop.ipv4.v = plan_pop_ipv4;
	for (uint32_t i = 0; i < tunnels; i += PLAN_TUNNELS_A_PREFIX) {
		if (pop.prefix_count == TABLE_POP_PREFIXES)
			die("more tunnels than the PoP can have prefixes for");
		struct prefix6 *p = &pop.prefixes[pop.prefix_count++];
		p->len = 48;
		plan_address(i, 0, p->addr.b);
	}
	pop.tunnel_prefix_count = pop.prefix_count;
	pop.own = pop.prefixes[0].addr;
	pop.own.b[6] = pop.own.b[7] = 0xff;
	pop.own.b[15] = 1;
	if (table_set_pop(t, &pop) != 0)
		abort();
}

/* A tunnel with the one route every tunnel has, its routed /64. */
static void add_tunnel(struct table *t, struct digest_ctx *digest, uint32_t i,
		       enum tunnel_type type)
{
	struct tunnel_conf *c = tunnel_conf_create(1);
	char secret[PLAN_SECRET + 1];

	if (!c)
		die("no memory");
	c->id = i + 1;
	c->type = (uint8_t)type;
	c->enabled = true;
	c->mtu = type == TUNNEL_AYIYA ? PLAN_AYIYA_MTU : PLAN_PROTO41_MTU;
	plan_address(i, 0, c->net.b);
	if (type == TUNNEL_STATIC)
		c->static_endpoint.v = plan_client_ipv4(i);
	c->routes[0] = (struct prefix6){ .addr = c->net, .len = 64 };
	c->routes[0].addr.b[6] |= 0x80;
	plan_secret(i, secret);
	if (tunnel_conf_set_secret(c, digest, secret, PLAN_SECRET) != 0 || table_set(t, c) != 0)
		die("a tunnel does not fit the table");
}

static void restore_clients(struct table *t, uint32_t ayiya, uint32_t active)
{
	uint32_t now = (uint32_t)time(NULL);

	for (uint32_t n = 0; n < active; n++) {
		uint32_t i = (uint32_t)((uint64_t)n * ayiya / active);
		struct endpoint4 at = { { plan_client_ipv4(i) }, plan_client_port(i) };
		/* The epoch is an old one, so that what the generator signs from now on is newer.
		 */
		struct tunnel_memory m = { endpoint_pack(at, 0), now - 60, now - 60, now };
		if (!table_restore(t, i + 1, &m))
			die("a client cannot be restored");
	}
}

int main(int argc, char **argv)
{
	struct snapshot_head head = { .pop = PLAN_POP_NAME, .written = (uint32_t)time(NULL) };
	static const uint8_t seed[16] = { 1 };
	uint8_t *bytes;
	size_t len;

	if (argc != 5)
		die("usage: snapshot FILE AYIYA STATIC ACTIVE");
	uint32_t ayiya = (uint32_t)strtoul(argv[2], NULL, 10),
		 fixed = (uint32_t)strtoul(argv[3], NULL, 10);
	uint32_t active = (uint32_t)strtoul(argv[4], NULL, 10);
	struct digest_ctx *digest = digest_ctx_create();
	struct table *t = table_create(ayiya + fixed + 1, 1, seed);
	if (digest_init() != 0 || !digest || !t || active > ayiya)
		die("no memory, no digests, or more active tunnels than there are");
	set_pop(t, ayiya + fixed);
	for (uint32_t i = 0; i < ayiya + fixed; i++)
		add_tunnel(t, digest, i, i < ayiya ? TUNNEL_AYIYA : TUNNEL_STATIC);
	restore_clients(t, ayiya, active);
	if (snapshot_encode(t, &head, &bytes, &len) != 0)
		die("the snapshot cannot be made");
	FILE *f = fopen(argv[1], "we");
	if (!f || fwrite(bytes, 1, len, f) != len || fclose(f) != 0)
		die_errno(argv[1]);
	snapshot_free(bytes, len);
	table_free(t);
	digest_ctx_free(digest);
	return 0;
}
