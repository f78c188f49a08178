/* What lib/io/pgpool.h declares as struct pgres, and the errors that SQLSTATEs stand for. */
#ifndef LIB_IO_PGRES_H
#define LIB_IO_PGRES_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"

struct pg_result; /* libpq's PGresult */

struct pgres {
	struct pg_result *pg; /* owned by whoever owns the struct; pgres_clear frees it */
};

/* Frees what it holds; an empty one is fine. */
void pgres_clear(struct pgres *res) NONNULL;

/* 0 for rows or a finished command, else the negative error that pgpool.h promises for the
 * SQLSTATE. */
int pgres_error(const struct pg_result *pg) NONNULL;
/* Five characters, or "" when there is none. */
const char *pgres_sqlstate(const struct pg_result *pg) NONNULL;
/* The server's message (no detail, no context), cut to `size`, on one line; "" for none. */
void pgres_message(const struct pg_result *pg, char *out, size_t size) NONNULL;
/* The server closes the connection after this error. */
bool pgres_is_fatal(const struct pg_result *pg) NONNULL;
/* The statement must be prepared again: what it calls was replaced, or the prepared statements were
 * deallocated. Nothing has run yet. */
bool pgres_is_stale(const struct pg_result *pg) NONNULL;

/* Copies text on one line, line ends and runs of blanks turned into one blank, cut between UTF-8
 * characters. */
void pgres_one_line(const char *text, char *out, size_t size) NONNULL;

#endif
