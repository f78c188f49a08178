/* The fast path in the kernel has predicates of its own, which must agree with popd's. */
#include "popd/fastpath/encap_rules.h"

#include "popd/core/encap.h"
#include "popd/core/path.h"
#include "lib/wire/ipv6.h"
#include "tests/unit/test_popd_fixture.h"

static uint64_t seed = 0xda3e39cb94b95bdb;

static uint32_t any(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 16) % below);
}

static struct encap41_bits bits(const struct ip6 *ip)
{
	struct encap41_key k = encap_rules_key(&(struct prefix6){ *ip, 128 });

	return (struct encap41_bits){ k.high, k.low };
}

/* Addresses that the kernel's program leaves to popd, whatever they are. */
static bool is_left_to_popd(const struct ip6 *ip)
{
	return ip->b[0] >> 5 != 1 || (ip->b[0] == 0x20 && ip->b[1] == 1 && ip->b[2] < 2) ||
	       (ip->b[0] == 0x20 && ip->b[1] == 2);
}

static bool is_plain(const struct ip6 *ip)
{
	return ipv6_kind(ip) == IPV6_GLOBAL && !ipv6_embeds(ip, (struct ip4){ POP_IPV4 }) &&
	       !is_left_to_popd(ip);
}

/* Both sides of each border between kinds of addresses, with and without our IPv4 address in each
 * place. */
static const char *const addresses[] = {
	"2001:db8::1",
	"::",
	"::1",
	"::2",
	"::ffff:198.51.100.2",
	"::fffe:198.51.100.2",
	"::1:0:0",
	"0:0:0:1::",
	"0:0:0:1::1",
	"fe7f::1",
	"fe80::1",
	"febf::1",
	"fec0::1",
	"feff::1",
	"ff00::1",
	"ff02::1",
	"ff0e::1",
	"fdff::1",
	"2002:c633:6402::1",
	"2002:c633:6403::1",
	"2003:c633:6402::1",
	"2001:0:c633:6402::1",
	"2001:0:1:1::399c:9bfd",
	"2001:0:1:1:0:0:399c:9bfc",
	"2001:1:c633:6402::1",
	"2001:db8::5efe:198.51.100.2",
	"2001:db8::200:5efe:198.51.100.2",
	"2001:db8::100:5efe:198.51.100.2",
	"2001:db8::5eff:198.51.100.2",
	"2001:db8::5efe:198.51.100.3",
	"1fff::1",
	"2000::1",
	"3fff::1",
	"4000::1",
	"fd00::1",
	"100::1",
	"2001:1ff::1",
	"2001:200::1",
	"2002:a00::1",
};

static void special_addresses_are_classified_as_by_popd(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		struct ip6 ip = addr(addresses[i]);
		if (encap41_is_plain_address(bits(&ip), POP_IPV4) != is_plain(&ip))
			fail_msg("%s", addresses[i]);
	}
}

/* Random addresses, built of the parts that matter. */
static void any_address_is_classified_as_by_popd(void **state)
{
	static const uint16_t pieces[] = { 0,
					   1,
					   0x2001,
					   0x2002,
					   0xfe80,
					   0xff02,
					   0xffff,
					   0x5efe,
					   0x0200,
					   0xc633,
					   0x6402,
					   0x399c,
					   0x9bfd /* ~6402 */,
					   0xfec0 };
	size_t plain = 0;
	enum { ROUNDS = 1000000 };

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct ip6 ip;
		for (size_t i = 0; i < 16; i += 2)
			put16(ip.b + i, any(8) ? pieces[any(ARRAY_LEN(pieces))] : any(65536));
		if (any(4) == 0)
			put32(ip.b + 8, any(2) ? 0x5efe : 0x02005efe);
		if (any(4) == 0)
			put32(ip.b + 12, any(2) ? POP_IPV4 : ~POP_IPV4);
		bool wanted = is_plain(&ip);
		if (encap41_is_plain_address(bits(&ip), POP_IPV4) != wanted) {
			char text[IP6_TEXT];
			fail_msg("%s", ip6_text(&ip, text));
		}
		plain += wanted;
	}
	assert_true(plain > ROUNDS / 10 && plain < ROUNDS - ROUNDS / 10);
}

static void a_tunnel_is_up_and_has_the_mtu_that_popd_says(void **state)
{
	struct pop p = pop_new();
	static const uint32_t heard[] = { 0,   NOW - EXPIRY - 1, NOW - EXPIRY, NOW - 1,
					  NOW, NOW + 1000 };
	static const uint32_t paths[] = { 0,    1,    19,   20,   600,  1279, 1300,
					  1301, 1400, 1499, 1500, 1501, 65535 };
	static const uint32_t since[] = { 0, NOW - PATH_LIFE, NOW - PATH_LIFE + 1, NOW,
					  NOW + PATH_LIFE };
	static const uint32_t ids[] = { 2, 3, 6 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct tunnel *t = table_by_id(p.table, ids[i]);
		const struct tunnel_conf *c = conf_of_tunnel(t);
		uint64_t endpoint = atomic_load(&t->endpoint), plain = atomic_load(&t->plain);
		for (size_t k = 0; k < ARRAY_LEN(heard); k++) {
			atomic_store(&t->heard, heard[k]);
			assert_int_equal(encap41_is_up(plain, heard[k], NOW, EXPIRY),
					 tunnel_is_up(t, c, mono(NOW), EXPIRY));
		}
		for (size_t k = 0; k < ARRAY_LEN(paths); k++) {
			for (size_t m = 0; m < ARRAY_LEN(since); m++) {
				uint64_t path = path_pack(paths[k], mono(since[m]));
				atomic_store(&t->path, path);
				assert_int_equal(encap41_mtu(plain, path, NOW),
						 encap_mtu(t, c, endpoint, mono(NOW)));
			}
		}
	}
	pop_end(&p);
}

/* ---- the rules ---- */

static void our_prefixes_are_those_that_popd_owns(void **state)
{
	static struct encap_rules rules;
	struct encap_rules_lengths lengths = { { 0 } };
	struct pop_conf pop = { .prefix_count = 3 };

	(void)state;
	pop.prefixes[0] = prefix("2001:db8:2ff::/48");
	pop.prefixes[1] = prefix("2001:db8:3000::/40");
	pop.prefixes[2] = prefix("2001:db8:4000:0:8000::/65");
	encap_rules_build(&rules, &lengths, &pop);
	assert_int_equal(rules.own_count, 3);
	assert_int_equal(rules.length_count, 0);
	for (int round = 0; round < 100000; round++) {
		struct ip6 ip = pop.prefixes[any(3)].addr;
		if (any(2))
			ip.b[any(16)] ^= (uint8_t)(1 << any(8));
		bool found = false;
		for (uint32_t i = 0; i < rules.own_count; i++)
			found |= encap41_is_in(bits(&ip), rules.own[i].value, rules.own[i].mask);
		assert_int_equal(found, pop_owns(&pop, &ip));
	}
}

static void a_pop_without_prefixes_owns_none(void **state)
{
	static struct encap_rules rules;
	struct encap_rules_lengths lengths = { { 0 } };
	struct pop_conf pop = { .prefix_count = 0 };

	(void)state;
	encap_rules_build(&rules, &lengths, &pop);
	assert_int_equal(rules.own_count, 0);
	assert_int_equal(rules.length_count, 0);
}

static void lengths_in_use_come_longest_first(void **state)
{
	static struct encap_rules rules;
	struct encap_rules_lengths lengths = { { 0 } };
	struct pop_conf pop = { .prefix_count = 0 };

	(void)state;
	assert_true(encap_rules_count(&lengths, 48, PREFIX_ADDED));
	assert_true(encap_rules_count(&lengths, 128, PREFIX_ADDED));
	assert_true(encap_rules_count(&lengths, 0, PREFIX_ADDED));
	assert_true(encap_rules_count(&lengths, 64, PREFIX_ADDED));
	assert_false(encap_rules_count(&lengths, 64, PREFIX_ADDED));
	assert_false(encap_rules_count(&lengths, 64, PREFIX_CHANGED));
	encap_rules_build(&rules, &lengths, &pop);
	assert_int_equal(rules.length_count, 4);
	static const uint32_t order[] = { 128, 64, 48, 0 };
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		assert_int_equal(rules.lengths[i].len, order[i]);
	assert_int_equal(rules.lengths[0].mask.low, UINT64_MAX);
	assert_int_equal(rules.lengths[1].mask.high, UINT64_MAX);
	assert_int_equal(rules.lengths[1].mask.low, 0);
	assert_int_equal(rules.lengths[2].mask.high, UINT64_C(0xffffffffffff0000));
	assert_int_equal(rules.lengths[3].mask.high, 0);
	assert_false(encap_rules_count(&lengths, 64, PREFIX_REMOVED));
	assert_true(encap_rules_count(&lengths, 64, PREFIX_REMOVED));
	encap_rules_build(&rules, &lengths, &pop);
	assert_int_equal(rules.length_count, 3);
}

static void the_rules_word_holds_the_most_there_can_be(void **state)
{
	uint32_t word = encap41_rules_word(1, ENCAP41_OWN, ENCAP41_LENGTHS);

	(void)state;
	assert_int_equal(encap41_set(word), 1);
	assert_int_equal(encap41_own_count(word), ENCAP41_OWN);
	assert_int_equal(encap41_length_count(word), ENCAP41_LENGTHS);
	assert_int_equal(encap41_rules_word(0, 0, 0), 0);
}

static void a_prefix_is_found_by_its_own_bits_only(void **state)
{
	struct prefix6 p = prefix("2001:db8:3001::/48");
	struct encap41_key k = encap_rules_key(&p);

	(void)state;
	assert_int_equal(k.high, UINT64_C(0x20010db830010000));
	assert_int_equal(k.low, 0);
	assert_int_equal(k.len, 48);
	assert_int_equal(k.zero, 0);
	struct encap41_place net = encap_rules_place(&(struct table_prefix){ p, 7, 15039, true });
	struct encap41_place routed = encap_rules_place(
		&(struct table_prefix){ p, 7, 15039, false });
	assert_int_equal(net.slot, 7 | ENCAP41_NET);
	assert_int_equal(routed.slot, 7);
	assert_int_equal(net.id, 15039);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(special_addresses_are_classified_as_by_popd),
		cmocka_unit_test(any_address_is_classified_as_by_popd),
		cmocka_unit_test(a_tunnel_is_up_and_has_the_mtu_that_popd_says),
		cmocka_unit_test(our_prefixes_are_those_that_popd_owns),
		cmocka_unit_test(a_pop_without_prefixes_owns_none),
		cmocka_unit_test(lengths_in_use_come_longest_first),
		cmocka_unit_test(the_rules_word_holds_the_most_there_can_be),
		cmocka_unit_test(a_prefix_is_found_by_its_own_bits_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
