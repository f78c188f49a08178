/*
 * Links and routes by rtnetlink (libmnl is named in netlink.c only). popd's routes carry a protocol
 * number of their own, which tells them from the operator's: routes that are no longer needed are
 * removed, and a restart changes nothing. The kernel owns no address of the tunnel prefixes: popd
 * answers for them.
 */
#ifndef POPD_DAEMON_NETLINK_H
#define POPD_DAEMON_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/ip.h"

struct netlink;

enum { NETLINK_ROUTE_PROTOCOL = 141, NETLINK_ROUTES = 256 };

/* NULL: with errno. */
struct netlink *netlink_create(void);
void netlink_free(struct netlink *nl); /* NULL is fine */

/* Brings the interface up with that MTU and queue length, and keeps the kernel from giving it a
 * link-local address. 0 or -ERR_SYS. */
int netlink_link_up(struct netlink *nl, const char *interface, uint32_t mtu, uint32_t queue_length)
	NONNULL MUSTCHECK;

/* Switches on the interface's own IPv4 forwarding, without which the kernel looks up no IPv4 routes
 * for packets from it. popd itself never sends an IPv4 packet into it. 0 or -ERR_SYS. */
int netlink_forward_ipv4(struct netlink *nl, const char *interface) NONNULL MUSTCHECK;

struct netlink_change {
	unsigned added, removed;
};
/* Makes the interface's routes of our protocol exactly these prefixes: adds those that are missing
 * and removes the others. 0, or -ERR_SYS after trying all. */
int netlink_set_routes(struct netlink *nl, const char *interface, const struct prefix6 *prefixes,
		       size_t n, struct netlink_change *change) NONNULL MUSTCHECK;

/* An interface as it is. */
struct netlink_link {
	unsigned index;
	bool up, carrier;
	uint32_t mtu, queue_length;
	unsigned queues; /* of a TUN: how many are open; 0: unknown */
};
/* By its name, or with NULL by out->index. 0 or -ERR_SYS. */
int netlink_read_link(struct netlink *nl, const char *interface, struct netlink_link *out)
	NONNULL_ARGS(1, 3) MUSTCHECK;

/* The prefixes that have no route of our protocol to the interface are counted in `missing`. 0 or
 * -ERR_SYS. */
int netlink_missing_routes(struct netlink *nl, const char *interface,
			   const struct prefix6 *prefixes, size_t n, unsigned *missing)
	NONNULL MUSTCHECK;

/* True when the address is this host's. */
bool netlink_has_ip4(struct netlink *nl, struct ip4 ip) NONNULL;

/* The default routes of the main table, and the interfaces that they lead to. */
enum { NETLINK_UPLINKS = 8 };
struct netlink_defaults {
	bool ipv4, ipv6;
	unsigned uplinks[NETLINK_UPLINKS], n;
};
int netlink_read_defaults(struct netlink *nl, struct netlink_defaults *out) NONNULL MUSTCHECK;

/* ---- what others do ---- */

struct netlink_watch;
/* Watches links, addresses, routes and forwarding, IPv4 and IPv6. NULL: with errno. */
struct netlink_watch *netlink_watch_create(void);
void netlink_watch_free(struct netlink_watch *w); /* NULL is fine */
int netlink_watch_fd(const struct netlink_watch *w) NONNULL;
/* What has changed, read without blocking. Of routes, those of our protocol and the default ones:
 * a PoP may have the whole Internet's. When messages were lost, everything has. */
struct netlink_news {
	bool links, routes, defaults, others;
};
struct netlink_news netlink_watch_read(struct netlink_watch *w) NONNULL;

/* Packets that the kernel dropped because the interface's queue was full; 0 when unknown. */
uint64_t netlink_queue_drops(struct netlink *nl, const char *interface) NONNULL;

#endif
