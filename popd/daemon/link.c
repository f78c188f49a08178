#include "popd/daemon/link.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "popd/observe/fitness.h"
#include "popd/daemon/netlink.h"

/* Packets that wait while a worker is busy; the default of 500 packets lasts a few milliseconds. */
enum { QUEUE_LENGTH = 8192 };

/* What popd keeps as it set it. */
enum part { PART_UP, PART_MTU, PART_QUEUE, PART_ROUTES, PART__COUNT };

struct link {
	const struct settings *settings;
	struct netlink *netlink;
	struct guard guards[PART__COUNT];
	bool routes_well;
};

struct link *link_create(const struct settings *s)
{
	struct link *l = calloc(1, sizeof(*l));

	if (!l) {
		log_error("no memory");
		return NULL;
	}
	l->settings = s;
	l->routes_well = true;
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

/* ---- putting back ---- */

/* True: it is to be put back now. `what`: the sentence about it. */
static bool may_repair(struct link *l, enum part part, const char *what)
{
	const char *tun = l->settings->tun;

	switch (guard_ask(&l->guards[part], mono_now())) {
	case GUARD_WAIT:
		return false;
	case GUARD_REPAIR:
		log_warnx("%s of %s was changed by others: popd puts it right (%s)",
			  part == PART_ROUTES ? "a route" : "the state", tun, what);
		break;
	case GUARD_REPAIR_AND_TELL:
		log_error(
			"%s is changed by others again and again (%s): popd puts it right less often from now on",
			tun, what);
		break;
	case GUARD_REPAIR_SILENTLY:
		break;
	}
	return true;
}

static bool repair_interface(struct link *l, const struct netlink_link *now)
{
	const struct settings *s = l->settings;
	char mtu[64], queue[64];
	bool repair = false, waits = false;
	const struct {
		bool well;
		const char *what;
	} parts[] = {
		[PART_UP] = { now->up, "it was down" },
		[PART_MTU] = { now->mtu == (uint32_t)s->tun_mtu, mtu },
		[PART_QUEUE] = { now->queue_length == QUEUE_LENGTH, queue },
	};

	snprintf(mtu, sizeof(mtu), "its MTU was %u", (unsigned)now->mtu);
	snprintf(queue, sizeof(queue), "its queue length was %u", (unsigned)now->queue_length);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (parts[i].well)
			continue;
		bool may = may_repair(l, (enum part)i, parts[i].what);
		repair |= may;
		waits |= !may;
	}
	if (!repair)
		return !waits;
	if (netlink_link_up(l->netlink, s->tun, (uint32_t)s->tun_mtu, QUEUE_LENGTH) == 0)
		return true;
	log_warn("%s cannot be put right", s->tun);
	return false;
}

/* false: they are unknown. */
static bool repair_routes(struct link *l, const struct pop_conf *pop)
{
	struct netlink_change change;
	unsigned missing;
	char what[64];

	if (netlink_missing_routes(l->netlink, l->settings->tun, pop->prefixes, pop->prefix_count,
				   &missing) != 0)
		return false;
	l->routes_well = missing == 0;
	snprintf(what, sizeof(what), "%u of its %zu were gone", missing, pop->prefix_count);
	if (missing == 0 || !may_repair(l, PART_ROUTES, what))
		return missing == 0;
	l->routes_well = netlink_set_routes(l->netlink, l->settings->tun, pop->prefixes,
					    pop->prefix_count, &change) == 0;
	if (!l->routes_well)
		log_warn("some routes to %s could not be set", l->settings->tun);
	return l->routes_well;
}

void link_repair(struct link *l, const struct pop_conf *pop, bool routes_too,
		 struct link_health *out)
{
	struct netlink_link now;

	*out = (struct link_health){ .routes_known = !routes_too };
	if (netlink_read_link(l->netlink, l->settings->tun, &now) == 0) {
		out->tun_well = repair_interface(l, &now);
		out->queues = now.queues;
		routes_too |= !now.up;
	}
	if (!l->settings->routes) {
		out->routes_known = l->routes_well = true;
	} else if (routes_too) {
		out->routes_known = repair_routes(l, pop);
	}
	out->routes_well = l->routes_well;
}

/* ---- IPv4 forwarding ---- */

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
