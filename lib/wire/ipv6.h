/*
 * The inner packet: the IPv6 header (RFC 8200), where its upper layer begins, and what kind of
 * address an address is. Pure.
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
	IPV6_HOPS = 64, /* hop limit of what we send */
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

/* 0: `packet` holds a whole IPv6 packet of *total bytes (what follows is padding); -ERR_TRUNCATED:
 * less than it says; -ERR_FORMAT: another version. */
int ipv6_check(const uint8_t *packet, size_t len, uint32_t *total) NONNULL MUSTCHECK;

/* Fields of a packet that has been checked. */
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

/* Writes a header: no traffic class, no flow label. */
void ipv6_write(uint8_t out[static IPV6_HEADER], size_t payload, uint8_t next, uint8_t hops,
		const struct ip6 *source, const struct ip6 *destination) NONNULL;

/* What comes after the extension headers. */
struct ipv6_upper {
	uint8_t next; /* its protocol; of an extension header that is cut short or unknown: that */
	uint32_t offset; /* where it begins; may be the packet's end */
	/* where a routing header stands that has segments left, but for one inside a part of a
	 * packet; 0: none */
	uint32_t routing;
	/* a fragment header was passed, and the packet is not all of the fragments there are */
	bool is_fragment;
	bool is_later; /* not the first fragment: at `offset` is something from its middle */
};
struct ipv6_upper ipv6_upper(const uint8_t *packet, uint32_t total) NONNULL;

enum ipv6_kind {
	IPV6_GLOBAL,      /* everything else, unique local addresses too */
	IPV6_UNSPECIFIED, /* :: */
	IPV6_LOOPBACK,    /* ::1 */
	IPV6_V4,          /* ::ffff:0:0/96 and ::/96: IPv4 in disguise, which is not for the wire */
	IPV6_LINK_LOCAL,  /* fe80::/10 */
	IPV6_SITE_LOCAL,  /* fec0::/10, deprecated by RFC 3879 */
	IPV6_MULTICAST_LINK, /* multicast that stays on the link or the interface */
	IPV6_MULTICAST,      /* any other */
};
enum ipv6_kind ipv6_kind(const struct ip6 *ip) NONNULL;

/* True when a packet to `ip` could be put into a tunnel to IPv4 address `v4` by some other router:
 * 6to4, Teredo (server or client), ISATAP (RFC 6324). Never for a `v4` of none. */
bool ipv6_embeds(const struct ip6 *ip, struct ip4 v4) NONNULL;

#endif
