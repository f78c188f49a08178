#include "popd/daemon/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/ip.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/err.h"

enum { REPLY_SIZE = 32768, REQUEST_SIZE = 1024, ROUTE_METRIC = 1024 };

struct netlink {
	struct mnl_socket *socket;
	unsigned portid, sequence;
	_Alignas(16) char reply[REPLY_SIZE];
	_Alignas(16) char request[REQUEST_SIZE];
};

struct netlink *netlink_create(void)
{
	struct netlink *nl = calloc(1, sizeof(*nl));

	if (!nl)
		return NULL;
	nl->sequence = (unsigned)time(NULL);
	nl->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!nl->socket || mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) != 0) {
		netlink_free(nl);
		return NULL;
	}
	/* Lets the kernel filter a dump of routes: a PoP may have the whole Internet's. An old
	 * kernel sends all of them; note_route filters too. */
	int on = 1;
	(void)mnl_socket_setsockopt(nl->socket, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	nl->portid = mnl_socket_get_portid(nl->socket);
	return nl;
}

void netlink_free(struct netlink *nl)
{
	if (!nl)
		return;
	if (nl->socket)
		mnl_socket_close(nl->socket);
	free(nl);
}

static struct nlmsghdr *begin(struct netlink *nl, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *m = mnl_nlmsg_put_header(nl->request);

	m->nlmsg_type = type;
	m->nlmsg_flags = NLM_F_REQUEST | flags;
	m->nlmsg_seq = ++nl->sequence;
	return m;
}

/* Sends the request and reads replies until the last; `each` is called for those that carry data. 0
 * or -ERR_SYS with errno. */
static int talk(struct netlink *nl, const struct nlmsghdr *m, mnl_cb_t each, void *ctx)
{
	int more = MNL_CB_OK;

	if (mnl_socket_sendto(nl->socket, m, m->nlmsg_len) < 0)
		return -ERR_SYS;
	while (more > MNL_CB_STOP) {
		ssize_t len = mnl_socket_recvfrom(nl->socket, nl->reply, sizeof(nl->reply));
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -ERR_SYS;
		more = mnl_cb_run(nl->reply, (size_t)len, m->nlmsg_seq, nl->portid, each, ctx);
	}
	return more < 0 ? -ERR_SYS : 0;
}

/* Two steps: address generation is switched off before the link comes up, since the kernel makes
 * the address at that moment. */
int netlink_link_up(struct netlink *nl, const char *interface, uint32_t mtu, uint32_t queue_length)
{
	struct ifinfomsg *info;
	struct nlmsghdr *m = begin(nl, RTM_NEWLINK, NLM_F_ACK);
	unsigned index = if_nametoindex(interface);

	if (index == 0)
		return -ERR_SYS;
	info = mnl_nlmsg_put_extra_header(m, sizeof(*info));
	*info = (struct ifinfomsg){ .ifi_family = AF_UNSPEC, .ifi_index = (int)index };
	mnl_attr_put_u32(m, IFLA_MTU, mtu);
	mnl_attr_put_u32(m, IFLA_TXQLEN, queue_length);
	struct nlattr *families = mnl_attr_nest_start(m, IFLA_AF_SPEC);
	struct nlattr *inet6 = mnl_attr_nest_start(m, AF_INET6);
	mnl_attr_put_u8(m, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(m, inet6);
	mnl_attr_nest_end(m, families);
	int err = talk(nl, m, NULL, NULL);
	if (err)
		return err;
	m = begin(nl, RTM_NEWLINK, NLM_F_ACK);
	info = mnl_nlmsg_put_extra_header(m, sizeof(*info));
	*info = (struct ifinfomsg){ .ifi_family = AF_UNSPEC,
				    .ifi_index = (int)index,
				    .ifi_flags = IFF_UP,
				    .ifi_change = IFF_UP };
	return talk(nl, m, NULL, NULL);
}

int netlink_forward_ipv4(struct netlink *nl, const char *interface)
{
	struct nlmsghdr *m = begin(nl, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(m, sizeof(*info));

	*info = (struct ifinfomsg){ .ifi_family = AF_UNSPEC,
				    .ifi_index = (int)if_nametoindex(interface) };
	if (info->ifi_index == 0)
		return -ERR_SYS;
	struct nlattr *families = mnl_attr_nest_start(m, IFLA_AF_SPEC);
	struct nlattr *inet = mnl_attr_nest_start(m, AF_INET);
	struct nlattr *conf = mnl_attr_nest_start(m, IFLA_INET_CONF);
	mnl_attr_put_u32(m, IPV4_DEVCONF_FORWARDING, 1);
	mnl_attr_nest_end(m, conf);
	mnl_attr_nest_end(m, inet);
	mnl_attr_nest_end(m, families);
	return talk(nl, m, NULL, NULL);
}

static struct nlmsghdr *route_message(struct netlink *nl, uint16_t type, uint16_t flags,
				      unsigned index, const struct prefix6 *p)
{
	struct nlmsghdr *m = begin(nl, type, NLM_F_ACK | flags);
	struct rtmsg *r = mnl_nlmsg_put_extra_header(m, sizeof(*r));

	*r = (struct rtmsg){
		.rtm_family = AF_INET6,
		.rtm_dst_len = p->len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = NETLINK_ROUTE_PROTOCOL,
		.rtm_scope = type == RTM_DELROUTE ? RT_SCOPE_NOWHERE : RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};
	mnl_attr_put(m, RTA_DST, sizeof(p->addr.b), p->addr.b);
	mnl_attr_put_u32(m, RTA_OIF, index);
	mnl_attr_put_u32(m, RTA_PRIORITY, ROUTE_METRIC);
	return m;
}

/* The interface's routes of our protocol, as the kernel has them. */
struct present {
	unsigned index;
	size_t n;
	struct prefix6 routes[NETLINK_ROUTES];
};

struct route_seen {
	struct prefix6 prefix;
	unsigned index;
};

static int note_route_attribute(const struct nlattr *attr, void *ctx)
{
	struct route_seen *seen = ctx;
	size_t len = mnl_attr_get_payload_len(attr);

	if (mnl_attr_get_type(attr) == RTA_DST && len == sizeof(seen->prefix.addr.b))
		memcpy(seen->prefix.addr.b, mnl_attr_get_payload(attr), len);
	else if (mnl_attr_get_type(attr) == RTA_OIF && len == sizeof(uint32_t))
		seen->index = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int note_route(const struct nlmsghdr *m, void *ctx)
{
	struct present *present = ctx;
	const struct rtmsg *r = mnl_nlmsg_get_payload(m);
	struct route_seen seen = { .prefix.len = r->rtm_dst_len };

	if (r->rtm_family != AF_INET6 || r->rtm_protocol != NETLINK_ROUTE_PROTOCOL ||
	    r->rtm_table != RT_TABLE_MAIN)
		return MNL_CB_OK;
	if (mnl_attr_parse(m, sizeof(*r), note_route_attribute, &seen) != MNL_CB_OK)
		return MNL_CB_OK;
	if (seen.index == present->index && present->n < NETLINK_ROUTES)
		present->routes[present->n++] = seen.prefix;
	return MNL_CB_OK;
}

static int list_routes(struct netlink *nl, struct present *present)
{
	struct nlmsghdr *m = begin(nl, RTM_GETROUTE, NLM_F_DUMP);
	struct rtmsg *r = mnl_nlmsg_put_extra_header(m, sizeof(*r));

	*r = (struct rtmsg){ .rtm_family = AF_INET6, .rtm_protocol = NETLINK_ROUTE_PROTOCOL };
	mnl_attr_put_u32(m, RTA_OIF, present->index);
	return talk(nl, m, note_route, present);
}

static bool is_among(const struct prefix6 *p, const struct prefix6 *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (prefix6_equal(p, &list[i]))
			return true;
	return false;
}

int netlink_set_routes(struct netlink *nl, const char *interface, const struct prefix6 *prefixes,
		       size_t n, struct netlink_change *change)
{
	struct present present = { .index = if_nametoindex(interface) };
	int saved = 0;

	*change = (struct netlink_change){ 0 };
	if (present.index == 0 || list_routes(nl, &present) != 0)
		return -ERR_SYS;
	for (size_t i = 0; i < n; i++) {
		if (is_among(&prefixes[i], present.routes, present.n))
			continue;
		/* CREATE without EXCL or REPLACE: an operator's route to the same prefix stays,
		 * whatever its metric. */
		if (talk(nl,
			 route_message(nl, RTM_NEWROUTE, NLM_F_CREATE, present.index, &prefixes[i]),
			 NULL, NULL) == 0)
			change->added++;
		else if (errno != EEXIST)
			saved = errno;
	}
	for (size_t i = 0; i < present.n; i++) {
		if (is_among(&present.routes[i], prefixes, n))
			continue;
		if (talk(nl, route_message(nl, RTM_DELROUTE, 0, present.index, &present.routes[i]),
			 NULL, NULL) == 0)
			change->removed++;
		else if (errno != ESRCH)
			saved = errno;
	}
	errno = saved;
	return saved ? -ERR_SYS : 0;
}

/* Older kernels have a shorter struct; tx_dropped is in its first part. */
static int note_statistics(const struct nlattr *attr, void *ctx)
{
	struct rtnl_link_stats64 stats;
	const size_t len = offsetof(struct rtnl_link_stats64, multicast);

	if (mnl_attr_get_type(attr) == IFLA_STATS64 && mnl_attr_get_payload_len(attr) >= len) {
		memcpy(&stats, mnl_attr_get_payload(attr), len);
		*(uint64_t *)ctx = stats.tx_dropped;
	}
	return MNL_CB_OK;
}

static int note_link(const struct nlmsghdr *m, void *ctx)
{
	return mnl_attr_parse(m, sizeof(struct ifinfomsg), note_statistics, ctx);
}

uint64_t netlink_queue_drops(struct netlink *nl, const char *interface)
{
	struct nlmsghdr *m = begin(nl, RTM_GETLINK, NLM_F_ACK);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(m, sizeof(*info));
	uint64_t drops = 0;

	*info = (struct ifinfomsg){ .ifi_family = AF_UNSPEC,
				    .ifi_index = (int)if_nametoindex(interface) };
	if (info->ifi_index == 0 || talk(nl, m, note_link, &drops) != 0)
		return 0;
	return drops;
}

/* ---- what is there ---- */

static int note_tun_attribute(const struct nlattr *attr, void *ctx)
{
	struct netlink_link *l = ctx;

	if (mnl_attr_get_type(attr) == IFLA_TUN_NUM_QUEUES &&
	    mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
		l->queues = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int note_info(const struct nlattr *attr, void *ctx)
{
	return mnl_attr_get_type(attr) == IFLA_INFO_DATA
		       ? mnl_attr_parse_nested(attr, note_tun_attribute, ctx)
		       : MNL_CB_OK;
}

static int note_link_attribute(const struct nlattr *attr, void *ctx)
{
	struct netlink_link *l = ctx;
	bool is_u32 = mnl_attr_get_payload_len(attr) == sizeof(uint32_t);

	if (mnl_attr_get_type(attr) == IFLA_LINKINFO)
		return mnl_attr_parse_nested(attr, note_info, ctx);
	if (mnl_attr_get_type(attr) == IFLA_MTU && is_u32)
		l->mtu = mnl_attr_get_u32(attr);
	else if (mnl_attr_get_type(attr) == IFLA_TXQLEN && is_u32)
		l->queue_length = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int note_whole_link(const struct nlmsghdr *m, void *ctx)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(m);
	struct netlink_link *l = ctx;

	l->up = info->ifi_flags & IFF_UP;
	l->carrier = l->up && (info->ifi_flags & IFF_RUNNING);
	return mnl_attr_parse(m, sizeof(*info), note_link_attribute, ctx);
}

int netlink_read_link(struct netlink *nl, const char *interface, struct netlink_link *out)
{
	unsigned index = interface ? if_nametoindex(interface) : out->index;

	*out = (struct netlink_link){ .index = index };
	if (index == 0)
		return -ERR_SYS;
	struct nlmsghdr *m = begin(nl, RTM_GETLINK, NLM_F_ACK);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(m, sizeof(*info));
	*info = (struct ifinfomsg){ .ifi_family = AF_UNSPEC, .ifi_index = (int)index };
	return talk(nl, m, note_whole_link, out);
}

int netlink_missing_routes(struct netlink *nl, const char *interface,
			   const struct prefix6 *prefixes, size_t n, unsigned *missing)
{
	struct present present = { .index = if_nametoindex(interface) };

	*missing = 0;
	if (present.index == 0 || list_routes(nl, &present) != 0)
		return -ERR_SYS;
	for (size_t i = 0; i < n; i++)
		*missing += !is_among(&prefixes[i], present.routes, present.n);
	return 0;
}

static int note_route_type(const struct nlmsghdr *m, void *ctx)
{
	const struct rtmsg *r = mnl_nlmsg_get_payload(m);

	*(uint8_t *)ctx = r->rtm_type;
	return MNL_CB_OK;
}

bool netlink_has_ip4(struct netlink *nl, struct ip4 ip)
{
	struct nlmsghdr *m = begin(nl, RTM_GETROUTE, NLM_F_ACK);
	struct rtmsg *r = mnl_nlmsg_put_extra_header(m, sizeof(*r));
	uint8_t type = RTN_UNSPEC;

	*r = (struct rtmsg){ .rtm_family = AF_INET, .rtm_dst_len = 32 };
	mnl_attr_put_u32(m, RTA_DST, htonl(ip.v));
	return talk(nl, m, note_route_type, &type) == 0 && type == RTN_LOCAL;
}

static int note_oif(const struct nlattr *attr, void *ctx)
{
	if (mnl_attr_get_type(attr) == RTA_OIF &&
	    mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
		*(unsigned *)ctx = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int note_default(const struct nlmsghdr *m, void *ctx)
{
	struct netlink_defaults *d = ctx;
	const struct rtmsg *r = mnl_nlmsg_get_payload(m);
	unsigned oif = 0;

	if (r->rtm_dst_len != 0 || r->rtm_table != RT_TABLE_MAIN || r->rtm_type != RTN_UNICAST ||
	    (r->rtm_flags & RTM_F_CLONED))
		return MNL_CB_OK;
	d->ipv4 |= r->rtm_family == AF_INET;
	d->ipv6 |= r->rtm_family == AF_INET6;
	/* a route over several interfaces names them elsewhere: then its carriers are unknown */
	(void)mnl_attr_parse(m, sizeof(*r), note_oif, &oif);
	if (oif != 0 && d->n < NETLINK_UPLINKS)
		d->uplinks[d->n++] = oif;
	return MNL_CB_OK;
}

int netlink_read_defaults(struct netlink *nl, struct netlink_defaults *out)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };

	*out = (struct netlink_defaults){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		struct nlmsghdr *m = begin(nl, RTM_GETROUTE, NLM_F_DUMP);
		struct rtmsg *r = mnl_nlmsg_put_extra_header(m, sizeof(*r));
		*r = (struct rtmsg){ .rtm_family = families[i],
				     .rtm_table = RT_TABLE_MAIN,
				     .rtm_type = RTN_UNICAST };
		if (talk(nl, m, note_default, out) != 0)
			return -ERR_SYS;
	}
	return 0;
}

/* ---- what others do ---- */

struct netlink_watch {
	struct mnl_socket *socket;
	_Alignas(16) char buffer[REPLY_SIZE];
};

static const unsigned groups[] = { RTNLGRP_LINK,        RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
				   RTNLGRP_IPV4_ROUTE,  RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_NETCONF,
				   RTNLGRP_IPV6_NETCONF };

static bool join_groups(struct mnl_socket *socket)
{
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		unsigned group = groups[i];
		if (mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) <
		    0)
			return false;
	}
	return true;
}

struct netlink_watch *netlink_watch_create(void)
{
	struct netlink_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (w->socket && mnl_socket_bind(w->socket, 0, MNL_SOCKET_AUTOPID) == 0 &&
	    join_groups(w->socket))
		return w;
	netlink_watch_free(w);
	return NULL;
}

void netlink_watch_free(struct netlink_watch *w)
{
	if (!w)
		return;
	if (w->socket)
		mnl_socket_close(w->socket);
	free(w);
}

int netlink_watch_fd(const struct netlink_watch *w)
{
	return mnl_socket_get_fd(w->socket);
}

static int note_news(const struct nlmsghdr *m, void *ctx)
{
	struct netlink_news *news = ctx;

	if (m->nlmsg_type == RTM_NEWLINK || m->nlmsg_type == RTM_DELLINK) {
		news->links = true;
	} else if (m->nlmsg_type == RTM_NEWROUTE || m->nlmsg_type == RTM_DELROUTE) {
		const struct rtmsg *r = mnl_nlmsg_get_payload(m);
		news->routes |= r->rtm_protocol == NETLINK_ROUTE_PROTOCOL;
		news->defaults |= r->rtm_dst_len == 0;
	} else {
		news->others = true;
	}
	return MNL_CB_OK;
}

struct netlink_news netlink_watch_read(struct netlink_watch *w)
{
	enum { READS = 64 }; /* at a wake-up; the rest comes at the next */
	struct netlink_news news = { 0 };
	ssize_t len = 0;

	for (int i = 0; i < READS && len >= 0; i++) {
		len = mnl_socket_recvfrom(w->socket, w->buffer, sizeof(w->buffer));
		if (len > 0)
			(void)mnl_cb_run(w->buffer, (size_t)len, 0, 0, note_news, &news);
	}
	if (len < 0 && errno != EAGAIN && errno != EINTR) /* ENOBUFS: some were lost */
		news = (struct netlink_news){ true, true, true, true };
	return news;
}
