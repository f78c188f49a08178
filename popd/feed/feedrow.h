/*
 * Parses rows of the database's feed, whose columns are all text, into configurations. Strict: a
 * row that breaks the contract is refused with a reason that names the column and never holds the
 * secret. No table, clock or log.
 */
#ifndef POPD_FEED_FEEDROW_H
#define POPD_FEED_FEEDROW_H

#include <stdint.h>

#include "lib/cc.h"
#include "lib/digest.h"
#include "popd/core/table.h"

enum { FEEDROW_WHY = 120 };

/* A row of api.popd_tunnels, and what follows seq and op in a row of api.popd_changes. NULL: SQL
 * NULL. */
struct feedrow_tunnel {
	const char *id, *type, *prefix, *secret, *endpoint, *mtu, *enabled, *routes;
};

/* A configuration, the caller's to free or to give to table_set. NULL: refused, with `why`. Sets
 * *id to the tunnel's id, or to 0 if it is invalid. */
struct tunnel_conf *feedrow_parse_tunnel(const struct feedrow_tunnel *row,
					 struct digest_ctx *digest, uint32_t *id,
					 char why[static FEEDROW_WHY]) NONNULL;

/* The PoP's columns of api.popd_hello. */
struct feedrow_pop {
	const char *ipv4, *tunnel_prefixes, *subnet_prefixes, *pop_addresses;
};

/* 0 or -ERR_FORMAT with `why`. */
int feedrow_parse_pop(const struct feedrow_pop *row, struct pop_conf *out,
		      char why[static FEEDROW_WHY]) NONNULL MUSTCHECK;

#endif
