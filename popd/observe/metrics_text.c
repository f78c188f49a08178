#include "popd/observe/metrics_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

/* Of the least or the most of no values there is no sample. */
static bool is_none(enum measure m, uint64_t v)
{
	return v == 0 && measure_how(m) != MEASURE_SUM;
}

/* "rtt_sum_us" becomes "rtt_sum_seconds_total", after a prefix. */
static const char *name_of(enum measure m, const char *prefix, char out[static NAME])
{
	const char *name = measure_name(m);
	int len = (int)strlen(name) - (is_in_us(m) ? 3 : 0);

	snprintf(out, NAME, "%s%.*s%s%s", prefix, len, name, is_in_us(m) ? "_seconds" : "",
		 type_of(m) == COUNTER ? "_total" : "");
	return out;
}

static void pop_measures(struct wr *w, const struct metrics_pop *p)
{
	char name[NAME];

	for (enum measure m = 0; m < MEASURE__COUNT; m++) {
		if (m == MEASURE_DROPS)
			continue; /* by reason, below */
		name_of(m, "", name);
		head(w, name, type_of(m), measure_text(m));
		uint64_t v = view_pop_measure(&p->sums, m);
		if (is_none(m, v))
			continue;
		wr_fmt(w, "popd_%s", name);
		value(w, v, is_in_us(m));
	}
	name_of(MEASURE_DROPS, "", name);
	head(w, name, COUNTER, measure_text(MEASURE_DROPS));
	for (enum drop d = DROP_NONE + 1; d < DROP__COUNT; d++)
		sample_of(w, name, "reason", drop_name(d), p->sums.drops[d].count);
}

/* ---- what the PoP is ---- */

static void info(struct wr *w, const struct metrics_pop *p)
{
	head(w, "info", GAUGE, "1; its labels tell what runs here");
	wr_str(w, "popd_info{");
	label(w, "version", p->version);
	wr_str(w, ",");
	label(w, "pop", p->name);
	wr_str(w, "} 1\n");
}

static void scalars(struct wr *w, const struct metrics_pop *p)
{
	static const struct {
		const char *name, *help;
		enum type type;
	} rows[] = {
#define X(e, name, type, text) { name, text, type },
		METRICS_SCALAR_LIST(X)
#undef X
	};

	for (size_t i = 0; i < METRICS_SCALAR__COUNT; i++) {
		head(w, rows[i].name, rows[i].type, rows[i].help);
		sample(w, rows[i].name, p->scalars[i]);
	}
}

static void tunnels(struct wr *w, const struct metrics_pop *p)
{
	head(w, "tunnels", GAUGE, "tunnels configured, by type and state");
	for (enum tunnel_type t = 0; t < TUNNEL_TYPE__COUNT; t++)
		for (enum view_state s = 0; s < VIEW_STATE__COUNT; s++)
			wr_fmt(w, "popd_tunnels{type=\"%s\",state=\"%s\"} %" PRIu32 "\n",
			       tunnel_type_name(t), view_state_name(s), p->tunnels.by[t][s]);
}

static void offloads(struct wr *w, const struct metrics_pop *p)
{
	head(w, "offload", GAUGE, "1 for the state that the offload is in");
	for (enum offload o = 0; o < OFFLOAD__COUNT; o++)
		for (enum offload_state s = 0; s < OFFLOAD_STATE__COUNT; s++)
			wr_fmt(w, "popd_offload{offload=\"%s\",state=\"%s\"} %d\n", offload_name(o),
			       offload_state_name(s), p->offloads[o] == s);
	head(w, "sha1_engine_info", GAUGE, "1; its label tells the widest engine for signatures");
	sample_of(w, "sha1_engine_info", "engine", p->sha1, 1);
}

static void queues(struct wr *w, const struct metrics_pop *p)
{
	head(w, "queue_overruns_total", COUNTER,
	     "packets that the kernel lost before a worker read them");
	for (size_t i = 0; i < p->queue_count; i++)
		sample_of(w, "queue_overruns_total", "queue", p->queues[i].name,
			  p->queues[i].drops);
}

/* ---- histograms ---- */

struct scale {
	bool is_us;
	uint64_t last; /* no finite bucket has a higher bound */
};

/* `who`: labels that precede the bucket's, with a comma, or none. */
static void histogram(struct wr *w, const char *name, const char *who,
		      const struct histogram_view *v, struct scale scale)
{
	uint64_t n = 0, all = histogram_count(v);
	int labels = (int)strlen(who) - (*who != '\0');

	for (size_t i = 0; histogram_bound(i) <= scale.last; i++) {
		double bound = (double)histogram_bound(i) / (scale.is_us ? MICROSECONDS : 1);
		n += v->counts[i];
		wr_fmt(w, "popd_%s_bucket{%sle=\"%.9g\"} %" PRIu64 "\n", name, who, bound, n);
	}
	wr_fmt(w, "popd_%s_bucket{%sle=\"+Inf\"} %" PRIu64 "\n", name, who, all);
	wr_fmt(w, *who ? "popd_%s_sum{%.*s}" : "popd_%s_sum%.*s", name, labels, who);
	value(w, v->sum, scale.is_us);
	wr_fmt(w, *who ? "popd_%s_count{%.*s}" : "popd_%s_count%.*s", name, labels, who);
	value(w, all, false);
}

static void latencies(struct wr *w, const struct metrics_pop *p)
{
	const struct scale time = { true, UINT64_C(1) << (HISTOGRAM_BUCKETS - 2) },
			   size = { false, JOB_BATCH };
	char who[32];

	head(w, "batch_packets", HISTOGRAM, "packets that a worker took in one go");
	for (unsigned i = 0; i < p->workers; i++) {
		snprintf(who, sizeof(who), "worker=\"%u\",", i);
		histogram(w, "batch_packets", who, &p->loads[i].packets, size);
	}
	head(w, "batch_seconds", HISTOGRAM,
	     "how long a worker was busy with what it took in one go");
	for (unsigned i = 0; i < p->workers; i++) {
		snprintf(who, sizeof(who), "worker=\"%u\",", i);
		histogram(w, "batch_seconds", who, &p->loads[i].us, time);
	}
	head(w, "control_lateness_seconds", HISTOGRAM,
	     "how much too late the control loop's clock ticked, once a second");
	histogram(w, "control_lateness_seconds", "", &p->late_us, time);
}

void metrics_text_pop(struct wr *w, const struct metrics_pop *p)
{
	info(w, p);
	scalars(w, p);
	pop_measures(w, p);
	tunnels(w, p);
	offloads(w, p);
	queues(w, p);
	latencies(w, p);
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
	if (m == MEASURE_DROPS) { /* most tunnels have met few of the reasons */
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
