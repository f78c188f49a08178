/*
 * Receiving: one recvmmsg fills up to JOB_BATCH messages. Each becomes one job in place or, when
 * the kernel merged datagrams of one client in it (all of one size but the last), one job per
 * datagram, copied to a buffer of its own since a job needs headroom; over as many calls of receive
 * as needed (`backlog`).
 */
#include "popd/port/udp.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "popd/port/outer.h"

enum { MERGED_MAX = 65536 }; /* bytes of a message with merged datagrams */

union control {
	struct cmsghdr align;
	uint8_t bytes[2 * CMSG_SPACE(sizeof(int))];
};

/* From the control messages. */
struct ancillary {
	uint8_t tos;
	size_t segment; /* size of the merged datagrams; 0: a single one */
};

struct udp_port {
	struct port port;
	bool merges; /* UDP_GRO is on */
	size_t size; /* of a message buffer */
	struct buffers *received;
	struct buffers *datagrams; /* copied from merged messages; NULL without UDP_GRO */
	struct mmsghdr messages[JOB_BATCH];
	struct iovec iov[JOB_BATCH];
	struct sockaddr_in from[JOB_BATCH];
	union control control[JOB_BATCH];
	size_t count, next; /* messages of the last recvmmsg, and the first unfinished one: */
	size_t len, at;     /* its length, and the start of its next datagram */
	struct ancillary ancillary;
	struct outer_batch out;
};

static struct ancillary read_ancillary(struct msghdr *m)
{
	struct ancillary a = { 0, 0 };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
			a.tos = *CMSG_DATA(c);
		} else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
			int segment;
			memcpy(&segment, CMSG_DATA(c), sizeof(segment));
			a.segment = segment > 0 ? (size_t)segment : 0;
		}
	}
	return a;
}

/* Begins message `next`. A truncated one, longer than any valid packet, becomes an empty job, which
 * the pipeline counts. */
static void begin_message(struct udp_port *u)
{
	struct msghdr *m = &u->messages[u->next].msg_hdr;

	u->len = m->msg_flags & MSG_TRUNC ? 0 : u->messages[u->next].msg_len;
	u->at = 0;
	u->ancillary = read_ancillary(m);
	if (!u->datagrams || u->ancillary.segment >= u->len)
		u->ancillary.segment = 0;
}

static size_t datagram_count(const struct udp_port *u)
{
	size_t segment = u->ancillary.segment;

	return segment ? (u->len + segment - 1) / segment : 1;
}

/* Makes job number `n` of the next datagram of message `next`. */
static void next_job(struct udp_port *u, struct job *job, size_t n)
{
	struct endpoint4 from = { { ntohl(u->from[u->next].sin_addr.s_addr) },
				  ntohs(u->from[u->next].sin_port) };
	uint8_t *data = buffers_at(u->received, u->next) + u->at;
	size_t len = u->len - u->at, segment = u->ancillary.segment;

	if (segment > 0) {
		len = len < segment ? len : segment;
		uint8_t *own = buffers_at(u->datagrams, n);
		memcpy(own, data, len < PORT_PACKET ? len : 0);
		data = own;
	}
	u->at += len;
	job_fill(job, u->port.source, data, len < PORT_PACKET ? len : 0, from, u->ancillary.tos);
	if (u->at >= u->len) {
		u->next++;
		u->at = 0;
	}
}

static void fetch(struct udp_port *u)
{
	for (size_t i = 0; i < u->count; i++) {
		u->messages[i].msg_hdr.msg_namelen = sizeof(u->from[i]);
		u->messages[i].msg_hdr.msg_controllen = sizeof(u->control[i].bytes);
	}
	int got = recvmmsg(u->port.fd, u->messages, JOB_BATCH, MSG_DONTWAIT, NULL);
	u->count = got > 0 ? (size_t)got : 0;
	u->next = u->at = 0;
}

static size_t udp_receive(struct port *port, struct job *jobs, size_t max)
{
	struct udp_port *u = container_of(port, struct udp_port, port);
	size_t n = 0;

	if (u->next == u->count)
		fetch(u);
	for (; n < max && u->next < u->count; n++) {
		if (u->at == 0)
			begin_message(u);
		/* A merged message stays in one batch, so that its packets can be merged again. */
		if (u->at == 0 && datagram_count(u) > max - n && datagram_count(u) <= max)
			break;
		next_job(u, &jobs[n], n);
	}
	port->backlog = u->next < u->count;
	return n;
}

static void udp_send(struct port *port, struct out *const *outs, size_t n, uint32_t now)
{
	struct udp_port *u = container_of(port, struct udp_port, port);

	outer_send(&u->out, port->fd, outs, n, port->pipeline, now);
}

static void udp_free(struct port *port)
{
	struct udp_port *u = container_of(port, struct udp_port, port);

	if (port->fd >= 0)
		close(port->fd);
	buffers_free(u->received);
	buffers_free(u->datagrams);
	free(u);
}

static const struct port_ops udp_ops = { .receive = udp_receive,
					 .send = udp_send,
					 .free = udp_free };

static int open_socket(struct endpoint4 at)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
				    .sin_port = htons(at.port),
				    .sin_addr.s_addr = htonl(at.addr.v) };
	int on = 1;
	/* OMIT: the kernel must not refuse packets to a client because of a small or forged path
	 * MTU; it fragments packets that are too large. */
	int fd = outer_socket(SOCK_DGRAM, 0, IP_PMTUDISC_OMIT);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0 &&
	    setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on)) == 0 &&
	    bind(fd, (const struct sockaddr *)&name, sizeof(name)) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* Turns the UDP offloads on; those that the kernel lacks become OFFLOAD_MISSING. */
static void set_offloads(struct udp_port *u, struct offloads *offloads)
{
	int on = 1, off = 0;

	if (!offloads)
		return;
	if (offload_is_on(offloads, OFFLOAD_UDP_GRO)) {
		u->merges = setsockopt(u->port.fd, SOL_UDP, UDP_GRO, &on, sizeof(on)) == 0;
		if (!u->merges)
			offload_lost(offloads, OFFLOAD_UDP_GRO, OFFLOAD_MISSING);
	}
	/* a segment size of none changes nothing where the option exists */
	if (offload_is_on(offloads, OFFLOAD_UDP_GSO) &&
	    setsockopt(u->port.fd, SOL_UDP, UDP_SEGMENT, &off, sizeof(off)) != 0)
		offload_lost(offloads, OFFLOAD_UDP_GSO, OFFLOAD_MISSING);
	u->out.offloads = offloads;
}

static bool make_buffers(struct udp_port *u)
{
	u->size = u->merges ? MERGED_MAX : PORT_PACKET;
	u->received = buffers_create(JOB_BATCH, u->size);
	u->datagrams = u->merges ? buffers_create(JOB_BATCH, PORT_PACKET) : NULL;
	if (!u->received || (u->merges && !u->datagrams))
		return false;
	for (size_t i = 0; i < JOB_BATCH; i++) {
		u->iov[i] = (struct iovec){ .iov_base = buffers_at(u->received, i),
					    .iov_len = u->size };
		u->messages[i].msg_hdr = (struct msghdr){ .msg_name = &u->from[i],
							  .msg_namelen = sizeof(u->from[i]),
							  .msg_iov = &u->iov[i],
							  .msg_iovlen = 1,
							  .msg_control = &u->control[i],
							  .msg_controllen = sizeof(
								  u->control[i].bytes) };
	}
	return true;
}

struct port *udp_port_create(struct endpoint4 at, enum job_source source, struct offloads *offloads,
			     struct pipeline *pipeline)
{
	struct udp_port *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	outer_batch_init(&u->out);
	u->port = (struct port){ .ops = &udp_ops,
				 .fd = open_socket(at),
				 .receives = true,
				 .source = source,
				 .pipeline = pipeline };
	if (u->port.fd >= 0) {
		set_offloads(u, offloads);
		if (make_buffers(u))
			return &u->port;
		errno = ENOMEM;
	}
	int saved = errno;
	udp_free(&u->port);
	errno = saved;
	return NULL;
}
