/*
 * The control thread. One loop runs the database pool, the control socket, signals and timers; workers wake it by an
 * async watcher.
 *
 * Timers: each second `housekeeping` (memory that workers have let go of, the keeper, a look at the counters now and
 * then); the prober, reports and statistics have their own.
 */
#include "popd/io/daemon.h"

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/digest.h"
#include "lib/err.h"
#include "lib/io/pgpool.h"
#include "lib/log.h"
#include "lib/version.h"
#include "popd/io/control.h"
#include "popd/io/control_json.h"
#include "popd/io/events.h"
#include "popd/io/keeper.h"
#include "popd/io/link.h"
#include "popd/io/pgfeed.h"
#include "popd/io/pgreport.h"
#include "popd/io/prober.h"
#include "popd/io/startup.h"
#include "popd/io/stats.h"
#include "popd/io/store.h"
#include "popd/io/view.h"
#include "popd/io/worker.h"

enum {
	DATABASE_CONNECTIONS = 2,
	DATABASE_QUEUE = 16,
	COLLECT_PERIOD = 20, /* seconds: looks at all counters, so that growth is of the right day and one probe */
	SECONDS_A_DAY = 86400,
};
static const double farewell_limit = 2.; /* seconds that the last statistics may take */

struct popd {
	struct settings *settings;
	const char *path;
	struct ev_loop *loop;
	struct ev_signal sigterm, sigint, sighup;
	struct ev_async wake;
	struct ev_timer second, farewell;
	struct digest_ctx *digest;
	struct table *table;
	struct worker *workers[TABLE_WORKERS];
	struct counters *counters[TABLE_WORKERS];
	unsigned worker_count;
	struct offloads offloads;
	struct sha1_set sha1;
	struct link *link;
	struct store *store;
	struct keeper *keeper;
	struct events *events;
	struct stats *stats;
	struct control *control;
	struct prober *prober;
	struct pgpool *pool;
	struct pgfeed *feed;
	struct pgreport *report;
	struct control_view view;
	uint32_t started;
	char channel[SNAPSHOT_NAME + 8];
	bool enabled, stopping, failed;
	unsigned seconds;
};

static uint32_t now_wall(void)
{
	return (uint32_t)wall_now().s;
}

/* ---- what the parts tell each other ---- */

static void slot_freed(void *ctx, uint32_t slot)
{
	struct popd *d = ctx;

	stats_slot_freed(d->stats, slot);
	for (unsigned i = 0; i < d->worker_count; i++)
		counters_clear_slot(d->counters[i], slot);
}

static uint64_t feed_seq(void *ctx)
{
	const struct popd *d = ctx;

	return pgfeed_status(d->feed).seq;
}

static void pop_changed(void *ctx, const struct pop_conf *pop, bool enabled)
{
	struct popd *d = ctx;

	link_route(d->link, pop);
	d->enabled = enabled;
	keeper_note_change(d->keeper);
}

static void table_changed(void *ctx)
{
	struct popd *d = ctx;

	keeper_note_change(d->keeper);
}

static void reload_ended(void *ctx, bool good, const char *outcome)
{
	struct popd *d = ctx;

	if (!control_has_waiting(d->control))
		return;
	char *answer = control_json_outcome(good, outcome);
	if (answer)
		control_answer_waiting(d->control, answer);
	free(answer);
}

static void notified(void *ctx, const char *payload)
{
	struct popd *d = ctx;

	(void)payload;
	if (d->feed)
		pgfeed_wake(d->feed);
}

static void report_facts(void *ctx, struct pgreport_facts *out)
{
	struct popd *d = ctx;
	struct view_tunnels n = view_tunnels(d->table, now_wall(), (uint32_t)d->settings->expiry);

	*out = (struct pgreport_facts){ n.configured, n.up, n.active, feed_seq(d) };
}

static void collect_statistics(void *ctx)
{
	struct popd *d = ctx;

	stats_collect(d->stats, d->table, d->counters, d->worker_count, (int32_t)(wall_now().s / SECONDS_A_DAY));
}

/* An operator who disables a PoP takes it out of the broker's offers; its tunnels go on until he disables those or
 * stops popd. */
static void report_answered(void *ctx, bool enabled, uint64_t seq)
{
	struct popd *d = ctx;

	if (enabled != d->enabled)
		log_info(enabled ? "the broker has enabled this PoP"
				 : "the broker has disabled this PoP; its tunnels keep working as long as popd runs");
	d->enabled = enabled;
	pgfeed_heard_seq(d->feed, seq);
}

static void control_facts(void *ctx, struct control_facts *out)
{
	struct popd *d = ctx;

	*out = (struct control_facts){
		.database_up = pgpool_is_up(d->pool),
		.enabled = d->enabled,
		.feed = pgfeed_status(d->feed),
		.report_at = pgreport_last(d->report),
		.snapshot_at = store_written(d->store),
		.snapshot_size = store_size(d->store),
		.statistics_waiting = stats_waiting(d->stats),
		.tun_drops = link_queue_drops(d->link),
	};
}

static enum control_verdict control_asked(void *ctx, const char *line, size_t len, char **answer)
{
	struct popd *d = ctx;

	return control_json_handle(&d->view, now_wall(), line, len, answer);
}

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
			log_warnx("worker %u was too busy to hear of the new expiry; reload again", i);
	pgreport_set_intervals(d->report, (double)d->settings->report_interval,
			       (double)d->settings->statistics_interval);
	log_info("the configuration is read again");
}

static void control_reload(void *ctx)
{
	struct popd *d = ctx;

	reload_settings(d);
	pgfeed_reload(d->feed);
}

/* ---- the loop's callbacks ---- */

static void housekeeping(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	struct popd *d = container_of(timer, struct popd, second);

	(void)loop;
	(void)revents;
	table_reclaim(d->table);
	keeper_tick(d->keeper);
	if (++d->seconds % COLLECT_PERIOD == 0)
		collect_statistics(d);
}

static void woken(struct ev_loop *loop, struct ev_async *async, int revents)
{
	struct popd *d = container_of(async, struct popd, wake);

	(void)revents;
	events_drain(d->events, d->workers, d->worker_count);
	for (unsigned i = 0; i < d->worker_count; i++) {
		if (!worker_has_failed(d->workers[i]) || d->failed)
			continue;
		log_error("the interface %s has vanished under popd, which ends so that it can be started anew",
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

/* In a worker's thread. */
static void wake_control(void *ctx)
{
	struct popd *d = ctx;

	ev_async_send(d->loop, &d->wake);
}

/* ---- building ---- */

static bool make_table(struct popd *d)
{
	uint8_t seed[16];

	d->digest = digest_ctx_create();
	d->table = random_bytes(seed, sizeof(seed))
			   ? table_create((size_t)d->settings->max_tunnels, d->worker_count, seed)
			   : NULL;
	if (!d->digest || !d->table)
		return false;
	d->store = store_create(d->settings->snapshot, d->settings->name, d->table);
	d->stats = stats_create(table_slots(d->table), 4 * table_slots(d->table));
	d->keeper = d->store ? keeper_create(d->store, feed_seq, d) : NULL;
	return d->keeper && d->stats;
}

/* What is wanted; the ports find out what there is. */
static void choose_offloads(struct popd *d)
{
	for (enum offload o = 0; o < OFFLOAD__COUNT; o++)
		atomic_init(&d->offloads.state[o], d->settings->offloads[o] ? OFFLOAD_ON : OFFLOAD_OFF);
	d->sha1 = sha1_set_choose((enum sha1_engine)d->settings->sha1);
}

static bool make_workers(struct popd *d, char why[static WORKER_WHY])
{
	const struct settings *s = d->settings;
	uint32_t n = d->worker_count;

	choose_offloads(d);
	struct worker_conf conf = {
		.table = d->table,
		.ipv4 = s->ipv4,
		.ayiya_port = (uint16_t)s->ayiya_port,
		.heartbeat_port = (uint16_t)s->heartbeat_port,
		.tun = s->tun,
		.offloads = &d->offloads,
		.sha1 = d->sha1,
		.errors = ((uint32_t)s->errors + n - 1) / n,
		.tunnel_errors = ((uint32_t)s->tunnel_errors + n - 1) / n,
		.expiry = (uint32_t)s->expiry,
		.wake = wake_control,
		.wake_ctx = d,
	};

	if (!random_bytes(conf.probe_key, sizeof(conf.probe_key)))
		return false;
	for (unsigned i = 0; i < n; i++) {
		conf.number = i;
		d->workers[i] = worker_create(&conf, why);
		if (!d->workers[i])
			return false;
		d->counters[i] = worker_counters(d->workers[i]);
	}
	table_on_free(d->table, slot_freed, d);
	d->events = events_create(d->table, d->store);
	return d->events != NULL;
}

static bool make_link(struct popd *d)
{
	const struct pop_conf *pop = table_pop(d->table);

	d->link = link_create(d->settings);
	if (!d->link)
		return false;
	if (pop && pop->prefix_count > 0)
		link_route(d->link, pop);
	startup_warn_forwarding();
	return true;
}

static struct pgpool *make_pool(struct popd *d)
{
	const struct settings *s = d->settings;

	snprintf(d->channel, sizeof(d->channel), "feed_%s", s->name);
	return pgpool_create(d->loop, &(struct pgpool_conf){ .conninfo = s->conninfo,
							     .application = "popd",
							     .connections = DATABASE_CONNECTIONS,
							     .queue_max = DATABASE_QUEUE,
							     .connect_timeout = (double)s->connect_timeout,
							     .query_timeout = (double)s->query_timeout,
							     .listen = d->channel,
							     .notify = notified,
							     .notify_ctx = d });
}

static struct pgfeed *make_feed(struct popd *d, uint64_t seq)
{
	return pgfeed_create(&(struct pgfeed_conf){ .loop = d->loop,
						    .pool = d->pool,
						    .table = d->table,
						    .digest = d->digest,
						    .pop = d->settings->name,
						    .ipv4 = d->settings->ipv4,
						    .seq = seq,
						    .pop_changed = pop_changed,
						    .table_changed = table_changed,
						    .reloaded = reload_ended,
						    .ctx = d });
}

static struct pgreport *make_report(struct popd *d)
{
	uint8_t incarnation[16];
	struct pgreport_conf conf = {
		.loop = d->loop,
		.pool = d->pool,
		.stats = d->stats,
		.pop = d->settings->name,
		.started = d->started,
		.interval = (double)d->settings->report_interval,
		.statistics_interval = (double)d->settings->statistics_interval,
		.facts = report_facts,
		.collect = collect_statistics,
		.answered = report_answered,
		.ctx = d,
	};

	if (!random_bytes(incarnation, sizeof(incarnation)))
		return NULL;
	hex_encode(incarnation, sizeof(incarnation), conf.incarnation);
	return pgreport_create(&conf);
}

static bool make_database(struct popd *d, uint64_t seq)
{
	d->pool = make_pool(d);
	d->feed = d->pool ? make_feed(d, seq) : NULL;
	d->report = d->feed ? make_report(d) : NULL;
	return d->report != NULL;
}

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

/* What must be right before anything is touched; the control socket among it, since it is what keeps two popd's of
 * one configuration apart. */
static bool may_start(struct popd *d)
{
	char why[STARTUP_WHY], control_why[CONTROL_WHY];

	if (digest_init() != 0) {
		log_error("OpenSSL has not all of MD5, SHA-1 and SHA-256");
		return false;
	}
	if (startup_check_machine(d->settings, why) != 0) {
		log_error("%s", why);
		return false;
	}
	d->control = control_create(d->loop, d->settings->control, control_asked, d, control_why);
	if (!d->control) {
		log_error("%s", control_why);
		return false;
	}
	if (startup_check_ports(d->settings, why) != 0) {
		log_error("%s", why);
		return false;
	}
	return true;
}

/* The address is this configuration's, whatever it was when the snapshot was written. */
static void load(struct popd *d, struct snapshot_head *head)
{
	if (!store_load(d->store, d->digest, head))
		return;
	struct pop_conf pop = *table_pop(d->table);
	pop.ipv4 = d->settings->ipv4;
	table_set_pop(d->table, &pop);
}

static bool start(struct popd *d)
{
	struct snapshot_head head = { .feed_seq = 0 };
	char why[WORKER_WHY] = "no memory";

	if (!make_table(d)) {
		log_error("no memory for %lld tunnels", (long long)d->settings->max_tunnels);
		return false;
	}
	load(d, &head);
	watch(d);
	if (!make_workers(d, why)) {
		log_error("%s", why);
		return false;
	}
	for (unsigned i = 0; i < d->worker_count; i++) {
		if (worker_start(d->workers[i]) != 0) {
			log_errno("a worker cannot be started");
			return false;
		}
	}
	if (!make_link(d))
		return false;
	d->prober = prober_create(d->loop, d->table, d->workers, d->worker_count, &d->settings->expiry);
	if (!make_database(d, head.feed_seq) || !d->prober) {
		log_error("the database connection cannot be set up: look at conninfo");
		return false;
	}
	d->view = (struct control_view){
		.settings = d->settings,
		.table = d->table,
		.counters = d->counters,
		.workers = d->worker_count,
		.offloads = &d->offloads,
		.sha1 = sha1_engine_names[d->sha1.widest],
		.started = d->started,
		.facts = control_facts,
		.reload = control_reload,
		.ctx = d,
	};
	return true;
}

/* Whatever has been built. The pool first: its answers go to the others. */
static void take_down(struct popd *d)
{
	for (unsigned i = 0; i < d->worker_count; i++)
		if (d->workers[i])
			worker_stop(d->workers[i]);
	pgpool_free(d->pool);
	pgreport_free(d->report);
	pgfeed_free(d->feed);
	prober_free(d->prober);
	control_free(d->control);
	link_free(d->link);
	keeper_free(d->keeper);
	store_free(d->store);
	events_free(d->events);
	stats_free(d->stats);
	if (d->table)
		table_on_free(d->table, NULL, NULL);
	for (unsigned i = 0; i < d->worker_count; i++)
		worker_free(d->workers[i]);
	table_free(d->table);
	digest_ctx_free(d->digest);
	if (d->loop)
		ev_loop_destroy(d->loop);
	free(d);
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
	d->started = now_wall();
	d->enabled = true;
	d->worker_count = settings_worker_count(settings, TABLE_WORKERS);
	if (may_start(d) && start(d)) {
		log_info("popd " BROKER_VERSION " of %s: %u workers on %s, %zu tunnels", settings->name,
			 d->worker_count, settings->tun, table_count(d->table));
		ev_run(d->loop, 0);
		keeper_save(d->keeper);
		status = d->failed;
	}
	take_down(d);
	return status;
}
