#include "popd/daemon/build.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/digest.h"
#include "lib/log.h"
#include "popd/daemon/database.h"
#include "popd/daemon/endpoint_scan.h"
#include "popd/daemon/facts.h"
#include "popd/daemon/forwarder.h"
#include "popd/daemon/host.h"
#include "popd/daemon/link.h"
#include "popd/daemon/prober.h"
#include "popd/daemon/startup.h"
#include "popd/feed/checkpoint.h"
#include "popd/feed/store.h"
#include "popd/observe/commands.h"
#include "popd/observe/control.h"
#include "popd/observe/errors.h"
#include "popd/observe/metrics.h"
#include "popd/observe/request.h"
#include "popd/observe/top.h"
#include "popd/observe/trace.h"
#include "popd/report/stats.h"
#include "popd/settings.h"

/* ---- between parts that cannot know each other ---- */

static uint64_t feed_seq(void *ctx)
{
	const struct parts *p = ctx;

	return database_status(p->database).feed.seq;
}

static bool send_line(void *ctx, unsigned client, const char *line, size_t len)
{
	struct parts *p = ctx;

	return control_send(p->control, client, line, len);
}

static void slot_freed(void *ctx, uint32_t slot)
{
	struct parts *p = ctx;

	stats_slot_freed(p->stats, slot);
	errors_slot_freed(p->errors, slot);
	forwarder_clear_slot(p->forwarder, slot);
}

/* ---- building ---- */

bool build_control(struct parts *p)
{
	char why[STARTUP_WHY], control_why[CONTROL_WHY];

	p->commands = calloc(1, sizeof(*p->commands));
	if (!p->commands) {
		log_error("no memory");
		return false;
	}
	if (digest_init() != 0) {
		log_error("this machine's OpenSSL lacks MD5, SHA-1 or SHA-256, which popd needs");
		return false;
	}
	if (startup_check_machine(p->settings, why) != 0) {
		log_error("%s", why);
		return false;
	}
	p->control = control_create(p->loop, p->settings->control, commands_handle,
				    commands_client_left, p->commands, control_why);
	if (!p->control) {
		log_error("%s", control_why);
		return false;
	}
	if (startup_check_ports(p->settings, why) != 0) {
		log_error("%s", why);
		return false;
	}
	return true;
}

static bool make_table(struct parts *p)
{
	p->digest = digest_ctx_create();
	struct timestamp start = { .wall = p->started.wall, .mono_us = mono_us_now().us };
	p->forwarder = forwarder_create(p->settings, start);
	if (!p->digest || !p->forwarder)
		return false;
	struct table *t = p->forwarder->table;
	p->store = store_create(p->settings->snapshot, p->settings->name, t);
	p->stats = stats_create(table_slots(t), STATS_A_SLOT, STATS_DROPS_A_SLOT);
	p->checkpoint = p->store ? checkpoint_create(p->store, feed_seq, p) : NULL;
	return p->checkpoint && p->stats;
}

/* The address is this configuration's, whatever it was when the snapshot was written. false: no
 * memory. */
static bool load_snapshot(struct parts *p, uint64_t *seq)
{
	struct snapshot_head head = { .feed_seq = 0 };
	struct table *t = p->forwarder->table;

	*seq = 0;
	if (!store_load(p->store, p->digest, moment_now(), &head))
		return true;
	*seq = head.feed_seq;
	struct pop_conf pop = *table_pop(t);
	pop.ipv4 = p->settings->ipv4;
	return table_set_pop(t, &pop) == 0;
}

bool build_table(struct parts *p, uint64_t *seq)
{
	if (!make_table(p) || !load_snapshot(p, seq)) {
		log_error("there is not enough memory for max_tunnels = %lld",
			  (long long)p->settings->max_tunnels);
		return false;
	}
	return true;
}

bool build_workers(struct parts *p, void (*wake)(void *ctx), void *ctx)
{
	struct forwarder *f = p->forwarder;

	p->trace = trace_create(f->table, send_line, p);
	if (!p->trace) {
		log_error("no memory");
		return false;
	}
	if (!forwarder_start(f, trace_tap_watch(p->trace), wake, ctx))
		return false;
	p->errors = errors_create(f->counters, f->counter_sets);
	p->top = top_create(f->table, f->counters, f->counter_sets);
	if (!p->errors || !p->top) {
		log_error("no memory");
		return false;
	}
	table_on_free(f->table, slot_freed, p);
	return true;
}

bool build_link(struct parts *p)
{
	const struct pop_conf *pop = table_pop(p->forwarder->table);

	p->link = link_create(p->settings);
	if (!p->link)
		return false;
	if (pop->prefix_count > 0)
		link_route(p->link, pop);
	forwarder_start_fast_path(p->forwarder, p->link);
	return true;
}

/* The database hears of it at once, once there is one. */
static void fitness_changed(void *ctx)
{
	const struct parts *p = ctx;

	if (p->database)
		database_report(p->database);
}

bool build_host(struct parts *p)
{
	p->host = host_create(&(struct host_conf){ .loop = p->loop,
						   .settings = p->settings,
						   .forwarder = p->forwarder,
						   .link = p->link,
						   .changed = fitness_changed,
						   .ctx = p });
	return p->host != NULL;
}

bool build_database(struct parts *p, uint64_t seq)
{
	struct forwarder *f = p->forwarder;

	p->endpoint_scan = endpoint_scan_create(p->loop, f->table, f->workers[0]);
	p->prober = prober_create(p->loop, f->table, f->workers, f->worker_count,
				  &p->settings->expiry);
	if (!p->endpoint_scan || !p->prober) {
		log_error("no memory");
		return false;
	}
	p->database = database_create(&(struct database_conf){ .loop = p->loop,
							       .settings = p->settings,
							       .digest = p->digest,
							       .forwarder = f,
							       .link = p->link,
							       .host = p->host,
							       .checkpoint = p->checkpoint,
							       .stats = p->stats,
							       .control = p->control,
							       .started = p->started.wall,
							       .seq = seq });
	return p->database != NULL;
}

bool build_views(struct parts *p, void (*reload)(void *parts))
{
	struct forwarder *f = p->forwarder;

	*p->commands = (struct commands){ .settings = p->settings,
					  .table = f->table,
					  .counters = f->counters,
					  .counter_sets = f->counter_sets,
					  .encap = f->encap,
					  .errors = p->errors,
					  .trace = p->trace,
					  .roam = f->roam,
					  .top = p->top,
					  .facts = facts_fill,
					  .reload = reload,
					  .ctx = p };
	p->metrics = metrics_create(&(struct metrics_conf){
		.loop = p->loop,
		.at = p->settings->metrics,
		.tunnels = { .table = f->table,
			     .counters = f->counters,
			     .counter_sets = f->counter_sets,
			     .expiry = &p->settings->expiry },
		.workers = f->worker_count,
		.facts = facts_fill,
		.ctx = p,
	});
	if (!p->metrics)
		log_error("no memory for the metrics");
	return p->metrics != NULL;
}

/* Nothing is forwarded any more, then parts go before those they point to. A worker that stands
 * still uses them until the process is gone. */
void build_free(struct parts *p)
{
	if (p->forwarder && !forwarder_stop(p->forwarder))
		_exit(1);
	database_free(p->database);
	prober_free(p->prober);
	endpoint_scan_free(p->endpoint_scan);
	metrics_free(p->metrics);
	control_free(p->control);
	free(p->commands);
	top_free(p->top);
	host_free(p->host);
	link_free(p->link);
	checkpoint_free(p->checkpoint);
	store_free(p->store);
	if (p->forwarder)
		table_on_free(p->forwarder->table, NULL, NULL);
	errors_free(p->errors);
	stats_free(p->stats);
	forwarder_free(p->forwarder);
	trace_free(p->trace);
	digest_ctx_free(p->digest);
}
