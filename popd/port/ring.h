/*
 * A bounded queue of fixed-size items between one producer thread and one consumer thread. Neither
 * waits nor locks; a full ring refuses the item.
 */
#ifndef POPD_PORT_RING_H
#define POPD_PORT_RING_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"

struct ring;

/* For `count` (a power of two) items of `size` bytes. NULL: no memory. */
struct ring *ring_create(size_t count, size_t size);
void ring_free(struct ring *r); /* NULL is fine */

/* By the producer. false: the ring is full. */
bool ring_push(struct ring *r, const void *item) NONNULL MUSTCHECK;
/* By the consumer. false: the ring is empty. */
bool ring_pop(struct ring *r, void *item) NONNULL MUSTCHECK;

#endif
