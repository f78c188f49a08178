#include "ticd/core/failures.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/peer.h"

static struct ip6 ip(const char *text)
{
	struct peer peer;

	assert_int_equal(peer_parse(text, strlen(text), &peer), 0);
	return peer.ip;
}

static void add(struct failures *f, const char *text, unsigned n, int64_t ms)
{
	struct ip6 a = ip(text);

	while (n-- > 0)
		failures_add(f, &a, (mono_t){ ms });
}

static struct failures_record of(struct failures *f, const char *text, int64_t ms)
{
	struct ip6 a = ip(text);

	return failures_of(f, &a, (mono_t){ ms });
}

static void failures_beyond_twenty_delay(void **state)
{
	struct failures *f = failures_create();

	(void)state;
	assert_non_null(f);
	assert_int_equal(of(f, "192.0.2.1", 0).count, 0);
	add(f, "192.0.2.1", 20, 0);
	assert_int_equal(of(f, "192.0.2.1", 0).count, 20);
	assert_int_equal(of(f, "192.0.2.1", 0).delay_ms, 0);
	add(f, "192.0.2.1", 1, 0);
	assert_int_equal(of(f, "192.0.2.1", 0).delay_ms, FAILURES_STEP_MS);
	assert_int_equal(of(f, "192.0.2.2", 0).count, 0);
	add(f, "192.0.2.1", 5000, 0);
	assert_int_equal(of(f, "192.0.2.1", 0).count, FAILURES_MAX);
	assert_int_equal(of(f, "192.0.2.1", 0).delay_ms, FAILURES_DELAY_MAX_MS);
	failures_free(f);
}

static void failures_are_forgotten_one_by_one(void **state)
{
	struct failures *f = failures_create();

	(void)state;
	assert_non_null(f);
	add(f, "192.0.2.1", 22, 7);
	assert_int_equal(of(f, "192.0.2.1", 7 + FAILURES_FORGET_MS - 1).count, 22);
	assert_int_equal(of(f, "192.0.2.1", 7 + FAILURES_FORGET_MS).count, 21);
	assert_int_equal(of(f, "192.0.2.1", 7 + 21 * FAILURES_FORGET_MS).count, 1);
	assert_int_equal(of(f, "192.0.2.1", 7 + 22 * FAILURES_FORGET_MS).count, 0);
	assert_int_equal(of(f, "192.0.2.1", INT64_C(1) << 50).count, 0);
	add(f, "192.0.2.1", 1, INT64_C(1) << 50);
	assert_int_equal(of(f, "192.0.2.1", INT64_C(1) << 50).count, 1);
	failures_free(f);
}

/* Each of these 25 failures comes from an address of its own. */
static void failures_of_ipv6_count_by_64_56_and_48(void **state)
{
	static const struct {
		unsigned differs; /* the byte in which the addresses differ */
		const char *prefix, *neighbour;
	} rows[] = {
		{ 15, "2001:db8:1:2200::/64", "2001:db8:1:2200:ffff::1" },
		{ 7, "2001:db8:1:2200::/56", "2001:db8:1:22ff::1" },
		{ 6, "2001:db8:1::/48", "2001:db8:1:ffff::1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct failures *f = failures_create();
		struct failures_record record;
		struct ip6 a = ip("2001:db8:1:2200::");

		assert_non_null(f);
		for (unsigned n = 0; n < 25; n++) {
			failures_add(f, &a, (mono_t){ 0 });
			a.b[rows[i].differs]++;
		}
		record = of(f, rows[i].neighbour, 0);
		assert_int_equal(record.count, 25);
		assert_string_equal(peer_prefix_text(&record.prefix, (char[PEER_PREFIX_TEXT]){ 0 }),
				    rows[i].prefix);
		assert_true(record.delay_ms > 0);
		assert_int_equal(of(f, "2001:db8:2::1", 0).count, 0);
		failures_free(f);
	}
}

/* A hundred thousand addresses with one failure each do not push out the one with many. */
static void failures_with_many_outlive_many_with_one(void **state)
{
	struct failures *f = failures_create();
	struct ip6 a = ip("198.18.0.0");

	(void)state;
	assert_non_null(f);
	add(f, "192.0.2.1", 30, 0);
	for (unsigned n = 0; n < 100000; n++) {
		a.b[13] = (uint8_t)(n >> 16);
		a.b[14] = (uint8_t)(n >> 8);
		a.b[15] = (uint8_t)n;
		failures_add(f, &a, (mono_t){ 0 });
		assert_int_equal(failures_of(f, &a, (mono_t){ 0 }).count, 1);
	}
	assert_int_equal(of(f, "192.0.2.1", 0).count, 30);
	failures_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failures_beyond_twenty_delay),
		cmocka_unit_test(failures_are_forgotten_one_by_one),
		cmocka_unit_test(failures_of_ipv6_count_by_64_56_and_48),
		cmocka_unit_test(failures_with_many_outlive_many_with_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
