/* The kernel has reassembled fragments and verified the IPv4 header checksum, but not ICMP's. */
#include "popd/port/icmp4.h"

#include <errno.h>
#include <linux/icmp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/wire/icmp4.h"
#include "lib/wire/ipv4.h"

/* Errors are few; a flood of forged ones is dropped in the kernel, at the least cost. */
enum { RECEIVE_BUFFER = 128 << 10 };

struct icmp4_port {
	struct port port;
	struct buffers *buffers;
	struct mmsghdr messages[JOB_BATCH];
	struct iovec iov[JOB_BATCH];
};

/* Makes a job of a message. One that is truncated or is not an IPv4 packet becomes an empty job,
 * which the pipeline counts. */
static void fill_job(const struct mmsghdr *m, uint8_t *packet, struct job *job)
{
	struct ipv4_view outer = { .len = 0 };
	bool good = ipv4_decode(packet, m->msg_len, &outer) == 0 &&
		    !(m->msg_hdr.msg_flags & MSG_TRUNC);
	struct endpoint4 from = { outer.source, 0 };

	job_fill(job, JOB_FROM_ICMP4, packet + outer.offset, good ? outer.len : 0, from, outer.tos);
}

static size_t icmp4_receive(struct port *port, struct job *jobs, size_t max)
{
	struct icmp4_port *p = container_of(port, struct icmp4_port, port);
	int got = recvmmsg(port->fd, p->messages, (unsigned)max, MSG_DONTWAIT, NULL);
	size_t n = got > 0 ? (size_t)got : 0;

	for (size_t i = 0; i < n; i++)
		fill_job(&p->messages[i], buffers_at(p->buffers, i), &jobs[i]);
	return n;
}

static void icmp4_free(struct port *port)
{
	struct icmp4_port *p = container_of(port, struct icmp4_port, port);

	if (port->fd >= 0)
		close(port->fd);
	buffers_free(p->buffers);
	free(p);
}

static const struct port_ops icmp4_ops = { .receive = icmp4_receive, .free = icmp4_free };

static int open_socket(struct ip4 at)
{
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(at.v) };
	struct icmp_filter refused = { .data = ~(UINT32_C(1) << ICMP4_UNREACHABLE |
						 UINT32_C(1) << ICMP4_TIME_EXCEEDED |
						 UINT32_C(1) << ICMP4_PARAMETER) };
	int size = RECEIVE_BUFFER,
	    fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_RAW, ICMP_FILTER, &refused, sizeof(refused)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == 0 &&
	    bind(fd, (const struct sockaddr *)&own, sizeof(own)) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

struct port *icmp4_port_create(struct ip4 at, struct pipeline *pipeline)
{
	struct icmp4_port *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->port = (struct port){ .ops = &icmp4_ops,
				 .fd = open_socket(at),
				 .receives = true,
				 .source = JOB_FROM_ICMP4,
				 .pipeline = pipeline };
	p->buffers = p->port.fd >= 0 ? buffers_create(JOB_BATCH, PORT_PACKET) : NULL;
	if (p->buffers) {
		for (size_t i = 0; i < JOB_BATCH; i++) {
			p->iov[i] = (struct iovec){ .iov_base = buffers_at(p->buffers, i),
						    .iov_len = PORT_PACKET };
			p->messages[i].msg_hdr = (struct msghdr){ .msg_iov = &p->iov[i],
								  .msg_iovlen = 1 };
		}
		return &p->port;
	}
	int saved = p->port.fd >= 0 ? ENOMEM : errno;
	icmp4_free(&p->port);
	errno = saved;
	return NULL;
}
