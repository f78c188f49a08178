/*
 * The packets of a row, made once and sent again and again: inner TCP segments over IPv6 with right
 * checksums, bare (for what goes to the clients), or as the clients send them, in signed AYIYA or
 * in protocol 41; each with the frame and the virtio header a packet socket wants. Written from the
 * protocol documents; shares nothing with popd.
 */
#ifndef BENCH_PACKET_H
#define BENCH_PACKET_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5 /* since Linux 6.2 */
#endif

enum path {
	PATH_AYIYA_DECAP,
	PATH_AYIYA_ENCAP,
	PATH_PROTO41_DECAP,
	PATH_PROTO41_ENCAP,
	PATH__COUNT
};

enum {
	PACKET_ETHERNET = 14,
	PACKET_IPV4 = 20,
	PACKET_UDP = 8,
	PACKET_AYIYA = 44, /* with SHA-1 */
	PACKET_IPV6 = 40,
	PACKET_AT_DESTINATION = 24,
	PACKET_INNER = 60, /* IPv6 and TCP headers */
	PACKET_TAG = 8,    /* the payload begins with the packet's number in the row, from 1 */
	PACKET_RUN_MAX = 49,
};

/* What a row sends. */
struct packet_plan {
	enum path path;
	uint32_t inner; /* bytes of the inner packet */
	uint32_t run;   /* packets of one flow one after the other */
	/* a run is handed to the device as one GSO packet, as a device's receive offload gives
	 * it */
	bool merged;
	bool push; /* the last of a run has PSH, which ends merging by the receiving device */
	uint32_t tunnels; /* the path's tunnels, of which ... */
	uint32_t active;  /* ... so many, evenly spread, get packets */
	uint32_t first;   /* number of the first */
	uint32_t flows;   /* so many of the active ones get packets; 0: all */
};

/* What one send call hands to the device. */
struct packet_frame {
	struct virtio_net_hdr vnet;
	uint32_t count; /* packets in it */
	uint32_t len;
	uint8_t *data;
};

/* Packets are numbered from 1 as they are sent: `run` of them for each position, which is a flow's
 * place in the order of sending. */
struct packet_set {
	struct packet_plan plan;
	uint32_t positions;
	uint32_t *tunnel_at; /* by position: the tunnel the flow belongs to */
	uint32_t packets;    /* in all frames */
	uint32_t frames_used;
	struct packet_frame *frames;
};

/* Makes all frames of the plan: one run for each flow, the flows in a random order. `epoch` goes
 * into AYIYA. Ends the program when there is no memory. */
void packet_set_make(struct packet_set *s, const struct packet_plan *plan, uint32_t epoch);
void packet_set_free(struct packet_set *s);

bool packet_is_decap(enum path path);
uint32_t packet_payload(const struct packet_plan *plan); /* TCP payload of each packet */
uint32_t packet_sequence(const struct packet_set *s, uint32_t number);
void packet_addresses(const struct packet_set *s, uint32_t number, uint8_t source[static 16],
		      uint8_t target[static 16]);

/* ---- what comes out on the other side ---- */

/* Takes `skbs` arrivals of `bytes` bytes in all, Ethernet headers included, for packets: exact when
 * each arrival is packets of the plan, single or merged in any way. */
double packet_count(const struct packet_plan *plan, uint64_t skbs, uint64_t bytes);

#endif
