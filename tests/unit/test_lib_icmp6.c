/* ICMPv6 by itself: messages cut at every byte, quotes that just fit and those that do not. */
#include "lib/wire/icmp6.h"

#include "tests/unit/test_popd_fixture.h"

/* The first `len` bytes as a packet with that length in its header, in a block of exactly that
 * size. */
static uint8_t *cut_to(const struct packet *p, size_t len)
{
	uint8_t *b = malloc(len);

	assert_non_null(b);
	memcpy(b, p->b, len);
	put16(b + 4, (unsigned)(len - 40));
	return b;
}

static void an_error_quotes_up_to_1280_bytes_in_all(void **state)
{
	static const struct {
		size_t total, answer;
	} rows[] = { { 40, 88 }, { 1231, 1279 }, { 1232, 1280 }, { 1233, 1280 }, { 1500, 1280 } };
	struct ip6 source = addr("2001:db8::1");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct packet p = ipv6("2001:db8::2", "2001:db8::3", 17, 64, NULL,
				       rows[i].total - 40);
		uint8_t *block = malloc(ICMP6_ERROR_HEADROOM + p.len);
		uint32_t len;
		assert_non_null(block);
		memcpy(block + ICMP6_ERROR_HEADROOM, p.b, p.len);
		uint8_t *answer = icmp6_error_build(block + ICMP6_ERROR_HEADROOM, (uint32_t)p.len,
						    (struct icmp6_error){ ICMP6_TOO_BIG, 0, 1280 },
						    &source, &len);
		assert_ptr_equal(answer, block);
		assert_int_equal(len, rows[i].answer);
		assert_memory_equal(answer + ICMP6_ERROR_HEADROOM, p.b, len - ICMP6_ERROR_HEADROOM);
		assert_int_equal(plain_csum(answer, answer + 40, len - 40, 58), 0);
		free(block);
	}
}

/* A message cut before its type may be an error, and gets no answer. */
static void a_message_cut_at_every_byte_is_judged_by_what_is_there(void **state)
{
	struct packet ping = echo("2001:db8::2", "2001:db8::3"),
		      error = icmp("2001:db8::2", "2001:db8::3", 1, 0, 64);

	(void)state;
	for (size_t len = 40; len <= ping.len; len++) {
		uint8_t *a = cut_to(&ping, len), *b = cut_to(&error, len);
		assert_int_equal(icmp6_may_answer(a, (uint32_t)len), len > 40);
		assert_false(icmp6_may_answer(b, (uint32_t)len));
		free(a);
		free(b);
	}
}

static void extension_headers_cut_at_every_byte_stay_within(void **state)
{
	/* hop-by-hop, routing, destination options, authentication, fragment, then an echo request
	 */
	static const uint8_t chain[] = { 43, 0, 1, 4, 0, 0, 0,  0, 60,  0, 0, 0, 0, 0, 0, 0, 51, 0,
					 1,  4, 0, 0, 0, 0, 44, 1, 0,   0, 0, 0, 0, 0, 0, 0, 0,  0,
					 58, 0, 0, 0, 0, 0, 0,  1, 128, 0, 0, 0, 0, 0, 0, 0 };
	struct packet p = ipv6("2001:db8::2", "2001:db8::3", 0, 64, chain, sizeof(chain));

	(void)state;
	for (size_t len = 40; len <= p.len; len++) {
		uint8_t *b = cut_to(&p, len);
		struct ipv6_upper u = ipv6_upper(b, (uint32_t)len);
		assert_true(u.offset >= 40 && u.offset <= len);
		assert_int_equal(u.next == 58, len >= p.len - 8);
		(void)icmp6_may_answer(b, (uint32_t)len);
		free(b);
	}
}

static struct packet solicitation(size_t options)
{
	struct packet p = icmp("2001:db8::2", "2001:db8::1", 135, 0, 24 + options);
	struct ip6 target = addr("2001:db8::1");

	p.b[7] = 255;
	memset(p.b + 44, 0, 4);
	memcpy(p.b + 48, target.b, 16);
	for (size_t at = 64; at < p.len; at += 8) {
		memset(p.b + at, 0, 8);
		p.b[at] = 1;
		p.b[at + 1] = 1;
	}
	seal_icmp(&p);
	return p;
}

/* With two options it may end before, between and after them, and nowhere else. */
static void a_solicitation_is_one_only_with_all_of_itself(void **state)
{
	struct packet whole = solicitation(16);
	struct ip6 target = addr("2001:db8::1");

	(void)state;
	for (size_t len = 40; len <= whole.len; len++) {
		struct packet p = { .len = len };
		memcpy(p.b, whole.b, len);
		put16(p.b + 4, (unsigned)(len - 40));
		if (len >= 44)
			seal_icmp(&p);
		uint8_t *b = cut_to(&p, len);
		struct ipv6_upper u = ipv6_upper(b, (uint32_t)len);
		bool is_one = icmp6_is_solicitation(b, (uint32_t)len, &u, &target);
		if (is_one != (len == 64 || len == 72 || len == 80))
			fail_msg("%zu bytes", len);
		if (is_one) {
			uint32_t answered;
			uint8_t *answer = icmp6_advertisement_build(b, &target, &answered);
			assert_int_equal(answered, 64);
			assert_int_equal(plain_csum(answer, answer + 40, 24, 58), 0);
		}
		free(b);
	}
}

static void an_echo_of_any_length_comes_back_whole(void **state)
{
	(void)state;
	for (size_t data = 0; data < 70; data++) {
		struct packet p = icmp("2001:db8::2", "2001:db8::1", 128, 0, 8 + data);
		uint8_t *b = cut_to(&p, p.len);
		uint32_t len;
		uint8_t *answer = icmp6_echo_build(b, (uint32_t)p.len, 40, &len);
		assert_int_equal(len, p.len);
		assert_memory_equal(answer + 44, p.b + 44, p.len - 44);
		assert_int_equal(plain_csum(answer, answer + 40, len - 40, 58), 0);
		free(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_quotes_up_to_1280_bytes_in_all),
		cmocka_unit_test(a_message_cut_at_every_byte_is_judged_by_what_is_there),
		cmocka_unit_test(extension_headers_cut_at_every_byte_stay_within),
		cmocka_unit_test(a_solicitation_is_one_only_with_all_of_itself),
		cmocka_unit_test(an_echo_of_any_length_comes_back_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
