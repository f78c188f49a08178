/*
 * Cuts a packet that stands for several into those packets: TCP segments with their sequence
 * numbers and flags, UDP datagrams with their lengths, each with its whole checksum. Pure.
 *
 * Two kinds of packet need it. GSO packets come with the size of their segments
 * (linux/virtio_net.h). A raw protocol-41 socket gives no such size, yet delivers packets that were
 * never on a wire as they are: TCP segments that the kernel's receive offload (GRO) coalesced, of
 * up to 64 KiB, and TCP or UDP packets of a neighbouring virtual machine whose checksum was left to
 * hardware. Both hold a partial checksum. They are cut for the MTU that every IPv6 path has (1280).
 *
 * UDP datagrams that a program on such a machine sent merged (UDP_SEGMENT) look like one datagram:
 * nothing says where one ends. They are recognized when that datagram is larger than any tunnel's
 * MTU, and dropped.
 */
#ifndef POPD_PORT_SEGMENT_H
#define POPD_PORT_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/job.h"

/* The largest segment of a coalesced packet, unless its headers alone are longer. */
enum { SEGMENT_COALESCED = 1280 };

struct segments {
	const uint8_t *data; /* the whole packet, borrowed */
	size_t transport;    /* offset of the TCP or UDP header */
	size_t header;       /* bytes before the payload */
	size_t payload;      /* bytes of the payload */
	size_t size;         /* payload bytes of each segment but the last */
	size_t at;           /* payload bytes already written */
	bool tcp, done;
};

/* Begins to cut an IPv6 packet whose TCP or UDP header is at `transport` into segments of `size`
 * payload bytes. false: the headers are not complete, or `size` is 0. */
bool segments_begin(struct segments *s, const uint8_t *data, size_t len, size_t transport, bool tcp,
		    size_t size) NONNULL;

/* The same for an inner packet of a raw socket, if it is coalesced. false: it is complete as it is,
 * or broken in a way that the pipeline detects. */
bool segments_begin_coalesced(struct segments *s, const uint8_t *data, size_t len) NONNULL;

/* The length of the largest segment. That of a coalesced packet is larger than any tunnel's MTU when
 * it cannot be cut into the packets that were sent: merged datagrams, or headers that are too
 * long. */
size_t segments_largest(const struct segments *s) NONNULL;

/* As what GSO packet a coalesced packet may be forwarded uncut, before segments_next. Size 0: it
 * must be cut. Only plain TCP may stay whole: several segments, no extension headers, and no
 * congestion mark that belongs to the first segment alone (CWR, RFC 3168 6.1.2). */
struct gso segments_as_gso(const struct segments *s) NONNULL;

/* Writes the next segment and returns its length; 0: there is none, or it is longer than
 * `capacity`. */
size_t segments_next(struct segments *s, uint8_t *out, size_t capacity) NONNULL;

/* The partial checksum of an IPv6 packet: the sum of its pseudo-header (RFC 8200 8.1) for `upper`
 * bytes of protocol `next`, not complemented, as in the checksum field of GSO packets. */
uint16_t segment_partial_checksum(const uint8_t *data, size_t upper, uint8_t next) NONNULL;

#endif
