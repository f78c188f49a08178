#include "popd/observe/metrics_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "popd/observe/facts.h"

enum type { COUNTER, GAUGE, HISTOGRAM };
static const char *const type_names[] = {
	[COUNTER] = "counter", [GAUGE] = "gauge", [HISTOGRAM] = "histogram"
};

enum { NAME = 64, MICROSECONDS = 1000000 };

/* ---- the format ---- */

static void head(struct wr *w, const char *name, enum type type, const char *help)
{
	wr_fmt(w, "# HELP popd_%s %s\n# TYPE popd_%s %s\n", name, help, name, type_names[type]);
}

/* A label's value: backslash, quote and newline are escaped. */
static void label(struct wr *w, const char *name, const char *value)
{
	wr_fmt(w, "%s=\"", name);
	for (const char *p = value; *p; p++) {
		if (*p == '\n')
			wr_str(w, "\\n");
		else if (*p == '\\' || *p == '"')
			wr_fmt(w, "\\%c", *p);
		else
			wr_u8(w, (uint8_t)*p);
	}
	wr_str(w, "\"");
}

static void sample(struct wr *w, const char *name, uint64_t value)
{
	wr_fmt(w, "popd_%s %" PRIu64 "\n", name, value);
}

static void sample_of(struct wr *w, const char *name, const char *what, const char *which,
		      uint64_t value)
{
	wr_fmt(w, "popd_%s{", name);
	label(w, what, which);
	wr_fmt(w, "} %" PRIu64 "\n", value);
}

/* Microseconds, if that is the unit, as seconds. */
static void value(struct wr *w, uint64_t v, bool is_us)
{
	if (is_us)
		wr_fmt(w, " %" PRIu64 ".%06" PRIu64 "\n", v / MICROSECONDS, v % MICROSECONDS);
	else
		wr_fmt(w, " %" PRIu64 "\n", v);
}

/* ---- measures ---- */

static bool is_in_us(enum measure m)
{
	return strcmp(measure_unit(m), "microseconds") == 0;
}

static enum type type_of(enum measure m)
{
	return measure_how(m) == MEASURE_SUM ? COUNTER : GAUGE;
}

/* A minimum or maximum of no values: there is no sample. */
static bool is_none(enum measure m, uint64_t v)
{
	return v == 0 && measure_how(m) != MEASURE_SUM;
}

/* "sent" and "received" alone would be taken for all packets. */
static bool is_probe(enum measure m)
{
	return m == MEASURE_SENT || m == MEASURE_RECEIVED;
}

/* "rtt_sum_us" becomes "rtt_sum_seconds_total", after a prefix. */
static const char *name_of(enum measure m, const char *prefix, char out[static NAME])
{
	const char *name = measure_name(m);
	int len = (int)strlen(name) - (is_in_us(m) ? 3 : 0);

	snprintf(out, NAME, "%s%s%.*s%s%s", prefix, is_probe(m) ? "probes_" : "", len, name,
		 is_in_us(m) ? "_seconds" : "", type_of(m) == COUNTER ? "_total" : "");
	return out;
}

static void pop_measures(struct wr *w, const struct facts *f)
{
	char name[NAME];

	for (enum measure m = 0; m < MEASURE__COUNT; m++) {
		if (m == MEASURE_DROPS)
			continue; /* by reason, below */
		name_of(m, "", name);
		head(w, name, type_of(m), measure_text(m));
		uint64_t v = view_pop_measure(&f->traffic, m);
		if (is_none(m, v))
			continue;
		wr_fmt(w, "popd_%s", name);
		value(w, v, is_in_us(m));
	}
	name_of(MEASURE_DROPS, "", name);
	head(w, name, COUNTER, measure_text(MEASURE_DROPS));
	for (enum drop d = DROP_NONE + 1; d < DROP__COUNT; d++)
		sample_of(w, name, "reason", drop_name(d), f->traffic.drops[d].count);
}

/* ---- the PoP ---- */

static void info(struct wr *w, const struct facts *f)
{
	head(w, "info", GAUGE, "1, labelled with popd's version and the PoP's name");
	wr_str(w, "popd_info{");
	label(w, "version", f->version);
	wr_str(w, ",");
	label(w, "pop", f->pop);
	wr_str(w, "} 1\n");
}

/* Times are seconds since 1970, 0: never. */
static void scalars(struct wr *w, const struct facts *f)
{
	const struct {
		const char *name;
		enum type type;
		const char *help;
		uint64_t value;
	} rows[] = {
		{ "start_time_seconds", GAUGE, "when popd started, in seconds since 1970",
		  f->started },
		{ "enabled", GAUGE, "1 while the broker has this PoP enabled", f->enabled },
		{ "workers", GAUGE, "forwarding threads", f->workers },
		{ "tunnels_active", GAUGE,
		  "tunnels up whose client sent a valid packet in the last five minutes",
		  f->tunnels.active },
		{ "tunnels_capacity", GAUGE, "tunnels that popd can hold, max_tunnels",
		  f->capacity },
		{ "table_bytes", GAUGE, "memory that the tunnel table uses", f->table_bytes },
		{ "database_up", GAUGE, "1 while the database answers", f->database_up },
		{ "feed_sequence", GAUGE,
		  "sequence number of the broker's last change that is in force here",
		  f->feed.seq },
		{ "feed_loaded", GAUGE,
		  "1 once all tunnels have been loaded from the database since the start",
		  f->feed.loaded },
		{ "feed_loaded_timestamp_seconds", GAUGE,
		  "when all tunnels were last loaded, 0: never", f->loaded_at },
		{ "feed_changes_total", COUNTER, "changes of the broker applied since that load",
		  f->feed.changes },
		{ "feed_bad_rows_total", COUNTER, "rows of the database that could not be used",
		  f->feed.bad_rows },
		{ "report_timestamp_seconds", GAUGE,
		  "when the database last acknowledged a report, 0: never", f->report_at },
		{ "statistics_waiting", GAUGE,
		  "entries of statistics that the database has not acknowledged",
		  f->statistics_waiting },
		{ "snapshot_timestamp_seconds", GAUGE,
		  "when the snapshot was last written, 0: never", f->snapshot_at },
		{ "snapshot_bytes", GAUGE, "size of the snapshot", f->snapshot_bytes },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		head(w, rows[i].name, rows[i].type, rows[i].help);
		sample(w, rows[i].name, rows[i].value);
	}
}

static void tunnels(struct wr *w, const struct facts *f)
{
	head(w, "tunnels", GAUGE, "tunnels configured, by type and state");
	for (enum tunnel_type t = 0; t < TUNNEL_TYPE__COUNT; t++)
		for (enum view_state s = 0; s < VIEW_STATE__COUNT; s++)
			wr_fmt(w, "popd_tunnels{type=\"%s\",state=\"%s\"} %" PRIu32 "\n",
			       tunnel_type_name(t), view_state_name(s), f->tunnels.by[t][s]);
}

static void offloads(struct wr *w, const struct facts *f)
{
	head(w, "offload", GAUGE, "1 for the present state of each offload, 0 for the others");
	for (enum offload o = 0; o < OFFLOAD__COUNT; o++)
		for (enum offload_state s = 0; s < OFFLOAD_STATE__COUNT; s++)
			wr_fmt(w, "popd_offload{offload=\"%s\",state=\"%s\"} %d\n", offload_name(o),
			       offload_state_name(s), f->offloads[o] == s);
	head(w, "sha1_engine_info", GAUGE, "1, labelled with the widest SHA-1 engine in use");
	sample_of(w, "sha1_engine_info", "engine", f->sha1, 1);
}

static void queues(struct wr *w, const struct facts *f)
{
	head(w, "queue_overruns_total", COUNTER,
	     "packets that the kernel dropped since popd's queue was full, by queue");
	for (size_t i = 0; i < f->queue_count; i++)
		sample_of(w, "queue_overruns_total", "queue", f->queues[i].name,
			  f->queues[i].drops);
}

/* ---- histograms ---- */

struct scale {
	bool is_us;
	uint64_t last; /* no finite bucket has a higher bound */
};

/* `labels` precede the bucket's, with a comma; or none. */
static void histogram(struct wr *w, const char *name, const char *labels,
		      const struct histogram_view *v, struct scale scale)
{
	uint64_t n = 0, all = histogram_count(v);
	int len = (int)strlen(labels) - (*labels != '\0');

	for (size_t i = 0; histogram_bound(i) <= scale.last; i++) {
		double bound = (double)histogram_bound(i) / (scale.is_us ? MICROSECONDS : 1);
		n += v->counts[i];
		wr_fmt(w, "popd_%s_bucket{%sle=\"%.9g\"} %" PRIu64 "\n", name, labels, bound, n);
	}
	wr_fmt(w, "popd_%s_bucket{%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, all);
	wr_fmt(w, *labels ? "popd_%s_sum{%.*s}" : "popd_%s_sum%.*s", name, len, labels);
	value(w, v->sum, scale.is_us);
	wr_fmt(w, *labels ? "popd_%s_count{%.*s}" : "popd_%s_count%.*s", name, len, labels);
	value(w, all, false);
}

static void fitness(struct wr *w, const struct facts *f)
{
	head(w, "fit", GAUGE, "1 while nothing of the host keeps this PoP from carrying packets");
	sample(w, "fit", fitness_reasons(&f->fitness) == 0);
	head(w, "host_problem", GAUGE, "1 while this is wrong with the host, by what it is");
	for (enum fitness_item i = 0; i < FITNESS__COUNT; i++)
		sample_of(w, "host_problem", "problem", fitness_name(i), f->fitness.wrong >> i & 1);
}

static void stalled(struct wr *w, const struct facts *f)
{
	head(w, "worker_stalled_seconds", GAUGE,
	     "how long a worker has stood still, 0: it does not");
	for (unsigned i = 0; i < f->workers; i++)
		wr_fmt(w, "popd_worker_stalled_seconds{worker=\"%u\"} %" PRIu32 "\n", i,
		       f->stalled_s[i]);
}

static void latencies(struct wr *w, const struct facts *f)
{
	const struct scale time = { true, UINT64_C(1) << (HISTOGRAM_BUCKETS - 2) },
			   size = { false, JOB_BATCH };
	char labels[32];

	head(w, "batch_packets", HISTOGRAM, "packets in a worker's batch");
	for (unsigned i = 0; i < f->workers; i++) {
		snprintf(labels, sizeof(labels), "worker=\"%u\",", i);
		histogram(w, "batch_packets", labels, &f->loads[i].packets, size);
	}
	head(w, "batch_seconds", HISTOGRAM, "time that a worker spent on a batch");
	for (unsigned i = 0; i < f->workers; i++) {
		snprintf(labels, sizeof(labels), "worker=\"%u\",", i);
		histogram(w, "batch_seconds", labels, &f->loads[i].us, time);
	}
	head(w, "control_lateness_seconds", HISTOGRAM,
	     "delay of the control thread's timer, which is due once a second");
	histogram(w, "control_lateness_seconds", "", &f->late_us, time);
}

void metrics_text_pop(struct wr *w, const struct facts *f)
{
	info(w, f);
	scalars(w, f);
	pop_measures(w, f);
	tunnels(w, f);
	offloads(w, f);
	queues(w, f);
	fitness(w, f);
	stalled(w, f);
	latencies(w, f);
}

/* ---- tunnels ---- */

static enum measure measure_of(size_t family)
{
	return (enum measure)(family - 1);
}

void metrics_text_tunnel_head(struct wr *w, size_t family)
{
	char name[NAME];

	if (family == 0)
		head(w, "tunnel_up", GAUGE, "1 while the tunnel is up");
	else
		head(w, name_of(measure_of(family), "tunnel_", name), type_of(measure_of(family)),
		     measure_text(measure_of(family)));
}

size_t metrics_text_tunnel_parts(size_t family)
{
	return family > 0 && measure_of(family) == MEASURE_DROPS ? DROP__COUNT : 1;
}

void metrics_text_tunnel(struct wr *w, size_t family, size_t part, const struct metrics_tunnel *t)
{
	char name[NAME];

	if (family == 0) {
		wr_fmt(w, "popd_tunnel_up{tunnel=\"T%" PRIu32 "\",type=\"%s\"} %d\n", t->id,
		       tunnel_type_name(t->type), t->up);
		return;
	}
	enum measure m = measure_of(family);
	name_of(m, "tunnel_", name);
	if (m == MEASURE_DROPS) { /* only reasons that occurred: few do */
		if (t->sums.drops[part] > 0)
			wr_fmt(w, "popd_%s{tunnel=\"T%" PRIu32 "\",reason=\"%s\"} %" PRIu64 "\n",
			       name, t->id, drop_name((enum drop)part), t->sums.drops[part]);
		return;
	}
	uint64_t v = view_tunnel_measure(&t->sums, m);
	if (is_none(m, v))
		return;
	wr_fmt(w, "popd_%s{tunnel=\"T%" PRIu32 "\"}", name, t->id);
	value(w, v, is_in_us(m));
}

/* ---- the walk ---- */

/* Writes the lines that the walk's slot has of its family, from the walk's part on; false: not all
 * fit. */
static bool write_tunnel(struct metrics_walk *walk, const struct metrics_tunnels *of, mono_s_t now,
			 struct wr *w)
{
	const struct tunnel *t = table_slot(of->table, walk->slot);
	const struct tunnel_conf *c = atomic_load_explicit(&t->conf, memory_order_relaxed);
	size_t parts = metrics_text_tunnel_parts(walk->family);

	if (!c)
		return true;
	struct metrics_tunnel m = {
		.id = c->id,
		.type = (enum tunnel_type)c->type,
		.up = tunnel_is_up(t, c, now, (uint32_t)*of->expiry),
	};
	view_tunnel(of->counters, of->counter_sets, t->slot, &m.sums);
	for (; walk->part < parts; walk->part++) {
		struct wr before = *w;
		metrics_text_tunnel(w, walk->family, walk->part, &m);
		if (!wr_ok(w)) {
			*w = before;
			return false;
		}
	}
	return true;
}

static bool write_head(struct metrics_walk *walk, struct wr *w)
{
	struct wr before = *w;

	if (walk->headed)
		return true;
	metrics_text_tunnel_head(w, walk->family);
	walk->headed = wr_ok(w);
	if (!walk->headed)
		*w = before;
	return walk->headed;
}

size_t metrics_walk_next(struct metrics_walk *walk, const struct metrics_tunnels *of, mono_s_t now,
			 char *buf, size_t size)
{
	struct wr w = wr_init(buf, size);

	for (size_t visited = 0; walk->family < METRICS_TUNNEL_FAMILIES; walk->family++) {
		if (!write_head(walk, &w))
			return wr_len(&w);
		for (; walk->slot < table_slots_used(of->table); walk->slot++) {
			if (visited++ == METRICS_WALK_SLOTS) {
				/* nothing to say yet: an empty line is harmless, and not the end */
				if (wr_len(&w) == 0)
					wr_str(&w, "\n");
				return wr_len(&w);
			}
			if (!write_tunnel(walk, of, now, &w))
				return wr_len(&w);
			walk->part = 0;
		}
		walk->slot = 0;
		walk->headed = false;
	}
	return wr_len(&w);
}
