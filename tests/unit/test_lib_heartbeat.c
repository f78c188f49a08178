#include "lib/wire/heartbeat.h"

#include "lib/err.h"
#include "tests/unit/test_popd_fixture.h"

#define DIGITS "00112233445566778899aabbccddeeFF"
#define GOOD "HEARTBEAT TUNNEL 2001:db8:2ff:0::2 sender 1795423273 " DIGITS

#define NUL_INSIDE                                     \
	"HEARTBEAT TUNNEL 2001:db8::2 sender 179542\0" \
	"273 " DIGITS

static const struct {
	const char *name, *text;
	size_t len; /* 0: strlen */
	bool good;
	uint32_t address;
} lines[] = {
	{ "as AICCU sends it", GOOD, 0, true, 0 },
	{ "LF", GOOD "\n", 0, true, 0 },
	{ "CRLF", GOOD "\r\n", 0, true, 0 },
	{ "NUL", GOOD, sizeof(GOOD), true, 0 },
	{ "LF and NUL", GOOD "\n", sizeof(GOOD "\n"), true, 0 },
	{ "literal address", "HEARTBEAT TUNNEL 2001:db8::2 192.0.2.1 1795423273 " DIGITS, 0, true,
	  0xc0000201 },
	{ "no digits", "HEARTBEAT TUNNEL 2001:db8::2 sender 1795423273", 0, false, 0 },
	{ "blank at the end", GOOD " ", 0, false, 0 },
	{ "a token too many", GOOD " x", 0, false, 0 },
	{ "31 digits",
	  "HEARTBEAT TUNNEL 2001:db8::2 sender 1795423273 00112233445566778899aabbccddeef", 0,
	  false, 0 },
	{ "33 digits", GOOD "0", 0, false, 0 },
	{ "not hexadecimal",
	  "HEARTBEAT TUNNEL 2001:db8::2 sender 1795423273 00112233445566778899aabbccddeefg", 0,
	  false, 0 },
	{ "lower case", "heartbeat tunnel 2001:db8::2 sender 1795423273 " DIGITS, 0, false, 0 },
	{ "IPv4 client", "HEARTBEAT TUNNEL 192.0.2.1 sender 1795423273 " DIGITS, 0, false, 0 },
	{ "IPv6 address", "HEARTBEAT TUNNEL 2001:db8::2 2001:db8::3 1795423273 " DIGITS, 0, false,
	  0 },
	{ "address 0.0.0.0", "HEARTBEAT TUNNEL 2001:db8::2 0.0.0.0 1795423273 " DIGITS, 0, false,
	  0 },
	{ "Sender", "HEARTBEAT TUNNEL 2001:db8::2 Sender 1795423273 " DIGITS, 0, false, 0 },
	{ "negative time", "HEARTBEAT TUNNEL 2001:db8::2 sender -1795423273 " DIGITS, 0, false, 0 },
	{ "time of 33 bits", "HEARTBEAT TUNNEL 2001:db8::2 sender 4294967296 " DIGITS, 0, false,
	  0 },
	{ "largest time", "HEARTBEAT TUNNEL 2001:db8::2 sender 4294967295 " DIGITS, 0, true, 0 },
	{ "NUL inside", NUL_INSIDE, sizeof(NUL_INSIDE) - 1, false, 0 },
	{ "line feed inside", "HEARTBEAT TUNNEL\n2001:db8::2 sender 1795423273 " DIGITS, 0, false,
	  0 },
	{ "only line ends", "\r\n\n", 0, false, 0 },
	{ "nothing", "", 0, false, 0 },
};

static void lines_are_read_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		size_t len = lines[i].len ? lines[i].len : strlen(lines[i].text);
		uint8_t *b = malloc(len ? len : 1);
		struct heartbeat h;
		memcpy(b, lines[i].text, len);
		int err = heartbeat_decode(b, len, &h);
		if (err != (lines[i].good ? 0 : -ERR_FORMAT) ||
		    (!err && h.address.v != lines[i].address))
			fail_msg("%s: %d", lines[i].name, err);
		free(b);
	}
}

static void what_is_hashed_is_the_text_as_it_came(void **state)
{
	struct ip6 client = addr("2001:db8:2ff::2");
	struct heartbeat h;

	(void)state;
	assert_int_equal(heartbeat_decode((const uint8_t *)GOOD, strlen(GOOD), &h), 0);
	assert_int_equal(h.signed_len,
			 strlen("HEARTBEAT TUNNEL 2001:db8:2ff:0::2 sender 1795423273 "));
	assert_true(ip6_equal(&h.client, &client));
	assert_int_equal(h.epoch, 1795423273);
	assert_memory_equal(h.digest,
			    "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16);
}

static void a_line_cut_anywhere_is_refused_and_an_endless_one_too(void **state)
{
	static char endless[HEARTBEAT_MAX + 1];
	struct heartbeat h;

	(void)state;
	for (size_t len = 0; len < strlen(GOOD); len++) {
		uint8_t *b = malloc(len ? len : 1);
		memcpy(b, GOOD, len);
		assert_int_equal(heartbeat_decode(b, len, &h), -ERR_FORMAT);
		free(b);
	}
	memcpy(endless, GOOD, strlen(GOOD));
	memset(endless + strlen(GOOD), '\n', sizeof(endless) - strlen(GOOD));
	assert_int_equal(heartbeat_decode((const uint8_t *)endless, HEARTBEAT_MAX, &h), 0);
	assert_int_equal(heartbeat_decode((const uint8_t *)endless, HEARTBEAT_MAX + 1, &h),
			 -ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_read_or_refused),
		cmocka_unit_test(what_is_hashed_is_the_text_as_it_came),
		cmocka_unit_test(a_line_cut_anywhere_is_refused_and_an_endless_one_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
