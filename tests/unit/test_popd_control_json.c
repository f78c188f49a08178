#include "popd/observe/control_json.h"

#include <jansson.h>

#include "lib/log.h"
#include "popd/core/measure.h"
#include "popd/core/path.h"
#include "tests/unit/test_popd_fixture.h"

static int reloads;

static void facts(void *ctx, struct control_facts *out)
{
	(void)ctx;
	*out = (struct control_facts){ .database_up = true,
				       .enabled = true,
				       .feed = { .seq = 12, .loaded = true } };
	out->queues[0] = (struct worker_queue){ "tun", 3 };
	out->queues[1] = (struct worker_queue){ "ayiya", 4 };
	out->queue_count = 2;
	out->load.us.counts[4] = 98;
	out->load.us.counts[7] = 2;
	out->late_us.counts[HISTOGRAM_BUCKETS - 1] = 1;
	out->metrics = (struct metrics_state){ "[::1]:9641",
					       "[::1]:9641 is taken by another program" };
}

static void reload(void *ctx)
{
	(void)ctx;
	reloads++;
}

static struct trace_filter followed;

static void follow(void *ctx, unsigned client, const struct trace_filter *filter)
{
	(void)ctx;
	assert_int_equal(client, 5);
	followed = *filter;
}

static struct settings settings = {
	.name = (char[]){ "demo01" },
	.ipv4 = { POP_IPV4 },
	.tun = (char[]){ "sixxs" },
	.expiry = EXPIRY,
	.max_tunnels = FIXTURE_TUNNELS,
};

static struct offloads offloads_of_test = {
	.state = { [OFFLOAD_TUN_TSO] = OFFLOAD_ON, [OFFLOAD_UDP_GSO] = OFFLOAD_REFUSED }
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

static struct control_view view_of(struct pop *p)
{
	return (struct control_view){
		.settings = &settings,
		.table = p->table,
		.counters = (struct counters *const *)&p->counters,
		.workers = 1,
		.counter_sets = 1,
		.errors = errors_of_test(p),
		.offloads = &offloads_of_test,
		.sha1 = "sha-ni",
		.started = NOW - 100,
		.facts = facts,
		.client = 5,
		.follow = follow,
		.reload = reload,
	};
}

struct watched {
	struct top *top;
	struct pop *pop;
	int64_t ms;
};

/* Looks once a second. */
static struct top *top_of(void *ctx)
{
	struct watched *w = ctx;

	w->ms += 1000;
	top_look(w->top, w->pop->table, (struct counters *const *)&w->pop->counters, 1,
		 (mono_t){ w->ms });
	return w->top;
}

static json_t *ask(const struct control_view *v, const char *line)
{
	char *answer = NULL;

	assert_int_equal(control_json_handle(v, NOW, line, strlen(line), &answer),
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
	struct control_view v = view_of(&p);
	json_t *o = ask(&v, "{\"command\":\"status\"}");

	(void)state;
	assert_string_equal(text(o, "pop"), "demo01");
	assert_string_equal(text(o, "ipv4"), "198.51.100.2");
	assert_string_equal(text(o, "database"), "up");
	assert_int_equal(number(o, "uptime"), 100);
	assert_int_equal(json_array_size(json_object_get(o, "prefixes")), 2);
	const json_t *n = json_object_get(o, "tunnels");
	assert_int_equal(number(n, "configured"), 6);
	assert_int_equal(number(n, "up"), 4);     /* T1, T2 and the static T3, T6 */
	assert_int_equal(number(n, "active"), 2); /* nothing was heard of the static ones */
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
	struct control_view v = view_of(&p);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char line[120];
		snprintf(line, sizeof(line), "{\"command\":\"tunnel show\",\"what\":\"%s\"}",
			 rows[i].what);
		json_t *o = ask(&v, line);
		assert_string_equal(text(o, "id"), rows[i].id ? rows[i].id : "(null)");
		assert_int_equal(json_object_get(o, "error") != NULL, rows[i].id == NULL);
		json_decref(o);
	}
	pop_end(&p);
}

static void a_tunnel_tells_its_drops_and_pings(void **state)
{
	struct pop p = pop_new();
	struct control_view v = view_of(&p);
	uint32_t slot = table_by_id(p.table, 1)->slot;

	(void)state;
	count_drop(p.counters, DROP_AYIYA_SIGNATURE, slot, 1,
		   endpoint_pack(at("192.0.2.66", 99), 0), NOW - 5);
	count_drop(p.counters, DROP_SPOOFED_FROM_UPLINK, slot, 1, 0, NOW - 3);
	counters_echo_sent(p.counters, slot);
	counters_echo_received(p.counters, slot, 1500);
	json_t *o = ask(&v, "{\"command\":\"tunnel show\",\"what\":\"T1\"}");
	assert_string_equal(text(o, "state"), "up");
	assert_string_equal(text(o, "endpoint"), "192.0.2.1:4001");
	assert_string_equal(text(o, "signature"), "sha1");
	assert_int_equal(number(o, "heard_age"), 10);
	assert_int_equal(json_array_size(json_object_get(o, "drops")), 2);
	const json_t *last = json_object_get(o, "last_drop"),
		     *alive = json_object_get(o, "liveness");
	assert_string_equal(text(last, "name"), "spoofed-from-uplink");
	assert_string_equal(text(last, "from"), "uplink");
	assert_int_equal(number(last, "age"), 3);
	assert_int_equal(number(alive, "rtt_avg_us"), 1500);
	json_decref(o);
	o = ask(&v, "{\"command\":\"tunnel show\",\"what\":\"T4\"}");
	assert_string_equal(text(o, "state"), "disabled");
	assert_true(json_is_null(json_object_get(o, "endpoint")) &&
		    json_is_null(json_object_get(o, "last_drop")));
	json_decref(o);
	o = ask(&v, "{\"command\":\"counters\"}");
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
	struct control_view v = view_of(&p);
	json_t *one = ask(&v, "{\"command\":\"tunnel show\",\"what\":\"T1\"}"),
	       *all = ask(&v, "{\"command\":\"counters\"}");
	json_t *status = ask(&v, "{\"command\":\"status\"}"),
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
	struct control_view v = view_of(&p);
	json_t *o = ask(&v, "{\"command\":\"reasons\"}"), *list = json_object_get(o, "reasons");

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
	static const char asked[] = "{\"command\":\"tunnel errors\",\"what\":\"T1\"}";
	struct pop p = pop_new();
	struct control_view v = view_of(&p);
	struct packet inner = echo("2001:db8:2ff:1::2", "2001:db8:f00::1");
	struct packet late = ayiya(p.digest, "2001:db8:2ff:1::2", &inner,
				   AYIYA_OF(.epoch = NOW - 312));
	char hex[2 * DROP_HEAD + 1];

	(void)state;
	assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, late, at("192.0.2.9", 4009)),
			 DROP_CLOCK_SKEW);
	json_t *o = ask(&v, asked);
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
	json_decref(ask(&v, "{\"command\":\"tunnel errors\",\"what\":\"T1\",\"reset\":true}"));
	o = ask(&v, asked);
	assert_int_equal(json_array_size(json_object_get(o, "errors")), 0);
	assert_int_equal(number(o, "since_age"), 0);
	json_decref(o);
	o = ask(&v, "{\"command\":\"counters\"}");
	assert_int_equal(number(row_of(json_object_get(o, "drops"), "clock-skew"), "count"), 1);
	json_decref(o);
	json_decref(ask(&v, "{\"command\":\"counters\",\"reset\":true}"));
	o = ask(&v, "{\"command\":\"counters\"}");
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
		{ "\"what\":\"T1\"", 1, { 1 }, 0, false },
		{ "\"what\":[\"2001:db8:3001::7\",\"T3\"],\"snap\":128", 2, { 1, 3 }, 128, false },
		{ "\"all\":true,\"snap\":100000", 0, { 0 }, TAP_SNAP, true },
		{ "\"all\":true,\"what\":[],\"snap\":-5", 0, { 0 }, 0, true },
	};
	struct pop p = pop_new();
	struct control_view v = view_of(&p);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char line[200], *answer = NULL;
		snprintf(line, sizeof(line), "{\"command\":\"tunnel trace\",%s}", rows[i].request);
		assert_int_equal(control_json_handle(&v, NOW, line, strlen(line), &answer),
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
	pop_end(&p);
}

static void a_long_list_comes_in_pages_with_each_tunnel_once(void **state)
{
	enum { TUNNELS = 3 * CONTROL_PAGE + 7 };
	static const uint8_t seed[16] = { 3 };
	struct pop p = pop_new();
	static bool seen[TUNNELS + 1];
	size_t told = 0, pages = 0;
	json_int_t after = 0;

	(void)state;
	struct table *t = table_create(TUNNELS + 5, 1, seed);
	struct counters *c = counters_create(TUNNELS + 5);
	for (uint32_t id = 1; id <= TUNNELS; id++) {
		char net[40];
		snprintf(net, sizeof(net), "2001:db8:2ff:%x::", id);
		assert_int_equal(table_set(t, conf_new(p.digest, id, TUNNEL_AYIYA, net, NULL)), 0);
	}
	struct control_view v = view_of(&p);
	v.table = t;
	v.counters = &c;
	for (bool more = true; more; pages++) {
		char line[80];
		snprintf(line, sizeof(line),
			 "{\"command\":\"tunnel list\",\"all\":true,\"after\":%lld}",
			 (long long)after);
		json_t *o = ask(&v, line), *list = json_object_get(o, "tunnels"), *row,
		       *next = json_object_get(o, "next");
		size_t i;
		assert_true(json_array_size(list) <= CONTROL_PAGE);
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
	counters_free(c);
	pop_end(&p);
}

static void by_default_only_tunnels_that_are_up_are_listed(void **state)
{
	struct pop p = pop_new();
	struct control_view v = view_of(&p);
	json_t *o = ask(&v, "{\"command\":\"tunnel list\"}");

	(void)state;
	assert_int_equal(json_array_size(json_object_get(o, "tunnels")), 4);
	assert_int_equal(number(o, "configured"), 6);
	assert_true(json_is_null(json_object_get(o, "next")));
	json_decref(o);
	pop_end(&p);
}

static void the_busiest_tunnels_are_told_in_bits_and_packets_a_second(void **state)
{
	struct pop p = pop_new();
	struct control_view v = view_of(&p);
	struct watched w = { top_create(FIXTURE_TUNNELS), &p, 0 };
	uint32_t one = table_by_id(p.table, 1)->slot, three = table_by_id(p.table, 3)->slot;

	(void)state;
	v.top = top_of;
	v.ctx = &w;
	json_t *o = ask(&v, "{\"command\":\"top\"}");
	assert_true(json_is_null(json_object_get(o, "window_ms")));
	assert_int_equal(json_array_size(json_object_get(o, "tunnels")), 0);
	json_decref(o);
	counters_in(p.counters, one, 1, 1000);
	counters_out(p.counters, three, 600);
	counters_out(p.counters, three, 600);
	o = ask(&v, "{\"command\":\"top\"}");
	assert_int_equal(number(o, "window_ms"), 1000);
	const json_t *list = json_object_get(o, "tunnels"), *first = json_array_get(list, 0);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text(first, "id"), "T3");
	assert_string_equal(text(first, "type"), "static");
	assert_string_equal(text(first, "endpoint"), "203.0.113.3");
	assert_int_equal(number(first, "bits_out_per_second"), 9600);
	assert_int_equal(number(first, "bits_in_per_second"), 0);
	assert_true(json_real_value(json_object_get(first, "packets_out_per_second")) == 2.);
	assert_int_equal(number(first, "bytes_out"), 1200);
	json_decref(o);
	counters_in(p.counters, one, 1, 1000);
	counters_in(p.counters, three, 1, 10);
	counters_in(p.counters, three, 1, 10);
	o = ask(&v, "{\"command\":\"top\",\"by\":\"bytes\",\"limit\":1}");
	assert_int_equal(json_array_size(json_object_get(o, "tunnels")), 1);
	assert_string_equal(text(json_array_get(json_object_get(o, "tunnels"), 0), "id"), "T1");
	json_decref(o);
	o = ask(&v, "{\"command\":\"top\",\"by\":\"drops\"}");
	assert_string_equal(text(o, "by"), "drops");
	assert_int_equal(json_array_size(json_object_get(o, "tunnels")), 0);
	json_decref(o);
	top_free(w.top);
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
		"{\"command\":\"tunnel show\",\"what\":7}",
		"{\"command\":\"tunnel trace\"}",
		"{\"command\":\"tunnel trace\",\"what\":[]}",
		"{\"command\":\"tunnel trace\",\"what\":[\"T1\",\"T99\"]}",
		"{\"command\":\"tunnel trace\",\"what\":[7],\"all\":true}",
		"{\"command\":\"tunnel errors\"}",
		"{\"command\":\"tunnel errors\",\"what\":\"T99\",\"reset\":true}",
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
	struct control_view v = view_of(&p);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		json_t *o = ask(&v, lines[i]);
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
	struct control_view v = view_of(&p);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(afters); i++) {
		char line[100];
		snprintf(line, sizeof(line), "{\"command\":\"tunnel list\",\"after\":%s}",
			 afters[i]);
		json_t *o = ask(&v, line);
		assert_true(json_is_array(json_object_get(o, "tunnels")));
		json_decref(o);
	}
	pop_end(&p);
}

static void reload_answers_later_and_log_at_once(void **state)
{
	static const char line[] = "{\"command\":\"reload\"}";
	struct pop p = pop_new();
	struct control_view v = view_of(&p);
	enum log_level before = log_get_level();
	char *answer = NULL;

	(void)state;
	assert_int_equal(control_json_handle(&v, NOW, line, strlen(line), &answer), CONTROL_LATER);
	assert_null(answer);
	assert_int_equal(reloads, 1);
	answer = control_json_outcome(true, "3 tunnels loaded");
	assert_string_equal(answer, "{\"message\":\"3 tunnels loaded\"}");
	free(answer);
	answer = control_json_outcome(false, "not \"reloaded\"");
	assert_string_equal(answer, "{\"error\":\"not \\\"reloaded\\\"\"}");
	free(answer);
	json_decref(ask(&v, "{\"command\":\"log\",\"level\":\"debug\"}"));
	assert_int_equal(log_get_level(), LOG_LEVEL_DEBUG);
	log_set_level(before);
	pop_end(&p);
}

static void a_path_mtu_is_told_with_its_age_until_it_is_forgotten(void **state)
{
	struct pop p = pop_new();
	struct control_view v = view_of(&p);
	struct tunnel *t = table_by_id(p.table, 6);

	(void)state;
	json_t *o = ask(&v, "{\"command\":\"tunnel show\",\"what\":\"T6\"}");
	assert_true(json_is_null(json_object_get(o, "path_mtu")) &&
		    json_is_null(json_object_get(o, "path_mtu_age")));
	assert_int_equal(number(o, "effective_mtu"), 1480);
	json_decref(o);
	path_lower(t, atomic_load(&t->endpoint), 1400, NOW - 599);
	o = ask(&v, "{\"command\":\"tunnel show\",\"what\":\"T6\"}");
	assert_int_equal(number(o, "path_mtu"), 1400);
	assert_int_equal(number(o, "path_mtu_age"), 599);
	assert_int_equal(number(o, "effective_mtu"), 1380);
	assert_int_equal(number(o, "mtu"), 1480);
	json_decref(o);
	atomic_store(&t->path, path_pack(1400, NOW - PATH_LIFE));
	o = ask(&v, "{\"command\":\"tunnel show\",\"what\":\"T6\"}");
	assert_true(json_is_null(json_object_get(o, "path_mtu")) &&
		    number(o, "effective_mtu") == 1480);
	json_decref(o);
	pop_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_sums_up),
		cmocka_unit_test(a_path_mtu_is_told_with_its_age_until_it_is_forgotten),
		cmocka_unit_test(a_tunnel_is_shown_whichever_way_it_is_named),
		cmocka_unit_test(a_tunnel_tells_its_drops_and_pings),
		cmocka_unit_test(what_is_counted_goes_by_the_names_of_the_list),
		cmocka_unit_test(every_reason_is_told_with_its_sentence),
		cmocka_unit_test(errors_tell_of_the_last_packet_and_can_be_reset),
		cmocka_unit_test(packets_are_followed_by_tunnel_or_all_of_them),
		cmocka_unit_test(a_long_list_comes_in_pages_with_each_tunnel_once),
		cmocka_unit_test(by_default_only_tunnels_that_are_up_are_listed),
		cmocka_unit_test(the_busiest_tunnels_are_told_in_bits_and_packets_a_second),
		cmocka_unit_test(what_is_no_request_is_refused_with_a_sentence),
		cmocka_unit_test(odd_pages_are_borne),
		cmocka_unit_test(reload_answers_later_and_log_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
