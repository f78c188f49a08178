/*
 * ICMPv4 errors about our packets, from a raw socket that receives nothing else: destination
 * unreachable, time exceeded, parameter problem (RFC 6633 deprecates source quench). One worker has
 * it; the port only receives.
 */
#ifndef POPD_PORT_ICMP4_H
#define POPD_PORT_ICMP4_H

#include "popd/port/port.h"

/* A socket bound to `at`. NULL on failure: errno is set. */
struct port *icmp4_port_create(struct ip4 at, struct pipeline *pipeline) NONNULL;

#endif
