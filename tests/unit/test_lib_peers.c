#include "lib/peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct ip6 ip(const char *text)
{
	struct peer peer;

	assert_int_equal(peer_parse(text, strlen(text), &peer), 0);
	return peer.ip;
}

/* Enters as many as fit, at most `most`. */
static unsigned fill(struct peers *p, const char *text, const struct peers_max *max, unsigned most)
{
	struct ip6 a = ip(text);
	struct prefix6 full;
	unsigned n = 0;

	for (; n < most && peers_has_room(p, &a, max, &full); n++)
		assert_int_equal(peers_enter(p, &a), 0);
	return n;
}

static const char *full_of(struct peers *p, const char *text, const struct peers_max *max)
{
	static char out[PEER_PREFIX_TEXT];
	struct ip6 a = ip(text);
	struct prefix6 full;

	return peers_has_room(p, &a, max, &full) ? "none" : peer_prefix_text(&full, out);
}

static void peers_of_ipv4_count_by_address(void **state)
{
	const struct peers_max max = { .address = 2, .net56 = 1, .net48 = 1 };
	struct peers *p = peers_create();
	struct ip6 a = ip("192.0.2.1");

	(void)state;
	assert_non_null(p);
	assert_int_equal(fill(p, "192.0.2.1", &max, 9), 2);
	assert_string_equal(full_of(p, "192.0.2.1", &max), "192.0.2.1");
	assert_int_equal(fill(p, "192.0.2.2", &max, 9), 2);
	peers_leave(p, &a);
	assert_int_equal(fill(p, "192.0.2.1", &max, 9), 1);
	peers_free(p);
}

static void peers_of_ipv6_count_by_64_56_and_48(void **state)
{
	const struct peers_max max = { .address = 2, .net56 = 3, .net48 = 5 };
	struct peers *p = peers_create();
	struct ip6 a = ip("2001:db8:1:2201::1");

	(void)state;
	assert_non_null(p);
	assert_int_equal(fill(p, "2001:db8:1:2201::1", &max, 9), 2);
	assert_string_equal(full_of(p, "2001:db8:1:2201:ffff::9", &max), "2001:db8:1:2201::/64");
	assert_int_equal(fill(p, "2001:db8:1:2202::1", &max, 9), 1);
	assert_string_equal(full_of(p, "2001:db8:1:2203::1", &max), "2001:db8:1:2200::/56");
	assert_int_equal(fill(p, "2001:db8:1:3301::1", &max, 9), 2);
	assert_string_equal(full_of(p, "2001:db8:1:4401::1", &max), "2001:db8:1::/48");
	assert_int_equal(fill(p, "2001:db8:2::1", &max, 9), 2);
	peers_leave(p, &a);
	assert_string_equal(full_of(p, "2001:db8:1:4401::1", &max), "none");
	assert_string_equal(full_of(p, "2001:db8:1:2201::1", &max), "none");
	peers_free(p);
}

static void peers_without_a_limit_are_counted_all_the_same(void **state)
{
	const struct peers_max none = { 0 }, later = { .net48 = 100 };
	struct peers *p = peers_create();

	(void)state;
	assert_non_null(p);
	assert_int_equal(fill(p, "2001:db8:1:1::1", &none, 100), 100);
	assert_string_equal(full_of(p, "2001:db8:1:ff00::1", &later), "2001:db8:1::/48");
	peers_free(p);
}

/* Against a plain array, in random order. */
static void peers_many_agree_with_a_naive_count(void **state)
{
	enum { HOSTS = 500, ROUNDS = 20000, MAX = 5 };
	const struct peers_max max = { .address = MAX };
	struct peers *p = peers_create();
	unsigned counts[HOSTS] = { 0 };

	(void)state;
	assert_non_null(p);
	srand(7);
	for (int i = 0; i < ROUNDS; i++) {
		unsigned h = (unsigned)rand() % HOSTS;
		struct ip6 a = ip("10.0.0.0");
		struct prefix6 full;

		a.b[14] = (uint8_t)(h >> 8);
		a.b[15] = (uint8_t)h;
		assert_int_equal(peers_has_room(p, &a, &max, &full), counts[h] < MAX);
		if (rand() % 3 > 0 && counts[h] < MAX) {
			assert_int_equal(peers_enter(p, &a), 0);
			counts[h]++;
		} else if (counts[h] > 0) {
			peers_leave(p, &a);
			counts[h]--;
		}
	}
	peers_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peers_of_ipv4_count_by_address),
		cmocka_unit_test(peers_of_ipv6_count_by_64_56_and_48),
		cmocka_unit_test(peers_without_a_limit_are_counted_all_the_same),
		cmocka_unit_test(peers_many_agree_with_a_naive_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
