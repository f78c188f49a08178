#include "popd/io/outer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void set_buffers(int fd)
{
	int size = OUTER_BUFFER;

	/* The forced forms pass the system-wide limit; without CAP_NET_ADMIN the limit is what we get, which is a
	 * matter of speed only. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

int outer_socket(int type, int protocol, int pmtu)
{
	int ttl = 64;
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return -1;
	set_buffers(fd);
	if (setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)) == 0 &&
	    setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &pmtu, sizeof(pmtu)) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

void outer_batch_init(struct outer_batch *b)
{
	memset(b, 0, sizeof(*b));
	for (size_t i = 0; i < OUTER_BATCH; i++) {
		struct msghdr *m = &b->messages[i].msg_hdr;
		m->msg_name = &b->to[i];
		m->msg_namelen = sizeof(b->to[i]);
		m->msg_iov = &b->iov[i];
		m->msg_iovlen = 1;
		b->to[i].sin_family = AF_INET;
		struct cmsghdr *c = &b->tos[i].align;
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_TOS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
	}
}

static void fill(struct outer_batch *b, size_t i, struct out *out)
{
	struct msghdr *m = &b->messages[i].msg_hdr;
	int tos = out->tos;

	b->outs[i] = out;
	b->iov[i] = (struct iovec){ .iov_base = out->data, .iov_len = out->len };
	b->to[i].sin_addr.s_addr = htonl(out->to.addr.v);
	b->to[i].sin_port = htons(out->to.port);
	m->msg_control = tos ? &b->tos[i] : NULL;
	m->msg_controllen = tos ? sizeof(b->tos[i].bytes) : 0;
	if (tos)
		memcpy(CMSG_DATA(&b->tos[i].align), &tos, sizeof(tos));
}

void outer_send(struct outer_batch *b, int fd, struct out *const *outs, size_t n, struct pipeline *pipeline,
		uint32_t now)
{
	for (size_t i = 0; i < n; i++)
		fill(b, i, outs[i]);
	for (size_t done = 0; done < n;) {
		int sent = sendmmsg(fd, b->messages + done, (unsigned)(n - done), 0);
		if (sent > 0) {
			done += (size_t)sent;
			continue;
		}
		if (errno == EINTR)
			continue;
		bool full = errno == EAGAIN || errno == EWOULDBLOCK;
		do
			pipeline_refused(pipeline, b->outs[done++], now);
		while (full && done < n);
	}
}
