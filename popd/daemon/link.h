/* The TUN interface as the host's routing sees it: up, without an address, with the PoP's prefixes
 * routed to it. */
#ifndef POPD_DAEMON_LINK_H
#define POPD_DAEMON_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/table.h"
#include "popd/settings.h"

struct link;

/* Brings the interface up. NULL: after a line in the log. `s` outlives it. */
struct link *link_create(const struct settings *s) NONNULL;
/* The interface and its routes stay. NULL is fine. */
void link_free(struct link *l);

/* Routes the PoP's prefixes to the interface and no others, unless the settings leave that to the
 * operator. Traffic does not wait for it: routes of before popd's start are still there. */
void link_route(struct link *l, const struct pop_conf *pop) NONNULL;

/* How the interface is. */
struct link_health {
	bool tun_well;     /* up, with its MTU and queue length; false: undone too often, or gone */
	bool routes_well;  /* all of popd's are there; the same */
	bool routes_known; /* false: they have to be looked at again */
	unsigned queues;   /* that are open, by whomever; 0: unknown */
};
/* Puts back what others have undone, with a line in the log: the interface up, its MTU and queue
 * length, and, if they are to be looked at too, the routes. What is undone five times in a minute
 * waits longer each time (observe/fitness.h). */
void link_repair(struct link *l, const struct pop_conf *pop, bool routes_too,
		 struct link_health *out) NONNULL;

/* Switches IPv4 forwarding on for the interface alone, if it is off: without it the kernel looks up
 * no IPv4 routes for packets from there. To be called now and then, since an operator's sysctl may
 * switch it off. 0 or -ERR_SYS. */
int link_forward_ipv4(struct link *l) NONNULL MUSTCHECK;

/* Packets that the kernel dropped because the interface's queue was full. */
uint64_t link_queue_drops(struct link *l) NONNULL;

#endif
