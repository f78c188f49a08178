/*
 * The other end of one AYIYA tunnel, for real TCP through popd: fast enough to leave the time to
 * popd, and made from the protocol documents alone. Large packets on both sides (the TUN's and
 * UDP's segmentation offloads), and as a client that trusts its PoP it does not verify what comes:
 * it is popd that is measured.
 *
 *   client TUNNEL TUN SOURCE-IPV4
 *
 * TUNNEL is its number in plan.h. "ready" on standard output when the TUN is there.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/sha1_many.h"
#include "tests/bench/bytes.h"
#include "tests/bench/die.h"
#include "tests/bench/merge.h"
#include "tests/bench/packet.h"
#include "tests/bench/plan.h"

enum {
	LARGE = 1 << 16,
	SEGMENT = 2048,
	BATCH = 16,         /* UDP receives at a time, each of up to LARGE bytes */
	SEND_SEGMENTS = 40, /* of 1472 bytes fit into one send */
	SOCKET_BUFFER = 8 << 20,
	IPV6 = 40,
	TCP_FIN_PSH = 0x09,
	BEAT_SECONDS = 30,
};

struct client {
	uint32_t tunnel;
	int tun, udp;
	uint8_t head[PACKET_AYIYA]; /* with the key where the signature goes */
	struct digest_ctx *digest;
	struct sha1_set engines;
	uint8_t packet[sizeof(struct virtio_net_hdr) + LARGE]; /* from the TUN */
	uint8_t out[SHA1_MANY_MAX][SEGMENT];
	uint32_t out_len[SHA1_MANY_MAX];
	uint8_t signature[SHA1_MANY_MAX][DIGEST_SHA1_LEN];
	struct mmsghdr messages[BATCH];
	struct iovec iov[BATCH];
	uint8_t control[BATCH][CMSG_SPACE(sizeof(int))];
	uint8_t in[BATCH][LARGE];
};

/* ---- from the TUN ---- */

static void sign(struct client *c, size_t n)
{
	struct sha1_job jobs[SHA1_MANY_MAX];

	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		jobs[i] = (struct sha1_job){ .data = c->out[i],
					     .len = c->out_len[i],
					     .out = c->signature[i] };
	sha1_many(&c->engines, c->digest, jobs, n);
	for (size_t i = 0; i < n; i++)
		memcpy(c->out[i] + 24, c->signature[i], DIGEST_SHA1_LEN);
}

/* Datagrams `from` .. `from + n - 1`, all but the last of one size, in one send. */
static void send_run(struct client *c, size_t from, size_t n)
{
	struct iovec iov[SEND_SEGMENTS];
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
	} control = { .align = { .cmsg_level = IPPROTO_UDP,
				 .cmsg_type = UDP_SEGMENT,
				 .cmsg_len = CMSG_LEN(2) } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };
	uint16_t size = (uint16_t)c->out_len[from];

	for (size_t i = 0; i < n; i++)
		iov[i] = (struct iovec){ .iov_base = c->out[from + i],
					 .iov_len = c->out_len[from + i] };
	memcpy(CMSG_DATA(&control.align), &size, sizeof(size));
	if (n > 1) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control.bytes);
	}
	(void)sendmsg(c->udp, &m, 0); /* TCP sends lost segments again */
}

static void send_all(struct client *c, size_t n)
{
	sign(c, n);
	for (size_t i = 0; i < n; i += SEND_SEGMENTS)
		send_run(c, i, n - i < SEND_SEGMENTS ? n - i : SEND_SEGMENTS);
}

/* Puts datagram `slot` together: headers `header` bytes of inner[], then payload. */
static void put_datagram(struct client *c, size_t slot, const uint8_t *inner, size_t header,
			 const uint8_t *payload, size_t len)
{
	uint8_t *out = c->out[slot];

	memcpy(out, c->head, PACKET_AYIYA);
	put32(out + 4, (uint32_t)time(NULL));
	memcpy(out + PACKET_AYIYA, inner, header);
	if (len > 0)
		memcpy(out + PACKET_AYIYA + header, payload, len);
	c->out_len[slot] = (uint32_t)(PACKET_AYIYA + header + len);
}

/* The checksum the kernel has left to the device. */
static void finish_checksum(uint8_t *packet, size_t len, size_t start, size_t offset)
{
	if (start + offset + 2 <= len)
		put16(packet + start + offset, ~add_sum(0, packet + start, len - start) & 0xffff);
}

/* Cuts a large TCP packet; gives the number of datagrams. */
static size_t cut(struct client *c, const uint8_t *packet, size_t len, size_t header, size_t size)
{
	size_t n = 0;

	for (size_t at = header; at < len && n < SHA1_MANY_MAX; at += size, n++) {
		size_t part = len - at < size ? len - at : size;
		put_datagram(c, n, packet, header, packet + at, part);
		uint8_t *inner = c->out[n] + PACKET_AYIYA, *tcp = inner + IPV6;
		uint32_t upper = (uint32_t)(header - IPV6 + part);
		put16(inner + 4, upper);
		put32(tcp + 4, get32(packet + IPV6 + 4) + (uint32_t)(at - header));
		if (at + part < len)
			tcp[13] &= (uint8_t)~TCP_FIN_PSH;
		put16(tcp + 16, add_pseudo6(inner, upper, 6));
		finish_checksum(inner, header + part, IPV6, 16);
	}
	return n;
}

/* False: nothing was waiting. */
static bool outwards(struct client *c)
{
	struct virtio_net_hdr vnet;
	uint8_t *packet = c->packet + sizeof(vnet);
	ssize_t got = read(c->tun, c->packet, sizeof(c->packet));

	if (got <= (ssize_t)sizeof(vnet) + IPV6)
		return false;
	size_t len = (size_t)got - sizeof(vnet);
	memcpy(&vnet, c->packet, sizeof(vnet));
	if (packet[0] >> 4 != 6)
		return true;
	if (vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		send_all(c, cut(c, packet, len, IPV6 + (size_t)(packet[IPV6 + 12] >> 4) * 4,
				vnet.gso_size));
	} else if (len <= SEGMENT - PACKET_AYIYA) {
		if (vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
			finish_checksum(packet, len, vnet.csum_start, vnet.csum_offset);
		put_datagram(c, 0, packet, len, NULL, 0);
		send_all(c, 1);
	}
	return true;
}

/* ---- from the socket ---- */

static size_t segment_size(struct msghdr *m, size_t len)
{
	for (struct cmsghdr *a = CMSG_FIRSTHDR(m); a; a = CMSG_NXTHDR(m, a))
		if (a->cmsg_level == IPPROTO_UDP && a->cmsg_type == UDP_GRO) {
			int size;
			memcpy(&size, CMSG_DATA(a), sizeof(size));
			return (size_t)size;
		}
	return len;
}

static void write_merged(struct client *c, struct merge *m)
{
	if (!m->first)
		return;
	merge_finish(m);
	(void)writev(c->tun, m->pieces, (int)m->count);
	m->first = NULL;
}

static void deliver(struct client *c, struct merge *m, uint8_t *p, size_t len)
{
	if (len <= PACKET_AYIYA + IPV6 || p[3] != 41)
		return;
	p += PACKET_AYIYA;
	len -= PACKET_AYIYA;
	if (m->first && merge_add(m, p, len))
		return;
	write_merged(c, m);
	merge_begin(m, p, len);
}

static bool inwards(struct client *c)
{
	struct merge m = { .first = NULL };

	for (size_t i = 0; i < BATCH; i++) {
		c->iov[i] = (struct iovec){ .iov_base = c->in[i], .iov_len = LARGE };
		c->messages[i].msg_hdr = (struct msghdr){ .msg_iov = &c->iov[i],
							  .msg_iovlen = 1,
							  .msg_control = c->control[i],
							  .msg_controllen = sizeof(c->control[i]) };
	}
	int n = recvmmsg(c->udp, c->messages, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		size_t len = c->messages[i].msg_len,
		       each = segment_size(&c->messages[i].msg_hdr, len);
		for (size_t at = 0; at < len && each > 0; at += each)
			deliver(c, &m, c->in[i] + at, len - at < each ? len - at : each);
	}
	write_merged(c, &m);
	return n == BATCH;
}

/* ---- beginning ---- */

static int open_tun(const char *name)
{
	struct ifreq req = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &req) != 0 ||
	    ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) != 0)
		die_errno("the TUN");
	return fd;
}

static int open_udp(const char *source)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_port = htons(20000) };
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(PLAN_AYIYA_PORT),
				  .sin_addr.s_addr = htonl(plan_pop_ipv4) };
	int size = SOCKET_BUFFER, on = 1, never = IP_PMTUDISC_OMIT;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || inet_pton(AF_INET, source, &from.sin_addr) != 1 ||
	    bind(fd, (const struct sockaddr *)&from, sizeof(from)) != 0 ||
	    connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &never, sizeof(never)) != 0 ||
	    setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)) != 0)
		die_errno("the socket");
	return fd;
}

static void prepare(struct client *c)
{
	char secret[PLAN_SECRET + 1];

	put32(c->head, 0x41521129);
	plan_address(c->tunnel, 2, c->head + 8);
	plan_secret(c->tunnel, secret);
	if (!digest(c->digest, DIGEST_SHA1, secret, PLAN_SECRET, c->head + 24))
		die("OpenSSL computed no digest");
	c->engines = sha1_set_choose(SHA1_AUTO);
}

/* A no-op: popd learns our endpoint, and that we are up. */
static void beat(struct client *c)
{
	put_datagram(c, 0, NULL, 0, NULL, 0);
	put32(c->out[0], 0x4152103b);
	send_all(c, 1);
}

int main(int argc, char **argv)
{
	static struct client c;
	time_t beaten = 0;

	if (argc != 4 || digest_init() != 0 || !(c.digest = digest_ctx_create()))
		die("usage: client TUNNEL TUN SOURCE-IPV4");
	c.tunnel = (uint32_t)strtoul(argv[1], NULL, 10);
	c.tun = open_tun(argv[2]);
	c.udp = open_udp(argv[3]);
	prepare(&c);
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct pollfd fds[2] = { { .fd = c.tun, .events = POLLIN },
					 { .fd = c.udp, .events = POLLIN } };
		if (time(NULL) - beaten >= BEAT_SECONDS) {
			beat(&c);
			beaten = time(NULL);
		}
		if (poll(fds, 2, 1000) < 0 && errno != EINTR)
			die_errno("poll");
		for (int i = 0; i < BATCH && fds[0].revents && outwards(&c); i++)
			;
		for (int i = 0; i < BATCH && fds[1].revents && inwards(&c); i++)
			;
	}
}
