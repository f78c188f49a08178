#include "web/page/utf8.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Control characters but tab and newline, surrogates, and the non-characters (Unicode 3.4, D14). */
static bool is_forbidden(uint32_t c)
{
	if (c < 0x20)
		return c != '\t' && c != '\n';
	return (c >= 0x7f && c <= 0x9f) || (c >= 0xd800 && c <= 0xdfff) ||
	       (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe || c > 0x10ffff;
}

/* How many continuation bytes follow a lead byte, its payload bits and the least value that needs
 * that many; 0: not a lead byte. */
static size_t lead_decode(uint8_t b, uint32_t *bits, uint32_t *least)
{
	if ((b & 0xe0) == 0xc0) {
		*bits = b & 0x1f;
		*least = 0x80;
		return 1;
	}
	if ((b & 0xf0) == 0xe0) {
		*bits = b & 0x0f;
		*least = 0x800;
		return 2;
	}
	if ((b & 0xf8) == 0xf0) {
		*bits = b & 0x07;
		*least = 0x10000;
		return 3;
	}
	return 0;
}

uint32_t utf8_next(const char **text)
{
	uint32_t c = (uint8_t) * *text, least = 0;
	if (c == 0)
		return 0;
	(*text)++;
	if (c >= 0x80) {
		size_t more = lead_decode((uint8_t)c, &c, &least);
		if (more == 0)
			return UTF8_REPLACEMENT;
		for (; more > 0; more--) {
			uint8_t b = (uint8_t) * *text;
			if ((b & 0xc0) != 0x80) /* the closing NUL ends up here too */
				return UTF8_REPLACEMENT;
			c = c << 6 | (b & 0x3f);
			(*text)++;
		}
	}
	return c < least || is_forbidden(c) ? UTF8_REPLACEMENT : c;
}

size_t utf8_put(uint32_t c, char out[static UTF8_MAX])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

char *utf8_clean(const char *text)
{
	/* One bad byte becomes the three of U+FFFD; nothing grows more than that. */
	char *out = malloc(strlen(text) * 3 + 1), *end = out;
	if (!out)
		return NULL;
	for (uint32_t c; (c = utf8_next(&text)) != 0;) {
		char bytes[UTF8_MAX];
		size_t len = utf8_put(c, bytes);
		memcpy(end, bytes, len);
		end += len;
	}
	*end = '\0';
	return out;
}
