/*
 * ticctl: the operator's tool for the broker. Every command is a row of ticd/ctl/commands.c, which
 * ticd/ctl/run.c runs. This file reads the options that may stand anywhere on the command line,
 * finds the row, and turns the result into an exit status: 0 done, 1 refused or failed, 2 usage.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/err.h"
#include "lib/nodump.h"
#include "lib/version.h"
#include "ticd/ctl/commands.h"
#include "ticd/ctl/json.h"
#include "ticd/ctl/run.h"
#include "ticd/ctl/table.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const char default_conninfo[] = "dbname=broker user=operator";

struct command_line {
	bool is_json, wants_help, wants_version;
	const char *conninfo; /* of --db, or NULL */
	char *const *args;    /* the other arguments */
	size_t n;
};

/* Moves the arguments that are not options of this file to the front of argv. After "--" none is an
 * option. */
static int read_line(int argc, char **argv, struct command_line *line, struct fault *fault)
{
	char **args = argv + 1;
	bool no_options = false;

	*line = (struct command_line){ .args = args };
	for (int i = 1; i < argc; i++) {
		char *arg = argv[i];
		no_options = no_options || strcmp(arg, "--") == 0;
		if (no_options)
			args[line->n++] = arg;
		else if (strcmp(arg, "--json") == 0)
			line->is_json = true;
		else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)
			line->wants_help = true;
		else if (strcmp(arg, "--version") == 0)
			line->wants_version = true;
		else if (strncmp(arg, "--db=", 5) == 0)
			line->conninfo = arg + 5;
		else if (strcmp(arg, "--db") == 0 && i + 1 < argc)
			line->conninfo = argv[++i];
		else if (strcmp(arg, "--db") == 0)
			return fault_set(fault, -ERR_FORMAT, "usage", "--db needs a conninfo");
		else
			args[line->n++] = arg;
	}
	return 0;
}

static const char *find_conninfo(const struct command_line *line)
{
	const char *const places[] = { line->conninfo, getenv("DB"), getenv("BROKER_DB") };
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (places[i] && *places[i])
			return places[i];
	return default_conninfo;
}

/* Writes the sentence to standard error, with --json to standard output too. Returns `status`. */
static int fail(const struct command_line *line, const struct fault *fault, int status)
{
	fputs("ticctl: ", stderr);
	table_text(stderr, fault->text);
	putc('\n', stderr);
	if (line->is_json && !json_write_fault(stdout, fault))
		return EXIT_FAILED;
	return status;
}

static int fail_unknown(const struct command_line *line, char *const *args, size_t n)
{
	struct fault fault;
	if (n == 0)
		fault_set(&fault, -ERR_FORMAT, "usage",
			  "no command was given; ticctl help lists the commands");
	else
		fault_set(&fault, -ERR_UNKNOWN, "usage",
			  "there is no command '%s%s%s'; ticctl help lists the commands", args[0],
			  n > 1 ? " " : "", n > 1 ? args[1] : "");
	int status = fail(line, &fault, EXIT_USAGE);
	if (n > 0)
		commands_help(stderr, args, 1); /* those with the same first word */
	return status;
}

/* Help about the commands that begin with `args`, all of them when there are no arguments. */
static int help(const struct command_line *line, char *const *args, size_t n)
{
	if (n == 0) {
		printf("usage: ticctl [--db CONNINFO] [--json] COMMAND ...\n\n"
		       "  --db CONNINFO   the database (default: the environment's DB, then BROKER_DB, then \"%s\")\n"
		       "  --json          answer as JSON\n"
		       "  --version       print the version and exit\n"
		       "  help [COMMAND]  print this text, or only the part about a command\n\n",
		       default_conninfo);
	}
	return commands_help(stdout, args, n) > 0 ? EXIT_DONE : fail_unknown(line, args, n);
}

static int dispatch(const struct command_line *line)
{
	struct fault fault;
	struct args args;
	size_t used;
	const struct command *command = commands_find(line->args, line->n, &used);

	if (!command)
		return fail_unknown(line, line->args, line->n);
	if (args_parse(command->params, line->args + used, line->n - used, &args, &fault)) {
		int status = fail(line, &fault, EXIT_USAGE);
		commands_usage(stderr, command);
		return status;
	}
	if (run_command(command, &args, find_conninfo(line), line->is_json, stdout, &fault))
		return fail(line, &fault, EXIT_FAILED);
	return EXIT_DONE;
}

static int run(int argc, char **argv)
{
	struct command_line line;
	struct fault fault;

	if (read_line(argc, argv, &line, &fault))
		return fail(&line, &fault, EXIT_USAGE);
	if (line.wants_version) {
		puts("ticctl " BROKER_VERSION);
		return EXIT_DONE;
	}
	if (line.n > 0 && strcmp(line.args[0], "help") == 0)
		return help(&line, line.args + 1, line.n - 1);
	if (line.wants_help)
		return help(&line, line.args, line.n);
	if (digest_init()) {
		fault_set(&fault, -ERR_SYS, "failed",
			  "OpenSSL lacks MD5 or SHA-256; a policy of this system may forbid it");
		return fail(&line, &fault, EXIT_FAILED);
	}
	return dispatch(&line);
}

int main(int argc, char **argv)
{
	nodump_set();
	/* Only for the width of characters; the texts are UTF-8 whatever the terminal is. */
	setlocale(LC_CTYPE, "C.UTF-8");
	int status = run(argc, argv);
	if (status != EXIT_DONE || (fflush(stdout) == 0 && !ferror(stdout)))
		return status;
	perror("ticctl: standard output");
	return EXIT_FAILED;
}
