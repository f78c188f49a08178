/*
 * When what popd knows goes to the disk: a snapshot as soon as the configuration changed, or a
 * minute after something else did; what is new about clients to the journal every ten seconds
 * (moves go there at once, see daemon/forwarder.h).
 */
#ifndef POPD_FEED_CHECKPOINT_H
#define POPD_FEED_CHECKPOINT_H

#include <stdint.h>

#include "lib/cc.h"

struct checkpoint;
struct store;

/* `seq` tells up to which change of the feed the table is. NULL: no memory. */
struct checkpoint *checkpoint_create(struct store *store, uint64_t (*seq)(void *ctx), void *ctx)
	NONNULL_ARGS(1, 2);
void checkpoint_free(struct checkpoint *k); /* NULL is fine */

/* The configuration has changed: call it once for all that came together. */
void checkpoint_note_change(struct checkpoint *k) NONNULL;
/* To be called each second. */
void checkpoint_tick(struct checkpoint *k) NONNULL;
/* Everything to the disk, now, and waits for it. */
void checkpoint_save(struct checkpoint *k) NONNULL;

#endif
