/* popd's command line; popd/daemon/daemon.c runs the rest. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "lib/cc.h"
#include "lib/log.h"
#include "lib/nodump.h"
#include "lib/version.h"
#include "popd/daemon/daemon.h"
#include "popd/settings.h"

static const char usage[] =
	"usage: popd -c FILE [--check-config | --dump-config]\n"
	"       popd --version | --help\n"
	"\n"
	"Terminates the tunnels of one PoP (AYIYA, heartbeat and static 6in4) on one TUN interface.\n"
	"\n"
	"  -c, --config FILE   configuration file (popd.conf)\n"
	"  --check-config      check the configuration, print its errors, and exit\n"
	"  --dump-config       print every key with its value and meaning, and exit\n"
	"  --version           print the version and exit\n"
	"  --help              print this help and exit\n"
	"\n"
	"Signals: SIGTERM ends popd (the TUN interface and its routes stay), SIGHUP reloads the\n"
	"configuration.\n";

enum action { RUN, CHECK, DUMP, SHOW_VERSION, SHOW_HELP, MISUSED };

static enum action parse(int argc, char **argv, const char **path)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, 'k' },
		{ "dump-config", no_argument, NULL, 'd' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	enum action action = RUN;
	int c;

	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			*path = optarg;
			break;
		case 'k':
			action = CHECK;
			break;
		case 'd':
			action = DUMP;
			break;
		case 'v':
			return SHOW_VERSION;
		case 'h':
			return SHOW_HELP;
		default:
			return MISUSED;
		}
	}
	if (optind < argc)
		fprintf(stderr, "popd: unexpected argument: %s\n", argv[optind]);
	else if (!*path)
		fprintf(stderr, "popd: no configuration file given: use -c FILE\n");
	else
		return action;
	return MISUSED;
}

int main(int argc, char **argv)
{
	char error[CONFIG_ERROR_TEXT];
	struct settings settings;
	const char *path = NULL;
	int status = 0;

	nodump_set();
	enum action action = parse(argc, argv, &path);
	if (action == MISUSED) {
		fputs("try: popd --help\n", stderr);
		return 2;
	}
	if (action == SHOW_VERSION || action == SHOW_HELP) {
		fputs(action == SHOW_HELP ? usage : "popd " BROKER_VERSION "\n", stdout);
		return 0;
	}
	if (settings_load(path, &settings, error) != 0) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	if (action == DUMP) {
		settings_dump(stdout, &settings);
	} else if (action == RUN) {
		log_init("popd", (enum log_level)settings.log_level);
		status = daemon_run(&settings, path);
	}
	settings_free(&settings);
	return status;
}
