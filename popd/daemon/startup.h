/*
 * What must be true of the machine before popd starts; each refusal is one sentence for the
 * operator. Leaves nothing open.
 */
#ifndef POPD_DAEMON_STARTUP_H
#define POPD_DAEMON_STARTUP_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"
#include "popd/settings.h"

enum { STARTUP_WHY = 400 };

/* Checks that this process may make a TUN interface, routes and raw sockets, that there is a
 * /dev/net/tun, and that nothing else owns protocol 41. 0, or -ERR_REFUSED with a sentence. */
int startup_check_machine(const struct settings *s, char why[static STARTUP_WHY]) NONNULL MUSTCHECK;
/* Checks that the IPv4 address is this host's and that the ports are free. The same. */
int startup_check_ports(const struct settings *s, char why[static STARTUP_WHY]) NONNULL MUSTCHECK;

/* The name of a module in a /proc/modules text that takes protocol 41 from popd, or NULL. */
const char *startup_find_proto41_owner(const char *modules) NONNULL;

/* Logs a warning when the kernel does not forward IPv6. */
void startup_warn_forwarding(void);

#endif
