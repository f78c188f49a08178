/* Which packets are accepted and which of them move an endpoint, as one table of short stories, and
 * as an oracle says that keeps the whole past instead of a state. */
#include "popd/core/replay.h"

#include "popd/core/path.h"
#include "popd/core/roam.h"
#include "tests/unit/oracle.h"
#include "tests/unit/test_popd_fixture.h"

/* OK: the endpoint has answered. */
enum { A = 1, B, C, D, A_OTHER_PORT, A_SHA256, OK = 16 };
enum { NO = REPLAY_ASK_NOT, MOVED = REPLAY_ASK_MOVED, DOUBTED = REPLAY_ASK_DOUBTED };

static uint64_t place(int who)
{
	switch (who) {
	case 0:
		return 0;
	case A_OTHER_PORT:
		return endpoint_pack(at("192.0.2.1", 4002), 0);
	case A_SHA256:
		return endpoint_pack(at("192.0.2.1", 4001), ENDPOINT_SHA256);
	default:
		return endpoint_pack((struct endpoint4){ { 0xc0000200u + (unsigned)who }, 4001 },
				     0);
	}
}

static uint64_t word_of(int endpoint)
{
	return place(endpoint & ~OK) | (endpoint & OK ? ENDPOINT_ANSWERED : 0);
}

/* All times are seconds from NOW. */
enum kind { END, PACKET, ANSWER };
struct step {
	enum kind kind;
	int from;
	int epoch;
	int now;
	int want;     /* enum drop; of an answer: without it */
	int endpoint; /* afterwards */
	int newest;
	int ask; /* enum replay_ask */
};
enum { STALE = DROP_REPLAY_STALE, REPLAY = DROP_REPLAY_MOVE, NONE = DROP_NONE };

/* `start`: of popd, seconds from NOW; NEVER: long ago. */
enum { NEVER = -1000 };
static const struct {
	const char *name;
	enum tunnel_type type;
	int start;
	struct step steps[9];
} stories[] = {
	{ "the first packet sets the endpoint, whatever its place in the window",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, -120, 0, NONE, A, -120, MOVED } } },
	{ "in order, from one place",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED }, { PACKET, A, 1, 1, NONE, A, 1, NO } } },
	{ "several in one second",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED }, { PACKET, A, 0, 0, NONE, A, 0, NO } } },
	{ "five seconds late is reordering, and the newest stays; six are stale, and asked about",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED },
	    { PACKET, A, -5, 0, NONE, A, 0, NO },
	    { PACKET, A, -6, 0, STALE, A, 0, DOUBTED } } },
	{ "a clock set back under a running client: the answer makes its time the newest",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED },
	    { ANSWER, A, 0, 0, NONE, A | OK, 0, NO },
	    { PACKET, A, -30, 1, STALE, A | OK, 0, DOUBTED },
	    { ANSWER, A, -30, 1, STALE, A | OK, -30, NO },
	    { PACKET, A, -29, 2, NONE, A | OK, -29, NO },
	    { PACKET, A, -36, 2, STALE, A | OK, -29, DOUBTED } } },
	{ "a client that runs ahead and is set right is not locked out at its own place",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, 100, 0, NONE, A, 100, MOVED },
	    { PACKET, A, 0, 0, NONE, A, 100, NO },
	    { PACKET, A, -5, 0, NONE, A, 100, NO },
	    { PACKET, A, -6, 0, STALE, A, 100, DOUBTED },
	    { PACKET, A, 15, 20, NONE, A, 100, NO } } },
	{ "a newer packet from elsewhere moves the endpoint, which is asked",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED },
	    { ANSWER, A, 0, 0, NONE, A | OK, 0, NO },
	    { PACKET, B, 1, 1, NONE, B, 1, MOVED },
	    { PACKET, C, 2, 2, NONE, C, 2, MOVED } } },
	{ "the same second from elsewhere is asked about, and its answer moves the endpoint",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED },
	    { ANSWER, A, 0, 0, NONE, A | OK, 0, NO },
	    { PACKET, B, 0, 0, REPLAY, A | OK, 0, DOUBTED },
	    { ANSWER, B, 0, 0, REPLAY, B | OK, 0, NO },
	    { PACKET, B, 0, 0, NONE, B | OK, 0, NO } } },
	{ "a restarted client whose clock was set back",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED },
	    { ANSWER, A, 0, 0, NONE, A | OK, 0, NO },
	    { PACKET, B, -60, 1, REPLAY, A | OK, 0, DOUBTED },
	    { ANSWER, B, -60, 1, REPLAY, B | OK, -60, NO },
	    { PACKET, B, -59, 2, NONE, B | OK, -59, NO } } },
	{ "it may go on from elsewhere only by asking, since highest is never lowered",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED },
	    { PACKET, B, -60, 1, REPLAY, A, 0, DOUBTED },
	    { ANSWER, B, -60, 1, REPLAY, B | OK, -60, NO },
	    { PACKET, C, -50, 2, REPLAY, B | OK, -60, DOUBTED },
	    { PACKET, C, 0, 2, REPLAY, B | OK, -60, DOUBTED },
	    { PACKET, C, 1, 2, NONE, C, 1, MOVED } } },
	{ "who does not answer gets nothing",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED },
	    { PACKET, B, -1, 0, REPLAY, A, 0, DOUBTED },
	    { PACKET, B, -100, 0, REPLAY, A, 0, DOUBTED },
	    { PACKET, B, 0, 0, REPLAY, A, 0, DOUBTED } } },
	{ "another port is elsewhere",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED },
	    { PACKET, A_OTHER_PORT, 0, 0, REPLAY, A, 0, DOUBTED },
	    { PACKET, A_OTHER_PORT, 1, 1, NONE, A_OTHER_PORT, 1, MOVED } } },
	{ "another hash method at the same place changes the flag, not the place",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED },
	    { ANSWER, A, 0, 0, NONE, A | OK, 0, NO },
	    { PACKET, A_SHA256, 0, 0, NONE, A_SHA256 | OK, 0, NO },
	    { PACKET, A, 1, 1, NONE, A | OK, 1, NO } } },
	{ "a late packet does not change the flag",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED }, { PACKET, A_SHA256, -3, 0, NONE, A, 0, NO } } },
	{ "a copied packet that comes first: the original takes the tunnel back, again and again",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED },
	    { ANSWER, A, 0, 0, NONE, A | OK, 0, NO },
	    { PACKET, B, 1, 1, NONE, B, 1, MOVED },
	    { PACKET, A, 1, 1, NONE, A | OK, 1, NO },
	    { PACKET, B, 1, 1, REPLAY, A | OK, 1, DOUBTED },
	    { PACKET, B, 2, 2, NONE, B, 2, MOVED },
	    { PACKET, A, 1, 2, REPLAY, B, 2, DOUBTED },
	    { PACKET, A, 2, 2, NONE, A | OK, 2, NO } } },
	{ "by a copy that goes on from place to place, too",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED },
	    { ANSWER, A, 0, 0, NONE, A | OK, 0, NO },
	    { PACKET, B, 1, 1, NONE, B, 1, MOVED },
	    { PACKET, C, 2, 2, NONE, C, 2, MOVED },
	    { PACKET, B, 2, 2, REPLAY, C, 2, DOUBTED },
	    { PACKET, A, 2, 2, NONE, A | OK, 2, NO } } },
	{ "not from a place that has answered",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED },
	    { ANSWER, A, 0, 0, NONE, A | OK, 0, NO },
	    { PACKET, B, 1, 1, NONE, B, 1, MOVED },
	    { ANSWER, B, 1, 1, NONE, B | OK, 1, NO },
	    { PACKET, A, 1, 1, REPLAY, B | OK, 1, DOUBTED } } },
	{ "an endpoint of a minute takes the tunnel back without ever having answered",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED },
	    { PACKET, A, 60, 60, NONE, A, 60, NO },
	    { PACKET, B, 61, 61, NONE, B, 61, MOVED },
	    { PACKET, A, 61, 61, NONE, A, 61, NO } } },
	{ "one of 59 seconds does not",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED },
	    { PACKET, B, 59, 59, NONE, B, 59, MOVED },
	    { PACKET, A, 59, 59, REPLAY, B, 59, DOUBTED } } },
	{ "after a start what was sent before it moves nothing, and is asked about",
	  TUNNEL_AYIYA,
	  10,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED },
	    { PACKET, B, 9, 11, REPLAY, A, 0, DOUBTED },
	    { PACKET, B, 10, 11, REPLAY, A, 0, DOUBTED },
	    { PACKET, B, 11, 11, NONE, B, 11, MOVED } } },
	{ "the client whose clock is slow is let in by its answer",
	  TUNNEL_AYIYA,
	  10,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED },
	    { PACKET, B, 5, 12, REPLAY, A, 0, DOUBTED },
	    { ANSWER, B, 5, 12, REPLAY, B | OK, 5, NO } } },
	{ "a start is over after 120 seconds",
	  TUNNEL_AYIYA,
	  10,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED },
	    { PACKET, B, 10, 129, REPLAY, A, 0, DOUBTED },
	    { PACKET, B, 10, 130, NONE, B, 10, MOVED } } },
	{ "our own clock was an hour ahead and is right again: the client stays and moves",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, 3600, 3600, NONE, A, 3600, MOVED },
	    { PACKET, A, 0, 0, NONE, A, 0, NO },
	    { PACKET, B, 1, 1, NONE, B, 1, MOVED },
	    { PACKET, A, 1, 1, REPLAY, B, 1, DOUBTED } } },
	{ "the same, and the move comes first",
	  TUNNEL_AYIYA,
	  NEVER,
	  { { PACKET, A, 3600, 3600, NONE, A, 3600, MOVED },
	    { PACKET, B, -6, 0, REPLAY, A, 3600, DOUBTED },
	    { PACKET, B, 0, 0, NONE, B, 0, MOVED } } },
	{ "a stale heartbeat, and one that is not newer, are dropped, and nobody is asked",
	  TUNNEL_HEARTBEAT,
	  NEVER,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED },
	    { PACKET, A, -6, 0, STALE, A, 0, NO },
	    { PACKET, B, 0, 0, REPLAY, A, 0, NO },
	    { PACKET, B, 1, 1, NONE, B, 1, MOVED } } },
	{ "a heartbeat's endpoint is confirmed, and takes the tunnel back from a copied beat",
	  TUNNEL_HEARTBEAT,
	  NEVER,
	  { { PACKET, A, 0, 0, NONE, A, 0, MOVED },
	    { ANSWER, A, 0, 0, NONE, A | OK, 0, NO },
	    { PACKET, B, 60, 60, NONE, B, 60, MOVED },
	    { PACKET, A, 60, 60, NONE, A | OK, 60, NO } } },
};

static struct timestamp time_of(int seconds)
{
	return stamp((uint32_t)(NOW + seconds), INT64_C(10000000000) + INT64_C(1000000) * seconds);
}

/* What arrive.c and depart.c do with a packet. */
static enum drop run(struct roam *r, struct tunnel *t, const struct replay_packet *p, bool answers,
		     struct replay_result *out)
{
	const struct tunnel_conf *c = conf_of_tunnel(t);
	enum drop drop = replay_accept(r, t, c, p, out);

	if (answers && drop == DROP_NONE)
		replay_confirm(r, t, c, p->from, p->now);
	if (answers && drop != DROP_NONE)
		assert_int_equal(replay_accept_answer(r, t, c, p, p->now.mono_us, out), DROP_NONE);
	return drop;
}

static void every_story_ends_as_it_should(void **state)
{
	static const uint8_t key[16] = { 3 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(stories); i++) {
		struct pop p = pop_new();
		struct tunnel *t = pop_add(
			&p, conf_new(p.digest, 9, stories[i].type, "2001:db8:2ff:9::", NULL));
		struct roam *r = roam_create(FIXTURE_TUNNELS, time_of(stories[i].start), key);
		for (size_t s = 0; s < ARRAY_LEN(stories[i].steps) && stories[i].steps[s].kind;
		     s++) {
			const struct step *step = &stories[i].steps[s];
			uint64_t was = atomic_load(&t->endpoint);
			uint32_t heard = atomic_load(&t->heard);
			struct replay_packet packet = { place(step->from),
							(uint32_t)(NOW + step->epoch),
							time_of(step->now) };
			struct replay_result got;
			bool answers = step->kind == ANSWER;
			enum drop drop = run(r, t, &packet, answers, &got);
			if ((int)drop != step->want || (int)got.ask != step->ask ||
			    atomic_load(&t->endpoint) != word_of(step->endpoint) ||
			    atomic_load(&t->newest) != (uint32_t)(NOW + step->newest))
				fail_msg("%s, step %zu: %s, newest %d, asks %d", stories[i].name, s,
					 drop_name(drop), (int)(atomic_load(&t->newest) - NOW),
					 got.ask);
			assert_int_equal(got.before, was);
			assert_int_equal(atomic_load(&t->heard),
					 drop && !answers ? heard : packet.now.wall);
		}
		roam_free(r);
		pop_end(&p);
	}
}

/* ---- the oracle ---- */

static uint32_t random_state;

static uint32_t any(uint32_t below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % below;
}

/* One packet at a random time from one of five places, with a random epoch near the present one;
 * some answer. */
static void one_random_packet(struct roam *r, struct tunnel *t, struct oracle_roam *o, int *now,
			      uint32_t *unchanging)
{
	*now += any(4) == 0 ? (int)any(30) : (int)any(2);
	int from = A + (int)any(4), epoch = *now - (any(3) == 0 ? (int)any(100) : (int)any(8));
	bool answers = any(4) == 0;
	uint64_t word = place(from) | (o->ayiya && any(8) == 0 ? ENDPOINT_SHA256 : 0);
	struct replay_packet p = { word, (uint32_t)(NOW + epoch), time_of(*now) };
	struct replay_result got;
	bool nothing = replay_changes_nothing(t, word, p.epoch, p.now);
	struct tunnel_memory before = tunnel_memory(t), after;
	/* of a heartbeat tunnel only the endpoint can answer: it does so by protocol 41 */
	if (!o->ayiya && (o->endpoint == 0 || (o->endpoint ^ word) >> 16 != 0))
		answers = false;
	enum drop want = oracle_roam_packet(o, word, NOW + epoch, NOW + *now, answers);
	enum drop drop;

	if (!o->ayiya && answers) {
		drop = replay_accept(r, t, conf_of_tunnel(t), &p, &got);
		replay_confirm(r, t, conf_of_tunnel(t), word, p.now);
	} else {
		drop = run(r, t, &p, answers, &got);
	}
	after = tunnel_memory(t);
	if (nothing && !answers &&
	    (drop || got.ask || before.endpoint != after.endpoint ||
	     before.newest != after.newest || before.highest != after.highest ||
	     before.heard.s != after.heard.s))
		fail_msg("it was to change nothing");
	*unchanging += nothing;
	if (drop != want || atomic_load(&t->endpoint) >> 16 != o->endpoint >> 16 ||
	    (endpoint_flags(atomic_load(&t->endpoint)) & ENDPOINT_ANSWERED) !=
		    (o->answered ? ENDPOINT_ANSWERED : 0) ||
	    atomic_load(&t->newest) != o->newest || atomic_load(&t->highest) != o->highest ||
	    (got.ask == REPLAY_ASK_MOVED) != (o->asked == 2) ||
	    (got.ask == REPLAY_ASK_DOUBTED) != (o->asked == 3) || got.two_clients != o->two_clients)
		fail_msg(
			"from %d, epoch %d, now %d, %s: got %s, wanted %s; asked %d, two clients %d",
			from, epoch, *now, answers ? "answers" : "", drop_name(drop),
			drop_name(want), o->asked, o->two_clients);
}

static void random_packets_are_decided_as_the_oracle_says(void **state)
{
	static const uint8_t key[16] = { 3 };
	uint32_t told = 0, unchanging = 0;

	(void)state;
	for (uint32_t round = 0; round < 2000; round++) {
		bool is_ayiya = round % 2 == 0;
		struct oracle_roam o = { .ayiya = is_ayiya };
		random_state = round;
		struct pop p = pop_new();
		struct tunnel *t = pop_add(&p, conf_new(p.digest, 9,
							is_ayiya ? TUNNEL_AYIYA : TUNNEL_HEARTBEAT,
							"2001:db8:2ff:9::", NULL));
		int start = any(2) ? NEVER : (int)any(100), now = any(2) ? 0 : start;
		struct roam *r = roam_create(FIXTURE_TUNNELS, time_of(start), key);
		o.start = (uint32_t)(NOW + start);
		for (int i = 0; i < 60; i++) {
			one_random_packet(r, t, &o, &now, &unchanging);
			told += o.two_clients;
		}
		roam_free(r);
		pop_end(&p);
	}
	assert_true(told > 100 && unchanging > 100); /* the rare cases are reached */
}

/* ---- what a table cannot tell ---- */

static void the_window_is_120_seconds_either_way(void **state)
{
	(void)state;
	assert_true(replay_clock_is_near(NOW - 120, NOW) && replay_clock_is_near(NOW + 120, NOW));
	assert_false(replay_clock_is_near(NOW - 121, NOW) || replay_clock_is_near(NOW + 121, NOW));
	assert_true(replay_clock_is_near(0, 100));
	assert_false(replay_clock_is_near(UINT32_MAX, 0));
}

static void a_move_forgets_the_path_mtu_and_a_stay_does_not(void **state)
{
	(void)state;
	struct pop p = pop_new();
	struct tunnel *t = table_by_id(p.table, 1);
	struct replay_packet here = { place(A), NOW, time_of(0) },
			     there = { place(B), NOW + 1, time_of(0) };
	struct replay_result r;
	path_lower(t, atomic_load(&t->endpoint), 1300, mono(NOW));
	assert_int_equal(replay_accept(p.roam, t, conf_of_tunnel(t), &here, &r), DROP_NONE);
	assert_int_equal(path_mtu(atomic_load(&t->path), mono(NOW)), 1300);
	assert_int_equal(replay_accept(p.roam, t, conf_of_tunnel(t), &there, &r), DROP_NONE);
	assert_int_equal(path_mtu(atomic_load(&t->path), mono(NOW)), 0);
	pop_end(&p);
}

static void a_packet_judged_by_an_old_configuration_cannot_move_what_has_become_of_the_tunnel(
	void **state)
{
	(void)state;
	struct pop p = pop_new();
	struct tunnel *t = table_by_id(p.table, 1);
	struct replay_packet packet = { place(A), NOW, time_of(0) };
	struct replay_result r;
	table_worker_enter(p.table, 0);
	const struct tunnel_conf *old = conf_of_tunnel(t);
	pop_add(&p, conf_new(p.digest, 1, TUNNEL_HEARTBEAT, "2001:db8:2ff:1::", NULL));
	assert_int_equal(atomic_load(&t->endpoint), 0);
	assert_int_equal(replay_accept(p.roam, t, old, &packet, &r), DROP_TUNNEL_TYPE);
	assert_int_equal(replay_accept_answer(p.roam, t, old, &packet, packet.now.mono_us, &r),
			 DROP_TUNNEL_TYPE);
	assert_true(table_delete(p.table, 1));
	assert_int_equal(replay_accept(p.roam, t, old, &packet, &r), DROP_TUNNEL_UNKNOWN);
	assert_int_equal(replay_accept_answer(p.roam, t, old, &packet, packet.now.mono_us, &r),
			 DROP_TUNNEL_UNKNOWN);
	assert_int_equal(atomic_load(&t->endpoint), 0);
	assert_int_equal(atomic_load(&t->newest), 0);
	table_worker_leave(p.table, 0);
	pop_end(&p);
}

/* A host without a clock of its own begins in 1970; a snapshot may hold anything. */
static void times_at_either_end_lock_nobody_out(void **state)
{
	static const struct {
		uint32_t known, now, epoch;
	} rows[] = {
		{ UINT32_MAX, 3, 2 },
		{ UINT32_MAX, 0, 1 },
		{ 0, UINT32_MAX, UINT32_MAX },
		{ 0, UINT32_MAX - 1, UINT32_MAX },
		{ UINT32_MAX, UINT32_MAX - 241, UINT32_MAX - 240 },
	};
	struct pop p = pop_new();
	struct tunnel *t = table_by_id(p.table, 1);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct replay_packet packet = { place(i % 2 ? A : B), rows[i].epoch,
						stamp(rows[i].now, 5000000) };
		struct replay_result r;
		atomic_store(&t->newest, rows[i].known);
		atomic_store(&t->highest, rows[i].known);
		if (replay_accept(p.roam, t, conf_of_tunnel(t), &packet, &r) != DROP_NONE ||
		    atomic_load(&t->highest) != rows[i].epoch)
			fail_msg("row %zu", i);
		/* and its later packets from there are no worse off */
		atomic_store(&t->newest, rows[i].known);
		assert_int_equal(replay_accept(p.roam, t, conf_of_tunnel(t), &packet, &r),
				 DROP_NONE);
	}
	pop_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_story_ends_as_it_should),
		cmocka_unit_test(random_packets_are_decided_as_the_oracle_says),
		cmocka_unit_test(times_at_either_end_lock_nobody_out),
		cmocka_unit_test(the_window_is_120_seconds_either_way),
		cmocka_unit_test(a_move_forgets_the_path_mtu_and_a_stay_does_not),
		cmocka_unit_test(
			a_packet_judged_by_an_old_configuration_cannot_move_what_has_become_of_the_tunnel),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
