#include "lib/wr.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wr wr_init(void *buf, size_t size)
{
	static uint8_t nothing;
	uint8_t *start = buf ? buf : &nothing;
	return (struct wr){ .base = start,
			    .pos = start,
			    .end = start + (buf ? size : 0),
			    .failed = !buf && size > 0 };
}

/* The one bounds check: skips and returns the next `len` bytes, or fails the cursor: NULL. */
uint8_t *wr_reserve(struct wr *w, size_t len)
{
	if (w->failed || (size_t)(w->end - w->pos) < len) {
		w->failed = true;
		return NULL;
	}
	uint8_t *start = w->pos;
	w->pos += len;
	return start;
}

static void put_be(struct wr *w, uint64_t v, size_t len)
{
	if (len < 8 && v >> (8 * len) != 0)
		w->failed = true;
	uint8_t *p = wr_reserve(w, len);
	for (size_t i = len; p && i-- > 0; v >>= 8)
		p[i] = (uint8_t)v;
}

void wr_u8(struct wr *w, uint64_t v)
{
	put_be(w, v, 1);
}

void wr_u16(struct wr *w, uint64_t v)
{
	put_be(w, v, 2);
}

void wr_u32(struct wr *w, uint64_t v)
{
	put_be(w, v, 4);
}

void wr_u64(struct wr *w, uint64_t v)
{
	put_be(w, v, 8);
}

void wr_bytes(struct wr *w, const void *data, size_t len)
{
	uint8_t *p = wr_reserve(w, len);
	if (p && len > 0)
		memcpy(p, data, len);
}

void wr_zeros(struct wr *w, size_t len)
{
	uint8_t *p = wr_reserve(w, len);
	if (p)
		memset(p, 0, len);
}

void wr_str(struct wr *w, const char *s)
{
	wr_bytes(w, s, strlen(s));
}

/* vsnprintf always writes a NUL, for which a text that fits exactly leaves no byte. */
static void put_exact(struct wr *w, size_t len, const char *fmt, va_list ap) FORMAT(3, 0);
static void put_exact(struct wr *w, size_t len, const char *fmt, va_list ap)
{
	char *text = NULL;
	if (vasprintf(&text, fmt, ap) != (int)len) {
		w->failed = true;
		return;
	}
	wr_bytes(w, text, len);
	free(text);
}

static void put_fmt(struct wr *w, const char *fmt, va_list ap) FORMAT(2, 0);
static void put_fmt(struct wr *w, const char *fmt, va_list ap)
{
	va_list measure;
	va_copy(measure, ap);
	int len = vsnprintf(NULL, 0, fmt, measure);
	va_end(measure);

	if (w->failed || len < 0 || (size_t)len > wr_room(w))
		w->failed = true;
	else if ((size_t)len == wr_room(w))
		put_exact(w, (size_t)len, fmt, ap);
	else
		w->pos += vsnprintf((char *)w->pos, wr_room(w), fmt, ap);
}

void wr_fmt(struct wr *w, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	put_fmt(w, fmt, ap);
	va_end(ap);
}

const char *wr_cstr(struct wr *w)
{
	if (w->failed || w->pos == w->end) {
		w->failed = true;
		return NULL;
	}
	*w->pos = '\0';
	return (const char *)w->base;
}
