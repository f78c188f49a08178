#include "web/page/stamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "web/page/html.h"

static const struct {
	const char *text;
	int64_t s; /* -1: refused */
} stamps[] = {
	{ "1970-01-01T00:00:00Z", 0 },
	{ "2026-11-23T13:25:12Z", 1795440312 },
	{ "2026-11-23t13:25:12z", 1795440312 },
	{ "2026-11-23 13:25:12Z", 1795440312 },
	{ "2026-11-23T13:25:12.999999Z", 1795440312 },
	{ "2026-11-23T14:25:12+01:00", 1795440312 },
	{ "2026-11-23T05:55:12-07:30", 1795440312 },
	{ "2024-02-29T00:00:00Z", 1709164800 },
	{ "2016-12-31T23:59:60Z", 1483228800 },
	{ "2023-02-29T00:00:00Z", -1 },
	{ "2026-04-31T10:00:00Z", -1 },
	{ "2026-13-01T00:00:00Z", -1 },
	{ "2026-00-01T00:00:00Z", -1 },
	{ "2026-01-00T00:00:00Z", -1 },
	{ "2026-01-01T24:00:00Z", -1 },
	{ "2026-01-01T00:60:00Z", -1 },
	{ "2026-01-01T00:00:61Z", -1 },
	{ "2026-01-01T00:00:00", -1 },
	{ "2026-01-01T00:00:00.Z", -1 },
	{ "2026-01-01T00:00:00Zx", -1 },
	{ "2026-01-01T00:00:00+01", -1 },
	{ "2026-01-01T00:00:00+24:00", -1 },
	{ "2026-01-01T00:00:00+01:000", -1 },
	{ "2026-1-01T00:00:00Z", -1 },
	{ "-026-01-01T00:00:00Z", -1 },
	{ " 2026-01-01T00:00:00Z", -1 },
	{ "", -1 },
	{ "infinity", -1 },
};

static void stamp_in_rfc3339_is_read_and_all_else_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(stamps); i++) {
		wall_t t = { -7 };
		print_message("%s\n", stamps[i].text);
		int err = stamp_parse(stamps[i].text, &t);
		assert_int_equal(err, stamps[i].s < 0 ? -ERR_FORMAT : 0);
		assert_int_equal(t.s, stamps[i].s < 0 ? -7 : stamps[i].s);
	}
}

static void stamp_cut_at_every_byte_is_refused(void **state)
{
	static const char whole[] = "2026-11-23T14:25:12.5+01:00";
	(void)state;
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		char *cut = strndup(
			whole, len); /* its own block, so that a sanitizer sees one byte too many */
		wall_t t;
		assert_int_equal(stamp_parse(cut, &t), -ERR_FORMAT);
		free(cut);
	}
}

static void stamp_is_shown_for_people_and_machines(void **state)
{
	size_t len;
	(void)state;
	struct html h = html_init(1000);
	stamp_put(&h, (wall_t){ 1795440312 });
	char *data = html_take(&h, &len);
	static const char expected[] =
		"<time datetime=\"2026-11-23T13:25:12Z\">2026-11-23 13:25:12 UTC</time>";
	assert_int_equal(len, sizeof(expected) - 1);
	assert_memory_equal(data, expected, len);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stamp_in_rfc3339_is_read_and_all_else_refused),
		cmocka_unit_test(stamp_cut_at_every_byte_is_refused),
		cmocka_unit_test(stamp_is_shown_for_people_and_machines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
