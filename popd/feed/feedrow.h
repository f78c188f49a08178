/*
 * Rows of the database's feed, all text, turned into what the table takes. Strict: a row that is
 * not exactly what the contract says is refused with a reason that names the column and never the
 * secret. Pure.
 */
#ifndef POPD_FEED_FEEDROW_H
#define POPD_FEED_FEEDROW_H

#include <stdint.h>

#include "lib/cc.h"
#include "lib/digest.h"
#include "popd/core/table.h"

enum { FEEDROW_WHY = 120 };

/* A row of popd_tunnels (the columns behind seq and op of popd_changes are the same). NULL: SQL
 * NULL. */
struct feedrow_tunnel {
	const char *id, *type, *prefix, *secret, *endpoint, *mtu, *enabled, *routes;
};

/* A malloc'ed configuration, or NULL with `why`; *id is the tunnel's id as far as it could be read,
 * else 0. */
struct tunnel_conf *feedrow_parse_tunnel(const struct feedrow_tunnel *row,
					 struct digest_ctx *digest, uint32_t *id,
					 char why[static FEEDROW_WHY]) NONNULL;

/* A row of popd_hello. */
struct feedrow_pop {
	const char *ipv4, *tunnel_prefixes, *subnet_prefixes;
};

/* 0 or -ERR_FORMAT with `why`. */
int feedrow_parse_pop(const struct feedrow_pop *row, struct pop_conf *out,
		      char why[static FEEDROW_WHY]) NONNULL MUSTCHECK;

#endif
