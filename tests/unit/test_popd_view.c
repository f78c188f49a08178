#include "popd/core/view.h"

#include "tests/unit/test_popd_fixture.h"

static void liveness_of_the_pop_is_that_of_all_tunnels_and_outlives_them(void **state)
{
	struct pop p = pop_new();
	struct counters *second = counters_create(FIXTURE_TUNNELS),
			*both[] = { p.counters, second };
	uint32_t one = table_by_id(p.table, 1)->slot, two = table_by_id(p.table, 2)->slot;
	struct view_pop v;

	(void)state;
	view_pop(both, 2, &v);
	assert_true(v.sent == 0 && v.rtt_min_us == 0 && v.rtt_max_us == 0);
	counters_echo_sent(p.counters, one);
	counters_echo_sent(second, two);
	counters_echo_sent(second, two);
	counters_echo_received(second, two, 900);
	view_pop(both, 2, &v); /* a worker with no answer yet has no shortest one */
	assert_true(v.rtt_min_us == 900 && v.rtt_max_us == 900);
	counters_echo_received(p.counters, one, 2500);
	counters_echo_received(second, two, 300);
	counters_clear_slot(second, two);
	view_pop(both, 2, &v);
	assert_int_equal(view_pop_measure(&v, MEASURE_SENT), 3);
	assert_int_equal(view_pop_measure(&v, MEASURE_RECEIVED), 3);
	assert_int_equal(view_pop_measure(&v, MEASURE_RTT_SUM), 3700);
	assert_int_equal(view_pop_measure(&v, MEASURE_RTT_MIN), 300);
	assert_int_equal(view_pop_measure(&v, MEASURE_RTT_MAX), 2500);
	counters_free(second);
	pop_end(&p);
}

static void tunnels_are_counted_by_type_and_state(void **state)
{
	static const uint32_t wanted[TUNNEL_TYPE__COUNT][VIEW_STATE__COUNT] = {
		[TUNNEL_AYIYA] = { [VIEW_UP] = 1, [VIEW_DISABLED] = 1 },
		[TUNNEL_HEARTBEAT] = { [VIEW_UP] = 1, [VIEW_DOWN] = 1 },
		[TUNNEL_STATIC] = { [VIEW_UP] = 2 },
	};
	struct pop p = pop_new();
	struct view_tunnels v = view_tunnels(p.table, mono(NOW), EXPIRY);

	(void)state;
	assert_memory_equal(v.by, wanted, sizeof(wanted));
	assert_int_equal(v.configured, 6);
	v = view_tunnels(p.table, mono(NOW + EXPIRY), EXPIRY); /* the dynamic ones have expired */
	assert_int_equal(v.by[TUNNEL_AYIYA][VIEW_DOWN], 1);
	assert_int_equal(v.by[TUNNEL_HEARTBEAT][VIEW_DOWN], 2);
	assert_int_equal(v.up, 2);
	pop_end(&p);
}

static void the_totals_of_a_tunnel_are_those_of_its_counters(void **state)
{
	struct pop p = pop_new();
	struct counters *second = counters_create(FIXTURE_TUNNELS),
			*both[] = { p.counters, second };
	uint32_t slot = table_by_id(p.table, 3)->slot;
	struct view_tunnel v;
	struct view_totals t;

	(void)state;
	counters_in(p.counters, slot, 3, 300);
	counters_in(second, slot, 1, 40);
	counters_out(second, slot, 77);
	count_drop(p.counters, DROP_TOO_BIG, slot, 3, 0, NOW);
	count_drop(second, DROP_TOO_BIG, slot, 3, 0, NOW);
	count_drop(second, DROP_HOP_LIMIT, slot, 3, 0, NOW);
	view_tunnel(both, 2, slot, &v);
	view_totals(both, 2, slot, &t);
	assert_true(t.packets_in == 4 && t.bytes_in == 340 && t.packets_out == 1 &&
		    t.bytes_out == 77);
	assert_int_equal(t.drops, 3);
	assert_int_equal(view_tunnel_measure(&v, MEASURE_PACKETS_IN), t.packets_in);
	assert_int_equal(view_tunnel_measure(&v, MEASURE_BYTES_IN), t.bytes_in);
	assert_int_equal(view_tunnel_measure(&v, MEASURE_PACKETS_OUT), t.packets_out);
	assert_int_equal(view_tunnel_measure(&v, MEASURE_BYTES_OUT), t.bytes_out);
	assert_int_equal(view_tunnel_measure(&v, MEASURE_DROPS), t.drops);
	counters_free(second);
	pop_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(liveness_of_the_pop_is_that_of_all_tunnels_and_outlives_them),
		cmocka_unit_test(tunnels_are_counted_by_type_and_state),
		cmocka_unit_test(the_totals_of_a_tunnel_are_those_of_its_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
