/*
 * Makes one large TCP packet of segments of one flow that came one after the other, as a kernel's
 * receive offload does; for the tunnel client, whose TUN takes such packets whole. Copies nothing:
 * the result is a list of pieces.
 */
#ifndef BENCH_MERGE_H
#define BENCH_MERGE_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { MERGE_SEGMENTS = 48, MERGE_BYTES = 65000 };

struct merge {
	struct virtio_net_hdr vnet;
	uint8_t *first; /* the packet whose headers stand for all; NULL: nothing in hand */
	/* of the first: bytes of headers, of payload; bytes of all payload */
	size_t header, payload, total;
	uint32_t next_sequence;
	bool closed;  /* takes no more */
	size_t count; /* of pieces: virtio header, first packet, further payloads */
	struct iovec pieces[2 + MERGE_SEGMENTS];
};

/* Begins anew with an inner packet, which must stay where it is until merge_finish's result is
 * written. */
void merge_begin(struct merge *m, uint8_t *packet, size_t len);
/* True: the packet goes with what is in hand. False: nothing has changed; finish, and begin with
 * it. */
bool merge_add(struct merge *m, uint8_t *packet, size_t len);
/* Sets lengths and checksums right; then pieces[0 .. count - 1] are what to write. */
void merge_finish(struct merge *m);

#endif
