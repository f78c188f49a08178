/*
 * A capture file, as tcpdump and Wireshark read it (pcap, microseconds, host byte order). popd sees
 * only the payload of outer packets, so their IPv4 and UDP headers are made here, with valid
 * checksums. The TTL and the identification are unknown: 64 and 0.
 */
#ifndef POPD_CTL_PCAP_H
#define POPD_CTL_PCAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/cc.h"
#include "lib/ip.h"

enum { PCAP_IPV4 = 228, PCAP_IPV6 = 229 }; /* LINKTYPE_ */

/* The headers of an outer packet. */
struct pcap_outer {
	struct endpoint4 from, to;
	uint8_t protocol; /* 17: with a UDP header */
	uint8_t tos;
	bool dont_fragment;
};

void pcap_begin(FILE *f, uint32_t linktype) NONNULL;
/* A packet of `orig_len` bytes, of which `len` were captured. */
void pcap_inner(FILE *f, int64_t wall_us, const uint8_t *data, size_t len, size_t orig_len) NONNULL;
/* The same for the payload of an outer packet. */
void pcap_outer(FILE *f, int64_t wall_us, const struct pcap_outer *o, const uint8_t *data,
		size_t len, size_t orig_len) NONNULL;

#endif
