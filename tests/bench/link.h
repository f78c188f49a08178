/* One end of a veth pair, in a network namespace of the bench: frames are sent and seen there by a
 * packet socket, and counted by the device itself. */
#ifndef BENCH_LINK_H
#define BENCH_LINK_H

#include <stddef.h>
#include <stdint.h>

#include "tests/bench/packet.h"

struct link {
	int sender, counter; /* packet socket; netlink socket of the namespace */
	unsigned index;
	int home, space; /* the namespace we came from, and the link's */
};

enum { LINK_FRAME_MAX = 1 << 17 };

/* Ends the program when it cannot be opened. */
void link_open(struct link *l, const char *netns, const char *device);

/* Sends frames `from` .. `from + n - 1` of the set, again from the first after the last. */
void link_send(const struct link *l, const struct packet_set *s, uint32_t from, uint32_t n);

/* What the device has received since it was made. A merged packet is one skb. */
struct link_count {
	uint64_t skbs, bytes;
};
struct link_count link_received(const struct link *l);

/* A socket that sees what arrives from now on. It costs the sender time, so it is only for rounds
 * that are not measured. */
int link_watch(const struct link *l);
/* The next frame that has arrived, at most LINK_FRAME_MAX bytes; 0: none is waiting. */
size_t link_next(int watch, struct virtio_net_hdr *vnet, uint8_t *frame);

#endif
