/* Looks at what came out: that every packet of a set is there once, in its flow's order, and right
 * in every byte that matters. Used for a round outside the measurement. */
#ifndef BENCH_CHECK_H
#define BENCH_CHECK_H

#include "tests/bench/packet.h"

struct digest_ctx;

struct check {
	const struct packet_set *set;
	struct digest_ctx *digest;
	uint8_t *seen;  /* by number */
	uint32_t *last; /* newest number of each position, for the order */
	uint32_t good, wrong, twice, misplaced;
	const char *why; /* what was wrong with the first wrong one */
};

void check_begin(struct check *c, const struct packet_set *s);
/* One frame from a packet socket with a virtio header, of one packet or of merged ones. Frames of
 * anything else (popd's own probes, neighbour discovery) are ignored. */
void check_frame(struct check *c, const struct virtio_net_hdr *vnet, const uint8_t *frame,
		 size_t len);
void check_end(struct check *c);

#endif
