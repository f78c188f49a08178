#include "popd/observe/commands.h"

#include <jansson.h>
#include <math.h>

#include "lib/log.h"
#include "popd/core/measure.h"
#include "popd/core/path.h"
#include "popd/observe/errors.h"
#include "popd/observe/facts.h"
#include "popd/observe/request.h"
#include "popd/observe/top.h"
#include "popd/observe/trace.h"
#include "popd/observe/tunnel_commands.h"
#include "popd/settings.h"
#include "tests/unit/test_popd_fixture.h"

enum { CLIENT = 5 };
static int reloads;

static void facts(void *ctx, struct facts *out)
{
	(void)ctx;
	*out = (struct facts){
		.pop = "demo01",
		.version = "1.2",
		.tun = "sixxs",
		.sha1 = "sha-ni",
		.ipv4 = { POP_IPV4 },
		.now = NOW,
		.started = NOW - 100,
		.enabled = true,
		.capacity = 64,
		.tunnels = { .configured = 6, .up = 4, .active = 2 },
		.prefix_count = 2,
		.traffic = { .beats = 7,
			     .drops[DROP_HOP_LIMIT].count = 2,
			     .drops[DROP_TOO_BIG].count = 3 },
		.workers = 1,
		.queues = { { "tun", 3 }, { "ayiya", 4 } },
		.queue_count = 2,
		.offloads = { [OFFLOAD_TUN_TSO] = OFFLOAD_ON, [OFFLOAD_UDP_GSO] = OFFLOAD_REFUSED },
		.database_up = true,
		.feed = { .seq = 12, .loaded = true },
		.metrics = { "[::1]:9641", "[::1]:9641 is taken by another program" },
	};
	out->load.us.counts[4] = 98;
	out->load.us.counts[7] = 2;
	out->late_us.counts[HISTOGRAM_BUCKETS - 1] = 1;
}

static void reload(void *ctx)
{
	(void)ctx;
	reloads++;
}

/* In place of trace.c: what is followed, and by which client. */
static struct trace_filter followed;

void trace_begin(struct trace *t, unsigned watcher, const struct trace_filter *filter)
{
	(void)t;
	assert_int_equal(watcher, CLIENT);
	followed = *filter;
}

void trace_end(struct trace *t, unsigned watcher)
{
	(void)t;
	assert_int_equal(watcher, CLIENT);
	followed = (struct trace_filter){ .n = 0 };
}

static struct settings settings = {
	.ipv4 = { POP_IPV4 },
	.expiry = EXPIRY,
};

/* One at a time: the last one's goes when the next test makes its own. */
static struct errors *errors_of_test(struct pop *p)
{
	static struct errors *errors;

	errors_free(errors);
	errors = errors_create((struct counters *const *)&p->counters, 1);
	assert_non_null(errors);
	return errors;
}

static struct commands commands_of(struct pop *p)
{
	return (struct commands){
		.settings = &settings,
		.table = p->table,
		.counters = (struct counters *const *)&p->counters,
		.counter_sets = 1,
		.errors = errors_of_test(p),
		.roam = p->roam,
		.trace = (struct trace *)&followed, /* not NULL: popd has started */
		.facts = facts,
		.reload = reload,
	};
}

static json_t *ask(struct commands *c, const char *line)
{
	char *answer = NULL;

	assert_int_equal(commands_handle(c, CLIENT, moment(NOW), line, strlen(line), &answer),
			 CONTROL_ANSWERED);
	assert_null(strchr(answer, '\n'));
	assert_null(strstr(answer, SECRET)); /* in no answer, ever */
	json_t *o = json_loads(answer, 0, NULL);
	assert_true(json_is_object(o));
	free(answer);
	return o;
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "(null)";
}

static long long number(const json_t *o, const char *key)
{
	assert_true(json_is_integer(json_object_get(o, key)));
	return json_integer_value(json_object_get(o, key));
}

static void status_sums_up(void **state)
{
	struct pop p = pop_new();
	struct commands c = commands_of(&p);
	json_t *o = ask(&c, "{\"command\":\"status\"}");

	(void)state;
	assert_string_equal(text(o, "pop"), "demo01");
	assert_string_equal(text(o, "ipv4"), "198.51.100.2");
	assert_string_equal(text(o, "database"), "up");
	assert_int_equal(number(o, "uptime"), 100);
	assert_int_equal(json_array_size(json_object_get(o, "prefixes")), 2);
	const json_t *n = json_object_get(o, "tunnels");
	assert_int_equal(number(n, "configured"), 6);
	assert_int_equal(number(n, "up"), 4);
	assert_int_equal(number(n, "active"), 2);
	assert_int_equal(number(n, "capacity"), 64);
	assert_int_equal(number(o, "keepalives"), 7);
	assert_int_equal(number(o, "drops"), 5);
	assert_true(json_is_null(json_object_get(o, "report_at")));
	const json_t *latency = json_object_get(o, "latency"),
		     *lost = json_object_get(o, "queue_overruns");
	assert_true(number(lost, "tun") == 3 && number(lost, "ayiya") == 4);
	assert_int_equal(number(latency, "batches"), 100);
	assert_int_equal(number(latency, "batch_us_p50"), 16);
	assert_int_equal(number(latency, "batch_us_p99"), 128);
	assert_true(json_is_null(
		json_object_get(latency, "control_late_us_p99"))); /* more than can be told apart */
	assert_string_equal(text(json_object_get(o, "metrics"), "problem"),
			    "[::1]:9641 is taken by another program");
	const json_t *offloads = json_object_get(o, "offloads");
	assert_int_equal(json_object_size(offloads), OFFLOAD__COUNT + 1);
	assert_string_equal(text(offloads, "tun_tso"), "on");
	assert_string_equal(text(offloads, "udp_gso"), "refused");
	assert_string_equal(text(offloads, "sha1"), "sha-ni");
	json_decref(o);
	pop_end(&p);
}

static void a_tunnel_is_shown_whichever_way_it_is_named(void **state)
{
	static const struct {
		const char *what;
		const char *id; /* NULL: refused */
	} rows[] = {
		{ "T1", "T1" },
		{ "t1", "T1" },
		{ "1", "T1" },
		{ "2001:db8:2ff:1::2", "T1" },
		{ "2001:db8:2ff:1::1", "T1" },
		{ "2001:db8:3001:5::9", "T1" },
		{ "2001:DB8:2FF:8002::1", "T2" },
		{ "T9", NULL },
		{ "T0", NULL },
		{ "2001:db8:3009::1", NULL },
		{ "::1", NULL },
		{ "T1 ", NULL },
		{ "", NULL },
		{ "\\u0000", NULL },
	};
	struct pop p = pop_new();
	struct commands c = commands_of(&p);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char line[120];
		snprintf(line, sizeof(line), "{\"command\":\"tunnel show\",\"tunnel\":\"%s\"}",
			 rows[i].what);
		json_t *o = ask(&c, line);
		assert_string_equal(text(o, "id"), rows[i].id ? rows[i].id : "(null)");
		assert_int_equal(json_object_get(o, "error") != NULL, rows[i].id == NULL);
		json_decref(o);
	}
	pop_end(&p);
}

static void a_tunnel_tells_its_drops_and_pings(void **state)
{
	struct pop p = pop_new();
	struct commands c = commands_of(&p);
	uint32_t slot = table_by_id(p.table, 1)->slot;

	(void)state;
	count_drop(p.counters, DROP_AYIYA_SIGNATURE, slot, 1,
		   endpoint_pack(at("192.0.2.66", 99), 0), NOW - 5);
	count_drop(p.counters, DROP_SPOOFED_FROM_UPLINK, slot, 1, 0, NOW - 3);
	counters_echo_sent(p.counters, slot);
	counters_echo_received(p.counters, slot, 1500);
	json_t *o = ask(&c, "{\"command\":\"tunnel show\",\"tunnel\":\"T1\"}");
	assert_string_equal(text(o, "state"), "up");
	assert_string_equal(text(o, "endpoint"), "192.0.2.1:4001");
	assert_string_equal(text(o, "signature"), "sha1");
	assert_int_equal(number(o, "last_seen_age"), 10);
	assert_int_equal(json_array_size(json_object_get(o, "drops")), 2);
	const json_t *last = json_object_get(o, "last_drop"),
		     *alive = json_object_get(o, "liveness");
	assert_string_equal(text(last, "name"), "spoofed-from-uplink");
	assert_string_equal(text(last, "from"), "uplink");
	assert_int_equal(number(last, "age"), 3);
	assert_int_equal(number(alive, "rtt_avg_us"), 1500);
	json_decref(o);
	o = ask(&c, "{\"command\":\"tunnel show\",\"tunnel\":\"T4\"}");
	assert_string_equal(text(o, "state"), "disabled");
	assert_true(json_is_null(json_object_get(o, "endpoint")) &&
		    json_is_null(json_object_get(o, "last_drop")));
	json_decref(o);
	o = ask(&c, "{\"command\":\"counters\"}");
	assert_int_equal(json_array_size(json_object_get(o, "drops")), DROP__COUNT - 1);
	size_t i;
	json_t *row;
	json_array_foreach(json_object_get(o, "drops"), i,
			   row) if (strcmp(text(row, "name"), "ayiya-signature") == 0)
	{
		assert_int_equal(number(row, "count"), 1);
		assert_string_equal(text(row, "tunnel"), "T1");
		assert_string_equal(text(row, "from"), "192.0.2.66:99");
	}
	json_decref(o);
	pop_end(&p);
}

/* What is counted goes by one name everywhere: popd/core/measure.h. */
static void what_is_counted_goes_by_the_names_of_the_list(void **state)
{
	struct pop p = pop_new();
	struct commands c = commands_of(&p);
	json_t *one = ask(&c, "{\"command\":\"tunnel show\",\"tunnel\":\"T1\"}"),
	       *all = ask(&c, "{\"command\":\"counters\"}");
	json_t *status = ask(&c, "{\"command\":\"status\"}"),
	       *alive = json_object_get(one, "liveness");

	(void)state;
	for (enum measure m = 0; m < MEASURE__COUNT; m++) {
		const char *name = measure_name(m);
		bool of_liveness = m <= MEASURE_RTT_MAX;
		if (m < MEASURE__TUNNEL && !json_object_get(of_liveness ? alive : one, name))
			fail_msg("a tunnel does not tell its %s", name);
		if (!of_liveness && (!json_object_get(all, name) || !json_object_get(status, name)))
			fail_msg("the PoP does not tell its %s", name);
	}
	assert_int_equal(json_object_size(alive), MEASURE_RTT_MAX + 1 + 1); /* and the mean */
	assert_int_equal(json_object_size(all), MEASURE__COUNT - (MEASURE_RTT_MAX + 1) +
							2); /* since when it counts drops */
	json_decref(one);
	json_decref(all);
	json_decref(status);
	pop_end(&p);
}

static void every_reason_is_told_with_its_sentence(void **state)
{
	struct pop p = pop_new();
	struct commands c = commands_of(&p);
	json_t *o = ask(&c, "{\"command\":\"reasons\"}"), *list = json_object_get(o, "reasons");

	(void)state;
	assert_int_equal(json_array_size(list), DROP__COUNT - 1);
	for (enum drop d = DROP_NONE + 1; d < DROP__COUNT; d++) {
		const json_t *row = json_array_get(list, d - 1);
		assert_string_equal(text(row, "name"), drop_name(d));
		assert_string_equal(text(row, "text"), drop_text(d));
	}
	json_decref(o);
	pop_end(&p);
}

static const json_t *row_of(const json_t *list, const char *name)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(text(json_array_get(list, i), "name"), name) == 0)
			return json_array_get(list, i);
	return NULL;
}

static void errors_tell_of_the_last_packet_and_can_be_reset(void **state)
{
	static const char asked[] = "{\"command\":\"tunnel errors\",\"tunnel\":\"T1\"}";
	struct pop p = pop_new();
	struct commands c = commands_of(&p);
	struct packet inner = echo("2001:db8:2ff:1::2", "2001:db8:f00::1");
	struct packet late = ayiya(p.digest, "2001:db8:2ff:1::2", &inner,
				   AYIYA_OF(.epoch = NOW - 312));
	char hex[2 * DROP_HEAD + 1];

	(void)state;
	assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, late, at("192.0.2.9", 4009)),
			 DROP_CLOCK_SKEW);
	json_t *o = ask(&c, asked);
	assert_string_equal(text(o, "id"), "T1");
	assert_true(json_is_null(json_object_get(o, "since")));
	assert_int_equal(json_array_size(json_object_get(o, "errors")), 1);
	const json_t *row = row_of(json_object_get(o, "errors"), "clock-skew");
	assert_int_equal(number(row, "count"), 1);
	assert_int_equal(number(row, "age"), 0);
	assert_string_equal(text(row, "from"), "192.0.2.9:4009");
	assert_string_equal(text(row, "tunnel"), "T1");
	assert_string_equal(text(row, "sentence"), "the client's clock is 312 s behind ours");
	assert_string_equal(text(row, "text"), drop_text(DROP_CLOCK_SKEW));
	assert_string_equal(text(row, "source"), "ayiya");
	assert_int_equal(number(row, "length"), late.len);
	hex_encode(late.b, DROP_HEAD, hex);
	assert_string_equal(text(row, "packet"), hex);
	json_decref(o);
	json_decref(ask(&c, "{\"command\":\"tunnel errors\",\"tunnel\":\"T1\",\"reset\":true}"));
	o = ask(&c, asked);
	assert_int_equal(json_array_size(json_object_get(o, "errors")), 0);
	assert_int_equal(number(o, "since_age"), 0);
	json_decref(o);
	o = ask(&c, "{\"command\":\"counters\"}");
	assert_int_equal(number(row_of(json_object_get(o, "drops"), "clock-skew"), "count"), 1);
	json_decref(o);
	json_decref(ask(&c, "{\"command\":\"counters\",\"reset\":true}"));
	o = ask(&c, "{\"command\":\"counters\"}");
	row = row_of(json_object_get(o, "drops"), "clock-skew");
	assert_int_equal(number(row, "count"), 0);
	assert_true(json_is_null(json_object_get(row, "at")) && !json_object_get(row, "packet"));
	assert_string_equal(text(row, "sentence"), drop_text(DROP_CLOCK_SKEW));
	json_decref(o);
	pop_end(&p);
}

static void packets_are_followed_by_tunnel_or_all_of_them(void **state)
{
	static const struct {
		const char *request;
		size_t n;
		uint32_t ids[2], snap;
		bool all;
	} rows[] = {
		{ "\"tunnel\":\"T1\"", 1, { 1 }, 0, false },
		{ "\"tunnel\":[\"2001:db8:3001::7\",\"T3\"],\"snap\":128",
		  2,
		  { 1, 3 },
		  128,
		  false },
		{ "\"all\":true,\"snap\":100000", 0, { 0 }, TAP_SNAP, true },
		{ "\"all\":true,\"tunnel\":[],\"snap\":-5", 0, { 0 }, 0, true },
	};
	struct pop p = pop_new();
	struct commands c = commands_of(&p);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char line[200], *answer = NULL;
		snprintf(line, sizeof(line), "{\"command\":\"tunnel trace\",%s}", rows[i].request);
		assert_int_equal(
			commands_handle(&c, CLIENT, moment(NOW), line, strlen(line), &answer),
			CONTROL_FOLLOWS);
		json_t *o = json_loads(answer, 0, NULL);
		assert_int_equal(json_array_size(json_object_get(o, "following")), rows[i].n);
		assert_string_equal(text(o, "ipv4"), "198.51.100.2");
		assert_int_equal(followed.n, rows[i].n);
		assert_memory_equal(followed.ids, rows[i].ids, rows[i].n * sizeof(uint32_t));
		assert_int_equal(followed.snap, rows[i].snap);
		assert_int_equal(followed.all, rows[i].all);
		json_decref(o);
		free(answer);
	}
	commands_client_left(&c, CLIENT);
	assert_true(followed.n == 0 && !followed.all);
	c.trace = NULL; /* popd ends before it has started */
	commands_client_left(&c, CLIENT);
	pop_end(&p);
}

static void a_long_list_comes_in_pages_with_each_tunnel_once(void **state)
{
	enum { TUNNELS = 3 * TUNNEL_LIST_PAGE + 7 };
	static const uint8_t seed[16] = { 3 };
	struct pop p = pop_new();
	static bool seen[TUNNELS + 1];
	size_t told = 0, pages = 0;
	json_int_t after = 0;

	(void)state;
	struct table *t = table_create(TUNNELS + 5, 1, seed);
	struct counters *counters = counters_create(TUNNELS + 5);
	for (uint32_t id = 1; id <= TUNNELS; id++) {
		char net[40];
		snprintf(net, sizeof(net), "2001:db8:2ff:%x::", id);
		assert_int_equal(table_set(t, conf_new(p.digest, id, TUNNEL_AYIYA, net, NULL)), 0);
	}
	struct commands c = commands_of(&p);
	c.table = t;
	c.counters = &counters;
	for (bool more = true; more; pages++) {
		char line[80];
		snprintf(line, sizeof(line),
			 "{\"command\":\"tunnel list\",\"all\":true,\"after\":%lld}",
			 (long long)after);
		json_t *o = ask(&c, line), *list = json_object_get(o, "tunnels"), *row,
		       *next = json_object_get(o, "next");
		size_t i;
		assert_true(json_array_size(list) <= TUNNEL_LIST_PAGE);
		json_array_foreach(list, i, row)
		{
			long id = strtol(text(row, "id") + 1, NULL, 10);
			assert_false(seen[id]);
			seen[id] = true;
			told++;
		}
		more = json_is_integer(next);
		assert_true(!more || json_integer_value(next) > after);
		after = json_integer_value(next);
		json_decref(o);
	}
	assert_int_equal(told, TUNNELS);
	assert_int_equal(pages, 4);
	table_free(t);
	counters_free(counters);
	pop_end(&p);
}

static void by_default_only_tunnels_that_are_up_are_listed(void **state)
{
	struct pop p = pop_new();
	struct commands c = commands_of(&p);
	json_t *o = ask(&c, "{\"command\":\"tunnel list\"}");

	(void)state;
	assert_int_equal(json_array_size(json_object_get(o, "tunnels")), 4);
	assert_int_equal(number(o, "configured"), 6);
	assert_true(json_is_null(json_object_get(o, "next")));
	json_decref(o);
	pop_end(&p);
}

static struct top *top_of(struct pop *p)
{
	struct top *top = top_create(p->table, (struct counters *const *)&p->counters, 1);

	assert_non_null(top);
	return top;
}

static void the_first_question_about_the_busiest_has_no_rates_yet(void **state)
{
	struct pop p = pop_new();
	struct commands c = commands_of(&p);

	(void)state;
	c.top = top_of(&p);
	counters_in(p.counters, table_by_id(p.table, 1)->slot, 1, 1000);
	json_t *o = ask(&c, "{\"command\":\"top\"}");
	assert_true(json_is_null(json_object_get(o, "window_ms")));
	assert_int_equal(json_array_size(json_object_get(o, "tunnels")), 0);
	json_decref(o);
	top_free(c.top);
	pop_end(&p);
}

static void the_busiest_tunnels_are_shown_in_bits_and_packets_a_second(void **state)
{
	struct pop p = pop_new();
	struct commands c = commands_of(&p);
	uint32_t one = table_by_id(p.table, 1)->slot, three = table_by_id(p.table, 3)->slot;

	(void)state;
	c.top = top_of(&p);
	assert_int_equal(top_sample(c.top, (mono_t){ mono_now().ms - 1000 }), 0);
	counters_in(p.counters, one, 1, 1000);
	counters_out(p.counters, three, 600);
	counters_out(p.counters, three, 600);
	json_t *o = ask(&c, "{\"command\":\"top\"}");
	long long window = number(o, "window_ms");
	assert_true(window >= 1000);
	const json_t *list = json_object_get(o, "tunnels"), *first = json_array_get(list, 0);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text(first, "id"), "T3");
	assert_string_equal(text(first, "type"), "static");
	assert_string_equal(text(first, "endpoint"), "203.0.113.3");
	assert_int_equal(number(first, "bits_out_per_second"),
			 (long long)(8 * (1200. * 1000 / (double)window)));
	assert_int_equal(number(first, "bits_in_per_second"), 0);
	double packets = json_real_value(json_object_get(first, "packets_out_per_second"));
	assert_true(fabs(packets - 2000. / (double)window) < 0.06);
	assert_int_equal(number(first, "bytes_out"), 1200);
	json_decref(o);
	o = ask(&c, "{\"command\":\"top\",\"by\":\"bytes\",\"limit\":1}");
	assert_int_equal(json_array_size(json_object_get(o, "tunnels")), 1);
	assert_string_equal(text(json_array_get(json_object_get(o, "tunnels"), 0), "id"), "T3");
	json_decref(o);
	o = ask(&c, "{\"command\":\"top\",\"by\":\"drops\"}");
	assert_string_equal(text(o, "by"), "drops");
	assert_int_equal(json_array_size(json_object_get(o, "tunnels")), 0);
	json_decref(o);
	top_free(c.top);
	pop_end(&p);
}

static void what_is_no_request_is_refused_with_a_sentence(void **state)
{
	static const char *const lines[] = {
		"",
		" ",
		"{",
		"[]",
		"7",
		"\"status\"",
		"{}",
		"{\"command\":null}",
		"{\"command\":[]}",
		"{\"command\":\"\"}",
		"{\"command\":\"status\",\"command\":\"status\"}",
		"{\"command\":\"Status\"}",
		"{\"command\":\"tunnel show\"}",
		"{\"command\":\"tunnel show\",\"tunnel\":7}",
		"{\"command\":\"tunnel trace\"}",
		"{\"command\":\"tunnel trace\",\"tunnel\":[]}",
		"{\"command\":\"tunnel trace\",\"tunnel\":[\"T1\",\"T99\"]}",
		"{\"command\":\"tunnel trace\",\"tunnel\":[7],\"all\":true}",
		"{\"command\":\"tunnel errors\"}",
		"{\"command\":\"tunnel errors\",\"tunnel\":\"T99\",\"reset\":true}",
		"{\"command\":\"log\"}",
		"{\"command\":\"top\",\"by\":\"colour\"}",
		"{\"command\":\"top\",\"by\":7}",
		"{\"command\":\"top\",\"limit\":0}",
		"{\"command\":\"top\",\"limit\":201}",
		"{\"command\":\"top\",\"limit\":\"20\"}",
		"{\"command\":\"log\",\"level\":\"loud\"}",
		"{\"command\":\"status\"} {\"command\":\"status\"}",
		"\xff\xfe",
		"nul",
	};
	struct pop p = pop_new();
	struct commands c = commands_of(&p);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		json_t *o = ask(&c, lines[i]);
		assert_true(strlen(text(o, "error")) > 8);
		json_decref(o);
	}
	pop_end(&p);
}

static void odd_pages_are_borne(void **state)
{
	static const char *const afters[] = { "-1",    "64",  "65",  "9223372036854775807",
					      "\"x\"", "1e3", "null" };
	struct pop p = pop_new();
	struct commands c = commands_of(&p);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(afters); i++) {
		char line[100];
		snprintf(line, sizeof(line), "{\"command\":\"tunnel list\",\"after\":%s}",
			 afters[i]);
		json_t *o = ask(&c, line);
		assert_true(json_is_array(json_object_get(o, "tunnels")));
		json_decref(o);
	}
	pop_end(&p);
}

static void reload_answers_later_and_log_at_once(void **state)
{
	static const char line[] = "{\"command\":\"reload\"}";
	struct pop p = pop_new();
	struct commands c = commands_of(&p);
	enum log_level before = log_get_level();
	char *answer = NULL;

	(void)state;
	assert_int_equal(commands_handle(&c, CLIENT, moment(NOW), line, strlen(line), &answer),
			 CONTROL_LATER);
	assert_null(answer);
	assert_int_equal(reloads, 1);
	answer = commands_reload_answer(true, "3 tunnels loaded");
	assert_string_equal(answer, "{\"message\":\"3 tunnels loaded\"}");
	free(answer);
	answer = commands_reload_answer(false, "not \"reloaded\"");
	assert_string_equal(answer, "{\"error\":\"not \\\"reloaded\\\"\"}");
	free(answer);
	json_decref(ask(&c, "{\"command\":\"log\",\"level\":\"debug\"}"));
	assert_int_equal(log_get_level(), LOG_LEVEL_DEBUG);
	log_set_level(before);
	pop_end(&p);
}

static void two_clients_are_told_of_the_tunnel_until_its_errors_are_reset(void **state)
{
	struct pop p = pop_new();
	struct commands c = commands_of(&p);
	struct tunnel *t = table_by_id(p.table, 1);
	uint64_t a = endpoint_pack(at("192.0.2.1", 4001), 0),
		 b = endpoint_pack(at("192.0.2.9", 9), 0);
	static const char *const asked[] = { "{\"command\":\"tunnel show\",\"tunnel\":\"T1\"}",
					     "{\"command\":\"tunnel errors\",\"tunnel\":\"T1\"}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		json_t *o = ask(&c, asked[i]);
		assert_true(json_is_null(json_object_get(o, "two_clients")));
		json_decref(o);
	}
	for (int i = 0; i < ROAM_CHANGES; i++)
		(void)roam_note_change(p.roam, t, conf_of_tunnel(t), i % 2 ? b : a, i % 2 ? a : b,
				       stamp(NOW - 7, p.now.mono_us));
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		json_t *o = ask(&c, asked[i]);
		const json_t *two = json_object_get(o, "two_clients");
		assert_string_equal(
			text(two, "sentence"),
			"two clients use this tunnel, at 192.0.2.1:4001 and at 192.0.2.9:9");
		assert_int_equal(number(two, "age"), 7);
		assert_int_equal(json_array_size(json_object_get(two, "endpoints")), 2);
		json_decref(o);
	}
	json_decref(ask(&c, "{\"command\":\"tunnel errors\",\"tunnel\":\"T1\",\"reset\":true}"));
	json_t *o = ask(&c, asked[1]);
	assert_true(json_is_null(json_object_get(o, "two_clients")));
	json_decref(o);
	pop_end(&p);
}

static void a_path_mtu_is_told_with_its_age_until_it_is_forgotten(void **state)
{
	struct pop p = pop_new();
	struct commands c = commands_of(&p);
	struct tunnel *t = table_by_id(p.table, 6);

	(void)state;
	json_t *o = ask(&c, "{\"command\":\"tunnel show\",\"tunnel\":\"T6\"}");
	assert_true(json_is_null(json_object_get(o, "path_mtu")) &&
		    json_is_null(json_object_get(o, "path_mtu_age")));
	assert_int_equal(number(o, "effective_mtu"), 1480);
	json_decref(o);
	path_lower(t, atomic_load(&t->endpoint), 1400, mono(NOW - 599));
	o = ask(&c, "{\"command\":\"tunnel show\",\"tunnel\":\"T6\"}");
	assert_int_equal(number(o, "path_mtu"), 1400);
	assert_int_equal(number(o, "path_mtu_age"), 599);
	assert_int_equal(number(o, "effective_mtu"), 1380);
	assert_int_equal(number(o, "mtu"), 1480);
	json_decref(o);
	atomic_store(&t->path, path_pack(1400, mono(NOW - PATH_LIFE)));
	o = ask(&c, "{\"command\":\"tunnel show\",\"tunnel\":\"T6\"}");
	assert_true(json_is_null(json_object_get(o, "path_mtu")) &&
		    number(o, "effective_mtu") == 1480);
	json_decref(o);
	pop_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_sums_up),
		cmocka_unit_test(two_clients_are_told_of_the_tunnel_until_its_errors_are_reset),
		cmocka_unit_test(a_path_mtu_is_told_with_its_age_until_it_is_forgotten),
		cmocka_unit_test(a_tunnel_is_shown_whichever_way_it_is_named),
		cmocka_unit_test(a_tunnel_tells_its_drops_and_pings),
		cmocka_unit_test(what_is_counted_goes_by_the_names_of_the_list),
		cmocka_unit_test(every_reason_is_told_with_its_sentence),
		cmocka_unit_test(errors_tell_of_the_last_packet_and_can_be_reset),
		cmocka_unit_test(packets_are_followed_by_tunnel_or_all_of_them),
		cmocka_unit_test(a_long_list_comes_in_pages_with_each_tunnel_once),
		cmocka_unit_test(by_default_only_tunnels_that_are_up_are_listed),
		cmocka_unit_test(the_first_question_about_the_busiest_has_no_rates_yet),
		cmocka_unit_test(the_busiest_tunnels_are_shown_in_bits_and_packets_a_second),
		cmocka_unit_test(what_is_no_request_is_refused_with_a_sentence),
		cmocka_unit_test(odd_pages_are_borne),
		cmocka_unit_test(reload_answers_later_and_log_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
