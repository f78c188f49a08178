#include "ticd/core/out.h"

#include <stdlib.h>
#include <string.h>

static bool grow(struct out *o, size_t need)
{
	size_t size = o->size > 0 ? o->size : 1024;
	char *buf;

	if (need > OUT_MAX)
		return false;
	while (size < need)
		size *= 2;
	buf = realloc(o->buf, size);
	if (buf == NULL)
		return false;
	o->buf = buf;
	o->size = size;
	return true;
}

bool out_append(struct out *o, const void *data, size_t len)
{
	if (len == 0)
		return true;
	if (o->start > 0 && o->start + o->len + len > o->size) {
		memmove(o->buf, o->buf + o->start, o->len);
		o->start = 0;
	}
	if (o->len + len > o->size && !grow(o, o->len + len))
		return false;
	memcpy(o->buf + o->start + o->len, data, len);
	o->len += len;
	return true;
}

void out_drop(struct out *o, size_t n)
{
	o->start += n;
	o->len -= n;
	if (o->len == 0)
		out_clear(o);
}

void out_clear(struct out *o)
{
	free(o->buf);
	*o = (struct out){ .buf = NULL };
}
