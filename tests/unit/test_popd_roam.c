/* Asking addresses: the packet and its answer, the list of a worker, the budgets, what is kept of a
 * tunnel, and all of it together in the pipeline. */
#include "popd/core/roam.h"

#include "popd/core/ask.h"
#include "popd/core/replay.h"
#include "tests/unit/test_popd_fixture.h"

enum { SECOND = 1000000 };
static const uint8_t key[16] = { 42 }; /* the fixture's probe key */

static uint64_t word(const char *address, uint16_t port)
{
	return endpoint_pack(at(address, port), 0);
}

static struct timestamp after(const struct pop *p, int seconds)
{
	return stamp(p->now.wall + (uint32_t)seconds, p->now.mono_us + (int64_t)seconds * SECOND);
}

/* ---- the packet ---- */

/* What the client's host makes of an echo request. */
static struct packet reply_to(const uint8_t *request)
{
	struct packet p = { .len = ASK_LEN };

	memcpy(p.b, request, ASK_LEN);
	memcpy(p.b + 8, request + 24, 16);
	memcpy(p.b + 24, request + 8, 16);
	p.b[40] = 129;
	seal_icmp(&p);
	return p;
}

static void an_ask_is_an_echo_request_with_a_right_checksum(void **state)
{
	struct pop p = pop_new();
	struct ask a = { .endpoint = word("192.0.2.9", 9), .asked_us = 77, .number = 2 };
	uint8_t b[ASK_LEN];
	struct ip6 from = addr("2001:db8:2ff:1::1"), to = addr("2001:db8:2ff:1::2");

	(void)state;
	ask_build(b, &a, conf_of_tunnel(table_by_id(p.table, 1)), key, 0x1234);
	assert_memory_equal(b + 8, from.b, 16);
	assert_memory_equal(b + 24, to.b, 16);
	assert_memory_equal(b + 40, "\x80\0", 2);
	assert_memory_equal(b + 44, "\x12\x34\0\2", 4);
	assert_int_equal(plain_csum(b, b + 40, ASK_LEN - 40, 58), 0);
	pop_end(&p);
}

static void only_the_asked_tunnel_address_and_port_can_answer_and_only_for_five_seconds(
	void **state)
{
	static const struct {
		const char *name, *address;
		uint16_t port;
		uint32_t tunnel;
		unsigned flags;
		int64_t after_us;
		bool want;
	} rows[] = {
		{ "at once", "192.0.2.9", 9, 1, 0, 0, true },
		{ "with another method", "192.0.2.9", 9, 1, ENDPOINT_SHA256, 0, true },
		{ "after 5 s", "192.0.2.9", 9, 1, 0, 5 * SECOND, true },
		{ "later", "192.0.2.9", 9, 1, 0, 5 * SECOND + 1, false },
		{ "a worker whose clock was read before", "192.0.2.9", 9, 1, 0, -10, true },
		{ "another port", "192.0.2.9", 10, 1, 0, 0, false },
		{ "another address", "192.0.2.8", 9, 1, 0, 0, false },
		{ "another tunnel", "192.0.2.9", 9, 4, 0, 0, false },
	};
	struct pop p = pop_new();
	struct ask a = { .endpoint = word("192.0.2.9", 9), .asked_us = 99 * SECOND };
	uint8_t b[ASK_LEN];

	(void)state;
	ask_build(b, &a, conf_of_tunnel(table_by_id(p.table, 1)), key, 1);
	struct packet reply = reply_to(b);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct tunnel_conf *c = conf_of_tunnel(table_by_id(p.table, rows[i].tunnel));
		uint64_t from = endpoint_pack(at(rows[i].address, rows[i].port), rows[i].flags);
		if (ask_is_answer(reply.b + 40, ASK_LEN - 40, c, key, from,
				  a.asked_us + rows[i].after_us) != rows[i].want)
			fail_msg("%s", rows[i].name);
	}
	pop_end(&p);
}

static void a_changed_shortened_or_turned_answer_is_none(void **state)
{
	struct pop p = pop_new();
	const struct tunnel_conf *c = conf_of_tunnel(table_by_id(p.table, 1));
	struct ask a = { .endpoint = word("192.0.2.9", 9), .asked_us = 99 * SECOND };
	uint8_t b[ASK_LEN];

	(void)state;
	ask_build(b, &a, c, key, 1);
	assert_false(ask_is_answer_packet(b, ASK_LEN, c, key, a.endpoint, a.asked_us));
	struct packet reply = reply_to(b);
	assert_true(ask_is_answer_packet(reply.b, ASK_LEN, c, key, a.endpoint, a.asked_us));
	for (size_t len = 0; len < ASK_LEN; len++)
		assert_false(ask_is_answer_packet(reply.b, len, c, key, a.endpoint, a.asked_us));
	for (size_t bit = 8 * 48; bit < 8 * (size_t)ASK_LEN; bit++) {
		reply.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(
			ask_is_answer_packet(reply.b, ASK_LEN, c, key, a.endpoint, a.asked_us));
		reply.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	pop_end(&p);
}

/* ---- the list ---- */

static struct tunnel nobody[2];

static void each_is_due_at_once_after_one_second_and_after_three(void **state)
{
	struct asks *l = calloc(1, sizeof(*l));
	struct ask a = { nobody, 1, 0, 1, 0 }, b = { nobody, 2, SECOND / 2, 1, 0 }, got;
	static const struct {
		int64_t now;
		uint64_t endpoint;
		uint16_t number;
	} want[] = { { 0, 1, 0 },          { SECOND / 2, 2, 0 },
		     { SECOND, 1, 1 },     { SECOND * 3 / 2, 2, 1 },
		     { 3 * SECOND, 1, 2 }, { SECOND * 7 / 2, 2, 2 } };

	(void)state;
	assert_int_equal(asks_due_us(l), INT64_MAX);
	asks_add(l, &a);
	asks_add(l, &b);
	assert_true(asks_has_new(l));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(asks_due_us(l), want[i].now);
		assert_false(asks_take_due(l, want[i].now - 1, &got));
		assert_true(asks_take_due(l, want[i].now, &got));
		assert_int_equal(got.endpoint, want[i].endpoint);
		assert_int_equal(got.number, want[i].number);
		assert_int_equal(asks_has_new(l), i < 1);
	}
	assert_int_equal(asks_due_us(l), INT64_MAX);
	assert_false(asks_take_due(l, INT64_C(3600) * SECOND, &got));
	free(l);
}

static void the_oldest_of_too_many_are_forgotten(void **state)
{
	struct asks *l = calloc(1, sizeof(*l));
	struct ask got;
	size_t n = 0;

	(void)state;
	for (uint64_t i = 0; i < ASK_LIST + 10; i++)
		asks_add(l, &(struct ask){ .tunnel = nobody, .endpoint = (i + 1) << 16 });
	while (asks_take_due(l, 0, &got))
		assert_int_equal(got.endpoint >> 16, 11 + n++);
	assert_int_equal(n, ASK_LIST);
	assert_null(asks_find(l, nobody, UINT64_C(10) << 16, 0));
	assert_non_null(asks_find(l, nobody, UINT64_C(11) << 16, 0));
	free(l);
}

static void an_address_is_waited_for_as_long_as_it_may_answer(void **state)
{
	struct asks *l = calloc(1, sizeof(*l));

	(void)state;
	asks_add(l, &(struct ask){ .tunnel = nobody, .endpoint = word("192.0.2.1", 1) });
	assert_non_null(
		asks_find(l, nobody, word("192.0.2.1", 1) | ENDPOINT_SHA256, 5 * SECOND - 1));
	assert_null(asks_find(l, nobody, word("192.0.2.1", 1), 5 * SECOND));
	assert_null(asks_find(l, nobody, word("192.0.2.1", 2), 0));
	assert_null(asks_find(l, nobody + 1, word("192.0.2.1", 1), 0));
	free(l);
}

/* ---- the budgets ---- */

static struct tunnel slots[2000];

static struct roam *roam_new(void)
{
	struct roam *r = roam_create(ARRAY_LEN(slots), stamp(0, 0), key);

	assert_non_null(r);
	for (uint32_t i = 0; i < ARRAY_LEN(slots); i++)
		slots[i].slot = i;
	return r;
}

static uint64_t numbered(uint32_t i)
{
	return endpoint_pack((struct endpoint4){ { 0x0b000000 + i }, 1000 }, 0);
}

static void an_address_is_asked_once_a_second_whatever_the_tunnel(void **state)
{
	struct roam *r = roam_new();

	(void)state;
	assert_true(roam_take_ask(r, &slots[0], numbered(1), ROAM_DOUBTED, 0));
	assert_false(roam_take_ask(r, &slots[0], numbered(1), ROAM_DOUBTED, SECOND - 1));
	assert_false(roam_take_ask(r, &slots[1], numbered(1), ROAM_DOUBTED, SECOND - 1));
	assert_true(roam_take_ask(r, &slots[0], numbered(1), ROAM_MOVED, SECOND - 1));
	assert_true(roam_take_ask(r, &slots[1], numbered(1), ROAM_DOUBTED, SECOND));
	roam_free(r);
}

static void each_tunnel_of_an_address_without_a_port_is_asked(void **state)
{
	struct roam *r = roam_new();
	uint64_t address = word("192.0.2.1", 0);

	(void)state;
	assert_true(roam_take_ask(r, &slots[0], address, ROAM_MOVED, 0));
	assert_true(roam_take_ask(r, &slots[1], address, ROAM_MOVED, 0));
	assert_false(roam_take_ask(r, &slots[1], address, ROAM_MOVED, SECOND - 1));
	roam_free(r);
}

static void a_tunnel_asks_four_addresses_a_second_and_the_pop_a_thousand(void **state)
{
	struct roam *r = roam_new();
	uint32_t asked = 0;

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		asked += roam_take_ask(r, &slots[0], numbered(i), ROAM_DOUBTED, SECOND);
	assert_int_equal(asked, 4);
	assert_true(roam_take_ask(r, &slots[0], numbered(100), ROAM_DOUBTED, SECOND * 5 / 4));
	for (uint32_t i = 0; i < ARRAY_LEN(slots); i++)
		asked += roam_take_ask(r, &slots[i], numbered(1000 + i), ROAM_DOUBTED,
				       SECOND * 5 / 4);
	assert_in_range(asked, 940, 1004); /* a few addresses share a bucket */
	/* whoever moved is asked all the same */
	assert_true(roam_take_ask(r, &slots[0], numbered(1), ROAM_MOVED, SECOND * 5 / 4));
	roam_free(r);
}

static void a_refused_ask_costs_nothing(void **state)
{
	struct roam *r = roam_new();

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		assert_true(roam_take_ask(r, &slots[0], numbered(i), ROAM_DOUBTED, SECOND));
	assert_false(roam_take_ask(r, &slots[0], numbered(9), ROAM_DOUBTED, SECOND));
	assert_true(roam_take_ask(r, &slots[1], numbered(9), ROAM_DOUBTED, SECOND));
	roam_free(r);
}

static void neither_martians_nor_the_pop_are_asked(void **state)
{
	static const struct {
		const char *address;
		bool want;
	} rows[] = {
		{ "192.0.2.1", true },  { POP_IPV4_TEXT, false }, { "127.0.0.1", false },
		{ "224.0.0.1", false }, { "0.0.0.1", false },     { "255.255.255.255", false }
	};
	struct pop p = pop_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(roam_may_ask(table_pop(p.table), word(rows[i].address, 9)),
				 rows[i].want);
	pop_end(&p);
}

/* ---- two clients ---- */

static void going_to_and_fro_three_times_a_minute_is_two_clients(void **state)
{
	enum { NOWHERE = 0 };
	static const struct {
		const char *name;
		struct {
			uint16_t from, to; /* ports */
			int at;
		} moves[5];
		unsigned told; /* bit n: after move n */
	} rows[] = {
		{ "to and fro", { { 1, 2, 0 }, { 2, 1, 1 }, { 1, 2, 2 } }, 4 },
		{ "twice only", { { 1, 2, 0 }, { 2, 1, 1 } }, 0 },
		{ "told once a minute",
		  { { 1, 2, 0 }, { 2, 1, 1 }, { 1, 2, 2 }, { 2, 1, 3 }, { 1, 2, 62 } },
		  4 },
		{ "too slowly", { { 1, 2, 0 }, { 2, 1, 30 }, { 1, 2, 60 } }, 0 },
		{ "just fast enough", { { 1, 2, 0 }, { 2, 1, 30 }, { 1, 2, 59 } }, 4 },
		{ "a client that is restarted again and again",
		  { { 1, 2, 0 }, { 2, 3, 1 }, { 3, 4, 2 }, { 4, 5, 3 } },
		  0 },
		{ "the beginning of a tunnel is no change",
		  { { NOWHERE, 1, 0 }, { 1, 2, 1 }, { 2, 1, 2 } },
		  0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pop p = pop_new();
		struct tunnel *t = table_by_id(p.table, 1);
		const struct tunnel_conf *c = conf_of_tunnel(t);
		unsigned told = 0;
		for (unsigned m = 0; m < ARRAY_LEN(rows[i].moves) && rows[i].moves[m].to; m++) {
			uint16_t from = rows[i].moves[m].from, to = rows[i].moves[m].to;
			uint64_t old = from ? word("192.0.2.1", from) : 0;
			if (roam_note_change(p.roam, t, c, old, word("192.0.2.1", to),
					     after(&p, rows[i].moves[m].at)))
				told |= 1u << m;
		}
		if (told != rows[i].told)
			fail_msg("%s: %x", rows[i].name, told);
		struct roam_clients clients = roam_clients(p.roam, t, c);
		assert_int_equal(clients.at != 0, rows[i].told != 0);
		if (rows[i].told)
			assert_int_equal(endpoint_of(clients.endpoints[0]).port +
						 endpoint_of(clients.endpoints[1]).port,
					 1 + 2);
		pop_end(&p);
	}
}

static void the_last_answers_of_four_addresses_are_kept(void **state)
{
	struct pop p = pop_new();
	struct tunnel *t = table_by_id(p.table, 1);
	const struct tunnel_conf *c = conf_of_tunnel(t);
	static const struct {
		uint16_t port;
		bool wants[6]; /* of ports 1 to 6, since the beginning */
	} rows[] = { { 1, { true } },
		     { 2, { true, true } },
		     { 1, { true, true } },
		     { 3, { true, true, true } },
		     { 4, { true, true, true, true } },
		     { 5, { true, false, true, true, true } } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		roam_note_answer(p.roam, t, c, word("192.0.2.1", rows[i].port), (int64_t)i + 10);
		for (uint16_t port = 1; port <= 6; port++)
			assert_int_equal(
				roam_has_answered(p.roam, t, c, word("192.0.2.1", port), 10),
				rows[i].wants[port - 1]);
	}
	assert_true(roam_has_answered(p.roam, t, c, word("192.0.2.1", 1), 12));
	assert_false(roam_has_answered(p.roam, t, c, word("192.0.2.1", 1), 13));
	pop_end(&p);
}

static void another_tunnel_in_the_slot_begins_with_nothing(void **state)
{
	struct pop p = pop_new();
	struct tunnel *t = table_by_id(p.table, 1);
	struct tunnel_conf *other = conf_new(p.digest, 99, TUNNEL_AYIYA, "2001:db8:2ff:9::", NULL);

	(void)state;
	(void)roam_note_change(p.roam, t, conf_of_tunnel(t),
			       word("192.0.2.1", 1) | ENDPOINT_ANSWERED, word("192.0.2.1", 2),
			       p.now);
	assert_true(roam_trusted(p.roam, t, conf_of_tunnel(t)) != 0);
	assert_true(roam_trusted(p.roam, t, other) == 0);
	tunnel_conf_free(other);
	pop_end(&p);
}

/* ---- in the pipeline ---- */

static struct packet noop(struct pop *p, uint32_t epoch)
{
	return ayiya(p->digest, "2001:db8:2ff:1::2", NULL,
		     AYIYA_OF(.opcode = ZERO, .next = 59, .epoch = epoch));
}

static bool take_due(struct pop *p, struct ask *out)
{
	return asks_take_due(&p->asks[ROAM_MOVED], p->now.mono_us, out) ||
	       asks_take_due(&p->asks[ROAM_DOUBTED], p->now.mono_us, out);
}

/* Takes the only address that waits to be asked for the first time, and runs the ask as a worker
 * does; the caller ends the job. */
static struct ask run_ask(struct pop *p, struct job *job)
{
	struct ask a = { .number = 1 }, another;
	struct packet request = { .len = ASK_LEN };

	assert_true(take_due(p, &a));
	while (take_due(p, &another))
		assert_true(another.number > 0);
	assert_int_equal(a.number, 0);
	ask_build(request.b, &a, conf_of_tunnel(a.tunnel), key, 1);
	job_init(job, JOB_ASK, &request, (struct endpoint4){ { 0 }, 0 }, 0);
	job->tunnel = a.tunnel;
	job->endpoint = a.endpoint;
	pop_run(p, job, 1);
	return a;
}

static uint64_t count(const _Atomic uint64_t *v)
{
	return atomic_load(v);
}

static void a_refused_packets_address_is_asked_and_its_answer_moves_the_endpoint(void **state)
{
	struct pop p = pop_new();
	struct tunnel *t = table_by_id(p.table, 1);
	struct endpoint4 there = at("192.0.2.77", 7);
	struct job job;

	(void)state;
	assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, noop(&p, NOW - 60), there), DROP_REPLAY_MOVE);
	(void)run_ask(&p, &job);
	assert_int_equal(job.drop, DROP_NONE);
	assert_int_equal(job.out[0].kind, OUT_UDP);
	assert_true(job.out[0].to.addr.v == there.addr.v && job.out[0].to.port == there.port);
	struct packet reply = reply_to(job.out[0].data + 44);
	job_end(&job);
	assert_int_equal(atomic_load(&t->endpoint), word("192.0.2.1", 4001));

	struct packet answer = ayiya(p.digest, "2001:db8:2ff:1::2", &reply,
				     AYIYA_OF(.epoch = NOW - 60));
	assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, answer, at("192.0.2.77", 8)),
			 DROP_REPLAY_MOVE);
	assert_int_equal(pop_run_one(&p, &job, JOB_FROM_AYIYA, answer, there), DROP_NONE);
	assert_int_equal(job.event, EVENT_ENDPOINT_MOVED);
	assert_true(job.old_endpoint == word("192.0.2.1", 4001) &&
		    job.endpoint >> 16 == word("192.0.2.77", 7) >> 16);
	assert_int_equal(job.out[0].kind, OUT_NONE);
	job_end(&job);
	assert_int_equal(atomic_load(&t->endpoint), word("192.0.2.77", 7) | ENDPOINT_ANSWERED);
	assert_int_equal(atomic_load(&t->newest), NOW - 60);
	assert_int_equal(atomic_load(&t->highest), NOW - 10);
	assert_int_equal(count(&p.counters->path_challenges), 1);
	assert_int_equal(count(&p.counters->path_responses), 1);
	assert_int_equal(count(&p.counters->moves), 1);
	const struct tunnel_counters *counted = &p.counters->tunnels[t->slot];
	assert_int_equal(atomic_load(&counted->echo_sent) + atomic_load(&counted->echo_received),
			 0);
	assert_true(roam_has_answered(p.roam, t, conf_of_tunnel(t), word("192.0.2.77", 7),
				      p.now.mono_us));
	assert_false(roam_has_answered(p.roam, t, conf_of_tunnel(t), word("192.0.2.77", 8),
				       p.now.mono_us));
	pop_end(&p);
}

static void an_authentic_packet_that_is_no_answer_moves_nothing(void **state)
{
	struct pop p = pop_new();
	struct endpoint4 there = at("192.0.2.77", 7);
	struct packet echo_reply = icmp("2001:db8:2ff:1::2", "2001:db8:2ff:1::1", 129, 0, 24);

	(void)state;
	struct packet answer = ayiya(p.digest, "2001:db8:2ff:1::2", &echo_reply,
				     AYIYA_OF(.epoch = NOW - 60));
	assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, answer, there), DROP_REPLAY_MOVE);
	assert_true(atomic_load(&table_by_id(p.table, 1)->endpoint) == word("192.0.2.1", 4001));
	pop_end(&p);
}

/* Else whoever has two answers could move the endpoint with every packet for five seconds, and who
 * has copied one could undo the move that came after it. */
static void an_answer_moves_the_endpoint_once(void **state)
{
	struct pop p = pop_new();
	struct tunnel *t = table_by_id(p.table, 1);
	struct packet answers[2];
	struct job job;

	(void)state;
	for (uint16_t i = 0; i < 2; i++) {
		struct endpoint4 there = at("192.0.2.77", (uint16_t)(7 + i));
		assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, noop(&p, NOW - 60), there),
				 DROP_REPLAY_MOVE);
		(void)run_ask(&p, &job);
		struct packet reply = reply_to(job.out[0].data + 44);
		answers[i] = ayiya(p.digest, "2001:db8:2ff:1::2", &reply,
				   AYIYA_OF(.epoch = NOW - 60));
		job_end(&job);
	}
	p.now.mono_us += SECOND;
	for (uint16_t i = 0; i < 10; i++)
		assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, answers[i % 2],
					  at("192.0.2.77", (uint16_t)(7 + i % 2))),
				 i % 2 == 0 ? DROP_NONE : DROP_REPLAY_MOVE);
	assert_int_equal(atomic_load(&t->endpoint), word("192.0.2.77", 7) | ENDPOINT_ANSWERED);
	assert_int_equal(count(&p.counters->moves), 1);
	/* but it is asked again, and that answer does */
	(void)run_ask(&p, &job);
	struct packet again = reply_to(job.out[0].data + 44);
	job_end(&job);
	assert_int_equal(
		pop_send(&p, JOB_FROM_AYIYA,
			 ayiya(p.digest, "2001:db8:2ff:1::2", &again, AYIYA_OF(.epoch = NOW - 60)),
			 at("192.0.2.77", 8)),
		DROP_NONE);
	assert_int_equal(atomic_load(&t->endpoint), word("192.0.2.77", 8) | ENDPOINT_ANSWERED);
	pop_end(&p);
}

static void an_ask_is_signed_as_the_packet_that_it_is_about(void **state)
{
	struct pop p = pop_new();
	struct job job;
	struct packet sha256 = ayiya(
		p.digest, "2001:db8:2ff:1::2", NULL,
		AYIYA_OF(.opcode = ZERO, .next = 59, .epoch = NOW - 60, .sha256 = true));

	(void)state;
	assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, sha256, at("192.0.2.77", 7)),
			 DROP_REPLAY_MOVE);
	(void)run_ask(&p, &job);
	assert_int_equal(job.out[0].data[1], 0x84);
	job_end(&job);
	pop_end(&p);
}

static void many_refused_packets_of_one_address_are_one_ask(void **state)
{
	struct pop p = pop_new();

	(void)state;
	for (int i = 0; i < 4; i++) {
		p.now = after(&p, 1);
		assert_int_equal(
			pop_send(&p, JOB_FROM_AYIYA, noop(&p, NOW - 60), at("192.0.2.77", 7)),
			DROP_REPLAY_MOVE);
	}
	assert_int_equal(p.asks[ROAM_DOUBTED].added, 1);
	p.now = after(&p, 2); /* five seconds since it was asked */
	assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, noop(&p, NOW - 60), at("192.0.2.77", 7)),
			 DROP_REPLAY_MOVE);
	assert_int_equal(p.asks[ROAM_DOUBTED].added, 2);
	pop_end(&p);
}

static void a_flood_of_replays_makes_no_move_forgotten(void **state)
{
	struct pop p = pop_new();
	struct endpoint4 there = at("192.0.2.77", 7);
	struct ask a;

	(void)state;
	assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, noop(&p, NOW), there), DROP_NONE);
	assert_true(take_due(&p, &a));
	assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, noop(&p, NOW), at("192.0.2.78", 1)),
			 DROP_REPLAY_MOVE);
	struct asks *replays = &p.asks[ROAM_DOUBTED];
	assert_int_equal(replays->added, 1);
	while (replays->added < 2 * ASK_LIST) {
		struct ask more = replays->list[0];
		asks_add(replays, &more);
	}
	p.now = after(&p, 1);
	assert_true(asks_take_due(&p.asks[ROAM_MOVED], p.now.mono_us, &a));
	assert_int_equal(a.number, 1);
	assert_true(a.endpoint == word("192.0.2.77", 7));
	pop_end(&p);
}

static void an_address_that_has_answered_may_be_asked_again(void **state)
{
	struct pop p = pop_new();
	struct tunnel *t = table_by_id(p.table, 1);

	(void)state;
	(void)pop_send(&p, JOB_FROM_AYIYA, noop(&p, NOW - 60), at("192.0.2.1", 4001));
	assert_int_equal(p.asks[ROAM_DOUBTED].added, 1);
	replay_confirm(p.roam, t, conf_of_tunnel(t), word("192.0.2.1", 4001), p.now);
	p.now = after(&p, 1);
	(void)pop_send(&p, JOB_FROM_AYIYA, noop(&p, NOW - 60), at("192.0.2.1", 4001));
	assert_int_equal(p.asks[ROAM_DOUBTED].added, 2);
	pop_end(&p);
}

static void a_heartbeat_tunnels_answer_confirms_its_endpoint_and_moves_none(void **state)
{
	struct pop p = pop_new();
	struct tunnel *t = table_by_id(p.table, 2);
	struct job job;
	struct packet moving = beat(p.digest, "2001:db8:2ff:2::2", "sender", NOW, SECRET, "");

	(void)state;
	assert_int_equal(pop_send(&p, JOB_FROM_HEARTBEAT, moving, at("192.0.2.77", 3333)),
			 DROP_NONE);
	assert_true(atomic_load(&t->endpoint) == word("192.0.2.77", 0));
	(void)run_ask(&p, &job);
	assert_int_equal(job.out[0].kind, OUT_PROTO41);
	assert_true(job.out[0].to.addr.v == addr4("192.0.2.77").v);
	struct packet reply = reply_to(job.out[0].data);
	job_end(&job);
	assert_int_equal(pop_send(&p, JOB_FROM_PROTO41, reply, at("192.0.2.78", 0)),
			 DROP_ENDPOINT_MISMATCH);
	assert_true(atomic_load(&t->endpoint) == word("192.0.2.77", 0));
	assert_int_equal(pop_send(&p, JOB_FROM_PROTO41, reply, at("192.0.2.77", 0)), DROP_NONE);
	assert_true(atomic_load(&t->endpoint) == (word("192.0.2.77", 0) | ENDPOINT_ANSWERED));
	struct packet old = beat(p.digest, "2001:db8:2ff:2::2", "sender", NOW, SECRET, "");
	assert_int_equal(pop_send(&p, JOB_FROM_HEARTBEAT, old, at("192.0.2.99", 3333)),
			 DROP_REPLAY_MOVE);
	assert_false(asks_has_new(&p.asks[ROAM_MOVED]) || asks_has_new(&p.asks[ROAM_DOUBTED]));
	pop_end(&p);
}

static void the_ask_of_a_deleted_or_disabled_tunnel_is_not_sent(void **state)
{
	struct pop p = pop_new();
	struct job job;

	(void)state;
	(void)pop_send(&p, JOB_FROM_AYIYA, noop(&p, NOW - 60), at("192.0.2.77", 7));
	struct tunnel_conf *c = conf_new(p.digest, 1, TUNNEL_AYIYA, "2001:db8:2ff:1::", NULL);
	c->enabled = false;
	pop_add(&p, c);
	(void)run_ask(&p, &job);
	assert_int_equal(job.drop, DROP_TUNNEL_DISABLED);
	assert_int_equal(job.out[0].kind, OUT_NONE);
	table_worker_enter(p.table, 0);
	assert_true(table_delete(p.table, 1));
	pipeline_run(&p.pipeline, &job, 1, p.now);
	assert_int_equal(job.drop, DROP_TUNNEL_UNKNOWN);
	table_worker_leave(p.table, 0);
	job_end(&job);
	pop_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ask_is_an_echo_request_with_a_right_checksum),
		cmocka_unit_test(
			only_the_asked_tunnel_address_and_port_can_answer_and_only_for_five_seconds),
		cmocka_unit_test(a_changed_shortened_or_turned_answer_is_none),
		cmocka_unit_test(each_is_due_at_once_after_one_second_and_after_three),
		cmocka_unit_test(the_oldest_of_too_many_are_forgotten),
		cmocka_unit_test(an_address_is_waited_for_as_long_as_it_may_answer),
		cmocka_unit_test(an_address_is_asked_once_a_second_whatever_the_tunnel),
		cmocka_unit_test(each_tunnel_of_an_address_without_a_port_is_asked),
		cmocka_unit_test(a_tunnel_asks_four_addresses_a_second_and_the_pop_a_thousand),
		cmocka_unit_test(a_refused_ask_costs_nothing),
		cmocka_unit_test(neither_martians_nor_the_pop_are_asked),
		cmocka_unit_test(going_to_and_fro_three_times_a_minute_is_two_clients),
		cmocka_unit_test(the_last_answers_of_four_addresses_are_kept),
		cmocka_unit_test(another_tunnel_in_the_slot_begins_with_nothing),
		cmocka_unit_test(
			a_refused_packets_address_is_asked_and_its_answer_moves_the_endpoint),
		cmocka_unit_test(an_authentic_packet_that_is_no_answer_moves_nothing),
		cmocka_unit_test(an_answer_moves_the_endpoint_once),
		cmocka_unit_test(an_ask_is_signed_as_the_packet_that_it_is_about),
		cmocka_unit_test(a_flood_of_replays_makes_no_move_forgotten),
		cmocka_unit_test(an_address_that_has_answered_may_be_asked_again),
		cmocka_unit_test(many_refused_packets_of_one_address_are_one_ask),
		cmocka_unit_test(a_heartbeat_tunnels_answer_confirms_its_endpoint_and_moves_none),
		cmocka_unit_test(the_ask_of_a_deleted_or_disabled_tunnel_is_not_sent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
