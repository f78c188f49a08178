#include "lib/peer.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/err.h"

enum { MAPPED_BITS = 96 };
static const struct ip6 mapped = { { [10] = 0xff, [11] = 0xff } };

static struct ip4 ip4_of(const struct ip6 *ip)
{
	const uint8_t *b = ip->b + 12;

	return (struct ip4){ (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 |
			     b[3] };
}

static bool is_mapped(const struct ip6 *ip)
{
	return memcmp(ip->b, mapped.b, MAPPED_BITS / 8) == 0;
}

struct peer peer_of_ip6(const struct ip6 *ip)
{
	struct peer peer = { .ip = *ip, .is_ip4 = is_mapped(ip) };

	_Static_assert(IP4_TEXT <= IP6_TEXT, "the shorter text fits");
	if (peer.is_ip4)
		ip4_text(ip4_of(ip), peer.text);
	else
		ip6_text(ip, peer.text);
	return peer;
}

struct peer peer_of_sockaddr(const struct sockaddr *from)
{
	struct ip6 ip = { { 0 } };

	if (from->sa_family == AF_INET) {
		ip = mapped;
		memcpy(ip.b + 12, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
	} else if (from->sa_family == AF_INET6) {
		memcpy(ip.b, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
	}
	return peer_of_ip6(&ip);
}

int peer_parse(const char *text, size_t len, struct peer *out)
{
	struct ip6 ip = mapped;
	struct ip4 ip4;

	if (ip4_parse(text, len, &ip4) == 0) {
		for (unsigned i = 0; i < 4; i++)
			ip.b[12 + i] = (uint8_t)(ip4.v >> (24 - 8 * i));
	} else if (ip6_parse(text, len, &ip) != 0) {
		return -ERR_FORMAT;
	}
	*out = peer_of_ip6(&ip);
	return 0;
}

size_t peer_prefixes(const struct ip6 *ip, struct prefix6 out[static PEER_PREFIXES])
{
	static const uint8_t lengths[PEER_PREFIXES] = { 64, 56, 48 };

	if (is_mapped(ip)) {
		out[0] = (struct prefix6){ .addr = *ip, .len = 128 };
		return 1;
	}
	for (size_t i = 0; i < PEER_PREFIXES; i++)
		out[i] = (struct prefix6){ .addr = ip6_mask(ip, lengths[i]), .len = lengths[i] };
	return PEER_PREFIXES;
}

const char *peer_prefix_text(const struct prefix6 *p, char out[static PEER_PREFIX_TEXT])
{
	char address[IP4_TEXT];

	if (!is_mapped(&p->addr) || p->len < MAPPED_BITS)
		return prefix6_text(p, out);
	ip4_text(ip4_of(&p->addr), address);
	if (p->len == 128)
		snprintf(out, PEER_PREFIX_TEXT, "%s", address);
	else
		snprintf(out, PEER_PREFIX_TEXT, "%s/%u", address, p->len - MAPPED_BITS);
	return out;
}
