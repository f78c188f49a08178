/*
 * The stock client's own datagrams, from a recording of AICCU 2007.01.15: accepted with the clock
 * set to the capture's, and survived when cut at any byte. The reader of the capture is the test's
 * own: classic pcap, Ethernet, IPv4 without options, UDP.
 */
#include "tests/unit/test_popd_fixture.h"

#define CAPTURE "tests/vec/aiccu-stock.pcap"
enum { AYIYA_PORT = 5072, HEARTBEAT_PORT = 3740 };

struct datagram {
	uint32_t time;
	struct endpoint4 from;
	uint16_t to_port;
	struct packet payload;
};

static uint32_t get32(const uint8_t *p, bool swapped)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return swapped ? __builtin_bswap32(v) : v;
}

static unsigned get16be(const uint8_t *p)
{
	return (unsigned)(p[0] << 8 | p[1]);
}

/* False: not a UDP datagram over IPv4. */
static bool read_frame(const uint8_t *frame, size_t len, struct datagram *out)
{
	if (len < 42 || get16be(frame + 12) != 0x0800 || frame[14] != 0x45 || frame[23] != 17)
		return false;
	out->from = (struct endpoint4){ { get32(frame + 26, true) },
					(uint16_t)get16be(frame + 34) };
	out->to_port = (uint16_t)get16be(frame + 36);
	out->payload.len = get16be(frame + 38) - 8;
	assert_true(42 + out->payload.len <= len);
	memcpy(out->payload.b, frame + 42, out->payload.len);
	return true;
}

static size_t read_capture(struct datagram *out, size_t max)
{
	static uint8_t bytes[65536];
	FILE *f = fopen(CAPTURE, "rb");
	assert_non_null(f);
	size_t len = fread(bytes, 1, sizeof(bytes), f), n = 0;
	fclose(f);
	assert_true(len > 24 && len < sizeof(bytes));
	uint32_t magic = get32(bytes, false);
	bool swapped = magic == 0xd4c3b2a1 || magic == 0x4d3cb2a1;
	assert_true(swapped || magic == 0xa1b2c3d4 || magic == 0xa1b23c4d);
	for (size_t pos = 24; pos + 16 <= len;) {
		size_t size = get32(bytes + pos + 8, swapped);
		assert_true(pos + 16 + size <= len && n < max);
		out[n].time = get32(bytes + pos, swapped);
		n += read_frame(bytes + pos + 16, size, &out[n]);
		pos += 16 + size;
	}
	return n;
}

/* T15039 and T22555 as their owner had them. */
static struct pop pop_of_capture(void)
{
	struct pop p = pop_new();

	assert_true(table_delete(p.table, 1));
	assert_non_null(
		pop_add(&p, conf_new(p.digest, 15039, TUNNEL_AYIYA, "2001:db8:2ff::", NULL)));
	assert_non_null(
		pop_add(&p, conf_new(p.digest, 22555, TUNNEL_HEARTBEAT, "2001:db8:2ff:1::", NULL)));
	return p;
}

static void every_datagram_is_accepted(void **state)
{
	struct datagram d[16];
	size_t n = read_capture(d, ARRAY_LEN(d)), ayiya_count = 0, beats = 0;
	struct pop p = pop_of_capture();

	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct job job;
		bool is_ayiya = d[i].to_port == AYIYA_PORT;
		p.now = stamp((uint32_t)(d[i].time), p.now.mono_us);
		enum drop why = pop_run_one(&p, &job,
					    is_ayiya ? JOB_FROM_AYIYA : JOB_FROM_HEARTBEAT,
					    d[i].payload, d[i].from);
		assert_true(is_ayiya || d[i].to_port == HEARTBEAT_PORT);
		ayiya_count += is_ayiya;
		beats += !is_ayiya;
		/* Two AYIYA datagrams carry router solicitations of the client's kernel: they are
		 * dropped, but they update the endpoint. */
		if (why != DROP_NONE && !(is_ayiya && why == DROP_LINK_LOCAL))
			fail_msg("datagram %zu: %s", i, drop_name(why));
		assert_int_equal(job.conf->id, is_ayiya ? 15039 : 22555);
		uint64_t endpoint = atomic_load(&job.tunnel->endpoint);
		assert_int_equal(endpoint_of(endpoint).addr.v, d[i].from.addr.v);
		assert_int_equal(endpoint_of(endpoint).port, is_ayiya ? d[i].from.port : 0);
		assert_int_equal(atomic_load(&job.tunnel->heard), d[i].time);
		assert_int_equal(job.event, i == 0 || (!is_ayiya && beats == 1) ? EVENT_TUNNEL_UP
										: EVENT_NONE);
		job_end(&job);
	}
	assert_int_equal(ayiya_count, 3);
	assert_int_equal(beats, 2);
	assert_int_equal(atomic_load(&p.counters->beats), 3);
	assert_int_equal(drops_of(&p, DROP_LINK_LOCAL), 2);
	pop_end(&p);
}

static void each_cut_short_is_refused_and_changes_nothing(void **state)
{
	struct datagram d[16];
	size_t n = read_capture(d, ARRAY_LEN(d));
	struct pop p = pop_of_capture();

	(void)state;
	for (size_t i = 0; i < n; i++) {
		bool is_ayiya = d[i].to_port == AYIYA_PORT;
		struct tunnel *t = table_by_id(p.table, is_ayiya ? 15039 : 22555);
		p.now = stamp((uint32_t)(d[i].time), p.now.mono_us);
		for (size_t len = 0; len < d[i].payload.len; len++) {
			struct packet cut = d[i].payload;
			cut.len = len;
			enum drop why = pop_send(&p, is_ayiya ? JOB_FROM_AYIYA : JOB_FROM_HEARTBEAT,
						 cut, d[i].from);
			enum drop want = is_ayiya   ? (len < 44 ? DROP_OUTER_SHORT : DROP_FORGED)
					 : len == 0 ? DROP_OUTER_SHORT
						    : DROP_BEAT_FORM;
			if (why == DROP_SECRET_UNKNOWN) /* the first of a second */
				why = DROP_FORGED;
			if (why != want)
				fail_msg("datagram %zu cut at %zu: %s", i, len, drop_name(why));
			assert_int_equal(atomic_load(&t->endpoint), 0);
		}
	}
	pop_end(&p);
}

static void an_hour_later_they_are_all_refused(void **state)
{
	struct datagram d[16];
	size_t n = read_capture(d, ARRAY_LEN(d));
	struct pop p = pop_of_capture();

	(void)state;
	for (size_t i = 0; i < n; i++) {
		p.now = stamp((uint32_t)(d[i].time + 3600), p.now.mono_us);
		assert_int_equal(
			pop_send(&p,
				 d[i].to_port == AYIYA_PORT ? JOB_FROM_AYIYA : JOB_FROM_HEARTBEAT,
				 d[i].payload, d[i].from),
			DROP_CLOCK_SKEW);
	}
	pop_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_datagram_is_accepted),
		cmocka_unit_test(each_cut_short_is_refused_and_changes_nothing),
		cmocka_unit_test(an_hour_later_they_are_all_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
