/*
 * What one conninfo says, ready to connect with. Several hosts are tried by libpq in their order as
 * long as each refuses; a host that stays silent holds libpq up for the whole attempt, so after
 * such an attempt pginfo_rotate puts the next host first.
 */
#ifndef LIB_IO_PGINFO_H
#define LIB_IO_PGINFO_H

#include "lib/cc.h"

struct pg_conn; /* libpq's PGconn */
struct pginfo;

/* NULL: no memory, or the conninfo does not parse (logged, without its text). */
struct pginfo *pginfo_create(const char *conninfo, const char *application) NONNULL;
void pginfo_free(struct pginfo *info); /* NULL is fine */

/* Begins a connection (PQconnectStart): the caller's to PQfinish, also when its status is bad
 * already; NULL without memory. *turn says which order of the hosts it uses. */
struct pg_conn *pginfo_connect(const struct pginfo *info, unsigned *turn) NONNULL;

/* The first host becomes the last, unless someone who began in the same turn did that already. */
void pginfo_rotate(struct pginfo *info, unsigned turn) NONNULL;

#endif
