/*
 * Grace periods (quiescent-state based reclamation): what has been unpublished may be released once
 * every worker that could have seen it has left the batch it was in. A worker announces the epoch
 * it enters in; what is retired carries the epoch it was retired in.
 *
 * Why nothing is released too early: entering stores the epoch and then loads published pointers;
 * retiring stores the pointers anew and then loads what workers announced. All four are
 * sequentially consistent, so either the worker sees the new pointers or the control thread sees
 * the worker. Therefore everything published is stored and loaded with memory_order_seq_cst (on x86
 * such a load costs nothing).
 */
#ifndef POPD_CORE_GRACE_H
#define POPD_CORE_GRACE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

struct grace_worker {
	_Atomic uint64_t seen; /* the epoch it entered in; 0: outside */
} CACHE_ALIGNED;

struct retired;

struct grace {
	_Atomic uint64_t epoch;
	struct grace_worker *workers;
	unsigned worker_count;
	struct retired *list; /* in order of retirement, a ring that grows */
	size_t size, first, count;
};

/* 0 or -ERR_NOMEM. grace_free releases all that is still retired; no worker may be inside. */
int grace_init(struct grace *g, unsigned workers) NONNULL MUSTCHECK;
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

/* Calls release(owner, what) once no worker can use it any more. When there is no memory to
 * remember it by, waits for that moment. */
void grace_retire(struct grace *g, void (*release)(void *owner, void *what), void *owner,
		  void *what) NONNULL_ARGS(1, 2);
/* Releases what can be. */
void grace_reclaim(struct grace *g) NONNULL;
/* Waits until no worker sees what was unpublished before; batches are short, so this is a moment.
 * Releases nothing. */
void grace_wait(struct grace *g) NONNULL;

#endif
