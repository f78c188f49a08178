#include "popd/io/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct tun_port {
	struct port port;
	struct buffers *buffers;
};

static size_t tun_receive(struct port *port, struct job *jobs, size_t max)
{
	struct tun_port *t = container_of(port, struct tun_port, port);
	size_t n = 0;

	while (n < max) {
		uint8_t *data = buffers_at(t->buffers, n);
		ssize_t len = read(port->fd, data, PORT_PACKET);
		if (len < 0) {
			if (errno == EINTR)
				continue;
			port->gone = errno == EBADFD;
			break;
		}
		job_fill(&jobs[n++], JOB_FROM_TUN, data, (size_t)len, (struct endpoint4){ { 0 }, 0 }, 0);
	}
	return n;
}

static void tun_send(struct port *port, struct out *const *outs, size_t n, uint32_t now)
{
	for (size_t i = 0; i < n; i++) {
		ssize_t len;
		do
			len = write(port->fd, outs[i]->data, outs[i]->len);
		while (len < 0 && errno == EINTR);
		if (len < 0)
			pipeline_refused(port->pipeline, outs[i], now);
	}
}

static void tun_free(struct port *port)
{
	struct tun_port *t = container_of(port, struct tun_port, port);

	if (port->fd >= 0)
		close(port->fd);
	buffers_free(t->buffers);
	free(t);
}

static const struct port_ops tun_ops = { .name = "tun", .receive = tun_receive, .send = tun_send, .free = tun_free };

/* 0 or -1, errno set. */
static int attach_queue(const char *name)
{
	struct ifreq req = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE };
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

struct port *tun_port_create(const char *name, struct pipeline *pipeline, char why[static TUN_WHY])
{
	struct tun_port *t = calloc(1, sizeof(*t));

	if (!t || !(t->buffers = buffers_create(PIPELINE_BATCH, PORT_PACKET))) {
		free(t);
		snprintf(why, TUN_WHY, "no memory for the buffers of a TUN queue");
		return NULL;
	}
	t->port = (struct port){ .ops = &tun_ops,
				 .fd = attach_queue(name),
				 .receives = true,
				 .source = JOB_FROM_TUN,
				 .pipeline = pipeline };
	if (t->port.fd >= 0)
		return &t->port;
	if (errno == EINVAL)
		snprintf(
			why, TUN_WHY,
			"the interface %s exists already and is not a multi-queue TUN: delete it (ip link delete %s) or set another name (tun = ...)",
			name, name);
	else if (errno == EBUSY || errno == E2BIG)
		snprintf(why, TUN_WHY, "the interface %s is in use by another program", name);
	else
		snprintf(why, TUN_WHY, "the TUN interface %s cannot be made: %s", name, strerror(errno));
	tun_free(&t->port);
	return NULL;
}
