/* A packet as one line of text: "2001:db8::2 > 2001:db8:f00::1 TCP 49152 > 443". Of a truncated
 * packet, what is left of it. */
#ifndef POPD_CTL_PACKET_H
#define POPD_CTL_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

enum { PACKET_TEXT = 200 };

/* What the bytes of a packet are. */
enum packet_kind {
	PACKET_INNER,
	PACKET_AYIYA,
	PACKET_HEARTBEAT,
	PACKET_PROTO41,
	PACKET_ICMP4,
	PACKET_OTHER
};
/* By popd's name for it: "tun", "probe", "path_challenge", "ayiya", "udp" (AYIYA that leaves), "heartbeat", "proto41"
 * or "icmp4". */
enum packet_kind packet_kind_of(const char *name) NONNULL;

/* The inner IPv6 packet; NULL: there is none. */
const uint8_t *packet_inner(enum packet_kind kind, const uint8_t *data, size_t len,
			    size_t *inner_len) NONNULL;

/* Into `out`, which is returned. */
const char *packet_text(enum packet_kind kind, const uint8_t *data, size_t len,
			char out[static PACKET_TEXT]) NONNULL;

#endif
