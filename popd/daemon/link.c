#include "popd/daemon/link.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "popd/daemon/netlink.h"

/* Packets that wait while a worker is busy; the default of 500 packets lasts a few milliseconds. */
enum { QUEUE_LENGTH = 8192 };

struct link {
	const struct settings *settings;
	struct netlink *netlink;
};

struct link *link_create(const struct settings *s)
{
	struct link *l = calloc(1, sizeof(*l));

	if (!l) {
		log_error("no memory");
		return NULL;
	}
	l->settings = s;
	l->netlink = netlink_create();
	if (l->netlink &&
	    netlink_link_up(l->netlink, s->tun, (uint32_t)s->tun_mtu, QUEUE_LENGTH) == 0)
		return l;
	log_errno("the interface %s cannot be brought up", s->tun);
	link_free(l);
	return NULL;
}

void link_free(struct link *l)
{
	if (!l)
		return;
	netlink_free(l->netlink);
	free(l);
}

void link_route(struct link *l, const struct pop_conf *pop)
{
	const char *tun = l->settings->tun;
	struct netlink_change change;

	if (!l->settings->routes)
		return;
	if (netlink_set_routes(l->netlink, tun, pop->prefixes, pop->prefix_count, &change) != 0)
		log_warn("some routes to %s could not be set", tun);
	if (change.added || change.removed)
		log_info("routes to %s: %u added, %u removed", tun, change.added, change.removed);
}

/* false: no, or unknown. */
static bool forwards_ipv4(const char *tun)
{
	char path[80], value = '0';

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/forwarding", tun);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, &value, 1) != 1)
		value = '0';
	close(fd);
	return value != '0';
}

int link_forward_ipv4(struct link *l)
{
	return forwards_ipv4(l->settings->tun) ? 0
					       : netlink_forward_ipv4(l->netlink, l->settings->tun);
}

uint64_t link_queue_drops(struct link *l)
{
	return netlink_queue_drops(l->netlink, l->settings->tun);
}
