/*
 * Links and routes by rtnetlink (libmnl is named in netlink.c only). popd's routes carry a protocol
 * number of their own, so that those which are no longer wanted are told from the operator's and a
 * restart changes nothing. The kernel owns no address of the tunnel prefixes: popd answers for
 * them.
 */
#ifndef POPD_DAEMON_NETLINK_H
#define POPD_DAEMON_NETLINK_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/ip.h"

struct netlink;

enum { NETLINK_ROUTE_PROTOCOL = 141, NETLINK_ROUTES = 256 };

/* NULL: errno says why. */
struct netlink *netlink_create(void);
void netlink_free(struct netlink *nl); /* NULL is fine */

/* Brings the interface up with that MTU and queue length, and keeps the kernel from giving it an
 * address of its own making. 0 or -ERR_SYS. */
int netlink_link_up(struct netlink *nl, const char *interface, uint32_t mtu, uint32_t queue_length)
	NONNULL MUSTCHECK;

/* Sets the interface's own IPv4 forwarding, without which the kernel tells nothing of IPv4 routes
 * to who asks from that interface. popd itself never lets an IPv4 packet in there. 0 or -ERR_SYS.
 */
int netlink_forward_ipv4(struct netlink *nl, const char *interface) NONNULL MUSTCHECK;

struct netlink_change {
	unsigned added, removed;
};
/* Makes the interface's routes of our protocol exactly these prefixes: adds what is missing,
 * removes what is not named. 0 or -ERR_SYS (tried all). */
int netlink_set_routes(struct netlink *nl, const char *interface, const struct prefix6 *prefixes,
		       size_t n, struct netlink_change *change) NONNULL MUSTCHECK;

/* Packets that the kernel could not queue on the interface since popd was too slow; 0 when it
 * cannot tell. */
uint64_t netlink_queue_drops(struct netlink *nl, const char *interface) NONNULL;

#endif
