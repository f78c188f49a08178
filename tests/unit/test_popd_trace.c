/* Watched packets from the pipeline to the watchers, without threads: tap.h at one end, trace.h at
 * the other. */
#include "popd/observe/trace.h"

#include <jansson.h>

#include "popd/core/probe.h"
#include "tests/unit/test_popd_fixture.h"

#define CLIENT1 "2001:db8:2ff:1::2"
#define CLIENT3 "2001:db8:2ff:3::2"
#define OUTSIDE "2001:db8:f00::1"

enum { LINES = 2000 };

struct received {
	bool full; /* takes no line */
	size_t n;
	char *lines[LINES];
};

struct stage {
	struct pop pop;
	struct trace *trace;
	struct tap *tap;
	struct received received[TRACE_WATCHERS];
};

static bool send_line(void *ctx, unsigned watcher, const char *line, size_t len)
{
	struct received *t = &((struct stage *)ctx)->received[watcher];

	if (t->full)
		return false;
	assert_int_equal(strlen(line), len);
	assert_null(strchr(line, '\n'));
	assert_true(t->n < LINES);
	t->lines[t->n++] = strdup(line);
	return true;
}

static void stage_begin(struct stage *s)
{
	memset(s, 0, sizeof(*s));
	s->pop = pop_new();
	s->trace = trace_create(s->pop.table, send_line, s);
	assert_non_null(s->trace);
	s->tap = tap_create(trace_tap_watch(s->trace));
	assert_non_null(s->tap);
}

static void forget(struct received *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->lines[i]);
	t->n = 0;
}

static void stage_end(struct stage *s)
{
	for (size_t i = 0; i < TRACE_WATCHERS; i++)
		forget(&s->received[i]);
	tap_free(s->tap);
	trace_free(s->trace);
	pop_end(&s->pop);
}

static void follow(struct stage *s, unsigned watcher, uint32_t id)
{
	struct trace_filter filter = {
		.all = id == 0, .ids = { id }, .n = id != 0, .snap = TAP_SNAP
	};

	trace_begin(s->trace, watcher, &filter);
}

/* As a worker does. */
static void run_job(struct stage *s, struct job *job)
{
	bool watched = tap_is_watched(s->tap);

	if (watched)
		tap_before(s->tap, job, 1);
	pop_run(&s->pop, job, 1);
	if (watched)
		(void)tap_after(s->tap, job, 1);
}

static enum drop send(struct stage *s, enum job_source source, struct packet packet,
		      struct endpoint4 from)
{
	struct job job;

	job_init(&job, source, &packet, from, 0);
	run_job(s, &job);
	job_end(&job);
	return job.drop;
}

static struct packet from_client1(struct stage *s, struct packet inner)
{
	return ayiya(s->pop.digest, CLIENT1, &inner, AYIYA_GOOD);
}

static void drain(struct stage *s)
{
	while (trace_drain(s->trace, &s->tap, 1))
		;
}

/* The watcher's line number `i`. */
static json_t *line(const struct stage *s, unsigned watcher, size_t i)
{
	assert_true(i < s->received[watcher].n);
	json_t *o = json_loads(s->received[watcher].lines[i], 0, NULL);
	assert_true(json_is_object(o));
	return o;
}

static const char *text(const json_t *o, const char *key)
{
	const char *t = json_string_value(json_object_get(o, key));

	return t ? t : "(null)";
}

static void assert_hex(const json_t *o, const uint8_t *bytes, size_t len)
{
	char hex[2 * TAP_SNAP + 1];

	hex_encode(bytes, len, hex);
	assert_string_equal(text(o, "packet"), hex);
	assert_int_equal(json_integer_value(json_object_get(o, "length")), len);
}

static void while_nobody_watches_nothing_is_kept(void **state)
{
	struct stage s;

	(void)state;
	stage_begin(&s);
	assert_false(tap_is_watched(s.tap));
	assert_int_equal(send(&s, JOB_FROM_AYIYA, from_client1(&s, echo(CLIENT1, OUTSIDE)),
			      at("192.0.2.1", 4001)),
			 0);
	follow(&s, 5, 1);
	assert_true(tap_is_watched(s.tap));
	trace_end(s.trace, 5);
	assert_false(tap_is_watched(s.tap));
	assert_false(atomic_load(&table_by_id(s.pop.table, 1)->watched));
	drain(&s);
	assert_int_equal(s.received[5].n, 0);
	stage_end(&s);
}

static void a_packet_is_sent_as_it_came_and_as_it_left(void **state)
{
	struct stage s;
	struct job job;

	(void)state;
	stage_begin(&s);
	follow(&s, 0, 1);
	struct packet sent = from_client1(&s, echo(CLIENT1, CLIENT3));
	job_init(&job, JOB_FROM_AYIYA, &sent, at("192.0.2.1", 4001), 0);
	run_job(&s, &job);
	drain(&s);
	assert_int_equal(s.received[0].n, 1);
	json_t *o = line(&s, 0, 0), *out = json_array_get(json_object_get(o, "out"), 0);
	assert_hex(o, sent.b, sent.len);
	assert_string_equal(text(o, "tunnel"), "T1");
	assert_string_equal(text(o, "source"), "ayiya");
	assert_string_equal(text(o, "from"), "192.0.2.1:4001");
	assert_true(json_is_null(json_object_get(o, "drop")));
	assert_int_equal(json_array_size(json_object_get(o, "out")), 1);
	assert_hex(out, job.out[0].data, job.out[0].len);
	assert_string_equal(text(out, "kind"), "proto41");
	assert_string_equal(text(out, "tunnel"), "T3");
	assert_string_equal(text(out, "to"), "203.0.113.3");
	assert_false(json_is_true(json_object_get(out, "answer")));
	json_decref(o);
	job_end(&job);
	stage_end(&s);
}

static void each_watcher_gets_its_own_tunnels_and_all_is_all(void **state)
{
	static const struct {
		uint32_t id;
		size_t lines;
	} rows[] = { { 1, 3 }, { 3, 2 }, { 2, 0 }, { 0, 5 }, { 999, 0 } };
	struct stage s;

	(void)state;
	stage_begin(&s);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		follow(&s, i, rows[i].id);
	/* T1 to the uplink, T1 to T3, T1's for a wrong password, T3's for its size, nobody's */
	send(&s, JOB_FROM_AYIYA, from_client1(&s, echo(CLIENT1, OUTSIDE)), at("192.0.2.1", 4001));
	send(&s, JOB_FROM_AYIYA, from_client1(&s, echo(CLIENT1, CLIENT3)), at("192.0.2.1", 4001));
	struct packet wrong = from_client1(&s, echo(CLIENT1, OUTSIDE));
	wrong.b[30] ^= 1;
	assert_int_equal(send(&s, JOB_FROM_AYIYA, wrong, at("192.0.2.9", 9)), DROP_FORGED);
	assert_int_equal(send(&s, JOB_FROM_TUN, ipv6(OUTSIDE, CLIENT3, 17, 64, NULL, 1400),
			      (struct endpoint4){ { 0 }, 0 }),
			 DROP_TOO_BIG);
	send(&s, JOB_FROM_HEARTBEAT, (struct packet){ .len = 5, .b = "hello" }, at("192.0.2.9", 9));
	drain(&s);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(s.received[i].n, rows[i].lines);
	json_t *o = line(&s, 1, 1), *out = json_array_get(json_object_get(o, "out"), 0);
	assert_string_equal(text(o, "drop"), "too-big");
	assert_string_equal(text(o, "charged"), "T3");
	assert_true(json_is_null(json_object_get(o, "tunnel")));
	assert_true(json_is_true(
		json_object_get(out, "answer"))); /* packet too big, back to the uplink */
	assert_string_equal(text(out, "kind"), "tun");
	json_decref(o);
	stage_end(&s);
}

static void popds_own_packets_are_sent_too(void **state)
{
	struct stage s;
	struct job job;
	struct packet probe = { .len = PROBE_LEN };

	(void)state;
	stage_begin(&s);
	follow(&s, 0, 3);
	struct tunnel *t = table_by_id(s.pop.table, 3);
	probe_build(probe.b, conf_of_tunnel(t), s.pop.pipeline.forward.probe_key, 1, 2,
		    s.pop.now.mono_us);
	job_init(&job, JOB_PROBE, &probe, (struct endpoint4){ { 0 }, 0 }, 0);
	job.tunnel = t;
	run_job(&s, &job);
	drain(&s);
	json_t *o = line(&s, 0, 0), *out = json_array_get(json_object_get(o, "out"), 0);
	assert_string_equal(text(o, "source"), "probe");
	assert_string_equal(text(o, "from"), "popd");
	assert_string_equal(text(out, "to"), "203.0.113.3");
	assert_false(json_is_true(json_object_get(out, "answer")));
	json_decref(o);
	job_end(&job);
	stage_end(&s);
}

static void an_echo_that_also_forwards_has_both(void **state)
{
	struct stage s;
	struct packet inner = echo(CLIENT1, OUTSIDE);

	(void)state;
	stage_begin(&s);
	follow(&s, 0, 1);
	assert_int_equal(send(&s, JOB_FROM_AYIYA,
			      ayiya(s.pop.digest, CLIENT1, &inner, AYIYA_OF(.opcode = 3)),
			      at("192.0.2.1", 4001)),
			 DROP_NONE);
	drain(&s);
	json_t *o = line(&s, 0, 0), *outs = json_object_get(o, "out");
	assert_int_equal(json_array_size(outs), 2);
	assert_string_equal(text(json_array_get(outs, 0), "kind"), "tun");
	assert_false(json_is_true(json_object_get(json_array_get(outs, 0), "answer")));
	assert_string_equal(text(json_array_get(outs, 1), "kind"), "udp");
	assert_true(json_is_true(json_object_get(json_array_get(outs, 1), "answer")));
	json_decref(o);
	stage_end(&s);
}

static void no_line_has_a_key(void **state)
{
	struct stage s;

	(void)state;
	stage_begin(&s);
	follow(&s, 0, 0);
	const struct tunnel_conf *c = conf_of_tunnel(table_by_id(s.pop.table, 1));
	struct packet inner = echo(CLIENT1, "2001:db8:2ff:1::1");
	struct packet packets[] = {
		from_client1(&s, inner),
		ayiya(s.pop.digest, CLIENT1, &inner, AYIYA_OF(.sha256 = true)),
		from_client1(&s, inner),
		ayiya(s.pop.digest, CLIENT1, &inner, AYIYA_OF(.sha256 = true)),
		from_client1(&s, inner),
	};
	struct packet beats[] = {
		beat(s.pop.digest, "2001:db8:2ff:2::2", "sender", NOW, SECRET, ""),
		beat(s.pop.digest, "2001:db8:2ff:2::2", "sender", NOW, "ffff", ""),
		beat(s.pop.digest, "2001:db8:2ff:2::2", "sender", NOW, SECRET, ""),
	};
	memcpy(packets[2].b + 24, c->key_sha1, 20); /* the client's own fault */
	memcpy(packets[3].b + 24, c->key_sha256, 32);
	memcpy(packets[4].b + 24, c->secret, 20);
	memcpy(strrchr((char *)beats[2].b, ' ') + 1, SECRET, 32);
	for (size_t i = 0; i < ARRAY_LEN(packets); i++)
		send(&s, JOB_FROM_AYIYA, packets[i], at("192.0.2.1", 4001));
	for (size_t i = 0; i < ARRAY_LEN(beats); i++)
		send(&s, JOB_FROM_HEARTBEAT, beats[i], at("192.0.2.2", 7));
	drain(&s);
	assert_int_equal(s.received[0].n, ARRAY_LEN(packets) + ARRAY_LEN(beats));
	char sha1[41], sha256[65], secret[41];
	hex_encode(c->key_sha1, 20, sha1);
	hex_encode(c->key_sha256, 32, sha256);
	hex_encode(c->secret, 20, secret);
	for (size_t i = 0; i < s.received[0].n; i++)
		assert_false(strstr(s.received[0].lines[i], sha1) ||
			     strstr(s.received[0].lines[i], sha256) ||
			     strstr(s.received[0].lines[i], secret));
	stage_end(&s);
}

static void of_a_long_packet_as_much_is_sent_as_was_asked_for(void **state)
{
	struct stage s;
	struct trace_filter filter = { .ids = { 3 }, .n = 1, .snap = 50 };

	(void)state;
	stage_begin(&s);
	trace_begin(s.trace, 0, &filter);
	follow(&s, 1, 3);
	send(&s, JOB_FROM_PROTO41, ipv6(CLIENT3, OUTSIDE, 17, 64, NULL, 1240),
	     at("203.0.113.3", 0));
	drain(&s);
	json_t *a = line(&s, 0, 0), *b = line(&s, 1, 0);
	assert_int_equal(json_string_length(json_object_get(a, "packet")), 100);
	assert_int_equal(json_string_length(json_object_get(b, "packet")), 2560);
	assert_int_equal(json_integer_value(json_object_get(a, "length")), 1280);
	json_decref(a);
	json_decref(b);
	stage_end(&s);
}

static uint64_t lost_in(const char *text)
{
	json_t *o = json_loads(text, 0, NULL);
	uint64_t n = (uint64_t)json_integer_value(json_object_get(o, "lost"));

	json_decref(o);
	return n;
}

static void a_watcher_without_room_gets_the_number_of_lost_packets_later(void **state)
{
	struct stage s;

	(void)state;
	stage_begin(&s);
	follow(&s, 0, 3);
	follow(&s, 1, 3);
	s.received[0].full = true;
	for (int i = 0; i < 7; i++)
		send(&s, JOB_FROM_PROTO41, echo(CLIENT3, OUTSIDE), at("203.0.113.3", 0));
	drain(&s);
	assert_int_equal(s.received[0].n, 0);
	assert_int_equal(s.received[1].n, 7);
	trace_tick(s.trace);
	s.received[0].full = false;
	send(&s, JOB_FROM_PROTO41, echo(CLIENT3, OUTSIDE), at("203.0.113.3", 0));
	drain(&s);
	assert_int_equal(s.received[0].n, 2);
	assert_int_equal(lost_in(s.received[0].lines[0]), 7);
	assert_int_equal(lost_in(s.received[0].lines[1]), 0);
	assert_int_equal(s.received[1].n, 8);
	trace_tick(s.trace); /* once is enough */
	assert_int_equal(s.received[0].n, 2);
	stage_end(&s);
}

static void what_the_control_thread_does_not_fetch_in_time_is_lost_and_counted(void **state)
{
	enum { MORE = 1300 };
	struct stage s;

	(void)state;
	stage_begin(&s);
	follow(&s, 0, 3);
	for (int i = 0; i < MORE; i++)
		send(&s, JOB_FROM_PROTO41, echo(CLIENT3, OUTSIDE), at("203.0.113.3", 0));
	drain(&s);
	trace_tick(s.trace);
	uint64_t lost = 0, told = 0;
	for (size_t i = 0; i < s.received[0].n; i++) {
		uint64_t missed = lost_in(s.received[0].lines[i]);
		lost += missed;
		told += missed == 0;
	}
	assert_true(told > 100 && lost > 0);
	assert_int_equal(told + lost, MORE);
	stage_end(&s);
}

static void a_tunnel_is_watched_as_long_as_anybody_wants_it_and_again_when_it_comes_back(
	void **state)
{
	struct stage s;

	(void)state;
	stage_begin(&s);
	follow(&s, 0, 3);
	follow(&s, 1, 3);
	trace_end(s.trace, 0);
	assert_true(atomic_load(&table_by_id(s.pop.table, 3)->watched));
	assert_true(table_delete(s.pop.table, 3));
	table_reclaim(s.pop.table);
	struct tunnel *other = pop_add(
		&s.pop, conf_new(s.pop.digest, 30, TUNNEL_STATIC, "2001:db8:2ff:30::", NULL));
	assert_false(atomic_load(&other->watched)); /* it may have the same slot */
	struct tunnel *again = pop_add(
		&s.pop, conf_new(s.pop.digest, 3, TUNNEL_STATIC, "2001:db8:2ff:3::", NULL));
	trace_tick(s.trace);
	assert_true(atomic_load(&again->watched));
	assert_false(atomic_load(&other->watched));
	trace_end(s.trace, 1);
	assert_false(atomic_load(&again->watched));
	assert_false(tap_is_watched(s.tap));
	assert_int_equal(atomic_load(&again->held), 0);
	stage_end(&s);
}

/* A packet may leave by one worker and be answered by another. */
static void packets_of_several_workers_are_sent_in_the_order_of_time(void **state)
{
	enum { PACKETS = 40 };
	struct stage s;
	int64_t last = 0;

	(void)state;
	stage_begin(&s);
	follow(&s, 0, 3);
	struct tap *taps[] = { s.tap, tap_create(trace_tap_watch(s.trace)),
			       tap_create(trace_tap_watch(s.trace)) };
	for (int i = 0; i < PACKETS; i++) {
		s.tap = taps[(i * 7 + i / 3) % 3];
		send(&s, JOB_FROM_PROTO41, echo(CLIENT3, OUTSIDE), at("203.0.113.3", 0));
	}
	assert_false(trace_drain(s.trace, taps, ARRAY_LEN(taps)));
	assert_int_equal(s.received[0].n, PACKETS);
	for (size_t i = 0; i < PACKETS; i++) {
		json_t *o = line(&s, 0, i);
		int64_t now = json_integer_value(json_object_get(o, "at"));
		assert_true(now >= last);
		last = now;
		json_decref(o);
	}
	s.tap = taps[0];
	tap_free(taps[1]);
	tap_free(taps[2]);
	stage_end(&s);
}

/* No fast path through the kernel while anybody watches: tunnel.h. */
static void what_is_watched_comes_by_popd(void **state)
{
	struct stage s;

	(void)state;
	stage_begin(&s);
	struct tunnel *three = table_by_id(s.pop.table, 3), *six = table_by_id(s.pop.table, 6);
	follow(&s, 0, 3);
	assert_true(atomic_load(&three->held) != 0 && atomic_load(&six->held) == 0);
	follow(&s, 1, 0);
	assert_true(atomic_load(&three->held) != 0 && atomic_load(&six->held) != 0);
	struct tunnel *late = pop_add(
		&s.pop, conf_new(s.pop.digest, 31, TUNNEL_STATIC, "2001:db8:2ff:31::", NULL));
	trace_tick(s.trace);
	assert_true(atomic_load(&late->held) != 0);
	trace_end(s.trace, 0);
	assert_true(atomic_load(&three->held) != 0);
	trace_end(s.trace, 1);
	assert_true(atomic_load(&three->held) == 0 && atomic_load(&six->held) == 0 &&
		    atomic_load(&late->held) == 0);
	stage_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(while_nobody_watches_nothing_is_kept),
		cmocka_unit_test(a_packet_is_sent_as_it_came_and_as_it_left),
		cmocka_unit_test(each_watcher_gets_its_own_tunnels_and_all_is_all),
		cmocka_unit_test(popds_own_packets_are_sent_too),
		cmocka_unit_test(an_echo_that_also_forwards_has_both),
		cmocka_unit_test(no_line_has_a_key),
		cmocka_unit_test(of_a_long_packet_as_much_is_sent_as_was_asked_for),
		cmocka_unit_test(a_watcher_without_room_gets_the_number_of_lost_packets_later),
		cmocka_unit_test(
			what_the_control_thread_does_not_fetch_in_time_is_lost_and_counted),
		cmocka_unit_test(packets_of_several_workers_are_sent_in_the_order_of_time),
		cmocka_unit_test(what_is_watched_comes_by_popd),
		cmocka_unit_test(
			a_tunnel_is_watched_as_long_as_anybody_wants_it_and_again_when_it_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
