/*
 * The TUN back end. The device is persistent (interface, routes and counters outlive popd) and
 * multi-queue, one queue a worker. With the TUN offloads every packet has a vnet header before it,
 * and a read or write may carry a GSO packet of up to 64 KiB: read ones are cut (segment.h), those
 * to be written are merged (gro.h). Links, addresses and routes are netlink.h's business.
 */
#ifndef POPD_PORT_TUN_H
#define POPD_PORT_TUN_H

#include "popd/core/offload.h"
#include "popd/port/port.h"

enum { TUN_WHY = 300 };

/* Attaches one more queue, of `queues` there will be, of the device `name` and makes it if need be;
 * offloads that are on and that the kernel lacks go to OFFLOAD_MISSING. NULL: `why` says so in a
 * sentence. */
struct port *tun_port_create(const char *name, unsigned queues, struct offloads *offloads,
			     struct pipeline *pipeline, char why[static TUN_WHY]) NONNULL;

#endif
