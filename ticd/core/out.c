#include "ticd/core/out.h"

#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"

/* Moves the bytes to a larger block; the old one is wiped before it is freed. */
static bool grow(struct out *o, size_t need)
{
	size_t size = o->size > 0 ? o->size : 1024;
	struct out bigger;

	if (need > OUT_MAX)
		return false;
	while (size < need)
		size *= 2;
	bigger = (struct out){ .buf = malloc(size), .len = o->len, .size = size };
	if (!bigger.buf)
		return false;
	if (o->len > 0)
		memcpy(bigger.buf, out_data(o), o->len);
	out_clear(o);
	*o = bigger;
	return true;
}

bool out_append(struct out *o, const void *data, size_t len)
{
	if (len == 0)
		return true;
	if (o->len + len > o->size && !grow(o, o->len + len))
		return false;
	if (o->start + o->len + len > o->size) {
		memmove(o->buf, o->buf + o->start, o->len);
		o->start = 0;
	}
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
	if (o->buf)
		secure_zero(o->buf, o->size);
	free(o->buf);
	*o = (struct out){ .buf = NULL };
}

size_t out_pace_allows(const struct out_pace *p, const char *data, size_t len)
{
	size_t budget = p->sent < OUT_PACE_BYTES ? OUT_PACE_BYTES - p->sent : 0;
	const char *end;

	if (len <= budget)
		return len;
	end = memrchr(data, '\n', budget);
	return end ? (size_t)(end - data) + 1 : 0;
}

void out_pace_sent(struct out_pace *p, size_t n)
{
	p->sent += n;
	p->is_acked = false;
	p->poll_ms = OUT_PACE_POLL_MIN_MS;
}

int out_pace_wait(struct out_pace *p, mono_t now, size_t unacked)
{
	int64_t quiet;

	if (p->sent == 0)
		return 0;
	if (unacked > 0) {
		int wait = p->poll_ms;

		p->is_acked = false;
		p->poll_ms = wait * 2 > OUT_PACE_POLL_MAX_MS ? OUT_PACE_POLL_MAX_MS : wait * 2;
		return wait;
	}
	if (!p->is_acked) {
		p->is_acked = true;
		p->acked = now;
	}
	quiet = mono_since(now, p->acked);
	if (quiet < OUT_PACE_QUIET_MS)
		return (int)(OUT_PACE_QUIET_MS - quiet);
	p->sent = 0;
	p->is_acked = false;
	return 0;
}
