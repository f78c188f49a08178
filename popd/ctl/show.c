#include "popd/ctl/show.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/span.h"
#include "popd/ctl/print.h"
#include "popd/ctl/request.h"

/* ---- lines of "name  value" ---- */

static void line(FILE *out, const char *name, const char *fmt, ...) FORMAT(3, 4);
static void line(FILE *out, const char *name, const char *fmt, ...)
{
	va_list ap;

	fprintf(out, "%-12s ", name);
	va_start(ap, fmt);
	vfprintf(out, fmt, ap);
	va_end(ap);
	fputc('\n', out);
}

static void show_traffic(const json_t *o, FILE *out)
{
	char a[CELL], b[CELL];

	line(out, "from clients", "%llu packets, %s", cell_number(o, "packets_in"),
	     cell_bytes(cell_number(o, "bytes_in"), a));
	line(out, "to clients", "%llu packets, %s", cell_number(o, "packets_out"),
	     cell_bytes(cell_number(o, "bytes_out"), b));
}

static void show_pop_traffic(const json_t *o, FILE *out)
{
	show_traffic(o, out);
	line(out, "keepalives", "%llu heartbeats and AYIYA no-ops", cell_number(o, "keepalives"));
	line(out, "endpoints", "%llu moves, %llu path challenges sent, %llu answered",
	     cell_number(o, "endpoint_moves"), cell_number(o, "path_challenges"),
	     cell_number(o, "path_responses"));
	line(out, "ICMPv6", "%llu errors sent, %llu held back by the rate limit",
	     cell_number(o, "icmp_errors_sent"), cell_number(o, "icmp_errors_limited"));
}

static void show_list(FILE *out, const char *name, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		line(out, i == 0 ? name : "", "%s", json_string_value(json_array_get(list, i)));
}

static void show_offloads(FILE *out, const json_t *o)
{
	const char *name;
	json_t *state;
	size_t i = 0;

	json_object_foreach((json_t *)json_object_get(o, "offloads"), name, state)
		line(out, i++ == 0 ? "offloads" : "", "%s %s", name, json_string_value(state));
}

static void show_fast_path(FILE *out, const json_t *o)
{
	char a[CELL];

	if (json_is_object(o))
		line(out, "fast path", "%llu packets, %s to clients by the kernel (bpf_encap)",
		     cell_number(o, "packets_out"), cell_bytes(cell_number(o, "bytes_out"), a));
}

/* ---- commands ---- */

static void show_feed(const json_t *o, FILE *out)
{
	const json_t *feed = json_object_get(o, "feed");
	char age[CELL];

	if (json_is_true(json_object_get(feed, "loaded")))
		line(out, "feed", "change %llu; all loaded %s in %llu ms, %llu changes since",
		     cell_number(feed, "seq"), cell_ago(feed, "loaded_age", age),
		     cell_number(feed, "load_ms"), cell_number(feed, "changes"));
	else
		line(out, "feed", "not loaded yet; the tunnels are the snapshot's, change %llu",
		     cell_number(feed, "seq"));
	if (cell_number(feed, "bad_rows") > 0)
		line(out, "", "%llu rows could not be used: see popd's log",
		     cell_number(feed, "bad_rows"));
}

static void show_metrics(const json_t *o, FILE *out)
{
	const json_t *m = json_object_get(o, "metrics");

	if (!json_is_object(m))
		line(out, "metrics", "off");
	else if (json_is_string(json_object_get(m, "problem")))
		line(out, "metrics", "not served: %s", cell_text(m, "problem"));
	else
		line(out, "metrics", "http://%s/metrics", cell_text(m, "address"));
}

static void show_stalled(const json_t *o, FILE *out)
{
	const json_t *list = json_object_get(o, "stalled_workers");
	char a[CELL];

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *stalled = json_array_get(list, i);
		line(out, i == 0 ? "STALLED" : "", "worker %llu since %s, %s ago",
		     cell_number(stalled, "worker"), cell_text(stalled, "since"),
		     span_text((int64_t)cell_number(stalled, "seconds"), a));
	}
}

/* A quantile; null: in the last bucket, which has no upper bound. */
static const char *quantile(const json_t *o, const char *key, char out[static CELL])
{
	const json_t *us = json_object_get(o, key);

	if (json_is_integer(us))
		snprintf(out, CELL, "%lld us", (long long)json_integer_value(us));
	else
		snprintf(out, CELL, "more than 4 s");
	return out;
}

static void show_load(const json_t *o, FILE *out)
{
	const json_t *latency = json_object_get(o, "latency");
	const char *name;
	json_t *drops;
	char text[CELL] = "", a[CELL], b[CELL];
	size_t len = 0;

	json_object_foreach((json_t *)json_object_get(o, "queue_overruns"), name,
			    drops) if (len < sizeof(text))
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %lld",
					len ? ", " : "", name,
					(long long)json_integer_value(drops));
	line(out, "overruns", "%s", text);
	line(out, "latency", "batches: p50 %s, p99 %s", quantile(latency, "batch_us_p50", a),
	     quantile(latency, "batch_us_p99", b));
	line(out, "", "control loop lateness: p50 %s, p99 %s",
	     quantile(latency, "control_late_us_p50", a),
	     quantile(latency, "control_late_us_p99", b));
}

void show_status(const json_t *o, const struct request *r, FILE *out)
{
	const json_t *tunnels = json_object_get(o, "tunnels");
	char a[CELL], b[CELL];

	(void)r;
	line(out, "PoP", "%s at %s%s", cell_text(o, "pop"), cell_text(o, "ipv4"),
	     json_is_false(json_object_get(o, "enabled")) ? ", disabled by the broker" : "");
	show_list(out, "UNFIT", json_object_get(o, "reasons"));
	show_list(out, "warnings", json_object_get(o, "warnings"));
	line(out, "popd", "%s, process %llu, %llu workers, up %s", cell_text(o, "version"),
	     cell_number(o, "pid"), cell_number(o, "workers"),
	     span_text((int64_t)cell_number(o, "uptime"), a));
	line(out, "tunnels", "%llu configured, %llu up, %llu active (capacity %llu)",
	     cell_number(tunnels, "configured"), cell_number(tunnels, "up"),
	     cell_number(tunnels, "active"), cell_number(tunnels, "capacity"));
	show_list(out, "prefixes", json_object_get(o, "prefixes"));
	line(out, "interface", "%s", cell_text(o, "tun"));
	show_stalled(o, out);
	show_load(o, out);
	show_metrics(o, out);
	show_offloads(out, o);
	show_fast_path(out, json_object_get(o, "fast_path"));
	line(out, "database", "%s, last report %s", cell_text(o, "database"),
	     cell_ago(o, "report_age", a));
	show_feed(o, out);
	line(out, "snapshot", "%s, %s", cell_ago(o, "snapshot_age", a),
	     cell_bytes(cell_number(o, "snapshot_bytes"), b));
	if (cell_number(o, "statistics_waiting") > 0)
		line(out, "statistics", "%llu entries not yet acknowledged by the database",
		     cell_number(o, "statistics_waiting"));
	show_pop_traffic(o, out);
	line(out, "dropped", "%llu packets (see popctl counters)", cell_number(o, "drops"));
	line(out, "log level", "%s", cell_text(o, "log_level"));
}

void show_tunnel_list(const json_t *o, const struct request *r, FILE *out)
{
	static const char *const heads[] = { "TUNNEL",   "TYPE",      "STATE", "CLIENT",
					     "ENDPOINT", "LAST SEEN", "IN",    "OUT" };
	const json_t *list = json_object_get(o, "tunnels");
	struct columns *c = columns_create(ARRAY_LEN(heads), "00000111");
	char cell[CELL];

	if (!c)
		return;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		columns_add(c, heads[i]);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *t = json_array_get(list, i);
		columns_add(c, cell_text(t, "id"));
		columns_add(c, cell_text(t, "type"));
		columns_add(c, cell_text(t, "state"));
		columns_add(c, cell_text(t, "client"));
		columns_add(c, cell_text(t, "endpoint"));
		columns_add(c, cell_ago(t, "last_seen_age", cell));
		columns_add(c, cell_bytes(cell_number(t, "bytes_in"), cell));
		columns_add(c, cell_bytes(cell_number(t, "bytes_out"), cell));
	}
	if (json_array_size(list) > 0)
		columns_print(c, out);
	columns_free(c);
	if (!r->all)
		fprintf(out, "%zu of %llu tunnels are up%s\n", json_array_size(list),
			cell_number(o, "configured"),
			json_array_size(list) < cell_number(o, "configured")
				? " (--all shows the others too)"
				: "");
}

static void show_two_clients(const json_t *o, FILE *out)
{
	const json_t *clients = json_object_get(o, "two_clients");
	char age[CELL];

	if (json_is_object(clients))
		line(out, "clients", "%s (%s)", cell_text(clients, "sentence"),
		     cell_ago(clients, "age", age));
}

static void show_tunnel_drops(const json_t *o, FILE *out)
{
	const json_t *list = json_object_get(o, "drops"), *last = json_object_get(o, "last_drop");
	struct columns *c = columns_create(4, "0100");
	char cell[CELL];

	for (size_t i = 0; c && i < json_array_size(list); i++) {
		const json_t *row = json_array_get(list, i);
		columns_add(c, i == 0 ? "dropped     " : "");
		columns_add(c, cell_count(cell_number(row, "count"), cell));
		columns_add(c, cell_text(row, "name"));
		columns_add(c, cell_text(row, "sentence"));
	}
	if (c)
		columns_print(c, out);
	columns_free(c);
	if (json_is_object(last))
		line(out, "last drop", "%s, %s, from %s", cell_text(last, "name"),
		     cell_ago(last, "age", cell), cell_text(last, "from"));
}

void show_tunnel(const json_t *o, const struct request *r, FILE *out)
{
	const json_t *alive = json_object_get(o, "liveness");
	char cell[CELL];

	(void)r;
	line(out, "tunnel", "%s, %s, %s", cell_text(o, "id"), cell_text(o, "type"),
	     cell_text(o, "state"));
	line(out, "client", "%s", cell_text(o, "client"));
	line(out, "PoP", "%s", cell_text(o, "pop"));
	show_list(out, "routed", json_object_get(o, "routes"));
	line(out, "MTU", "%llu", cell_number(o, "mtu"));
	if (json_is_integer(json_object_get(o, "path_mtu")))
		line(out, "path MTU", "%llu, learnt %s: packets of at most %llu go through",
		     cell_number(o, "path_mtu"), cell_ago(o, "path_mtu_age", cell),
		     cell_number(o, "effective_mtu"));
	line(out, "endpoint", "%s%s%s", cell_text(o, "endpoint"),
	     json_is_string(json_object_get(o, "signature")) ? ", signs with " : "",
	     json_is_string(json_object_get(o, "signature")) ? cell_text(o, "signature") : "");
	show_two_clients(o, out);
	line(out, "last seen", "%s", cell_ago(o, "last_seen_age", cell));
	if (json_is_integer(json_object_get(alive, "rtt_avg_us")))
		line(out, "pings", "%llu sent, %llu answered, rtt min/avg/max %.1f/%.1f/%.1f ms",
		     cell_number(alive, "sent"), cell_number(alive, "received"),
		     (double)cell_number(alive, "rtt_min_us") / 1000,
		     (double)cell_number(alive, "rtt_avg_us") / 1000,
		     (double)cell_number(alive, "rtt_max_us") / 1000);
	else
		line(out, "pings", "%llu sent, none answered", cell_number(alive, "sent"));
	show_traffic(o, out);
	show_tunnel_drops(o, out);
}

/* ---- drops ---- */

static const char *peer_of(const json_t *row)
{
	return json_is_string(json_object_get(row, "to")) ? cell_text(row, "to")
							  : cell_text(row, "from");
}

static void show_packet(const json_t *row, FILE *out)
{
	const char *hex = json_string_value(json_object_get(row, "packet"));
	size_t len = hex ? strlen(hex) / 2 : 0;
	uint8_t bytes[256];
	char age[CELL];

	if (!hex || len > sizeof(bytes) || hex_decode(hex, 2 * len, bytes, len) != 0)
		return;
	fprintf(out, "\n%s, %s, %s %s, %s, %llu bytes%s\n", cell_text(row, "name"),
		cell_ago(row, "age", age),
		json_is_string(json_object_get(row, "to")) ? "to" : "from", peer_of(row),
		cell_text(row, "source"), cell_number(row, "length"),
		len < cell_number(row, "length") ? ", of which the first" : "");
	print_bytes(bytes, len, out);
}

/* `tunnels`: with a column that names the tunnel. */
static void show_drops(const json_t *list, bool tunnels, bool packets, FILE *out)
{
	struct columns *c = columns_create(tunnels ? 6 : 5, "010000");
	char cell[CELL];

	if (!c)
		return;
	columns_add(c, "REASON");
	columns_add(c, "PACKETS");
	columns_add(c, "LAST");
	if (tunnels)
		columns_add(c, "TUNNEL");
	columns_add(c, "FROM");
	columns_add(c, "MEANING");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *row = json_array_get(list, i);
		if (cell_number(row, "count") == 0)
			continue;
		columns_add(c, cell_text(row, "name"));
		columns_add(c, cell_count(cell_number(row, "count"), cell));
		columns_add(c, cell_ago(row, "age", cell));
		if (tunnels)
			columns_add(c, cell_text(row, "tunnel"));
		columns_add(c, peer_of(row));
		columns_add(c, cell_text(row, "sentence"));
	}
	columns_print(c, out);
	columns_free(c);
	for (size_t i = 0; packets && i < json_array_size(list); i++)
		show_packet(json_array_get(list, i), out);
}

static void show_since(const json_t *o, FILE *out)
{
	char age[CELL];

	if (json_is_integer(json_object_get(o, "since_age")))
		line(out, "drops", "since the reset %s", cell_ago(o, "since_age", age));
}

void show_errors(const json_t *o, const struct request *r, FILE *out)
{
	const json_t *list = json_object_get(o, "errors");

	if (r->reset) {
		show_message(o, r, out);
		return;
	}
	show_since(o, out);
	show_two_clients(o, out);
	if (json_array_size(list) == 0)
		line(out, cell_text(o, "id"), "nothing was dropped");
	else
		show_drops(list, false, r->packet, out);
}

void show_counters(const json_t *o, const struct request *r, FILE *out)
{
	if (r->reset) {
		show_message(o, r, out);
		return;
	}
	show_pop_traffic(o, out);
	show_since(o, out);
	fputc('\n', out);
	show_drops(json_object_get(o, "drops"), true, r->packet, out);
}

void show_reasons(const json_t *o, const struct request *r, FILE *out)
{
	const json_t *list = json_object_get(o, "reasons");
	struct columns *c = columns_create(2, "00");

	(void)r;
	for (size_t i = 0; c && i < json_array_size(list); i++) {
		const json_t *row = json_array_get(list, i);
		columns_add(c, cell_text(row, "name"));
		columns_add(c, cell_text(row, "text"));
	}
	if (c)
		columns_print(c, out);
	columns_free(c);
}

void show_message(const json_t *o, const struct request *r, FILE *out)
{
	(void)r;
	fprintf(out, "%s\n", cell_text(o, "message"));
}
