/*
 * What must be true of the machine before popd starts, each refusal as one plain sentence for the
 * operator. Opens nothing that stays open.
 */
#ifndef POPD_DAEMON_STARTUP_H
#define POPD_DAEMON_STARTUP_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"
#include "popd/settings.h"

enum { STARTUP_WHY = 400 };

/* May this process make a TUN, routes and raw sockets, is there a /dev/net/tun, does nobody else
 * own protocol 41? 0, or -ERR_REFUSED with the sentence. */
int startup_check_machine(const struct settings *s, char why[static STARTUP_WHY]) NONNULL MUSTCHECK;
/* Is the IPv4 address ours, are the ports free? The same. */
int startup_check_ports(const struct settings *s, char why[static STARTUP_WHY]) NONNULL MUSTCHECK;

/* The name of a module in a /proc/modules text that answers protocol 41 in our place, or NULL.
 * Pure. */
const char *startup_find_proto41_owner(const char *modules) NONNULL;

/* Logs a warning when the kernel does not forward IPv6. */
void startup_warn_forwarding(void);

#endif
