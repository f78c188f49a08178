/*
 * Protocol 41 over raw sockets, without offloads. The kernel gives every raw socket a copy of each
 * packet, and a filter keeps each worker's share (steer.h). That costs a copy per packet and
 * worker, so only the first few workers receive; all may send. Buffers are 64 KiB since GRO on the
 * outer device delivers coalesced packets (segment.h): packets in transit stay whole if the TUN
 * accepts them, all others are cut into segments.
 */
#ifndef POPD_PORT_RAW41_H
#define POPD_PORT_RAW41_H

#include "popd/core/offload.h"
#include "popd/port/port.h"

enum { RAW41_RECEIVERS_MAX = 8 };

/* The sockets of worker `number` of `workers`, bound to `at`; `offloads` says whether the TUN
 * accepts GSO packets. NULL on failure: errno is set. */
struct port *raw41_port_create(struct ip4 at, unsigned number, unsigned workers,
			       const struct offloads *offloads, struct pipeline *pipeline) NONNULL;

#endif
