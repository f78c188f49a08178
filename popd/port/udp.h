/*
 * UDP ports: recvmmsg and sendmmsg. Each worker has its own sockets on the same ports
 * (SO_REUSEPORT: the kernel keeps one client's packets on one worker). Packets are sent from the
 * address and port that clients send to. With the UDP offloads the kernel delivers and accepts the
 * packets of one client merged.
 */
#ifndef POPD_PORT_UDP_H
#define POPD_PORT_UDP_H

#include "popd/core/offload.h"
#include "popd/port/port.h"

/* A socket bound to `at`; `source` is JOB_FROM_AYIYA or JOB_FROM_HEARTBEAT. Sets the `offloads`
 * that are on and that the kernel lacks to OFFLOAD_MISSING; NULL: uses none. NULL on failure: errno
 * is set. */
struct port *udp_port_create(struct endpoint4 at, enum job_source source, struct offloads *offloads,
			     struct pipeline *pipeline) NONNULL_ARGS(4);

#endif
