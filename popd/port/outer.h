/*
 * What UDP and raw protocol-41 sockets have in common: their options, and sending a batch of outer
 * packets with one sendmmsg. With UDP_SEGMENT, packets of one size to one endpoint are sent as one
 * message.
 */
#ifndef POPD_PORT_OUTER_H
#define POPD_PORT_OUTER_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "popd/core/offload.h"
#include "popd/port/port.h"

enum { OUTER_BATCH = 2 * JOB_BATCH, OUTER_BUFFER = 8 << 20 };

/* The arguments of one sendmmsg, prepared once. */
struct outer_batch {
	struct offloads *offloads; /* for UDP_SEGMENT; NULL: never */
	struct mmsghdr messages[OUTER_BATCH];
	/* one per packet, in order; a message's begin at its first packet */
	struct iovec iov[OUTER_BATCH];
	struct sockaddr_in to[OUTER_BATCH];
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint16_t))];
	} control[OUTER_BATCH];
	uint16_t first[OUTER_BATCH + 1]; /* index of each message's first packet */
};

/* A non-blocking IPv4 socket with large buffers and TTL 64. `pmtu`: IP_PMTUDISC_*, which controls
 * DF. -1 on failure: errno is set. */
int outer_socket(int type, int protocol, int pmtu);

void outer_batch_init(struct outer_batch *b) NONNULL;
/* Sends `n` (<= OUTER_BATCH) packets in order. A packet that the kernel refuses is counted and
 * skipped; when the socket's buffer is full, all that is left is counted. Nothing is retried. */
void outer_send(struct outer_batch *b, int fd, struct out *const *outs, size_t n,
		struct pipeline *pipeline, uint32_t now) NONNULL;

#endif
