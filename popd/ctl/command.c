#include "popd/ctl/command.h"

#include <stdlib.h>
#include <string.h>

#include "lib/num.h"
#include "lib/version.h"
#include "popd/ctl/ask.h"
#include "popd/ctl/show.h"
#include "popd/ctl/top.h"
#include "popd/ctl/trace.h"

#define DEFAULT_SOCKET "/run/popd/popd.sock"

enum { TOP_LIMIT = 200, TOP_INTERVAL = 3600 }; /* tunnels; seconds */

/* ---- options ---- */

enum option {
	OPTION_SOCKET,
	OPTION_JSON,
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
enum { EVERYWHERE = BIT(SOCKET) | BIT(JSON) }; /* go with every command */

static const struct {
	const char *name;
	const char *value; /* the name of what follows it, or NULL */
	const char *help;
} options[] = {
	[OPTION_SOCKET] = { "--socket", "PATH",
			    "control socket (default: $POPCTL_SOCKET or " DEFAULT_SOCKET ")" },
	[OPTION_JSON] = { "--json", NULL, "answer as JSON" },
	[OPTION_ALL] = { "--all", NULL, "every tunnel" },
	[OPTION_PACKET] = { "--packet", NULL,
			    "also the first bytes of the last packet dropped for each reason" },
	[OPTION_RESET] = { "--reset", NULL, "count drops from now on" },
	[OPTION_LIMIT] = { "-n", "N", "number of tunnels, 1 to 200 (default 20)" },
	[OPTION_BY] = { "--by", "ORDER", "bytes (default), packets or drops" },
	[OPTION_INTERVAL] = { "--interval", "S",
			      "seconds between two tables (default 2; with --once 1)" },
	[OPTION_ONCE] = { "--once", NULL, "print one table and exit" },
	[OPTION_COUNT] = { "-c", "N", "exit after N packets" },
	[OPTION_PCAP] = { "--pcap", "FILE", "write a capture file; - is standard output" },
	[OPTION_OUTER] = { "--outer", NULL, "capture the IPv4 packets between client and PoP" },
	[OPTION_INNER] = { "--inner", NULL, "capture the IPv6 packets in the tunnel (default)" },
};
_Static_assert(ARRAY_LEN(options) == OPTION__COUNT, "every option has a row");

struct command_line {
	unsigned options;
	const char *values[OPTION__COUNT];
	const char *words[2 + COMMAND_ARGUMENTS]; /* the command's name and arguments */
	size_t n;
};

static bool has(const struct command_line *line, enum option o)
{
	return line->options & (1u << o);
}

static int misuse(const char *what, const char *argument)
{
	fprintf(stderr, "popctl: %s%s\ntry: popctl --help\n", what, argument);
	return 2;
}

/* An option whose value is a number from 1 to `max`, `standard` without it. 0, or 2 after a
 * sentence. */
static int take_number(const struct command_line *line, enum option o, unsigned max,
		       unsigned standard, unsigned *out)
{
	const char *text = line->values[o];
	uint64_t v = standard;

	if (has(line, o) && num_parse_u64(text, strlen(text), 1, max, &v) != 0) {
		fprintf(stderr, "popctl: %s %s: must be a number from 1 to %u\n", options[o].name,
			text, max);
		return 2;
	}
	*out = (unsigned)v;
	return 0;
}

static int take_top(const struct command_line *line, struct request *r)
{
	static const char *const orders[] = { "bytes", "packets", "drops" };
	bool known = !has(line, OPTION_BY);
	unsigned seconds;

	r->once = has(line, OPTION_ONCE);
	r->by = line->values[OPTION_BY];
	for (size_t i = 0; i < ARRAY_LEN(orders); i++)
		known |= r->by && strcmp(r->by, orders[i]) == 0;
	if (!known)
		return misuse("--by must be bytes, packets or drops, not ", r->by);
	if (take_number(line, OPTION_LIMIT, TOP_LIMIT, 20, &r->limit) != 0 ||
	    take_number(line, OPTION_INTERVAL, TOP_INTERVAL, r->once ? 1 : 2, &seconds) != 0)
		return 2;
	r->interval_ms = 1000 * seconds;
	return 0;
}

static int take_trace(const struct command_line *line, struct request *r)
{
	bool outer = has(line, OPTION_OUTER), inner = has(line, OPTION_INNER);

	r->pcap = line->values[OPTION_PCAP];
	r->outer = outer;
	if (outer && inner)
		return misuse("--outer excludes ", "--inner");
	if ((outer || inner) && !r->pcap)
		return misuse("--outer and --inner go with ", "--pcap");
	if (r->pcap && r->json)
		return misuse("--pcap excludes ", "--json");
	return take_number(line, OPTION_COUNT, UINT32_MAX, 0, &r->count);
}

/* ---- commands ---- */

/* Asks once. */
static int run(int fd, const struct request *r, FILE *out, FILE *err)
{
	json_t *request = json_pack("{s:s}", "command", r->command->name);

	if (r->n > 0)
		(void)json_object_set_new(request, r->command->key, json_string(r->arguments[0]));
	if (r->reset)
		(void)json_object_set_new(request, "reset", json_true());
	return ask_and_show(fd, request, r, out, err);
}

static const char tunnel_argument[] = "T-ID|ADDRESS";

static const struct command commands[] = {
	{ .name = "status",
	  .help = "the PoP, its workers and tunnels, and the state of the database",
	  .run = run,
	  .show = show_status },
	{ .name = "tunnel list",
	  .options = BIT(ALL),
	  .help = "one line for each tunnel that is up; with --all for each tunnel",
	  .run = ask_list,
	  .show = show_tunnel_list },
	{ .name = "tunnel show",
	  .argument = tunnel_argument,
	  .key = "tunnel",
	  .need = "a tunnel",
	  .min = 1,
	  .max = 1,
	  .help = "one tunnel, by its number or by an IPv6 address of it",
	  .run = run,
	  .show = show_tunnel },
	{ .name = "tunnel errors",
	  .argument = tunnel_argument,
	  .key = "tunnel",
	  .need = "a tunnel",
	  .min = 1,
	  .max = 1,
	  .options = BIT(PACKET) | BIT(RESET),
	  .help = "packets of the tunnel that were dropped: why, when, from where",
	  .run = run,
	  .show = show_errors },
	{ .name = "tunnel trace",
	  .argument = "T-ID|ADDRESS...",
	  .key = "tunnel",
	  .need = "a tunnel or --all",
	  .min = 1,
	  .max = COMMAND_ARGUMENTS,
	  .options = BIT(ALL) | BIT(COUNT) | BIT(PCAP) | BIT(OUTER) | BIT(INNER),
	  .help = "packets of these tunnels and what popd did with them, until Ctrl-C",
	  .take = take_trace,
	  .run = trace_run },
	{ .name = "counters",
	  .options = BIT(PACKET) | BIT(RESET),
	  .help = "the PoP's traffic, and its drops by reason",
	  .run = run,
	  .show = show_counters },
	{ .name = "reasons",
	  .help = "every reason for which packets are dropped, and its meaning",
	  .run = run,
	  .show = show_reasons },
	{ .name = "top",
	  .options = BIT(LIMIT) | BIT(BY) | BIT(INTERVAL) | BIT(ONCE),
	  .help = "the busiest tunnels, until Ctrl-C",
	  .take = take_top,
	  .run = top_run },
	{ .name = "reload",
	  .help = "read the configuration and all tunnels again, and print the result",
	  .run = run,
	  .show = show_message },
	{ .name = "log",
	  .argument = "LEVEL",
	  .key = "level",
	  .need = "a level",
	  .min = 1,
	  .max = 1,
	  .help = "set the log level: error, warn, info or debug",
	  .run = run,
	  .show = show_message },
};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* ---- usage ---- */

static void print_options(unsigned which, int indent, FILE *f)
{
	for (size_t o = 0; o < OPTION__COUNT; o++) {
		char left[40];
		if (!(which & (1u << o)))
			continue;
		snprintf(left, sizeof(left), "%s%s%s", options[o].name, options[o].value ? " " : "",
			 options[o].value ? options[o].value : "");
		fprintf(f, "%*s%-*s %s\n", indent, "", 30 - indent, left, options[o].help);
	}
}

static void print_help(FILE *f)
{
	fputs("usage: popctl [--socket PATH] [--json] COMMAND [ARGUMENT...]\n"
	      "       popctl --version | --help\n\n",
	      f);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct command *c = &commands[i];
		char left[64];
		snprintf(left, sizeof(left), "%s%s%s", c->name, c->argument ? " " : "",
			 c->argument ? c->argument : "");
		fprintf(f, "  %-28s %s\n", left, c->help);
		print_options(c->options, 4, f);
	}
	fputc('\n', f);
	print_options(EVERYWHERE, 2, f);
	fputs("\nExit status: 0 done, 1 refused or popd not reached, 2 called wrongly.\n", f);
}

/* ---- the command line ---- */

/* The option argv[*i], and the value that may follow it. 0, or 2 after a sentence. */
static int take_option(int argc, char **argv, int *i, struct command_line *line)
{
	const char *argument = argv[*i];

	for (size_t o = 0; o < OPTION__COUNT; o++) {
		size_t len = strlen(options[o].name);
		if (strncmp(argument, options[o].name, len) != 0 ||
		    (argument[len] != '\0' && argument[len] != '='))
			continue;
		if (argument[len] == '=' && !options[o].value)
			return misuse("this option takes no value: ", options[o].name);
		line->options |= 1u << o;
		if (argument[len] == '=')
			line->values[o] = argument + len + 1;
		else if (options[o].value && ++*i == argc)
			return misuse("this option needs a value: ", options[o].name);
		else if (options[o].value)
			line->values[o] = argv[*i];
		return 0;
	}
	return misuse("unknown option: ", argument);
}

/* Options may stand anywhere. 0, 2 after a sentence, -1: all is done. */
static int split(int argc, char **argv, struct command_line *line)
{
	for (int i = 1; i < argc; i++) {
		const char *argument = argv[i];
		if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
			print_help(stdout);
			return -1;
		} else if (strcmp(argument, "--version") == 0) {
			puts("popctl " BROKER_VERSION);
			return -1;
		} else if (argument[0] == '-') {
			if (take_option(argc, argv, &i, line) != 0)
				return 2;
		} else if (line->n == ARRAY_LEN(line->words)) {
			return misuse("too many arguments: ", argument);
		} else {
			line->words[line->n++] = argument;
		}
	}
	return 0;
}

/* By the first two words or by the first alone; `used` is how many. NULL: neither. */
static const struct command *find(const struct command_line *line, size_t *used)
{
	for (*used = line->n < 2 ? line->n : 2; *used > 0; --*used) {
		char name[64];
		snprintf(name, sizeof(name), "%s%s%s", line->words[0], *used == 2 ? " " : "",
			 *used == 2 ? line->words[1] : "");
		const struct command *c = command_find(name);
		if (c)
			return c;
	}
	return NULL;
}

/* 0, or 2 after a sentence. */
static int check(const struct command_line *line, const struct command *c, size_t arguments)
{
	for (size_t o = 0; o < OPTION__COUNT; o++) {
		if (line->options & ~c->options & ~EVERYWHERE & (1u << o)) {
			fprintf(stderr, "popctl: %s does not go with %s\ntry: popctl --help\n",
				options[o].name, c->name);
			return 2;
		}
	}
	if (arguments > c->max)
		return misuse("too many arguments: ", line->words[line->n - 1]);
	if (arguments >= c->min || has(line, OPTION_ALL))
		return 0;
	fprintf(stderr, "popctl: %s needs %s\ntry: popctl --help\n", c->name, c->need);
	return 2;
}

static const char *socket_of(const struct command_line *line)
{
	const char *path = has(line, OPTION_SOCKET) ? line->values[OPTION_SOCKET]
						    : getenv("POPCTL_SOCKET");

	return path && path[0] ? path : DEFAULT_SOCKET;
}

int command_parse(int argc, char **argv, struct request *r)
{
	struct command_line line = { .n = 0 };
	size_t used;

	int status = split(argc, argv, &line);
	if (status != 0)
		return status;
	if (line.n == 0)
		return misuse("no command given", "");
	const struct command *c = find(&line, &used);
	if (!c)
		return misuse("unknown command: ", line.words[0]);
	status = check(&line, c, line.n - used);
	if (status != 0)
		return status;
	*r = (struct request){
		.command = c,
		.n = line.n - used,
		.socket = socket_of(&line),
		.json = has(&line, OPTION_JSON),
		.all = has(&line, OPTION_ALL),
		.packet = has(&line, OPTION_PACKET),
		.reset = has(&line, OPTION_RESET),
	};
	memcpy(r->arguments, line.words + used, r->n * sizeof(r->arguments[0]));
	return c->take ? c->take(&line, r) : 0;
}
