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

/* What of a /proc/modules text has protocol 41, as a part of a sentence that names the modules which
 * hold tunnel4: "the module tunnel4 is loaded, held by ipip and xfrm4_tunnel". false: nothing. */
bool startup_describe_modules(const char *modules, char out[static STARTUP_WHY]) NONNULL;
/* The same of this machine: `path` is its list of modules. A sit0 interface counts too, since the
 * driver may be built in. */
bool startup_find_protocol41(const char *path, char out[static STARTUP_WHY]) NONNULL;

#endif
