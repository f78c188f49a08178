#include "popd/core/view.h"

#include <sched.h>

static uint64_t get64(const _Atomic uint64_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

static uint32_t get32(const _Atomic uint32_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

/* The smaller one; 0: none. */
static uint32_t min_known(uint32_t a, uint32_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

static const char *const state_names[] = {
	[VIEW_UP] = "up", [VIEW_DOWN] = "down", [VIEW_DISABLED] = "disabled"
};
_Static_assert(ARRAY_LEN(state_names) == VIEW_STATE__COUNT, "every state has a name");

const char *view_state_name(enum view_state s)
{
	return s < VIEW_STATE__COUNT ? state_names[s] : "?";
}

enum view_state view_state(const struct tunnel *t, const struct tunnel_conf *c, mono_s_t now,
			   uint32_t expiry)
{
	if (!c->enabled)
		return VIEW_DISABLED;
	return tunnel_is_up(t, c, now, expiry) ? VIEW_UP : VIEW_DOWN;
}

struct view_tunnels view_tunnels(struct table *t, mono_s_t now, uint32_t expiry)
{
	struct view_tunnels v = { .configured = (uint32_t)table_count(t) };
	size_t slots = table_slots(t), left = v.configured;

	for (size_t i = 0; i < slots && left > 0; i++) {
		const struct tunnel *tunnel = table_slot(t, i);
		const struct tunnel_conf *c = atomic_load_explicit(&tunnel->conf,
								   memory_order_relaxed);
		if (!c)
			continue;
		left--;
		enum view_state state = view_state(tunnel, c, now, expiry);
		v.by[c->type][state]++;
		if (state != VIEW_UP)
			continue;
		mono_s_t heard = tunnel_last_heard(tunnel);
		v.up++;
		v.active += heard.s != 0 && (heard.s >= now.s || now.s - heard.s <= VIEW_ACTIVE);
	}
	return v;
}

/* A worker writes a record in some nanoseconds, unless it loses its core meanwhile. */
bool view_note(const struct drop_record *r, struct drop_note *out)
{
	enum { TRIES = 1000 };
	enum drop_record_state state;

	for (int i = 0; (state = drop_record_read(r, out)) == DROP_RECORD_BUSY && i < TRIES; i++)
		sched_yield();
	return state == DROP_RECORD_READ;
}

static void add_drop(struct view_drop *sum, const struct pop_drops *d)
{
	struct drop_note note;

	sum->count += get64(&d->count);
	if (view_note(&d->last, &note) && note.time > sum->time) {
		sum->time = note.time;
		sum->tunnel = note.tunnel;
		sum->from = note.refused ? 0 : note.peer;
	}
}

void view_pop(struct counters *const *workers, size_t n, struct view_pop *out)
{
	*out = (struct view_pop){ 0 };
	for (size_t i = 0; i < n; i++) {
		const struct counters *c = workers[i];
		out->packets_in += get64(&c->packets_in);
		out->bytes_in += get64(&c->bytes_in);
		out->packets_out += get64(&c->packets_out);
		out->bytes_out += get64(&c->bytes_out);
		out->beats += get64(&c->beats);
		out->moves += get64(&c->moves);
		out->path_challenges += get64(&c->path_challenges);
		out->path_responses += get64(&c->path_responses);
		out->answers += get64(&c->answers);
		out->answers_limited += get64(&c->answers_limited);
		out->sent += get64(&c->echo_sent);
		out->received += get64(&c->echo_received);
		out->rtt_sum_us += get64(&c->rtt_sum_us);
		uint32_t max = get32(&c->rtt_max_us);
		out->rtt_min_us = min_known(out->rtt_min_us, get32(&c->rtt_min_us));
		out->rtt_max_us = max > out->rtt_max_us ? max : out->rtt_max_us;
		for (size_t d = 0; d < DROP__COUNT; d++)
			add_drop(&out->drops[d], &c->drops[d]);
	}
}

uint64_t view_pop_measure(const struct view_pop *v, enum measure m)
{
	uint64_t drops = 0;

	for (size_t i = 0; i < DROP__COUNT; i++)
		drops += v->drops[i].count;
	const uint64_t values[MEASURE__COUNT] = {
		[MEASURE_SENT] = v->sent,
		[MEASURE_RECEIVED] = v->received,
		[MEASURE_RTT_MIN] = v->rtt_min_us,
		[MEASURE_RTT_SUM] = v->rtt_sum_us,
		[MEASURE_RTT_MAX] = v->rtt_max_us,
		[MEASURE_PACKETS_IN] = v->packets_in,
		[MEASURE_BYTES_IN] = v->bytes_in,
		[MEASURE_PACKETS_OUT] = v->packets_out,
		[MEASURE_BYTES_OUT] = v->bytes_out,
		[MEASURE_DROPS] = drops,
		[MEASURE_KEEPALIVES] = v->beats,
		[MEASURE_ENDPOINT_MOVES] = v->moves,
		[MEASURE_PATH_CHALLENGES] = v->path_challenges,
		[MEASURE_PATH_RESPONSES] = v->path_responses,
		[MEASURE_ICMP_ERRORS_SENT] = v->answers,
		[MEASURE_ICMP_ERRORS_LIMITED] = v->answers_limited,
	};

	return values[m];
}

void view_tunnel(struct counters *const *workers, size_t n, uint32_t slot, struct view_tunnel *out)
{
	*out = (struct view_tunnel){ 0 };
	for (size_t i = 0; i < n; i++) {
		const struct tunnel_counters *t = &workers[i]->tunnels[slot];
		uint32_t max = get32(&t->rtt_max_us);

		out->packets_in += get64(&t->packets_in);
		out->bytes_in += get64(&t->bytes_in);
		out->packets_out += get64(&t->packets_out);
		out->bytes_out += get64(&t->bytes_out);
		out->rtt_sum_us += get64(&t->rtt_sum_us);
		out->sent += get32(&t->echo_sent);
		out->received += get32(&t->echo_received);
		out->rtt_min_us = min_known(out->rtt_min_us, get32(&t->rtt_min_us));
		out->rtt_max_us = max > out->rtt_max_us ? max : out->rtt_max_us;
		counters_add_drops(workers[i], slot, out->drops);
	}
}

uint64_t view_tunnel_measure(const struct view_tunnel *v, enum measure m)
{
	uint64_t drops = 0;

	switch (m) {
	case MEASURE_SENT:
		return v->sent;
	case MEASURE_RECEIVED:
		return v->received;
	case MEASURE_RTT_MIN:
		return v->rtt_min_us;
	case MEASURE_RTT_SUM:
		return v->rtt_sum_us;
	case MEASURE_RTT_MAX:
		return v->rtt_max_us;
	case MEASURE_PACKETS_IN:
		return v->packets_in;
	case MEASURE_BYTES_IN:
		return v->bytes_in;
	case MEASURE_PACKETS_OUT:
		return v->packets_out;
	case MEASURE_BYTES_OUT:
		return v->bytes_out;
	case MEASURE_DROPS:
		for (size_t i = 0; i < DROP__COUNT; i++)
			drops += v->drops[i];
		return drops;
	default:
		return 0;
	}
}

static uint64_t all_drops(const struct counters *c, uint32_t slot)
{
	uint64_t by_reason[DROP__COUNT] = { 0 }, sum = 0;

	counters_add_drops(c, slot, by_reason);
	for (size_t i = 0; i < DROP__COUNT; i++)
		sum += by_reason[i];
	return sum;
}

void view_totals(struct counters *const *workers, size_t n, uint32_t slot, struct view_totals *out)
{
	*out = (struct view_totals){ 0 };
	for (size_t i = 0; i < n; i++) {
		const struct tunnel_counters *t = &workers[i]->tunnels[slot];

		out->packets_in += get64(&t->packets_in);
		out->bytes_in += get64(&t->bytes_in);
		out->packets_out += get64(&t->packets_out);
		out->bytes_out += get64(&t->bytes_out);
		if (get32(&t->drops) != 0)
			out->drops += all_drops(workers[i], slot);
	}
}
