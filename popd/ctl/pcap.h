/*
 * A capture file, as tcpdump and Wireshark read it (pcap, microseconds, host byte order). popd
 * knows of outer packets what its sockets gave and took; the IPv4 and UDP headers around that are
 * made here, with right checksums. TTL and identification, which nobody knows any more, are 64 and
 * 0.
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

/* An outer packet but for its payload. */
struct pcap_outer {
	struct endpoint4 from, to;
	uint8_t protocol; /* 17: with a UDP header */
	uint8_t tos;
	bool dont_fragment;
};

void pcap_begin(FILE *f, uint32_t linktype) NONNULL;
/* A packet of `whole` bytes, of which there are `len`. */
void pcap_inner(FILE *f, int64_t wall_us, const uint8_t *data, size_t len, size_t whole) NONNULL;
/* The same, of an outer one's payload. */
void pcap_outer(FILE *f, int64_t wall_us, const struct pcap_outer *o, const uint8_t *data,
		size_t len, size_t whole) NONNULL;

#endif
