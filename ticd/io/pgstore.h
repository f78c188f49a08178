/* The sessions' store in PostgreSQL: each question is one call of the function of that name in
 * schema api, through a pool. */
#ifndef TICD_IO_PGSTORE_H
#define TICD_IO_PGSTORE_H

#include "lib/cc.h"
#include "ticd/core/store.h"

struct pgpool;
struct pgstore;

/* NULL: out of memory. The pool stays the caller's. */
struct pgstore *pgstore_create(struct pgpool *pool) NONNULL;
void pgstore_free(struct pgstore *store); /* NULL is fine */

struct store *pgstore_store(struct pgstore *store) NONNULL;

#endif
