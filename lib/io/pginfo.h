/*
 * A parsed conninfo, ready to connect with. libpq tries several hosts in their order as long as
 * each refuses; a host that stays silent takes the time of the whole attempt, so after such an
 * attempt pginfo_rotate puts the next host first.
 */
#ifndef LIB_IO_PGINFO_H
#define LIB_IO_PGINFO_H

#include "lib/cc.h"

struct pg_conn; /* libpq's PGconn */
struct pginfo;

/* NULL: no memory, or the conninfo does not parse (both logged, without its text). */
struct pginfo *pginfo_create(const char *conninfo, const char *application) NONNULL;
void pginfo_free(struct pginfo *info); /* NULL is fine */

/* Begins a connection (PQconnectStart), which the caller ends with PQfinish, also when its status
 * is bad already. NULL: no memory. *turn is the number of the order of hosts that it uses. */
struct pg_conn *pginfo_connect(const struct pginfo *info, unsigned *turn) NONNULL;

/* The first host becomes the last, unless that has happened since `turn`. */
void pginfo_rotate(struct pginfo *info, unsigned turn) NONNULL;

#endif
