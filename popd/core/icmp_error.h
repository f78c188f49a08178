/*
 * What a router or the client's own machine says of an outer packet that it could not deliver (an
 * ICMPv4 error), and whether to believe it. Anybody can send such a message, so it counts only when
 * what it quotes is a packet that we could have sent: from our address, to the endpoint that a
 * tunnel has now, and as far as the quote goes of that tunnel. The worst that a well-guessed one
 * can do is to lower the MTU of the tunnels at one endpoint to 1280 for ten minutes. Pure.
 *
 * A quote that reaches far enough names the tunnel: by AYIYA's identity or the inner destination.
 * The shortest does not. For those the control thread looks through the tunnels
 * (daemon/endpoint_scan.h), a bounded number of times a second: they are rare, and an index from
 * endpoint to tunnel would have to be kept right by all workers at every move of every client, for
 * nothing else's sake.
 */
#ifndef POPD_CORE_ICMP_ERROR_H
#define POPD_CORE_ICMP_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/ip.h"
#include "lib/wire/icmp4.h"
#include "popd/core/drop.h"
#include "popd/core/tunnel.h"

struct icmp_error {
	enum drop reason; /* DROP_OUTER_* */
	uint32_t mtu;     /* DROP_OUTER_TOO_BIG: what the path is said to take; else 0 */
	/* endpoint word of where our packet went, without flags; no port: protocol 41 */
	uint64_t about;
	uint64_t from;   /* endpoint word of who says so */
	uint32_t ticket; /* by which whoever hands it on finds its packet again (worker.c) */
};

/* What `e` from `from` says. False: it quotes nothing that would have left `own` (from the AYIYA
 * port). */
bool icmp_error_read(const struct icmp4_error *e, struct endpoint4 from, struct ip4 own,
		     uint16_t ayiya_port, struct icmp_error *out) NONNULL MUSTCHECK;

/* True when packets of the tunnel go where the packet quoted of went. */
bool icmp_error_is_about(const struct icmp_error *c, const struct tunnel *t,
			 const struct tunnel_conf *conf) NONNULL;

/* Acts on it for the tunnel it is about: gives the reason to count it under for that tunnel, having
 * lowered its path MTU for DROP_OUTER_TOO_BIG; or DROP_ICMP4_UNVERIFIED when it is not about it
 * (any more). Any thread. */
enum drop icmp_error_settle(const struct icmp_error *c, struct tunnel *t,
			    const struct tunnel_conf *conf, uint32_t now) NONNULL MUSTCHECK;

#endif
