/*
 * Grace periods (quiescent-state based reclamation): an unpublished object is released once every
 * worker that may have seen it has left its batch. A worker announces the epoch in which it enters;
 * a retired object carries the epoch in which it was retired.
 *
 * Why nothing is released too early: entering stores the epoch and then loads published pointers;
 * retiring follows the store of the new pointer and then loads the announced epochs. All four are
 * sequentially consistent, so either the worker sees the new pointer or the control thread sees the
 * worker. Therefore published pointers are stored and loaded with memory_order_seq_cst (on x86 such
 * a load costs nothing).
 */
#ifndef POPD_CORE_GRACE_H
#define POPD_CORE_GRACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

struct grace_worker {
	_Atomic uint64_t seen; /* the epoch in which it entered; 0: outside */
} CACHE_ALIGNED;

struct retired;

struct grace {
	_Atomic uint64_t epoch;
	struct grace_worker *workers;
	unsigned worker_count;
	struct retired *list; /* a ring that grows, in order of retirement */
	size_t size, first, count;
};

/* 0 or -ERR_NOMEM. */
int grace_init(struct grace *g, unsigned workers) NONNULL MUSTCHECK;
/* Releases everything retired. No worker may be inside. */
void grace_free(struct grace *g) NONNULL;

static inline void grace_enter(struct grace *g, unsigned worker)
{
	atomic_store(&g->workers[worker].seen, atomic_load(&g->epoch));
}

static inline void grace_leave(struct grace *g, unsigned worker)
{
	atomic_store_explicit(&g->workers[worker].seen, 0, memory_order_release);
}

/* ---- control thread ---- */

/* Has release(owner, what) called by a later grace_reclaim, once no worker can use `what`. Never
 * waits long: a worker may stand still. Without memory for the list it gives the workers a moment to
 * leave their batches and calls at once; when one does not leave, `what` is never released. */
void grace_retire(struct grace *g, void (*release)(void *owner, void *what), void *owner,
		  void *what) NONNULL_ARGS(1, 2);
/* Releases every retired object that no worker can use any more. */
void grace_reclaim(struct grace *g) NONNULL;
/* Gives every worker a moment to leave the batch that it is in, which takes microseconds; false: one
 * has not left it. Releases nothing. */
bool grace_wait_shortly(struct grace *g) NONNULL;

#endif
