/*
 * The inner packet: the IPv6 header (RFC 8200), the offset of its upper layer, and kinds of
 * addresses. Pure.
 *
 *  0 version 4 | traffic class 8 | flow label 20     4 payload length     6 next header
 *  7 hop limit     8 source     24 destination     40
 */
#ifndef LIB_WIRE_IPV6_H
#define LIB_WIRE_IPV6_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/ip.h"
#include "lib/wire/be.h"

enum {
	IPV6_HEADER = 40,
	IPV6_MIN_MTU = 1280,
	IPV6_AT_LENGTH = 4,
	IPV6_AT_NEXT = 6,
	IPV6_AT_HOPS = 7,
	IPV6_AT_SOURCE = 8,
	IPV6_AT_DESTINATION = 24,
	IPV6_HOPS = 64, /* hop limit of packets that we send */
};
enum ipv6_next {
	IPV6_NEXT_HOP_BY_HOP = 0,
	IPV6_NEXT_TCP = 6,
	IPV6_NEXT_UDP = 17,
	IPV6_NEXT_ROUTING = 43,
	IPV6_NEXT_FRAGMENT = 44,
	IPV6_NEXT_AUTH = 51,
	IPV6_NEXT_ICMP = 58,
	IPV6_NEXT_NONE = 59,
	IPV6_NEXT_OPTIONS = 60,
};

/* 0: `packet` is a whole IPv6 packet of *total bytes (more are padding); -ERR_TRUNCATED: shorter
 * than its length field; -ERR_FORMAT: another version. */
int ipv6_check(const uint8_t *packet, size_t len, uint32_t *total) NONNULL MUSTCHECK;

/* Fields of a packet that was checked. */
static inline struct ip6 ipv6_source(const uint8_t *p)
{
	return ip6_load(p + IPV6_AT_SOURCE);
}
static inline struct ip6 ipv6_destination(const uint8_t *p)
{
	return ip6_load(p + IPV6_AT_DESTINATION);
}
static inline uint8_t ipv6_traffic_class(const uint8_t *p)
{
	return (uint8_t)(p[0] << 4 | p[1] >> 4);
}
static inline void ipv6_set_traffic_class(uint8_t *p, uint8_t v)
{
	p[0] = (uint8_t)((p[0] & 0xf0) | v >> 4);
	p[1] = (uint8_t)((p[1] & 0x0f) | v << 4);
}

/* Writes a header without traffic class and flow label. */
void ipv6_write(uint8_t out[static IPV6_HEADER], size_t payload, uint8_t next, uint8_t hops,
		const struct ip6 *source, const struct ip6 *destination) NONNULL;

/* What follows the extension headers. */
struct ipv6_upper {
	uint8_t next;    /* its protocol, or the number of a truncated or unknown header */
	uint32_t offset; /* where it begins; may be the packet's end */
	/* the offset of a routing header with segments left, outside fragments; 0: none */
	uint32_t routing;
	bool is_fragment; /* of a larger packet */
	bool is_later;    /* not the first fragment: `offset` is in the middle of a payload */
};
struct ipv6_upper ipv6_upper(const uint8_t *packet, uint32_t total) NONNULL;

enum ipv6_kind {
	IPV6_GLOBAL,         /* all others */
	IPV6_UNSPECIFIED,    /* :: */
	IPV6_LOOPBACK,       /* ::1 */
	IPV6_V4,             /* ::ffff:0:0/96 and ::/96: IPv4 addresses, never sent */
	IPV6_LINK_LOCAL,     /* fe80::/10 */
	IPV6_SITE_LOCAL,     /* fec0::/10, deprecated by RFC 3879 */
	IPV6_NEVER_GLOBAL,   /* the others that ip6_is_never_global knows */
	IPV6_MULTICAST_LINK, /* interface-local and link-local multicast */
	IPV6_MULTICAST,      /* multicast of a larger scope */
};
enum ipv6_kind ipv6_kind_special(const struct ip6 *ip) NONNULL;
/* Nearly all addresses are in 2000::/3, where all special ones are in 2001::/23 (RFC 2928) and
 * 2002::/16. */
static inline enum ipv6_kind ipv6_kind(const struct ip6 *ip)
{
	uint32_t first = be32_load(ip->b);

	if (first - 0x20010200 < 0x20020000 - 0x20010200 ||
	    first - 0x20030000 < 0x40000000 - 0x20030000)
		return IPV6_GLOBAL;
	return ipv6_kind_special(ip);
}

/* True when a router could put a packet to `ip` into a tunnel to the IPv4 address `v4`: 6to4,
 * Teredo (server or client), ISATAP (RFC 6324). Never for a `v4` of 0. */
bool ipv6_embeds(const struct ip6 *ip, struct ip4 v4) NONNULL;

#endif
