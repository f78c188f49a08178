#include "popd/daemon/database.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/io/pgpool.h"
#include "lib/log.h"
#include "popd/core/view.h"
#include "popd/daemon/forwarder.h"
#include "popd/daemon/host.h"
#include "popd/daemon/link.h"
#include "popd/feed/checkpoint.h"
#include "popd/feed/snapshot.h"
#include "popd/observe/commands.h"
#include "popd/observe/control.h"
#include "popd/report/pgreport.h"
#include "popd/report/stats.h"
#include "popd/settings.h"

enum { CONNECTIONS = 2, QUEUE_MAX = 16 };

struct database {
	struct database_conf conf;
	char channel[SNAPSHOT_NAME + 8];
	struct pgpool *pool;
	struct pgfeed *feed;
	struct pgreport *report;
	bool enabled;
	void (*finished)(void *ctx);
	void *finished_ctx;
};

/* ---- the feed's ---- */

static void notified(void *ctx, const char *payload)
{
	struct database *d = ctx;

	(void)payload;
	if (d->feed)
		pgfeed_wake(d->feed);
}

static void pop_changed(void *ctx, const struct pop_conf *pop, bool enabled)
{
	struct database *d = ctx;

	link_route(d->conf.link, pop);
	forwarder_set_pop(d->conf.forwarder, pop);
	d->enabled = enabled;
	checkpoint_note_change(d->conf.checkpoint);
}

static void table_changed(void *ctx)
{
	struct database *d = ctx;

	checkpoint_note_change(d->conf.checkpoint);
}

static void reload_ended(void *ctx, bool good, const char *outcome)
{
	struct database *d = ctx;

	if (!control_has_waiting(d->conf.control))
		return;
	char *answer = commands_reload_answer(good, outcome);
	if (answer)
		control_answer_waiting(d->conf.control, answer);
	free(answer);
}

static struct pgfeed *make_feed(struct database *d)
{
	const struct settings *s = d->conf.settings;

	return pgfeed_create(&(struct pgfeed_conf){ .loop = d->conf.loop,
						    .pool = d->pool,
						    .table = d->conf.forwarder->table,
						    .digest = d->conf.digest,
						    .pop = s->name,
						    .ipv4 = s->ipv4,
						    .seq = d->conf.seq,
						    .pop_changed = pop_changed,
						    .table_changed = table_changed,
						    .reloaded = reload_ended,
						    .ctx = d });
}

/* ---- the reports' ---- */

static void report_facts(void *ctx, struct pgreport_facts *out)
{
	const struct database *d = ctx;
	struct view_tunnels n = view_tunnels(d->conf.forwarder->table, mono_seconds(),
					     (uint32_t)d->conf.settings->expiry);

	const struct fitness *f = host_fitness(d->conf.host);
	uint32_t reasons = fitness_reasons(f);

	*out = (struct pgreport_facts){ .configured = n.configured,
					.up = n.up,
					.active = n.active,
					.feed_seq = pgfeed_status(d->feed).seq };
	for (enum fitness_item i = 0; i < FITNESS__COUNT; i++)
		if (reasons & 1u << i)
			out->reasons[out->reason_count++] = f->text[i];
}

/* A disabled PoP is no longer offered to users; its tunnels go on until they are disabled too or
 * popd is stopped. */
static void report_answered(void *ctx, bool enabled, uint64_t seq, int64_t clock)
{
	struct database *d = ctx;

	host_set_database_clock(d->conf.host, clock);

	if (enabled && !d->enabled)
		log_info("the broker has enabled this PoP");
	else if (!enabled && d->enabled)
		log_info(
			"the broker has disabled this PoP; its tunnels keep working as long as popd runs");
	d->enabled = enabled;
	pgfeed_heard_seq(d->feed, seq);
}

void database_collect_statistics(void *database)
{
	struct database *d = database;
	struct forwarder *f = d->conf.forwarder;

	stats_collect(d->conf.stats, f->table, f->counters, f->counter_sets, wall_now());
}

static struct pgreport *make_report(struct database *d)
{
	const struct settings *s = d->conf.settings;
	uint8_t incarnation[16];
	struct pgreport_conf conf = {
		.loop = d->conf.loop,
		.pool = d->pool,
		.stats = d->conf.stats,
		.started = d->conf.started,
		.interval = (double)s->report_interval,
		.statistics_interval = (double)s->statistics_interval,
		.facts = report_facts,
		.collect = database_collect_statistics,
		.answered = report_answered,
		.ctx = d,
	};

	if (!random_bytes(incarnation, sizeof(incarnation)))
		return NULL;
	hex_encode(incarnation, sizeof(incarnation), conf.incarnation);
	return pgreport_create(&conf);
}

/* ---- all together ---- */

static struct pgpool *make_pool(struct database *d)
{
	const struct settings *s = d->conf.settings;

	snprintf(d->channel, sizeof(d->channel), "feed_%s", s->name);
	return pgpool_create(d->conf.loop,
			     &(struct pgpool_conf){ .conninfo = s->conninfo,
						    .application = "popd",
						    .connections = CONNECTIONS,
						    .queue_max = QUEUE_MAX,
						    .connect_timeout = (double)s->connect_timeout,
						    .query_timeout = (double)s->query_timeout,
						    .listen = d->channel,
						    .notify = notified,
						    .notify_ctx = d });
}

struct database *database_create(const struct database_conf *conf)
{
	struct database *d = calloc(1, sizeof(*d));

	if (d) {
		d->conf = *conf;
		d->enabled = true;
		d->pool = make_pool(d);
		d->feed = d->pool ? make_feed(d) : NULL;
		d->report = d->feed ? make_report(d) : NULL;
		if (d->report)
			return d;
	}
	log_error("the database connection cannot be set up: check conninfo in the configuration");
	database_free(d);
	return NULL;
}

/* The pool first: its answers go to the others. */
void database_free(struct database *d)
{
	if (!d)
		return;
	pgpool_free(d->pool);
	pgreport_free(d->report);
	pgfeed_free(d->feed);
	free(d);
}

void database_reload(struct database *d)
{
	pgfeed_reload(d->feed);
}

void database_report(struct database *d)
{
	pgreport_now(d->report);
}

void database_set_intervals(struct database *d)
{
	pgreport_set_intervals(d->report, (double)d->conf.settings->report_interval,
			       (double)d->conf.settings->statistics_interval);
}

static void report_finished(void *ctx)
{
	struct database *d = ctx;

	d->finished(d->finished_ctx);
}

void database_finish(struct database *d, void (*done)(void *ctx), void *ctx)
{
	d->finished = done;
	d->finished_ctx = ctx;
	pgreport_finish(d->report, report_finished);
}

struct database_status database_status(const struct database *d)
{
	return (struct database_status){ .up = pgpool_is_up(d->pool),
					 .enabled = d->enabled,
					 .feed = pgfeed_status(d->feed),
					 .report_at = pgreport_last(d->report) };
}
