/*
 * Protocol 41 over raw sockets, without offloads. The kernel gives every raw socket a copy of each
 * packet, of which each worker keeps its share (steer.h). That costs a clone a packet and worker,
 * so only the first few workers receive; all may send. Buffers are 64 KiB because GRO on the outer
 * device hands over merged packets (coalesced.h): those that only pass through stay whole if the
 * TUN takes them so, the others leave here as segments again.
 */
#ifndef POPD_PORT_RAW41_H
#define POPD_PORT_RAW41_H

#include "popd/core/offload.h"
#include "popd/port/port.h"

enum { RAW41_RECEIVERS_MAX = 8 };

/* Sockets bound to `at`, of worker `number` among `workers`; `offloads` says whether the TUN takes
 * GSO packets. NULL: errno says why. */
struct port *raw41_port_create(struct ip4 at, unsigned number, unsigned workers,
			       const struct offloads *offloads, struct pipeline *pipeline) NONNULL;

#endif
