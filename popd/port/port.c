#include "popd/port/port.h"

#include <linux/sock_diag.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/pages.h"

struct buffers {
	uint8_t *memory;
	size_t count, stride;
};

struct buffers *buffers_create(size_t count, size_t size)
{
	struct buffers *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->stride = (JOB_HEADROOM + size + JOB_TAILROOM + 63) & ~(size_t)63;
	b->count = count;
	b->memory = pages_alloc(count, b->stride);
	if (!b->memory) {
		free(b);
		return NULL;
	}
	return b;
}

void buffers_free(struct buffers *b)
{
	if (!b)
		return;
	pages_free(b->memory, b->count, b->stride);
	free(b);
}

uint8_t *buffers_at(const struct buffers *b, size_t i)
{
	return b->memory + i * b->stride + JOB_HEADROOM;
}

uint64_t port_queue_drops(const struct port *port)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(port->fd, SOL_SOCKET, SO_MEMINFO, info, &len) != 0)
		return 0;
	return info[SK_MEMINFO_DROPS];
}
