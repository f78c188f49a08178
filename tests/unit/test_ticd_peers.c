#include "ticd/core/peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/err.h"

static struct ip6 ip(const char *text)
{
	struct ip6 out;

	assert_int_equal(ip6_parse(text, strlen(text), &out), 0);
	return out;
}

/* How many connections an address has: the first limit that lets one more in. */
static unsigned count(struct peers *p, const struct ip6 *a)
{
	unsigned n = 0;

	while (peers_enter(p, a, n + 1) != 0)
		n++;
	peers_leave(p, a);
	return n;
}

static void peers_limit_is_per_address(void **state)
{
	struct peers *p = peers_create();
	struct ip6 a = ip("::ffff:192.0.2.1"), b = ip("::ffff:192.0.2.2");

	(void)state;
	assert_non_null(p);
	assert_int_equal(peers_enter(p, &a, 2), 0);
	assert_int_equal(peers_enter(p, &a, 2), 0);
	assert_int_equal(peers_enter(p, &a, 2), -ERR_BUSY);
	assert_int_equal(count(p, &a), 2);
	assert_int_equal(peers_enter(p, &b, 2), 0);
	peers_leave(p, &a);
	assert_int_equal(peers_enter(p, &a, 2), 0);
	peers_leave(p, &a);
	peers_leave(p, &a);
	assert_int_equal(count(p, &a), 0);
	assert_int_equal(count(p, &b), 1);
	assert_int_equal(peers_enter(p, &a, 0), -ERR_BUSY);
	peers_free(p);
}

static void peers_ipv6_counts_by_64(void **state)
{
	struct peers *p = peers_create();
	struct ip6 a = ip("2001:db8:0:1::1"), same = ip("2001:db8:0:1:ffff::9"),
		   other = ip("2001:db8:0:2::1");

	(void)state;
	assert_non_null(p);
	assert_int_equal(peers_enter(p, &a, 1), 0);
	assert_int_equal(peers_enter(p, &same, 1), -ERR_BUSY);
	assert_int_equal(peers_enter(p, &other, 1), 0);
	peers_leave(p, &same);
	assert_int_equal(peers_enter(p, &a, 1), 0);
	peers_free(p);
}

/* Against a plain array, in random order. */
static void peers_many_agree_with_a_naive_count(void **state)
{
	enum { HOSTS = 500, ROUNDS = 20000, MAX = 5 };
	struct peers *p = peers_create();
	unsigned counts[HOSTS] = { 0 };

	(void)state;
	assert_non_null(p);
	srand(7);
	for (int i = 0; i < ROUNDS; i++) {
		unsigned h = (unsigned)rand() % HOSTS;
		struct ip6 a = ip("::ffff:10.0.0.0");

		a.b[14] = (uint8_t)(h >> 8);
		a.b[15] = (uint8_t)h;
		if (rand() % 3 > 0) {
			assert_int_equal(peers_enter(p, &a, MAX), counts[h] < MAX ? 0 : -ERR_BUSY);
			counts[h] += counts[h] < MAX;
		} else if (counts[h] > 0) {
			peers_leave(p, &a);
			counts[h]--;
		}
		assert_int_equal(count(p, &a), counts[h]);
	}
	peers_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peers_limit_is_per_address),
		cmocka_unit_test(peers_ipv6_counts_by_64),
		cmocka_unit_test(peers_many_agree_with_a_naive_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
