/* How many connections each address has: counts by IPv4 address or IPv6 /64, for the limit per
 * address. Pure but for the allocation. */
#ifndef TICD_CORE_PEERS_H
#define TICD_CORE_PEERS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/ip.h"

struct peers;

struct peers *peers_create(void); /* NULL: no memory */
void peers_free(struct peers *peers);

/* Counts one more from `ip` (IPv4 as ::ffff:a.b.c.d). False, and nothing is counted, when it has
 * `max` already or memory is out. */
bool peers_enter(struct peers *peers, const struct ip6 *ip, unsigned max) NONNULL MUSTCHECK;

/* One that entered has left. */
void peers_leave(struct peers *peers, const struct ip6 *ip) NONNULL;

unsigned peers_count(struct peers *peers, const struct ip6 *ip) NONNULL;

#endif
