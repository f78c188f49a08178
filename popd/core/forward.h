/*
 * The decision about one inner packet: where it goes, what is sent back instead, or why it is
 * dropped. It reads the packet, the tunnel table and the time it is given, and changes nothing. The
 * order of the checks:
 *
 *  1. the source: link-local traffic, martians, spoofing, tunnel loops (RFC 6324)
 *  2. the destination: multicast, martians
 *  3. the PoP itself: <tunnel>::1 and <tunnel prefix>:ffff::1 answer echo requests and neighbour
 *     solicitations; the rest is "port unreachable"
 *  4. the route: none, another host of a tunnel's /64, back into the same tunnel, disabled, down
 *  5. the hop limit, then the MTU
 */
#ifndef POPD_CORE_FORWARD_H
#define POPD_CORE_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/wire/icmp6.h"
#include "popd/core/drop.h"
#include "popd/core/job.h"
#include "popd/core/table.h"

/* The settings that decisions depend on. */
struct forward_conf {
	uint32_t expiry;       /* seconds without a valid packet until a dynamic tunnel is down */
	uint8_t probe_key[16]; /* random, the same for all workers; of probes and asks */
};

/* What is decided about. */
struct forward_packet {
	const uint8_t *data; /* passed ipv6_check, */
	uint32_t len;        /* which gave this length */
	const struct pop_conf *pop;
	struct tunnel *from; /* NULL: the uplink */
	const struct tunnel_conf *from_conf;
	uint64_t outer;           /* endpoint word of its outer source; not used for the uplink */
	struct route source;      /* of its source address; not used for the uplink */
	struct route destination; /* of its destination address */
};

enum action {
	ACTION_NONE,   /* send nothing */
	ACTION_UPLINK, /* send to the TUN, hop limit decremented */
	ACTION_TUNNEL, /* send to `to`, hop limit decremented */
	/* send back to where the packet came from: */
	ACTION_ERROR,     /* `error`, if the RFC and the rate limit allow */
	ACTION_ECHO,      /* the echo reply */
	ACTION_NEIGHBOUR, /* the neighbour advertisement */
	/* send nothing, but count the reply to a probe: */
	ACTION_PROBED,
	/* send nothing: the address that the packet came from answered an ask */
	ACTION_ANSWERED,
};

struct verdict {
	enum action action;
	enum drop drop;        /* DROP_NONE for all but ACTION_NONE and ACTION_ERROR */
	struct tunnel *charge; /* that the drop is counted for; NULL: the PoP only */
	const struct tunnel_conf *charge_conf;
	struct tunnel *to; /* ACTION_TUNNEL */
	const struct tunnel_conf *to_conf;
	uint64_t endpoint; /* ACTION_TUNNEL: of `to`, at the time of the decision */
	struct icmp6_error error;
	struct ip6 answer;      /* source address of what is sent back */
	uint32_t upper;         /* ACTION_ECHO: offset of the ICMPv6 header */
	uint32_t rtt_us, probe; /* ACTION_PROBED */
};

void forward_decide(const struct forward_conf *conf, const struct forward_packet *p,
		    struct timestamp now, struct verdict *v) NONNULL;

/* True when forward_decide can only send the packet to the uplink or drop it without an answer: its
 * destination is global and not in the PoP's prefixes, and its hop limit suffices. */
bool forward_is_transit(const struct pop_conf *pop, const uint8_t *packet) NONNULL;

/* The part of check 1 that needs no tunnel: DROP_LINK_LOCAL, DROP_INNER_MARTIAN_SOURCE or
 * DROP_NONE. */
enum drop forward_check_source(const uint8_t *packet) NONNULL;

#endif
