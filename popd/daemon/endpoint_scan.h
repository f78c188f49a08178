/*
 * ICMP errors that name no more of a tunnel than its endpoint (core/icmp_error.h): finds the
 * tunnels with that endpoint and gives the error to worker 0 for each of them. One scan of all
 * tunnels serves all errors that came since the last scan, and scans keep an interval, so a flood
 * of forged errors costs no more. The worker counts those that do not fit its queue as unverified.
 * Control thread.
 */
#ifndef POPD_DAEMON_ENDPOINT_SCAN_H
#define POPD_DAEMON_ENDPOINT_SCAN_H

#include "lib/cc.h"

struct ev_loop;
struct endpoint_scan;
struct table;
struct worker;

/* `worker`: the one that receives ICMPv4. It and the table outlive this. NULL: no memory. */
struct endpoint_scan *endpoint_scan_create(struct ev_loop *loop, struct table *t,
					   struct worker *worker) NONNULL;
void endpoint_scan_free(struct endpoint_scan *s); /* NULL is fine */

/* The worker may have ICMP errors for it. */
void endpoint_scan_wake(struct endpoint_scan *s) NONNULL;

#endif
