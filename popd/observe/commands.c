#include "popd/observe/commands.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "popd/core/view.h"
#include "popd/fastpath/bpf_encap.h"
#include "popd/observe/errors.h"
#include "popd/observe/facts.h"
#include "popd/observe/top.h"
#include "popd/observe/trace.h"
#include "popd/observe/tunnel_commands.h"
#include "popd/observe/value.h"

enum { TOP_DEFAULT = 20 };
_Static_assert(TOP_MAX == 200, "the sentence about it says so");

/* ---- status ---- */

static json_t *prefixes_json(const struct facts *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->prefix_count; i++)
		(void)json_array_append_new(list, value_prefix(&f->prefixes[i]));
	return list;
}

static json_t *tunnels_json(const struct facts *f)
{
	json_t *o = json_object();

	value_set(o, "configured", value_number(f->tunnels.configured));
	value_set(o, "up", value_number(f->tunnels.up));
	value_set(o, "active", value_number(f->tunnels.active));
	value_set(o, "capacity", value_number(f->capacity));
	return o;
}

static json_t *feed_json(const struct facts *f)
{
	json_t *o = json_object();

	value_set(o, "loaded", json_boolean(f->feed.loaded));
	value_set(o, "busy", json_boolean(f->feed.busy));
	value_set(o, "seq", value_number(f->feed.seq));
	value_set(o, "loaded_at", value_time(f->loaded_at));
	value_set(o, "loaded_age", value_age(f->loaded_at, f->now));
	value_set(o, "load_ms", value_number(f->feed.load_ms));
	value_set(o, "changes", value_number(f->feed.changes));
	value_set(o, "bad_rows", value_number(f->feed.bad_rows));
	return o;
}

static json_t *offloads_json(const struct facts *f)
{
	json_t *o = json_object();

	for (enum offload i = 0; i < OFFLOAD__COUNT; i++)
		value_set(o, offload_name(i), json_string(offload_state_name(f->offloads[i])));
	value_set(o, "sha1", json_string(f->sha1));
	return o;
}

/* null: off. */
static json_t *metrics_json(const struct facts *f)
{
	if (!f->metrics.address)
		return json_null();
	return json_pack("{s:s, s:s?}", "address", f->metrics.address, "problem",
			 f->metrics.problem);
}

static json_t *queues_json(const struct facts *f)
{
	json_t *o = json_object();

	for (size_t i = 0; i < f->queue_count; i++)
		value_set(o, f->queues[i].name, value_number(f->queues[i].drops));
	return o;
}

/* null: in the last bucket, which has no upper bound. */
static json_t *quantile(const struct histogram_view *v, unsigned permille)
{
	uint64_t us = histogram_quantile(v, permille);

	return us == UINT64_MAX ? json_null() : value_number(us);
}

static json_t *latency_json(const struct facts *f)
{
	json_t *o = json_object();

	value_set(o, "batches", value_number(histogram_count(&f->load.us)));
	value_set(o, "batch_us_p50", quantile(&f->load.us, 500));
	value_set(o, "batch_us_p99", quantile(&f->load.us, 990));
	value_set(o, "control_late_us_p50", quantile(&f->late_us, 500));
	value_set(o, "control_late_us_p99", quantile(&f->late_us, 990));
	return o;
}

/* null: no program in the kernel. */
static json_t *fast_path_json(const struct facts *f)
{
	if (!f->has_fast_path)
		return json_null();
	json_t *o = json_object();
	value_set_measure(o, MEASURE_PACKETS_OUT, f->fast_path.packets_out);
	value_set_measure(o, MEASURE_BYTES_OUT, f->fast_path.bytes_out);
	return o;
}

/* The sentences of what is wrong: reasons, or warnings. */
static json_t *wrong_json(const struct facts *f, bool reasons)
{
	json_t *list = json_array();

	for (enum fitness_item i = 0; i < FITNESS__COUNT; i++)
		if (f->fitness.wrong & 1u << i && fitness_is_reason(i) == reasons)
			(void)json_array_append_new(list, json_string(f->fitness.text[i]));
	return list;
}

/* Workers that stand still. */
static json_t *stalled_json(const struct facts *f)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < f->workers; i++)
		if (f->stalled_s[i] > 0)
			(void)json_array_append_new(
				list, json_pack("{s:i, s:o, s:o}", "worker", (int)i, "since",
						value_time(f->now - f->stalled_s[i]), "seconds",
						value_number(f->stalled_s[i])));
	return list;
}

static json_t *status_json(const struct facts *f)
{
	char text[IP4_TEXT];
	json_t *o = json_object();

	value_set(o, "pop", json_string(f->pop));
	value_set(o, "version", json_string(f->version));
	value_set(o, "enabled", json_boolean(f->enabled));
	value_set(o, "reasons", wrong_json(f, true));
	value_set(o, "warnings", wrong_json(f, false));
	value_set(o, "started", value_time(f->started));
	value_set(o, "uptime", value_age(f->started, f->now));
	value_set(o, "pid", value_number((uint64_t)f->pid));
	value_set(o, "ipv4", json_string(ip4_text(f->ipv4, text)));
	value_set(o, "tun", json_string(f->tun));
	value_set(o, "workers", value_number(f->workers));
	value_set(o, "stalled_workers", stalled_json(f));
	value_set(o, "metrics", metrics_json(f));
	value_set(o, "queue_overruns", queues_json(f));
	value_set(o, "latency", latency_json(f));
	value_set(o, "offloads", offloads_json(f));
	value_set(o, "fast_path", fast_path_json(f));
	value_set(o, "log_level", json_string(log_level_name(f->log_level)));
	value_set(o, "prefixes", prefixes_json(f));
	value_set(o, "tunnels", tunnels_json(f));
	value_set(o, "table_bytes", value_number(f->table_bytes));
	value_set(o, "database", json_string(f->database_up ? "up" : "down"));
	value_set(o, "feed", feed_json(f));
	value_set(o, "report_at", value_time(f->report_at));
	value_set(o, "report_age", value_age(f->report_at, f->now));
	value_set(o, "statistics_waiting", value_number(f->statistics_waiting));
	value_set(o, "snapshot_at", value_time(f->snapshot_at));
	value_set(o, "snapshot_age", value_age(f->snapshot_at, f->now));
	value_set(o, "snapshot_bytes", value_number(f->snapshot_bytes));
	value_set_traffic(o, &f->traffic);
	value_set_measure(o, MEASURE_DROPS, view_pop_measure(&f->traffic, MEASURE_DROPS));
	return o;
}

static json_t *status(const struct commands *c, const struct request *r)
{
	struct facts facts;

	(void)r;
	c->facts(c->ctx, &facts);
	return status_json(&facts);
}

/* ---- the others about the whole PoP ---- */

static json_t *top(const struct commands *c, const struct request *r)
{
	const json_t *order = json_object_get(r->json, "by"),
		     *limit = json_object_get(r->json, "limit");
	json_int_t max = limit ? json_integer_value(limit) : TOP_DEFAULT;
	enum top_by by = TOP_BYTES;

	if (order && (!json_is_string(order) || top_by_parse(json_string_value(order), &by) != 0))
		return value_refusal("the order must be bytes, packets or drops");
	if (max < 1 || max > TOP_MAX)
		return value_refusal("the limit must be a number from 1 to 200");
	if (top_sample(c->top, mono_now()) != 0)
		return value_refusal("popd has no memory to measure the tunnels");
	return top_json(c->top, by, (size_t)max);
}

static json_t *counters(const struct commands *c, const struct request *r)
{
	struct view_pop pop;
	struct errors_view errors;

	if (json_is_true(json_object_get(r->json, "reset"))) {
		errors_reset_pop(c->errors, r->now.wall);
		return value_message("drops of the PoP are counted from now on");
	}
	json_t *o = json_object();
	view_pop(c->counters, c->counter_sets, &pop);
	errors_of_pop(c->errors, &errors);
	value_set_traffic(o, &pop);
	value_set(o, "since", value_time(errors.since));
	value_set(o, "since_age", value_age(errors.since, r->now.wall));
	value_set(o, "drops", errors_json(&errors, r->now.wall, true));
	return o;
}

static json_t *reasons(const struct commands *c, const struct request *r)
{
	json_t *list = json_array(), *o = json_object();

	(void)c;
	(void)r;
	for (enum drop d = DROP_NONE + 1; d < DROP__COUNT; d++)
		(void)json_array_append_new(
			list, json_pack("{s:s, s:s}", "name", drop_name(d), "text", drop_text(d)));
	value_set(o, "reasons", list);
	return o;
}

static json_t *set_log(const struct commands *c, const struct request *r)
{
	const char *name = json_string_value(json_object_get(r->json, "level"));
	enum log_level level;
	char text[80];

	(void)c;
	if (!name || log_level_parse(name, &level) != 0)
		return value_refusal("the log level must be error, warn, info or debug");
	log_set_level(level);
	snprintf(text, sizeof(text), "the log level is %s until the next reload",
		 log_level_name(level));
	return value_message(text);
}

static json_t *reload(const struct commands *c, const struct request *r)
{
	(void)r;
	c->reload(c->ctx);
	return NULL; /* commands_reload_answer */
}

/* ---- requests and answers ---- */

static const struct {
	const char *name;
	json_t *(*run)(const struct commands *c,
		       const struct request *r); /* NULL: answered later */
	bool follows;                            /* lines come after the answer */
} commands[] = {
	{ "status", status, false },
	{ "tunnel list", tunnel_list, false },
	{ "tunnel show", tunnel_show, false },
	{ "tunnel errors", tunnel_errors, false },
	{ "tunnel trace", tunnel_trace, true },
	{ "counters", counters, false },
	{ "reasons", reasons, false },
	{ "reload", reload, false },
	{ "log", set_log, false },
	{ "top", top, false },
};

/* Takes `o`. */
static enum control_verdict give(json_t *o, char **answer)
{
	*answer = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
	json_decref(o);
	return *answer ? CONTROL_ANSWERED : CONTROL_CLOSE;
}

static enum control_verdict run(const struct commands *c, size_t row, const struct request *r,
				char **answer)
{
	if (c->encap)
		bpf_encap_sum(c->encap);
	json_t *o = commands[row].run(c, r);
	bool follows = commands[row].follows && !json_object_get(o, "error");
	enum control_verdict verdict = o ? give(o, answer) : CONTROL_LATER;

	return follows && verdict == CONTROL_ANSWERED ? CONTROL_FOLLOWS : verdict;
}

enum control_verdict commands_handle(void *ctx, unsigned client, struct moment now,
				     const char *line, size_t len, char **answer)
{
	json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *name = json_string_value(json_object_get(json, "command"));
	enum control_verdict verdict;
	size_t i = 0;

	while (name && i < ARRAY_LEN(commands) && strcmp(commands[i].name, name) != 0)
		i++;
	if (!name)
		verdict = give(value_refusal("a request must be a JSON object with a command"),
			       answer);
	else if (i == ARRAY_LEN(commands))
		verdict = give(value_refusal("popd does not know this command"), answer);
	else
		verdict = run(ctx, i, &(struct request){ json, client, now }, answer);
	json_decref(json);
	return verdict;
}

void commands_client_left(void *ctx, unsigned client)
{
	const struct commands *c = ctx;

	if (c->trace) /* popd may end before it has started */
		trace_end(c->trace, client);
}

char *commands_reload_answer(bool good, const char *sentence)
{
	char *text = NULL;

	(void)give(good ? value_message(sentence) : value_refusal(sentence), &text);
	return text;
}
