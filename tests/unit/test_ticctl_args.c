#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "lib/err.h"
#include "ticd/ctl/args.h"

/* One argument, one kind: the value for the database, or NULL when it must be refused. */
static const struct {
	enum arg_kind kind;
	const char *text, *expected;
} kinds[] = {
	{ ARG_TEXT, "Zoë", "Zoë" },
	{ ARG_TEXT, " ", " " },
	{ ARG_TEXT, "", NULL },
	{ ARG_TEXT, "Zo\xeb", NULL },
	{ ARG_VALUE, "", "" },
	{ ARG_VALUE, "\xff", NULL },
	{ ARG_NUMBER, "0", "0" },
	{ ARG_NUMBER, "007", "7" },
	{ ARG_NUMBER, "2147483647", "2147483647" },
	{ ARG_NUMBER, "2147483648", NULL },
	{ ARG_NUMBER, "", NULL },
	{ ARG_NUMBER, "+1", NULL },
	{ ARG_NUMBER, "1x", NULL },
	{ ARG_AMOUNT, "5", "5" },
	{ ARG_AMOUNT, "+5", "5" },
	{ ARG_AMOUNT, "-5", "-5" },
	{ ARG_AMOUNT, "-2147483648", "-2147483648" },
	{ ARG_AMOUNT, "-2147483649", NULL },
	{ ARG_AMOUNT, "+2147483648", NULL },
	{ ARG_AMOUNT, "+-5", NULL },
	{ ARG_AMOUNT, "++5", NULL },
	{ ARG_AMOUNT, "--5", NULL },
	{ ARG_AMOUNT, "+", NULL },
	{ ARG_AMOUNT, "5 ", NULL },
	{ ARG_AMOUNT, "five", NULL },
	{ ARG_FLOOR, "none", "none" },
	{ ARG_FLOOR, "15", "15" },
	{ ARG_FLOOR, "None", NULL },
	{ ARG_TUNNEL, "T7", "7" },
	{ ARG_TUNNEL, "t7", "7" },
	{ ARG_TUNNEL, "7", "7" },
	{ ARG_TUNNEL, "T2147483647", "2147483647" },
	{ ARG_TUNNEL, "T2147483648", NULL },
	{ ARG_TUNNEL, "T0", NULL },
	{ ARG_TUNNEL, "T", NULL },
	{ ARG_TUNNEL, "TT7", NULL },
	{ ARG_TUNNEL, "R7", NULL },
	{ ARG_TUNNEL, "T7 ", NULL },
	{ ARG_SUBNET, "R3", "3" },
	{ ARG_SUBNET, "r3", "3" },
	{ ARG_SUBNET, "3", "3" },
	{ ARG_SUBNET, "T3", NULL },
	{ ARG_IP4, "192.0.2.1", "192.0.2.1" },
	{ ARG_IP4, "192.0.2.01", NULL },
	{ ARG_IP4, "192.0.2", NULL },
	{ ARG_IP4, "192.0.2.1/32", NULL },
	{ ARG_IP4, "2001:db8::1", NULL },
	{ ARG_IP6, "2001:DB8:0:0::1", "2001:db8::1" },
	{ ARG_IP6, "192.0.2.1", NULL },
	{ ARG_IP6, "2001:db8::1%eth0", NULL },
	{ ARG_PREFIX6, "2001:DB8:2ff::/48", "2001:db8:2ff::/48" },
	{ ARG_PREFIX6, "2001:db8:2ff::1/48", NULL },
	{ ARG_PREFIX6, "2001:db8:2ff::", NULL },
	{ ARG_PREFIX6, "2001:db8:2ff::/129", NULL },
	{ ARG_DATE, "2026-11-23", "2026-11-23" },
	{ ARG_DATE, "2024-02-29", "2024-02-29" },
	{ ARG_DATE, "2026-02-29", NULL },
	{ ARG_DATE, "2026-13-01", NULL },
	{ ARG_DATE, "2026-11-31", NULL },
	{ ARG_DATE, "2026-11-00", NULL },
	{ ARG_DATE, "2026-1-23", NULL },
	{ ARG_DATE, "2026-11-2", NULL },
	{ ARG_DATE, "2026-11-233", NULL },
	{ ARG_DATE, "26-11-2026", NULL },
	{ ARG_DATE, "2026/11/23", NULL },
	{ ARG_DATE, "", NULL },
	{ ARG_CHOICE, "up", "up" },
	{ ARG_CHOICE, "down", "down" },
	{ ARG_CHOICE, "sideways", "sideways" },
	{ ARG_CHOICE, "u", NULL },
	{ ARG_CHOICE, "upp", NULL },
	{ ARG_CHOICE, "up|down", NULL },
	{ ARG_CHOICE, "", NULL },
};

static void one_argument_of_a_kind_is_spelled_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct param params[] = {
			{ .name = "WORD", .kind = kinds[i].kind, .meta = "up|down|sideways" }, { 0 }
		};
		char arg[64];
		char *const argv[] = { arg };
		struct args args;
		struct fault fault;
		strcpy(arg, kinds[i].text);
		int err = args_parse(params, argv, 1, &args, &fault);
		const char *got = err ? NULL : args.value[0];
		if ((got == NULL) != (kinds[i].expected == NULL) ||
		    (got && strcmp(got, kinds[i].expected) != 0))
			fail_msg("row %zu '%s': got %s", i, kinds[i].text, got ? got : fault.text);
		if (err)
			assert_string_equal(fault.code, "usage");
	}
}

static const struct param request[] = {
	{ .name = "HANDLE", .kind = ARG_TEXT },
	{ .name = "--pop", .kind = ARG_TEXT, .meta = "P" },
	{ .name = "N", .kind = ARG_AMOUNT, .optional = true },
	{ .name = "--why", .kind = ARG_TEXT, .meta = "TEXT", .optional = true },
	{ .name = "--all", .kind = ARG_FLAG },
	{ .name = "", .kind = ARG_FIXED, .fixed = "true" },
	{ .name = "", .kind = ARG_MD5 },
	{ 0 },
};

enum { REQUEST_PARAMS = 7, ARGS_MAX = 8 };

/* A whole line: the values of HANDLE --pop N --why --all, or the error. NULL values are
 * absent. */
static const struct {
	const char *args[ARGS_MAX];
	const char *values[5];
	const char *error;
} lines[] = {
	{ { "demo", "--pop", "p1" }, { "demo", "p1", NULL, NULL, "false" }, NULL },
	{ { "--pop", "p1", "demo" }, { "demo", "p1", NULL, NULL, "false" }, NULL },
	{ { "--pop=p1", "demo", "-5" }, { "demo", "p1", "-5", NULL, "false" }, NULL },
	{ { "demo", "--all", "+5", "--why=--x=y", "--pop", "p1" },
	  { "demo", "p1", "5", "--x=y", "true" },
	  NULL },
	{ { "--pop", "p1", "--", "--demo", "-7" }, { "--demo", "p1", "-7", NULL, "false" }, NULL },
	{ { "-", "--pop", "-" }, { "-", "-", NULL, NULL, "false" }, NULL },
	{ { NULL }, { NULL }, "HANDLE is missing" },
	{ { "demo" }, { NULL }, "--pop is missing" },
	{ { "--pop", "p1" }, { NULL }, "HANDLE is missing" },
	{ { "demo", "--pop" }, { NULL }, "--pop needs a value" },
	{ { "demo", "--pop", "--all" }, { NULL }, "--pop needs a value" },
	{ { "demo", "--pop=" }, { NULL }, "--pop must be UTF-8 text that is not empty, not ''" },
	{ { "demo", "--pop", "p1", "--pop", "p2" }, { NULL }, "--pop is given twice" },
	{ { "demo", "--pop", "p1", "5", "6" }, { NULL }, "unexpected argument '6'" },
	{ { "demo", "--pop", "p1", "--all=yes" }, { NULL }, "--all takes no value" },
	{ { "demo", "--po", "p1" }, { NULL }, "unknown option --po" },
	{ { "demo", "--popp=p1" }, { NULL }, "unknown option --popp" },
	{ { "demo", "-x" }, { NULL }, "unknown option -x" },
	{ { "demo", "--pop", "p1", "five" },
	  { NULL },
	  "N must be an amount such as 5, +5 or -5, not 'five'" },
};

static void a_line_gives_values_in_the_order_of_the_parameters(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		char text[ARGS_MAX][32];
		char *argv[ARGS_MAX];
		size_t n = 0;
		struct args args;
		struct fault fault = { 0 };
		for (; n < ARGS_MAX && lines[i].args[n]; n++)
			argv[n] = strcpy(text[n], lines[i].args[n]);
		int err = args_parse(request, argv, n, &args, &fault);
		if ((err != 0) != (lines[i].error != NULL))
			fail_msg("line %zu: %s", i, err ? fault.text : "was taken");
		if (err) {
			assert_int_equal(err, -ERR_FORMAT);
			assert_string_equal(fault.text, lines[i].error);
			continue;
		}
		assert_int_equal(args.n, REQUEST_PARAMS);
		for (size_t v = 0; v < 5; v++) {
			const char *got = args.value[v], *want = lines[i].values[v];
			if ((got == NULL) != (want == NULL) || (got && strcmp(got, want) != 0))
				fail_msg("line %zu value %zu: got %s", i, v, got ? got : "(none)");
		}
		assert_string_equal(args.value[5], "true");
		assert_null(args.value[6]);
	}
}

static void bare_option_may_stand_without_its_name(void **state)
{
	static const struct param params[] = {
		{ .name = "--pop", .kind = ARG_TEXT, .meta = "P", .bare = true }, { 0 }
	};
	char pop[] = "--pop", p1[] = "p1", p2[] = "p2";
	struct args args;
	struct fault fault;
	(void)state;
	assert_int_equal(args_parse(params, (char *const[]){ p1 }, 1, &args, &fault), 0);
	assert_string_equal(args.value[0], "p1");
	assert_int_equal(args_parse(params, (char *const[]){ pop, p1 }, 2, &args, &fault), 0);
	assert_string_equal(args.value[0], "p1");
	assert_int_equal(args_parse(params, (char *const[]){ p1, p2 }, 2, &args, &fault),
			 -ERR_FORMAT);
	assert_int_equal(args_parse(params, (char *const[]){ p1, pop, p2 }, 3, &args, &fault),
			 -ERR_FORMAT);
	assert_string_equal(fault.text, "--pop is given twice");
	assert_int_equal(args_parse(params, NULL, 0, &args, &fault), -ERR_FORMAT);
	assert_string_equal(fault.text, "--pop is missing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_argument_of_a_kind_is_spelled_or_refused),
		cmocka_unit_test(a_line_gives_values_in_the_order_of_the_parameters),
		cmocka_unit_test(bare_option_may_stand_without_its_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
