#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ticd/ctl/commands.h"

static size_t count_params(const struct command *command)
{
	size_t n = 0;
	while (command->params[n].name)
		n++;
	return n;
}

/* The highest $N of a statement. */
static size_t highest_placeholder(const char *sql)
{
	size_t highest = 0;
	for (const char *p = strchr(sql, '$'); p; p = strchr(p + 1, '$')) {
		size_t n = strtoul(p + 1, NULL, 10);
		highest = n > highest ? n : highest;
	}
	return highest;
}

static void every_row_is_whole(void **state)
{
	(void)state;
	for (const struct command *command = commands; command->name; command++) {
		print_message("%s\n", command->name);
		assert_true((command->sql != NULL) != (command->run != NULL));
		assert_true(command->help && *command->help &&
			    command->help[strlen(command->help) - 1] != '.');
		assert_true((command->shape == SHAPE_LIST) == (command->empty != NULL));
		assert_true(count_params(command) < PARAMS_MAX);
		if (command->sql)
			assert_int_equal(highest_placeholder(command->sql), count_params(command));
	}
}

static void every_parameter_is_of_one_meaning(void **state)
{
	(void)state;
	for (const struct command *command = commands; command->name; command++) {
		bool optional_argument = false;
		for (const struct param *p = command->params; p->name; p++) {
			assert_true((p->kind == ARG_FIXED) == (p->fixed != NULL));
			assert_true(param_is_hidden(p) == (*p->name == '\0'));
			assert_true(!p->bare || (param_is_option(p) && p->kind != ARG_FLAG));
			if (param_is_option(p))
				assert_true((p->meta != NULL) == (p->kind != ARG_FLAG));
			else if (!param_is_hidden(p)) {
				assert_false(
					/* nothing can follow an argument that may be missing */
					optional_argument);
				optional_argument = p->optional;
			}
		}
	}
}

/* No command may hide another, nor a later word of one name be a first argument of another. */
static void find_gives_every_command_by_its_name(void **state)
{
	(void)state;
	for (const struct command *command = commands; command->name; command++) {
		char text[64];
		char *argv[3] = { text, NULL, NULL };
		size_t n = 1, used;
		strcpy(text, command->name);
		for (char *space = strchr(text, ' '); space; space = strchr(space + 1, ' ')) {
			*space = '\0';
			argv[n++] = space + 1;
		}
		assert_ptr_equal(commands_find(argv, n, &used), command);
		assert_int_equal(used, n);
		if (n > 1)
			assert_null(commands_find(argv, n - 1, &used));
	}
}

static char *usage_of(const char *first, const char *second)
{
	char a[32], b[32], *text = NULL, *const argv[] = { strcpy(a, first), strcpy(b, second) };
	size_t used, len;
	const struct command *command = commands_find(argv, 2, &used);
	FILE *out = open_memstream(&text, &len);
	assert_non_null(command);
	commands_usage(out, command);
	fclose(out);
	return text;
}

static void usage_shows_what_the_parser_takes(void **state)
{
	static const struct {
		const char *first, *second, *usage;
	} rows[] = {
		{ "tunnel", "request",
		  "usage: ticctl tunnel request HANDLE --pop P --type ayiya|heartbeat|static [--endpoint A] [--why TEXT]\n" },
		{ "tunnel", "set",
		  "usage: ticctl tunnel set T<id> endpoint|type|mtu|name|state VALUE\n" },
		{ "pop", "enable", "usage: ticctl pop enable NAME\n" },
		{ "user", "add",
		  "usage: ticctl user add HANDLE --name NAME --email EMAIL [--credit N]\n" },
		{ "request", "list", "usage: ticctl request list [--all]\n" },
		{ "cost", "set",
		  "usage: ticctl cost set ACTION COST [--floor N|none] [--pop P]\n" },
		{ "import", "x", "usage: ticctl import FILE --owner HANDLE --pop P\n" },
		{ "tunnel", "statistics",
		  "usage: ticctl tunnel statistics T<id> [--by quarter|day|week|month|year] [--from DATE] [--until DATE]\n" },
		{ "pop", "errors", "usage: ticctl pop errors NAME [--from DATE] [--until DATE]\n" },
		{ "daily", "x", "usage: ticctl daily [DATE]\n" },
		{ "export", "x", "usage: ticctl export [--pop] P\n" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *usage = usage_of(rows[i].first, rows[i].second);
		assert_string_equal(usage, rows[i].usage);
		free(usage);
	}
}

static void help_lists_the_commands_that_begin_so(void **state)
{
	char pop[] = "pop", add[] = "add", name[] = "NAME", none[] = "zork";
	FILE *out = fopen("/dev/null", "w");
	size_t all = 0;
	(void)state;
	for (const struct command *command = commands; command->name; command++)
		all++;
	assert_non_null(out);
	assert_int_equal(commands_help(out, NULL, 0), all);
	assert_int_equal(commands_help(out, (char *const[]){ pop }, 1), 11);
	assert_int_equal(commands_help(out, (char *const[]){ pop, add }, 2), 1);
	assert_int_equal(commands_help(out, (char *const[]){ pop, add, name }, 3), 1);
	assert_int_equal(commands_help(out, (char *const[]){ pop, none }, 2), 0);
	assert_int_equal(commands_help(out, (char *const[]){ none }, 1), 0);
	fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_whole),
		cmocka_unit_test(every_parameter_is_of_one_meaning),
		cmocka_unit_test(find_gives_every_command_by_its_name),
		cmocka_unit_test(usage_shows_what_the_parser_takes),
		cmocka_unit_test(help_lists_the_commands_that_begin_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
