/*
 * There are two sockets for sending, since DF is a property of the socket: one sets it, one never
 * does (RFC 4213 3.2). The one without DF also receives, if this worker is a receiver. A socket
 * that only sends is connected so that it receives nothing (receive_nothing), since the kernel
 * copies each packet for every raw socket that matches.
 *
 * Receiving: one recvmmsg fills up to JOB_BATCH large buffers. Each message becomes one job in
 * place or, when it is coalesced and not in transit, its segments, over as many calls of receive as
 * needed (`backlog`). One that cannot be cut is a job too, which the pipeline drops and counts.
 */
#include "popd/port/raw41.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/wire/ipv4.h"
#include "popd/core/forward.h"
#include "popd/port/outer.h"
#include "popd/port/segment.h"
#include "popd/port/steer.h"

enum { RAW_PACKET = 65536 };

struct raw41_port {
	struct port port;
	const struct offloads *offloads;
	int fd_df;                /* sends with DF */
	struct buffers *large;    /* of received messages */
	struct buffers *segments; /* that coalesced packets are cut into */
	struct mmsghdr messages[JOB_BATCH];
	struct iovec iov[JOB_BATCH];
	size_t count, next; /* messages of the last recvmmsg, and the first unfinished one */
	bool cutting;       /* messages[next] is being cut */
	struct segments cut;
	struct outer_batch out;
};

/* The buffer of message i, placed so that its inner packet, after an IPv4 header without options,
 * is where a job's data begins. */
static uint8_t *message_at(const struct raw41_port *r, size_t i)
{
	return buffers_at(r->large, i) - IPV4_HEADER;
}

/* Reads the outer header of message `next`; false: it is invalid, counted and skipped. */
static bool read_outer(struct raw41_port *r, struct ipv4_view *outer)
{
	const struct mmsghdr *m = &r->messages[r->next];
	bool truncated = m->msg_hdr.msg_flags & MSG_TRUNC;

	*outer = (struct ipv4_view){ { 0 }, { 0 }, 0, 0, false, 0, 0 };
	if (ipv4_decode(message_at(r, r->next), m->msg_len, outer) == 0 && !truncated)
		return true;
	size_t skip = m->msg_len < IPV4_HEADER ? m->msg_len : IPV4_HEADER;
	pipeline_unreadable(r->port.pipeline, JOB_FROM_PROTO41,
			    (struct endpoint4){ outer->source, 0 }, message_at(r, r->next) + skip,
			    (uint32_t)(m->msg_len - skip), wall_seconds());
	r->next++;
	return false;
}

/* How the coalesced packet may be forwarded uncut; size 0: it may not. */
static struct gso gso_of_transit(const struct raw41_port *r, const uint8_t *inner)
{
	static const struct gso none;

	if (!offload_is_on(r->offloads, OFFLOAD_TUN_TSO) ||
	    !forward_is_transit(table_pop(r->port.pipeline->table), inner))
		return none;
	return segments_as_gso(&r->cut);
}

/* Makes the next job of message `next`, with segment buffer `slot`; false: the message is finished
 * without another job. */
static bool next_job(struct raw41_port *r, struct job *job, size_t slot)
{
	struct ipv4_view outer;

	if (!read_outer(r, &outer))
		return false;
	struct endpoint4 from = { outer.source, 0 };
	uint8_t *inner = message_at(r, r->next) + outer.offset;
	bool coalesced = r->cutting || segments_begin_coalesced(&r->cut, inner, outer.len);
	bool merged = coalesced && segments_largest(&r->cut) > TUNNEL_MTU_MAX;
	struct gso gso = { 0, 0 };
	if (coalesced && !merged && !r->cutting)
		gso = gso_of_transit(r, inner);
	if (!coalesced || merged || gso.size > 0) {
		r->next++;
		job_fill(job, JOB_FROM_PROTO41, inner, outer.len, from, outer.tos);
		job->gso = gso;
		job->merged = merged;
		return true;
	}
	uint8_t *segment = buffers_at(r->segments, slot);
	size_t size = segments_next(&r->cut, segment, PORT_PACKET);
	r->cutting = size > 0;
	if (size > 0)
		job_fill(job, JOB_FROM_PROTO41, segment, size, from, outer.tos);
	else
		r->next++;
	return size > 0;
}

static size_t raw41_receive(struct port *port, struct job *jobs, size_t max)
{
	struct raw41_port *r = container_of(port, struct raw41_port, port);
	size_t n = 0;

	if (r->next == r->count) {
		int got = recvmmsg(port->fd, r->messages, JOB_BATCH, MSG_DONTWAIT, NULL);
		r->count = got > 0 ? (size_t)got : 0;
		r->next = 0;
	}
	while (n < max && r->next < r->count)
		if (next_job(r, &jobs[n], n))
			n++;
	port->backlog = r->next < r->count;
	return n;
}

static void raw41_send(struct port *port, struct out *const *outs, size_t n, uint32_t now)
{
	struct raw41_port *r = container_of(port, struct raw41_port, port);

	/* Runs of equal DF are sent together. A tunnel's packets keep their order, since its MTU
	 * decides about DF. */
	for (size_t i = 0; i < n;) {
		size_t run = 1;
		while (i + run < n && outs[i + run]->dont_fragment == outs[i]->dont_fragment)
			run++;
		outer_send(&r->out, outs[i]->dont_fragment ? r->fd_df : port->fd, outs + i, run,
			   port->pipeline, now);
		i += run;
	}
}

static void raw41_free(struct port *port)
{
	struct raw41_port *r = container_of(port, struct raw41_port, port);

	if (port->fd >= 0)
		close(port->fd);
	if (r->fd_df >= 0)
		close(r->fd_df);
	buffers_free(r->large);
	buffers_free(r->segments);
	free(r);
}

static const struct port_ops raw41_ops = { .receive = raw41_receive,
					   .send = raw41_send,
					   .free = raw41_free };

/* A connected raw socket receives packets from its peer only, and our own address sends none. (A
 * filter that drops everything would still cost a copy of each packet.) Sending still goes to each
 * packet's address. */
static int receive_nothing(int fd, const struct sockaddr_in *own)
{
	return connect(fd, (const struct sockaddr *)own, sizeof(*own));
}

/* Packets that arrive between socket() and connect() stay in the socket unread, which is
 * harmless. */
static int open_socket(struct ip4 at, int pmtu, bool receives)
{
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(at.v) };
	int fd = outer_socket(SOCK_RAW, IPPROTO_IPV6, pmtu);

	if (fd < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)&own, sizeof(own)) == 0 &&
	    (receives || receive_nothing(fd, &own) == 0))
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

struct port *raw41_port_create(struct ip4 at, unsigned number, unsigned workers,
			       const struct offloads *offloads, struct pipeline *pipeline)
{
	struct raw41_port *r = calloc(1, sizeof(*r));
	unsigned receivers = workers < RAW41_RECEIVERS_MAX ? workers : RAW41_RECEIVERS_MAX;
	bool receives = number < receivers;

	if (!r)
		return NULL;
	r->port = (struct port){ .ops = &raw41_ops,
				 .fd = -1,
				 .receives = receives,
				 .source = JOB_FROM_PROTO41,
				 .pipeline = pipeline };
	r->fd_df = -1;
	r->offloads = offloads;
	if (receives) {
		r->large = buffers_create(JOB_BATCH, RAW_PACKET);
		r->segments = buffers_create(JOB_BATCH, PORT_PACKET);
		if (!r->large || !r->segments)
			goto fail;
		for (size_t i = 0; i < JOB_BATCH; i++) {
			r->iov[i] = (struct iovec){ .iov_base = message_at(r, i),
						    .iov_len = RAW_PACKET };
			r->messages[i].msg_hdr = (struct msghdr){ .msg_iov = &r->iov[i],
								  .msg_iovlen = 1 };
		}
	}
	r->port.fd = open_socket(at, IP_PMTUDISC_OMIT, receives);
	r->fd_df = open_socket(at, IP_PMTUDISC_PROBE, false);
	if (r->port.fd < 0 || r->fd_df < 0 ||
	    (receives && steer_raw41(r->port.fd, number, receivers) != 0))
		goto fail;
	outer_batch_init(&r->out);
	return &r->port;
fail:;
	int saved = errno;
	raw41_free(&r->port);
	errno = saved;
	return NULL;
}
