#include "lib/rd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cc.h"

static const uint8_t bytes[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0xff };

/* A copy of exactly `len` bytes on the heap, so that a sanitizer sees a read one byte beyond. */
static uint8_t *exact(const void *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	assert_non_null(copy);
	memcpy(copy, data, len);
	return copy;
}

enum op { OP_U8, OP_U16, OP_U32, OP_U64, OP_BYTES, OP_COPY, OP_SKIP, OP_SUB };

static const struct {
	const char *name;
	enum op op;
	size_t size;
	uint64_t value; /* of the integers */
} ops[] = {
	{ "u8", OP_U8, 1, 0x01 },         { "u16", OP_U16, 2, 0x0102 },
	{ "u32", OP_U32, 4, 0x01020304 }, { "u64", OP_U64, 8, 0x0102030405060708 },
	{ "bytes", OP_BYTES, 5, 0 },      { "copy", OP_COPY, 5, 0 },
	{ "skip", OP_SKIP, 5, 0 },        { "sub", OP_SUB, 5, 0 },
};

/* Runs the operation. True when it returned what it must after success (`good`) or failure. */
static bool run(size_t i, struct rd *r, const uint8_t *data, bool good)
{
	uint8_t out[8], want[8] = { 0 };
	struct rd sub;
	size_t size = ops[i].size;

	switch (ops[i].op) {
	case OP_U8:
		return rd_u8(r) == (good ? ops[i].value : 0);
	case OP_U16:
		return rd_u16(r) == (good ? ops[i].value : 0);
	case OP_U32:
		return rd_u32(r) == (good ? ops[i].value : 0);
	case OP_U64:
		return rd_u64(r) == (good ? ops[i].value : 0);
	case OP_BYTES:
		return rd_bytes(r, size) == (good ? data : NULL);
	case OP_COPY:
		memset(out, 0xaa, sizeof(out));
		rd_copy(r, out, size);
		if (good)
			memcpy(want, data, size);
		return memcmp(out, want, size) == 0 && out[size] == 0xaa;
	case OP_SKIP:
		rd_skip(r, size);
		return true;
	case OP_SUB:
		sub = rd_sub(r, size);
		return good ? rd_left(&sub) == size && sub.pos == data && rd_ok(&sub)
			    : !rd_ok(&sub) && rd_left(&sub) == 0;
	}
	return false;
}

static void read_fits_exactly_or_fails_and_moves_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		for (size_t len = 0; len <= ops[i].size + 1; len++) {
			uint8_t *data = exact(bytes, len);
			struct rd r = rd_init(data, len);
			bool good = len >= ops[i].size;

			if (!run(i, &r, data, good))
				fail_msg("%s of %zu bytes gave the wrong thing", ops[i].name, len);
			assert_int_equal(rd_ok(&r), good);
			assert_int_equal(r.pos - data, good ? (ptrdiff_t)ops[i].size : 0);
			assert_int_equal(rd_left(&r), good ? len - ops[i].size : 0);
			assert_int_equal(rd_end(&r), len == ops[i].size);
			free(data);
		}
	}
}

static void failure_is_sticky_for_every_operation(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		struct rd r = rd_init(bytes, sizeof(bytes));
		rd_skip(&r, sizeof(bytes) + 1);
		assert_true(run(i, &r, bytes, false));
		assert_false(rd_ok(&r));
		assert_false(rd_end(&r));
		assert_int_equal(rd_left(&r), 0);
		assert_null(rd_bytes(&r, 0));
		size_t len = 7;
		assert_null(rd_token(&r, &len));
		assert_int_equal(len, 0);
	}
}

static void reading_nothing_always_succeeds(void **state)
{
	uint8_t out[1] = { 0xaa };
	struct rd r = rd_init(NULL, 0);

	(void)state;
	assert_true(rd_end(&r));
	assert_non_null(rd_bytes(&r, 0));
	rd_copy(&r, out, 0);
	rd_skip(&r, 0);
	struct rd sub = rd_sub(&r, 0);
	assert_true(rd_end(&sub));
	assert_true(rd_end(&r));
	assert_int_equal(out[0], 0xaa);
	struct rd none = rd_init(NULL, 1);
	assert_false(rd_ok(&none));
}

static void huge_length_does_not_wrap(void **state)
{
	struct rd r = rd_init(bytes, sizeof(bytes));

	(void)state;
	assert_null(rd_bytes(&r, SIZE_MAX));
	assert_false(rd_ok(&r));
}

static void sub_cursor_cannot_leave_its_part(void **state)
{
	struct rd r = rd_init(bytes, sizeof(bytes));
	struct rd sub = rd_sub(&r, 3);

	(void)state;
	assert_int_equal(rd_u16(&sub), 0x0102);
	assert_int_equal(rd_u16(&sub), 0);
	assert_false(rd_ok(&sub));
	assert_true(rd_ok(&r));
	assert_int_equal(rd_u8(&r), 0x04);
}

static void words_are_split_at_blanks(void **state)
{
	static const struct {
		const char *text;
		const char *tokens[4];
	} rows[] = {
		{ "", { NULL } },
		{ " \t ", { NULL } },
		{ "one", { "one" } },
		{ "  one", { "one" } },
		{ "one ", { "one" } },
		{ "one two", { "one", "two" } },
		{ "\tone \t two\t", { "one", "two" } },
		{ "a\rb c\nd", { "a\rb", "c\nd" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t *data = exact(rows[i].text, strlen(rows[i].text));
		struct rd r = rd_init(data, strlen(rows[i].text));
		for (size_t w = 0; rows[i].tokens[w]; w++) {
			size_t len;
			const char *token = rd_token(&r, &len);
			assert_non_null(token);
			assert_int_equal(len, strlen(rows[i].tokens[w]));
			assert_memory_equal(token, rows[i].tokens[w], len);
		}
		size_t len = 1;
		assert_null(rd_token(&r, &len));
		assert_int_equal(len, 0);
		assert_true(rd_end(&r));
		free(data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_fits_exactly_or_fails_and_moves_nothing),
		cmocka_unit_test(failure_is_sticky_for_every_operation),
		cmocka_unit_test(reading_nothing_always_succeeds),
		cmocka_unit_test(huge_length_does_not_wrap),
		cmocka_unit_test(sub_cursor_cannot_leave_its_part),
		cmocka_unit_test(words_are_split_at_blanks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
