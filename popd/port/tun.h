/*
 * The TUN port. The device is persistent (interface, routes and counters outlive popd) and
 * multi-queue, one queue per worker. With the TUN offloads every packet has a vnet header before
 * it, and a read or write may carry a GSO packet of up to 64 KiB: those read are cut (segment.h),
 * those written are merged (gro.h). netlink.h manages links, addresses and routes.
 */
#ifndef POPD_PORT_TUN_H
#define POPD_PORT_TUN_H

#include "popd/core/offload.h"
#include "popd/port/port.h"

enum { TUN_WHY = 300 };

/* Attaches one of `queues` queues of the device `name`, which is created if it does not exist. Sets
 * offloads that are on and that the kernel lacks to OFFLOAD_MISSING. NULL on failure: `why` is a
 * sentence about it. */
struct port *tun_port_create(const char *name, unsigned queues, struct offloads *offloads,
			     struct pipeline *pipeline, char why[static TUN_WHY]) NONNULL;

#endif
