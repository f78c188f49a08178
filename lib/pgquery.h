/*
 * A statement under way, in its caller's memory: a pool without memory can still refuse it, so that
 * pgpool_query (lib/io/pgpool.h) cannot fail. All zero before its first use, then the pool's; it must
 * live until its answer, pgpool_forget or pgpool_free.
 */
#ifndef LIB_PGQUERY_H
#define LIB_PGQUERY_H

#include <stdbool.h>

struct pg_answer;
struct pgjob;
struct pgquery;

typedef void pgpool_done(void *ctx, const struct pg_answer *answer);

struct pgquery {
	struct pgjob *job;    /* the statement on its way to the server, or NULL */
	const char *refusal;  /* why it never gets there, or NULL */
	struct pgquery *next; /* refused: the one refused after it */
	pgpool_done *done;
	void *ctx;
};

/* True from pgpool_query until just before its answer. */
static inline bool pgquery_is_active(const struct pgquery *q)
{
	return q->job || q->refusal;
}

#endif
