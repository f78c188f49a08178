/* How many connections each address has, for the limit per address: counted by IPv4 address or IPv6
 * /64. */
#ifndef TICD_CORE_PEERS_H
#define TICD_CORE_PEERS_H

#include "lib/cc.h"
#include "lib/ip.h"

struct peers;

struct peers *peers_create(void); /* NULL: out of memory */
void peers_free(struct peers *peers);

/* Counts one more connection from `ip` (IPv4 as ::ffff:a.b.c.d). 0, or nothing is counted:
 * -ERR_BUSY (it has `max` already), -ERR_NOMEM. */
int peers_enter(struct peers *peers, const struct ip6 *ip, unsigned max) NONNULL MUSTCHECK;

/* A connection that entered has left. */
void peers_leave(struct peers *peers, const struct ip6 *ip) NONNULL;

#endif
