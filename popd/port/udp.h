/*
 * The UDP back end: recvmmsg and sendmmsg. Each worker has its own sockets on the same ports
 * (SO_REUSEPORT: the kernel keeps one client's packets on one worker). Replies leave from the very
 * address and port that clients send to. With the UDP offloads the kernel hands over a client's
 * packets merged and takes those to one client merged.
 */
#ifndef POPD_PORT_UDP_H
#define POPD_PORT_UDP_H

#include "popd/core/offload.h"
#include "popd/port/port.h"

/* A socket bound to `at`; `source` is JOB_FROM_AYIYA or JOB_FROM_HEARTBEAT. `offloads`: those that
 * are on and that the kernel lacks go to OFFLOAD_MISSING; NULL: none is wanted. NULL: errno says
 * why. */
struct port *udp_port_create(struct endpoint4 at, enum job_source source, struct offloads *offloads,
			     struct pipeline *pipeline) NONNULL_ARGS(4);

#endif
