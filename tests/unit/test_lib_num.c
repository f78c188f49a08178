#include "lib/num.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"

static void unsigned_number_is_all_of_the_text(void **state)
{
	static const struct {
		const char *text;
		uint64_t min, max;
		int err;
		uint64_t value;
	} rows[] = {
		{ "0", 0, 10, 0, 0 },
		{ "10", 0, 10, 0, 10 },
		{ "11", 0, 10, -ERR_RANGE, 0 },
		{ "4", 5, 10, -ERR_RANGE, 0 },
		{ "007", 0, 10, 0, 7 },
		{ "18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX },
		{ "18446744073709551616", 0, UINT64_MAX, -ERR_RANGE, 0 },
		{ "99999999999999999999999", 0, UINT64_MAX, -ERR_RANGE, 0 },
		{ "99999999999999999999999x", 0, UINT64_MAX, -ERR_FORMAT, 0 },
		{ "", 0, 10, -ERR_FORMAT, 0 },
		{ " 1", 0, 10, -ERR_FORMAT, 0 },
		{ "1 ", 0, 10, -ERR_FORMAT, 0 },
		{ "+1", 0, 10, -ERR_FORMAT, 0 },
		{ "-1", 0, 10, -ERR_FORMAT, 0 },
		{ "0x1", 0, 10, -ERR_FORMAT, 0 },
		{ "1.0", 0, 10, -ERR_FORMAT, 0 },
		{ "a", 0, 10, -ERR_FORMAT, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t v = 77;
		if (num_parse_u64(rows[i].text, strlen(rows[i].text), rows[i].min, rows[i].max,
				  &v) != rows[i].err)
			fail_msg("\"%s\"", rows[i].text);
		assert_true(v == (rows[i].err ? 77 : rows[i].value));
	}
}

static void signed_number_has_a_sign_only_where_it_may_be_negative(void **state)
{
	static const struct {
		const char *text;
		int64_t min, max;
		int err;
		int64_t value;
	} rows[] = {
		{ "-9223372036854775808", INT64_MIN, INT64_MAX, 0, INT64_MIN },
		{ "-9223372036854775809", INT64_MIN, INT64_MAX, -ERR_RANGE, 0 },
		{ "9223372036854775807", INT64_MIN, INT64_MAX, 0, INT64_MAX },
		{ "9223372036854775808", INT64_MIN, INT64_MAX, -ERR_RANGE, 0 },
		{ "-1", -5, 5, 0, -1 },
		{ "-0", -5, 5, 0, 0 },
		{ "-6", -5, 5, -ERR_RANGE, 0 },
		{ "-1", 0, 5, -ERR_FORMAT, 0 },
		{ "-", -5, 5, -ERR_FORMAT, 0 },
		{ "--1", -5, 5, -ERR_FORMAT, 0 },
		{ "", -5, 5, -ERR_FORMAT, 0 },
		{ "+1", -5, 5, -ERR_FORMAT, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t v = 77;
		if (num_parse_i64(rows[i].text, strlen(rows[i].text), rows[i].min, rows[i].max,
				  &v) != rows[i].err)
			fail_msg("\"%s\"", rows[i].text);
		assert_true(v == (rows[i].err ? 77 : rows[i].value));
	}
}

static void hexadecimal_takes_either_case_and_no_prefix(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(num_parse_hex("7FfE", 4, 0x7ffe, &v), 0);
	assert_int_equal(v, 0x7ffe);
	assert_int_equal(num_parse_hex("7fff", 4, 0x7ffe, &v), -ERR_RANGE);
	assert_int_equal(num_parse_hex("ffffffffffffffff", 16, UINT64_MAX, &v), 0);
	assert_int_equal(num_parse_hex("10000000000000000", 17, UINT64_MAX, &v), -ERR_RANGE);
	assert_int_equal(num_parse_hex("0x7f", 4, UINT64_MAX, &v), -ERR_FORMAT);
	assert_int_equal(num_parse_hex("g", 1, UINT64_MAX, &v), -ERR_FORMAT);
	assert_int_equal(num_parse_hex("", 0, UINT64_MAX, &v), -ERR_FORMAT);
}

static void tunnel_id_may_have_its_letter(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint32_t value;
	} rows[] = { { "T1", 0, 1 },
		     { "t42", 0, 42 },
		     { "7", 0, 7 },
		     { "T2147483647", 0, 2147483647 },
		     { "T2147483648", -ERR_RANGE, 0 },
		     { "T0", -ERR_RANGE, 0 },
		     { "T", -ERR_FORMAT, 0 },
		     { "", -ERR_FORMAT, 0 },
		     { "TT1", -ERR_FORMAT, 0 },
		     { "R1", -ERR_FORMAT, 0 },
		     { "T-1", -ERR_FORMAT, 0 },
		     { "T1 ", -ERR_FORMAT, 0 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t v = 77;
		if (num_parse_tunnel_id(rows[i].text, strlen(rows[i].text), &v) != rows[i].err)
			fail_msg("\"%s\"", rows[i].text);
		assert_int_equal(v, rows[i].err ? 77 : rows[i].value);
	}
}

static void printed_numbers_parse_back(void **state)
{
	uint64_t value = 1;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		char text[32];
		uint64_t u, h;
		int64_t s;
		value = value * 6364136223846793005U + 1442695040888963407U;
		uint64_t shown = value >> i % 64;
		int len = snprintf(text, sizeof(text), "%" PRIu64, shown);
		assert_int_equal(num_parse_u64(text, (size_t)len, 0, UINT64_MAX, &u), 0);
		assert_true(u == shown);
		len = snprintf(text, sizeof(text), "%" PRId64, (int64_t)shown);
		assert_int_equal(num_parse_i64(text, (size_t)len, INT64_MIN, INT64_MAX, &s), 0);
		assert_true(s == (int64_t)shown);
		len = snprintf(text, sizeof(text), i % 2 ? "%" PRIx64 : "%" PRIX64, shown);
		assert_int_equal(num_parse_hex(text, (size_t)len, UINT64_MAX, &h), 0);
		assert_true(h == shown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unsigned_number_is_all_of_the_text),
		cmocka_unit_test(signed_number_has_a_sign_only_where_it_may_be_negative),
		cmocka_unit_test(hexadecimal_takes_either_case_and_no_prefix),
		cmocka_unit_test(tunnel_id_may_have_its_letter),
		cmocka_unit_test(printed_numbers_parse_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
