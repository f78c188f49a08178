/*
 * webd: the broker's web site. Reads its settings, keeps a view of the PoPs (io/pgview), serves
 * pages made from it (io/httpd, page/site), and ends on SIGTERM or SIGINT. SIGHUP reads the
 * settings again.
 */
#include <errno.h>
#include <ev.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/clock.h"
#include "lib/config.h"
#include "lib/digest.h"
#include "lib/log.h"
#include "lib/nodump.h"
#include "lib/version.h"
#include "web/io/httpd.h"
#include "web/io/pgview.h"
#include "web/io/settings.h"
#include "web/page/site.h"

enum { EXIT_USAGE = 2, FILES_BESIDE = 96 /* descriptors beside the connections */ };

struct webd {
	const char *config;
	struct settings settings;
	struct digest_ctx *digest;
	char style_url[STYLE_URL_TEXT];
	struct pgview *pgview;
	struct httpd *httpd;
	ev_signal term, interrupt, hangup;
};

static void usage(FILE *f)
{
	fputs("usage: webd -c FILE [--check-config | --dump-config]\n"
	      "       webd --version | --help\n"
	      "  -c, --config FILE  read the settings from FILE\n"
	      "  --check-config     check the settings, and exit\n"
	      "  --dump-config      write every setting with its value, and exit\n",
	      f);
}

enum mode { MODE_SERVE, MODE_CHECK, MODE_DUMP, MODE_DONE, MODE_USAGE };

static enum mode parse_arguments(int argc, char **argv, const char **config)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, 'k' },
		{ "dump-config", no_argument, NULL, 'd' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	enum mode mode = MODE_SERVE;
	for (int opt; (opt = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
		switch (opt) {
		case 'c':
			*config = optarg;
			break;
		case 'k':
			mode = MODE_CHECK;
			break;
		case 'd':
			mode = MODE_DUMP;
			break;
		case 'v':
			puts("webd " BROKER_VERSION);
			return MODE_DONE;
		case 'h':
			usage(stdout);
			return MODE_DONE;
		default:
			return MODE_USAGE;
		}
	}
	return *config && optind == argc ? mode : MODE_USAGE;
}

static void answer(void *ctx, const char *method, const char *path, struct answer *out)
{
	struct webd *w = ctx;
	const struct site site = { .title = w->settings.title,
				   .url = w->settings.url,
				   .style_url = w->style_url };
	struct page_now now = { .site = &site, .now = wall_now() };
	/* A health check or a style sheet is not a visitor. */
	if (strcmp(path, "/") == 0 || strncmp(path, "/pops", 5) == 0)
		pgview_visit(w->pgview);
	pgview_fill(w->pgview, &now);
	site_answer(&now, w->digest, method, path, out);
}

static void stop(struct ev_loop *loop, ev_signal *watcher, int events)
{
	(void)events;
	log_info("stopping on %s", watcher->signum == SIGTERM ? "SIGTERM" : "SIGINT");
	ev_break(loop, EVBREAK_ALL);
}

static void reload(struct ev_loop *loop, ev_signal *watcher, int events)
{
	struct webd *w = container_of(watcher, struct webd, hangup);
	struct settings fresh;
	char error[CONFIG_ERROR_TEXT];
	(void)loop;
	(void)events;
	if (settings_load(w->config, &fresh, error) != 0) {
		log_error("not reloaded, the settings stay as they were: %s", error);
		return;
	}
	if (!pgview_reload(w->pgview, &fresh)) {
		log_error(
			"not reloaded, the settings stay as they were: [database] conninfo cannot "
			"be used");
		settings_free(&fresh);
		return;
	}
	settings_swap(&w->settings, &fresh);
	log_set_level((enum log_level)w->settings.log_level);
	httpd_reload(w->httpd, &w->settings);
	log_info("reloaded %s", w->config);
}

/* Each connection is a descriptor. */
static void raise_file_limit(int64_t connections)
{
	struct rlimit limit;
	rlim_t need = (rlim_t)connections + FILES_BESIDE;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need)
		return;
	limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= need ? need
										   : limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < need)
		log_warnx(
			"the limit of open files (%llu) is too low for %lld connections; raise it "
			"or lower [limits] connections",
			(unsigned long long)limit.rlim_cur, (long long)connections);
}

static void watch_signals(struct webd *w, struct ev_loop *loop)
{
	signal(SIGPIPE, SIG_IGN);
	ev_signal_init(&w->term, stop, SIGTERM);
	ev_signal_init(&w->interrupt, stop, SIGINT);
	ev_signal_init(&w->hangup, reload, SIGHUP);
	ev_signal_start(loop, &w->term);
	ev_signal_start(loop, &w->interrupt);
	ev_signal_start(loop, &w->hangup);
}

static int serve(struct webd *w)
{
	int status = EXIT_FAILURE;
	struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
	if (!loop || digest_init() != 0 || !(w->digest = digest_ctx_create()) ||
	    site_style_url(w->digest, w->style_url) != 0) {
		log_error("cannot start: no event loop, or OpenSSL has no SHA-256");
		goto out;
	}
	raise_file_limit(w->settings.connections);
	watch_signals(w, loop);
	w->httpd = httpd_create(loop, &w->settings, answer, w);
	if (!w->httpd)
		goto out;
	w->pgview = pgview_create(loop, &w->settings);
	if (!w->pgview) {
		log_error("[database] conninfo in %s cannot be used", w->config);
		goto out;
	}
	log_info("webd " BROKER_VERSION " serves %s on port %u", w->settings.url,
		 w->settings.listen.port);
	ev_run(loop, 0);
	status = EXIT_SUCCESS;
out:
	httpd_free(w->httpd);
	pgview_free(w->pgview);
	digest_ctx_free(w->digest);
	if (loop)
		ev_loop_destroy(loop);
	return status;
}

static int dump(const struct settings *settings)
{
	settings_dump(stdout, settings);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_SUCCESS;
	fprintf(stderr, "cannot write the settings: %s\n", strerror(errno));
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct webd w = { 0 };
	char error[CONFIG_ERROR_TEXT];
	int status = EXIT_SUCCESS;

	nodump_set();
	enum mode mode = parse_arguments(argc, argv, &w.config);
	if (mode == MODE_DONE)
		return EXIT_SUCCESS;
	if (mode == MODE_USAGE) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (settings_load(w.config, &w.settings, error) != 0) {
		fprintf(stderr, "%s\n", error);
		return EXIT_FAILURE;
	}
	log_init("webd", (enum log_level)w.settings.log_level);
	if (mode == MODE_DUMP)
		status = dump(&w.settings);
	else if (mode == MODE_SERVE)
		status = serve(&w);
	settings_free(&w.settings);
	return status;
}
