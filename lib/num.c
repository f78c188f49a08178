#include "lib/num.h"

#include <stdbool.h>

#include "lib/err.h"

int num_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* Reads every character before it reports an overflow, so that "99999999999999999999x" is
 * malformed, not out of range. */
static int parse(const char *text, size_t len, unsigned base, uint64_t *out)
{
	uint64_t v = 0;
	bool over = false;

	if (len == 0)
		return -ERR_FORMAT;
	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned)num_hex_digit(text[i]);
		if (digit >= base)
			return -ERR_FORMAT;
		over = over || __builtin_mul_overflow(v, (uint64_t)base, &v) ||
		       __builtin_add_overflow(v, (uint64_t)digit, &v);
	}
	*out = v;
	return over ? -ERR_RANGE : 0;
}

int num_parse_u64(const char *text, size_t len, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t v;
	int err = parse(text, len, 10, &v);

	if (err)
		return err;
	if (v < min || v > max)
		return -ERR_RANGE;
	*out = v;
	return 0;
}

int num_parse_i64(const char *text, size_t len, int64_t min, int64_t max, int64_t *out)
{
	bool negative = len > 0 && text[0] == '-';
	uint64_t size;

	if (negative && min >= 0)
		return -ERR_FORMAT;
	int err = parse(text + negative, len - negative, 10, &size);
	if (err)
		return err;
	if (size > (uint64_t)INT64_MAX + negative)
		return -ERR_RANGE;
	/* Two steps, since int64_t cannot hold -INT64_MIN. */
	int64_t v = negative && size > 0 ? -(int64_t)(size - 1) - 1 : (int64_t)size;
	if (v < min || v > max)
		return -ERR_RANGE;
	*out = v;
	return 0;
}

int num_parse_hex(const char *text, size_t len, uint64_t max, uint64_t *out)
{
	uint64_t v;
	int err = parse(text, len, 16, &v);

	if (err)
		return err;
	if (v > max)
		return -ERR_RANGE;
	*out = v;
	return 0;
}

int num_parse_tunnel_id(const char *text, size_t len, uint32_t *out)
{
	size_t letter = len > 0 && (text[0] == 'T' || text[0] == 't');
	uint64_t v;
	int err = num_parse_u64(text + letter, len - letter, 1, INT32_MAX, &v);

	if (err)
		return err;
	*out = (uint32_t)v;
	return 0;
}
