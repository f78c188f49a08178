#include "ticd/proto/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void reply_init(struct reply *r)
{
	r->w = wr_init(r->buf, sizeof(r->buf));
}

/* Appends the cleaned text and LF, or fails the cursor. */
static void put_clean(struct reply *r, const char *text, size_t len)
{
	uint8_t *to = wr_reserve(&r->w, len + 1);

	if (!to)
		return;
	for (size_t i = 0; i < len; i++)
		to[i] = text[i] >= ' ' && text[i] <= '~' ? (uint8_t)text[i] : '?';
	to[len] = '\n';
}

void reply_line(struct reply *r, const char *fmt, ...)
{
	char line[REPLY_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	put_clean(r, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

void reply_field(struct reply *r, const char *key, const char *prefix, const char *value, int max)
{
	reply_line(r, "%s: %s%.*s", key, prefix, max, value ? value : "");
}
