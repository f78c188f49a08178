/*
 * The MTU of the IPv4 path to a tunnel's endpoint, learnt from ICMPv4 errors (RFC 1191). It is only
 * ever lowered. It expires ten minutes later (the path may have changed: RFC 8201 4), and when the
 * endpoint moves. MTU and time are one word of the tunnel, so any thread may read and lower them.
 * Pure.
 */
#ifndef POPD_CORE_PATH_H
#define POPD_CORE_PATH_H

#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/tunnel.h"

enum {
	PATH_LIFE = 600,   /* seconds */
	PATH_MTU_MIN = 68, /* of every IPv4 path (RFC 791) */
};

/* The path word: the MTU, and when it was learnt. */
static inline uint64_t path_pack(uint32_t mtu, mono_s_t since)
{
	return (uint64_t)mtu << 32 | since.s;
}
static inline mono_s_t path_since(uint64_t word)
{
	return (mono_s_t){ (uint32_t)word };
}

/* The MTU known `now`; 0: unknown or expired. */
uint32_t path_mtu(uint64_t word, mono_s_t now);

/* Lowers it to `mtu` (at least PATH_MTU_MIN) for PATH_LIFE seconds, unless a lower one is known or
 * the tunnel's endpoint is no longer the address and port of `endpoint`. */
void path_lower(struct tunnel *t, uint64_t endpoint, uint32_t mtu, mono_s_t now) NONNULL;

/* The MTU to try next when a packet of `len` bytes was too big and the error names no MTU (RFC 1191
 * 5 and 7.1). */
uint32_t path_plateau(uint32_t len);

#endif
