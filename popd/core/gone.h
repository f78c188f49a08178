/*
 * Which IPv4 addresses were the endpoints of protocol-41 tunnels until lately: of static tunnels
 * that were deleted, and of static and heartbeat tunnels whose type was changed. Their clients go on
 * sending and can be told why nothing comes back. A deleted AYIYA or heartbeat tunnel is not
 * remembered: its secret is gone, so nobody can be told apart.
 *
 * Fixed memory. Addresses are hashed into rows of GONE_ROW entries; a full row forgets its oldest.
 * It does not outlive the process: after a restart, clients of tunnels that were deleted before get
 * no answer. The control thread writes, workers read without locks. No clock.
 */
#ifndef POPD_CORE_GONE_H
#define POPD_CORE_GONE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/ip.h"

enum { GONE_ROWS = 1024, GONE_ROW = 4, GONE_SECONDS = 86400 };

struct gone_entry {
	_Atomic uint64_t endpoint; /* address << 32 | monotonic second; 0: none, or being written */
	_Atomic uint64_t net; /* the upper half of the tunnel's /64, as it lies in the address */
};

/* Zeroed: nothing is remembered. */
struct gone {
	struct gone_entry rows[GONE_ROWS][GONE_ROW];
};

/* Remembers for GONE_SECONDS that a tunnel of `net` ended at `addr`. `now`: monotonic seconds.
 * Control thread. */
void gone_remember(struct gone *g, struct ip4 addr, const struct ip6 *net, uint32_t now) NONNULL;

/* True when a tunnel that ended at `from` is gone: that whose /64 has `source`; else, with `any`,
 * one of those at that address. *net is its /64. Any worker. */
bool gone_find(const struct gone *g, struct ip4 from, const struct ip6 *source, bool any,
	       uint32_t now, struct ip6 *net) NONNULL;

#endif
