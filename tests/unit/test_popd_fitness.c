#include "popd/observe/fitness.h"

#include "tests/unit/test_popd_fixture.h"

static const struct fitness_facts fit = {
	.tun = "sixxs",
	.tun_well = true,
	.routes_well = true,
	.forwards = true,
	.ipv4 = { POP_IPV4 },
	.has_ipv4 = true,
	.default_ipv4 = true,
	.default_ipv6 = true,
	.carrier = true,
	.protocol41 = "",
	.clock_synchronised = true,
	.clock_known = true,
	.queues = 2,
	.workers = 2,
};

/* What one changed fact makes of a PoP that was fit. */
static uint32_t after(const struct fitness_facts *changed, struct fitness *f)
{
	*f = (struct fitness){ 0 };
	assert_int_equal(fitness_judge(f, &fit), 0);
	(void)fitness_judge(f, changed);
	return f->wrong;
}

static void each_fact_has_its_reason_and_sentence(void **state)
{
	static struct fitness f;
	struct fitness_facts w;

	(void)state;
#define CHECK(set, item)                                                         \
	do {                                                                     \
		w = fit;                                                         \
		set;                                                             \
		assert_int_equal(after(&w, &f), 1u << FITNESS_##item);           \
		assert_true(strlen(f.text[FITNESS_##item]) > 10);                \
		assert_int_equal(fitness_judge(&f, &fit), 1u << FITNESS_##item); \
		assert_int_equal(f.wrong, 0);                                    \
	} while (0)
	CHECK(w.tun_well = false, TUN);
	CHECK(w.routes_well = false, ROUTES);
	CHECK(w.forwards = false, FORWARDING);
	CHECK(w.has_ipv4 = false, IPV4);
	CHECK(w.default_ipv4 = false, DEFAULT_IPV4);
	CHECK(w.default_ipv6 = false, DEFAULT_IPV6);
	CHECK(w.carrier = false, CARRIER);
	CHECK(w.protocol41 = "sit0 is there", PROTOCOL41);
	CHECK(w.queues = 3, SECOND_POPD);
	CHECK(w.stalled_s = 3, WORKER);
	CHECK(w.strict_rp_filter = true, RP_FILTER);
#undef CHECK
	assert_true(fitness_is_reason(FITNESS_FORWARDING));
	assert_false(fitness_is_reason(FITNESS_RP_FILTER));
	w = fit;
	w.has_ipv4 = false;
	w.strict_rp_filter = true;
	(void)after(&w, &f);
	assert_string_equal(f.text[FITNESS_IPV4],
			    "the PoP's address 198.51.100.2 is not on this host");
	assert_int_equal(fitness_reasons(&f), 1u << FITNESS_IPV4);
}

static void what_never_was_there_is_not_lost(void **state)
{
	struct fitness_facts lab = fit;
	static struct fitness f;

	(void)state;
	lab.default_ipv4 = lab.default_ipv6 = lab.carrier = false;
	assert_int_equal(fitness_judge(&f, &lab), 0);
	assert_int_equal(fitness_judge(&f, &lab), 0);
}

static void a_clock_is_wrong_only_when_it_is_not_synchronised_and_far_off(void **state)
{
	static const struct {
		bool synchronised, known;
		int64_t offset;
		uint32_t wrong;
	} rows[] = {
		{ false, true, 120, 0 },
		{ false, true, 121, 1u << FITNESS_CLOCK },
		{ false, true, -121, 1u << FITNESS_CLOCK },
		{ false, true, -120, 0 },
		{ false, false, 9999, 0 },
		{ true, true, 121, 1u << FITNESS_UNSYNCHRONISED },
		{ true, true, 0, 0 },
	};
	static struct fitness f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fitness_facts w = fit;
		w.clock_synchronised = rows[i].synchronised;
		w.clock_known = rows[i].known;
		w.clock_offset = rows[i].offset;
		assert_int_equal(after(&w, &f), rows[i].wrong);
	}
	assert_false(fitness_is_reason(FITNESS_UNSYNCHRONISED)); /* the database's may be wrong */
}

static void what_is_undone_again_and_again_waits_longer_each_time(void **state)
{
	struct guard g = { 0 };
	mono_t now = { 1000000 };

	(void)state;
	for (int i = 0; i < 5; i++, now.ms += 1000)
		assert_int_equal(guard_ask(&g, now), GUARD_REPAIR);
	assert_int_equal(guard_ask(&g, now), GUARD_REPAIR_AND_TELL);
	for (int64_t wait = 1; wait <= 64; wait *= 2) {
		now.ms += wait * 1000 - 1;
		assert_int_equal(guard_ask(&g, now), GUARD_WAIT);
		now.ms += 1;
		assert_int_equal(guard_ask(&g, now), GUARD_REPAIR_SILENTLY);
	}
	now.ms += 63999;
	assert_int_equal(guard_ask(&g, now), GUARD_WAIT);
	now.ms += 3600000; /* it was left alone */
	assert_int_equal(guard_ask(&g, now), GUARD_REPAIR);
}

static void a_repair_now_and_then_never_waits(void **state)
{
	struct guard g = { 0 };
	mono_t now = { 1000000 };

	(void)state;
	for (int i = 0; i < 100; i++, now.ms += GUARD_WINDOW_MS / GUARD_BURST + 1)
		assert_int_equal(guard_ask(&g, now), GUARD_REPAIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fact_has_its_reason_and_sentence),
		cmocka_unit_test(what_never_was_there_is_not_lost),
		cmocka_unit_test(a_clock_is_wrong_only_when_it_is_not_synchronised_and_far_off),
		cmocka_unit_test(what_is_undone_again_and_again_waits_longer_each_time),
		cmocka_unit_test(a_repair_now_and_then_never_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
