#include "lib/fronts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/err.h"

static void fronts_lists_are_read_or_refused(void **state)
{
	static const struct {
		const char *text;
		int err;
		size_t n;
	} rows[] = {
		{ "", 0, 0 },
		{ " , ", 0, 0 },
		{ "127.0.0.1", 0, 1 },
		{ "127.0.0.1, ::1", 0, 2 },
		{ "10.0.0.0/8 2001:db8::/32,192.0.2.1/32", 0, 3 },
		{ "0.0.0.0/0", 0, 1 },
		{ "10.0.0.1/8", -ERR_FORMAT, 0 },
		{ "10.0.0.0/33", -ERR_FORMAT, 0 },
		{ "10.0.0.0/", -ERR_FORMAT, 0 },
		{ "2001:db8::1/64", -ERR_FORMAT, 0 },
		{ "::/129", -ERR_FORMAT, 0 },
		{ "proxy.example.net", -ERR_FORMAT, 0 },
		{ "127.0.0.1;::1", -ERR_FORMAT, 0 },
	};
	char many[1000] = "";
	struct fronts fronts;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int err = fronts_parse(rows[i].text, &fronts);

		if (err != rows[i].err || (err == 0 && fronts.n != rows[i].n))
			fail_msg("'%s': %d, %zu", rows[i].text, err, fronts.n);
	}
	for (size_t i = 0; i < FRONTS_MAX; i++)
		strcat(many, "192.0.2.1 ");
	assert_int_equal(fronts_parse(many, &fronts), 0);
	assert_int_equal(fronts_parse(strcat(many, "192.0.2.1"), &fronts), -ERR_RANGE);
}

static void fronts_have_their_addresses_and_no_others(void **state)
{
	static const struct {
		const char *address;
		bool is_front;
	} rows[] = {
		{ "127.0.0.1", true },    { "127.0.0.2", false },       { "10.255.0.9", true },
		{ "11.0.0.0", false },    { "2001:db8::9", true },      { "2001:db9::9", false },
		{ "::127.0.0.1", false }, { "::ffff:127.0.0.1", true }, { "::", false },
	};
	struct fronts fronts, none;

	(void)state;
	assert_int_equal(fronts_parse("127.0.0.1 10.0.0.0/8 2001:db8::/32", &fronts), 0);
	assert_int_equal(fronts_parse("", &none), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct peer peer;

		assert_int_equal(peer_parse(rows[i].address, strlen(rows[i].address), &peer), 0);
		if (fronts_has(&fronts, &peer.ip) != rows[i].is_front)
			fail_msg("%s", rows[i].address);
		assert_false(fronts_has(&none, &peer.ip));
	}
}

static void forwarded_for_is_the_last_that_is_no_front(void **state)
{
	static const struct {
		const char *lines[3], *client; /* NULL: unknown */
	} rows[] = {
		{ { "192.0.2.1" }, "192.0.2.1" },
		{ { " 192.0.2.1 , 127.0.0.1\t" }, "192.0.2.1" },
		{ { "203.0.113.9, 192.0.2.1, 10.0.0.1" }, "192.0.2.1" },
		{ { "203.0.113.9", "192.0.2.1" }, "192.0.2.1" },
		{ { "203.0.113.9", "192.0.2.1", "10.0.0.1, 127.0.0.1" }, "192.0.2.1" },
		{ { "2001:db8:5::1" }, "2001:db8:5::1" },
		{ { "[2001:db8:5::1]" }, "2001:db8:5::1" },
		{ { "[2001:db8:5::1]:4711" }, "2001:db8:5::1" },
		{ { "192.0.2.1:4711" }, "192.0.2.1" },
		{ { "::ffff:192.0.2.1" }, "192.0.2.1" },
		{ { "203.0.113.9, nonsense, 192.0.2.1" }, "192.0.2.1" },
		{ { "203.0.113.9, unknown" }, NULL },
		{ { "203.0.113.9, unknown, 127.0.0.1" }, NULL },
		{ { "203.0.113.9", "[2001:db8::1" }, NULL },
		{ { "10.0.0.1, 127.0.0.1" }, NULL },
		{ { "" }, NULL },
		{ { ", ,," }, NULL },
	};
	struct fronts fronts;

	(void)state;
	assert_int_equal(fronts_parse("127.0.0.1 10.0.0.0/8", &fronts), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct peer client;
		bool is_known = false;

		for (size_t n = 0; n < 3 && rows[i].lines[n]; n++)
			fronts_forwarded_for(&fronts, rows[i].lines[n], &client, &is_known);
		if (is_known != (rows[i].client != NULL) ||
		    (is_known && strcmp(client.text, rows[i].client) != 0))
			fail_msg("'%s': %s", rows[i].lines[0], is_known ? client.text : "unknown");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fronts_lists_are_read_or_refused),
		cmocka_unit_test(fronts_have_their_addresses_and_no_others),
		cmocka_unit_test(forwarded_for_is_the_last_that_is_no_front),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
