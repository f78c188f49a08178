/*
 * The outer IPv4 header as a raw socket delivers it (RFC 791). Decodes only; the kernel has checked
 * the header checksum. Pure.
 *
 *  0 version 4 | header length in units of 4   1 DSCP, ECN   2 total length   4 identification
 *  6 flags 3 | fragment offset in units of 8   8 time to live   9 protocol   10 checksum
 * 12 source   16 destination   20 options
 */
#ifndef LIB_WIRE_IPV4_H
#define LIB_WIRE_IPV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/ip.h"

enum { IPV4_HEADER = 20, IPV4_PROTOCOL_ICMP = 1, IPV4_PROTOCOL_UDP = 17, IPV4_PROTOCOL_IPV6 = 41 };

struct ipv4_view {
	struct ip4 source, destination;
	uint8_t tos;
	uint8_t protocol;
	bool is_fragment; /* of a larger packet */
	uint32_t offset;  /* of the payload */
	/* of the payload, from the header; more bytes in the buffer are padding */
	uint32_t len;
};

/* 0; -ERR_TRUNCATED: shorter than a header or the total length; -ERR_FORMAT: not IPv4. */
int ipv4_decode(const uint8_t *packet, size_t len, struct ipv4_view *out) NONNULL MUSTCHECK;

#endif
