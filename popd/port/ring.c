#include "popd/port/ring.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Both indexes only grow and wrap around; their difference is the number of items. Each is written
 * by one side and has a cache line of its own. */
struct ring {
	size_t mask, size;
	unsigned char *items;
	_Atomic size_t head CACHE_ALIGNED; /* next to pop, the consumer's */
	_Atomic size_t tail CACHE_ALIGNED; /* next to push, the producer's */
};

struct ring *ring_create(size_t count, size_t size)
{
	struct ring *r = aligned_alloc(64, sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct ring){ .mask = count - 1, .size = size, .items = calloc(count, size) };
	if (!r->items) {
		free(r);
		return NULL;
	}
	return r;
}

void ring_free(struct ring *r)
{
	if (!r)
		return;
	free(r->items);
	free(r);
}

bool ring_push(struct ring *r, const void *item)
{
	size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	if (tail - atomic_load_explicit(&r->head, memory_order_acquire) > r->mask)
		return false;
	memcpy(r->items + (tail & r->mask) * r->size, item, r->size);
	atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
	return true;
}

bool ring_pop(struct ring *r, void *item)
{
	size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (head == atomic_load_explicit(&r->tail, memory_order_acquire))
		return false;
	memcpy(item, r->items + (head & r->mask) * r->size, r->size);
	atomic_store_explicit(&r->head, head + 1, memory_order_release);
	return true;
}
