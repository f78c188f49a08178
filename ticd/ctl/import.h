/*
 * Reads the tunnels and routed subnets of a sixxsd configuration file, a line at a time, without a
 * file system. The database decides what is allowed (ids and numbers in use, prefixes of the PoP).
 *
 * A tunnel, and a subnet routed to it; numbers are hexadecimal:
 *
 *   config <number> T<id> <ipv4|ayiya|heartbeat> <up|disabled> <mtu> [<secret>]
 *   config <prefix> <number> static
 *
 * Blank lines and # comments are skipped. Blocks (tunnel, subnet, set ... end) may stand around
 * these lines, and the contents of a pop block are skipped: the PoP's own data come from `pop add`.
 * Any other line is an error.
 */
#ifndef TICD_CTL_IMPORT_H
#define TICD_CTL_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/ip.h"

enum import_type { IMPORT_AYIYA, IMPORT_HEARTBEAT, IMPORT_STATIC };
enum { IMPORT_SECRET_LEN = 32, IMPORT_LINE_MAX = 1024 };

struct import_tunnel {
	uint32_t line; /* of the file, from 1 */
	uint32_t number, id, mtu;
	enum import_type type;
	bool enabled;
	struct ip4 endpoint;                /* IMPORT_STATIC only */
	char secret[IMPORT_SECRET_LEN + 1]; /* "" only for IMPORT_STATIC: the database makes one */
};

struct import_route {
	uint32_t line, number;
	struct prefix6 prefix;
};

struct import {
	struct import_tunnel *tunnels;
	size_t n_tunnels, tunnels_capacity;
	struct import_route *routes;
	size_t n_routes, routes_capacity;
	uint32_t line;      /* lines read so far; an error is about the last one */
	unsigned depth;     /* open blocks */
	unsigned pop_depth; /* depth at which a pop block was opened, counted from 1; 0: in none */
};

/* Reads one line (no line end; a closing CR is dropped). 0; -ERR_FORMAT, -ERR_RANGE or -ERR_NOMEM
 * with a constant text in *reason. */
int import_line(struct import *im, const char *text, size_t len, const char **reason)
	NONNULL MUSTCHECK;

/* Reads a whole file into `im`, which the caller has zeroed, and checks that every block is closed.
 * Results as import_line; import_free is needed in any case. */
int import_text(struct import *im, const char *text, size_t len, const char **reason)
	NONNULL MUSTCHECK;

void import_free(struct import *im) NONNULL;

#endif
