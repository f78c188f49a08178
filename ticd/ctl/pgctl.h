/*
 * The operator's line to PostgreSQL: one connection, one statement at a time, waited for (libpq is
 * named in pgctl.c only). Failures come back as sentences: a rule's own words when a rule of the
 * broker refused (SQLSTATE class BK), else "the database ...". No sentence contains the conninfo.
 */
#ifndef TICD_CTL_PGCTL_H
#define TICD_CTL_PGCTL_H

#include "ticd/ctl/fault.h"
#include "ticd/ctl/rows.h"

struct pgctl;

/* Connects; `conninfo` is libpq's (key=value words, a URI, or the name of a database). The session
 * speaks UTF-8, ISO dates and UTC. 0, or -ERR_AWAY, -ERR_FORMAT (a conninfo that does not parse) or
 * -ERR_NOMEM with the reason in `fault`. */
int pgctl_open(const char *conninfo, struct pgctl **out, struct fault *fault) NONNULL MUSTCHECK;
void pgctl_close(struct pgctl *db); /* NULL is fine; what was not committed is not done */

/* One statement with `n` text parameters (NULL entries are SQL NULL). On 0 `out` holds the rows,
 * for rows_free. -ERR_REFUSED: a rule said no; -ERR_AWAY: the connection broke; -ERR_FORMAT: any
 * other error of the database. */
int pgctl_query(struct pgctl *db, const char *sql, size_t n, const char *const *params,
		struct rows *out, struct fault *fault) NONNULL_ARGS(1, 2, 5, 6) MUSTCHECK;

/* A text of any number of statements, their rows thrown away. Results as pgctl_query. */
int pgctl_script(struct pgctl *db, const char *sql, struct fault *fault) NONNULL MUSTCHECK;

#endif
