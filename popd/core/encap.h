/* Wrapping an inner packet for its tunnel: protocol 41 (nothing to add, the kernel writes the IPv4
 * header) or AYIYA. Pure. */
#ifndef POPD_CORE_ENCAP_H
#define POPD_CORE_ENCAP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/wire/ayiya.h"
#include "popd/core/auth.h"
#include "popd/core/pipeline.h"
#include "popd/core/tunnel.h"

/* The largest inner packet that the tunnel takes to this endpoint word: the configured MTU, or less
 * when the path is known to take less; never under 1280. `now`: wall seconds. */
uint32_t encap_mtu(const struct tunnel *t, const struct tunnel_conf *c, uint64_t endpoint,
		   uint32_t now) NONNULL;

/* The outer traffic class for an inner one: DSCP by policy (the inner packet keeps its own: RFC
 * 2983, the pipe model), ECN as RFC 6040 says. */
uint8_t encap_tos(uint8_t class, enum dscp dscp);

/* Fills `out` for the inner packet at `inner` (with room for an AYIYA header before it). Protocol
 * 41 sets DF above an MTU of 1280 (RFC 4213 3.2), but for a packet of our own (the answer to a
 * large echo request) that is larger than the MTU. AYIYA never does: behind a NAT the errors seldom
 * come back, and every client's kernel puts UDP together again. True: `sign` must be run before it
 * may be sent. */
bool encap_packet(struct out *out, struct auth_item *sign, struct tunnel *t,
		  const struct tunnel_conf *c, uint64_t endpoint, uint8_t *inner, uint32_t len,
		  enum dscp dscp, uint32_t now) NONNULL MUSTCHECK;

/* Fills `out` and `sign` for an AYIYA packet of another opcode whose payload of `len` bytes, if
 * any, is at `payload`.
 * */
void encap_ayiya(struct out *out, struct auth_item *sign, struct tunnel *t,
		 const struct tunnel_conf *c, uint64_t endpoint, enum ayiya_opcode opcode,
		 uint8_t next_header, uint8_t *payload, uint32_t len, uint32_t now) NONNULL;

#endif
