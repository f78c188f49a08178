/*
 * An ICMPv4 error about an outer packet of ours, from a router or the client's host, and whether to
 * believe it. Anybody can forge one, so it counts only when it quotes a packet that we could have
 * sent: from our address, to the present endpoint of a tunnel, and of that tunnel in all that is
 * quoted. The most that a good forgery can do is to lower the MTU of the tunnels at one endpoint to
 * 1280 for ten minutes. Pure.
 *
 * "Fragmentation needed" about protocol 41 must quote the inner destination. Routers quote that much
 * since RFC 1812; the IPv4 identification, which a short quote has, is 0 in packets with DF.
 *
 * A long quote names the tunnel, by the AYIYA identity or the inner destination. The shortest does
 * not: then the control thread searches the tunnels for the endpoint (daemon/endpoint_scan.h), a
 * bounded number of times a second. Such errors are rare, and an index from endpoint to tunnel
 * would have to be updated by all workers whenever a client moves.
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
	uint32_t mtu;     /* DROP_OUTER_TOO_BIG: the reported path MTU; else 0 */
	/* endpoint word of our packet's destination, without flags; no port: protocol 41 */
	uint64_t about;
	uint64_t from;   /* endpoint word of the sender */
	uint32_t ticket; /* names the error's packet in the worker that received it (worker.c) */
};

/* Reads `e`, sent by `from`. False: it quotes no packet that `own` could have sent (AYIYA: from
 * `ayiya_port`). */
bool icmp_error_read(const struct icmp4_error *e, struct endpoint4 from, struct ip4 own,
		     uint16_t ayiya_port, struct icmp_error *out) NONNULL MUSTCHECK;

/* True when the tunnel's packets go to the destination of the quoted packet. */
bool icmp_error_is_about(const struct icmp_error *e, const struct tunnel *t,
			 const struct tunnel_conf *conf) NONNULL;

/* Applies the error to a tunnel: lowers its path MTU for DROP_OUTER_TOO_BIG and returns the reason
 * to count for the tunnel, or DROP_ICMP4_UNVERIFIED when the error is not about the tunnel (any
 * more). Any thread. */
enum drop icmp_error_apply(const struct icmp_error *e, struct tunnel *t,
			   const struct tunnel_conf *conf, mono_s_t now) NONNULL MUSTCHECK;

#endif
