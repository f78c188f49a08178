/*
 * The other end of a connection: its address, and the prefixes by which it is counted. One host has
 * one IPv4 address, but all of an IPv6 /64, and one customer commonly a /56 or a /48: whoever counts
 * IPv6 sources by less than all three lets one customer be thousands.
 */
#ifndef LIB_PEER_H
#define LIB_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"
#include "lib/ip.h"

struct sockaddr;

struct peer {
	struct ip6 ip; /* IPv4 as ::ffff:a.b.c.d */
	bool is_ip4;
	char text[IP6_TEXT]; /* IPv4 in dotted form */
};

struct peer peer_of_ip6(const struct ip6 *ip) NONNULL;
/* AF_INET or AF_INET6; any other is ::. */
struct peer peer_of_sockaddr(const struct sockaddr *from) NONNULL;
/* An address of either family as text. 0 or -ERR_FORMAT. */
int peer_parse(const char *text, size_t len, struct peer *out) NONNULL MUSTCHECK;

enum { PEER_PREFIXES = 3 };

/* The prefixes an address is counted by, longest first, in `out`; returns their number: 1 for IPv4
 * (the address itself, /128 in its mapped form), 3 for IPv6 (/64, /56, /48). */
size_t peer_prefixes(const struct ip6 *ip, struct prefix6 out[static PEER_PREFIXES]) NONNULL;

/* A prefix of either family in the notation of its family: 192.0.2.1, 192.0.2.0/24, 2001:db8::/56. */
enum { PEER_PREFIX_TEXT = PREFIX6_TEXT };
const char *peer_prefix_text(const struct prefix6 *p, char out[static PEER_PREFIX_TEXT]) NONNULL;

#endif
