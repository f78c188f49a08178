/* Things of one size, in one piece of memory, that come at the end and are taken from the front.
 * Grows as needed; what a crowd needed is given back when it is gone. */
#ifndef POPD_REPORT_FIFO_H
#define POPD_REPORT_FIFO_H

#include <stddef.h>

#include "lib/cc.h"

struct fifo {
	size_t size; /* of a thing; the rest is 0 at first */
	size_t head, count, room;
	unsigned char *items;
};

void fifo_free(struct fifo *f) NONNULL; /* what is in it */

/* Those not yet taken: an array of fifo_count(), valid until one is pushed or taken. */
void *fifo_items(const struct fifo *f) NONNULL;
size_t fifo_count(const struct fifo *f) NONNULL;

/* Room for one more at the end, not filled in; NULL: no memory. */
void *fifo_push(struct fifo *f) NONNULL;
/* Moves up to `n` from the front to `out`; returns how many. */
size_t fifo_take(struct fifo *f, void *out, size_t n) NONNULL;
/* The first `n`, no more than there are, stay. */
void fifo_keep(struct fifo *f, size_t n) NONNULL;

#endif
