/* What the parts of popd tell each other, and what they are asked on behalf of one another. */
#include "popd/daemon/daemon_inside.h"

#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "popd/core/view.h"
#include "popd/observe/metrics_gather.h"

uint32_t wiring_now(void)
{
	return (uint32_t)wall_now().s;
}

void wiring_slot_freed(void *ctx, uint32_t slot)
{
	struct popd *d = ctx;

	stats_slot_freed(d->stats, slot);
	errors_slot_freed(d->errors, slot);
	for (unsigned i = 0; i < d->counter_count; i++)
		counters_clear_slot(d->counters[i], slot);
}

uint64_t wiring_feed_seq(void *ctx)
{
	const struct popd *d = ctx;

	return pgfeed_status(d->feed).seq;
}

void wiring_pop_changed(void *ctx, const struct pop_conf *pop, bool enabled)
{
	struct popd *d = ctx;

	link_route(d->link, pop);
	if (d->encap)
		bpf_encap_set_pop(d->encap, pop);
	d->enabled = enabled;
	checkpoint_note_change(d->checkpoint);
}

void wiring_table_changed(void *ctx)
{
	struct popd *d = ctx;

	checkpoint_note_change(d->checkpoint);
}

void wiring_reload_ended(void *ctx, bool good, const char *outcome)
{
	struct popd *d = ctx;

	if (!control_has_waiting(d->control))
		return;
	char *answer = control_json_outcome(good, outcome);
	if (answer)
		control_answer_waiting(d->control, answer);
	free(answer);
}

void wiring_notified(void *ctx, const char *payload)
{
	struct popd *d = ctx;

	(void)payload;
	if (d->feed)
		pgfeed_wake(d->feed);
}

void wiring_report_facts(void *ctx, struct pgreport_facts *out)
{
	struct popd *d = ctx;
	struct view_tunnels n = view_tunnels(d->table, wiring_now(), (uint32_t)d->settings->expiry);

	*out = (struct pgreport_facts){ n.configured, n.up, n.active, wiring_feed_seq(d) };
}

void wiring_collect_statistics(void *ctx)
{
	struct popd *d = ctx;

	stats_collect(d->stats, d->table, d->counters, d->counter_count, wall_now());
}

/* An operator who disables a PoP takes it out of the broker's offers; its tunnels go on until he
 * disables those or stops popd. */
void wiring_report_answered(void *ctx, bool enabled, uint64_t seq)
{
	struct popd *d = ctx;

	if (enabled != d->enabled)
		log_info(
			enabled ? "the broker has enabled this PoP"
				: "the broker has disabled this PoP; its tunnels keep working as long as popd runs");
	d->enabled = enabled;
	pgfeed_heard_seq(d->feed, seq);
}

void wiring_load(void *ctx, unsigned worker, struct view_load *out)
{
	const struct popd *d = ctx;
	const struct worker_load *load = worker_load(d->workers[worker]);

	histogram_read(&load->packets, &out->packets);
	histogram_read(&load->us, &out->us);
}

/* To those of the same name. */
static void add_queues(const struct worker *w, struct control_facts *out)
{
	struct worker_queue queues[WORKER_QUEUES];
	size_t n = worker_queues(w, queues);

	for (size_t i = 0; i < n; i++) {
		size_t k = 0;
		while (k < out->queue_count && strcmp(out->queues[k].name, queues[i].name) != 0)
			k++;
		if (k == out->queue_count)
			out->queues[out->queue_count++] = (struct worker_queue){ queues[i].name,
										 0 };
		out->queues[k].drops += queues[i].drops;
	}
}

struct top *wiring_top(void *ctx)
{
	struct popd *d = ctx;

	if (!d->top)
		d->top = top_create(table_slots(d->table));
	if (d->top)
		top_look(d->top, d->table, d->counters, d->counter_count, mono_now());
	return d->top;
}

void wiring_metrics(void *ctx, struct metrics_pop *out)
{
	const struct popd *d = ctx;

	if (d->encap)
		bpf_encap_sum(d->encap);
	metrics_gather(&d->view, wiring_now(), out);
}

void wiring_control_facts(void *ctx, struct control_facts *out)
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
		.metrics = metrics_state(d->metrics),
	};
	histogram_read(&d->late_us, &out->late_us);
	for (unsigned i = 0; i < d->worker_count; i++)
		wiring_load(d, i, &out->load);
	out->queues[out->queue_count++] = (struct worker_queue){ "tun", out->tun_drops };
	for (unsigned i = 0; i < d->worker_count; i++)
		add_queues(d->workers[i], out);
}

enum control_verdict wiring_control_asked(void *ctx, unsigned client, const char *line, size_t len,
					  char **answer)
{
	struct popd *d = ctx;

	if (d->encap)
		bpf_encap_sum(d->encap);
	d->view.client = client;
	return control_json_handle(&d->view, wiring_now(), line, len, answer);
}

/* Also when popd ends before it has quite begun. */
void wiring_control_left(void *ctx, unsigned client)
{
	struct popd *d = ctx;

	if (d->trace)
		trace_end(d->trace, client);
}

void wiring_follow(void *ctx, unsigned client, const struct trace_filter *filter)
{
	struct popd *d = ctx;

	trace_begin(d->trace, client, filter);
}

bool wiring_tell(void *ctx, unsigned client, const char *line, size_t len)
{
	struct popd *d = ctx;

	return control_tell(d->control, client, line, len);
}

void wiring_wake(void *ctx)
{
	struct popd *d = ctx;

	ev_async_send(d->loop, &d->wake);
}
