/*
 * Cuts one large packet, as the kernel hands it over in place of many, into the packets that it
 * stands for: TCP segments with their sequence numbers and flags, UDP datagrams with their lengths
 * (linux/virtio_net.h, GSO), each with its whole checksum. Pure.
 */
#ifndef POPD_PORT_SEGMENT_H
#define POPD_PORT_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

struct segments {
	const uint8_t *data; /* the whole, borrowed */
	size_t transport;    /* offset of the TCP or UDP header */
	size_t header;       /* bytes before the payload */
	size_t payload;      /* bytes of it */
	size_t step;         /* payload bytes a segment */
	size_t at;           /* payload bytes already written */
	bool tcp, done;
};

/* An IPv6 packet whose TCP or UDP header is at `transport`, to be cut every `step` payload bytes.
 * false: the headers are not whole, or `step` is 0. */
bool segments_begin(struct segments *s, const uint8_t *data, size_t len, size_t transport, bool tcp,
		    size_t step) NONNULL;

/* Writes the next segment and returns its length; 0: that was all, or it would be longer than
 * `room`. */
size_t segments_next(struct segments *s, uint8_t *out, size_t room) NONNULL;

#endif
