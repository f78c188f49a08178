/* Statements on their way through the pool, the lists they wait in, and how they are answered. */
#ifndef LIB_IO_PGJOB_H
#define LIB_IO_PGJOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/io/pgconn.h"
#include "lib/io/pgres.h"
#include "lib/pgquery.h"

struct pgjob {
	struct pgjob *next;
	struct pgquery *query; /* the caller's; NULL once forgotten */
	struct pgconn_stmt stmt;
	int64_t submitted, deadline; /* monotonic milliseconds */
	bool retried;
	int err; /* the answer, when it is in the list of answers */
	struct pgres res;
	size_t n;
	const char *params[]; /* their text lies behind them, in the same block */
};

struct pgjob_list {
	struct pgjob *head, *tail;
	size_t len;
};

/* Copies the parameters; NULL: no memory. */
struct pgjob *pgjob_create(size_t n, const char *const *params);
void pgjob_free(struct pgjob *job); /* with its result; its query is idle; NULL is fine */
/* Calls `done` unless the statement was forgotten. Frees the job. */
void pgjob_finish(struct pgjob *job) NONNULL;

void pgjob_append(struct pgjob_list *list, struct pgjob *job) NONNULL;
void pgjob_put_back(struct pgjob_list *list, struct pgjob *job) NONNULL; /* to the head */
struct pgjob *pgjob_take(struct pgjob_list *list) NONNULL; /* from the head; NULL: empty */

/* Queries that have no job. */
struct pgrefusals {
	struct pgquery *head, *tail;
	size_t len;
};

void pgrefusals_append(struct pgrefusals *list, struct pgquery *query, const char *why) NONNULL;
void pgrefusals_remove(struct pgrefusals *list, struct pgquery *query) NONNULL; /* it is there */
/* Answers the first one with -ERR_BUSY and its reason. The list is not empty. */
void pgrefusals_finish_first(struct pgrefusals *list) NONNULL;

#endif
