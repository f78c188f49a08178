#include "popd/observe/metrics_gather.h"

#include "lib/version.h"
#include "popd/core/view.h"

static void gather_facts(const struct control_view *v, struct metrics_pop *out)
{
	struct control_facts f;
	uint64_t *to = out->scalars;

	v->facts(v->ctx, &f);
	to[METRICS_ENABLED] = f.enabled;
	to[METRICS_DATABASE] = f.database_up;
	to[METRICS_FEED_SEQUENCE] = f.feed.seq;
	to[METRICS_FEED_LOADED] = f.feed.loaded;
	to[METRICS_FEED_TIME] = f.feed.loaded_at;
	to[METRICS_FEED_CHANGES] = f.feed.changes;
	to[METRICS_FEED_BAD_ROWS] = f.feed.bad_rows;
	to[METRICS_REPORT_TIME] = f.report_at;
	to[METRICS_STATISTICS] = f.statistics_waiting;
	to[METRICS_SNAPSHOT_TIME] = f.snapshot_at;
	to[METRICS_SNAPSHOT_SIZE] = f.snapshot_size;
	out->late_us = f.late_us;
	out->queue_count = f.queue_count;
	for (size_t i = 0; i < f.queue_count; i++)
		out->queues[i] = f.queues[i];
}

void metrics_gather(const struct control_view *v, uint32_t now, struct metrics_pop *out)
{
	*out = (struct metrics_pop){
		.name = v->settings->name,
		.version = BROKER_VERSION,
		.sha1 = v->sha1,
		.workers = v->workers,
		.tunnels = view_tunnels(v->table, now, (uint32_t)v->settings->expiry),
	};
	gather_facts(v, out);
	out->scalars[METRICS_STARTED] = v->started;
	out->scalars[METRICS_WORKERS] = v->workers;
	out->scalars[METRICS_ACTIVE] = out->tunnels.active;
	out->scalars[METRICS_CAPACITY] = (uint64_t)v->settings->max_tunnels;
	out->scalars[METRICS_TABLE] = table_memory(v->table);
	view_pop(v->counters, v->counter_sets, &out->sums);
	for (enum offload o = 0; o < OFFLOAD__COUNT; o++)
		out->offloads[o] = (enum offload_state)atomic_load(&v->offloads->state[o]);
	for (unsigned i = 0; i < v->workers; i++)
		v->load(v->ctx, i, &out->loads[i]);
}
