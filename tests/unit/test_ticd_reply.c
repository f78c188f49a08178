#include "ticd/proto/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char big[3000];

static void reply_lines_are_printable_ascii(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "Done", "202 Done\n" },
		{ "", "202 \n" },
		{ "a\nb", "202 a?b\n" },
		{ "a\r\n500 forged", "202 a?\?500 forged\n" },
		{ "Z\xc3\xbcrich\x1b[1m\x7f~", "202 Z?\?rich?[1m?~\n" },
	};
	struct reply r;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		reply_init(&r);
		reply_line(&r, "202 %s", rows[i].text);
		assert_true(reply_ok(&r));
		assert_int_equal(reply_len(&r), strlen(rows[i].expected));
		assert_memory_equal(r.buf, rows[i].expected, reply_len(&r));
	}
}

static void reply_line_longer_than_a_reply_is_cut(void **state)
{
	struct reply r;

	(void)state;
	for (size_t len = REPLY_MAX - 2; len < REPLY_MAX + 3; len++) {
		reply_init(&r);
		reply_line(&r, "%.*s", (int)len, big);
		assert_true(reply_ok(&r));
		assert_int_equal(reply_len(&r), len + 1 < REPLY_MAX ? len + 1 : REPLY_MAX);
		assert_int_equal(r.buf[reply_len(&r) - 1], '\n');
	}
}

static void reply_second_line_fits_exactly_or_fails(void **state)
{
	struct reply r;

	(void)state;
	for (int first = REPLY_MAX - 8; first <= REPLY_MAX - 4; first++) {
		reply_init(&r);
		reply_line(&r, "%.*s", first - 1, big);
		reply_line(&r, "abcd");
		assert_int_equal(reply_ok(&r), first + 5 <= REPLY_MAX);
	}
}

static void reply_field_is_cut_at_its_length(void **state)
{
	struct reply r;

	(void)state;
	reply_init(&r);
	reply_field(&r, "TunnelId", "T", "12345", 10);
	reply_field(&r, "Name", "", "abcdef", 3);
	reply_field(&r, "None", "", NULL, 3);
	reply_field(&r, "Exact", "", "abc", 3);
	reply_field(&r, "Two", "", "a\nPassword: x", 30);
	assert_true(reply_ok(&r));
	assert_memory_equal(r.buf,
			    "TunnelId: T12345\nName: abc\nNone: \nExact: abc\nTwo: a?Password: x\n",
			    reply_len(&r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reply_lines_are_printable_ascii),
		cmocka_unit_test(reply_line_longer_than_a_reply_is_cut),
		cmocka_unit_test(reply_second_line_fits_exactly_or_fails),
		cmocka_unit_test(reply_field_is_cut_at_its_length),
	};

	memset(big, 'x', sizeof(big) - 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
