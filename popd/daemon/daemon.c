/*
 * The control thread. One loop runs the database pool, the control socket, the metrics, signals and
 * timers; workers wake it by an async watcher. Its parts are made in build.c.
 *
 * Timers: each second `second_due` (memory that workers no longer use, checkpoints, the kernel
 * program's lease, statistics now and then); the prober and the reports have their own.
 */
#include "popd/daemon/daemon.h"

#include <ev.h>
#include <signal.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/version.h"
#include "popd/daemon/build.h"
#include "popd/daemon/database.h"
#include "popd/daemon/endpoint_scan.h"
#include "popd/daemon/forwarder.h"
#include "popd/daemon/host.h"
#include "popd/feed/checkpoint.h"
#include "popd/observe/metrics.h"
#include "popd/observe/top.h"
#include "popd/observe/trace.h"
#include "popd/report/stats.h"

enum { SECOND_US = 1000000 };
/* Seconds between two collections of all counters: growth is then counted in the right quarter of
 * an hour and with the right probe. */
enum { COLLECT_PERIOD = 20 };
static const double exit_timeout = 2.; /* seconds that the last statistics may take */

struct popd {
	struct parts parts;
	struct ev_signal sigterm, sigint, sighup;
	struct ev_async wake;
	struct ev_timer second, exit;
	mono_us_t due; /* when `second` is due next */
	unsigned seconds;
	bool stopping, failed;
};

/* ---- reloading ---- */

static void reload_settings(struct parts *p)
{
	char error[CONFIG_ERROR_TEXT];
	struct settings fresh;

	if (settings_load(p->path, &fresh, error) != 0) {
		log_warnx("the configuration in force is unchanged: %s", error);
		return;
	}
	settings_take_live(p->settings, &fresh);
	settings_free(&fresh);
	log_set_level((enum log_level)p->settings->log_level);
	forwarder_set_expiry(p->forwarder);
	database_set_intervals(p->database);
	metrics_listen(p->metrics);
	log_info("the configuration was reloaded");
}

static void reload(void *parts)
{
	struct parts *p = parts;

	reload_settings(p);
	host_look(p->host);
	database_reload(p->database);
}

/* ---- each second ---- */

/* libev counts from when the timer was due, unless it is more than one period late. */
static void note_lateness(struct popd *d)
{
	mono_us_t now = mono_us_now();

	if (d->due.us == 0 || now.us < d->due.us)
		d->due = now; /* the first time, or it was expected too late */
	histogram_add(&d->parts.late_us, (uint64_t)(now.us - d->due.us));
	d->due.us += SECOND_US;
	if (d->due.us < now.us)
		d->due = now;
}

static void second_due(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	struct popd *d = container_of(timer, struct popd, second);
	struct parts *p = &d->parts;
	uint32_t now = wall_seconds();

	(void)loop;
	(void)revents;
	note_lateness(d);
	table_reclaim(p->forwarder->table);
	forwarder_tick(p->forwarder);
	checkpoint_tick(p->checkpoint);
	trace_tick(p->trace);
	top_tick(p->top, mono_now());
	bool quarter_ends = now % QUARTER_SECONDS == QUARTER_SECONDS - 1;
	if (++d->seconds % COLLECT_PERIOD == 0 || quarter_ends)
		database_collect_statistics(p->database);
}

/* ---- what workers report ---- */

static void wake(void *ctx)
{
	struct popd *d = ctx;

	ev_async_send(d->parts.loop, &d->wake);
}

/* Sends what is followed; wakes the loop again when there is more than one turn may take. */
static void send_traces(struct popd *d)
{
	struct tap *taps[TABLE_WORKERS];
	unsigned n = forwarder_taps(d->parts.forwarder, taps);

	if (trace_drain(d->parts.trace, taps, n))
		wake(d);
}

static void wake_ready(struct ev_loop *loop, struct ev_async *async, int revents)
{
	struct popd *d = container_of(async, struct popd, wake);

	(void)revents;
	forwarder_drain_events(d->parts.forwarder, d->parts.store);
	endpoint_scan_wake(d->parts.endpoint_scan);
	send_traces(d);
	if (forwarder_has_failed(d->parts.forwarder) && !d->failed) {
		log_error(
			"the interface %s has vanished: popd exits, and must be started again to make it anew",
			d->parts.settings->tun);
		d->failed = true;
		ev_break(loop, EVBREAK_ALL);
	}
}

/* ---- signals ---- */

static void reports_finished(void *ctx)
{
	struct popd *d = ctx;

	ev_break(d->parts.loop, EVBREAK_ALL);
}

static void exit_due(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	(void)timer;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

/* Workers end first, so that the last statistics and the last snapshot contain all they did. */
static void terminate_ready(struct ev_loop *loop, struct ev_signal *signal, int revents)
{
	struct popd *d = signal->data;
	struct parts *p = &d->parts;

	(void)revents;
	if (d->stopping)
		return;
	d->stopping = true;
	log_info("popd exits; %s and its routes stay", p->settings->tun);
	bool ended = forwarder_stop(p->forwarder);
	forwarder_drain_events(p->forwarder, p->store);
	if (!ended) {
		d->failed = true;
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	ev_timer_start(loop, &d->exit);
	database_finish(p->database, reports_finished, d);
}

static void hangup_ready(struct ev_loop *loop, struct ev_signal *signal, int revents)
{
	struct popd *d = signal->data;

	(void)loop;
	(void)revents;
	reload_settings(&d->parts);
}

/* ---- start and end ---- */

static void watch(struct popd *d)
{
	struct ev_loop *loop = d->parts.loop;

	ev_async_init(&d->wake, wake_ready);
	ev_async_start(loop, &d->wake);
	ev_timer_init(&d->second, second_due, 1., 1.);
	ev_timer_start(loop, &d->second);
	ev_timer_init(&d->exit, exit_due, exit_timeout, 0.);
	ev_signal_init(&d->sigterm, terminate_ready, SIGTERM);
	ev_signal_init(&d->sigint, terminate_ready, SIGINT);
	ev_signal_init(&d->sighup, hangup_ready, SIGHUP);
	d->sigterm.data = d->sigint.data = d->sighup.data = d;
	ev_signal_start(loop, &d->sigterm);
	ev_signal_start(loop, &d->sigint);
	ev_signal_start(loop, &d->sighup);
	signal(SIGPIPE, SIG_IGN);
}

/* The watchers are ready before the workers, which wake the loop; the database comes last, since it
 * may be away. */
static bool start(struct popd *d)
{
	struct parts *p = &d->parts;
	uint64_t seq;

	if (!build_control(p) || !build_table(p, &seq))
		return false;
	watch(d);
	return build_workers(p, wake, d) && build_link(p) && build_host(p) &&
	       build_database(p, seq) && build_views(p, reload);
}

int daemon_run(struct settings *settings, const char *path)
{
	struct popd d = { .parts = { .settings = settings,
				     .path = path,
				     .loop = ev_default_loop(EVFLAG_AUTO),
				     .started = moment_now() } };
	int status = 1;

	if (!d.parts.loop) {
		log_error("no event loop can be made");
		return 1;
	}
	if (start(&d)) {
		log_info("popd " BROKER_VERSION " of %s: %u workers on %s, %zu tunnels",
			 settings->name, d.parts.forwarder->worker_count, settings->tun,
			 table_count(d.parts.forwarder->table));
		ev_run(d.parts.loop, 0);
		checkpoint_save(d.parts.checkpoint);
		status = d.failed;
	}
	build_free(&d.parts);
	ev_loop_destroy(d.parts.loop);
	return status;
}
