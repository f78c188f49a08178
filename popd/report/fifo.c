#include "popd/report/fifo.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 256, ROOM_KEPT = 4096 };

void fifo_free(struct fifo *f)
{
	free(f->items);
	*f = (struct fifo){ .size = f->size };
}

void *fifo_items(const struct fifo *f)
{
	return f->items ? f->items + f->head * f->size : NULL;
}

size_t fifo_count(const struct fifo *f)
{
	return f->count - f->head;
}

void *fifo_push(struct fifo *f)
{
	if (f->count == f->room && f->head > 0 && f->head >= fifo_count(f)) {
		memcpy(f->items, f->items + f->head * f->size, fifo_count(f) * f->size);
		f->count -= f->head;
		f->head = 0;
	}
	if (f->count == f->room) {
		size_t room = f->room ? 2 * f->room : ROOM_FIRST;
		unsigned char *grown = realloc(f->items, room * f->size);
		if (!grown)
			return NULL;
		f->items = grown;
		f->room = room;
	}
	return f->items + f->count++ * f->size;
}

size_t fifo_take(struct fifo *f, void *out, size_t n)
{
	size_t taken = fifo_count(f) < n ? fifo_count(f) : n;

	if (taken == 0)
		return 0;
	memcpy(out, f->items + f->head * f->size, taken * f->size);
	f->head += taken;
	if (f->head < f->count)
		return taken;
	if (f->room > ROOM_KEPT)
		fifo_free(f);
	f->head = f->count = 0;
	return taken;
}

void fifo_keep(struct fifo *f, size_t n)
{
	f->count = f->head + n;
}
