/*
 * ICMP errors that show no more of a tunnel than its endpoint (core/icmp_error.h): finds the
 * tunnels whose endpoint that is and gives the ICMP error to worker 0 for each. One walk over all
 * tunnels serves all ICMP errors that came since the last, and walks keep a distance, so a flood of
 * made-up ones costs no more than that; those there was no room for are counted as unverified by
 * the worker that had them. Control thread.
 */
#ifndef POPD_DAEMON_ENDPOINT_SCAN_H
#define POPD_DAEMON_ENDPOINT_SCAN_H

#include "lib/cc.h"

struct ev_loop;
struct endpoint_scan;
struct table;
struct worker;

/* `worker`: the one that receives ICMPv4; it outlives this. NULL: no memory. */
struct endpoint_scan *endpoint_scan_create(struct ev_loop *loop, struct table *t,
					   struct worker *worker) NONNULL;
void endpoint_scan_free(struct endpoint_scan *s); /* NULL is fine */

/* There may be ICMP errors waiting. */
void endpoint_scan_wake(struct endpoint_scan *s) NONNULL;

#endif
