#include "popd/port/outer.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"

/* UDP_MAX_SEGMENTS of kernels before 6.9; and the longest UDP payload over IPv4. */
enum { SEGMENTS_MAX = 64, MESSAGE_MAX = 65507 };

static void set_buffers(int fd)
{
	int size = OUTER_BUFFER;

	/* The forced options exceed the system-wide limit. Without CAP_NET_ADMIN we get the limit,
	 * which costs speed only. */
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
		b->to[i].sin_family = AF_INET;
	}
}

/* Appends a control message after `used` bytes; returns the new number of bytes. */
static size_t put_cmsg(uint8_t *control, size_t used, int level, int type, const void *value,
		       size_t len)
{
	struct cmsghdr c = { .cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type };

	memcpy(control + used, &c, sizeof(c));
	memcpy(control + used + CMSG_LEN(0), value, len);
	return used + CMSG_SPACE(len);
}

/* Makes message `k` of packets first[k] .. first[k] + count - 1, all of the first one's size but
 * the last, which may be shorter. */
static void fill_message(struct outer_batch *b, size_t k, struct out *const *outs, size_t count)
{
	struct msghdr *m = &b->messages[k].msg_hdr;
	const struct out *out = outs[b->first[k]];
	uint16_t segment = (uint16_t)out->len;
	int tos = out->tos;
	size_t used = 0;

	b->to[k].sin_addr.s_addr = htonl(out->to.addr.v);
	b->to[k].sin_port = htons(out->to.port);
	if (tos)
		used = put_cmsg(b->control[k].bytes, used, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
	if (count > 1)
		used = put_cmsg(b->control[k].bytes, used, SOL_UDP, UDP_SEGMENT, &segment,
				sizeof(segment));
	m->msg_control = used ? &b->control[k] : NULL;
	m->msg_controllen = used;
	m->msg_iov = &b->iov[b->first[k]];
	m->msg_iovlen = count;
}

/* The number of packets, from the first of `outs` on, that can be sent as one message. */
static size_t run_length(struct out *const *outs, size_t n)
{
	const struct out *first = outs[0];
	size_t bytes = first->len, count = 1;

	while (count < n && count < SEGMENTS_MAX && outs[count - 1]->len == first->len &&
	       outs[count]->len <= first->len && outs[count]->to.addr.v == first->to.addr.v &&
	       outs[count]->to.port == first->to.port && outs[count]->tos == first->tos &&
	       bytes + outs[count]->len <= MESSAGE_MAX)
		bytes += outs[count++]->len;
	return count;
}

/* Makes messages of packets done .. n-1; returns their number. */
static size_t plan(struct outer_batch *b, struct out *const *outs, size_t done, size_t n)
{
	bool merges = b->offloads && offload_is_on(b->offloads, OFFLOAD_UDP_GSO);
	size_t messages = 0;

	while (done < n) {
		size_t count = merges ? run_length(outs + done, n - done) : 1;
		b->first[messages] = (uint16_t)done;
		fill_message(b, messages++, outs, count);
		done += count;
	}
	b->first[messages] = (uint16_t)n;
	return messages;
}

static void count_refused(struct pipeline *pipeline, const struct out *out, int error, uint32_t now)
{
	if (error == EMSGSIZE && out->dont_fragment)
		pipeline_too_big(pipeline, out, now);
	else
		pipeline_refused(pipeline, out, error, now);
}

/* Sends packets first .. end-1 one by one, since the kernel refused them as one message. EIO: the
 * device cannot compute the checksums of segments, and will refuse every such message. Any other
 * error is about this message (larger than the MTU of its route, for example). */
static void send_singly(struct outer_batch *b, int fd, struct out *const *outs, size_t first,
			size_t end, struct pipeline *pipeline, uint32_t now)
{
	if (errno == EIO && offload_lost(b->offloads, OFFLOAD_UDP_GSO, OFFLOAD_REFUSED))
		log_warnx("%s is off until popd restarts: the kernel refused merged packets (%s)",
			  offload_name(OFFLOAD_UDP_GSO), strerrordesc_np(errno));
	for (size_t i = first; i < end; i++) {
		b->first[0] = (uint16_t)i;
		fill_message(b, 0, outs, 1);
		if (sendmsg(fd, &b->messages[0].msg_hdr, 0) < 0)
			count_refused(pipeline, outs[i], errno, now);
	}
}

void outer_send(struct outer_batch *b, int fd, struct out *const *outs, size_t n,
		struct pipeline *pipeline, uint32_t now)
{
	for (size_t i = 0; i < n; i++)
		b->iov[i] = (struct iovec){ .iov_base = outs[i]->data, .iov_len = outs[i]->len };
	for (size_t done = 0; done < n;) {
		size_t messages = plan(b, outs, done, n);
		int sent = sendmmsg(fd, b->messages, (unsigned)messages, 0);
		if (sent > 0) {
			done = b->first[sent];
			continue;
		}
		if (errno == EINTR)
			continue;
		size_t end = b->first[1];
		int error = errno;
		bool full = error == EAGAIN || error == EWOULDBLOCK;
		if (!full && end - done > 1) {
			send_singly(b, fd, outs, done, end, pipeline, now);
			done = end;
			continue;
		}
		do
			count_refused(pipeline, outs[done++], error, now);
		while (full && done < n);
	}
}
