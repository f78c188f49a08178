/*
 * ticctl: the operator's hand on the broker. Every command is a row of ticd/ctl/commands.c; this
 * file reads the options that stand anywhere on the line, finds the row, and turns the outcome into
 * an exit status: 0 done, 1 refused or failed, 2 usage.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/err.h"
#include "lib/version.h"
#include "ticd/ctl/commands.h"
#include "ticd/ctl/json.h"
#include "ticd/ctl/run.h"
#include "ticd/ctl/table.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* The options that stand anywhere, and the words that are left. */
struct line {
	bool is_json, wants_help, wants_version;
	const char *conninfo; /* of --db, or NULL */
	char *const *words;
	size_t n;
};

static const char default_conninfo[] = "dbname=broker user=operator";

/* Moves the words that are not ours to the front of argv. After "--" nothing is an option. */
static int read_line(int argc, char **argv, struct line *line, struct fault *fault)
{
	char **words = argv + 1;
	bool only_words = false;

	*line = (struct line){ .words = words };
	for (int i = 1; i < argc; i++) {
		char *word = argv[i];
		only_words = only_words || strcmp(word, "--") == 0;
		if (only_words)
			words[line->n++] = word;
		else if (strcmp(word, "--json") == 0)
			line->is_json = true;
		else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
			line->wants_help = true;
		else if (strcmp(word, "--version") == 0)
			line->wants_version = true;
		else if (strncmp(word, "--db=", 5) == 0)
			line->conninfo = word + 5;
		else if (strcmp(word, "--db") == 0 && i + 1 < argc)
			line->conninfo = argv[++i];
		else if (strcmp(word, "--db") == 0)
			return fault_set(fault, -ERR_FORMAT, "usage", "--db needs a conninfo");
		else
			words[line->n++] = word;
	}
	return 0;
}

static const char *find_conninfo(const struct line *line)
{
	const char *const places[] = { line->conninfo, getenv("DB"), getenv("BROKER_DB") };
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (places[i] && *places[i])
			return places[i];
	return default_conninfo;
}

/* Says why on standard error, and to a script on standard output too. */
static int complain(const struct line *line, const struct fault *fault, int status)
{
	fputs("ticctl: ", stderr);
	table_text(stderr, fault->text);
	putc('\n', stderr);
	if (line->is_json && (!json_write_fault(stdout, fault) || fflush(stdout) != 0))
		return EXIT_FAILED;
	return status;
}

static int complain_unknown(const struct line *line)
{
	struct fault fault;
	if (line->n == 0)
		fault_set(&fault, -ERR_FORMAT, "usage",
			  "no command was given; ticctl help lists them");
	else
		fault_set(&fault, -ERR_UNKNOWN, "usage",
			  "there is no command '%s%s%s'; ticctl help lists them", line->words[0],
			  line->n > 1 ? " " : "", line->n > 1 ? line->words[1] : "");
	int status = complain(line, &fault, EXIT_USAGE);
	if (line->n > 0)
		commands_help(stderr, line->words, 1); /* those that begin like this one */
	return status;
}

/* `words`: what help is wanted about, all of it when there are none. */
static int help(const struct line *line, char *const *words, size_t n)
{
	if (n == 0) {
		printf("usage: ticctl [--db CONNINFO] [--json] COMMAND ...\n\n"
		       "  --db CONNINFO   the database (else the environment's DB, then BROKER_DB, then \"%s\")\n"
		       "  --json          answers as JSON\n"
		       "  --version       the version of this program\n"
		       "  help [COMMAND]  this text, or the part of it about a command\n\n",
		       default_conninfo);
	}
	if (commands_help(stdout, words, n) > 0)
		return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
	return complain_unknown(&(struct line){ .is_json = line->is_json, .words = words, .n = n });
}

static int dispatch(const struct line *line)
{
	struct fault fault;
	struct args args;
	size_t used;
	const struct command *command = commands_find(line->words, line->n, &used);

	if (!command)
		return complain_unknown(line);
	if (args_parse(command->params, line->words + used, line->n - used, &args, &fault)) {
		int status = complain(line, &fault, EXIT_USAGE);
		commands_usage(stderr, command);
		return status;
	}
	if (run_command(command, &args, find_conninfo(line), line->is_json, stdout, &fault))
		return complain(line, &fault, EXIT_FAILED);
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct line line;
	struct fault fault;

	/* For the width of characters only; our texts are UTF-8 whatever the terminal. */
	setlocale(LC_CTYPE, "C.UTF-8");
	if (read_line(argc, argv, &line, &fault))
		return complain(&line, &fault, EXIT_USAGE);
	if (line.wants_version) {
		puts("ticctl " BROKER_VERSION);
		return EXIT_DONE;
	}
	if (line.n > 0 && strcmp(line.words[0], "help") == 0)
		return help(&line, line.words + 1, line.n - 1);
	if (line.wants_help)
		return help(&line, line.words, line.n);
	if (digest_init()) {
		fault_set(&fault, -ERR_SYS, "failed",
			  "OpenSSL lacks MD5 or SHA-256; a policy of this system forbids it");
		return complain(&line, &fault, EXIT_FAILED);
	}
	return dispatch(&line);
}
