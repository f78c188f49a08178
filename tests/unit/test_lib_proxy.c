#include "lib/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(text) text, sizeof(text) - 1

static const struct {
	const char *name, *data;
	size_t len;
	enum proxy_result result;
	size_t used;
	const char *client;
} rows[] = {
	{ "v1, IPv4", BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 56324 3874\r\nclient"), PROXY_CLIENT,
	  46, "192.0.2.1" },
	{ "v1, IPv6", BYTES("PROXY TCP6 2001:db8::5 2001:db8::1 1 65535\r\n"), PROXY_CLIENT, 44,
	  "2001:db8::5" },
	{ "v1, unknown", BYTES("PROXY UNKNOWN\r\n"), PROXY_OWN, 15, NULL },
	{ "v1, unknown with more", BYTES("PROXY UNKNOWN ffff::1 x y z\r\n"), PROXY_OWN, 29, NULL },
	{ "v1, LF alone", BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 56324 3874\n"), PROXY_GARBAGE, 0,
	  NULL },
	{ "v1, another family", BYTES("PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n"), PROXY_GARBAGE,
	  0, NULL },
	{ "v1, the other family's address", BYTES("PROXY TCP4 2001:db8::1 192.0.2.1 1 2\r\n"),
	  PROXY_GARBAGE, 0, NULL },
	{ "v1, mapped address", BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), PROXY_CLIENT, 37,
	  "192.0.2.1" },
	{ "v1, no port", BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 1\r\n"), PROXY_GARBAGE, 0, NULL },
	{ "v1, too large a port", BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 1 65536\r\n"),
	  PROXY_GARBAGE, 0, NULL },
	{ "v1, one word too many", BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 1 2 3\r\n"),
	  PROXY_GARBAGE, 0, NULL },
	{ "v1, two blanks", BYTES("PROXY TCP4  192.0.2.1 198.51.100.1 1 2\r\n"), PROXY_GARBAGE, 0,
	  NULL },
	{ "v1, nothing behind the word", BYTES("PROXY \r\n"), PROXY_GARBAGE, 0, NULL },
	{ "v1, 107 bytes without an end",
	  BYTES("PROXY UNKNOWN aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaa"),
	  PROXY_GARBAGE, 0, NULL },
	{ "v2, IPv4",
	  BYTES(SIGNATURE "\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\1\xdc\4\x0f\x22"
			  "client"),
	  PROXY_CLIENT, 28, "192.0.2.1" },
	{ "v2, IPv4 with a TLV",
	  BYTES(SIGNATURE "\x21\x11\0\x10\xc0\0\2\1\xc6\x33\x64\1\xdc\4\x0f\x22\4\0\1x"),
	  PROXY_CLIENT, 32, "192.0.2.1" },
	{ "v2, IPv6",
	  BYTES(SIGNATURE "\x21\x21\0\x24\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\5"
			  "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\1\1\2\2"),
	  PROXY_CLIENT, 52, "2001:db8::5" },
	{ "v2, local", BYTES(SIGNATURE "\x20\0\0\0"), PROXY_OWN, 16, NULL },
	{ "v2, local with addresses",
	  BYTES(SIGNATURE "\x20\x11\0\x0c"
			  "abcdefghijkl"),
	  PROXY_OWN, 28, NULL },
	{ "v2, unspecified", BYTES(SIGNATURE "\x21\0\0\3xyz"), PROXY_OWN, 19, NULL },
	{ "v2, a UNIX socket's empty name", BYTES(SIGNATURE "\x21\x31\0\2ab"), PROXY_OWN, 18,
	  NULL },
	{ "v2, addresses too short",
	  BYTES(SIGNATURE "\x21\x11\0\x0b"
			  "abcdefghijk"),
	  PROXY_GARBAGE, 0, NULL },
	{ "v2, IPv6 too short",
	  BYTES(SIGNATURE "\x21\x21\0\x0c"
			  "abcdefghijkl"),
	  PROXY_GARBAGE, 0, NULL },
	{ "v2, another version",
	  BYTES(SIGNATURE "\x11\x11\0\x0c"
			  "abcdefghijkl"),
	  PROXY_GARBAGE, 0, NULL },
	{ "v2, another command",
	  BYTES(SIGNATURE "\x22\x11\0\x0c"
			  "abcdefghijkl"),
	  PROXY_GARBAGE, 0, NULL },
	{ "v2, another family",
	  BYTES(SIGNATURE "\x21\x41\0\x0c"
			  "abcdefghijkl"),
	  PROXY_GARBAGE, 0, NULL },
	{ "v2, longer than we take", BYTES(SIGNATURE "\x21\x11\x03\xf1"), PROXY_GARBAGE, 0, NULL },
	{ "v2, as long as we take", BYTES(SIGNATURE "\x21\x11\x03\xf0"), PROXY_MORE, 0, NULL },
	{ "TIC", BYTES("client TIC/draft-00"), PROXY_GARBAGE, 0, NULL },
	{ "small letters", BYTES("proxy TCP4"), PROXY_GARBAGE, 0, NULL },
	{ "nothing", "", 0, PROXY_MORE, 0, NULL },
};

/* A copy of exactly that size, so that a sanitizer sees what reads beyond it. */
static enum proxy_result read_exact(const char *data, size_t len, size_t *used, struct peer *client)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	enum proxy_result result;

	assert_non_null(copy);
	memcpy(copy, data, len);
	result = proxy_read(copy, len, used, client);
	free(copy);
	return result;
}

static void proxy_headers_are_read_or_are_garbage(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct peer client = { .text = "none" };
		size_t used = 0;

		if (read_exact(rows[i].data, rows[i].len, &used, &client) != rows[i].result)
			fail_msg("%s: another result", rows[i].name);
		if ((rows[i].result == PROXY_CLIENT || rows[i].result == PROXY_OWN) &&
		    used != rows[i].used)
			fail_msg("%s: %zu bytes", rows[i].name, used);
		if (rows[i].client && strcmp(client.text, rows[i].client) != 0)
			fail_msg("%s: %s", rows[i].name, client.text);
	}
}

static void proxy_headers_cut_anywhere_want_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t len = 0; len < rows[i].used; len++) {
			struct peer client;
			size_t used;

			if (read_exact(rows[i].data, len, &used, &client) != PROXY_MORE)
				fail_msg("%s: cut at %zu", rows[i].name, len);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proxy_headers_are_read_or_are_garbage),
		cmocka_unit_test(proxy_headers_cut_anywhere_want_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
