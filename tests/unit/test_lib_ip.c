/* Addresses and prefixes; inet_pton, inet_ntop and a loop over single bits are the oracles. */
#include "lib/ip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/err.h"

static uint32_t seed = 1;

/* The same numbers in every run. */
static uint32_t random_u32(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

/* Many zero groups, so that "::" finds all its places. */
static struct ip6 random_ip6(void)
{
	struct ip6 ip = { { 0 } };
	uint32_t kept = random_u32();

	for (unsigned i = 0; i < 16; i++) {
		if (kept >> i / 2 & 1)
			ip.b[i] = (uint8_t)(kept >> (16 + i / 2) & 1 ? random_u32()
								     : random_u32() & 15);
	}
	return ip;
}

static bool bit(const struct ip6 *ip, unsigned i)
{
	return ip->b[i / 8] >> (7 - i % 8) & 1;
}

static void ip4_text_is_what_inet_ntop_writes_and_parses_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct ip4 ip = { random_u32() }, back;
		struct in_addr addr = { htonl(ip.v) };
		char text[IP4_TEXT], want[INET_ADDRSTRLEN];

		assert_string_equal(ip4_text(ip, text),
				    inet_ntop(AF_INET, &addr, want, sizeof(want)));
		assert_int_equal(ip4_parse(text, strlen(text), &back), 0);
		assert_int_equal(back.v, ip.v);
	}
}

/* glibc also writes the last 32 bits in dots for IPv4-compatible addresses (::/96), which RFC 5952
 * does not ask for: those are left out. */
static void ip6_text_is_what_inet_ntop_writes_and_parses_back(void **state)
{
	static const uint8_t zeros[12];

	(void)state;
	for (unsigned i = 0; i < 50000; i++) {
		struct ip6 ip = random_ip6(), back;
		char text[IP6_TEXT], want[INET6_ADDRSTRLEN];

		ip6_text(&ip, text);
		if (memcmp(ip.b, zeros, sizeof(zeros)) != 0)
			assert_string_equal(text, inet_ntop(AF_INET6, ip.b, want, sizeof(want)));
		assert_int_equal(ip6_parse(text, strlen(text), &back), 0);
		assert_true(ip6_equal(&ip, &back));
	}
}

static void ip6_text_follows_rfc5952(void **state)
{
	static const char *const rows[][2] = {
		{ "0:0:0:0:0:0:0:0", "::" },
		{ "0:0:0:0:0:0:0:1", "::1" },
		{ "1:0:0:0:0:0:0:0", "1::" },
		{ "2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "2001:DB8:0:0:0:0:2:1", "2001:db8::2:1" },
		{ "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" },
		{ "0:0:1:2:3:4:5:6", "::1:2:3:4:5:6" },
		{ "1:2:3:4:5:6:0:0", "1:2:3:4:5:6::" },
		{ "0:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7" },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
		{ "::0102:0304", "::102:304" },
		{ "1:2:3:4:5:6:192.0.2.1", "1:2:3:4:5:6:c000:201" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ip6 ip;
		char text[IP6_TEXT];
		assert_int_equal(ip6_parse(rows[i][0], strlen(rows[i][0]), &ip), 0);
		assert_string_equal(ip6_text(&ip, text), rows[i][1]);
	}
}

static const char *const not_addresses[] = { "",
					     " ",
					     ".",
					     ":",
					     ":::",
					     "1",
					     "1.2.3",
					     "1.2.3.4.5",
					     "1.2.3.256",
					     "1.2.3.04",
					     "01.2.3.4",
					     " 1.2.3.4",
					     "1.2.3.4 ",
					     "1.2.3.4\n",
					     "+1.2.3.4",
					     "-1.2.3.4",
					     "0x1.2.3.4",
					     "1..2.3",
					     "1.2.3.",
					     "1:2:3:4:5:6:7",
					     "1:2:3:4:5:6:7:8:9",
					     "1::2::3",
					     "12345::",
					     "g::",
					     "::1%lo",
					     "::1 ",
					     " ::1",
					     "[::1]",
					     "::1/128",
					     "1.2.3.4/32",
					     "::1.2.3",
					     "::1.2.3.4.5",
					     "1:2:3:4:5:6:7:1.2.3.4",
					     ":1",
					     "1:",
					     "1:2:3:4:5:6:7:8:",
					     "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555",
					     "localhost" };

static void text_that_is_no_address_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(not_addresses); i++) {
		struct ip4 ip4 = { 7 };
		struct ip6 ip6 = { { 7 } };
		size_t len = strlen(not_addresses[i]);
		if (ip4_parse(not_addresses[i], len, &ip4) != -ERR_FORMAT ||
		    ip6_parse(not_addresses[i], len, &ip6) != -ERR_FORMAT)
			fail_msg("\"%s\" was taken for an address", not_addresses[i]);
		assert_int_equal(ip4.v, 7);
		assert_int_equal(ip6.b[0], 7);
	}
	struct ip4 ip4;
	assert_int_equal(ip4_parse("1.2.3.4\0", 8, &ip4), -ERR_FORMAT);
	assert_int_equal(ip4_parse("1.2.3.45", 7, &ip4), 0);
	assert_int_equal(ip4.v, 0x01020304);
	assert_int_equal(ip4_parse("255.255.255.255", 15, &ip4), 0);
}

static void prefix_parses_and_prints(void **state)
{
	static const struct {
		const char *text;
		int err;
	} rows[] = {
		{ "::/0", 0 },
		{ "2001:db8::/32", 0 },
		{ "2001:db8:2ff:6::/64", 0 },
		{ "::1/128", 0 },
		{ "8000::/1", 0 },
		{ "2001:db8::8000/113", 0 },
		{ "2001:db8::", -ERR_FORMAT },
		{ "2001:db8::/", -ERR_FORMAT },
		{ "2001:db8::/129", -ERR_FORMAT },
		{ "2001:db8::/-1", -ERR_FORMAT },
		{ "2001:db8::/032", -ERR_FORMAT },
		{ "2001:db8::/00", -ERR_FORMAT },
		{ "2001:db8::/ 32", -ERR_FORMAT },
		{ "2001:db8::/32 ", -ERR_FORMAT },
		{ "2001:db8::/31", 0 },
		{ "2001:db8::/28", -ERR_FORMAT },
		{ "2001:db8::1/64", -ERR_FORMAT },
		{ "::1/127", -ERR_FORMAT },
		{ "/64", -ERR_FORMAT },
		{ "", -ERR_FORMAT },
		{ "2001:db8::/32/32", -ERR_FORMAT },
		{ "192.0.2.0/24", -ERR_FORMAT },
		{ "2001:db8::/18446744073709551648", -ERR_FORMAT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct prefix6 p;
		char text[PREFIX6_TEXT];
		if (prefix6_parse(rows[i].text, strlen(rows[i].text), &p) != rows[i].err)
			fail_msg("prefix \"%s\"", rows[i].text);
		if (rows[i].err == 0)
			assert_string_equal(prefix6_text(&p, text), rows[i].text);
	}
}

static void mask_and_contains_agree_with_single_bits(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct ip6 ip = random_ip6(), other = ip;
		unsigned len = random_u32() % 129;
		struct prefix6 p = { ip6_mask(&ip, len), (uint8_t)len };
		bool is_inside = true;

		for (unsigned b = 0; b < 128; b++)
			assert_int_equal(bit(&p.addr, b), b < len && bit(&ip, b));
		other.b[random_u32() % 16] ^= (uint8_t)(1U << random_u32() % 8);
		for (unsigned b = 0; b < len; b++)
			is_inside = is_inside && bit(&other, b) == bit(&ip, b);
		struct ip6 net = ip6_mask(&ip, p.len), other_net = ip6_mask(&other, p.len);
		assert_true(ip6_equal(&net, &p.addr));
		assert_int_equal(ip6_equal(&other_net, &p.addr), is_inside);
		assert_true(prefix6_equal(&p, &p));
	}
	struct prefix6 a = { { { 0 } }, 0 }, b = { { { 0 } }, 1 };
	assert_false(prefix6_equal(&a, &b));
	/* Lengths beyond the address keep all of it. */
	struct ip6 ip = random_ip6(), masked = ip6_mask(&ip, 4000);
	assert_true(ip6_equal(&ip, &masked));
}

static void endpoint_without_port_is_the_address_alone(void **state)
{
	char text[ENDPOINT4_TEXT];

	(void)state;
	assert_string_equal(endpoint4_text((struct endpoint4){ { 0xc0000201 }, 0 }, text),
			    "192.0.2.1");
	assert_string_equal(endpoint4_text((struct endpoint4){ { 0xc0000201 }, 5072 }, text),
			    "192.0.2.1:5072");
	assert_string_equal(endpoint4_text((struct endpoint4){ { UINT32_MAX }, UINT16_MAX }, text),
			    "255.255.255.255:65535");
}

static void martians_end_where_rfc6890_says(void **state)
{
	static const struct {
		uint32_t v;
		bool is_martian;
	} rows[] = { { 0, true },           { 0x00ffffff, true },  { 0x01000000, false },
		     { 0x7effffff, false }, { 0x7f000000, true },  { 0x7fffffff, true },
		     { 0x80000000, false }, { 0xdfffffff, false }, { 0xe0000000, true },
		     { 0xf0000000, true },  { 0xffffffff, true },  { 0x0a000001, false },
		     { 0xc0000201, false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(ip4_is_martian((struct ip4){ rows[i].v }), rows[i].is_martian);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip4_text_is_what_inet_ntop_writes_and_parses_back),
		cmocka_unit_test(ip6_text_is_what_inet_ntop_writes_and_parses_back),
		cmocka_unit_test(ip6_text_follows_rfc5952),
		cmocka_unit_test(text_that_is_no_address_is_refused),
		cmocka_unit_test(prefix_parses_and_prints),
		cmocka_unit_test(mask_and_contains_agree_with_single_bits),
		cmocka_unit_test(endpoint_without_port_is_the_address_alone),
		cmocka_unit_test(martians_end_where_rfc6890_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
