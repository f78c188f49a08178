/*
 * The UDP back end without offloads: recvmmsg and sendmmsg. Each worker has its own sockets on the same ports
 * (SO_REUSEPORT: the kernel keeps one client's packets on one worker). Replies leave from the very address and port
 * that clients send to.
 */
#ifndef POPD_IO_UDP_H
#define POPD_IO_UDP_H

#include "popd/io/port.h"

/* A socket bound to `at`; `source` is JOB_FROM_AYIYA or JOB_FROM_HEARTBEAT. NULL: errno says why. */
struct port *udp_port_create(struct endpoint4 at, enum job_source source, struct pipeline *pipeline) NONNULL;

#endif
