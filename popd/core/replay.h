/*
 * Who moves a tunnel's endpoint: of valid packets, only those that are newer than all before. Any
 * worker may ask for any tunnel at any time.
 *
 *  from the current endpoint:   stale when the epoch is more than 5 s older than the smaller of the newest
 *                               accepted and our clock
 *  from elsewhere:              accepted, and the endpoint moves, when the epoch is newer than the newest accepted;
 *                               else it is a replay
 *
 * "The current endpoint" is address and port, for heartbeats (from a fresh port each time) the
 * address. What asks here has been authenticated.
 */
#ifndef POPD_CORE_REPLAY_H
#define POPD_CORE_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/drop.h"
#include "popd/core/tunnel.h"

enum { REPLAY_CLOCK_SKEW = 120, REPLAY_REORDER = 5 };

/* Within 120 s of our clock, before or after. */
static inline bool replay_clock_is_near(uint32_t epoch, uint32_t now)
{
	return epoch <= now ? now - epoch <= REPLAY_CLOCK_SKEW : epoch - now <= REPLAY_CLOCK_SKEW;
}

/* Takes a valid packet or beat of `epoch` from `from` (an endpoint word, flags included):
 * DROP_NONE, and the tunnel's endpoint, newest and heard are as it says; or DROP_REPLAY_*, or (the
 * tunnel was changed this moment) DROP_TUNNEL_UNKNOWN or _TYPE, and nothing has changed. `*before`:
 * the endpoint word before. */
enum drop replay_accept(struct tunnel *t, const struct tunnel_conf *c, uint64_t from,
			uint32_t epoch, uint32_t now, uint64_t *before) NONNULL MUSTCHECK;

#endif
