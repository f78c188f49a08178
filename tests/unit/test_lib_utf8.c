#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "lib/utf8.h"

static const struct {
	const char *bytes;
	size_t len;
	size_t expected; /* bytes of the first character, 0: none */
	uint32_t code;
} rows[] = {
	{ "A", 1, 1, 'A' },
	{ "\x00", 1, 1, 0 },
	{ "\x7f", 1, 1, 0x7f },
	{ "\xc2\x80", 2, 2, 0x80 },
	{ "\xc3\xbc", 2, 2, 0xfc },
	{ "\xdf\xbf", 2, 2, 0x7ff },
	{ "\xe0\xa0\x80", 3, 3, 0x800 },
	{ "\xe2\x82\xac", 3, 3, 0x20ac },
	{ "\xed\x9f\xbf", 3, 3, 0xd7ff },
	{ "\xee\x80\x80", 3, 3, 0xe000 },
	{ "\xef\xbf\xbf", 3, 3, 0xffff },
	{ "\xf0\x90\x80\x80", 4, 4, 0x10000 },
	{ "\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff },
	/* cut at every byte, though the rest lies behind the end */
	{ "\xc3\xbc", 1, 0, 0xc3 },
	{ "\xe2\x82\xac", 1, 0, 0xe2 },
	{ "\xe2\x82\xac", 2, 0, 0xe2 },
	{ "\xf0\x90\x80\x80", 1, 0, 0xf0 },
	{ "\xf0\x90\x80\x80", 2, 0, 0xf0 },
	{ "\xf0\x90\x80\x80", 3, 0, 0xf0 },
	/* a continuation byte first, or one missing later */
	{ "\x80", 1, 0, 0x80 },
	{ "\xbf", 1, 0, 0xbf },
	{ "\xc3(", 2, 0, 0xc3 },
	{ "\xe2\x82(", 3, 0, 0xe2 },
	{ "\xf0\x90\x80(", 4, 0, 0xf0 },
	/* overlong, surrogates, beyond the end, bytes that never occur */
	{ "\xc0\x80", 2, 0, 0xc0 },
	{ "\xc1\xbf", 2, 0, 0xc1 },
	{ "\xe0\x9f\xbf", 3, 0, 0xe0 },
	{ "\xed\xa0\x80", 3, 0, 0xed },
	{ "\xed\xbf\xbf", 3, 0, 0xed },
	{ "\xf0\x8f\xbf\xbf", 4, 0, 0xf0 },
	{ "\xf4\x90\x80\x80", 4, 0, 0xf4 },
	{ "\xf8\x88\x80\x80\x80", 5, 0, 0xf8 },
	{ "\xff", 1, 0, 0xff },
};

static void decode_any_bytes_gives_length_and_code(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t code = 0xdead;
		size_t len = utf8_decode(rows[i].bytes, rows[i].len, &code);
		if (len != rows[i].expected || code != rows[i].code)
			fail_msg("row %zu: got %zu U+%04X", i, len, code);
	}
}

static void is_valid_wants_every_byte_valid(void **state)
{
	(void)state;
	assert_true(utf8_is_valid(""));
	assert_true(utf8_is_valid("Z\xc3\xbcrich \xe2\x82\xac"));
	assert_false(utf8_is_valid("Z\xfcrich"));
	assert_false(utf8_is_valid("cut \xe2\x82"));
}

/* Every code point, written and read back. */
static void put_writes_what_decode_reads(void **state)
{
	(void)state;
	for (uint32_t code = 1; code <= 0x10ffff; code++) {
		char bytes[UTF8_MAX];
		uint32_t again;
		if (code == 0xd800)
			code = 0xe000;
		size_t len = utf8_put(code, bytes);
		if (utf8_decode(bytes, len, &again) != len || again != code)
			fail_msg("U+%04X", code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decode_any_bytes_gives_length_and_code),
		cmocka_unit_test(is_valid_wants_every_byte_valid),
		cmocka_unit_test(put_writes_what_decode_reads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
