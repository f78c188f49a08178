/*
 * The TUN back end without offloads: one read or write a packet. The device is persistent (interface, routes and
 * counters outlive popd) and multi-queue, one queue a worker. Links, addresses and routes are netlink.h's business.
 */
#ifndef POPD_IO_TUN_H
#define POPD_IO_TUN_H

#include "popd/io/port.h"

enum { TUN_WHY = 300 };

/* Attaches one more queue of the device `name` and makes it if need be. NULL: `why` says so in a sentence. */
struct port *tun_port_create(const char *name, struct pipeline *pipeline, char why[static TUN_WHY]) NONNULL;

#endif
