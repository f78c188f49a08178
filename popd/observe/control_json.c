#include "popd/observe/control_json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "lib/num.h"
#include "popd/core/encap.h"
#include "popd/core/measure.h"
#include "popd/core/path.h"
#include "popd/core/view.h"
#include "popd/observe/errors_json.h"
#include "popd/observe/status_json.h"
#include "popd/observe/top_json.h"
#include "popd/observe/value_json.h"

enum { TOP_DEFAULT = 20 };
_Static_assert(TOP_MAX == 200, "the sentence about it says so");

static json_t *refusal(const char *sentence)
{
	json_t *o = json_object();

	value_set(o, "error", json_string(sentence));
	return o;
}

static json_t *message(const char *text)
{
	json_t *o = json_object();

	value_set(o, "message", json_string(text));
	return o;
}

/* ---- tunnels ---- */

static json_t *tunnel_line(const struct control_view *v, const struct tunnel *t,
			   const struct tunnel_conf *c, uint32_t now)
{
	uint32_t heard = atomic_load_explicit(&t->heard, memory_order_relaxed);
	struct view_tunnel n;
	json_t *o = json_object();

	view_tunnel(v->counters, v->counter_sets, t->slot, &n);
	value_set(o, "id", value_tunnel(c->id));
	value_set(o, "type", json_string(tunnel_type_name(c->type)));
	value_set(
		o, "state",
		json_string(view_state_name(view_state(t, c, now, (uint32_t)v->settings->expiry))));
	value_set(o, "client", value_address(tunnel_client(c)));
	value_set(o, "endpoint",
		  value_endpoint(atomic_load_explicit(&t->endpoint, memory_order_relaxed)));
	value_set(o, "heard", value_time(heard));
	value_set(o, "heard_age", value_age(heard, now));
	value_set_measure(o, MEASURE_PACKETS_IN, n.packets_in);
	value_set_measure(o, MEASURE_BYTES_IN, n.bytes_in);
	value_set_measure(o, MEASURE_PACKETS_OUT, n.packets_out);
	value_set_measure(o, MEASURE_BYTES_OUT, n.bytes_out);
	return o;
}

static bool is_listed(const struct control_view *v, const struct tunnel *t,
		      const struct tunnel_conf *c, bool all, uint32_t now)
{
	return c && (all || tunnel_is_up(t, c, now, (uint32_t)v->settings->expiry));
}

static json_t *tunnel_list(const struct control_view *v, uint32_t now, const json_t *request)
{
	bool all = json_is_true(json_object_get(request, "all"));
	json_int_t after = json_integer_value(json_object_get(request, "after"));
	size_t slots = table_slots(v->table), i = after > 0 ? (size_t)after : 0, told = 0;
	size_t end = i < slots && slots - i > CONTROL_PAGE_SLOTS ? i + CONTROL_PAGE_SLOTS : slots;
	json_t *list = json_array(), *o = json_object();

	for (; i < end && told < CONTROL_PAGE; i++) {
		const struct tunnel *t = table_slot(v->table, i);
		const struct tunnel_conf *c = atomic_load_explicit(&t->conf, memory_order_relaxed);
		if (!is_listed(v, t, c, all, now))
			continue;
		(void)json_array_append_new(list, tunnel_line(v, t, c, now));
		told++;
	}
	value_set(o, "tunnels", list);
	value_set(o, "configured", value_number(table_count(v->table)));
	value_set(o, "next", i < slots ? value_number(i) : json_null());
	return o;
}

/* The newest of the rows, or null. */
static json_t *last_drop(json_t *rows)
{
	json_t *row, *newest = NULL;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		json_t *age = json_object_get(row, "age");
		if (json_is_integer(age) &&
		    (!newest ||
		     json_integer_value(age) < json_integer_value(json_object_get(newest, "age"))))
			newest = row;
	}
	return newest ? json_incref(newest) : json_null();
}

static json_t *liveness(const struct view_tunnel *n)
{
	json_t *o = json_object();

	value_set_measure(o, MEASURE_SENT, n->sent);
	value_set_measure(o, MEASURE_RECEIVED, n->received);
	value_set(o, measure_name(MEASURE_RTT_MIN),
		  n->received ? value_number(n->rtt_min_us) : json_null());
	value_set_measure(o, MEASURE_RTT_SUM, n->rtt_sum_us);
	value_set(o, "rtt_avg_us",
		  n->received ? value_number(n->rtt_sum_us / n->received) : json_null());
	value_set(o, measure_name(MEASURE_RTT_MAX),
		  n->received ? value_number(n->rtt_max_us) : json_null());
	return o;
}

static json_t *tunnel_routes(const struct tunnel_conf *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->route_count; i++)
		(void)json_array_append_new(list, value_prefix(&c->routes[i]));
	return list;
}

static json_t *tunnel_everything(const struct control_view *v, const struct tunnel *t,
				 const struct tunnel_conf *c, uint32_t now)
{
	const struct prefix6 net = { c->net, 64 };
	uint64_t endpoint = atomic_load_explicit(&t->endpoint, memory_order_relaxed);
	uint64_t path = atomic_load_explicit(&t->path, memory_order_relaxed);
	uint32_t path_takes = path_mtu(path, now);
	struct errors_view errors;
	struct view_tunnel n;
	json_t *o = tunnel_line(v, t, c, now), *drops;

	errors_of_tunnel(v->errors, t->slot, &errors);
	drops = errors_json_rows(&errors, now, false);
	view_tunnel(v->counters, v->counter_sets, t->slot, &n);
	value_set(o, "enabled", json_boolean(c->enabled));
	value_set(o, "prefix", value_prefix(&net));
	value_set(o, "pop", value_address(tunnel_pop(c)));
	value_set(o, "mtu", value_number(c->mtu));
	value_set(o, "path_mtu", path_takes ? value_number(path_takes) : json_null());
	value_set(o, "path_mtu_age", path_takes ? value_age(path_since(path), now) : json_null());
	value_set(o, "effective_mtu", value_number(encap_mtu(t, c, endpoint, now)));
	value_set(o, "routes", tunnel_routes(c));
	value_set(o, "signature",
		  c->type == TUNNEL_AYIYA && endpoint
			  ? json_string(endpoint_flags(endpoint) & ENDPOINT_SHA256 ? "sha256"
										   : "sha1")
			  : json_null());
	value_set(o, "newest_epoch",
		  value_time(atomic_load_explicit(&t->newest, memory_order_relaxed)));
	value_set(o, "liveness", liveness(&n));
	value_set(o, "last_drop", last_drop(drops));
	value_set(o, "drops", drops);
	return o;
}

/* By "T7", "7" or an address; NULL with a sentence. */
static struct tunnel *find_tunnel(const struct control_view *v, const char *what, char *why,
				  size_t size)
{
	uint32_t id;
	struct ip6 ip;

	if (num_parse_tunnel_id(what, strlen(what), &id) == 0) {
		struct tunnel *t = table_by_id(v->table, id);
		if (!t)
			snprintf(why, size, "there is no tunnel T%" PRIu32 " on this PoP", id);
		return t;
	}
	if (ip6_parse(what, strlen(what), &ip) == 0) {
		struct tunnel *t = table_lookup(v->table, &ip).tunnel;
		if (!t)
			snprintf(why, size, "%.*s belongs to no tunnel of this PoP", IP6_TEXT,
				 what);
		return t;
	}
	snprintf(why, size, "a tunnel is named by its number (T7) or by an IPv6 address of it");
	return NULL;
}

/* The one that the request names, with its configuration; or a refusal. */
static const struct tunnel *tunnel_asked(const struct control_view *v, const json_t *request,
					 const struct tunnel_conf **c, json_t **refused)
{
	const char *what = json_string_value(json_object_get(request, "what"));
	char why[160] = "which tunnel?";
	const struct tunnel *t = what ? find_tunnel(v, what, why, sizeof(why)) : NULL;

	*c = t ? atomic_load_explicit(&t->conf, memory_order_relaxed) : NULL;
	*refused = *c ? NULL : refusal(why);
	return t;
}

static json_t *tunnel_show(const struct control_view *v, uint32_t now, const json_t *request)
{
	const struct tunnel_conf *c;
	json_t *refused;
	const struct tunnel *t = tunnel_asked(v, request, &c, &refused);

	return c ? tunnel_everything(v, t, c, now) : refused;
}

static json_t *tunnel_errors(const struct control_view *v, uint32_t now, const json_t *request)
{
	const struct tunnel_conf *c;
	json_t *o;
	const struct tunnel *t = tunnel_asked(v, request, &c, &o);
	struct errors_view errors;
	char text[80];

	if (!c)
		return o;
	if (json_is_true(json_object_get(request, "reset"))) {
		if (errors_reset_tunnel(v->errors, t->slot, now) != 0)
			return refusal("there is no memory to reset anything");
		snprintf(text, sizeof(text), "the errors of T%" PRIu32 " count from now on", c->id);
		return message(text);
	}
	errors_of_tunnel(v->errors, t->slot, &errors);
	o = json_object();
	value_set(o, "id", value_tunnel(c->id));
	value_set(o, "since", value_time(errors.since));
	value_set(o, "since_age", value_age(errors.since, now));
	value_set(o, "errors", errors_json_rows(&errors, now, false));
	return o;
}

/* ---- following ---- */

/* Adds one tunnel to the filter; or a refusal. */
static json_t *filter_add(const struct control_view *v, const json_t *what,
			  struct trace_filter *filter)
{
	const char *name = json_string_value(what);
	char why[160] = "which tunnel?";
	const struct tunnel *t = name ? find_tunnel(v, name, why, sizeof(why)) : NULL;
	const struct tunnel_conf *c = t ? atomic_load_explicit(&t->conf, memory_order_relaxed)
					: NULL;

	if (!c)
		return refusal(why);
	if (filter->n == ARRAY_LEN(filter->ids))
		return refusal("too many tunnels to follow; all of them is possible");
	filter->ids[filter->n++] = c->id;
	return NULL;
}

static json_t *tunnel_trace(const struct control_view *v, uint32_t now, const json_t *request)
{
	const json_t *what = json_object_get(request, "what"),
		     *snap = json_object_get(request, "snap");
	json_int_t bytes = json_is_integer(snap) ? json_integer_value(snap) : 0;
	struct trace_filter filter = { .all = json_is_true(json_object_get(request, "all")),
				       .snap = bytes <= 0         ? 0
					       : bytes < TAP_SNAP ? (uint32_t)bytes
								  : TAP_SNAP };
	char text[IP4_TEXT];
	json_t *refused = NULL, *o, *list;

	(void)now;
	if (json_is_array(what))
		for (size_t i = 0; i < json_array_size(what) && !refused; i++)
			refused = filter_add(v, json_array_get(what, i), &filter);
	else if (what || !filter.all)
		refused = filter_add(v, what, &filter);
	if (!refused && filter.n == 0 && !filter.all)
		refused = refusal("which tunnel?");
	if (refused)
		return refused;
	o = json_object();
	list = json_array();
	for (size_t i = 0; i < filter.n; i++)
		(void)json_array_append_new(list, value_tunnel(filter.ids[i]));
	value_set(o, "following", list);
	value_set(o, "all", json_boolean(filter.all));
	value_set(o, "ipv4", json_string(ip4_text(v->settings->ipv4, text)));
	value_set(o, "ayiya_port", json_integer(v->settings->ayiya_port));
	value_set(o, "heartbeat_port", json_integer(v->settings->heartbeat_port));
	v->follow(v->ctx, v->client, &filter);
	return o;
}

/* ---- the others ---- */

static json_t *status(const struct control_view *v, uint32_t now, const json_t *request)
{
	(void)request;
	return status_json(v, now);
}

static json_t *busiest(const struct control_view *v, uint32_t now, const json_t *request)
{
	const json_t *order = json_object_get(request, "by"),
		     *limit = json_object_get(request, "limit");
	json_int_t most = limit ? json_integer_value(limit) : TOP_DEFAULT;
	enum top_by by = TOP_BYTES;

	(void)now;
	if (order && (!json_is_string(order) || top_by_parse(json_string_value(order), &by) != 0))
		return refusal("tunnels are told by bytes, packets or drops");
	if (most < 1 || most > TOP_MAX)
		return refusal("of the busiest tunnels 1 to 200 are told");
	const struct top *top = v->top(v->ctx);
	return top ? top_json(top, by, (size_t)most, v->table, v->counters, v->counter_sets)
		   : refusal("no memory for watching all tunnels");
}

static json_t *counters(const struct control_view *v, uint32_t now, const json_t *request)
{
	json_t *o;
	struct view_pop pop;
	struct errors_view errors;

	if (json_is_true(json_object_get(request, "reset"))) {
		errors_reset_pop(v->errors, now);
		return message("the PoP's drops count from now on");
	}
	o = json_object();
	view_pop(v->counters, v->counter_sets, &pop);
	errors_of_pop(v->errors, &errors);
	value_set_traffic(o, &pop);
	value_set(o, "since", value_time(errors.since));
	value_set(o, "since_age", value_age(errors.since, now));
	value_set(o, "drops", errors_json_rows(&errors, now, true));
	return o;
}

static json_t *reasons(const struct control_view *v, uint32_t now, const json_t *request)
{
	json_t *list = json_array(), *o = json_object();

	(void)v;
	(void)now;
	(void)request;
	for (enum drop d = DROP_NONE + 1; d < DROP__COUNT; d++)
		(void)json_array_append_new(
			list, json_pack("{s:s, s:s}", "name", drop_name(d), "text", drop_text(d)));
	value_set(o, "reasons", list);
	return o;
}

static json_t *set_log(const struct control_view *v, uint32_t now, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "level"));
	enum log_level level;
	char text[80];

	(void)v;
	(void)now;
	if (!name || log_level_parse(name, &level) != 0)
		return refusal("the log level is one of error, warn, info and debug");
	log_set_level(level);
	snprintf(text, sizeof(text), "the log level is %s until the next reload",
		 log_level_name(level));
	return message(text);
}

static json_t *reload(const struct control_view *v, uint32_t now, const json_t *request)
{
	(void)now;
	(void)request;
	v->reload(v->ctx);
	return NULL; /* the outcome comes later */
}

static const struct {
	const char *name;
	json_t *(*run)(const struct control_view *v, uint32_t now, const json_t *request);
	bool follows; /* more comes after the answer */
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
	{ "top", busiest, false },
};

static enum control_verdict give(json_t *o, char **answer)
{
	*answer = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
	json_decref(o);
	return *answer ? CONTROL_ANSWERED : CONTROL_CLOSE;
}

enum control_verdict control_json_handle(const struct control_view *v, uint32_t now,
					 const char *line, size_t len, char **answer)
{
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *name = json_string_value(json_object_get(request, "command"));
	enum control_verdict verdict;
	size_t i = 0;

	while (name && i < ARRAY_LEN(commands) && strcmp(commands[i].name, name) != 0)
		i++;
	if (!name || i == ARRAY_LEN(commands)) {
		verdict = give(refusal(name ? "popd knows no such command"
					    : "a request is a JSON object with a command"),
			       answer);
	} else {
		json_t *o = commands[i].run(v, now, request);
		bool follows = commands[i].follows && o && !json_object_get(o, "error");
		verdict = o ? give(o, answer) : CONTROL_LATER;
		if (follows && verdict == CONTROL_ANSWERED)
			verdict = CONTROL_FOLLOWS;
	}
	json_decref(request);
	return verdict;
}

char *control_json_outcome(bool good, const char *sentence)
{
	char *text = NULL;

	(void)give(good ? message(sentence) : refusal(sentence), &text);
	return text;
}
