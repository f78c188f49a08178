/*
 * The control thread. One loop runs the database pool, the control socket, signals and timers;
 * workers wake it by an async watcher. Its parts are made in build.c and know each other by
 * wiring.c.
 *
 * Timers: each second `housekeeping` (memory that workers have let go of, the keeper, a look at the
 * counters now and then); the prober, reports and statistics have their own.
 */
#include "popd/daemon/daemon.h"

#include <ev.h>
#include <signal.h>
#include <stdlib.h>

#include "lib/log.h"
#include "lib/version.h"
#include "popd/daemon/daemon_inside.h"

enum { TICK_US = 1000000 }; /* of housekeeping */
/* Seconds from one look at all counters to the next, so that growth is of the right quarter and of
 * one probe. */
enum { COLLECT_PERIOD = 20 };
static const double farewell_limit = 2.; /* seconds that the last statistics may take */

/* ---- reloading ---- */

static void reload_settings(struct popd *d)
{
	char error[CONFIG_ERROR_TEXT];
	struct settings fresh;

	if (settings_load(d->path, &fresh, error) != 0) {
		log_warnx("the configuration stays as it was: %s", error);
		return;
	}
	settings_take_live(d->settings, &fresh);
	settings_free(&fresh);
	log_set_level((enum log_level)d->settings->log_level);
	for (unsigned i = 0; i < d->worker_count; i++)
		if (!worker_set_expiry(d->workers[i], (uint32_t)d->settings->expiry))
			log_warnx("worker %u was too busy to hear of the new expiry; reload again",
				  i);
	pgreport_set_intervals(d->report, (double)d->settings->report_interval,
			       (double)d->settings->statistics_interval);
	metrics_listen(d->metrics);
	log_info("the configuration is read again");
}

void daemon_reload(void *ctx)
{
	struct popd *d = ctx;

	reload_settings(d);
	pgfeed_reload(d->feed);
}

/* ---- the loop's callbacks ---- */

/* libev counts from when the timer was due, unless it is more than one turn behind. */
static void note_lateness(struct popd *d)
{
	mono_us_t now = mono_us_now();

	if (d->due.us == 0 || now.us < d->due.us)
		d->due = now; /* the first time, or we have expected it too late */
	histogram_add(&d->late_us, (uint64_t)(now.us - d->due.us));
	d->due.us += TICK_US;
	if (d->due.us < now.us)
		d->due = now;
}

static void housekeeping(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	struct popd *d = container_of(timer, struct popd, second);

	(void)loop;
	(void)revents;
	note_lateness(d);
	table_reclaim(d->table);
	if (d->encap)
		bpf_encap_tick(d->encap, wiring_now(), (uint32_t)d->settings->expiry);
	checkpoint_tick(d->checkpoint);
	trace_tick(d->trace);
	if (d->top && top_is_idle(d->top, mono_now())) {
		top_free(d->top);
		d->top = NULL;
	}
	bool quarter_ends = wiring_now() % QUARTER_SECONDS == QUARTER_SECONDS - 1;
	if (++d->seconds % COLLECT_PERIOD == 0 || quarter_ends)
		wiring_collect_statistics(d);
	if (d->encap && d->seconds % COLLECT_PERIOD == 0 && link_look_up_ipv4(d->link) != 0)
		log_warn("%s cannot ask for IPv4 routes from %s", offload_name(OFFLOAD_BPF_ENCAP),
			 d->settings->tun);
}

/* What the workers tell of watched packets; the loop comes round again when there is more of it
 * than a turn may take. */
static void hand_on_packets(struct popd *d)
{
	struct tap *taps[TABLE_WORKERS];
	unsigned n = 0;

	for (unsigned i = 0; i < d->worker_count; i++)
		if (d->workers[i])
			taps[n++] = worker_tap(d->workers[i]);
	if (n > 0 && trace_drain(d->trace, taps, n))
		ev_async_send(d->loop, &d->wake);
}

static void woken(struct ev_loop *loop, struct ev_async *async, int revents)
{
	struct popd *d = container_of(async, struct popd, wake);

	(void)revents;
	events_drain(d->events, d->workers, d->worker_count);
	if (d->endpoint_scan)
		endpoint_scan_wake(d->endpoint_scan);
	hand_on_packets(d);
	for (unsigned i = 0; i < d->worker_count; i++) {
		if (!worker_has_failed(d->workers[i]) || d->failed)
			continue;
		log_error(
			"the interface %s has vanished under popd, which ends so that it can be started anew",
			d->settings->tun);
		d->failed = true;
		ev_break(loop, EVBREAK_ALL);
	}
}

static void farewell_done(void *ctx)
{
	struct popd *d = ctx;

	ev_break(d->loop, EVBREAK_ALL);
}

static void farewell_over(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	(void)timer;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

/* Workers end first, so that the last statistics and the last snapshot are the last word. */
static void terminated(struct ev_loop *loop, struct ev_signal *signal, int revents)
{
	struct popd *d = signal->data;

	(void)revents;
	if (d->stopping)
		return;
	d->stopping = true;
	if (d->encap)
		bpf_encap_stop(d->encap);
	log_info("popd ends; %s and its routes stay", d->settings->tun);
	for (unsigned i = 0; i < d->worker_count; i++)
		worker_stop(d->workers[i]);
	events_drain(d->events, d->workers, d->worker_count);
	ev_timer_start(loop, &d->farewell);
	pgreport_finish(d->report, farewell_done);
}

static void hung_up(struct ev_loop *loop, struct ev_signal *signal, int revents)
{
	(void)loop;
	(void)revents;
	reload_settings(signal->data);
}

/* ---- start and end ---- */

static void watch(struct popd *d)
{
	ev_async_init(&d->wake, woken);
	ev_async_start(d->loop, &d->wake);
	ev_timer_init(&d->second, housekeeping, 1., 1.);
	ev_timer_start(d->loop, &d->second);
	ev_timer_init(&d->farewell, farewell_over, farewell_limit, 0.);
	ev_signal_init(&d->sigterm, terminated, SIGTERM);
	ev_signal_init(&d->sigint, terminated, SIGINT);
	ev_signal_init(&d->sighup, hung_up, SIGHUP);
	d->sigterm.data = d->sigint.data = d->sighup.data = d;
	ev_signal_start(d->loop, &d->sigterm);
	ev_signal_start(d->loop, &d->sigint);
	ev_signal_start(d->loop, &d->sighup);
	signal(SIGPIPE, SIG_IGN);
}

/* The watchers are ready before the workers are, which wake the loop; the database is last, since
 * it may be away. */
static bool start(struct popd *d)
{
	uint64_t seq;

	if (!build_may_start(d) || !build_table(d, &seq))
		return false;
	watch(d);
	if (!build_workers(d) || !build_link(d))
		return false;
	build_encap(d);
	return build_database(d, seq) && build_metrics(d);
}

int daemon_run(struct settings *settings, const char *path)
{
	struct popd *d = calloc(1, sizeof(*d));
	int status = 1;

	if (!d || !(d->loop = ev_default_loop(EVFLAG_AUTO))) {
		log_error("no memory, or no event loop");
		free(d);
		return 1;
	}
	d->settings = settings;
	d->path = path;
	d->started = wiring_now();
	d->enabled = true;
	d->worker_count = settings_worker_count(settings, TABLE_WORKERS);
	if (start(d)) {
		log_info("popd " BROKER_VERSION " of %s: %u workers on %s, %zu tunnels",
			 settings->name, d->worker_count, settings->tun, table_count(d->table));
		ev_run(d->loop, 0);
		checkpoint_save(d->checkpoint);
		status = d->failed;
	}
	build_free(d);
	return status;
}
