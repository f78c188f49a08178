/*
 * What UDP and raw protocol-41 sockets have in common: their options, and sending a batch of outer
 * packets with one sendmmsg. Where UDP_SEGMENT is on, packets of one size to one endpoint leave as
 * one message.
 */
#ifndef POPD_PORT_OUTER_H
#define POPD_PORT_OUTER_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "popd/core/offload.h"
#include "popd/port/port.h"

enum { OUTER_BATCH = 2 * JOB_BATCH, OUTER_BUFFER = 8 << 20 };

/* Room for one sendmmsg, prepared once. */
struct outer_batch {
	struct offloads *offloads; /* for UDP_SEGMENT; NULL: never */
	struct mmsghdr messages[OUTER_BATCH];
	/* one a packet, in order: a message's are those from its first packet on */
	struct iovec iov[OUTER_BATCH];
	struct sockaddr_in to[OUTER_BATCH];
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint16_t))];
	} control[OUTER_BATCH];
	uint16_t first[OUTER_BATCH + 1]; /* a message's first packet */
};

/* A non-blocking IPv4 socket with large buffers and TTL 64. `pmtu`: IP_PMTUDISC_*, which decides
 * about DF. -1: errno says why. */
int outer_socket(int type, int protocol, int pmtu);

void outer_batch_init(struct outer_batch *b) NONNULL;
/* Sends `n` (<= OUTER_BATCH) packets in order by `fd`. A packet that the kernel refuses is counted
 * and passed over; when the socket itself is full the rest is counted: nothing is tried twice. */
void outer_send(struct outer_batch *b, int fd, struct out *const *outs, size_t n,
		struct pipeline *pipeline, uint32_t now) NONNULL;

#endif
