/*
 * Liveness: one ICMPv6 echo request a minute into each tunnel that is up, spread evenly over the
 * minute. The workers make and send the requests and count the replies; this module decides when.
 */
#ifndef POPD_DAEMON_PROBER_H
#define POPD_DAEMON_PROBER_H

#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/table.h"

struct ev_loop;
struct prober;
struct worker;

/* `workers` is an array of `n`, the caller's, that outlives it; `expiry` is read each time. NULL:
 * no memory. */
struct prober *prober_create(struct ev_loop *loop, struct table *t, struct worker *const *workers,
			     unsigned n, const int64_t *expiry) NONNULL;
void prober_free(struct prober *p); /* NULL is fine */

#endif
