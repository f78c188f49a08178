/*
 * ticctl's connection to PostgreSQL: one blocking statement at a time (libpq is named in pgctl.c
 * only). A failure becomes a sentence: the rule's own when a rule of the broker refused (SQLSTATE
 * class BK), else "the database ...". No sentence contains the conninfo.
 */
#ifndef TICD_CTL_PGCTL_H
#define TICD_CTL_PGCTL_H

#include "ticd/ctl/answer.h"

struct pgctl;

/* Connects; `conninfo` is libpq's (key=value pairs, a URI, or the name of a database). The session
 * speaks UTF-8, ISO dates and UTC. 0, or -ERR_AWAY, -ERR_FORMAT (a conninfo that does not parse) or
 * -ERR_NOMEM with the reason in `fault`. */
int pgctl_open(const char *conninfo, struct pgctl **out, struct fault *fault) NONNULL MUSTCHECK;
void pgctl_close(struct pgctl *db); /* NULL is fine; rolls back what was not committed */

/* One statement with `n` text parameters (NULL entries are SQL NULL). `out` becomes the rows, or
 * empty on failure; either way it is for rows_free. 0; -ERR_REFUSED: a rule refused; -ERR_AWAY: the
 * connection broke; -ERR_NOMEM; -ERR_FORMAT: any other error of the database. */
int pgctl_query(struct pgctl *db, const char *sql, size_t n, const char *const *params,
		struct rows *out, struct fault *fault) NONNULL_ARGS(1, 2, 5, 6) MUSTCHECK;

/* The SCRAM-SHA-256 verifier of a password, which is all that the server gets to see of it. 0 or
 * -ERR_NOMEM. */
enum { PGCTL_VERIFIER = 192 };
int pgctl_verifier(struct pgctl *db, const char *password, char out[static PGCTL_VERIFIER],
		   struct fault *fault) NONNULL MUSTCHECK;

/* A text of any number of statements, without their rows. Results as pgctl_query. */
int pgctl_script(struct pgctl *db, const char *sql, struct fault *fault) NONNULL MUSTCHECK;

#endif
