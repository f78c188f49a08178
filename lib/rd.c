#include "lib/rd.h"

#include <string.h>

struct rd rd_init(const void *data, size_t len)
{
	static const uint8_t nothing;
	const uint8_t *start = data ? data : &nothing;
	return (struct rd){ .pos = start,
			    .end = start + (data ? len : 0),
			    .failed = !data && len > 0 };
}

/* The one bounds check: skips and returns the next `len` bytes, or fails the cursor: NULL. */
static const uint8_t *take(struct rd *r, size_t len)
{
	if (r->failed || (size_t)(r->end - r->pos) < len) {
		r->failed = true;
		return NULL;
	}
	const uint8_t *start = r->pos;
	r->pos += len;
	return start;
}

static uint64_t take_be(struct rd *r, size_t len)
{
	const uint8_t *p = take(r, len);
	uint64_t v = 0;
	for (size_t i = 0; p && i < len; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t rd_u8(struct rd *r)
{
	return (uint8_t)take_be(r, 1);
}

uint16_t rd_u16(struct rd *r)
{
	return (uint16_t)take_be(r, 2);
}

uint32_t rd_u32(struct rd *r)
{
	return (uint32_t)take_be(r, 4);
}

uint64_t rd_u64(struct rd *r)
{
	return take_be(r, 8);
}

const uint8_t *rd_bytes(struct rd *r, size_t len)
{
	return take(r, len);
}

void rd_copy(struct rd *r, void *out, size_t len)
{
	const uint8_t *p = take(r, len);
	if (p)
		memcpy(out, p, len);
	else
		memset(out, 0, len);
}

void rd_skip(struct rd *r, size_t len)
{
	(void)take(r, len);
}

struct rd rd_sub(struct rd *r, size_t len)
{
	const uint8_t *p = take(r, len);
	struct rd sub = rd_init(p, p ? len : 0);
	sub.failed = !p;
	return sub;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

const char *rd_token(struct rd *r, size_t *len)
{
	*len = 0;
	if (r->failed)
		return NULL;
	while (r->pos < r->end && is_blank(*r->pos))
		r->pos++;
	const uint8_t *start = r->pos;
	while (r->pos < r->end && !is_blank(*r->pos))
		r->pos++;
	*len = (size_t)(r->pos - start);
	return *len ? (const char *)start : NULL;
}
