/* How many connections each address has, for the limits per address: an IPv4 address is counted by
 * itself, an IPv6 address by its /64, /56 and /48 (lib/peer.h). */
#ifndef LIB_PEERS_H
#define LIB_PEERS_H

#include <stdbool.h>

#include "lib/cc.h"
#include "lib/ip.h"
#include "lib/peer.h"

/* 0: no limit. */
struct peers_max {
	unsigned address;      /* an IPv4 address, an IPv6 /64 */
	unsigned net56, net48; /* an IPv6 /56, /48 */
};

struct peers;

struct peers *peers_create(void); /* NULL: out of memory */
void peers_free(struct peers *peers);

/* True when one more connection from `ip` (IPv4 as ::ffff:a.b.c.d) is within the limits; else *full
 * is the prefix that has as many as it may. */
bool peers_has_room(const struct peers *peers, const struct ip6 *ip, const struct peers_max *max,
		    struct prefix6 *full) NONNULL MUSTCHECK;

/* Counts one more connection whatever the limits are. 0; -ERR_NOMEM: nothing is counted. */
int peers_enter(struct peers *peers, const struct ip6 *ip) NONNULL MUSTCHECK;

/* A connection that entered has left. */
void peers_leave(struct peers *peers, const struct ip6 *ip) NONNULL;

#endif
