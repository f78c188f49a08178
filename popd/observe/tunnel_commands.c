#include "popd/observe/tunnel_commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/num.h"
#include "popd/core/encap.h"
#include "popd/core/measure.h"
#include "popd/core/path.h"
#include "popd/core/roam.h"
#include "popd/core/view.h"
#include "popd/observe/control.h"
#include "popd/observe/errors.h"
#include "popd/observe/trace.h"
#include "popd/observe/value.h"
#include "popd/settings.h"

_Static_assert((int)TRACE_WATCHERS >= (int)CONTROL_CLIENTS, "every client may follow packets");
_Static_assert(TRACE_TUNNELS == 64, "the sentence about it says so");

static uint32_t expiry(const struct commands *c)
{
	return (uint32_t)c->settings->expiry;
}

static const struct tunnel_conf *conf_of(const struct tunnel *t)
{
	return atomic_load_explicit(&t->conf, memory_order_relaxed);
}

/* ---- which tunnel ---- */

enum { WHY = 160 };

/* By "T7", "7" or an address; NULL with a sentence. */
static struct tunnel *find(const struct commands *c, const char *name, char why[static WHY])
{
	uint32_t id;
	struct ip6 ip;

	if (name && num_parse_tunnel_id(name, strlen(name), &id) == 0) {
		struct tunnel *t = table_by_id(c->table, id);
		if (!t)
			snprintf(why, WHY, "there is no tunnel T%" PRIu32 " on this PoP", id);
		return t;
	}
	if (name && ip6_parse(name, strlen(name), &ip) == 0) {
		struct tunnel *t = table_lookup(c->table, &ip).tunnel;
		if (!t)
			snprintf(why, WHY, "%.*s belongs to no tunnel of this PoP", IP6_TEXT, name);
		return t;
	}
	snprintf(why, WHY, "name a tunnel by its number (T7) or by an IPv6 address of it");
	return NULL;
}

/* The tunnel that the request names, with its configuration in `conf`; or NULL there and a refusal.
 */
static struct tunnel *tunnel_of(const struct commands *c, const json_t *name,
				const struct tunnel_conf **conf, json_t **refusal)
{
	char why[WHY];
	struct tunnel *t = find(c, json_string_value(name), why);

	*conf = t ? conf_of(t) : NULL;
	*refusal = *conf ? NULL : value_refusal(why);
	return t;
}

/* ---- tunnel list ---- */

static json_t *line_of(const struct commands *c, const struct tunnel *t,
		       const struct tunnel_conf *conf, struct moment now)
{
	uint32_t seen = moment_wall(now, tunnel_last_heard(t));
	struct view_tunnel n;
	json_t *o = json_object();

	view_tunnel(c->counters, c->counter_sets, t->slot, &n);
	value_set(o, "id", value_tunnel(conf->id));
	value_set(o, "type", json_string(tunnel_type_name(conf->type)));
	value_set(o, "state",
		  json_string(view_state_name(view_state(t, conf, now.mono, expiry(c)))));
	value_set(o, "client", value_address(tunnel_client(conf)));
	value_set(o, "endpoint",
		  value_endpoint(atomic_load_explicit(&t->endpoint, memory_order_relaxed)));
	value_set(o, "last_seen", value_time(seen));
	value_set(o, "last_seen_age", value_age(seen, now.wall));
	value_set_measure(o, MEASURE_PACKETS_IN, n.packets_in);
	value_set_measure(o, MEASURE_BYTES_IN, n.bytes_in);
	value_set_measure(o, MEASURE_PACKETS_OUT, n.packets_out);
	value_set_measure(o, MEASURE_BYTES_OUT, n.bytes_out);
	return o;
}

json_t *tunnel_list(const struct commands *c, const struct request *r)
{
	bool all = json_is_true(json_object_get(r->json, "all"));
	json_int_t after = json_integer_value(json_object_get(r->json, "after"));
	size_t slots = table_slots(c->table), i = after > 0 ? (size_t)after : 0, n = 0;
	size_t end = i < slots && slots - i > TUNNEL_LIST_SLOTS ? i + TUNNEL_LIST_SLOTS : slots;
	json_t *list = json_array(), *o = json_object();

	for (; i < end && n < TUNNEL_LIST_PAGE; i++) {
		const struct tunnel *t = table_slot(c->table, i);
		const struct tunnel_conf *conf = conf_of(t);
		if (!conf || (!all && !tunnel_is_up(t, conf, r->now.mono, expiry(c))))
			continue;
		(void)json_array_append_new(list, line_of(c, t, conf, r->now));
		n++;
	}
	value_set(o, "tunnels", list);
	value_set(o, "configured", value_number(table_count(c->table)));
	value_set(o, "next", i < slots ? value_number(i) : json_null());
	return o;
}

/* ---- two clients on one tunnel ---- */

/* null: none were noticed since the wall second `since`. */
static json_t *two_clients(const struct commands *c, struct tunnel *t,
			   const struct tunnel_conf *conf, uint32_t since, uint32_t now)
{
	struct roam_clients clients = roam_clients(c->roam, t, conf);
	char a[ENDPOINT4_TEXT], b[ENDPOINT4_TEXT], text[80 + 2 * ENDPOINT4_TEXT];

	if (clients.at == 0 || clients.at < since)
		return json_null();
	snprintf(text, sizeof(text), "two clients use this tunnel, at %s and at %s",
		 endpoint4_text(endpoint_of(clients.endpoints[0]), a),
		 endpoint4_text(endpoint_of(clients.endpoints[1]), b));
	json_t *o = json_object(), *list = json_array();
	for (size_t i = 0; i < ARRAY_LEN(clients.endpoints); i++)
		(void)json_array_append_new(list, value_endpoint(clients.endpoints[i]));
	value_set(o, "endpoints", list);
	value_set(o, "at", value_time(clients.at));
	value_set(o, "age", value_age(clients.at, now));
	value_set(o, "sentence", json_string(text));
	return o;
}

/* ---- tunnel show ---- */

/* The most recent of the rows, or null. */
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

static json_t *routes_of(const struct tunnel_conf *conf)
{
	json_t *list = json_array();

	for (size_t i = 0; i < conf->route_count; i++)
		(void)json_array_append_new(list, value_prefix(&conf->routes[i]));
	return list;
}

/* null: not an AYIYA tunnel, or no packet of it has come yet. */
static json_t *signature_of(const struct tunnel_conf *conf, uint64_t endpoint)
{
	if (conf->type != TUNNEL_AYIYA || endpoint == 0)
		return json_null();
	return json_string(endpoint_flags(endpoint) & ENDPOINT_SHA256 ? "sha256" : "sha1");
}

static void set_drops(json_t *o, const struct commands *c, const struct tunnel *t, uint32_t now)
{
	struct errors_view errors;

	errors_of_tunnel(c->errors, t->slot, &errors);
	json_t *drops = errors_json(&errors, now, false);
	value_set(o, "last_drop", last_drop(drops));
	value_set(o, "drops", drops);
}

json_t *tunnel_show(const struct commands *c, const struct request *r)
{
	const struct tunnel_conf *conf;
	json_t *o;
	struct tunnel *t = tunnel_of(c, json_object_get(r->json, "tunnel"), &conf, &o);

	if (!conf)
		return o;
	const struct prefix6 net = { conf->net, 64 };
	uint64_t endpoint = atomic_load_explicit(&t->endpoint, memory_order_relaxed);
	uint64_t path = atomic_load_explicit(&t->path, memory_order_relaxed);
	uint32_t mtu = path_mtu(path, r->now.mono);
	struct view_tunnel n;

	view_tunnel(c->counters, c->counter_sets, t->slot, &n);
	o = line_of(c, t, conf, r->now);
	value_set(o, "enabled", json_boolean(conf->enabled));
	value_set(o, "prefix", value_prefix(&net));
	value_set(o, "pop", value_address(tunnel_pop(conf)));
	value_set(o, "mtu", value_number(conf->mtu));
	value_set(o, "path_mtu", mtu ? value_number(mtu) : json_null());
	value_set(o, "path_mtu_age",
		  mtu ? value_age(moment_wall(r->now, path_since(path)), r->now.wall)
		      : json_null());
	value_set(o, "effective_mtu", value_number(encap_mtu(t, conf, endpoint, r->now.mono)));
	value_set(o, "routes", routes_of(conf));
	value_set(o, "signature", signature_of(conf, endpoint));
	value_set(o, "newest_epoch",
		  value_time(atomic_load_explicit(&t->newest, memory_order_relaxed)));
	value_set(o, "endpoint_answered",
		  json_boolean(endpoint_flags(endpoint) & ENDPOINT_ANSWERED));
	value_set(o, "two_clients", two_clients(c, t, conf, 0, r->now.wall));
	value_set(o, "liveness", liveness(&n));
	set_drops(o, c, t, r->now.wall);
	return o;
}

/* ---- tunnel errors ---- */

static json_t *reset_errors(const struct commands *c, uint32_t slot, uint32_t id, uint32_t now)
{
	char text[80];

	if (errors_reset_tunnel(c->errors, slot, now) != 0)
		return value_refusal("popd has no memory for the reset");
	snprintf(text, sizeof(text), "drops of T%" PRIu32 " are counted from now on", id);
	return value_message(text);
}

json_t *tunnel_errors(const struct commands *c, const struct request *r)
{
	const struct tunnel_conf *conf;
	json_t *o;
	struct tunnel *t = tunnel_of(c, json_object_get(r->json, "tunnel"), &conf, &o);
	struct errors_view errors;

	if (!conf)
		return o;
	if (json_is_true(json_object_get(r->json, "reset")))
		return reset_errors(c, t->slot, conf->id, r->now.wall);
	errors_of_tunnel(c->errors, t->slot, &errors);
	o = json_object();
	value_set(o, "id", value_tunnel(conf->id));
	value_set(o, "since", value_time(errors.since));
	value_set(o, "since_age", value_age(errors.since, r->now.wall));
	value_set(o, "two_clients", two_clients(c, t, conf, errors.since, r->now.wall));
	value_set(o, "errors", errors_json(&errors, r->now.wall, false));
	return o;
}

/* ---- tunnel trace ---- */

/* Adds one tunnel to the filter: NULL, or a refusal. */
static json_t *filter_add(const struct commands *c, const json_t *name, struct trace_filter *filter)
{
	const struct tunnel_conf *conf;
	json_t *refusal;

	(void)tunnel_of(c, name, &conf, &refusal);
	if (!conf)
		return refusal;
	if (filter->n == ARRAY_LEN(filter->ids))
		return value_refusal(
			"at most 64 tunnels can be followed at once; --all follows every packet");
	filter->ids[filter->n++] = conf->id;
	return NULL;
}

/* One name, or a list of them: NULL, or a refusal. */
static json_t *filter_tunnels(const struct commands *c, const json_t *names,
			      struct trace_filter *filter)
{
	json_t *refusal = NULL;

	if (!json_is_array(names))
		return names || !filter->all ? filter_add(c, names, filter) : NULL;
	for (size_t i = 0; i < json_array_size(names) && !refusal; i++)
		refusal = filter_add(c, json_array_get(names, i), filter);
	if (!refusal && filter->n == 0 && !filter->all)
		refusal = filter_add(c, NULL, filter);
	return refusal;
}

static uint32_t snap_of(const json_t *snap)
{
	json_int_t bytes = json_is_integer(snap) ? json_integer_value(snap) : 0;

	if (bytes <= 0)
		return 0;
	return bytes < TAP_SNAP ? (uint32_t)bytes : TAP_SNAP;
}

json_t *tunnel_trace(const struct commands *c, const struct request *r)
{
	struct trace_filter filter = { .all = json_is_true(json_object_get(r->json, "all")),
				       .snap = snap_of(json_object_get(r->json, "snap")) };
	json_t *refusal = filter_tunnels(c, json_object_get(r->json, "tunnel"), &filter);
	char text[IP4_TEXT];

	if (refusal)
		return refusal;
	json_t *o = json_object(), *list = json_array();
	for (size_t i = 0; i < filter.n; i++)
		(void)json_array_append_new(list, value_tunnel(filter.ids[i]));
	value_set(o, "following", list);
	value_set(o, "all", json_boolean(filter.all));
	value_set(o, "ipv4", json_string(ip4_text(c->settings->ipv4, text)));
	value_set(o, "ayiya_port", json_integer(c->settings->ayiya_port));
	value_set(o, "heartbeat_port", json_integer(c->settings->heartbeat_port));
	trace_begin(c->trace, r->client, &filter);
	return o;
}
