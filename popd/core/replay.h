/*
 * Replay protection: which authentic packets are accepted, and which of them move the tunnel's
 * endpoint. Any worker, any tunnel, at any time.
 *
 *  from the present endpoint:  stale when the epoch is more than REPLAY_REORDER seconds older than
 *                              the newest accepted one (or our clock, if that is smaller)
 *  from another address:       accepted, and the endpoint moves, when the epoch is newer than the
 *                              newest accepted one; else a replay
 *
 * The endpoint is address and port; for heartbeats, which come from a new port each time, the
 * address.
 */
#ifndef POPD_CORE_REPLAY_H
#define POPD_CORE_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/drop.h"
#include "popd/core/tunnel.h"

enum { REPLAY_CLOCK_SKEW = 120, REPLAY_REORDER = 5 };

/* Within REPLAY_CLOCK_SKEW seconds of our clock, before or after. */
static inline bool replay_clock_is_near(uint32_t epoch, uint32_t now)
{
	return epoch <= now ? now - epoch <= REPLAY_CLOCK_SKEW : epoch - now <= REPLAY_CLOCK_SKEW;
}

/* Accepts an authentic packet or heartbeat of `epoch` from `from` (an endpoint word with its
 * flags): DROP_NONE, and the tunnel's endpoint and newest are updated; or DROP_REPLAY_*, or
 * DROP_TUNNEL_UNKNOWN or _TYPE when the control thread has just changed the tunnel: nothing has
 * changed. `*before`: the endpoint word before. */
enum drop replay_accept(struct tunnel *t, const struct tunnel_conf *c, uint64_t from,
			uint32_t epoch, uint32_t now, uint64_t *before) NONNULL MUSTCHECK;

#endif
