#include "lib/wire/ayiya.h"

#include "lib/err.h"
#include "tests/unit/test_popd_fixture.h"

static void header_is_read_field_by_field(void **state)
{
	static const uint8_t head[24] = { 0x41, 0x52, 0x11, 0x29, 0x6b, 0x03, 0xfc, 0x1c };
	uint8_t b[44];
	struct ayiya_view v;

	(void)state;
	memset(b, 0, sizeof(b));
	memcpy(b, head, sizeof(head));
	assert_int_equal(ayiya_decode(b, sizeof(b), &v), 0);
	assert_int_equal(v.hash, AYIYA_HASH_SHA1);
	assert_int_equal(v.auth, AYIYA_AUTH_SECRET);
	assert_int_equal(v.opcode, AYIYA_FORWARD);
	assert_int_equal(v.next_header, AYIYA_NEXT_IPV6);
	assert_int_equal(v.epoch, 0x6b03fc1c);
	assert_int_equal(v.signature_len, 20);
	assert_int_equal(v.header_len, 44);
}

static void every_length_below_what_the_header_announces_is_refused(void **state)
{
	(void)state;
	for (unsigned words = 0; words < 16; words++)
		for (size_t len = 0; len < 90; len++) {
			uint8_t *b = calloc(1, len ? len : 1);
			struct ayiya_view v;
			if (len > 0)
				b[0] = 0x41;
			if (len > 1)
				b[1] = (uint8_t)(words << 4 | 2);
			int err = ayiya_decode(b, len, &v);
			assert_int_equal(err, len < 24 + 4 * words ? -ERR_TRUNCATED : 0);
			if (!err)
				assert_int_equal(v.header_len, 24 + 4 * words);
			free(b);
		}
}

static void only_a_16_byte_integer_is_an_identity(void **state)
{
	uint8_t b[44] = { 0, 0x52, 0x11, 41 };
	struct ayiya_view v;

	(void)state;
	for (unsigned first = 0; first < 256; first++) {
		b[0] = (uint8_t)first;
		assert_int_equal(ayiya_decode(b, sizeof(b), &v), first == 0x41 ? 0 : -ERR_FORMAT);
	}
}

static void what_is_written_is_what_the_stock_client_expects(void **state)
{
	uint8_t b[AYIYA_HEADER_MAX + 1], key[32];
	struct ip6 id = addr("2001:db8:2ff:1::1");

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(0xc0 + i);
	memset(b, 0xee, sizeof(b));
	ayiya_encode(b, false, AYIYA_FORWARD, AYIYA_NEXT_IPV6, 0x6b03fc1c, &id, key);
	assert_memory_equal(b, "\x41\x52\x11\x29\x6b\x03\xfc\x1c", 8);
	assert_memory_equal(b + 8, id.b, 16);
	assert_memory_equal(b + 24, key, 20);
	assert_int_equal(b[44], 0xee);
	ayiya_encode(b, true, AYIYA_ECHO_RESPONSE, AYIYA_NEXT_NONE, 1, &id, key);
	assert_memory_equal(b, "\x41\x84\x14\x3b\x00\x00\x00\x01", 8);
	assert_memory_equal(b + 24, key, 32);
	assert_int_equal(b[56], 0xee);
}

static void served_methods_are_sha1_and_sha256(void **state)
{
	(void)state;
	for (unsigned hash = 0; hash < 16; hash++)
		assert_int_equal(ayiya_digest(hash), hash == 2   ? DIGEST_SHA1
						     : hash == 4 ? DIGEST_SHA256
								 : DIGEST__COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_is_read_field_by_field),
		cmocka_unit_test(every_length_below_what_the_header_announces_is_refused),
		cmocka_unit_test(only_a_16_byte_integer_is_an_identity),
		cmocka_unit_test(what_is_written_is_what_the_stock_client_expects),
		cmocka_unit_test(served_methods_are_sha1_and_sha256),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
