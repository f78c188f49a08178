#include "popd/feed/feedrow.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "lib/num.h"

/* Writes the reason; returns -ERR_FORMAT. */
static int wrong(char *why, const char *fmt, ...) FORMAT(2, 3);
static int wrong(char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, FEEDROW_WHY, fmt, ap);
	va_end(ap);
	return -ERR_FORMAT;
}

static size_t count_items(const char *list)
{
	size_t n = *list != '\0';

	for (; *list; list++)
		n += *list == ',';
	return n;
}

/* Parses a comma list of `n` (= count_items) prefixes. */
static int parse_prefixes(const char *list, struct prefix6 *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strcspn(list, ",");
		if (prefix6_parse(list, len, &out[i]) != 0)
			return -ERR_FORMAT;
		list += len + (list[len] == ',');
	}
	return 0;
}

static int parse_endpoint(const struct feedrow_tunnel *row, struct tunnel_conf *c, char *why)
{
	if (c->type != TUNNEL_STATIC)
		return 0; /* learned from the client's packets; the row's is not used */
	if (!row->endpoint)
		return wrong(why, "a static tunnel needs an endpoint");
	if (ip4_parse(row->endpoint, strlen(row->endpoint), &c->static_endpoint) != 0 ||
	    ip4_is_martian(c->static_endpoint))
		return wrong(why, "the endpoint is not a unicast IPv4 address");
	return 0;
}

/* A static tunnel may have a secret, too; its clients use it only to log in by TIC. */
static int parse_secret(const struct feedrow_tunnel *row, struct tunnel_conf *c,
			struct digest_ctx *digest, char *why)
{
	size_t len = row->secret ? strlen(row->secret) : 0;

	if (len == 0 && c->type == TUNNEL_STATIC)
		return 0;
	if (len != TUNNEL_SECRET_LEN || strspn(row->secret, "0123456789abcdef") != len)
		return wrong(why, "the secret is not 32 lower-case hex digits");
	return tunnel_conf_set_secret(c, digest, row->secret, len) == 0
		       ? 0
		       : wrong(why, "OpenSSL cannot derive the keys");
}

static int parse_fields(const struct feedrow_tunnel *row, struct tunnel_conf *c,
			struct digest_ctx *digest, char *why)
{
	enum tunnel_type type;
	struct prefix6 net;
	uint64_t mtu;

	if (!row->type || tunnel_type_parse(row->type, &type) != 0)
		return wrong(why, "its type is unknown to this popd");
	c->type = (uint8_t)type;
	if (!row->prefix || prefix6_parse(row->prefix, strlen(row->prefix), &net) != 0 ||
	    net.len != 64)
		return wrong(why, "the prefix is not a /64");
	c->net = net.addr;
	if (!row->mtu ||
	    num_parse_u64(row->mtu, strlen(row->mtu), TUNNEL_MTU_MIN, TUNNEL_MTU_MAX, &mtu) != 0)
		return wrong(why, "the MTU is not a number from %d to %d", TUNNEL_MTU_MIN,
			     TUNNEL_MTU_MAX);
	c->mtu = (uint16_t)mtu;
	if (!row->enabled || (strcmp(row->enabled, "t") != 0 && strcmp(row->enabled, "f") != 0))
		return wrong(why, "`enabled` is neither t nor f");
	c->enabled = row->enabled[0] == 't';
	int err = parse_endpoint(row, c, why);
	if (!err)
		err = parse_secret(row, c, digest, why);
	if (!err && parse_prefixes(row->routes ? row->routes : "", c->routes, c->route_count) != 0)
		err = wrong(why, "`routes` is not a comma list of prefixes");
	return err;
}

struct tunnel_conf *feedrow_parse_tunnel(const struct feedrow_tunnel *row,
					 struct digest_ctx *digest, uint32_t *id,
					 char why[static FEEDROW_WHY])
{
	size_t routes = row->routes ? count_items(row->routes) : 0;

	*id = 0;
	if (!row->id || num_parse_tunnel_id(row->id, strlen(row->id), id) != 0) {
		(void)wrong(why, "the row has no valid tunnel id");
		return NULL;
	}
	if (routes > TUNNEL_ROUTES_MAX) {
		(void)wrong(why, "it has more than %d routes", TUNNEL_ROUTES_MAX);
		return NULL;
	}
	struct tunnel_conf *c = tunnel_conf_create(routes);
	if (!c) {
		(void)wrong(why, "no memory for it");
		return NULL;
	}
	c->id = *id;
	if (parse_fields(row, c, digest, why) == 0)
		return c;
	tunnel_conf_free(c);
	return NULL;
}

/* <prefix>:ffff::1 */
static struct ip6 own_address(const struct prefix6 *tunnels)
{
	struct ip6 ip = tunnels->addr;

	ip.b[6] = ip.b[7] = 0xff;
	ip.b[15] = 1;
	return ip;
}

/* The comma list of all PoPs' addresses; NULL: none are known. */
static int parse_peers(const char *list, struct pop_conf *out, char *why)
{
	struct ip4 peers[TABLE_POPS];
	size_t n = list ? count_items(list) : 0;

	if (n > TABLE_POPS)
		return wrong(why, "there are more than %d PoPs", TABLE_POPS);
	for (size_t i = 0; i < n; i++) {
		size_t len = strcspn(list, ",");
		if (ip4_parse(list, len, &peers[i]) != 0)
			return wrong(why, "`pop_addresses` is not a comma list of IPv4 addresses");
		list += len + (list[len] == ',');
	}
	pop_set_peers(out, peers, n);
	return 0;
}

int feedrow_parse_pop(const struct feedrow_pop *row, struct pop_conf *out,
		      char why[static FEEDROW_WHY])
{
	const char *tunnels = row->tunnel_prefixes ? row->tunnel_prefixes : "",
		   *subnets = row->subnet_prefixes ? row->subnet_prefixes : "";
	size_t n = count_items(tunnels), m = count_items(subnets);

	*out = (struct pop_conf){ .tunnel_prefix_count = n, .prefix_count = n + m };
	if (!row->ipv4 || ip4_parse(row->ipv4, strlen(row->ipv4), &out->ipv4) != 0)
		return wrong(why, "the PoP has no valid IPv4 address");
	if (n == 0)
		return wrong(why, "the PoP has no tunnel prefix");
	if (n > TABLE_POP_PREFIXES || m > TABLE_POP_PREFIXES - n)
		return wrong(why, "the PoP has more than %d prefixes", TABLE_POP_PREFIXES);
	if (parse_prefixes(tunnels, out->prefixes, n) != 0 ||
	    parse_prefixes(subnets, out->prefixes + n, m) != 0)
		return wrong(why, "the PoP's prefixes are not comma lists of prefixes");
	for (size_t i = 0; i < n; i++)
		if (out->prefixes[i].len > 48)
			return wrong(why, "a tunnel prefix is longer than a /48");
	out->own = own_address(&out->prefixes[0]);
	return parse_peers(row->pop_addresses, out, why);
}
