#include "popd/io/udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "popd/io/outer.h"

struct udp_port {
	struct port port;
	struct buffers *buffers;
	struct mmsghdr messages[PIPELINE_BATCH];
	struct iovec iov[PIPELINE_BATCH];
	struct sockaddr_in from[PIPELINE_BATCH];
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
	} tos[PIPELINE_BATCH];
	struct outer_batch out;
};

static uint8_t received_tos(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS)
			return *CMSG_DATA(c);
	return 0;
}

/* A datagram longer than any valid one was cut; as an empty one it is counted as what it is: no tunnel packet. */
static size_t udp_receive(struct port *port, struct job *jobs, size_t max)
{
	struct udp_port *u = container_of(port, struct udp_port, port);

	for (size_t i = 0; i < max; i++) {
		u->messages[i].msg_hdr.msg_namelen = sizeof(u->from[i]);
		u->messages[i].msg_hdr.msg_controllen = sizeof(u->tos[i].bytes);
	}
	int n = recvmmsg(port->fd, u->messages, (unsigned)max, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		struct msghdr *m = &u->messages[i].msg_hdr;
		struct endpoint4 from = { { ntohl(u->from[i].sin_addr.s_addr) }, ntohs(u->from[i].sin_port) };
		size_t len = m->msg_flags & MSG_TRUNC ? 0 : u->messages[i].msg_len;
		job_fill(&jobs[i], port->source, buffers_at(u->buffers, (size_t)i), len, from, received_tos(m));
	}
	return n > 0 ? (size_t)n : 0;
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
	buffers_free(u->buffers);
	free(u);
}

static const struct port_ops udp_ops = { .name = "udp", .receive = udp_receive, .send = udp_send, .free = udp_free };

static int open_socket(struct endpoint4 at)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
				    .sin_port = htons(at.port),
				    .sin_addr.s_addr = htonl(at.addr.v) };
	int on = 1;
	/* OMIT: one client's small or forged path MTU must not refuse packets of any size to anyone; too large ones
	 * are fragmented. */
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

struct port *udp_port_create(struct endpoint4 at, enum job_source source, struct pipeline *pipeline)
{
	struct udp_port *u = calloc(1, sizeof(*u));

	if (!u || !(u->buffers = buffers_create(PIPELINE_BATCH, PORT_PACKET))) {
		free(u);
		return NULL;
	}
	u->port = (struct port){
		.ops = &udp_ops, .fd = open_socket(at), .receives = true, .source = source, .pipeline = pipeline
	};
	if (u->port.fd < 0) {
		int saved = errno;
		udp_free(&u->port);
		errno = saved;
		return NULL;
	}
	for (size_t i = 0; i < PIPELINE_BATCH; i++) {
		u->iov[i] = (struct iovec){ .iov_base = buffers_at(u->buffers, i), .iov_len = PORT_PACKET };
		u->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &u->from[i], .msg_iov = &u->iov[i], .msg_iovlen = 1, .msg_control = &u->tos[i]
		};
	}
	outer_batch_init(&u->out);
	return &u->port;
}
