#include "popd/observe/status_json.h"

#include <unistd.h>

#include "lib/log.h"
#include "lib/version.h"
#include "popd/core/view.h"
#include "popd/observe/value_json.h"

static json_t *pop_prefixes(const struct table *t)
{
	const struct pop_conf *pop = table_pop(t);
	json_t *list = json_array();

	for (size_t i = 0; pop && i < pop->prefix_count; i++)
		(void)json_array_append_new(list, value_prefix(&pop->prefixes[i]));
	return list;
}

static json_t *tunnel_numbers(const struct control_view *v, uint32_t now)
{
	struct view_tunnels n = view_tunnels(v->table, now, (uint32_t)v->settings->expiry);

	return json_pack("{s:I, s:I, s:I, s:I}", "configured", (json_int_t)n.configured, "up",
			 (json_int_t)n.up, "active", (json_int_t)n.active, "capacity",
			 (json_int_t)v->settings->max_tunnels);
}

static json_t *feed_state(const struct pgfeed_status *f, uint32_t now)
{
	json_t *o = json_object();

	value_set(o, "loaded", json_boolean(f->loaded));
	value_set(o, "busy", json_boolean(f->busy));
	value_set(o, "seq", value_number(f->seq));
	value_set(o, "loaded_at", value_time(f->loaded_at));
	value_set(o, "loaded_age", value_age(f->loaded_at, now));
	value_set(o, "load_ms", value_number(f->load_ms));
	value_set(o, "changes", value_number(f->changes));
	value_set(o, "bad_rows", value_number(f->bad_rows));
	return o;
}

static json_t *offload_states(const struct control_view *v)
{
	json_t *o = json_object();

	for (enum offload i = 0; i < OFFLOAD__COUNT; i++)
		value_set(o, offload_name(i),
			  json_string(offload_state_name(
				  (enum offload_state)atomic_load(&v->offloads->state[i]))));
	value_set(o, "sha1", json_string(v->sha1));
	return o;
}

static json_t *metrics_server(const struct metrics_state *m)
{
	if (!m->address)
		return json_null();
	return json_pack("{s:s, s:s?}", "address", m->address, "problem", m->problem);
}

static json_t *queue_overruns(const struct control_facts *f)
{
	json_t *o = json_object();

	for (size_t i = 0; i < f->queue_count; i++)
		value_set(o, f->queues[i].name, value_number(f->queues[i].drops));
	return o;
}

static json_t *bound(const struct histogram_view *v, unsigned permille)
{
	uint64_t us = histogram_quantile(v, permille);

	return us == UINT64_MAX ? json_null() : value_number(us);
}

/* What half and 99 of a hundred keep to, in microseconds; null: more than a histogram tells apart.
 */
static json_t *latencies(const struct control_facts *f)
{
	json_t *o = json_object();

	value_set(o, "batches", value_number(histogram_count(&f->load.us)));
	value_set(o, "batch_us_p50", bound(&f->load.us, 500));
	value_set(o, "batch_us_p99", bound(&f->load.us, 990));
	value_set(o, "control_late_us_p50", bound(&f->late_us, 500));
	value_set(o, "control_late_us_p99", bound(&f->late_us, 990));
	return o;
}

/* What did not come by a worker: the kernel's program forwards into a set of counters of its own;
 * null: there is none. */
static json_t *fast_path(const struct control_view *v)
{
	struct view_pop by_kernel;

	if (v->counter_sets <= v->workers)
		return json_null();
	json_t *o = json_object();
	view_pop(v->counters + v->workers, v->counter_sets - v->workers, &by_kernel);
	value_set_measure(o, MEASURE_PACKETS_OUT, by_kernel.packets_out);
	value_set_measure(o, MEASURE_BYTES_OUT, by_kernel.bytes_out);
	return o;
}

json_t *status_json(const struct control_view *v, uint32_t now)
{
	char text[IP4_TEXT];
	struct control_facts facts;
	struct view_pop pop;
	uint64_t drops = 0;
	json_t *o = json_object();

	v->facts(v->ctx, &facts);
	view_pop(v->counters, v->counter_sets, &pop);
	for (size_t i = 1; i < DROP__COUNT; i++)
		drops += pop.drops[i].count;
	value_set(o, "pop", json_string(v->settings->name));
	value_set(o, "version", json_string(BROKER_VERSION));
	value_set(o, "enabled", json_boolean(facts.enabled));
	value_set(o, "started", value_time(v->started));
	value_set(o, "uptime", value_age(v->started, now));
	value_set(o, "pid", value_number((uint64_t)getpid()));
	value_set(o, "ipv4", json_string(ip4_text(v->settings->ipv4, text)));
	value_set(o, "tun", json_string(v->settings->tun));
	value_set(o, "tun_drops", value_number(facts.tun_drops));
	value_set(o, "workers", value_number(v->workers));
	value_set(o, "metrics", metrics_server(&facts.metrics));
	value_set(o, "queue_overruns", queue_overruns(&facts));
	value_set(o, "latency", latencies(&facts));
	value_set(o, "offloads", offload_states(v));
	value_set(o, "fast_path", fast_path(v));
	value_set(o, "log_level", json_string(log_level_name(log_get_level())));
	value_set(o, "prefixes", pop_prefixes(v->table));
	value_set(o, "tunnels", tunnel_numbers(v, now));
	value_set(o, "table_bytes", value_number(table_memory(v->table)));
	value_set(o, "database", json_string(facts.database_up ? "up" : "down"));
	value_set(o, "feed", feed_state(&facts.feed, now));
	value_set(o, "report_at", value_time(facts.report_at));
	value_set(o, "report_age", value_age(facts.report_at, now));
	value_set(o, "statistics_waiting", value_number(facts.statistics_waiting));
	value_set(o, "snapshot_at", value_time(facts.snapshot_at));
	value_set(o, "snapshot_age", value_age(facts.snapshot_at, now));
	value_set(o, "snapshot_bytes", value_number(facts.snapshot_size));
	value_set_traffic(o, &pop);
	value_set_measure(o, MEASURE_DROPS, drops);
	return o;
}
