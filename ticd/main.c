/* ticd: the TIC server. This file reads the options; ticd/io/daemon.c runs the server. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "lib/nodump.h"
#include "lib/version.h"
#include "ticd/io/daemon.h"
#include "ticd/settings.h"

enum { EXIT_USAGE = 2 };

static const char usage[] =
	"usage: ticd -c FILE [--check-config | --dump-config]\n"
	"  -c, --config FILE   the configuration file\n"
	"      --check-config  check the configuration and exit\n"
	"      --dump-config   print every setting with its value and exit\n"
	"      --version       print the version and exit\n"
	"  -h, --help          print this text and exit\n"
	"Runs in the foreground and logs to standard error. SIGHUP reloads, SIGTERM stops.\n";

enum action { ACTION_RUN, ACTION_CHECK, ACTION_DUMP, ACTION_VERSION, ACTION_HELP, ACTION_USAGE };

struct options {
	enum action action;
	const char *path;
};

static struct options parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, 'k' },
		{ "dump-config", no_argument, NULL, 'd' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static const enum action actions[] = { ['k'] = ACTION_CHECK,
					       ['d'] = ACTION_DUMP,
					       ['V'] = ACTION_VERSION,
					       ['h'] = ACTION_HELP,
					       ['?'] = ACTION_USAGE };
	struct options options = { ACTION_RUN, NULL };
	int option;

	while ((option = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
		if (option == 'c')
			options.path = optarg;
		else if (options.action != ACTION_USAGE)
			options.action = actions[option];
	}
	if (optind < argc || (!options.path && options.action < ACTION_VERSION))
		options.action = ACTION_USAGE;
	return options;
}

static int with_settings(const struct options *options)
{
	char error[CONFIG_ERROR_TEXT];
	struct settings *settings = settings_load(options->path, error);
	int status = 0;

	if (!settings) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	if (options->action == ACTION_RUN) {
		log_init("ticd", (enum log_level)settings->log_level);
		return daemon_run(options->path, settings);
	}
	if (options->action == ACTION_CHECK)
		status = daemon_check(settings);
	else
		settings_dump(stdout, settings);
	if (options->action == ACTION_CHECK && status == 0)
		printf("%s: no errors\n", options->path);
	settings_free(settings);
	return status;
}

static int run(const struct options *options)
{
	switch (options->action) {
	case ACTION_VERSION:
		puts("ticd " BROKER_VERSION);
		return 0;
	case ACTION_HELP:
		fputs(usage, stdout);
		return 0;
	case ACTION_USAGE:
		fputs(usage, stderr);
		return EXIT_USAGE;
	default:
		return with_settings(options);
	}
}

int main(int argc, char **argv)
{
	nodump_set();

	struct options options = parse(argc, argv);
	int status = run(&options);

	if (status != 0 || (fflush(stdout) == 0 && !ferror(stdout)))
		return status;
	perror("ticd: standard output");
	return 1;
}
