#include "popd/daemon/facts.h"

#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/version.h"
#include "popd/daemon/database.h"
#include "popd/daemon/forwarder.h"
#include "popd/daemon/host.h"
#include "popd/daemon/link.h"
#include "popd/daemon/parts.h"
#include "popd/fastpath/bpf_encap.h"
#include "popd/feed/store.h"
#include "popd/observe/facts.h"
#include "popd/observe/metrics.h"
#include "popd/report/stats.h"
#include "popd/settings.h"

static void fill_tunnels(const struct forwarder *f, mono_s_t now, struct facts *out)
{
	const struct pop_conf *pop = table_pop(f->table);

	out->capacity = (uint64_t)f->settings->max_tunnels;
	out->table_bytes = table_memory(f->table);
	out->tunnels = view_tunnels(f->table, now, (uint32_t)f->settings->expiry);
	out->prefix_count = pop->prefix_count;
	memcpy(out->prefixes, pop->prefixes, pop->prefix_count * sizeof(pop->prefixes[0]));
}

/* The kernel's program has the counter sets behind the workers'. */
static void fill_traffic(const struct forwarder *f, struct facts *out)
{
	if (f->encap)
		bpf_encap_sum(f->encap);
	view_pop(f->counters, f->counter_sets, &out->traffic);
	out->has_fast_path = f->counter_sets > f->worker_count;
	view_pop(f->counters + f->worker_count, f->counter_sets - f->worker_count, &out->fast_path);
}

static void add_queue(struct facts *out, const struct worker_queue *queue)
{
	size_t i = 0;

	while (i < out->queue_count && strcmp(out->queues[i].name, queue->name) != 0)
		i++;
	if (i == out->queue_count)
		out->queues[out->queue_count++] = (struct worker_queue){ queue->name, 0 };
	out->queues[i].drops += queue->drops;
}

static void fill_workers(const struct forwarder *f, struct facts *out)
{
	struct worker_queue queues[WORKER_QUEUES];

	out->workers = f->worker_count;
	for (unsigned i = 0; i < f->worker_count; i++) {
		const struct worker_load *load = worker_load(f->workers[i]);
		histogram_read(&load->packets, &out->loads[i].packets);
		histogram_read(&load->us, &out->loads[i].us);
		histogram_read(&load->packets, &out->load.packets);
		histogram_read(&load->us, &out->load.us);
		out->stalled_s[i] = forwarder_stalled(f, i);
		size_t n = worker_queues(f->workers[i], queues);
		for (size_t k = 0; k < n; k++)
			add_queue(out, &queues[k]);
	}
	for (enum offload o = 0; o < OFFLOAD__COUNT; o++)
		out->offloads[o] = (enum offload_state)atomic_load(&f->offloads.state[o]);
}

static void fill_database(const struct database *d, struct moment now, struct facts *out)
{
	struct database_status status = database_status(d);

	out->database_up = status.up;
	out->enabled = status.enabled;
	out->feed = status.feed;
	out->loaded_at = moment_wall(now, status.feed.loaded_at);
	out->report_at = moment_wall(now, status.report_at);
}

void facts_fill(void *parts, struct facts *out)
{
	const struct parts *p = parts;
	struct moment now = moment_now();

	*out = (struct facts){
		.pop = p->settings->name,
		.version = BROKER_VERSION,
		.tun = p->settings->tun,
		.sha1 = sha1_engine_names[p->forwarder->sha1.widest],
		.ipv4 = p->settings->ipv4,
		.pid = getpid(),
		.now = now.wall,
		.started = moment_wall(now, p->started.mono),
		.log_level = log_get_level(),
		.statistics_waiting = stats_waiting(p->stats),
		.snapshot_at = moment_wall(now, store_written(p->store)),
		.snapshot_bytes = store_size(p->store),
		.metrics = metrics_state(p->metrics),
		.fitness = *host_fitness(p->host),
	};
	fill_tunnels(p->forwarder, now.mono, out);
	fill_traffic(p->forwarder, out);
	add_queue(out, &(struct worker_queue){ "tun", link_queue_drops(p->link) });
	fill_workers(p->forwarder, out);
	histogram_read(&p->late_us, &out->late_us);
	fill_database(p->database, now, out);
}
