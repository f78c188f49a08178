#include "ticd/io/daemon.h"

#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/digest.h"
#include "lib/io/pgpool.h"
#include "lib/log.h"
#include "lib/version.h"
#include "ticd/core/session.h"
#include "ticd/io/conn.h"
#include "ticd/io/daily.h"
#include "ticd/io/listen.h"
#include "ticd/io/pgstore.h"
#include "ticd/io/tls.h"
#include "ticd/settings.h"

enum {
	OWN_FILES = 64, /* descriptors besides those of connections and database */
	QUERIES_WAITING = 10000,
	STOP_SECONDS = 6, /* for the sessions to end in order */
};

struct ticd {
	const char *path;
	struct settings *settings;
	struct ev_loop *loop;
	struct ev_signal on_term, on_int, on_hup;
	struct ev_timer stop_timer;
	struct digest_ctx *digest;
	struct failures *failures;
	struct pgpool *pool;
	struct pgstore *store;
	struct daily *daily;
	struct listener *listener;
	struct session_env session_env;
	struct conn_env conn_env;
};

/* Raises the limit of open files as far as needed and possible; returns how many connections it
 * allows. */
static unsigned connections_possible(const struct settings *s)
{
	rlim_t headers = s->fronts.n > 0 ? LISTEN_HEADERS_MAX : 0;
	rlim_t own = OWN_FILES + headers + (rlim_t)s->db_connections;
	rlim_t need = (rlim_t)s->connections + own;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
	    limit.rlim_cur >= need)
		return (unsigned)s->connections;
	limit.rlim_cur = need;
	if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < need)
		limit.rlim_max = need;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return (unsigned)s->connections;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need)
		return (unsigned)s->connections;
	need = limit.rlim_cur > own ? limit.rlim_cur - own : 1;
	log_warnx("the limit of %llu open files allows %llu connections instead of %lld; raise it",
		  (unsigned long long)limit.rlim_cur, (unsigned long long)need,
		  (long long)s->connections);
	return (unsigned)need;
}

static struct listen_limits limits_of(const struct settings *s)
{
	return (struct listen_limits){
		.connections = connections_possible(s),
		.per_address = { .address = (unsigned)s->connections_per_address,
				 .net56 = (unsigned)s->connections_per_56,
				 .net48 = (unsigned)s->connections_per_48 },
		.fronts = &s->fronts,
	};
}

/* What a start and a reload have in common. */
static void apply(struct ticd *t)
{
	const struct settings *s = t->settings;

	log_set_level((enum log_level)s->log_level);
	t->session_env.service = s->service;
	t->session_env.url = s->url;
	t->session_env.has_tls = t->conn_env.tls != NULL;
	t->conn_env.login_timeout = (int)s->login_timeout;
	t->conn_env.idle_timeout = (int)s->idle_timeout;
	t->conn_env.write_timeout = (int)s->write_timeout;
	daily_enable(t->daily, s->daily);
}

/* Loads the certificate. False: it cannot be used, and the current one stays in use. */
static bool renew_tls(struct ticd *t, const struct settings *s)
{
	struct tls_server *tls = NULL;
	char error[TLS_ERROR_TEXT];

	if (s->certificate[0] != '\0') {
		tls = tls_server_create(s->certificate, s->key, s->old_versions, error);
		if (!tls) {
			log_warnx("cannot use the certificate: %s", error);
			return false;
		}
	}
	tls_server_free(t->conn_env.tls);
	t->conn_env.tls = tls;
	return true;
}

static void log_restart(const char *key)
{
	log_warnx("%s has changed, which takes effect only after a restart", key);
}

/* A file with an error changes nothing; settings that need a restart are named in the log. */
static void hup_ready(struct ev_loop *loop, struct ev_signal *w, int events)
{
	struct ticd *t = w->data;
	char error[CONFIG_ERROR_TEXT];
	struct settings *fresh = settings_load(t->path, error);
	struct listen_limits limits;

	(void)loop, (void)events;
	if (!fresh) {
		log_warnx("not reloaded: %s", error);
		return;
	}
	if (!renew_tls(t, fresh))
		log_warnx("%s", t->conn_env.tls ? "the current certificate stays in use"
						: "TLS stays off");
	settings_differences(t->settings, fresh, log_restart);
	settings_free(t->settings);
	t->settings = fresh;
	apply(t);
	limits = limits_of(fresh);
	listener_set_limits(t->listener, &limits);
	log_info("reloaded %s", t->path);
}

static void connections_over(void *ctx)
{
	struct ticd *t = ctx;

	ev_break(t->loop, EVBREAK_ALL);
}

static void stop_due(struct ev_loop *loop, struct ev_timer *w, int events)
{
	struct ticd *t = w->data;

	(void)events;
	log_info("stopping with %zu connections still open", listener_connections(t->listener));
	ev_break(loop, EVBREAK_ALL);
}

/* The first signal closes all sessions with a sentence, a second one ends at once. */
static void stop_ready(struct ev_loop *loop, struct ev_signal *w, int events)
{
	struct ticd *t = w->data;

	(void)events;
	if (ev_is_active(&t->stop_timer)) {
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	log_info("stopping, %zu connections", listener_connections(t->listener));
	daily_enable(t->daily, false);
	ev_timer_start(loop, &t->stop_timer);
	listener_stop(t->listener, connections_over, t);
	conn_stop_all(&t->conn_env);
}

static void watch_signals(struct ticd *t)
{
	ev_signal_init(&t->on_term, stop_ready, SIGTERM);
	ev_signal_init(&t->on_int, stop_ready, SIGINT);
	ev_signal_init(&t->on_hup, hup_ready, SIGHUP);
	ev_timer_init(&t->stop_timer, stop_due, STOP_SECONDS, 0.);
	t->on_term.data = t->on_int.data = t->on_hup.data = t->stop_timer.data = t;
	ev_signal_start(t->loop, &t->on_term);
	ev_signal_start(t->loop, &t->on_int);
	ev_signal_start(t->loop, &t->on_hup);
	signal(SIGPIPE, SIG_IGN); /* clients quit without reading the reply */
}

static bool start_database(struct ticd *t)
{
	const struct pgpool_conf conf = { .conninfo = t->settings->conninfo,
					  .application = "ticd",
					  .connections = (unsigned)t->settings->db_connections,
					  .queue_max = QUERIES_WAITING,
					  .connect_timeout = (double)t->settings->connect_timeout,
					  .query_timeout = (double)t->settings->query_timeout };

	t->pool = pgpool_create(t->loop, &conf);
	t->store = t->pool ? pgstore_create(t->pool) : NULL;
	t->daily = t->store ? daily_create(t->loop, t->settings->conninfo) : NULL;
	if (!t->daily)
		log_error("cannot use [database] conninfo, or out of memory");
	return t->daily != NULL;
}

static bool start_sessions(struct ticd *t)
{
	t->digest = digest_init() == 0 ? digest_ctx_create() : NULL;
	if (!t->digest || !random_bytes(t->session_env.fake_key, sizeof(t->session_env.fake_key))) {
		log_error(
			"OpenSSL lacks MD5 or SHA-256 (a policy of this system may forbid it), or the system gives no random bytes");
		return false;
	}
	t->session_env.digest = t->digest;
	t->failures = failures_create();
	if (!t->failures) {
		log_error("out of memory");
		return false;
	}
	t->session_env.failures = t->failures;
	t->session_env.random = random_bytes;
	t->session_env.store = pgstore_store(t->store);
	t->conn_env.loop = t->loop;
	t->conn_env.session = &t->session_env;
	return true;
}

static bool start(struct ticd *t)
{
	const struct config_listen *at = &t->settings->listen;
	struct listen_limits limits = limits_of(t->settings);

	t->loop = ev_loop_new(EVFLAG_AUTO);
	if (!t->loop) {
		log_error("cannot create an event loop");
		return false;
	}
	watch_signals(t);
	if (!start_database(t) || !start_sessions(t) || !renew_tls(t, t->settings))
		return false;
	t->listener = listener_create(&t->conn_env, at, &limits);
	if (!t->listener)
		return false;
	apply(t);
	log_info("ticd " BROKER_VERSION " listens on %s port %u, %s", at->host, at->port,
		 t->conn_env.tls ? "with TLS" : "without TLS");
	return true;
}

static void finish(struct ticd *t)
{
	conn_free_all(&t->conn_env);
	listener_free(t->listener);
	daily_free(t->daily);
	pgstore_free(t->store);
	pgpool_free(t->pool);
	tls_server_free(t->conn_env.tls);
	digest_ctx_free(t->digest);
	failures_free(t->failures);
	if (t->loop)
		ev_loop_destroy(t->loop);
	settings_free(t->settings);
}

int daemon_check(const struct settings *settings)
{
	struct tls_server *tls;
	char error[TLS_ERROR_TEXT];

	if (settings->certificate[0] == '\0')
		return 0;
	tls = tls_server_create(settings->certificate, settings->key, settings->old_versions,
				error);
	if (!tls)
		fprintf(stderr, "[tls]: %s\n", error);
	tls_server_free(tls);
	return tls ? 0 : 1;
}

int daemon_run(const char *path, struct settings *settings)
{
	struct ticd t = { .path = path, .settings = settings };
	bool is_started = start(&t);

	if (is_started) {
		ev_run(t.loop, 0);
		log_info("stopped");
	}
	finish(&t);
	return is_started ? 0 : 1;
}
