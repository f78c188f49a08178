/*
 * Reading: each packet is read with its vnet header into one buffer that is large enough for any,
 * since a scattered read costs the kernel more than the memory costs us. A GSO packet is cut into
 * the small buffers of its jobs, over as many calls of receive as needed (`backlog`).
 *
 * Writing: the vnet header is written into the packet's headroom, so that a single packet is one
 * piece of memory. A merged one is that piece and the payloads of the other members. When the
 * kernel refuses a merged packet, its members are restored and written one by one. A kernel that
 * refuses all packets of that kind (EINVAL, EIO: some releases do) gets no more of them.
 */
#include "popd/port/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/wire/be.h"
#include "lib/wire/csum.h"
#include "lib/wire/ipv6.h"
#include "lib/wire/transport.h"
#include "popd/port/gro.h"
#include "popd/port/segment.h"
#include "popd/port/steer.h"

/* In linux/if_tun.h since Linux 6.2; the kernel accepts both or none. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum { VNET = sizeof(struct virtio_net_hdr), GSO_MAX = 65536 + PORT_PACKET };
_Static_assert((int)VNET <= (int)JOB_HEADROOM, "the vnet header fits before the packet");

struct tun_port {
	struct port port;
	struct offloads *offloads;
	bool vnet;              /* every packet has a vnet header */
	struct buffers *large;  /* of packets read */
	struct buffers *pieces; /* that GSO packets are cut into; NULL without vnet headers */
	struct segments cut;    /* the rest of a GSO packet, in its large buffer */
	bool cutting;
	uint8_t piece[VNET + PORT_PACKET]; /* of a GSO packet that the kernel refused */
	struct gro gro;
};

/* ---- reading ---- */

/* Completes a partial checksum, whose field holds the sum of the pseudo-header
 * (linux/virtio_net.h). false: the vnet header is invalid. */
static bool complete_checksum(const struct virtio_net_hdr *h, uint8_t *data, size_t len)
{
	size_t at = (size_t)h->csum_start + h->csum_offset;

	if (h->csum_start < IPV6_HEADER || at + 2 > len)
		return false;
	uint16_t value = csum_fold(csum_add(0, data + h->csum_start, len - h->csum_start));
	be16_store(data + at, value == 0 && h->csum_offset == UDP_AT_CHECK ? 0xffff : value);
	return true;
}

static bool begin_cutting(struct tun_port *t, const struct virtio_net_hdr *h, const uint8_t *data,
			  size_t len)
{
	uint8_t type = h->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;

	if ((type != VIRTIO_NET_HDR_GSO_TCPV6 && type != VIRTIO_NET_HDR_GSO_UDP_L4) ||
	    !(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return false;
	t->cutting = segments_begin(&t->cut, data, len, h->csum_start,
				    type == VIRTIO_NET_HDR_GSO_TCPV6, h->gso_size) &&
		     segments_largest(&t->cut) <= PORT_PACKET;
	return t->cutting;
}

static size_t cut(struct tun_port *t, struct job *jobs, size_t n, size_t max)
{
	static const struct endpoint4 none;

	while (n < max) {
		uint8_t *data = buffers_at(t->pieces, n);
		size_t len = segments_next(&t->cut, data, PORT_PACKET);
		if (len == 0) {
			t->cutting = false;
			break;
		}
		job_fill(&jobs[n++], JOB_FROM_TUN, data, len, none, 0);
	}
	return n;
}

/* Reads one packet or GSO packet and its vnet header, `h`. Returns its length, -1 when none
 * waits. */
static ssize_t read_one(struct tun_port *t, uint8_t *data, struct virtio_net_hdr *h)
{
	size_t before = t->vnet ? VNET : 0;
	ssize_t len;

	do
		len = read(t->port.fd, data - before, before + (t->vnet ? GSO_MAX : PORT_PACKET));
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return -1;
	memcpy(h, data - before, before);
	return len < (ssize_t)before ? 0 : len - (ssize_t)before;
}

static size_t tun_receive(struct port *port, struct job *jobs, size_t max)
{
	static const struct endpoint4 none;
	struct tun_port *t = container_of(port, struct tun_port, port);
	size_t n = t->cutting ? cut(t, jobs, 0, max) : 0;

	while (n < max && !t->cutting) {
		struct virtio_net_hdr h = { 0 };
		uint8_t *data = buffers_at(t->large, n);
		ssize_t len = read_one(t, data, &h);
		if (len < 0) {
			port->gone = errno == EBADFD;
			break;
		}
		/* a packet that is invalid becomes an empty job, which the pipeline counts */
		if (h.gso_type != VIRTIO_NET_HDR_GSO_NONE || len > PORT_PACKET) {
			if (begin_cutting(t, &h, data, (size_t)len))
				n = cut(t, jobs, n, max);
			else
				job_fill(&jobs[n++], JOB_FROM_TUN, data, 0, none, 0);
			continue;
		}
		if ((h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
		    !complete_checksum(&h, data, (size_t)len))
			len = 0;
		job_fill(&jobs[n++], JOB_FROM_TUN, data, (size_t)len, none, 0);
	}
	port->backlog = t->cutting;
	return n;
}

/* ---- writing ---- */

/* Writes a GSO packet that was received as one. 0 or errno, as write_merged. */
static int write_gso(struct tun_port *t, const struct out *out)
{
	struct virtio_net_hdr h = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV6,
		.hdr_len = out->gso.header,
		.gso_size = out->gso.size,
		.csum_start = IPV6_HEADER,
		.csum_offset = TCP_AT_CHECK,
	};
	ssize_t len;

	memcpy(out->data - VNET, &h, VNET);
	do
		len = write(t->port.fd, out->data - VNET, VNET + out->len);
	while (len < 0 && errno == EINTR);
	return len < 0 ? errno : 0;
}

static bool write_alone(struct tun_port *t, const struct out *out)
{
	size_t before = t->vnet ? VNET : 0;
	ssize_t len;

	memset(out->data - before, 0, before);
	do
		len = write(t->port.fd, out->data - before, out->len + before);
	while (len < 0 && errno == EINTR);
	return len >= 0;
}

static int write_merged(struct tun_port *t, const struct gro_group *g, struct out *const *outs)
{
	struct virtio_net_hdr h = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = g->kind == GRO_TCP ? VIRTIO_NET_HDR_GSO_TCPV6
					       : VIRTIO_NET_HDR_GSO_UDP_L4,
		.hdr_len = g->header,
		.gso_size = g->segment,
		.csum_start = IPV6_HEADER,
		.csum_offset = g->kind == GRO_TCP ? TCP_AT_CHECK : UDP_AT_CHECK,
	};
	struct iovec iov[GRO_MAX];
	struct out *first = outs[g->first];
	int n = 0;
	ssize_t len;

	memcpy(first->data - VNET, &h, VNET);
	iov[n++] = (struct iovec){ .iov_base = first->data - VNET, .iov_len = VNET + first->len };
	for (uint16_t i = t->gro.next[g->first]; i != GRO_NONE; i = t->gro.next[i])
		iov[n++] = (struct iovec){ .iov_base = outs[i]->data + g->header,
					   .iov_len = outs[i]->len - g->header };
	do
		len = writev(t->port.fd, iov, n);
	while (len < 0 && errno == EINTR);
	return len < 0 ? errno : 0;
}

static void write_members(struct tun_port *t, const struct gro_group *g, struct out *const *outs,
			  uint32_t now)
{
	for (uint16_t i = g->first; i != GRO_NONE; i = t->gro.next[i])
		if (!write_alone(t, outs[i]))
			pipeline_refused(t->port.pipeline, outs[i], errno, now);
}

/* Turns an offload off when the kernel refuses its packets as such. */
static void note_refusal(struct tun_port *t, int err, enum offload which)
{
	if ((err == EINVAL || err == EIO) && offload_lost(t->offloads, which, OFFLOAD_REFUSED))
		log_warnx("%s is off until popd restarts: the kernel refused merged packets (%s)",
			  offload_name(which), strerrordesc_np(err));
}

/* Writes a GSO packet whole or, if the kernel refuses it, segment by segment. */
static void write_gso_or_segments(struct tun_port *t, struct out *out, uint32_t now)
{
	struct out piece = { .kind = OUT_TUN, .data = t->piece + VNET, .tunnel = out->tunnel };
	struct segments cut;
	int err = offload_is_on(t->offloads, OFFLOAD_TUN_TSO) ? write_gso(t, out) : EOPNOTSUPP;

	if (err == 0)
		return;
	note_refusal(t, err, OFFLOAD_TUN_TSO);
	if (!segments_begin(&cut, out->data, out->len, IPV6_HEADER, true, out->gso.size)) {
		pipeline_refused(t->port.pipeline, out, err, now);
		return;
	}
	while ((piece.len = (uint32_t)segments_next(&cut, piece.data, PORT_PACKET)) > 0)
		if (!write_alone(t, &piece))
			pipeline_refused(t->port.pipeline, &piece, errno, now);
}

static void write_group(struct tun_port *t, const struct gro_group *g, struct out *const *outs,
			uint32_t now)
{
	enum offload which = g->kind == GRO_TCP ? OFFLOAD_TUN_TSO : OFFLOAD_TUN_USO;
	uint8_t header[GRO_HEADER_MAX];

	if (outs[g->first]->gso.size > 0) {
		write_gso_or_segments(t, outs[g->first], now);
		return;
	}
	if (g->count == 1) {
		write_members(t, g, outs, now);
		return;
	}
	memcpy(header, outs[g->first]->data, g->header);
	gro_finish(g, outs);
	int err = write_merged(t, g, outs);
	if (err == 0)
		return;
	memcpy(outs[g->first]->data, header, g->header);
	note_refusal(t, err, which);
	write_members(t, g, outs, now);
}

static void tun_send(struct port *port, struct out *const *outs, size_t n, uint32_t now)
{
	struct tun_port *t = container_of(port, struct tun_port, port);
	struct gro_kinds kinds = { t->vnet && offload_is_on(t->offloads, OFFLOAD_TUN_TSO),
				   t->vnet && offload_is_on(t->offloads, OFFLOAD_TUN_USO) };

	gro_plan(&t->gro, outs, n, kinds);
	for (size_t i = 0; i < t->gro.count; i++)
		write_group(t, &t->gro.groups[i], outs, now);
}

/* ---- making ---- */

static void tun_free(struct port *port)
{
	struct tun_port *t = container_of(port, struct tun_port, port);

	if (port->fd >= 0)
		close(port->fd);
	buffers_free(t->large);
	buffers_free(t->pieces);
	free(t);
}

static const struct port_ops tun_ops = { .receive = tun_receive,
					 .send = tun_send,
					 .free = tun_free };

/* Returns the queue's fd, or -1 with errno set. */
static int attach_queue(const char *name, bool vnet)
{
	struct ifreq req = { .ifr_flags = (short)(IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE |
						  (vnet ? IFF_VNET_HDR : 0)) };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -1;
	memcpy(req.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	if (ioctl(fd, TUNSETIFF, &req) == 0 && ioctl(fd, TUNSETPERSIST, 1) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* Tells the kernel which offloads we accept, fewer when it does not know all of them. */
static void set_offloads(struct tun_port *t)
{
	const unsigned tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
		       uso = TUN_F_USO4 | TUN_F_USO6;
	bool with_tso = offload_is_on(t->offloads, OFFLOAD_TUN_TSO),
	     with_uso = offload_is_on(t->offloads, OFFLOAD_TUN_USO);
	unsigned flags = TUN_F_CSUM | (with_tso ? tso : 0) | (with_uso ? uso : 0);
	int size = VNET;

	if (!t->vnet) {
		/* the device is persistent: an earlier popd may have set them */
		(void)ioctl(t->port.fd, TUNSETOFFLOAD, 0);
		return;
	}
	if (ioctl(t->port.fd, TUNSETVNETHDRSZ, &size) == 0) {
		if (ioctl(t->port.fd, TUNSETOFFLOAD, flags) == 0)
			return;
		if (with_uso)
			offload_lost(t->offloads, OFFLOAD_TUN_USO, OFFLOAD_MISSING);
		if (with_tso && ioctl(t->port.fd, TUNSETOFFLOAD, tso) == 0)
			return;
	}
	offload_lost(t->offloads, OFFLOAD_TUN_TSO, OFFLOAD_MISSING);
	offload_lost(t->offloads, OFFLOAD_TUN_USO, OFFLOAD_MISSING);
	(void)ioctl(t->port.fd, TUNSETOFFLOAD, 0);
}

static void explain(const char *name, char *why)
{
	if (errno == EINVAL)
		snprintf(
			why, TUN_WHY,
			"the interface %s exists and is not a multi-queue TUN: delete it (ip link delete %s) or set another name (tun = ...)",
			name, name);
	else if (errno == EBUSY || errno == E2BIG)
		snprintf(
			why, TUN_WHY,
			"another program uses the interface %s: stop it or set another name (tun = ...)",
			name);
	else
		snprintf(why, TUN_WHY, "cannot create the TUN interface %s: %s", name,
			 strerror(errno));
}

/* The device is persistent: it may have the program of an earlier popd. */
static void steer(struct tun_port *t, unsigned queues)
{
	if (queues < 2 || !offload_is_on(t->offloads, OFFLOAD_TUN_STEER)) {
		steer_tun_off(t->port.fd);
	} else if (steer_tun(t->port.fd) != 0) {
		log_warn("%s is off (packets to one tunnel may be sent out of order)",
			 offload_name(OFFLOAD_TUN_STEER));
		offload_lost(t->offloads, OFFLOAD_TUN_STEER, OFFLOAD_MISSING);
	}
}

struct port *tun_port_create(const char *name, unsigned queues, struct offloads *offloads,
			     struct pipeline *pipeline, char why[static TUN_WHY])
{
	struct tun_port *t = calloc(1, sizeof(*t));

	snprintf(why, TUN_WHY, "no memory for the buffers of a TUN queue");
	if (!t)
		return NULL;
	t->port = (struct port){ .ops = &tun_ops,
				 .fd = -1,
				 .receives = true,
				 .source = JOB_FROM_TUN,
				 .pipeline = pipeline };
	t->offloads = offloads;
	t->vnet = offload_is_on(offloads, OFFLOAD_TUN_TSO) ||
		  offload_is_on(offloads, OFFLOAD_TUN_USO);
	t->large = buffers_create(JOB_BATCH, t->vnet ? GSO_MAX : PORT_PACKET);
	t->pieces = t->vnet ? buffers_create(JOB_BATCH, PORT_PACKET) : NULL;
	if (!t->large || (t->vnet && !t->pieces)) {
		tun_free(&t->port);
		return NULL;
	}
	t->port.fd = attach_queue(name, t->vnet);
	if (t->port.fd < 0) {
		explain(name, why);
		tun_free(&t->port);
		return NULL;
	}
	set_offloads(t);
	steer(t, queues);
	return &t->port;
}
