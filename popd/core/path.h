/*
 * The MTU of the IPv4 path to a tunnel's endpoint, as far as ICMPv4 has told (RFC 1191). It is only
 * ever lowered, and forgotten ten minutes after it was (RFC 8201 4: a path may have become wider)
 * or when the endpoint moves. With its time it is one word of the tunnel, so that any thread may
 * read and lower it. Pure.
 */
#ifndef POPD_CORE_PATH_H
#define POPD_CORE_PATH_H

#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/tunnel.h"

enum {
	PATH_LIFE = 600 /* seconds */,
	PATH_MTU_MIN = 68 /* every IPv4 path takes so much (RFC 791) */
};

/* The path word: MTU and the wall second it was learnt at. */
static inline uint64_t path_pack(uint32_t mtu, uint32_t since)
{
	return (uint64_t)mtu << 32 | since;
}
static inline uint32_t path_since(uint64_t word)
{
	return (uint32_t)word;
}

/* The MTU as known at wall second `now`; 0: nothing is known (any more). */
uint32_t path_mtu(uint64_t word, uint32_t now);

/* Lowers it to `mtu` (at least PATH_MTU_MIN) for PATH_LIFE seconds, when less is not known already
 * and the tunnel's endpoint is still at address and port of `about`. */
void path_lower(struct tunnel *t, uint64_t about, uint32_t mtu, uint32_t now) NONNULL;

/* The MTU to try when a packet of `len` bytes was too big and nobody says for what (RFC 1191 5 and
 * 7.1). */
uint32_t path_plateau(uint32_t len);

#endif
