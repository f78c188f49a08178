/* The codec of ICMPv4 errors: what a quote of each length shows, and which messages are no
 * errors. */
#include "lib/wire/icmp4.h"

#include "lib/err.h"
#include "tests/unit/test_popd_fixture.h"

enum { ALL = 4096 };

static struct packet about_static(void)
{
	struct packet inner = echo("2001:db8:f00::1", "2001:db8:3003::5");

	return outer(POP_IPV4_TEXT, "203.0.113.3", 0, &inner);
}

static struct packet about_ayiya(struct digest_ctx *d, bool sha256)
{
	struct packet inner = echo("2001:db8:f00::1", "2001:db8:2ff:1::2");
	struct packet datagram = ayiya(d, "2001:db8:2ff:1::1", &inner, AYIYA_OF(.sha256 = sha256));

	return outer(POP_IPV4_TEXT, "192.0.2.1", 4001, &datagram);
}

static void a_quote_of_protocol_41_shows_the_inner_destination_from_40_bytes_on(void **state)
{
	struct packet about = about_static();
	struct ip6 destination = addr("2001:db8:3003::5");

	(void)state;
	for (size_t keep = 0; keep <= about.len; keep++) {
		struct packet p = icmp4(3, 1, 0, &about, keep);
		struct icmp4_error e;
		int err = icmp4_decode(p.b, p.len, &e);
		assert_int_equal(err, keep < 28 ? -ERR_TRUNCATED : 0);
		if (err)
			continue;
		assert_true(e.type == 3 && e.code == 1 && e.mtu == 0 && e.protocol == 41 &&
			    e.len == about.len);
		assert_true(e.source.v == POP_IPV4 && e.destination.v == addr4("203.0.113.3").v);
		assert_int_equal(e.shows, keep < 60 ? ICMP4_SHOWS_ADDRESSES : ICMP4_SHOWS_INNER);
		if (keep >= 60)
			assert_true(ip6_equal(&e.address, &destination));
	}
}

static void a_quote_of_ayiya_shows_ports_first_and_the_identity_when_it_is_all_there(void **state)
{
	struct digest_ctx *d;
	struct ip6 pop = addr("2001:db8:2ff:1::1");

	(void)state;
	assert_int_equal(digest_init(), 0);
	d = digest_ctx_create();
	for (int sha256 = 0; sha256 < 2; sha256++) {
		struct packet about = about_ayiya(d, sha256);
		for (size_t keep = 0; keep <= about.len; keep++) {
			struct packet p = icmp4(3, 4, 1400, &about, keep);
			struct icmp4_error e;
			int err = icmp4_decode(p.b, p.len, &e);
			assert_int_equal(err, keep < 28 ? -ERR_TRUNCATED : 0);
			if (err)
				continue;
			assert_true(e.mtu == 1400 && e.protocol == 17 && e.source_port == 5072 &&
				    e.destination_port == 4001);
			assert_int_equal(e.shows,
					 keep < 52 ? ICMP4_SHOWS_PORTS : ICMP4_SHOWS_AYIYA);
			if (keep >= 52)
				assert_true(e.epoch == NOW && ip6_equal(&e.address, &pop));
		}
	}
	digest_ctx_free(d);
}

static void ip_options_are_passed_over(void **state)
{
	struct packet about = about_static();
	struct icmp4_error e;

	(void)state;
	memmove(about.b + 24, about.b + 20, about.len - 20);
	memset(about.b + 20, 1, 4);
	about.b[0] = 0x46;
	about.len += 4;
	struct packet p = icmp4(12, 0, 0, &about, ALL);
	assert_int_equal(icmp4_decode(p.b, p.len, &e), 0);
	assert_int_equal(e.shows, ICMP4_SHOWS_INNER);
	about.b[0] = 0x4f;
	p = icmp4(12, 0, 0, &about, 50);
	assert_int_equal(icmp4_decode(p.b, p.len, &e), -ERR_TRUNCATED);
}

static void of_a_later_fragment_only_the_addresses_are_told(void **state)
{
	struct packet about = about_static();
	struct icmp4_error e;

	(void)state;
	put16(about.b + 6, 100);
	struct packet p = icmp4(11, 1, 0, &about, ALL);
	assert_int_equal(icmp4_decode(p.b, p.len, &e), 0);
	assert_int_equal(e.shows, ICMP4_SHOWS_ADDRESSES);
	about.b[9] = 17;
	p = icmp4(11, 1, 0, &about, ALL);
	assert_int_equal(icmp4_decode(p.b, p.len, &e), -ERR_FORMAT);
}

static void the_mtu_is_read_from_fragmentation_needed_alone(void **state)
{
	struct packet about = about_static();
	struct icmp4_error e;

	(void)state;
	for (unsigned code = 0; code < 16; code++) {
		struct packet p = icmp4(3, (uint8_t)code, 1300, &about, ALL);
		assert_int_equal(icmp4_decode(p.b, p.len, &e), 0);
		assert_int_equal(e.mtu, code == 4 ? 1300 : 0);
	}
	struct packet p = icmp4(11, 4, 1300, &about, ALL);
	assert_int_equal(icmp4_decode(p.b, p.len, &e), 0);
	assert_int_equal(e.mtu, 0);
}

static const struct {
	const char *name;
	size_t at; /* offset in the message of the changed byte */
	uint8_t to;
} wrong[] = {
	{ "an echo request", 0, 8 },    { "source quench", 0, 4 },         { "a redirect", 0, 5 },
	{ "quotes IPv6", 8, 0x65 },     { "a header too short", 8, 0x44 }, { "quotes TCP", 17, 6 },
	{ "no IPv6 inside", 28, 0x45 },
};

static void what_is_no_error_about_a_tunnel_packet_is_refused(void **state)
{
	struct icmp4_error e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct packet about = about_static(), p = icmp4(3, 1, 0, &about, ALL);
		p.b[wrong[i].at] = wrong[i].to;
		seal_icmp4(&p);
		if (icmp4_decode(p.b, p.len, &e) != -ERR_FORMAT)
			fail_msg("%s", wrong[i].name);
	}
	struct packet about = about_static(), p = icmp4(3, 1, 0, &about, ALL);
	p.b[40] ^= 1;
	assert_int_equal(icmp4_decode(p.b, p.len, &e), -ERR_FORMAT); /* the checksum */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_quote_of_protocol_41_shows_the_inner_destination_from_40_bytes_on),
		cmocka_unit_test(
			a_quote_of_ayiya_shows_ports_first_and_the_identity_when_it_is_all_there),
		cmocka_unit_test(ip_options_are_passed_over),
		cmocka_unit_test(of_a_later_fragment_only_the_addresses_are_told),
		cmocka_unit_test(the_mtu_is_read_from_fragmentation_needed_alone),
		cmocka_unit_test(what_is_no_error_about_a_tunnel_packet_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
