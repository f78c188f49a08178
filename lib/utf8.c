#include "lib/utf8.h"

#include <stdlib.h>
#include <string.h>

/* First bytes, how many follow, and the smallest code point of that length: a smaller one is
 * overlong. */
static const struct {
	uint8_t mask, lead;
	uint8_t more;
	uint32_t min;
} forms[] = {
	{ 0x80, 0x00, 0, 0 },
	{ 0xe0, 0xc0, 1, 0x80 },
	{ 0xf0, 0xe0, 2, 0x800 },
	{ 0xf8, 0xf0, 3, 0x10000 },
};

static bool is_code_point(uint32_t code)
{
	return code <= 0x10ffff && (code < 0xd800 || code >= 0xe000);
}

/* The length of the character or, when *is_valid is false, of the bytes that look like one: the
 * first and those after it that continue it. */
static size_t read_character(const char *text, size_t len, uint32_t *code, bool *is_valid)
{
	uint8_t first = (uint8_t)text[0];
	size_t form = 0, used = 1;

	*is_valid = false;
	while (form < ARRAY_LEN(forms) && (first & forms[form].mask) != forms[form].lead)
		form++;
	if (form == ARRAY_LEN(forms))
		return 1;
	*code = first & (uint8_t)~forms[form].mask;
	for (; used <= forms[form].more; used++) {
		if (used >= len || ((uint8_t)text[used] & 0xc0) != 0x80)
			return used;
		*code = *code << 6 | ((uint8_t)text[used] & 0x3f);
	}
	*is_valid = *code >= forms[form].min && is_code_point(*code);
	return used;
}

size_t utf8_decode(const char *text, size_t len, uint32_t *code)
{
	bool is_valid;
	size_t used = read_character(text, len, code, &is_valid);

	if (is_valid)
		return used;
	*code = (uint8_t)text[0];
	return 0;
}

bool utf8_is_valid(const char *text)
{
	size_t left = strlen(text);
	while (left > 0) {
		uint32_t code;
		size_t len = utf8_decode(text, left, &code);
		if (len == 0)
			return false;
		text += len;
		left -= len;
	}
	return true;
}

/* Control characters and the non-characters (Unicode 3.4, D14). */
static bool is_forbidden(uint32_t c)
{
	if (c < 0x20)
		return c != '\t' && c != '\n';
	return (c >= 0x7f && c <= 0x9f) || (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

uint32_t utf8_next(const char **text)
{
	uint32_t code = 0;
	bool is_valid;

	if (**text == '\0')
		return 0;
	/* The NUL continues no character. */
	*text += read_character(*text, UTF8_MAX, &code, &is_valid);
	return is_valid && !is_forbidden(code) ? code : UTF8_REPLACEMENT;
}

size_t utf8_put(uint32_t code, char out[static UTF8_MAX])
{
	size_t more = 0;

	while (more + 1 < ARRAY_LEN(forms) && code >= forms[more + 1].min)
		more++;
	for (size_t i = more; i > 0; i--, code >>= 6)
		out[i] = (char)(0x80 | (code & 0x3f));
	out[0] = (char)(forms[more].lead | code);
	return more + 1;
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
