#include "popd/port/segment.h"

#include "tests/unit/test_popd_fixture.h"

#define CLIENT "2001:db8:2ff:1::2"
#define HOST "2001:db8:fff0::2"

enum { FIN = 1, PSH = 8, ACK = 16, CWR = 128, TCP = 20, WHOLE = 65535 + 40 };

/* A TCP packet of `payload` bytes and `options` bytes of options, at a sequence number that
 * wraps. */
static size_t tcp(uint8_t *out, size_t payload, size_t options, uint8_t flags)
{
	struct packet head = ipv6(CLIENT, HOST, 6, 60, NULL, 0);
	size_t header = TCP + options;

	memcpy(out, head.b, 40);
	put16(out + 4, (unsigned)(header + payload));
	memset(out + 40, 1, header);
	put16(out + 40, 40000);
	put16(out + 42, 80);
	put32(out + 44, UINT32_C(0xfffffe00));
	out[52] = (uint8_t)(header / 4 << 4);
	out[53] = flags;
	for (size_t i = 0; i < payload; i++)
		out[40 + header + i] = (uint8_t)(i * 31 + (i >> 8));
	return 40 + header + payload;
}

static void seal(uint8_t *p, size_t len, size_t check_at, uint8_t next)
{
	put16(p + 40 + check_at, 0);
	put16(p + 40 + check_at, plain_csum(p, p + 40, len - 40, next));
}

/* Writes the partial checksum that GRO, or a neighbour with checksum hardware, leaves in the
 * field. */
static void seal_partly(uint8_t *p, size_t len, size_t check_at, uint8_t next)
{
	uint32_t sum = (uint32_t)(len - 40) + next;

	for (size_t i = 8; i < 40; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put16(p + 40 + check_at, sum);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void a_coalesced_packet_becomes_the_segments_that_were_sent(void **state)
{
	static const struct {
		const char *name;
		size_t payload, options, segments;
	} rows[] = {
		{ "one byte", 1, 0, 1 },
		{ "exactly one segment", 1220, 0, 1 },
		{ "one byte more", 1221, 0, 2 },
		{ "two exact", 2440, 0, 2 },
		{ "with timestamps", 2416, 12, 2 },
		{ "most options", 2400, 40, 3 },
		{ "as large as can be", 65535 - 20, 0, 54 },
		{ "nothing but a header", 0, 0, 1 },
	};
	static uint8_t whole[WHOLE], segment[2048];

	(void)state;
	for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
		size_t len = tcp(whole, rows[row].payload, rows[row].options,
				 FIN | PSH | ACK | CWR),
		       done = 0, n = 0;
		size_t header = 40 + TCP + rows[row].options;
		struct segments c;
		seal_partly(whole, len, 16, 6);
		print_message("%s\n", rows[row].name);
		assert_true(segments_begin_coalesced(&c, whole, len));
		for (size_t got; (got = segments_next(&c, segment, sizeof(segment))) > 0; n++) {
			bool last = done + got - header == rows[row].payload;
			assert_true(got <= SEGMENT_COALESCED && got >= header);
			assert_int_equal(segment[4] << 8 | segment[5], got - 40);
			assert_int_equal(plain_csum(segment, segment + 40, got - 40, 6), 0);
			assert_int_equal(get32(segment + 44),
					 (uint32_t)(UINT32_C(0xfffffe00) + done));
			assert_int_equal(segment[53],
					 ACK | (last ? FIN | PSH : 0) | (n == 0 ? CWR : 0));
			assert_memory_equal(segment + header, whole + header + done, got - header);
			assert_memory_equal(segment + 60, whole + 60, header - 60);
			done += got - header;
		}
		assert_int_equal(done, rows[row].payload);
		assert_int_equal(n, rows[row].segments);
		assert_int_equal(segments_next(&c, segment, sizeof(segment)), 0);
	}
}

static void udp_with_a_partial_checksum_is_completed_and_stays_whole(void **state)
{
	struct packet p = ipv6(CLIENT, HOST, 17, 64, NULL, 1400);
	uint8_t out[2048];
	struct segments c;

	(void)state;
	put16(p.b + 44, 1400);
	seal_partly(p.b, p.len, 6, 17);
	assert_true(segments_begin_coalesced(&c, p.b, p.len));
	assert_int_equal(segments_next(&c, out, sizeof(out)), p.len);
	assert_int_equal(plain_csum(out, out + 40, p.len - 40, 17), 0);
	assert_memory_equal(out + 48, p.b + 48, p.len - 48);
	assert_int_equal(segments_next(&c, out, sizeof(out)), 0);
}

/* What UDP_SEGMENT on the sender's machine leaves: one header, a checksum over all of it, and no
 * sign of where a datagram ends. */
static void merged_datagrams_do_not_fit(void **state)
{
	static const struct {
		size_t payload;
		bool fit;
	} rows[] = { { 0, true }, { 1432, true }, { 1433, false }, { 60000, false } };
	static uint8_t whole[WHOLE];
	struct packet head = ipv6(CLIENT, HOST, 17, 64, NULL, 0);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = 48 + rows[i].payload;
		struct segments c;
		memcpy(whole, head.b, 40);
		put16(whole + 4, (unsigned)(len - 40));
		put16(whole + 44, (unsigned)(len - 40));
		memset(whole + 48, 7, rows[i].payload);
		seal_partly(whole, len, 6, 17);
		assert_true(segments_begin_coalesced(&c, whole, len));
		assert_int_equal(segments_largest(&c) <= TUNNEL_MTU_MAX, rows[i].fit);
	}
}

/* A destination options header of 2048 bytes before TCP: each segment would need it. */
static void headers_longer_than_a_packet_do_not_fit(void **state)
{
	static uint8_t whole[WHOLE];
	struct segments c;
	struct packet head = ipv6(CLIENT, HOST, 60, 64, NULL, 0);
	size_t options = 2048, len = 40 + options + TCP + 3000, sum = 0;

	(void)state;
	memcpy(whole, head.b, 40);
	put16(whole + 4, (unsigned)(len - 40));
	memset(whole + 40, 0, len - 40);
	whole[40] = 6;
	whole[41] = (uint8_t)(options / 8 - 1);
	uint8_t *tcp_at = whole + 40 + options;
	tcp_at[12] = TCP / 4 << 4;
	tcp_at[20] = 1; /* or the checksum over all would be that of the header */
	for (size_t i = 8; i < 40; i += 2)
		sum += (size_t)(whole[i] << 8 | whole[i + 1]);
	sum += len - 40 - options + 6;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put16(tcp_at + 16, (unsigned)sum);
	assert_true(segments_begin_coalesced(&c, whole, len));
	assert_true(segments_largest(&c) > TUNNEL_MTU_MAX);
}

static void a_packet_as_on_the_wire_is_not_coalesced(void **state)
{
	static uint8_t b[4096];
	struct segments c;
	size_t len = tcp(b, 1000, 0, ACK);

	(void)state;
	seal(b, len, 16, 6);
	assert_false(segments_begin_coalesced(&c, b, len)); /* right */
	b[100] ^= 1;
	assert_false(segments_begin_coalesced(&c, b, len)); /* wrong, which its receiver must see */
	struct packet ping = echo(CLIENT, HOST);
	assert_false(segments_begin_coalesced(&c, ping.b, ping.len));
	struct packet none = ipv6(CLIENT, HOST, 59, 64, NULL, 0);
	assert_false(segments_begin_coalesced(&c, none.b, none.len));
}

/* Bytes whose sum is zero make the right checksum look like a partial one. */
static void a_right_checksum_that_looks_partial_is_recognized(void **state)
{
	static uint8_t b[4096];
	struct segments c;
	size_t len = tcp(b, 100, 0, ACK);

	(void)state;
	seal_partly(b, len, 16, 6);
	/* choose two payload bytes so that the whole packet adds up with this field */
	put16(b + 40 + TCP, 0);
	put16(b + 40 + TCP, plain_csum(b, b + 40, len - 40, 6));
	assert_int_equal(plain_csum(b, b + 40, len - 40, 6), 0);
	assert_false(segments_begin_coalesced(&c, b, len));
}

static void a_packet_truncated_at_any_byte_is_not_coalesced(void **state)
{
	static uint8_t b[4096];
	size_t len = tcp(b, 200, 12, ACK);

	(void)state;
	seal_partly(b, len, 16, 6);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut ? cut : 1);
		struct segments c;
		memcpy(exact, b, cut);
		assert_false(
			segments_begin_coalesced(&c, exact, cut)); /* the length field says more */
		if (cut >= 6)
			put16(exact + 4, cut >= 40 ? (unsigned)(cut - 40) : 0);
		if (segments_begin_coalesced(&c, exact, cut)) {
			uint8_t out[2048];
			while (segments_next(&c, out, sizeof(out)) > 0)
				;
		}
		free(exact);
	}
}

/* The GSO size is that of the segments, so the kernel would cut the same packets. */
static void only_several_plain_segments_of_tcp_may_stay_whole(void **state)
{
	static const struct {
		const char *name;
		size_t payload, options;
		uint8_t flags;
		unsigned segment;
	} rows[] = {
		{ "two segments", 1221, 0, ACK, 1220 },
		{ "many, with timestamps and FIN", 30000, 12, ACK | PSH | FIN, 1208 },
		{ "as large as can be", 65535 - 20, 0, ACK, 1220 },
		{ "one segment", 1220, 0, ACK, 0 },
		{ "nothing but a header", 0, 0, ACK, 0 },
		{ "congestion window reduced", 2440, 0, ACK | CWR, 0 },
	};
	static uint8_t whole[WHOLE];

	(void)state;
	for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
		size_t len = tcp(whole, rows[row].payload, rows[row].options, rows[row].flags),
		       n = 0;
		struct segments c;
		uint8_t one[2048];
		seal_partly(whole, len, 16, 6);
		print_message("%s\n", rows[row].name);
		assert_true(segments_begin_coalesced(&c, whole, len));
		struct gso gso = segments_as_gso(&c);
		assert_int_equal(gso.size, rows[row].segment);
		if (gso.size == 0)
			continue;
		assert_int_equal(gso.header, 60 + rows[row].options);
		while (segments_next(&c, one, sizeof(one)) > 0)
			n++;
		assert_int_equal(gso_segments(gso, (uint32_t)len), n);
	}
}

static void datagrams_and_packets_with_extension_headers_never_stay_whole(void **state)
{
	static uint8_t b[4096];
	struct segments c;
	size_t len = tcp(b, 2400, 0, ACK);

	(void)state;
	memmove(b + 48, b + 40, len - 40);
	memset(b + 40, 0, 8);
	b[40] = 6; /* destination options, then TCP */
	b[42] = 1;
	b[43] = 4;
	b[6] = 60;
	put16(b + 4, (unsigned)(len + 8 - 40));
	uint32_t sum = (uint32_t)(len - 40) + 6;
	for (size_t i = 8; i < 40; i += 2)
		sum += (uint32_t)(b[i] << 8 | b[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put16(b + 48 + 16, sum);
	assert_true(segments_begin_coalesced(&c, b, len + 8));
	assert_int_equal(segments_as_gso(&c).size, 0);
	struct packet p = ipv6(CLIENT, HOST, 17, 64, NULL, 1400);
	put16(p.b + 44, 1400);
	seal_partly(p.b, p.len, 6, 17);
	assert_true(segments_begin_coalesced(&c, p.b, p.len));
	assert_int_equal(segments_as_gso(&c).size, 0);
}

static void a_packet_with_a_bad_header_length_is_not_coalesced(void **state)
{
	static uint8_t b[4096];
	struct segments c;
	size_t len = tcp(b, 20, 0, ACK);

	(void)state;
	for (unsigned words = 0; words < 16; words++) {
		b[52] = (uint8_t)(words << 4);
		seal_partly(b, len, 16, 6);
		assert_int_equal(segments_begin_coalesced(&c, b, len), words >= 5 && words <= 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_coalesced_packet_becomes_the_segments_that_were_sent),
		cmocka_unit_test(udp_with_a_partial_checksum_is_completed_and_stays_whole),
		cmocka_unit_test(merged_datagrams_do_not_fit),
		cmocka_unit_test(headers_longer_than_a_packet_do_not_fit),
		cmocka_unit_test(a_packet_as_on_the_wire_is_not_coalesced),
		cmocka_unit_test(a_right_checksum_that_looks_partial_is_recognized),
		cmocka_unit_test(a_packet_truncated_at_any_byte_is_not_coalesced),
		cmocka_unit_test(only_several_plain_segments_of_tcp_may_stay_whole),
		cmocka_unit_test(datagrams_and_packets_with_extension_headers_never_stay_whole),
		cmocka_unit_test(a_packet_with_a_bad_header_length_is_not_coalesced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
