/*
 * Fronts: the proxies that stand before a server of ours and say for whom they connect. What anybody
 * else says about that is worth nothing. Pure.
 */
#ifndef LIB_FRONTS_H
#define LIB_FRONTS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"
#include "lib/ip.h"
#include "lib/peer.h"

enum { FRONTS_MAX = 32 };

struct fronts {
	struct prefix6 at[FRONTS_MAX]; /* IPv4 in its mapped form */
	size_t n;
};

/* Addresses and prefixes of both families, separated by commas or blanks; "" is none. 0, -ERR_FORMAT
 * or -ERR_RANGE (more than FRONTS_MAX), and then *out is not to be used. */
int fronts_parse(const char *text, struct fronts *out) NONNULL MUSTCHECK;

bool fronts_has(const struct fronts *fronts, const struct ip6 *ip) NONNULL;

/*
 * The value of one X-Forwarded-For line; several are given in the order in which they came. Each
 * front appends the address from which it was asked, so the client is the last address that is no
 * front; what stands before it is the client's own invention. True: *client is that address as far as
 * these lines go, false: it is unknown (not an address, or all are fronts) and *client has no
 * meaning. *is_known is false before the first line.
 */
void fronts_forwarded_for(const struct fronts *fronts, const char *line, struct peer *client,
			  bool *is_known) NONNULL;

#endif
