/*
 * Replay protection and roaming: which authentic packets are accepted, and which of them move the
 * tunnel's endpoint. Any worker, any tunnel, at any time.
 *
 *  from the present endpoint   stale when the epoch is more than REPLAY_REORDER seconds older than
 *                              the newest accepted one (or our clock, if that is smaller); else
 *                              accepted
 *  from another address        the endpoint moves there at once when the epoch is newer than every
 *                              one accepted before, and was not recorded before popd's start (an
 *                              endpoint that has not answered yet is left as soon as the one that
 *                              it replaced sends something not older than it); else a replay
 *
 * A packet that is refused and an endpoint that is new make popd ask the address (ask.h): a client
 * whose clock was set back, or that was restarted within a second, cannot be told from a replay
 * otherwise. What answers is the client, and has the endpoint. Only AYIYA's answers move an
 * endpoint; protocol 41 is not signed, so its answers confirm the endpoint that there is.
 *
 * The endpoint is address and port; for heartbeats, which come from a new port each time, the
 * address. Its word, `newest` and `highest` are atomic, and a packet that changes none of them
 * writes nothing. Whatever changes the place of the endpoint holds the tunnel's lock.
 */
#ifndef POPD_CORE_REPLAY_H
#define POPD_CORE_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/drop.h"
#include "popd/core/job.h"
#include "popd/core/tunnel.h"

struct roam;

enum { REPLAY_CLOCK_SKEW = 120, REPLAY_REORDER = 5 };

/* Within REPLAY_CLOCK_SKEW seconds of our clock, before or after. */
static inline bool replay_clock_is_near(uint32_t epoch, uint32_t now)
{
	return epoch <= now ? now - epoch <= REPLAY_CLOCK_SKEW : epoch - now <= REPLAY_CLOCK_SKEW;
}

/* An authentic packet or heartbeat. */
struct replay_packet {
	uint64_t from; /* its outer source: endpoint word with ENDPOINT_SHA256 */
	uint32_t epoch;
	struct timestamp now;
};

/* True for a packet that replay_accept would accept without changing anything, which most are. */
static inline bool replay_changes_nothing(const struct tunnel *t, uint64_t from, uint32_t epoch,
					  struct timestamp now)
{
	uint64_t endpoint = atomic_load_explicit(&t->endpoint, memory_order_relaxed);
	uint32_t newest = atomic_load_explicit(&t->newest, memory_order_relaxed);
	uint32_t limit = newest < now.wall ? newest : now.wall;

	return ((endpoint ^ from) & ~(uint64_t)ENDPOINT_ANSWERED) == 0 && epoch <= newest &&
	       (uint64_t)epoch + REPLAY_REORDER >= limit && tunnel_last_heard(t).s == now.mono.s;
}

/* Whether the packet's source is to be asked, and out of which budget. */
enum replay_ask { REPLAY_ASK_NOT, REPLAY_ASK_MOVED, REPLAY_ASK_DOUBTED };

struct replay_result {
	uint64_t before; /* the endpoint word before */
	enum replay_ask ask;
	bool two_clients; /* to be told: the tunnel goes to and fro between two clients */
};

/* DROP_NONE, and the tunnel's endpoint, newest, highest and heard are updated; or DROP_REPLAY_*, or
 * DROP_TUNNEL_UNKNOWN or _TYPE when the control thread has just changed the tunnel: nothing has
 * changed. */
enum drop replay_accept(struct roam *r, struct tunnel *t, const struct tunnel_conf *c,
			const struct replay_packet *p, struct replay_result *out) NONNULL MUSTCHECK;

/* The same for an AYIYA packet that answers an ask of its own source (ask_is_answer), made at
 * `asked_us`: it is accepted whatever its epoch, moves the endpoint, and its epoch is the newest.
 * DROP_REPLAY_MOVE: the endpoint has changed since the ask, so the source is to be asked again. An
 * answer can be sent as often as somebody likes for as long as it is one; so it moves once. */
enum drop replay_accept_answer(struct roam *r, struct tunnel *t, const struct tunnel_conf *c,
			       const struct replay_packet *p, int64_t asked_us,
			       struct replay_result *out) NONNULL MUSTCHECK;

/* `from`, whose packet was accepted, answered an ask: if it still is the endpoint, it has answered
 * from now on. */
void replay_confirm(struct roam *r, struct tunnel *t, const struct tunnel_conf *c, uint64_t from,
		    struct timestamp now) NONNULL;

#endif
