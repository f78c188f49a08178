/* Encapsulation of an inner packet for its tunnel: protocol 41 (nothing to add, the kernel writes
 * the IPv4 header) or AYIYA. Pure. */
#ifndef POPD_CORE_ENCAP_H
#define POPD_CORE_ENCAP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/wire/ayiya.h"
#include "popd/core/auth.h"
#include "popd/core/job.h"
#include "popd/core/tunnel.h"

/* The largest inner packet that the tunnel takes to this endpoint word: the configured MTU, or what
 * a smaller path MTU leaves; never under 1280. */
uint32_t encap_mtu(const struct tunnel *t, const struct tunnel_conf *c, uint64_t endpoint,
		   mono_s_t now) NONNULL;

/* The outer traffic class for an inner one: DSCP by policy (the inner packet keeps its own: the
 * pipe model of RFC 2983), ECN as in RFC 6040. */
uint8_t encap_tos(uint8_t class, enum dscp dscp);

/* Fills `out` for the inner packet at `inner`, which has room for an AYIYA header before it.
 * Protocol 41 sets DF when the MTU is above 1280 (RFC 4213 3.2), except on a packet of our own that
 * is larger than the MTU (the reply to a large echo request). AYIYA never sets DF: errors seldom
 * come back through a NAT, and every client's kernel reassembles UDP. True: auth_run must compute
 * `sign` before the packet is sent. */
bool encap_packet(struct out *out, struct auth_item *sign, struct tunnel *t,
		  const struct tunnel_conf *c, uint64_t endpoint, uint8_t *inner, uint32_t len,
		  enum dscp dscp, struct timestamp now) NONNULL MUSTCHECK;

/* Fills `out` and `sign` for an AYIYA packet of any opcode, whose payload of `len` bytes is at
 * `payload`, with room for the header before it. `wall`: its epoch. */
void encap_ayiya(struct out *out, struct auth_item *sign, struct tunnel *t,
		 const struct tunnel_conf *c, uint64_t endpoint, enum ayiya_opcode opcode,
		 uint8_t next_header, uint8_t *payload, uint32_t len, uint32_t wall) NONNULL;

#endif
