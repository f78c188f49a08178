/*
 * Protocol 41 over raw sockets, without offloads. Raw sockets cannot share their load: the kernel gives every one a
 * copy of each packet, so one worker alone receives; all may send. Buffers are 64 KiB because GRO on the outer device
 * hands over merged packets (coalesced.h), which leave here as segments again.
 */
#ifndef POPD_IO_RAW41_H
#define POPD_IO_RAW41_H

#include "popd/io/port.h"

/* Sockets bound to `at`; `receives`: this worker is the one that receives. NULL: errno says why. */
struct port *raw41_port_create(struct ip4 at, bool receives, struct pipeline *pipeline) NONNULL;

#endif
