/*
 * ICMPv4 errors about what we send, by a raw socket that is given nothing else: destination
 * unreachable, time exceeded, parameter problem (source quench has no meaning any more: RFC 6633).
 * One worker has it; the port only receives.
 */
#ifndef POPD_PORT_ICMP4_H
#define POPD_PORT_ICMP4_H

#include "popd/port/port.h"

/* A socket bound to `at`. NULL: errno says why. */
struct port *icmp4_port_create(struct ip4 at, struct pipeline *pipeline) NONNULL;

#endif
