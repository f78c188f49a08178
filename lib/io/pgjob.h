/* A statement on its way through the pool, and the first-in-first-out lists it waits in. */
#ifndef LIB_IO_PGJOB_H
#define LIB_IO_PGJOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/io/pgconn.h"
#include "lib/io/pgpool.h"
#include "lib/io/pgres.h"

struct pgjob {
	struct pgjob *next;
	uint64_t id;
	pgpool_done *done; /* NULL once forgotten */
	void *ctx;
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
void pgjob_free(struct pgjob *job); /* with its result; NULL is fine */

void pgjob_append(struct pgjob_list *list, struct pgjob *job) NONNULL;
void pgjob_put_back(struct pgjob_list *list, struct pgjob *job) NONNULL; /* to the head */
struct pgjob *pgjob_take(struct pgjob_list *list) NONNULL;       /* from the head; NULL: empty */
bool pgjob_forget(struct pgjob_list *list, uint64_t id) NONNULL; /* true: it was there */
void pgjob_free_all(struct pgjob_list *list) NONNULL;

#endif
