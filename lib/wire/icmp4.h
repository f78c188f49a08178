/*
 * ICMPv4 errors (RFC 792, RFC 1191) about packets that we sent: a router or the client's own
 * machine quotes the beginning of one. The sender chooses the length of the quote, at least eight
 * bytes beyond the IPv4 header. Decodes only: core decides whether we sent such a packet. Pure.
 *
 *  0 type     1 code     2 checksum     6 next-hop MTU (in 3/4)
 *  4 unused, length of the quote (RFC 4884) or pointer
 *  8 the quoted IPv4 header, then its payload:
 *      protocol 41:   the inner IPv6 packet
 *      UDP:           0 source port     2 destination port     4 length     6 checksum     8 AYIYA
 *
 * RFC 4884 extensions follow the first 128 bytes of a quote, of which fewer are read here.
 */
#ifndef LIB_WIRE_ICMP4_H
#define LIB_WIRE_ICMP4_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/ip.h"

enum icmp4_type {
	ICMP4_UNREACHABLE = 3,
	ICMP4_SOURCE_QUENCH = 4,
	ICMP4_TIME_EXCEEDED = 11,
	ICMP4_PARAMETER = 12
};
enum { ICMP4_FRAGMENTATION_NEEDED = 4, ICMP4_HEADER = 8 };

/* How much of our packet a quote has. */
enum icmp4_shows {
	ICMP4_SHOWS_ADDRESSES, /* the IPv4 header only */
	ICMP4_SHOWS_PORTS,     /* UDP: the ports, but not the whole AYIYA header */
	ICMP4_SHOWS_AYIYA,     /* the ports, epoch and identity */
	ICMP4_SHOWS_INNER,     /* protocol 41: the whole inner IPv6 header */
};

struct icmp4_error {
	uint8_t type, code;
	uint16_t mtu; /* of the next hop, only in 3/4; 0: the router is older than RFC 1191 */
	/* quoted: */
	struct ip4 source, destination;
	uint8_t protocol;
	uint16_t len; /* total length of our packet */
	enum icmp4_shows shows;
	uint16_t source_port, destination_port; /* from ICMP4_SHOWS_PORTS on */
	uint32_t epoch;                         /* ICMP4_SHOWS_AYIYA */
	struct ip6 address;                     /* AYIYA's identity, or the inner destination */
};

/* `data` is what follows the outer IPv4 header. 0; -ERR_TRUNCATED: fewer than eight bytes of the
 * quoted payload; -ERR_FORMAT: not one of the three types, a wrong checksum, no quoted IPv4 header,
 * or a quoted packet that is neither AYIYA in UDP nor IPv6 in protocol 41. */
int icmp4_decode(const uint8_t *data, size_t len, struct icmp4_error *out) NONNULL MUSTCHECK;

#endif
