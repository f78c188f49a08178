/* popctl: asks a running popd over its control socket. This file is the command line; popctl_json.c
 * asks and shows. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cc.h"
#include "lib/num.h"
#include "lib/version.h"
#include "popd/ctl/client.h"
#include "popd/ctl/json.h"
#include "popd/ctl/json_trace.h"

#define DEFAULT_SOCKET "/run/popd/popd.sock"

enum { TOP_LIMIT = 200, TOP_INTERVAL = 3600 }; /* tunnels; seconds */

enum option {
	OPTION_ALL,
	OPTION_PACKET,
	OPTION_RESET,
	OPTION_LIMIT,
	OPTION_BY,
	OPTION_INTERVAL,
	OPTION_ONCE,
	OPTION_COUNT,
	OPTION_PCAP,
	OPTION_OUTER,
	OPTION_INNER,
	OPTION__COUNT
};
#define BIT(o) (1u << OPTION_##o)

/* One row an option that goes with some commands only. */
static const struct {
	const char *name;
	const char *value; /* the name of what follows it, or NULL */
	const char *help;
} options[] = {
	[OPTION_ALL] = { "--all", NULL, "all there are" },
	[OPTION_PACKET] = { "--packet", NULL,
			    "with the first bytes of the last packet of each kind, as received" },
	[OPTION_RESET] = { "--reset", NULL, "count drops from now on" },
	[OPTION_LIMIT] = { "-n", "N", "so many of them, 1 to 200 (default 20)" },
	[OPTION_BY] = { "--by", "WHAT", "busy in bytes (default), packets or drops" },
	[OPTION_INTERVAL] = { "--interval", "S",
			      "seconds from table to table (default 2; with --once 1)" },
	[OPTION_ONCE] = { "--once", NULL, "one table" },
	[OPTION_COUNT] = { "-c", "N", "end after N packets" },
	[OPTION_PCAP] = { "--pcap", "FILE", "write them to a capture file; -: to standard output" },
	[OPTION_OUTER] = { "--outer", NULL,
			   "in the file: IPv4 packets, as between client and PoP" },
	[OPTION_INNER] = { "--inner", NULL,
			   "in the file: IPv6 packets, as within the tunnel (the default)" },
};
_Static_assert(ARRAY_LEN(options) == OPTION__COUNT, "every option has a row");

/* One row a command: dispatch and --help read the same. */
static const struct {
	const char *words[2];
	const char *argument; /* its name, or NULL */
	unsigned options;
	const char *help;
} commands[] = {
	{ { "status", NULL }, NULL, 0, "the PoP, its tunnels and how it stands with the database" },
	{ { "tunnel", "list" },
	  NULL,
	  BIT(ALL),
	  "one line for each tunnel that is up; --all: for each there is" },
	{ { "tunnel", "show" },
	  "T-ID|ADDRESS",
	  0,
	  "all about the tunnel of that number, or with that address in it or behind it" },
	{ { "tunnel", "errors" },
	  "T-ID|ADDRESS",
	  BIT(PACKET) | BIT(RESET),
	  "what was dropped for which reason, when, from where and what that means" },
	{ { "tunnel", "trace" },
	  "T-ID|ADDRESS...",
	  BIT(ALL) | BIT(COUNT) | BIT(PCAP) | BIT(OUTER) | BIT(INNER),
	  "each packet of these tunnels and what becomes of it, as it comes, until Ctrl-C" },
	{ { "counters", NULL },
	  NULL,
	  BIT(PACKET) | BIT(RESET),
	  "what came and went, and what was dropped for which reason" },
	{ { "reasons", NULL },
	  NULL,
	  0,
	  "every reason a packet may be dropped for, and what it means" },
	{ { "top", NULL },
	  NULL,
	  BIT(LIMIT) | BIT(BY) | BIT(INTERVAL) | BIT(ONCE),
	  "the busiest tunnels, until interrupted" },
	{ { "reload", NULL },
	  NULL,
	  0,
	  "read the configuration and all tunnels again, and say how that went" },
	{ { "log", NULL }, "LEVEL", 0, "log what is as grave as error, warn, info or debug" },
};

static void print_help(FILE *f)
{
	fputs("usage: popctl [--socket PATH] [--json] COMMAND\n"
	      "       popctl --version | --help\n\n",
	      f);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		char left[64];
		snprintf(left, sizeof(left), "%s%s%s%s%s", commands[i].words[0],
			 commands[i].words[1] ? " " : "",
			 commands[i].words[1] ? commands[i].words[1] : "",
			 commands[i].argument ? " " : "",
			 commands[i].argument ? commands[i].argument : "");
		fprintf(f, "  %-28s %s\n", left, commands[i].help);
		for (size_t o = 0; o < OPTION__COUNT; o++)
			if (commands[i].options & (1u << o))
				fprintf(f, "    %s%s%-*s %s\n", options[o].name,
					options[o].value ? " " : "",
					26 - (int)strlen(options[o].name) -
						(options[o].value != NULL),
					options[o].value ? options[o].value : "", options[o].help);
	}
	fputs("\n  --socket PATH                popd's control socket (default: $POPCTL_SOCKET or " DEFAULT_SOCKET
	      ")\n"
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
	bool json;
	unsigned options;
	const char *values[OPTION__COUNT];
	const char *words[2 + POPCTL_ARGUMENTS];
	size_t n;
};

/* An option of the table: argv[*i] and what may follow it. 0, 2 after a sentence. */
static int take_option(int argc, char **argv, int *i, struct command_line *line)
{
	for (size_t o = 0; o < OPTION__COUNT; o++) {
		size_t len = strlen(options[o].name);
		const char *word = argv[*i];
		if (strncmp(word, options[o].name, len) != 0 ||
		    (word[len] != '\0' && word[len] != '='))
			continue;
		if ((word[len] == '=') > (options[o].value != NULL))
			return misuse("has no value: ", options[o].name);
		line->options |= 1u << o;
		if (word[len] == '=')
			line->values[o] = word + len + 1;
		else if (options[o].value && ++*i == argc)
			return misuse("needs a value: ", options[o].name);
		else if (options[o].value)
			line->values[o] = argv[*i];
		return 0;
	}
	return misuse("unknown option: ", argv[*i]);
}

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
		} else if (strncmp(word, "--socket=", 9) == 0) {
			line->socket = word + 9;
		} else if (strcmp(word, "--socket") == 0) {
			if (++i == argc)
				return misuse("--socket needs a path", NULL);
			line->socket = argv[i];
		} else if (word[0] == '-') {
			if (take_option(argc, argv, &i, line) != 0)
				return 2;
		} else if (line->n == ARRAY_LEN(line->words)) {
			return misuse("too many words: ", word);
		} else {
			line->words[line->n++] = word;
		}
	}
	return 0;
}

static int check_options(const struct command_line *line, unsigned allowed, const char *name)
{
	for (size_t o = 0; o < OPTION__COUNT; o++)
		if (line->options & ~allowed & (1u << o)) {
			fprintf(stderr, "popctl: %s does not go with %s\ntry: popctl --help\n",
				options[o].name, name);
			return 2;
		}
	return 0;
}

static bool has(const struct command_line *line, enum option o)
{
	return line->options & (1u << o);
}

/* An option that is a number from 1 to `max`, `def` without it. 0, or 2 after a sentence. */
static int take_number(const struct command_line *line, enum option o, unsigned max, unsigned def,
		       unsigned *out)
{
	const char *text = line->values[o];
	uint64_t v = def;

	if (has(line, o) && num_parse_u64(text, strlen(text), 1, max, &v) != 0) {
		fprintf(stderr, "popctl: %s %s: must be a number from 1 to %u\n", options[o].name,
			text, max);
		return 2;
	}
	*out = (unsigned)v;
	return 0;
}

/* What goes with top. 0, or 2 after a sentence. */
static int take_top(const struct command_line *line, struct popctl_request *request)
{
	static const char *const orders[] = { "bytes", "packets", "drops" };
	bool known = !has(line, OPTION_BY);
	unsigned seconds;

	request->once = has(line, OPTION_ONCE);
	request->by = line->values[OPTION_BY];
	for (size_t i = 0; i < ARRAY_LEN(orders); i++)
		known |= request->by && strcmp(request->by, orders[i]) == 0;
	if (!known)
		return misuse("--by bytes, packets or drops, not ", request->by);
	if (take_number(line, OPTION_LIMIT, TOP_LIMIT, 20, &request->limit) != 0 ||
	    take_number(line, OPTION_INTERVAL, TOP_INTERVAL, request->once ? 1 : 2, &seconds) != 0)
		return 2;
	request->interval_ms = 1000 * seconds;
	return 0;
}

/* What goes with tunnel trace. 0, or 2 after a sentence. */
static int take_trace(const struct command_line *line, struct popctl_request *request)
{
	bool form = has(line, OPTION_OUTER) || has(line, OPTION_INNER);

	request->pcap = line->values[OPTION_PCAP];
	request->outer = has(line, OPTION_OUTER);
	if (has(line, OPTION_OUTER) && has(line, OPTION_INNER))
		return misuse("either --outer or --inner", NULL);
	if (form && !request->pcap)
		return misuse("--outer and --inner go with --pcap", NULL);
	if (request->pcap && line->json)
		return misuse("either --pcap or --json", NULL);
	return take_number(line, OPTION_COUNT, UINT32_MAX, 0, &request->count);
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
		/* some take several arguments, or none when it is all that is meant */
		bool many = commands[i].argument && strstr(commands[i].argument, "...");
		size_t least = words +
			       (commands[i].argument != NULL && !(many && has(line, OPTION_ALL)));
		size_t most = many ? words + POPCTL_ARGUMENTS
				   : words + (commands[i].argument != NULL);
		snprintf(name, sizeof(name), "%s%s%s", commands[i].words[0], words == 2 ? " " : "",
			 words == 2 ? commands[i].words[1] : "");
		if (line->n < least)
			return misuse(name, commands[i].argument[0] == 'L' ? " needs a level"
									   : " needs a tunnel");
		if (line->n > most)
			return misuse("too many words: ", line->words[line->n - 1]);
		if (check_options(line, commands[i].options, name) != 0)
			return 2;
		*request = (struct popctl_request){
			.command = name,
			.argument = commands[i].argument ? line->words[words] : NULL,
			.arguments = line->words + words,
			.n = line->n - words,
			.all = has(line, OPTION_ALL),
			.packet = has(line, OPTION_PACKET),
			.reset = has(line, OPTION_RESET),
			.json = line->json,
		};
		int status = take_top(line, request);
		return status != 0 ? status : take_trace(line, request);
	}
	return misuse(line->n ? "unknown command: " : "which command?",
		      line->n ? line->words[0] : NULL);
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
	status = strcmp(request.command, "tunnel trace") == 0
			 ? popctl_trace(fd, &request, stdout, stderr)
			 : popctl_run(fd, &request, stdout, stderr);
	close(fd);
	if (fflush(stdout) != 0)
		status = 1;
	return status;
}
