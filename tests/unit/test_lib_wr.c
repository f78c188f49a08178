#include "lib/wr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cc.h"

enum op {
	OP_U8,
	OP_U16,
	OP_U32,
	OP_U64,
	OP_BYTES,
	OP_ZEROS,
	OP_RESERVE,
	OP_STR,
	OP_FMT,
	OP_FMT_LONG
};
enum { LONG = 3000 };

static const struct {
	const char *name;
	enum op op;
	const char *written;
	size_t size;
} ops[] = {
	{ "u8", OP_U8, "\x12", 1 },
	{ "u16", OP_U16, "\x12\x34", 2 },
	{ "u32", OP_U32, "\x12\x34\x56\x78", 4 },
	{ "u64", OP_U64, "\x12\x34\x56\x78\x9a\xbc\xde\xf0", 8 },
	{ "bytes", OP_BYTES, "a\0b", 3 },
	{ "zeros", OP_ZEROS, "\0\0\0", 3 },
	{ "reserve", OP_RESERVE, "rrr", 3 },
	{ "str", OP_STR, "text", 4 },
	{ "fmt", OP_FMT, "n=42;x", 6 },
	{ "long fmt", OP_FMT_LONG, NULL, LONG },
};

static void run(enum op op, struct wr *w)
{
	uint8_t *reserved;

	switch (op) {
	case OP_U8:
		return wr_u8(w, 0x12);
	case OP_U16:
		return wr_u16(w, 0x1234);
	case OP_U32:
		return wr_u32(w, 0x12345678);
	case OP_U64:
		return wr_u64(w, 0x123456789abcdef0);
	case OP_BYTES:
		return wr_bytes(w, "a\0b", 3);
	case OP_ZEROS:
		return wr_zeros(w, 3);
	case OP_RESERVE:
		reserved = wr_reserve(w, 3);
		if (reserved)
			memcpy(reserved, "rrr", 3);
		return;
	case OP_STR:
		return wr_str(w, "text");
	case OP_FMT:
		return wr_fmt(w, "n=%d;%s", 42, "x");
	case OP_FMT_LONG:
		return wr_fmt(w, "%*d", LONG, 7);
	}
}

/* With room from 0 to one byte more than needed, in a heap block of exactly that size, at its start
 * and after an earlier write. */
static void write_fits_exactly_or_fails_and_writes_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(ops); i++) {
		size_t before = i % 2, size = ops[i / 2].size;
		size_t first = size > 100 ? size - 2 : 0;
		for (size_t room = first; room <= size + 1; room++) {
			uint8_t *buf = malloc(before + room + (before + room == 0));
			memset(buf, 0xaa, before + room);
			struct wr w = wr_init(buf, before + room);
			wr_bytes(&w, "!", before);
			run(ops[i / 2].op, &w);

			bool good = room >= size;
			if (wr_ok(&w) != good)
				fail_msg("%s into %zu bytes: ok is %d", ops[i / 2].name, room,
					 wr_ok(&w));
			assert_int_equal(wr_len(&w), before + (good ? size : 0));
			assert_int_equal(wr_room(&w), good ? room - size : 0);
			if (good && ops[i / 2].written)
				assert_memory_equal(buf + before, ops[i / 2].written, size);
			if (good && !ops[i / 2].written)
				assert_int_equal(buf[before + size - 1], '7');
			for (size_t k = good ? size + 1 : 0; k < room; k++)
				assert_int_equal(buf[before + k], 0xaa);
			free(buf);
		}
	}
}

static void failure_is_sticky_for_every_operation(void **state)
{
	uint8_t buf[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ops) - 1; i++) {
		struct wr w = wr_init(buf, sizeof(buf));
		wr_zeros(&w, sizeof(buf) + 1);
		run(ops[i].op, &w);
		assert_false(wr_ok(&w));
		assert_int_equal(wr_len(&w), 0);
		assert_null(wr_cstr(&w));
	}
}

static void value_too_large_for_its_field_fails(void **state)
{
	static const struct {
		void (*write)(struct wr *w, uint64_t v);
		uint64_t max;
	} rows[] = { { wr_u8, UINT8_MAX }, { wr_u16, UINT16_MAX }, { wr_u32, UINT32_MAX } };
	uint8_t buf[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wr w = wr_init(buf, sizeof(buf));
		rows[i].write(&w, rows[i].max);
		assert_true(wr_ok(&w));
		rows[i].write(&w, rows[i].max + 1);
		assert_false(wr_ok(&w));
		struct wr v = wr_init(buf, sizeof(buf));
		rows[i].write(&v, UINT64_MAX);
		assert_false(wr_ok(&v));
		assert_int_equal(wr_len(&v), 0);
	}
}

static void writing_nothing_always_succeeds(void **state)
{
	struct wr w = wr_init(NULL, 0);

	(void)state;
	wr_bytes(&w, NULL, 0);
	wr_zeros(&w, 0);
	wr_str(&w, "");
	wr_fmt(&w, "%s", "");
	assert_non_null(wr_reserve(&w, 0));
	assert_true(wr_ok(&w));
	assert_int_equal(wr_len(&w), 0);
	assert_null(wr_cstr(&w));
	struct wr none = wr_init(NULL, 1);
	assert_false(wr_ok(&none));
}

static void cstr_needs_one_byte_more_and_does_not_count_it(void **state)
{
	char buf[5];
	struct wr w = wr_init(buf, 5);

	(void)state;
	wr_str(&w, "text");
	assert_string_equal(wr_cstr(&w), "text");
	assert_int_equal(wr_len(&w), 4);
	wr_str(&w, "!");
	assert_true(wr_ok(&w));
	assert_null(wr_cstr(&w));
	assert_false(wr_ok(&w));
}

static void huge_length_does_not_wrap(void **state)
{
	uint8_t buf[8];
	struct wr w = wr_init(buf, sizeof(buf));

	(void)state;
	assert_null(wr_reserve(&w, SIZE_MAX));
	assert_false(wr_ok(&w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(write_fits_exactly_or_fails_and_writes_nothing),
		cmocka_unit_test(failure_is_sticky_for_every_operation),
		cmocka_unit_test(value_too_large_for_its_field_fails),
		cmocka_unit_test(writing_nothing_always_succeeds),
		cmocka_unit_test(cstr_needs_one_byte_more_and_does_not_count_it),
		cmocka_unit_test(huge_length_does_not_wrap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
