/*
 * ICMPv6 (RFC 4443) and the two neighbour messages (RFC 4861) that a tunnel endpoint needs. Answers
 * are built in place of the packet. Pure.
 *
 *  error:          0 type   1 code   2 checksum   8 as much of the packet as fits in 1280 bytes
 *                  4 MTU (packet too big), pointer (parameter problem) or unused
 *  echo:           0 type   1 code   2 checksum   4 identifier   6 sequence   8 data
 *  solicitation:   0 type   1 code   2 checksum   4 reserved   8 target   24 options
 *  advertisement:  0 type   1 code   2 checksum   4 router, solicited, override | reserved
 *                  8 target   24 options
 */
#ifndef LIB_WIRE_ICMP6_H
#define LIB_WIRE_ICMP6_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/ip.h"
#include "lib/wire/ipv6.h"

enum icmp6_type {
	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_TIME_EXCEEDED = 3,
	ICMP6_PARAMETER = 4,
	ICMP6_INFORMATIONAL = 128,
	ICMP6_ECHO_REQUEST = 128,
	ICMP6_ECHO_REPLY = 129,
	ICMP6_SOLICITATION = 135,
	ICMP6_ADVERTISEMENT = 136,
	ICMP6_REDIRECT = 137,
};
enum icmp6_code { ICMP6_NO_ROUTE = 0, ICMP6_PROHIBITED = 1, ICMP6_ADDRESS = 3, ICMP6_PORT = 4 };
enum {
	ICMP6_HEADER = 8,
	ICMP6_NEIGHBOUR = 24,
	ICMP6_ERROR_HEADROOM = IPV6_HEADER + ICMP6_HEADER,
	ICMP6_AT_CSUM = 2,
	ICMP6_AT_TARGET = 8
};

struct icmp6_error {
	uint8_t type, code;
	/* ICMP6_TOO_BIG: the MTU; ICMP6_PARAMETER: the offset of the fault in the packet; else 0 */
	uint32_t detail;
};

/* False for a packet that RFC 4443 2.4 (e) allows no error about: an ICMPv6 error or redirect, a
 * packet that may be one (a later fragment, a truncated header), and one from or to an address that
 * is not one host's. ("Packet too big" may answer a multicast packet, but tunnels forward none.) */
bool icmp6_may_answer(const uint8_t *packet, uint32_t total) NONNULL;

/* Writes the error's headers into the ICMP6_ERROR_HEADROOM bytes before `packet`, whose beginning
 * is the quote, and returns where the error begins. */
uint8_t *icmp6_error_build(uint8_t *packet, uint32_t total, struct icmp6_error e,
			   const struct ip6 *source, uint32_t *len) NONNULL;

/* Turns the echo request at offset `upper` (at least 8 bytes) into its reply, without extension
 * headers, and returns where the reply begins. A wrong checksum stays wrong, so that the sender of
 * the request notices. */
uint8_t *icmp6_echo_build(uint8_t *packet, uint32_t total, uint32_t upper, uint32_t *len) NONNULL;

/* True for a valid neighbour solicitation (RFC 4861 7.1.1) for `target` from a global address. */
bool icmp6_is_solicitation(const uint8_t *packet, uint32_t total, const struct ipv6_upper *upper,
			   const struct ip6 *target) NONNULL;
/* Turns it into the advertisement of `target`, without link-layer addresses (RFC 4213 3.8). */
uint8_t *icmp6_advertisement_build(uint8_t *packet, const struct ip6 *target, uint32_t *len)
	NONNULL;

#endif
