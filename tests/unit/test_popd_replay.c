/* Which packets are accepted and which of them move an endpoint, as one table of short stories. */
#include "popd/core/replay.h"

#include "popd/core/path.h"
#include "tests/unit/test_popd_fixture.h"

enum { A = 1, B, C, A_OTHER_PORT, A_SHA256 };

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

/* All times are seconds from NOW. */
struct step {
	int from;
	int epoch;
	int now;
	enum drop want;
	int endpoint; /* afterwards */
	int newest;
};

static const struct {
	const char *name;
	struct step steps[8];
} stories[] = {
	{ "the first packet sets the endpoint, whatever its place in the window",
	  { { A, -120, 0, DROP_NONE, A, -120 } } },
	{ "in order, from one place",
	  { { A, 0, 0, DROP_NONE, A, 0 }, { A, 1, 1, DROP_NONE, A, 1 } } },
	{ "several in one second", { { A, 0, 0, DROP_NONE, A, 0 }, { A, 0, 0, DROP_NONE, A, 0 } } },
	{ "five seconds late is reordering, and the newest stays",
	  { { A, 0, 0, DROP_NONE, A, 0 },
	    { A, -5, 0, DROP_NONE, A, 0 },
	    { A, -6, 0, DROP_REPLAY_STALE, A, 0 } } },
	{ "a clock that is set back is not locked out at its own place",
	  { { A, 100, 0, DROP_NONE, A, 100 },
	    { A, 0, 0, DROP_NONE, A, 100 },
	    { A, -5, 0, DROP_NONE, A, 100 },
	    { A, -6, 0, DROP_REPLAY_STALE, A, 100 },
	    { A, 15, 20, DROP_NONE, A, 100 } } },
	{ "a newer packet from elsewhere moves the endpoint",
	  { { A, 0, 0, DROP_NONE, A, 0 },
	    { B, 1, 1, DROP_NONE, B, 1 },
	    { C, 2, 2, DROP_NONE, C, 2 } } },
	{ "the same second from elsewhere is a replay",
	  { { A, 0, 0, DROP_NONE, A, 0 },
	    { B, 0, 0, DROP_REPLAY_MOVE, A, 0 },
	    { B, 1, 1, DROP_NONE, B, 1 } } },
	{ "an older one from elsewhere is a replay, also within five seconds",
	  { { A, 0, 0, DROP_NONE, A, 0 },
	    { B, -1, 0, DROP_REPLAY_MOVE, A, 0 },
	    { B, -100, 0, DROP_REPLAY_MOVE, A, 0 } } },
	{ "another port is elsewhere",
	  { { A, 0, 0, DROP_NONE, A, 0 },
	    { A_OTHER_PORT, 0, 0, DROP_REPLAY_MOVE, A, 0 },
	    { A_OTHER_PORT, 1, 1, DROP_NONE, A_OTHER_PORT, 1 } } },
	{ "what moved the endpoint once cannot move it back",
	  { { A, 0, 0, DROP_NONE, A, 0 },
	    { B, 1, 1, DROP_NONE, B, 1 },
	    { A, 0, 1, DROP_REPLAY_MOVE, B, 1 },
	    { A, 1, 1, DROP_REPLAY_MOVE, B, 1 },
	    { A, 2, 2, DROP_NONE, A, 2 } } },
	{ "a client that runs ahead moves only when its own time goes on",
	  { { A, 100, 0, DROP_NONE, A, 100 },
	    { B, 100, 10, DROP_REPLAY_MOVE, A, 100 },
	    { B, 101, 11, DROP_NONE, B, 101 } } },
	{ "another hash method at the same place changes the flag, not the place",
	  { { A, 0, 0, DROP_NONE, A, 0 },
	    { A_SHA256, 0, 0, DROP_NONE, A_SHA256, 0 },
	    { A, 1, 1, DROP_NONE, A, 1 } } },
	{ "a late packet does not change the flag",
	  { { A, 0, 0, DROP_NONE, A, 0 }, { A_SHA256, -3, 0, DROP_NONE, A, 0 } } },
	{ "our own clock was an hour ahead and is right again: the client stays and moves",
	  { { A, 3600, 3600, DROP_NONE, A, 3600 },
	    { A, 0, 0, DROP_NONE, A, 0 },
	    { B, 1, 1, DROP_NONE, B, 1 },
	    { A, 1, 1, DROP_REPLAY_MOVE, B, 1 } } },
	{ "the same, and the move comes first",
	  { { A, 3600, 3600, DROP_NONE, A, 3600 },
	    { B, -6, 0, DROP_REPLAY_MOVE, A, 3600 },
	    { B, 0, 0, DROP_NONE, B, 0 } } },
};

static void every_story_ends_as_it_should(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(stories); i++) {
		struct pop p = pop_new();
		const struct tunnel_conf *c = conf_of_tunnel(
			pop_add(&p, conf_new(p.digest, 9, TUNNEL_AYIYA, "2001:db8:2ff:9::", NULL)));
		struct tunnel *t = table_by_id(p.table, 9);
		for (size_t s = 0; s < ARRAY_LEN(stories[i].steps) && stories[i].steps[s].from;
		     s++) {
			const struct step *step = &stories[i].steps[s];
			uint64_t was = atomic_load(&t->endpoint), before;
			enum drop got = replay_accept(t, c, place(step->from),
						      (uint32_t)(NOW + step->epoch),
						      (uint32_t)(NOW + step->now), &before);
			if (got != step->want ||
			    atomic_load(&t->endpoint) != place(step->endpoint) ||
			    atomic_load(&t->newest) != (uint32_t)(NOW + step->newest))
				fail_msg("%s, step %zu: %s, newest %d", stories[i].name, s,
					 drop_name(got), (int)(atomic_load(&t->newest) - NOW));
			assert_int_equal(before, was);
		}
		pop_end(&p);
	}
}

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
	uint64_t before;
	path_lower(t, atomic_load(&t->endpoint), 1300, mono(NOW));
	assert_int_equal(replay_accept(t, conf_of_tunnel(t), place(A), NOW, NOW, &before),
			 DROP_NONE);
	assert_int_equal(path_mtu(atomic_load(&t->path), mono(NOW)), 1300);
	assert_int_equal(replay_accept(t, conf_of_tunnel(t), place(B), NOW + 1, NOW, &before),
			 DROP_NONE);
	assert_int_equal(path_mtu(atomic_load(&t->path), mono(NOW)), 0);
	pop_end(&p);
}

static void a_packet_judged_by_an_old_configuration_cannot_move_what_has_become_of_the_tunnel(
	void **state)
{
	(void)state;
	struct pop p = pop_new();
	struct tunnel *t = table_by_id(p.table, 1);
	uint64_t before;
	table_worker_enter(p.table, 0);
	const struct tunnel_conf *old = conf_of_tunnel(t);
	pop_add(&p, conf_new(p.digest, 1, TUNNEL_HEARTBEAT, "2001:db8:2ff:1::", NULL));
	assert_int_equal(atomic_load(&t->endpoint), 0);
	assert_int_equal(replay_accept(t, old, place(A), NOW, NOW, &before), DROP_TUNNEL_TYPE);
	assert_true(table_delete(p.table, 1));
	assert_int_equal(replay_accept(t, old, place(A), NOW, NOW, &before), DROP_TUNNEL_UNKNOWN);
	assert_int_equal(atomic_load(&t->endpoint), 0);
	assert_int_equal(atomic_load(&t->newest), 0);
	table_worker_leave(p.table, 0);
	pop_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_story_ends_as_it_should),
		cmocka_unit_test(the_window_is_120_seconds_either_way),
		cmocka_unit_test(a_move_forgets_the_path_mtu_and_a_stay_does_not),
		cmocka_unit_test(
			a_packet_judged_by_an_old_configuration_cannot_move_what_has_become_of_the_tunnel),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
