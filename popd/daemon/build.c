/*
 * Making the parts of popd and taking them down. What they are told to call is wiring.c's; in which
 * order they are made is daemon.c's.
 */
#include "popd/daemon/daemon_inside.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/io/pgpool.h"
#include "lib/log.h"
#include "popd/daemon/startup.h"

enum { DATABASE_CONNECTIONS = 2, DATABASE_QUEUE = 16 };
_Static_assert((int)TRACE_WATCHERS >= (int)CONTROL_CLIENTS, "every client may follow packets");

bool build_may_start(struct popd *d)
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
	d->control = control_create(d->loop, d->settings->control, wiring_control_asked,
				    wiring_control_left, d, control_why);
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

/* What is wanted; the ports find out what there is. */
static void choose_offloads(struct popd *d)
{
	for (enum offload o = 0; o < OFFLOAD__COUNT; o++)
		atomic_init(&d->offloads.state[o],
			    d->settings->offloads[o] ? OFFLOAD_ON : OFFLOAD_OFF);
	d->sha1 = sha1_set_choose((enum sha1_engine)d->settings->sha1);
}

/* Where the kernel is to read the tunnels, they live in memory of its. */
static bool make_table(struct popd *d)
{
	size_t slots = (size_t)d->settings->max_tunnels;
	uint8_t seed[16];

	choose_offloads(d);
	if (offload_is_on(&d->offloads, OFFLOAD_BPF_ENCAP))
		d->encap = bpf_encap_create(slots, &d->offloads);
	struct tunnel *memory = d->encap ? bpf_encap_tunnels(d->encap) : NULL;
	d->digest = digest_ctx_create();
	d->table = random_bytes(seed, sizeof(seed))
			   ? table_create_in(memory, slots, d->worker_count, seed)
			   : NULL;
	if (!d->digest || !d->table)
		return false;
	d->store = store_create(d->settings->snapshot, d->settings->name, d->table);
	d->stats = stats_create(table_slots(d->table), STATS_A_SLOT, STATS_DROPS_A_SLOT);
	d->checkpoint = d->store ? checkpoint_create(d->store, wiring_feed_seq, d) : NULL;
	return d->checkpoint && d->stats;
}

/* The address is this configuration's, whatever it was when the snapshot was written. */
static void load(struct popd *d, uint64_t *seq)
{
	struct snapshot_head head = { .feed_seq = 0 };

	*seq = 0;
	if (!store_load(d->store, d->digest, &head))
		return;
	*seq = head.feed_seq;
	struct pop_conf pop = *table_pop(d->table);
	pop.ipv4 = d->settings->ipv4;
	table_set_pop(d->table, &pop);
}

bool build_table(struct popd *d, uint64_t *seq)
{
	if (!make_table(d)) {
		log_error("no memory for %lld tunnels", (long long)d->settings->max_tunnels);
		return false;
	}
	load(d, seq);
	return true;
}

static bool make_workers(struct popd *d, char why[static WORKER_WHY])
{
	const struct settings *s = d->settings;
	uint32_t n = d->worker_count;

	d->limiter = limiter_create((uint32_t)s->errors, (uint32_t)s->tunnel_errors);
	d->trace = trace_create(d->table, wiring_tell, d);
	if (!d->limiter || !d->trace)
		return false;
	struct worker_conf conf = {
		.table = d->table,
		.ipv4 = s->ipv4,
		.ayiya_port = (uint16_t)s->ayiya_port,
		.heartbeat_port = (uint16_t)s->heartbeat_port,
		.dscp = settings_dscp(s),
		.tun = s->tun,
		.count = n,
		.offloads = &d->offloads,
		.watch = trace_tap_watch(d->trace),
		.sha1 = d->sha1,
		.limiter = d->limiter,
		.expiry = (uint32_t)s->expiry,
		.wake = wiring_wake,
		.wake_ctx = d,
	};

	if (!random_bytes(conf.probe_key, sizeof(conf.probe_key)))
		return false;
	for (unsigned i = 0; i < n; i++) {
		conf.number = i;
		d->workers[i] = worker_create(&conf, why);
		if (!d->workers[i])
			return false;
		d->counters[d->counter_count++] = worker_counters(d->workers[i]);
	}
	if (d->encap)
		d->counters[d->counter_count++] = bpf_encap_counters(d->encap);
	d->errors = errors_create(d->counters, d->counter_count);
	d->events = events_create(d->table, d->store);
	if (!d->errors || !d->events)
		return false;
	table_on_free(d->table, wiring_slot_freed, d);
	return true;
}

bool build_workers(struct popd *d)
{
	char why[WORKER_WHY] = "no memory";

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
	return true;
}

bool build_link(struct popd *d)
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

void build_encap(struct popd *d)
{
	const struct settings *s = d->settings;

	if (!d->encap) {
		bpf_encap_clear(s->tun);
	} else if (link_look_up_ipv4(d->link) != 0) {
		log_warn("%s cannot ask for IPv4 routes from %s", offload_name(OFFLOAD_BPF_ENCAP),
			 s->tun);
		offload_lost(&d->offloads, OFFLOAD_BPF_ENCAP, OFFLOAD_MISSING);
	} else if (bpf_encap_start(d->encap, d->table, s->tun, s->ipv4, settings_dscp(s)) == 0) {
		bpf_encap_tick(d->encap, wiring_now(), (uint32_t)s->expiry);
	}
}

static struct pgpool *make_pool(struct popd *d)
{
	const struct settings *s = d->settings;

	snprintf(d->channel, sizeof(d->channel), "feed_%s", s->name);
	return pgpool_create(d->loop,
			     &(struct pgpool_conf){ .conninfo = s->conninfo,
						    .application = "popd",
						    .connections = DATABASE_CONNECTIONS,
						    .queue_max = DATABASE_QUEUE,
						    .connect_timeout = (double)s->connect_timeout,
						    .query_timeout = (double)s->query_timeout,
						    .listen = d->channel,
						    .notify = wiring_notified,
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
						    .pop_changed = wiring_pop_changed,
						    .table_changed = wiring_table_changed,
						    .reloaded = wiring_reload_ended,
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
		.facts = wiring_report_facts,
		.collect = wiring_collect_statistics,
		.answered = wiring_report_answered,
		.ctx = d,
	};

	if (!random_bytes(incarnation, sizeof(incarnation)))
		return NULL;
	hex_encode(incarnation, sizeof(incarnation), conf.incarnation);
	return pgreport_create(&conf);
}

bool build_database(struct popd *d, uint64_t seq)
{
	d->endpoint_scan = endpoint_scan_create(d->loop, d->table, d->workers[0]);
	d->prober = prober_create(d->loop, d->table, d->workers, d->worker_count,
				  &d->settings->expiry);
	d->pool = make_pool(d);
	d->feed = d->pool ? make_feed(d, seq) : NULL;
	d->report = d->feed ? make_report(d) : NULL;
	if (!d->report || !d->prober || !d->endpoint_scan) {
		log_error("the database connection cannot be set up: look at conninfo");
		return false;
	}
	d->view = (struct control_view){
		.settings = d->settings,
		.table = d->table,
		.counters = d->counters,
		.workers = d->worker_count,
		.counter_sets = d->counter_count,
		.errors = d->errors,
		.offloads = &d->offloads,
		.sha1 = sha1_engine_names[d->sha1.widest],
		.started = d->started,
		.facts = wiring_control_facts,
		.load = wiring_load,
		.top = wiring_top,
		.follow = wiring_follow,
		.reload = daemon_reload,
		.ctx = d,
	};
	return true;
}

bool build_metrics(struct popd *d)
{
	d->metrics = metrics_create(&(struct metrics_conf){
		.loop = d->loop,
		.at = d->settings->metrics,
		.tunnels = { .table = d->table,
			     .counters = d->counters,
			     .counter_sets = d->counter_count,
			     .expiry = &d->settings->expiry },
		.gather = wiring_metrics,
		.ctx = d,
	});
	if (!d->metrics)
		log_error("no memory for the metrics");
	return d->metrics != NULL;
}

/* The pool first: its answers go to the others. */
void build_free(struct popd *d)
{
	for (unsigned i = 0; i < d->worker_count; i++)
		if (d->workers[i])
			worker_stop(d->workers[i]);
	if (d->encap)
		bpf_encap_stop(d->encap);
	pgpool_free(d->pool);
	pgreport_free(d->report);
	pgfeed_free(d->feed);
	prober_free(d->prober);
	endpoint_scan_free(d->endpoint_scan);
	metrics_free(d->metrics);
	top_free(d->top);
	control_free(d->control);
	link_free(d->link);
	checkpoint_free(d->checkpoint);
	store_free(d->store);
	events_free(d->events);
	errors_free(d->errors);
	stats_free(d->stats);
	if (d->table)
		table_on_free(d->table, NULL, NULL);
	for (unsigned i = 0; i < d->worker_count; i++)
		worker_free(d->workers[i]);
	limiter_free(d->limiter);
	trace_free(d->trace);
	table_free(d->table);
	bpf_encap_free(d->encap);
	digest_ctx_free(d->digest);
	if (d->loop)
		ev_loop_destroy(d->loop);
	free(d);
}
