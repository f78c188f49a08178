/* Truncated headers begin nothing; a segment is written only where it fits to the byte. */
#include "popd/port/segment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/wire/be.h"
#include "lib/wire/csum.h"
#include "lib/wire/ipv6.h"
#include "lib/wire/transport.h"

enum { PAYLOAD = 300, SIZE = 100, ROOM = 512 };

/* A packet with its TCP (with `options` bytes of them) or UDP header and PAYLOAD bytes. */
static size_t make(uint8_t out[static ROOM], bool tcp, size_t options)
{
	size_t header = tcp ? TCP_HEADER + options : UDP_HEADER,
	       len = IPV6_HEADER + header + PAYLOAD;

	memset(out, 0, len);
	out[0] = 0x60;
	be16_store(out + IPV6_AT_LENGTH, (uint16_t)(len - IPV6_HEADER));
	out[IPV6_AT_NEXT] = tcp ? IPV6_NEXT_TCP : IPV6_NEXT_UDP;
	if (tcp) {
		be32_store(out + IPV6_HEADER + TCP_AT_SEQUENCE, 0xffffff80);
		out[IPV6_HEADER + TCP_AT_OFFSET] = (uint8_t)((TCP_HEADER + options) / 4 << 4);
		out[IPV6_HEADER + TCP_AT_FLAGS] = TCP_CWR | TCP_ACK | TCP_PSH | TCP_FIN;
	}
	for (size_t i = 0; i < PAYLOAD; i++)
		out[IPV6_HEADER + header + i] = (uint8_t)(i * 7);
	return len;
}

static const struct {
	const char *name;
	bool tcp;
	size_t options;
} kinds[] = { { "TCP", true, 0 },
	      { "TCP with options", true, 12 },
	      { "TCP with all options", true, 40 },
	      { "UDP", false, 0 } };

static void headers_cut_at_every_byte_begin_nothing(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		uint8_t whole[ROOM];
		size_t header = make(whole, kinds[k].tcp, kinds[k].options) - PAYLOAD;
		for (size_t len = 0; len <= header + 1; len++) {
			uint8_t *cut = malloc(len ? len : 1), out[ROOM];
			struct segments s;
			memcpy(cut, whole, len);
			bool begun = segments_begin(&s, cut, len, IPV6_HEADER, kinds[k].tcp, SIZE);
			if (begun != (len >= header))
				fail_msg("%s: %zu bytes", kinds[k].name, len);
			if (begun)
				assert_int_equal(segments_next(&s, out, sizeof(out)), len);
			free(cut);
		}
	}
}

static void odd_headers_begin_nothing(void **state)
{
	uint8_t p[ROOM];
	size_t len = make(p, true, 0);
	struct segments s;

	(void)state;
	assert_false(segments_begin(&s, p, len, IPV6_HEADER, true, 0)); /* no size */
	assert_false(segments_begin(&s, p, len, IPV6_HEADER - 1, true, SIZE));
	assert_false(segments_begin(&s, p, len, len + 1, true, SIZE));
	assert_false(segments_begin(&s, p, len, len, true, SIZE));
	for (uint8_t words = 0; words < 5; words++) {
		p[IPV6_HEADER + TCP_AT_OFFSET] = (uint8_t)(words << 4);
		assert_false(segments_begin(&s, p, len, IPV6_HEADER, true, SIZE));
	}
}

static void a_segment_fits_to_the_byte_and_not_into_one_less(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		uint8_t p[ROOM];
		size_t len = make(p, kinds[k].tcp, kinds[k].options),
		       segment = len - PAYLOAD + SIZE;
		uint8_t *exact = malloc(segment);
		struct segments s;
		assert_true(segments_begin(&s, p, len, IPV6_HEADER, kinds[k].tcp, SIZE));
		assert_int_equal(segments_next(&s, exact, segment - 1), 0);
		for (size_t n = 0; n < PAYLOAD / SIZE; n++) {
			assert_int_equal(segments_next(&s, exact, segment), segment);
			assert_int_equal(be16_load(exact + IPV6_AT_LENGTH), segment - IPV6_HEADER);
			assert_memory_equal(exact + segment - SIZE, p + len - PAYLOAD + n * SIZE,
					    SIZE);
			assert_int_equal(csum_upper(exact, p[IPV6_AT_NEXT], exact + IPV6_HEADER,
						    segment - IPV6_HEADER),
					 0);
		}
		assert_int_equal(segments_next(&s, exact, segment), 0);
		free(exact);
	}
}

/* What a sender's own TCP would have written (RFC 9293 3.1, RFC 3168 6.1.2). */
static void flags_and_sequence_go_where_they_belong(void **state)
{
	static const uint8_t flags[] = { TCP_CWR | TCP_ACK, TCP_ACK, TCP_ACK | TCP_PSH | TCP_FIN };
	uint8_t p[ROOM], out[ROOM];
	size_t len = make(p, true, 0);
	struct segments s;

	(void)state;
	assert_true(segments_begin(&s, p, len, IPV6_HEADER, true, SIZE));
	for (size_t n = 0; n < ARRAY_LEN(flags); n++) {
		assert_true(segments_next(&s, out, sizeof(out)) > 0);
		assert_int_equal(out[IPV6_HEADER + TCP_AT_FLAGS], flags[n]);
		assert_int_equal(be32_load(out + IPV6_HEADER + TCP_AT_SEQUENCE),
				 (uint32_t)(0xffffff80 + n * SIZE));
	}
}

/* Sizes that divide the payload, and those that leave a rest. */
static void the_last_segment_is_what_is_left(void **state)
{
	static const struct {
		size_t size, count, last;
	} rows[] = { { 150, 2, 150 }, { 151, 2, 149 }, { 149, 3, 2 },
		     { 300, 1, 300 }, { 301, 1, 300 }, { 1, 300, 1 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t p[ROOM], out[ROOM];
		size_t len = make(p, false, 0), count = 0, last = 0;
		struct segments s;
		assert_true(segments_begin(&s, p, len, IPV6_HEADER, false, rows[i].size));
		for (size_t got; (got = segments_next(&s, out, sizeof(out))) > 0; count++)
			last = got - IPV6_HEADER - UDP_HEADER;
		assert_int_equal(count, rows[i].count);
		assert_int_equal(last, rows[i].last);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_cut_at_every_byte_begin_nothing),
		cmocka_unit_test(odd_headers_begin_nothing),
		cmocka_unit_test(a_segment_fits_to_the_byte_and_not_into_one_less),
		cmocka_unit_test(flags_and_sequence_go_where_they_belong),
		cmocka_unit_test(the_last_segment_is_what_is_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
