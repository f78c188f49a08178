/* What popctl makes of packets: text, and capture files. */
#include "popd/ctl/packet.h"

#include <stdlib.h>
#include <string.h>

#include "popd/ctl/packet_show.h"
#include "popd/ctl/pcap.h"
#include "tests/unit/test_popd_fixture.h"

#define CLIENT1 "2001:db8:2ff:1::2"
#define OUTSIDE "2001:db8:f00::1"

static void packets_are_described_in_words(void **state)
{
	struct digest_ctx *d = (assert_int_equal(digest_init(), 0), digest_ctx_create());
	struct packet inner = echo(CLIENT1, OUTSIDE), big = icmp(OUTSIDE, CLIENT1, 2, 0, 8),
		      cut = ipv6(CLIENT1, OUTSIDE, 6, 64, NULL, 2),
		      later = ipv6(CLIENT1, OUTSIDE, 44, 64, NULL, 16);
	char text[PACKET_TEXT];
	put32(big.b + 44, 1280);
	memcpy(later.b + 40, "\x11\x00\x00\x10\x00\x00\x00\x01", 8);
	const struct {
		const char *kind;
		struct packet packet;
		const char *text;
	} rows[] = {
		{ "tun", inner, CLIENT1 " > " OUTSIDE " ICMPv6 echo request" },
		{ "proto41", inner, CLIENT1 " > " OUTSIDE " ICMPv6 echo request" },
		{ "probe", big, OUTSIDE " > " CLIENT1 " ICMPv6 packet too big, MTU 1280" },
		{ "tun", icmp(OUTSIDE, CLIENT1, 1, 1, 8),
		  OUTSIDE " > " CLIENT1 " ICMPv6 administratively prohibited" },
		{ "tun", icmp(OUTSIDE, CLIENT1, 1, 6, 8),
		  OUTSIDE " > " CLIENT1 " ICMPv6 type 1 code 6" },
		{ "tun", udp(CLIENT1, OUTSIDE), CLIENT1 " > " OUTSIDE " UDP 4660 > 33435" },
		{ "tun", cut, CLIENT1 " > " OUTSIDE " protocol 6" },
		{ "tun", later, CLIENT1 " > " OUTSIDE " fragment of protocol 17" },
		{ "ayiya", ayiya(d, CLIENT1, &inner, AYIYA_GOOD),
		  CLIENT1 " > " OUTSIDE " ICMPv6 echo request" },
		{ "udp", ayiya(d, CLIENT1, &inner, AYIYA_OF(.sha256 = true)),
		  CLIENT1 " > " OUTSIDE " ICMPv6 echo request" },
		{ "ayiya", ayiya(d, CLIENT1, NULL, AYIYA_OF(.opcode = ZERO, .next = 59)),
		  "AYIYA no-op" },
		{ "ayiya", ayiya(d, CLIENT1, &inner, AYIYA_OF(.opcode = 4)),
		  "AYIYA echo response" },
		{ "ayiya", ayiya(d, CLIENT1, &inner, AYIYA_OF(.opcode = 9)), "AYIYA opcode 9" },
		{ "ayiya", { .len = 3, .b = "abc" }, "no AYIYA packet" },
		{ "heartbeat", { .len = 3, .b = "abc" }, "heartbeat" },
		{ "icmp4", { .len = 8, .b = { 3, 4 } }, "ICMPv4 type 3 code 4" },
		{ "tun", { .len = 0 }, "no IPv6 packet" },
		{ "proto41", { .len = 45, .b = { 0x45 } }, "no IPv6 packet" },
		{ "else", inner, "no IPv6 packet" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(packet_text(packet_kind_of(rows[i].kind), rows[i].packet.b,
						rows[i].packet.len, text),
				    rows[i].text);
	digest_ctx_free(d);
}

static void every_truncation_is_described(void **state)
{
	struct digest_ctx *d = (assert_int_equal(digest_init(), 0), digest_ctx_create());
	struct packet inner = echo(CLIENT1, OUTSIDE), whole = ayiya(d, CLIENT1, &inner, AYIYA_GOOD);
	char text[PACKET_TEXT];

	(void)state;
	for (size_t len = 0; len <= whole.len; len++) {
		uint8_t *exact = malloc(len ? len : 1); /* a sanitizer sees every byte beyond */
		memcpy(exact, whole.b, len);
		for (enum packet_kind k = 0; k <= PACKET_OTHER; k++)
			assert_true(strlen(packet_text(k, exact, len, text)) > 4);
		free(exact);
	}
	digest_ctx_free(d);
}

/* ---- capture files ---- */

struct file {
	FILE *f;
	char *bytes;
	size_t len;
};

static struct file *file_new(void)
{
	struct file *file = calloc(1, sizeof(*file));

	assert_non_null(file);
	file->f = open_memstream(&file->bytes, &file->len);
	assert_non_null(file->f);
	return file;
}

static void file_free(struct file *file)
{
	fclose(file->f);
	free(file->bytes);
	free(file);
}

static uint32_t at32(const struct file *f, size_t at)
{
	uint32_t v;

	assert_true(at + 4 <= f->len);
	memcpy(&v, f->bytes + at, 4);
	return v;
}

static uint16_t plain_sum(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void outer_headers_are_made_with_right_checksums(void **state)
{
	struct pcap_outer o = { .from = at("192.0.2.1", 4001),
				.to = at("198.51.100.2", 5072),
				.protocol = 17,
				.tos = 3 };
	static const size_t lens[] = { 0, 1, 44, 1323, 2048 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		struct file *f = file_new();
		uint8_t payload[2048];
		memset(payload, 0xab + (int)i, sizeof(payload));
		pcap_begin(f->f, PCAP_IPV4);
		pcap_outer(f->f, INT64_C(1795423260123456), &o, payload, lens[i], lens[i]);
		fflush(f->f);
		assert_int_equal(f->len, 24 + 16 + 28 + lens[i]);
		assert_int_equal(at32(f, 0), 0xa1b2c3d4);
		assert_int_equal(at32(f, 20), 228);
		assert_int_equal(at32(f, 24), 1795423260);
		assert_int_equal(at32(f, 28), 123456);
		assert_int_equal(at32(f, 32), 28 + lens[i]);
		const uint8_t *ip = (const uint8_t *)f->bytes + 40;
		assert_true(ip[0] == 0x45 && ip[1] == 3 && ip[8] == 64 && ip[9] == 17);
		assert_int_equal(plain_sum(ip, 20, 0), 0);
		uint32_t pseudo = (uint16_t)~plain_sum(ip + 12, 8, 0) + 17 + 8 + (uint32_t)lens[i];
		assert_int_equal(plain_sum(ip + 20, 8 + lens[i], pseudo), 0);
		assert_memory_equal(ip + 28, payload, lens[i]);
		file_free(f);
	}
}

static void of_a_packet_cut_short_the_file_says_how_long_it_was(void **state)
{
	struct pcap_outer o = { .from = at("192.0.2.1", 0),
				.to = at("198.51.100.2", 0),
				.protocol = 41 };
	uint8_t payload[100] = { 0x60 };
	struct file *f = file_new();

	(void)state;
	pcap_outer(f->f, 0, &o, payload, 100, 1280);
	pcap_outer(f->f, 0, &o, payload, 100, 70000); /* merged */
	o.protocol = 17;
	pcap_outer(f->f, 0, &o, payload, 100, 1280);
	fflush(f->f);
	assert_int_equal(at32(f, 8), 120);
	assert_int_equal(at32(f, 12), 1300);
	assert_int_equal(at32(f, 16 + 120 + 12), 65535);
	const uint8_t *udp_at = (const uint8_t *)f->bytes + 2 * (16 + 120) + 16 + 20;
	assert_true(udp_at[6] == 0 && udp_at[7] == 0); /* nobody can know it */
	file_free(f);
}

/* ---- lines ---- */

static const char answer[] =
	"{\"following\":[\"T7\"],\"all\":false,\"ipv4\":\"198.51.100.2\",\"ayiya_port\":5072,"
	"\"heartbeat_port\":3740}";

static void what_is_no_line_is_refused(void **state)
{
	static const char *const lines[] = { "",
					     "x",
					     "[]",
					     "7",
					     "{}",
					     "{\"packet\":7}",
					     "{\"packet\":\"abc\"}",
					     "{\"packet\":\"zz\"}" };
	static const char *const answers[] = { "",
					       "[]",
					       "{}",
					       "{\"following\":[]}",
					       "{\"error\":\"no\"}",
					       "{\"following\":[\"T7\"],\"ipv4\":\"7\"}" };
	struct file *out = file_new(), *err = file_new();

	(void)state;
	for (enum packet_form form = FORM_TEXT; form <= FORM_INNER; form++) {
		struct packet_show s = { .out = out->f, .form = form };
		for (size_t i = 0; i < ARRAY_LEN(answers); i++)
			assert_int_equal(packet_show_begin(&s, answers[i], err->f), 1);
		for (size_t i = 0; i < ARRAY_LEN(lines); i++)
			assert_int_equal(packet_show_line(&s, lines[i], err->f), 1);
	}
	fflush(out->f);
	assert_int_equal(out->len, 0);
	file_free(out);
	file_free(err);
}

static void a_line_shows_in_each_form(void **state)
{
	static const char dropped[] =
		"{\"at\":1795423260123456,\"tunnel\":\"T7\",\"charged\":\"T7\",\"source\":\"heartbeat\","
		"\"from\":\"192.0.2.1:4001\",\"tos\":0,\"length\":3,\"packet\":\"616263\",\"drop\":\"beat-form\","
		"\"text\":\"not a heartbeat line\",\"out\":[]}";
	static const struct {
		enum packet_form form;
		size_t len;
		uint64_t shown;
	} rows[] = { { FORM_JSON, sizeof(dropped), 1 },
		     { FORM_OUTER, 24 + 16 + 28 + 3, 1 },
		     { FORM_INNER, 24, 0 } };
	struct file *err = file_new(), *out = file_new();
	struct packet_show s = { .out = out->f, .form = FORM_TEXT, .max = 1 };

	(void)state;
	assert_int_equal(packet_show_begin(&s, answer, err->f), 0);
	assert_false(packet_show_is_done(&s));
	assert_int_equal(packet_show_line(&s, dropped, err->f), 0);
	assert_true(packet_show_is_done(&s));
	fflush(out->f);
	assert_string_equal(
		out->bytes,
		"08:41:00.123456 T7 heartbeat 192.0.2.1:4001: heartbeat, 3 bytes: dropped: beat-form\n");
	assert_int_equal(packet_show_line(&s, "{\"lost\":12}", err->f), 0);
	fflush(err->f);
	assert_non_null(strstr(err->bytes, "12 packets were lost"));
	file_free(out);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		out = file_new();
		s = (struct packet_show){ .out = out->f, .form = rows[i].form };
		assert_int_equal(packet_show_begin(&s, answer, err->f), 0);
		assert_int_equal(packet_show_line(&s, dropped, err->f), 0);
		fflush(out->f);
		assert_int_equal(out->len, rows[i].len);
		assert_int_equal(s.shown, rows[i].shown);
		file_free(out);
	}
	file_free(err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_are_described_in_words),
		cmocka_unit_test(every_truncation_is_described),
		cmocka_unit_test(outer_headers_are_made_with_right_checksums),
		cmocka_unit_test(of_a_packet_cut_short_the_file_says_how_long_it_was),
		cmocka_unit_test(what_is_no_line_is_refused),
		cmocka_unit_test(a_line_shows_in_each_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
