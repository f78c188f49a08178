#include "lib/wire/ipv6.h"

#include "lib/err.h"
#include "lib/wire/csum.h"
#include "lib/wire/ecn.h"
#include "tests/unit/test_popd_fixture.h"

static void whole_packets_pass_with_padding_and_cut_ones_do_not(void **state)
{
	struct packet p = ipv6("2001:db8::1", "2001:db8::2", 17, 64, NULL, 20);
	uint32_t total;

	(void)state;
	for (size_t len = 0; len <= p.len + 1; len++) {
		uint8_t *b = malloc(len ? len : 1);
		memcpy(b, p.b, len);
		assert_int_equal(ipv6_check(b, len, &total), len < p.len ? -ERR_TRUNCATED : 0);
		if (len >= p.len)
			assert_int_equal(total, p.len);
		free(b);
	}
	p.b[0] = 0x40;
	assert_int_equal(ipv6_check(p.b, p.len, &total), -ERR_FORMAT);
	assert_int_equal(ipv6_check(p.b, 39, &total), -ERR_TRUNCATED);
}

static const struct {
	const char *address;
	enum ipv6_kind kind;
} kinds[] = {
	{ "::", IPV6_UNSPECIFIED },
	{ "::1", IPV6_LOOPBACK },
	{ "::2", IPV6_V4 },
	{ "::192.0.2.1", IPV6_V4 },
	{ "::ffff:192.0.2.1", IPV6_V4 },
	{ "::fffe:192.0.2.1", IPV6_GLOBAL },
	{ "::1:0:192.0.2.1", IPV6_GLOBAL },
	{ "64:ff9b::192.0.2.1", IPV6_GLOBAL },
	{ "2001:db8::1", IPV6_GLOBAL },
	{ "64:ff9b:0:ffff::1", IPV6_GLOBAL },
	{ "64:ff9b:1::1", IPV6_NEVER_GLOBAL },
	{ "64:ff9b:2::1", IPV6_GLOBAL },
	{ "ff:ffff::1", IPV6_GLOBAL },
	{ "100::1", IPV6_NEVER_GLOBAL },
	{ "100:0:0:1::1", IPV6_GLOBAL },
	{ "2001:1:ffff::1", IPV6_GLOBAL },
	{ "2001:2::1", IPV6_NEVER_GLOBAL },
	{ "2001:2:1::1", IPV6_GLOBAL },
	{ "2001:200::1", IPV6_GLOBAL },
	{ "2001:0:102:304::1", IPV6_GLOBAL }, /* Teredo */
	{ "2002:c000:201::1", IPV6_GLOBAL },
	{ "2002:9ff:ffff::1", IPV6_GLOBAL },
	{ "2002:a00::1", IPV6_NEVER_GLOBAL },
	{ "2002:b00::1", IPV6_GLOBAL },
	{ "2002:643f:ffff::1", IPV6_GLOBAL },
	{ "2002:6440::1", IPV6_NEVER_GLOBAL },
	{ "2002:6480::1", IPV6_GLOBAL },
	{ "2002:7f00:1::1", IPV6_NEVER_GLOBAL },
	{ "2002:a9fe::1", IPV6_NEVER_GLOBAL },
	{ "2002:ac0f::1", IPV6_GLOBAL },
	{ "2002:ac1f::1", IPV6_NEVER_GLOBAL },
	{ "2002:ac20::1", IPV6_GLOBAL },
	{ "2002:c0a8::1", IPV6_NEVER_GLOBAL },
	{ "2002:c613::1", IPV6_NEVER_GLOBAL },
	{ "2002:1::1", IPV6_NEVER_GLOBAL },
	{ "2002:e000::1", IPV6_NEVER_GLOBAL },
	{ "2003:a00::1", IPV6_GLOBAL },
	{ "3fff::1", IPV6_GLOBAL }, /* documentation, as 2001:db8::/32 */
	{ "5eff::1", IPV6_GLOBAL },
	{ "5f00::1", IPV6_NEVER_GLOBAL },
	{ "5f01::1", IPV6_GLOBAL },
	{ "fbff::1", IPV6_GLOBAL },
	{ "fc00::1", IPV6_NEVER_GLOBAL },
	{ "fd12::1", IPV6_NEVER_GLOBAL },
	{ "fe00::1", IPV6_GLOBAL },
	{ "fe7f::1", IPV6_GLOBAL },
	{ "fe80::", IPV6_LINK_LOCAL },
	{ "febf:ffff::1", IPV6_LINK_LOCAL },
	{ "fec0::1", IPV6_SITE_LOCAL },
	{ "feff::1", IPV6_SITE_LOCAL },
	{ "ff00::1", IPV6_MULTICAST_LINK },
	{ "ff01::1", IPV6_MULTICAST_LINK },
	{ "ff02::2", IPV6_MULTICAST_LINK },
	{ "ff12::2", IPV6_MULTICAST_LINK },
	{ "ff03::1", IPV6_MULTICAST },
	{ "ff05::2", IPV6_MULTICAST },
	{ "ff0e::1", IPV6_MULTICAST },
};

static void each_kind_of_address_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct ip6 ip = addr(kinds[i].address);
		if (ipv6_kind(&ip) != kinds[i].kind)
			fail_msg("%s: %d", kinds[i].address, ipv6_kind(&ip));
		bool is_multicast = ip.b[0] == 0xff;
		if (ip6_is_never_global(&ip) != (kinds[i].kind != IPV6_GLOBAL && !is_multicast))
			fail_msg("%s: the table disagrees", kinds[i].address);
	}
}

/* Ours is 198.51.100.2 = c633:6402, all bits turned 39cc:9bfd. */
static const struct {
	const char *address;
	bool embeds;
} embedded[] = {
	{ "2002:c633:6402::1", true },
	{ "2002:c633:6402:ffff:1:2:3:4", true },
	{ "2002:c633:6403::1", false },
	{ "2002::c633:6402", false },
	{ "2001:0:c633:6402::1", true },             /* Teredo, we the server */
	{ "2001:0:1:2:8000:f227:39cc:9bfd", true },  /* Teredo, we the client */
	{ "2001:0:1:2:8000:f227:c633:6402", false }, /* not turned */
	{ "2001:1:c633:6402::1", false },            /* not Teredo */
	{ "2001:db8:1:2:0:5efe:c633:6402", true },   /* ISATAP */
	{ "2001:db8:1:2:200:5efe:c633:6402", true }, /* ISATAP, unique IPv4 */
	{ "2001:db8:1:2:200:5efe:c633:6403", false },
	{ "2001:db8:1:2:100:5efe:c633:6402", false },
	{ "2001:db8:1:2::c633:6402", false },
};

static void addresses_that_hold_our_own_ipv4_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(embedded); i++) {
		struct ip6 ip = addr(embedded[i].address);
		if (ipv6_embeds(&ip, (struct ip4){ POP_IPV4 }) != embedded[i].embeds)
			fail_msg("%s", embedded[i].address);
		assert_false(ipv6_embeds(&ip, (struct ip4){ 0 }));
	}
}

/* Extension headers as hex: next, length, ...; the first header's protocol is `next`. */
static const struct {
	const char *name;
	uint8_t next;
	const char *hex;
	uint8_t upper;
	uint32_t offset;
	bool fragment, later;
	uint32_t routing;
} chains[] = {
	{ "none", 17, "0011223344556677", 17, 40, false, false, 0 },
	{ "nothing follows", 59, "", 59, 40, false, false, 0 },
	{ "hop-by-hop, UDP", 0,
	  "1100000000000000"
	  "0011223344556677",
	  17, 48, false, false, 0 },
	{ "long destination options, ICMP", 60,
	  "3a01000000000000"
	  "0000000000000000"
	  "8000000000000000",
	  58, 56, false, false, 0 },
	{ "all of them", 0,
	  "3c00000000000000"
	  "2b00000000000000"
	  "3300000000000000"
	  "3a01000000000000"
	  "00000000"
	  "80000000",
	  58, 76, false, false, 0 },
	{ "first fragment", 44,
	  "3a00000100000000"
	  "8000000000000000",
	  58, 48, true, false, 0 },
	{ "atomic fragment", 44,
	  "3a00000000000000"
	  "8000000000000000",
	  58, 48, false, false, 0 },
	{ "later fragment", 44,
	  "3a00000800000000"
	  "8000000000000000",
	  58, 48, true, true, 0 },
	{ "later fragment of options is not looked into", 44,
	  "3c00000900000000"
	  "3a00000000000000",
	  60, 48, true, true, 0 },
	{ "options longer than the packet", 60,
	  "3a02000000000000"
	  "8000000000000000",
	  60, 40, false, false, 0 },
	{ "options cut short", 60, "3a0000", 60, 40, false, false, 0 },
	{ "ends with the options", 60, "3a00000000000000", 58, 48, false, false, 0 },
	{ "a routing header that is done with", 43,
	  "3a00040000000000"
	  "8000000000000000",
	  58, 48, false, false, 0 },
	{ "segments left, after options", 60,
	  "2b00000000000000"
	  "3a00040100000000"
	  "8000000000000000",
	  58, 56, false, false, 48 },
	{ "the first of two with segments left counts", 43,
	  "2b00040200000000"
	  "3a00040100000000"
	  "8000000000000000",
	  58, 56, false, false, 40 },
	{ "segments left before the fragment header", 43,
	  "2c00040100000000"
	  "3a00000100000000"
	  "8000000000000000",
	  58, 56, true, false, 40 },
	{ "segments left inside a fragment", 44,
	  "2b00000100000000"
	  "3a00040100000000"
	  "8000000000000000",
	  58, 56, true, false, 0 },
	{ "segments left, but the header is cut short", 43, "3a01040100000000", 43, 40, false,
	  false, 0 },
};

static void extension_headers_are_walked_to_the_upper_layer(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(chains); i++) {
		uint8_t payload[64];
		size_t len = strlen(chains[i].hex) / 2;
		assert_int_equal(hex_decode(chains[i].hex, 2 * len, payload, len), 0);
		struct packet p = ipv6("2001:db8::1", "2001:db8::2", chains[i].next, 64, payload,
				       len);
		uint8_t *b = malloc(p.len);
		memcpy(b, p.b, p.len);
		struct ipv6_upper u = ipv6_upper(b, (uint32_t)p.len);
		if (u.next != chains[i].upper || u.offset != chains[i].offset ||
		    u.is_fragment != chains[i].fragment || u.is_later != chains[i].later ||
		    u.routing != chains[i].routing)
			fail_msg("%s: %u at %u", chains[i].name, u.next, u.offset);
		free(b);
	}
}

static void header_is_written_as_it_is_read(void **state)
{
	uint8_t b[40];
	struct ip6 s = addr("2001:db8::1"), d = addr("2001:db8::2");

	(void)state;
	memset(b, 0xff, sizeof(b));
	ipv6_write(b, 0x1234, 58, 200, &s, &d);
	assert_memory_equal(b, "\x60\0\0\0\x12\x34\x3a\xc8", 8);
	struct ip6 got = ipv6_source(b);
	assert_true(ip6_equal(&got, &s));
	got = ipv6_destination(b);
	assert_true(ip6_equal(&got, &d));
	b[1] = 0x0f; /* flow label */
	ipv6_set_traffic_class(b, 0xb9);
	assert_int_equal(ipv6_traffic_class(b), 0xb9);
	assert_int_equal(b[0], 0x6b);
	assert_int_equal(b[1], 0x9f);
}

static void checksum_equals_the_plain_one_for_every_length_and_alignment(void **state)
{
	struct packet p = ipv6("2001:db8::1", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 17, 64,
			       NULL, 1500);

	(void)state;
	for (size_t from = 40; from < 44; from++)
		for (size_t len = 0; len < 1400; len += len < 70 ? 1 : 61)
			assert_int_equal(csum_upper(p.b, 17, p.b + from, len),
					 plain_csum(p.b, p.b + from, len, 17));
	memset(p.b + 8, 0xff, 1500);
	assert_int_equal(csum_upper(p.b, 17, p.b + 40, 1400), plain_csum(p.b, p.b + 40, 1400, 17));
}

static void an_updated_checksum_is_the_one_computed_anew(void **state)
{
	struct packet p = icmp("2001:db8::1", "2001:db8::2", 128, 0, 64);

	(void)state;
	for (unsigned type = 0; type < 256; type++) {
		uint16_t old = (uint16_t)(p.b[40] << 8 | p.b[41]),
			 csum = (uint16_t)(p.b[42] << 8 | p.b[43]);
		p.b[40] = (uint8_t)type;
		uint16_t updated = csum_update(csum, old, (uint16_t)(type << 8));
		seal_icmp(&p);
		assert_int_equal(updated, p.b[42] << 8 | p.b[43]);
	}
}

/* RFC 6040 figure 4, copied as it stands there: rows are the inner field, columns the outer. */
static void congestion_marks_follow_the_table_of_rfc_6040(void **state)
{
	enum { N = 0, E1 = 1, E0 = 2, CE = 3, DROP = -1 };
	static const int order[] = { N, E0, E1, CE };
	static const int figure[4][4] = {
		{ N, N, N, DROP }, { E0, E0, E1, CE }, { E1, E1, E1, CE }, { CE, CE, CE, CE }
	};

	(void)state;
	for (size_t i = 0; i < 4; i++)
		for (size_t o = 0; o < 4; o++) {
			assert_int_equal(ecn_decapsulate((unsigned)order[o], (unsigned)order[i]),
					 figure[i][o]);
			assert_int_equal(ecn_decapsulate((unsigned)order[o] | 0xb8,
							 (unsigned)order[i] | 0x40),
					 figure[i][o]);
		}
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(ecn_encapsulate(i), i & 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_packets_pass_with_padding_and_cut_ones_do_not),
		cmocka_unit_test(each_kind_of_address_is_told),
		cmocka_unit_test(addresses_that_hold_our_own_ipv4_are_found),
		cmocka_unit_test(extension_headers_are_walked_to_the_upper_layer),
		cmocka_unit_test(header_is_written_as_it_is_read),
		cmocka_unit_test(checksum_equals_the_plain_one_for_every_length_and_alignment),
		cmocka_unit_test(an_updated_checksum_is_the_one_computed_anew),
		cmocka_unit_test(congestion_marks_follow_the_table_of_rfc_6040),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
