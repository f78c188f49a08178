#include "tests/bench/link.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/bench/die.h"

enum { BATCH = 64, WATCH_BUFFER = 256 << 20 };

static int packet_socket(const struct link *l, int protocol)
{
	struct sockaddr_ll name = { .sll_family = AF_PACKET,
				    .sll_protocol = htons((uint16_t)protocol),
				    .sll_ifindex = (int)l->index };
	int on = 1, fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) != 0 ||
	    bind(fd, (const struct sockaddr *)&name, sizeof(name)) != 0)
		die_errno("a packet socket");
	return fd;
}

static void enter(int space)
{
	if (setns(space, CLONE_NEWNET) != 0)
		die_errno("the namespace cannot be entered");
}

void link_open(struct link *l, const char *netns, const char *device)
{
	char path[256];
	int on = 1;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	l->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	l->space = open(path, O_RDONLY | O_CLOEXEC);
	if (l->home < 0 || l->space < 0)
		die_errno(path);
	enter(l->space);
	l->index = if_nametoindex(device);
	if (l->index == 0)
		die_errno(device);
	l->sender = packet_socket(l, 0); /* protocol 0: receives nothing */
	l->counter = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (l->counter < 0)
		die_errno("a netlink socket");
	/* The qdisc of a veth is none; the bypass spares looking for it. */
	(void)setsockopt(l->sender, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
	enter(l->home);
}

static void send_batch(int fd, struct mmsghdr *messages, unsigned n)
{
	for (unsigned done = 0; done < n;) {
		int sent = sendmmsg(fd, messages + done, n - done, 0);
		if (sent > 0)
			done += (unsigned)sent;
		else if (errno != EINTR && errno != ENOBUFS && errno != EAGAIN)
			die_errno("a frame cannot be sent");
	}
}

void link_send(const struct link *l, const struct packet_set *s, uint32_t from, uint32_t n)
{
	struct mmsghdr messages[BATCH];
	struct iovec iov[BATCH][2];
	unsigned used = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct packet_frame *f = &s->frames[(from + i) % s->frames_used];
		iov[used][0] = (struct iovec){ .iov_base = &f->vnet, .iov_len = sizeof(f->vnet) };
		iov[used][1] = (struct iovec){ .iov_base = f->data, .iov_len = f->len };
		messages[used] = (struct mmsghdr){ .msg_hdr = { .msg_iov = iov[used],
								.msg_iovlen = 2 } };
		if (++used < BATCH && i + 1 < n)
			continue;
		send_batch(l->sender, messages, used);
		used = 0;
	}
}

struct link_count link_received(const struct link *l)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg info;
	} ask = { .head = { .nlmsg_len = sizeof(ask),
			    .nlmsg_type = RTM_GETLINK,
			    .nlmsg_flags = NLM_F_REQUEST },
		  .info = { .ifi_index = (int)l->index } };
	_Alignas(struct nlmsghdr) char answer[16384];
	struct rtnl_link_stats64 stats = { 0 };

	if (send(l->counter, &ask, sizeof(ask), 0) < 0)
		die_errno("counters cannot be asked for");
	ssize_t len = recv(l->counter, answer, sizeof(answer), 0);
	struct nlmsghdr *head = (struct nlmsghdr *)answer;
	if (len < 0 || !NLMSG_OK(head, (unsigned)len) || head->nlmsg_type != RTM_NEWLINK)
		die_errno("counters cannot be read");
	int left = (int)IFLA_PAYLOAD(head);
	for (struct rtattr *a = IFLA_RTA(NLMSG_DATA(head)); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == IFLA_STATS64)
			memcpy(&stats, RTA_DATA(a), offsetof(struct rtnl_link_stats64, multicast));
	return (struct link_count){ .skbs = stats.rx_packets, .bytes = stats.rx_bytes };
}

int link_watch(const struct link *l)
{
	int size = WATCH_BUFFER;

	enter(l->space);
	int fd = packet_socket(l, ETH_P_ALL);
	enter(l->home);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

size_t link_next(int watch, struct virtio_net_hdr *vnet, uint8_t *frame)
{
	struct iovec iov[2] = { { .iov_base = vnet, .iov_len = sizeof(*vnet) },
				{ .iov_base = frame, .iov_len = LINK_FRAME_MAX } };
	struct sockaddr_ll from;

	for (;;) {
		struct msghdr m = { .msg_name = &from,
				    .msg_namelen = sizeof(from),
				    .msg_iov = iov,
				    .msg_iovlen = 2 };
		ssize_t len = recvmsg(watch, &m, MSG_DONTWAIT);
		if (len < (ssize_t)sizeof(*vnet))
			return 0;
		if (from.sll_pkttype != PACKET_OUTGOING)
			return (size_t)len - sizeof(*vnet);
	}
}
