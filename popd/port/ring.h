/*
 * A bounded queue of fixed-size items between two threads: one pushes, one pops, nobody waits and
 * nobody locks. Full means the item is not taken.
 */
#ifndef POPD_PORT_RING_H
#define POPD_PORT_RING_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"

struct ring;

/* Room for `count` (a power of two) items of `size` bytes. NULL: no memory. */
struct ring *ring_create(size_t count, size_t size);
void ring_free(struct ring *r); /* NULL is fine */

/* The one producer's side: false when the ring is full. */
bool ring_push(struct ring *r, const void *item) NONNULL MUSTCHECK;
/* The one consumer's side: false when the ring is empty. */
bool ring_pop(struct ring *r, void *item) NONNULL MUSTCHECK;

#endif
