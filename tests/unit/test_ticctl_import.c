#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "ticd/ctl/import.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define NUMBER_WRONG "the tunnel number is not hexadecimal"
#define ID_WRONG "the tunnel id is not T and a number from 1"
#define ENDPOINT_WRONG "the endpoint is neither an IPv4 address nor ayiya nor heartbeat"
#define STATE_WRONG "the state is neither up nor disabled"
#define MTU_WRONG "the MTU is not a number from 1 to 65535"
#define SECRET_WRONG "the secret is not 32 lower-case hexadecimal digits"
#define SECRET_NEEDED "an AYIYA or heartbeat tunnel needs its secret"
#define PREFIX_WRONG "the prefix is not an IPv6 prefix without host bits"
#define ROUTE_WRONG "a subnet line is: config PREFIX NUMBER static"
#define TUNNEL_SHORT "a tunnel needs number, T<id>, endpoint, state and MTU"

/* Single lines: the reason, or NULL when the line is fine. */
static const struct {
	const char *line, *reason;
} lines[] = {
	{ "", NULL },
	{ " \t ", NULL },
	{ "# config nonsense", NULL },
	{ "   # indented", NULL },
	{ "\r", NULL },
	{ "config 1 T5072 ayiya up 1428 " SECRET, NULL },
	{ "\tconfig  1\tT5072 ayiya up 1428 " SECRET "  ", NULL },
	{ "config 1 T5072 ayiya up 1428 " SECRET "\r", NULL },
	{ "config 1 T5072 ayiya up 1428 " SECRET " # Ann", NULL },
	{ "config 7FFE T2147483647 heartbeat disabled 1280 " SECRET, NULL },
	{ "config 0 T1 192.0.2.1 up 1480", NULL },
	{ "config 0 T1 192.0.2.1 up 1480 " SECRET, NULL },
	{ "config 2001:db8:3002::/48 2ae static", NULL },
	{ "config ::/0 0 static", NULL },
	{ "config", "config has no arguments" },
	{ "config # 1", "config has no arguments" },
	{ "Config 0 T1 192.0.2.1 up 1480", "this is not a config line" },
	{ "configure", "this is not a config line" },
	{ "tunnels", "this is not a config line" },
	{ "set", "this is not a config line" }, /* a block, but only inside another */
	{ "config 1", TUNNEL_SHORT },
	{ "config 1 T5072 ayiya up", TUNNEL_SHORT },
	{ "config g T5072 ayiya up 1428 " SECRET, NUMBER_WRONG },
	{ "config 0x1 T5072 ayiya up 1428 " SECRET, NUMBER_WRONG },
	{ "config -1 T5072 ayiya up 1428 " SECRET, NUMBER_WRONG },
	{ "config 10005 T5072 ayiya up 1428 " SECRET, NULL }, /* in a second tunnel prefix */
	{ "config 7fffffff T5072 ayiya up 1428 " SECRET, NULL },
	{ "config 80000000 T5072 ayiya up 1428 " SECRET, "the tunnel number is above 7fffffff" },
	{ "config 1 5072 ayiya up 1428 " SECRET, ID_WRONG },
	{ "config 1 t5072 ayiya up 1428 " SECRET, ID_WRONG },
	{ "config 1 T0 ayiya up 1428 " SECRET, ID_WRONG },
	{ "config 1 T2147483648 ayiya up 1428 " SECRET, ID_WRONG },
	{ "config 1 T ayiya up 1428 " SECRET, ID_WRONG },
	{ "config 1 T1 AYIYA up 1428 " SECRET, ENDPOINT_WRONG },
	{ "config 1 T1 192.0.2 up 1428 " SECRET, ENDPOINT_WRONG },
	{ "config 1 T1 192.0.2.256 up 1428", ENDPOINT_WRONG },
	{ "config 1 T1 ayiya down 1428 " SECRET, STATE_WRONG },
	{ "config 1 T1 ayiya upp 1428 " SECRET, STATE_WRONG },
	{ "config 1 T1 ayiya up 0 " SECRET, MTU_WRONG },
	{ "config 1 T1 ayiya up 65536 " SECRET, MTU_WRONG },
	{ "config 1 T1 ayiya up x " SECRET, MTU_WRONG },
	{ "config 1 T1 ayiya up 1428", SECRET_NEEDED },
	{ "config 1 T1 heartbeat up 1428", SECRET_NEEDED },
	{ "config 1 T1 ayiya up 1428 0123456789abcdef0123456789abcde", SECRET_WRONG },
	{ "config 1 T1 ayiya up 1428 " SECRET "0", SECRET_WRONG },
	{ "config 1 T1 ayiya up 1428 0123456789ABCDEF0123456789ABCDEF", SECRET_WRONG },
	{ "config 1 T1 ayiya up 1428 g123456789abcdef0123456789abcdef", SECRET_WRONG },
	{ "config 1 T1 ayiya up 1428 " SECRET " more", "there is text after the secret" },
	{ "config 1 T1 ayiya up 1428 " SECRET " more and more", "there is text after the secret" },
	{ "config 2001:db8:3002::1/48 0 static", PREFIX_WRONG },
	{ "config 2001:db8:3002:: 0 static", PREFIX_WRONG },
	{ "config 2001:db8:3002::/48", ROUTE_WRONG },
	{ "config 2001:db8:3002::/48 0", ROUTE_WRONG },
	{ "config 2001:db8:3002::/48 0 dynamic", ROUTE_WRONG },
	{ "config 2001:db8:3002::/48 0 static now", ROUTE_WRONG },
	{ "config 2001:db8:3002::/48 z static", NUMBER_WRONG },
	{ "end", "there is no block to end" },
};

/* A copy of exactly the text's size, so that a sanitizer sees a read beyond it. */
static int read_line_alone(struct import *im, const char *text, size_t len, const char **reason)
{
	char *copy = malloc(len + 1);
	assert_non_null(copy);
	char *exact = memcpy(copy + 1, text, len); /* the byte after the end is the block's end */
	int err = import_line(im, exact, len, reason);
	free(copy);
	return err;
}

static void line_of_any_kind_is_read_or_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct import im = { 0 };
		const char *reason = NULL;
		int err = read_line_alone(&im, lines[i].line, strlen(lines[i].line), &reason);
		if ((err != 0) != (lines[i].reason != NULL) ||
		    (err && strcmp(reason, lines[i].reason) != 0))
			fail_msg("line '%s': %s", lines[i].line, err ? reason : "was taken");
		assert_int_equal(im.line, 1);
		if (err)
			assert_int_equal(im.n_tunnels + im.n_routes, 0);
		import_free(&im);
	}
}

static void tunnel_cut_at_every_byte_is_refused(void **state)
{
	static const char line[] = "config 2ae T18572 heartbeat disabled 1280 " SECRET;
	(void)state;
	for (size_t len = 1; len < strlen(line); len++) {
		struct import im = { 0 };
		const char *reason;
		if (read_line_alone(&im, line, len, &reason) == 0)
			fail_msg("%zu bytes were taken", len);
		import_free(&im);
	}
}

static void route_cut_at_every_byte_is_refused(void **state)
{
	static const char line[] = "config 2001:db8:3001::/48 2ae static";
	(void)state;
	for (size_t len = 1; len < strlen(line); len++) {
		struct import im = { 0 };
		const char *reason;
		if (read_line_alone(&im, line, len, &reason) == 0)
			fail_msg("%zu bytes were taken", len);
		import_free(&im);
	}
}

static void line_of_the_most_bytes_is_read_and_one_more_is_not(void **state)
{
	char line[IMPORT_LINE_MAX + 2];
	struct import im = { 0 };
	const char *reason;
	(void)state;
	memset(line, ' ', sizeof(line));
	line[0] = '#';
	assert_int_equal(import_line(&im, line, IMPORT_LINE_MAX, &reason), 0);
	assert_int_equal(import_line(&im, line, IMPORT_LINE_MAX + 1, &reason), -ERR_RANGE);
	line[IMPORT_LINE_MAX] = '\r';
	assert_int_equal(import_line(&im, line, IMPORT_LINE_MAX + 1, &reason), 0);
	import_free(&im);
}

static const char whole[] = "# a file as the daemon writes it\r\n"
			    "pop\n"
			    "\tset\n"
			    "\t\tdetails 1 demo01 192.0.2.42 2001:db8::42\n"
			    "\tend\n"
			    "\ttunnelprefix add 2001:db8:2ff::/48\n"
			    "\tcliacl\n"
			    "\t\tconfig is nothing here\n"
			    "\tend\n"
			    "end\n"
			    "tunnel\n"
			    "\tset\n"
			    "\t\tconfig 0 T4141 172.16.1.1 up 1480\n"
			    "\t\tconfig 2ae T18572 ayiya up 1280 " SECRET "\n"
			    "\tend\n"
			    "end\n"
			    "subnet\n"
			    "\tset\n"
			    "\t\tconfig 2001:db8:3001::/48 2ae static\n"
			    "\tend\n"
			    "end\n"
			    "pop saveconfig"; /* and no line end */

static void whole_file_gives_its_tunnels_and_routes(void **state)
{
	struct import im = { 0 };
	const char *reason = "";
	(void)state;
	assert_int_equal(import_text(&im, whole, strlen(whole), &reason), 0);
	assert_int_equal(im.n_tunnels, 2);
	assert_int_equal(im.n_routes, 1);
	const struct import_tunnel *t = im.tunnels;
	assert_int_equal(t[0].line, 13);
	assert_int_equal(t[0].number, 0);
	assert_int_equal(t[0].id, 4141);
	assert_int_equal(t[0].type, IMPORT_STATIC);
	assert_int_equal(t[0].endpoint.v, 0xac100101);
	assert_true(t[0].enabled);
	assert_int_equal(t[0].mtu, 1480);
	assert_string_equal(t[0].secret, "");
	assert_int_equal(t[1].line, 14);
	assert_int_equal(t[1].number, 0x2ae);
	assert_int_equal(t[1].id, 18572);
	assert_int_equal(t[1].type, IMPORT_AYIYA);
	assert_string_equal(t[1].secret, SECRET);
	assert_int_equal(im.routes[0].line, 19);
	assert_int_equal(im.routes[0].number, 0x2ae);
	assert_int_equal(im.routes[0].prefix.len, 48);
	import_free(&im);
}

/* Whole files: the line with the error (0: none) and the reason. */
static const struct {
	const char *text;
	uint32_t line;
	const char *reason;
} files[] = {
	{ "", 0, NULL },
	{ "\n\n", 0, NULL },
	{ "config 2001:db8::/48 0 static\nconfig 0 T1 192.0.2.1 up 1480\n", 0, NULL },
	{ "\n\nconfig 0 T1 192.0.2.1 up\n", 3, TUNNEL_SHORT },
	{ "tunnel\nset\nconfig 0 T1 192.0.2.1 up 1480\nend\n", 4, "the file ends inside a block" },
	{ "tunnel\nend\nend\n", 3, "there is no block to end" },
	{ "tunnel\nwhatever\nend\n", 2, "this is not a config line" },
	{ "tunnel\ncliacl\nend\nend\n", 2, "this is not a config line" },
	{ "pop\nset\nend\nanything at all\nend\nanything\n", 6, "this is not a config line" },
	{ "tunnel set config 0 T1 192.0.2.1 up 1480\n", 1, "this is not a config line" },
};

static void file_with_a_fault_names_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct import im = { 0 };
		const char *reason = NULL;
		int err = import_text(&im, files[i].text, strlen(files[i].text), &reason);
		bool is_as_wanted = err ? im.line == files[i].line &&
						    strcmp(reason, files[i].reason) == 0
					: files[i].line == 0;
		if (!is_as_wanted)
			fail_msg("file %zu: line %u %s", i, im.line, err ? reason : "was taken");
		import_free(&im);
	}
}

static void thousands_of_lines_are_kept_in_order(void **state)
{
	struct import im = { 0 };
	const char *reason;
	(void)state;
	for (uint32_t i = 1; i <= 5000; i++) {
		char line[64];
		int len = snprintf(line, sizeof(line), "config %x T%u 192.0.2.1 up 1480", i, i);
		assert_int_equal(import_line(&im, line, (size_t)len, &reason), 0);
	}
	assert_int_equal(im.n_tunnels, 5000);
	for (uint32_t i = 1; i <= 5000; i++)
		assert_true(im.tunnels[i - 1].id == i && im.tunnels[i - 1].number == i &&
			    im.tunnels[i - 1].line == i);
	import_free(&im);
	assert_null(im.tunnels);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_of_any_kind_is_read_or_named),
		cmocka_unit_test(tunnel_cut_at_every_byte_is_refused),
		cmocka_unit_test(route_cut_at_every_byte_is_refused),
		cmocka_unit_test(line_of_the_most_bytes_is_read_and_one_more_is_not),
		cmocka_unit_test(whole_file_gives_its_tunnels_and_routes),
		cmocka_unit_test(file_with_a_fault_names_its_line),
		cmocka_unit_test(thousands_of_lines_are_kept_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
