/*
 * Decides when the store writes: a snapshot as soon as the configuration has changed, or once a
 * minute if only endpoints have; the journal every ten seconds (and at once when an endpoint
 * moves, see daemon/forwarder.h).
 */
#ifndef POPD_FEED_CHECKPOINT_H
#define POPD_FEED_CHECKPOINT_H

#include <stdint.h>

#include "lib/cc.h"

struct checkpoint;
struct store;

/* `seq` returns the number of the last change of the feed that is in the table. Borrows `store`.
 * NULL: no memory. */
struct checkpoint *checkpoint_create(struct store *store, uint64_t (*seq)(void *ctx), void *ctx)
	NONNULL_ARGS(1, 2);
void checkpoint_free(struct checkpoint *k); /* NULL is fine */

/* Notes that the configuration has changed. To be called once for changes that arrive together. */
void checkpoint_note_change(struct checkpoint *k) NONNULL;
/* To be called each second. */
void checkpoint_tick(struct checkpoint *k) NONNULL;
/* Writes a snapshot now and waits until it is on disk. */
void checkpoint_save(struct checkpoint *k) NONNULL;

#endif
