#include "popd/popctl_json_show.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "popd/popctl_dump.h"
#include "popd/popctl_table.h"

enum { CELL = 160 };

/* ---- values, each into the caller's cell ---- */

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "-";
}

static unsigned long long number_of(const json_t *o, const char *key)
{
	return (unsigned long long)json_integer_value(json_object_get(o, key));
}

/* "8 s", "12 min", "3 h 05 min", "4 d 7 h" */
static const char *span(unsigned long long s, char out[static CELL])
{
	if (s < 120)
		snprintf(out, CELL, "%llu s", s);
	else if (s < 7200)
		snprintf(out, CELL, "%llu min", s / 60);
	else if (s < 172800)
		snprintf(out, CELL, "%llu h %02llu min", s / 3600, s / 60 % 60);
	else
		snprintf(out, CELL, "%llu d %llu h", s / 86400, s / 3600 % 24);
	return out;
}

static const char *ago(const json_t *o, const char *key, char out[static CELL])
{
	const json_t *age = json_object_get(o, key);
	char text[CELL];

	if (!json_is_integer(age))
		snprintf(out, CELL, "never");
	else
		snprintf(out, CELL, "%.80s ago", span((unsigned long long)json_integer_value(age), text));
	return out;
}

static const char *octets(unsigned long long n, char out[static CELL])
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB" };
	double v = (double)n;
	size_t unit = 0;

	if (n < 10000) {
		snprintf(out, CELL, "%llu B", n);
		return out;
	}
	for (v /= 1000; v >= 10000 && unit + 1 < sizeof(units) / sizeof(units[0]); v /= 1000)
		unit++;
	snprintf(out, CELL, v < 100 ? "%.1f %s" : "%.0f %s", v, units[unit]);
	return out;
}

static const char *count(unsigned long long n, char out[static CELL])
{
	snprintf(out, CELL, "%llu", n);
	return out;
}

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

	line(out, "from clients", "%llu packets, %s", number_of(o, "packets_in"), octets(number_of(o, "octets_in"), a));
	line(out, "to clients", "%llu packets, %s", number_of(o, "packets_out"), octets(number_of(o, "octets_out"), b));
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

/* ---- commands ---- */

static void show_feed(const json_t *o, FILE *out)
{
	const json_t *feed = json_object_get(o, "feed");
	char age[CELL];

	if (json_is_true(json_object_get(feed, "loaded")))
		line(out, "feed", "change %llu, all loaded %s in %llu ms, %llu changes since", number_of(feed, "seq"),
		     ago(feed, "loaded_age", age), number_of(feed, "load_ms"), number_of(feed, "changes"));
	else
		line(out, "feed", "not loaded yet; tunnels are those of the snapshot, change %llu",
		     number_of(feed, "seq"));
	if (number_of(feed, "bad_rows") > 0)
		line(out, "", "%llu bad rows passed over: see the log", number_of(feed, "bad_rows"));
}

static void show_metrics(const json_t *o, FILE *out)
{
	const json_t *m = json_object_get(o, "metrics");

	if (!json_is_object(m))
		line(out, "metrics", "off");
	else if (json_is_string(json_object_get(m, "problem")))
		line(out, "metrics", "NONE: %s", text_of(m, "problem"));
	else
		line(out, "metrics", "http://%s/metrics", text_of(m, "address"));
}

static void show_load(const json_t *o, FILE *out)
{
	const json_t *latency = json_object_get(o, "latency");
	const char *name;
	json_t *drops;
	char text[CELL] = "";
	size_t len = 0;

	json_object_foreach((json_t *)json_object_get(o, "queue_overruns"), name, drops) if (len < sizeof(text))
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %lld", len ? ", " : "", name,
					(long long)json_integer_value(drops));
	line(out, "overruns", "%s", text);
	line(out, "latency",
	     "batches %llu us, 99 %% within %llu us; control loop late by %llu us, 99 %% within %llu us",
	     number_of(latency, "batch_us_half"), number_of(latency, "batch_us_most"),
	     number_of(latency, "control_late_us_half"), number_of(latency, "control_late_us_most"));
}

void show_status(const json_t *o, const struct popctl_request *request, FILE *out)
{
	const json_t *tunnels = json_object_get(o, "tunnels");
	char a[CELL], b[CELL];

	(void)request;
	line(out, "PoP", "%s at %s%s", text_of(o, "pop"), text_of(o, "ipv4"),
	     json_is_false(json_object_get(o, "enabled")) ? ", disabled by the broker" : "");
	line(out, "popd", "%s, process %llu, %llu workers, up %s", text_of(o, "version"), number_of(o, "pid"),
	     number_of(o, "workers"), span(number_of(o, "uptime"), a));
	line(out, "tunnels", "%llu configured, %llu up, %llu active (room for %llu)", number_of(tunnels, "configured"),
	     number_of(tunnels, "up"), number_of(tunnels, "active"), number_of(tunnels, "room"));
	show_list(out, "prefixes", json_object_get(o, "prefixes"));
	line(out, "interface", "%s, %llu packets lost at its queue", text_of(o, "tun"), number_of(o, "tun_drops"));
	show_load(o, out);
	show_metrics(o, out);
	show_offloads(out, o);
	line(out, "database", "%s, last report %s", text_of(o, "database"), ago(o, "report_age", a));
	show_feed(o, out);
	line(out, "snapshot", "%s, %s", ago(o, "snapshot_age", a), octets(number_of(o, "snapshot_octets"), b));
	if (number_of(o, "statistics_waiting") > 0)
		line(out, "statistics", "%llu entries wait for the database", number_of(o, "statistics_waiting"));
	show_traffic(o, out);
	line(out, "beats", "%llu", number_of(o, "beats"));
	line(out, "moves", "%llu", number_of(o, "moves"));
	line(out, "answers", "%llu ICMPv6 errors, %llu held back", number_of(o, "answers"),
	     number_of(o, "answers_limited"));
	line(out, "dropped", "%llu packets (popctl counters says why)", number_of(o, "drops"));
	line(out, "log level", "%s", text_of(o, "log_level"));
}

void show_tunnel_list(const json_t *o, const struct popctl_request *request, FILE *out)
{
	static const char *const heads[] = { "TUNNEL", "TYPE", "STATE", "CLIENT", "ENDPOINT", "HEARD", "IN", "OUT" };
	const json_t *list = json_object_get(o, "tunnels");
	struct columns *c = columns_create(ARRAY_LEN(heads), "00000111");
	char cell[CELL];

	if (!c)
		return;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		columns_add(c, heads[i]);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *t = json_array_get(list, i);
		columns_add(c, text_of(t, "id"));
		columns_add(c, text_of(t, "type"));
		columns_add(c, text_of(t, "state"));
		columns_add(c, text_of(t, "client"));
		columns_add(c, text_of(t, "endpoint"));
		columns_add(c, ago(t, "heard_age", cell));
		columns_add(c, octets(number_of(t, "octets_in"), cell));
		columns_add(c, octets(number_of(t, "octets_out"), cell));
	}
	if (json_array_size(list) > 0)
		columns_print(c, out);
	columns_free(c);
	if (!request->all)
		fprintf(out, "%zu of %llu tunnels are up%s\n", json_array_size(list), number_of(o, "configured"),
			json_array_size(list) < number_of(o, "configured") ? " (--all shows the others too)" : "");
}

static void show_tunnel_drops(const json_t *o, FILE *out)
{
	const json_t *list = json_object_get(o, "drops"), *last = json_object_get(o, "last_drop");
	struct columns *c = columns_create(4, "0100");
	char cell[CELL];

	for (size_t i = 0; c && i < json_array_size(list); i++) {
		const json_t *row = json_array_get(list, i);
		columns_add(c, i == 0 ? "dropped     " : "");
		columns_add(c, count(number_of(row, "count"), cell));
		columns_add(c, text_of(row, "name"));
		columns_add(c, text_of(row, "sentence"));
	}
	if (c)
		columns_print(c, out);
	columns_free(c);
	if (json_is_object(last))
		line(out, "last drop", "%s, %s, from %s", text_of(last, "name"), ago(last, "age", cell),
		     text_of(last, "from"));
}

void show_tunnel(const json_t *o, const struct popctl_request *request, FILE *out)
{
	const json_t *alive = json_object_get(o, "liveness");
	char cell[CELL];

	(void)request;
	line(out, "tunnel", "%s, %s, %s", text_of(o, "id"), text_of(o, "type"), text_of(o, "state"));
	line(out, "client", "%s", text_of(o, "client"));
	line(out, "PoP", "%s", text_of(o, "pop"));
	show_list(out, "routed", json_object_get(o, "routes"));
	line(out, "MTU", "%llu", number_of(o, "mtu"));
	if (json_is_integer(json_object_get(o, "path_mtu")))
		line(out, "path MTU", "%llu, learnt %s: packets of at most %llu go through", number_of(o, "path_mtu"),
		     ago(o, "path_mtu_age", cell), number_of(o, "effective_mtu"));
	line(out, "endpoint", "%s%s%s", text_of(o, "endpoint"),
	     json_is_string(json_object_get(o, "signature")) ? ", signs with " : "",
	     json_is_string(json_object_get(o, "signature")) ? text_of(o, "signature") : "");
	line(out, "heard", "%s", ago(o, "heard_age", cell));
	if (json_is_integer(json_object_get(alive, "rtt_avg_us")))
		line(out, "pings", "%llu sent, %llu answered, %.1f / %.1f / %.1f ms (least, mean, most)",
		     number_of(alive, "sent"), number_of(alive, "received"),
		     (double)number_of(alive, "rtt_min_us") / 1000, (double)number_of(alive, "rtt_avg_us") / 1000,
		     (double)number_of(alive, "rtt_max_us") / 1000);
	else
		line(out, "pings", "%llu sent, none answered", number_of(alive, "sent"));
	show_traffic(o, out);
	show_tunnel_drops(o, out);
}

/* ---- drops ---- */

static const char *peer_of(const json_t *row)
{
	return json_is_string(json_object_get(row, "to")) ? text_of(row, "to") : text_of(row, "from");
}

static void show_packet(const json_t *row, FILE *out)
{
	const char *hex = json_string_value(json_object_get(row, "packet"));
	size_t len = hex ? strlen(hex) / 2 : 0;
	uint8_t bytes[256];
	char age[CELL];

	if (!hex || len > sizeof(bytes) || hex_decode(hex, 2 * len, bytes, len) != 0)
		return;
	fprintf(out, "\n%s, %s, %s %s, %s, %llu bytes%s\n", text_of(row, "name"), ago(row, "age", age),
		json_is_string(json_object_get(row, "to")) ? "to" : "from", peer_of(row), text_of(row, "source"),
		number_of(row, "length"), len < number_of(row, "length") ? ", of which the first" : "");
	dump_bytes(bytes, len, out);
}

/* `tunnels`: which tunnel each was of is worth a column. */
static void show_drops(const json_t *list, bool tunnels, bool packets, FILE *out)
{
	struct columns *c = columns_create(tunnels ? 6 : 5, "010000");
	char cell[CELL];

	if (!c)
		return;
	columns_add(c, "DROPPED FOR");
	columns_add(c, "PACKETS");
	columns_add(c, "LAST");
	if (tunnels)
		columns_add(c, "TUNNEL");
	columns_add(c, "FROM");
	columns_add(c, "MEANING");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *row = json_array_get(list, i);
		if (number_of(row, "count") == 0)
			continue;
		columns_add(c, text_of(row, "name"));
		columns_add(c, count(number_of(row, "count"), cell));
		columns_add(c, ago(row, "age", cell));
		if (tunnels)
			columns_add(c, text_of(row, "tunnel"));
		columns_add(c, peer_of(row));
		columns_add(c, text_of(row, "sentence"));
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
		line(out, "drops", "since the reset %s", ago(o, "since_age", age));
}

void show_errors(const json_t *o, const struct popctl_request *request, FILE *out)
{
	const json_t *list = json_object_get(o, "errors");

	if (request->reset) {
		show_message(o, request, out);
		return;
	}
	show_since(o, out);
	if (json_array_size(list) == 0)
		line(out, text_of(o, "id"), "nothing was dropped");
	else
		show_drops(list, false, request->packet, out);
}

void show_counters(const json_t *o, const struct popctl_request *request, FILE *out)
{
	if (request->reset) {
		show_message(o, request, out);
		return;
	}
	show_traffic(o, out);
	line(out, "beats", "%llu", number_of(o, "beats"));
	line(out, "moves", "%llu", number_of(o, "moves"));
	line(out, "answers", "%llu ICMPv6 errors, %llu held back", number_of(o, "answers"),
	     number_of(o, "answers_limited"));
	show_since(o, out);
	fputc('\n', out);
	show_drops(json_object_get(o, "drops"), true, request->packet, out);
}

void show_reasons(const json_t *o, const struct popctl_request *request, FILE *out)
{
	const json_t *list = json_object_get(o, "reasons");
	struct columns *c = columns_create(2, "00");

	(void)request;
	for (size_t i = 0; c && i < json_array_size(list); i++) {
		const json_t *row = json_array_get(list, i);
		columns_add(c, text_of(row, "name"));
		columns_add(c, text_of(row, "text"));
	}
	if (c)
		columns_print(c, out);
	columns_free(c);
}

void show_message(const json_t *o, const struct popctl_request *request, FILE *out)
{
	(void)request;
	fprintf(out, "%s\n", text_of(o, "message"));
}
