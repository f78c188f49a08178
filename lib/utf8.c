#include "lib/utf8.h"

#include <string.h>

/* First bytes by how many follow, and the smallest code point that may take that many (anything
 * less is overlong). */
static const struct {
	uint8_t mask, lead;
	uint8_t more;
	uint32_t least;
} forms[] = {
	{ 0x80, 0x00, 0, 0 },
	{ 0xe0, 0xc0, 1, 0x80 },
	{ 0xf0, 0xe0, 2, 0x800 },
	{ 0xf8, 0xf0, 3, 0x10000 },
};

size_t utf8_decode(const char *text, size_t len, uint32_t *code)
{
	uint8_t first = (uint8_t)text[0];
	*code = first;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if ((first & forms[i].mask) != forms[i].lead)
			continue;
		if (len < 1u + forms[i].more)
			return 0;
		uint32_t value = first & (uint8_t)~forms[i].mask;
		for (size_t k = 1; k <= forms[i].more; k++) {
			if (((uint8_t)text[k] & 0xc0) != 0x80)
				return 0;
			value = value << 6 | ((uint8_t)text[k] & 0x3f);
		}
		if (value < forms[i].least || value > 0x10ffff ||
		    (value >= 0xd800 && value < 0xe000))
			return 0;
		*code = value;
		return 1u + forms[i].more;
	}
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
