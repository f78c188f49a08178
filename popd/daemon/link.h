/* The TUN as the host's routing sees it: up, without an address, with the PoP's prefixes routed to
 * it. */
#ifndef POPD_DAEMON_LINK_H
#define POPD_DAEMON_LINK_H

#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/table.h"
#include "popd/settings.h"

struct link;

/* Brings the interface up. NULL after a line in the log. `s` outlives it. */
struct link *link_create(const struct settings *s) NONNULL;
/* The interface and its routes stay. NULL is fine. */
void link_free(struct link *l);

/* Routes the PoP's prefixes to the interface and no others, unless the settings leave that to the
 * operator. Traffic does not wait for it: what was there before popd started still is. */
void link_route(struct link *l, const struct pop_conf *pop) NONNULL;

/* Lets the kernel answer, as for a packet that came in there, where an IPv4 packet would leave; to
 * be called now and then, since an operator's sysctl may undo it. 0 or -ERR_SYS. */
int link_look_up_ipv4(struct link *l) NONNULL MUSTCHECK;

/* Packets lost since the interface's queue was full. */
uint64_t link_queue_drops(struct link *l) NONNULL;

#endif
