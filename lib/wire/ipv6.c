#include "lib/wire/ipv6.h"

#include "lib/err.h"

int ipv6_check(const uint8_t *packet, size_t len, uint32_t *total)
{
	if (len < IPV6_HEADER)
		return -ERR_TRUNCATED;
	if (packet[0] >> 4 != 6)
		return -ERR_FORMAT;
	*total = IPV6_HEADER + be16_load(packet + IPV6_AT_LENGTH);
	return *total <= len ? 0 : -ERR_TRUNCATED;
}

void ipv6_write(uint8_t out[static IPV6_HEADER], size_t payload, uint8_t next, uint8_t hops,
		const struct ip6 *source, const struct ip6 *destination)
{
	be32_store(out, UINT32_C(6) << 28);
	be16_store(out + IPV6_AT_LENGTH, (uint16_t)payload);
	out[IPV6_AT_NEXT] = next;
	out[IPV6_AT_HOPS] = hops;
	memcpy(out + IPV6_AT_SOURCE, source->b, sizeof(source->b));
	memcpy(out + IPV6_AT_DESTINATION, destination->b, sizeof(destination->b));
}

/*
 * Extension headers (RFC 8200 4):  0 next header   1 length beyond the first 8 bytes, units of 8
 * Routing:                         the same, then   2 type   3 segments left
 * Authentication (RFC 4302):       the same, in units of 4
 * Fragment, 8 bytes:               0 next header   1 reserved   4 identification
 *                                  2 offset in units of 8, 13 bits | reserved 2 | more 1
 */
enum { SEGMENTS_LEFT = 3 };

struct ipv6_upper ipv6_upper(const uint8_t *packet, uint32_t total)
{
	struct ipv6_upper u = { .next = packet[IPV6_AT_NEXT], .offset = IPV6_HEADER };

	for (;;) {
		uint32_t left = total - u.offset, size;
		const uint8_t *p = packet + u.offset;
		if (left < 8)
			return u;
		switch (u.next) {
		case IPV6_NEXT_HOP_BY_HOP:
		case IPV6_NEXT_ROUTING:
		case IPV6_NEXT_OPTIONS:
			size = (p[1] + 1u) * 8;
			if (u.next == IPV6_NEXT_ROUTING && p[SEGMENTS_LEFT] != 0 && size <= left &&
			    !u.is_fragment && u.routing == 0)
				u.routing = u.offset;
			break;
		case IPV6_NEXT_AUTH:
			size = (p[1] + 2u) * 4;
			break;
		case IPV6_NEXT_FRAGMENT:
			size = 8;
			u.is_fragment = u.is_fragment || (be16_load(p + 2) & 0xfff9);
			u.is_later = be16_load(p + 2) & 0xfff8;
			break;
		default:
			return u;
		}
		if (size > left)
			return u;
		u.next = p[0];
		u.offset += size;
		if (u.is_later)
			return u;
	}
}

static enum ipv6_kind unicast_kind(const struct ip6 *ip)
{
	return ip6_is_never_global(ip) ? IPV6_NEVER_GLOBAL : IPV6_GLOBAL;
}

enum ipv6_kind ipv6_kind_special(const struct ip6 *ip)
{
	uint64_t high = be64_load(ip->b), low = be64_load(ip->b + 8);

	switch (ip->b[0]) {
	case 0xff:
		return (ip->b[1] & 0x0f) <= 2 ? IPV6_MULTICAST_LINK : IPV6_MULTICAST;
	case 0xfe:
		return (ip->b[1] & 0xc0) == 0x80   ? IPV6_LINK_LOCAL
		       : (ip->b[1] & 0xc0) == 0xc0 ? IPV6_SITE_LOCAL
						   : unicast_kind(ip);
	case 0x00:
		if (high != 0)
			return unicast_kind(ip);
		if (low <= 1)
			return low == 0 ? IPV6_UNSPECIFIED : IPV6_LOOPBACK;
		return low >> 32 == 0 || low >> 32 == 0xffff ? IPV6_V4 : IPV6_GLOBAL;
	default:
		return unicast_kind(ip);
	}
}

/*
 * 6to4 (RFC 3056):   2002 | IPv4 | ...
 * Teredo (RFC 4380): 2001:0000 | server's IPv4 | flags 16 | port 16 | client's IPv4, inverted
 * ISATAP (RFC 5214): any /64 | 0000:5efe or 0200:5efe | IPv4
 */
bool ipv6_embeds(const struct ip6 *ip, struct ip4 v4)
{
	const uint8_t *b = ip->b;

	if (v4.v == 0)
		return false;
	if (be16_load(b) == 0x2002)
		return be32_load(b + 2) == v4.v;
	if (be32_load(b) == 0x20010000 && (be32_load(b + 4) == v4.v || be32_load(b + 12) == ~v4.v))
		return true;
	return (be32_load(b + 8) & ~UINT32_C(0x02000000)) == 0x00005efe &&
	       be32_load(b + 12) == v4.v;
}
