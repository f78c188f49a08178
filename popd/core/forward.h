/*
 * The decision about one inner packet: where it goes, what is answered in its place, or why it is
 * let go. It reads the packet, the tunnel table and the time it is given, and changes nothing. The
 * order of the questions:
 *
 *  1. the source: link-local chatter, martians, spoofing, loops of tunnels (RFC 6324)
 *  2. the destination: multicast, martians
 *  3. the PoP itself: <tunnel>::1 and <tunnel prefix>:ffff::1 answer echo and neighbour solicitations;
 *     the rest is "port unreachable"
 *  4. the route: none, the rest of a tunnel's own /64, back into the same tunnel, disabled, down
 *  5. hop limit, then MTU
 */
#ifndef POPD_CORE_FORWARD_H
#define POPD_CORE_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/wire/icmp6.h"
#include "popd/core/drop.h"
#include "popd/core/pipeline.h"
#include "popd/core/table.h"

struct transit {
	const uint8_t *packet; /* ipv6_check says it is one, */
	uint32_t len;          /* of this length */
	const struct pop_conf *pop;
	struct tunnel *from; /* NULL: the uplink */
	const struct tunnel_conf *from_conf;
	struct route source;      /* of its source address; not needed from the uplink */
	struct route destination; /* of its destination address */
};

enum action {
	ACTION_NONE,   /* nothing goes out */
	ACTION_UPLINK, /* to the TUN, one hop further */
	ACTION_TUNNEL, /* to `to`, one hop further */
	/* back to where it came from: */
	ACTION_ERROR,     /* `error`, when nothing forbids it and the rate allows */
	ACTION_ECHO,      /* the echo reply */
	ACTION_NEIGHBOUR, /* the neighbour advertisement */
	/* nothing goes out, but the reply to a probe has come back: */
	ACTION_PROBED,
};

struct verdict {
	enum action action;
	enum drop drop;        /* DROP_NONE for all but ACTION_NONE and ACTION_ERROR */
	struct tunnel *charge; /* whose the drop is; NULL: the PoP's alone */
	const struct tunnel_conf *charge_conf;
	struct tunnel *to; /* ACTION_TUNNEL */
	const struct tunnel_conf *to_conf;
	uint64_t endpoint; /* ACTION_TUNNEL: of `to`, as of the decision */
	struct icmp6_error error;
	struct ip6 answer;      /* source of what is answered */
	uint32_t upper;         /* where the echo begins */
	uint32_t rtt_us, probe; /* ACTION_PROBED */
};

void forward_decide(const struct pipeline *p, const struct transit *x, struct timestamp now,
		    struct verdict *v) NONNULL;

/* True when all that forward_decide can say of the packet is that it goes to the uplink or is let
 * go without an answer: its destination is neither ours nor ours to judge, and its hop limit lasts.
 */
bool forward_is_transit(const struct pop_conf *pop, const uint8_t *packet) NONNULL;

/* Question 1 as far as no tunnel need be known: DROP_LINK_LOCAL or DROP_INNER_MARTIAN_SOURCE, else
 * DROP_NONE. */
enum drop forward_judge_source(const uint8_t *packet) NONNULL;

#endif
