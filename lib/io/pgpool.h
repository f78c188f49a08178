/*
 * A small pool of asynchronous PostgreSQL connections on a libev loop (libpq is named in
 * lib/io/pg*.c only). Every statement gets exactly one answer: rows, a refusal by a rule, or an
 * error; also without memory. A dead or slow server costs its timeout and delays nothing else on
 * the loop; while it is known to be away, statements are answered at once, or as soon as the
 * attempt they cause has failed (half a second at most). Connections are opened when needed, opened
 * again with growing pauses after a failure, and a broken one is never reused.
 *
 * Statements are prepared once per connection by their text, and again when the functions they call
 * were replaced. All parameters are text. Single-threaded: everything on the loop's thread. Only
 * the look-up of host names blocks (libpq does it): give hostaddr, an address or a socket directory
 * where that matters.
 */
#ifndef LIB_IO_PGPOOL_H
#define LIB_IO_PGPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/pgquery.h"

struct ev_loop;
struct pgpool;

/* A result, valid during the callback only. Bounds are checked: a row or column that is not there
 * reads as NULL. */
struct pgres;
size_t pgres_rows(const struct pgres *res) NONNULL;
size_t pgres_cols(const struct pgres *res) NONNULL;
/* NULL for SQL NULL; else NUL-terminated text owned by the result. */
const char *pgres_text(const struct pgres *res, size_t row, size_t col) NONNULL;
/* The same, "" for SQL NULL. */
const char *pgres_str(const struct pgres *res, size_t row, size_t col) NONNULL;
/* 0, -ERR_NOT_FOUND (NULL) or -ERR_FORMAT. */
int pgres_i64(const struct pgres *res, size_t row, size_t col, int64_t *out) NONNULL MUSTCHECK;
/* 't' is true, all else (NULL too) false. */
bool pgres_bool(const struct pgres *res, size_t row, size_t col) NONNULL;

struct pg_answer {
	/* 0; -ERR_REFUSED (SQLSTATE class BK, a business rule: `message` is for the user);
	 * -ERR_AWAY (no connection, or it broke) and -ERR_TIMEOUT: the statement may have run or
	 * not; -ERR_BUSY (queue full; no memory; deadlock): it has not; -ERR_FORMAT (any other SQL
	 * error). */
	int err;
	const struct pgres *res; /* when err is 0, else NULL */
	const char *sqlstate;    /* five characters or "" */
	/* one line, never NULL; only for err -ERR_REFUSED may it be shown to a user */
	const char *message;
};

/* A notification arrived on the listening connection; also called once with payload "" after each
 * (re)connect, since notifications may have been missed. One that arrives while there is no memory
 * is lost (libpq drops it): query the database periodically, too. */
typedef void pgpool_notify(void *ctx, const char *payload);

struct pgpool_conf {
	const char *conninfo;    /* libpq's; copied. Never logged (it may hold a password) */
	const char *application; /* application_name; copied */
	unsigned connections;    /* 1.. */
	unsigned queue_max;      /* statements waiting beyond this are answered -ERR_BUSY */
	double connect_timeout;  /* seconds */
	double query_timeout;    /* seconds from submission to answer, waiting included */
	const char *listen;      /* channel to LISTEN on (one extra connection), or NULL */
	pgpool_notify *notify;   /* with `listen` */
	void *notify_ctx;
};

/* NULL: no memory or a conninfo that does not parse (logged without its text). Connects lazily (the
 * listening connection at once). */
struct pgpool *pgpool_create(struct ev_loop *loop, const struct pgpool_conf *conf) NONNULL;

/* Closes the connections and drops all statements without an answer: every query is idle again. May
 * be called from a callback. NULL is fine. */
void pgpool_free(struct pgpool *pool);

/* Queues one statement: `sql` must be a string literal (kept by address and text), `params` are
 * copied (NULL entries are SQL NULL). `query` must be idle and is the pool's until its answer.
 * Always answered: `done` is called exactly once, from the loop and never from inside this call;
 * by then `query` is idle, so that `done` may use it again or free it. */
void pgpool_query(struct pgpool *pool, struct pgquery *query, const char *sql, size_t n,
		  const char *const *params, pgpool_done *done, void *ctx) NONNULL_ARGS(1, 2, 3, 6);

/* The owner of `query` or `ctx` goes away: the statement still runs to its end, its answer is
 * dropped, and `query` is idle. An idle one is fine, also when its pool was freed. */
void pgpool_forget(struct pgpool *pool, struct pgquery *query) NONNULL;

/* Closes every connection as soon as it is idle; the next statements open new ones. Frees what libpq
 * keeps of the rows that it has read, which would else stay in the connections' buffers. */
void pgpool_renew(struct pgpool *pool) NONNULL;

/* True when the server answered last, rather than failing. */
bool pgpool_is_up(const struct pgpool *pool) NONNULL;

#endif
