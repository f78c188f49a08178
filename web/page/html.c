#include "web/page/html.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/utf8.h"

enum { HTML_FIRST = 8192 };

struct html html_init(size_t max)
{
	return (struct html){ .max = max };
}

void html_free(struct html *h)
{
	free(h->data);
	*h = (struct html){ .max = h->max };
}

char *html_take(struct html *h, size_t *len)
{
	char *data = h->failed ? NULL : h->data;
	*len = data ? h->len : 0;
	if (data)
		h->data = NULL;
	html_free(h);
	return data;
}

/* Grows the buffer for `len` more bytes. */
static bool reserve(struct html *h, size_t len)
{
	if (h->failed)
		return false;
	if (len <= h->cap - h->len)
		return true;
	if (len > h->max - h->len) {
		h->failed = true;
		return false;
	}
	size_t cap = h->cap ? h->cap : HTML_FIRST;
	while (cap < h->len + len)
		cap *= 2;
	if (cap > h->max)
		cap = h->max;
	char *data = realloc(h->data, cap);
	if (!data) {
		h->failed = true;
		return false;
	}
	h->data = data;
	h->cap = cap;
	return true;
}

static void append(struct html *h, const char *bytes, size_t len)
{
	if (len == 0 || !reserve(h, len)) /* an empty page has no buffer */
		return;
	memcpy(h->data + h->len, bytes, len);
	h->len += len;
}

static void append_str(struct html *h, const char *s)
{
	append(h, s, strlen(s));
}

static void append_escaped(struct html *h, uint32_t c)
{
	char bytes[UTF8_MAX];
	switch (c) {
	case '&':
		append_str(h, "&amp;");
		return;
	case '<':
		append_str(h, "&lt;");
		return;
	case '>':
		append_str(h, "&gt;");
		return;
	case '"':
		append_str(h, "&quot;");
		return;
	case '\'':
		append_str(h, "&#39;");
		return;
	default:
		append(h, bytes, utf8_put(c, bytes));
	}
}

void html_text(struct html *h, const char *text)
{
	for (uint32_t c; (c = utf8_next(&text)) != 0;)
		append_escaped(h, c);
}

static void append_signed(struct html *h, long long v)
{
	char digits[24];
	append(h, digits, (size_t)snprintf(digits, sizeof(digits), "%lld", v));
}

static void append_unsigned(struct html *h, unsigned long long v)
{
	char digits[24];
	append(h, digits, (size_t)snprintf(digits, sizeof(digits), "%llu", v));
}

/* Writes the conversion at `conv` (just after its %) and returns the character after it. */
static const char *put_conversion(struct html *h, const char *conv, va_list *ap)
{
	unsigned longs = 0;
	bool size = *conv == 'z';
	if (size)
		conv++;
	for (; *conv == 'l' && longs < 2; conv++)
		longs++;

	const char *text;
	switch (*conv) {
	case 's':
		text = va_arg(*ap, const char *);
		if (text)
			html_text(h, text);
		return conv + 1;
	case 'd':
		append_signed(h, longs == 0   ? va_arg(*ap, int)
				 : longs == 1 ? va_arg(*ap, long)
					      : va_arg(*ap, long long));
		return conv + 1;
	case 'u':
		if (size)
			append_unsigned(h, va_arg(*ap, size_t));
		else
			append_unsigned(h, longs == 0   ? va_arg(*ap, unsigned)
					   : longs == 1 ? va_arg(*ap, unsigned long)
							: va_arg(*ap, unsigned long long));
		return conv + 1;
	case '%':
		append(h, "%", 1);
		return conv + 1;
	default: /* its type is not known, so no later argument can be read either */
		h->failed = true;
		return conv;
	}
}

void html_put(struct html *h, const char *markup, ...)
{
	va_list ap;
	va_start(ap, markup);
	while (!h->failed && *markup) {
		size_t plain = strcspn(markup, "%");
		append(h, markup, plain);
		markup += plain;
		if (*markup == '%')
			markup = put_conversion(h, markup + 1, &ap);
	}
	va_end(ap);
}
