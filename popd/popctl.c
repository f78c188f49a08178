/* popctl: asks a running popd over its control socket. This file is the command line; popctl_json.c asks and shows. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cc.h"
#include "lib/version.h"
#include "popd/popctl_client.h"
#include "popd/popctl_json.h"

#define DEFAULT_SOCKET "/run/popd/popd.sock"

/* One row a command: dispatch and --help read the same. */
static const struct {
	const char *words[2];
	const char *argument; /* its name, or NULL */
	bool has_all;
	const char *help;
} commands[] = {
	{ { "status", NULL }, NULL, false, "the PoP, its tunnels and how it stands with the database" },
	{ { "tunnel", "list" }, NULL, true, "one line for each tunnel that is up; --all: for each there is" },
	{ { "tunnel", "show" },
	  "T-ID|ADDRESS",
	  false,
	  "all about the tunnel of that number, or with that address in it or behind it" },
	{ { "counters", NULL }, NULL, false, "what came and went, and what was dropped for which reason" },
	{ { "reasons", NULL }, NULL, false, "every reason a packet may be dropped for, and what it means" },
	{ { "reload", NULL }, NULL, false, "read the configuration and all tunnels again, and say how that went" },
	{ { "log", NULL }, "LEVEL", false, "log what is as grave as error, warn, info or debug" },
};

static void print_help(FILE *f)
{
	fputs("usage: popctl [--socket PATH] [--json] COMMAND\n"
	      "       popctl --version | --help\n\n",
	      f);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		char left[64];
		snprintf(left, sizeof(left), "%s%s%s%s%s%s", commands[i].words[0], commands[i].words[1] ? " " : "",
			 commands[i].words[1] ? commands[i].words[1] : "", commands[i].argument ? " " : "",
			 commands[i].argument ? commands[i].argument : "", commands[i].has_all ? " [--all]" : "");
		fprintf(f, "  %-28s %s\n", left, commands[i].help);
	}
	fputs("\n  --socket PATH                popd's control socket (default: $POPCTL_SOCKET or " DEFAULT_SOCKET ")\n"
	      "  --json                       answer as JSON\n\n"
	      "Exit status: 0 done, 1 refused or no popd there, 2 called wrongly.\n",
	      f);
}

static int misuse(const char *what, const char *word)
{
	fprintf(stderr, "popctl: %s%s\ntry: popctl --help\n", what, word ? word : "");
	return 2;
}

struct command_line {
	const char *socket;
	bool json, all;
	const char *words[4];
	size_t n;
};

/* Options may stand anywhere. 0, 2 after a sentence, -1: all is done. */
static int parse(int argc, char **argv, struct command_line *line)
{
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];
		if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
			print_help(stdout);
			return -1;
		} else if (strcmp(word, "--version") == 0) {
			puts("popctl " BROKER_VERSION);
			return -1;
		} else if (strcmp(word, "--json") == 0) {
			line->json = true;
		} else if (strcmp(word, "--all") == 0) {
			line->all = true;
		} else if (strncmp(word, "--socket=", 9) == 0) {
			line->socket = word + 9;
		} else if (strcmp(word, "--socket") == 0) {
			if (++i == argc)
				return misuse("--socket needs a path", NULL);
			line->socket = argv[i];
		} else if (word[0] == '-') {
			return misuse("unknown option: ", word);
		} else if (line->n == ARRAY_LEN(line->words)) {
			return misuse("too many words: ", word);
		} else {
			line->words[line->n++] = word;
		}
	}
	return 0;
}

/* 0, or 2 after a sentence. */
static int find(const struct command_line *line, struct popctl_request *request)
{
	static char name[32];

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		size_t words = commands[i].words[1] ? 2 : 1;
		if (line->n < words || strcmp(line->words[0], commands[i].words[0]) != 0 ||
		    (words == 2 && strcmp(line->words[1], commands[i].words[1]) != 0))
			continue;
		snprintf(name, sizeof(name), "%s%s%s", commands[i].words[0], words == 2 ? " " : "",
			 words == 2 ? commands[i].words[1] : "");
		if (line->n < words + (commands[i].argument != NULL))
			return misuse(name, commands[i].argument[0] == 'L' ? " needs a level" : " needs a tunnel");
		if (line->n > words + (commands[i].argument != NULL))
			return misuse("too many words: ", line->words[line->n - 1]);
		if (line->all && !commands[i].has_all)
			return misuse("--all goes with tunnel list only", NULL);
		*request = (struct popctl_request){
			.command = name,
			.argument = commands[i].argument ? line->words[words] : NULL,
			.all = line->all,
			.json = line->json,
		};
		return 0;
	}
	return misuse(line->n ? "unknown command: " : "which command?", line->n ? line->words[0] : NULL);
}

int main(int argc, char **argv)
{
	struct command_line line = { .socket = getenv("POPCTL_SOCKET") };
	struct popctl_request request;
	char why[CLIENT_WHY];

	int status = parse(argc, argv, &line);
	if (status == 0)
		status = find(&line, &request);
	if (status != 0)
		return status < 0 ? 0 : status;
	int fd = client_connect(line.socket && line.socket[0] ? line.socket : DEFAULT_SOCKET, why);
	if (fd < 0) {
		fprintf(stderr, "popctl: %s\n", why);
		return 1;
	}
	status = popctl_run(fd, &request, stdout, stderr);
	close(fd);
	if (fflush(stdout) != 0)
		status = 1;
	return status;
}
