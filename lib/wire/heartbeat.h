/*
 * The heartbeat (draft-massar-v6ops-heartbeat-01), with which a protocol-41 client reports its IPv4
 * address: one line in one datagram.
 *
 *   HEARTBEAT TUNNEL <client's IPv6> <"sender" or its IPv4> <seconds> <32 hex digits>
 *   then nothing, or line ends or NULs
 *
 * The digits are the MD5 of the line as received, with the tunnel's secret in place of the digits:
 * the address is signed as the client spells it. Codec only. Pure.
 */
#ifndef LIB_WIRE_HEARTBEAT_H
#define LIB_WIRE_HEARTBEAT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/digest.h"
#include "lib/ip.h"

enum { HEARTBEAT_MAX = 256 }; /* bytes of a line */

struct heartbeat {
	struct ip6 client;
	struct ip4 address; /* 0: "sender" */
	uint32_t epoch;
	uint8_t digest[DIGEST_MD5_LEN];
	/* bytes of the line before the digits: they are hashed, then the secret */
	uint32_t signed_len;
};

/* 0, or -ERR_FORMAT. */
int heartbeat_decode(const uint8_t *data, size_t len, struct heartbeat *out) NONNULL MUSTCHECK;

#endif
