/*
 * The yardstick: the plainest forwarder of the same packets that batches its system calls. One
 * thread, one TUN without offloads, one socket; no table, no checks, no counters, one receiver of
 * everything. Its numbers say how fast this machine is just now, so that rows of different runs can
 * be compared as ratios to it.
 *
 *   reference ayiya|proto41 TUN POP-IPV4
 *
 * From the socket to the TUN: what is inside, after hashing the datagram once (AYIYA). From the TUN
 * to the socket: to the client whose number the inner destination shows, so that the kernel has as
 * many clients to tell apart as with popd, after hashing once. "ready" on standard output when it
 * forwards.
 *
 *   reference floor
 *
 * Prints what the parts of a packet's work cost on this machine, in nanoseconds: the best of many
 * short tries.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/digest.h"
#include "tests/bench/bytes.h"
#include "tests/bench/die.h"
#include "tests/bench/packet.h"
#include "tests/bench/plan.h"

enum { BATCH = 64, SIZE = 2048, BUFFER = 8 << 20 };

struct reference {
	int tun, outer;
	bool ayiya;
	struct digest_ctx *digest;
	struct sockaddr_in clients[BATCH];
	struct mmsghdr messages[BATCH];
	struct iovec iov[BATCH];
	uint8_t data[BATCH][SIZE];
};

static int open_tun(const char *name)
{
	struct ifreq req = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &req) != 0)
		die_errno("the TUN");
	return fd;
}

static int open_outer(bool ayiya, const char *address)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
				    .sin_port = htons(ayiya ? PLAN_AYIYA_PORT : 0) };
	int type = ayiya ? SOCK_DGRAM : SOCK_RAW, size = BUFFER;
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, ayiya ? 0 : IPPROTO_IPV6);

	if (fd < 0 || inet_pton(AF_INET, address, &name.sin_addr) != 1 ||
	    bind(fd, (const struct sockaddr *)&name, sizeof(name)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0)
		die_errno("the outer socket");
	return fd;
}

static void hash(struct reference *r, uint8_t *p, size_t len)
{
	uint8_t out[DIGEST_SHA1_LEN];

	if (!digest(r->digest, DIGEST_SHA1, p, len, out))
		die("OpenSSL computed no digest");
	memcpy(p + 24, out, sizeof(out));
}

/* False: nothing was waiting. */
static bool inwards(struct reference *r)
{
	size_t header = r->ayiya ? PACKET_AYIYA : PACKET_IPV4;

	for (size_t i = 0; i < BATCH; i++) {
		r->iov[i] = (struct iovec){ .iov_base = r->data[i], .iov_len = SIZE };
		r->messages[i].msg_hdr = (struct msghdr){ .msg_iov = &r->iov[i], .msg_iovlen = 1 };
	}
	int n = recvmmsg(r->outer, r->messages, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		size_t len = r->messages[i].msg_len;
		if (len <= header)
			continue;
		if (r->ayiya)
			hash(r, r->data[i], len);
		if (write(r->tun, r->data[i] + header, len - header) < 0)
			die_errno("the TUN takes no packet");
	}
	return n == BATCH;
}

static struct sockaddr_in client_of(const struct reference *r, const uint8_t *inner)
{
	uint32_t tunnel = plan_tunnel_of(inner + PACKET_AT_DESTINATION);

	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(r->ayiya ? plan_client_port(tunnel) : 0),
				     .sin_addr.s_addr = htonl(plan_client_ipv4(tunnel)) };
}

static bool outwards(struct reference *r)
{
	size_t header = r->ayiya ? PACKET_AYIYA : 0;
	unsigned n = 0;

	for (; n < BATCH; n++) {
		ssize_t len = read(r->tun, r->data[n] + header, SIZE - header);
		if (len < PACKET_IPV6)
			break;
		r->clients[n] = client_of(r, r->data[n] + header);
		r->iov[n] = (struct iovec){ .iov_base = r->data[n],
					    .iov_len = (size_t)len + header };
		r->messages[n].msg_hdr = (struct msghdr){ .msg_name = &r->clients[n],
							  .msg_namelen = sizeof(r->clients[n]),
							  .msg_iov = &r->iov[n],
							  .msg_iovlen = 1 };
		if (!r->ayiya)
			continue;
		memset(r->data[n], 0, PACKET_AYIYA);
		put32(r->data[n], 0x41521129);
		hash(r, r->data[n], r->iov[n].iov_len);
	}
	if (n > 0 && sendmmsg(r->outer, r->messages, n, 0) != (int)n)
		die_errno("the outer socket takes no packet");
	return n == BATCH;
}

/* ---- the floor ---- */

enum { TRIES = 200, REPEATS = 50, DATAGRAM = 1324 };

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void call_system(struct reference *r)
{
	(void)r;
	(void)syscall(SYS_getppid);
}

static void hash_datagram(struct reference *r)
{
	hash(r, r->data[0], DATAGRAM);
}

static void copy_64k(struct reference *r)
{
	memcpy(r->data[BATCH / 2], r->data[0], 1 << 16);
	__asm__ volatile(""
			 :
			 : "r"(r->data)
			 : "memory"); /* or the compiler drops the unused result */
}

static double best_of(struct reference *r, void (*thing)(struct reference *r))
{
	double best = 1e9;

	for (int i = 0; i < TRIES; i++) {
		double begun = now_ns();
		for (int n = 0; n < REPEATS; n++)
			thing(r);
		double took = (now_ns() - begun) / REPEATS;
		best = took < best ? took : best;
	}
	return best;
}

static void show_floor(struct reference *r)
{
	printf("{\"syscall\": %.0f, \"sha1\": %.0f, \"copy\": %.0f}\n", best_of(r, call_system),
	       best_of(r, hash_datagram), best_of(r, copy_64k));
}

int main(int argc, char **argv)
{
	static struct reference r;

	if (digest_init() != 0 || !(r.digest = digest_ctx_create()))
		die("no digests");
	if (argc == 2 && strcmp(argv[1], "floor") == 0) {
		show_floor(&r);
		return 0;
	}
	if (argc != 4)
		die("usage: reference floor | ayiya|proto41 TUN POP-IPV4");
	r.ayiya = strcmp(argv[1], "ayiya") == 0;
	r.tun = open_tun(argv[2]);
	r.outer = open_outer(r.ayiya, argv[3]);
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct pollfd fds[2] = { { .fd = r.outer, .events = POLLIN },
					 { .fd = r.tun, .events = POLLIN } };
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			die_errno("poll");
		if (fds[0].revents)
			while (inwards(&r))
				;
		if (fds[1].revents)
			while (outwards(&r))
				;
	}
}
