#include "lib/wire/ipv4.h"

#include "lib/err.h"
#include "tests/unit/test_popd_fixture.h"

/* A header of 24 bytes (one word of options), 8 bytes of payload, DF set. */
static const uint8_t good[] = {
	0x46, 0xb9, 0x00, 0x20, 0x12, 0x34, 0x40, 0x00, 0x40, 0x29, 0x00,
	0x00, 0xc0, 0x00, 0x02, 0x01, 0xc6, 0x33, 0x64, 0x02, 0x01, 0x01,
	0x01, 0x00, 1,    2,    3,    4,    5,    6,    7,    8,
};

static void header_is_read_and_padding_left_out(void **state)
{
	uint8_t padded[sizeof(good) + 14] = { 0 };
	struct ipv4_view v;

	(void)state;
	memcpy(padded, good, sizeof(good));
	assert_int_equal(ipv4_decode(padded, sizeof(padded), &v), 0);
	assert_int_equal(v.source.v, 0xc0000201);
	assert_int_equal(v.destination.v, POP_IPV4);
	assert_int_equal(v.tos, 0xb9);
	assert_int_equal(v.protocol, IPV4_PROTOCOL_IPV6);
	assert_false(v.is_fragment);
	assert_int_equal(v.offset, 24);
	assert_int_equal(v.len, 8);
}

static void truncated_at_every_byte_is_refused(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(good); len++) {
		uint8_t *cut = malloc(len ? len : 1);
		struct ipv4_view v;
		memcpy(cut, good, len);
		assert_int_equal(ipv4_decode(cut, len, &v), -ERR_TRUNCATED);
		free(cut);
	}
}

static const struct {
	const char *name;
	size_t at;
	uint8_t value;
	int err;
	bool fragment;
} changes[] = {
	{ "version 6", 0, 0x66, -ERR_FORMAT, false },
	{ "header of 16 bytes", 0, 0x44, -ERR_FORMAT, false },
	{ "header longer than the packet", 0, 0x4f, -ERR_FORMAT, false },
	{ "total below the header", 3, 23, -ERR_FORMAT, false },
	{ "total is the header", 3, 24, 0, false },
	{ "total one beyond what is there", 3, 33, -ERR_TRUNCATED, false },
	{ "more fragments", 6, 0x20, 0, true },
	{ "a later fragment", 7, 0x01, 0, true },
	{ "the reserved bit", 6, 0x80, 0, false },
};

static void each_odd_header_is_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		uint8_t b[sizeof(good)];
		struct ipv4_view v;
		memcpy(b, good, sizeof(b));
		b[changes[i].at] = changes[i].value;
		int err = ipv4_decode(b, sizeof(b), &v);
		if (err != changes[i].err || (!err && v.is_fragment != changes[i].fragment))
			fail_msg("%s: %d", changes[i].name, err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_is_read_and_padding_left_out),
		cmocka_unit_test(truncated_at_every_byte_is_refused),
		cmocka_unit_test(each_odd_header_is_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
