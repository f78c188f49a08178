/* The formats: what is encoded is decoded again, hostile bytes are refused and leave the table empty,
 * and the journal ends where it is cut or damaged. */
#include "popd/feed/snapshot.h"

#include <time.h>

#include "lib/err.h"
#include "tests/unit/test_popd_fixture.h"

static const struct snapshot_head head = { "demo01", UINT64_C(0x123456789a), NOW };

static uint8_t *encode(struct table *t, size_t *len)
{
	uint8_t *bytes;

	assert_int_equal(snapshot_encode(t, &head, moment(NOW), &bytes, len), 0);
	return bytes;
}

static struct table *empty_table(size_t capacity)
{
	static const uint8_t seed[16] = { 9 };
	struct table *t = table_create(capacity, 1, seed);

	assert_non_null(t);
	return t;
}

static void same_tunnel(struct table *a, struct table *b, uint32_t id)
{
	const struct tunnel *x = table_by_id(a, id), *y = table_by_id(b, id);

	assert_true(x && y);
	const struct tunnel_conf *c = conf_of_tunnel(x), *d = conf_of_tunnel(y);
	assert_int_equal(c->route_count, d->route_count);
	assert_memory_equal(
		c, d, offsetof(struct tunnel_conf, routes) + c->route_count * sizeof(c->routes[0]));
	assert_true(atomic_load(&x->endpoint) == atomic_load(&y->endpoint));
	assert_int_equal(atomic_load(&x->heard), atomic_load(&y->heard));
	assert_int_equal(atomic_load(&x->newest), atomic_load(&y->newest));
	assert_int_equal(atomic_load(&x->highest), atomic_load(&y->highest));
}

/* Encoded and decoded on machines whose monotonic clocks differ, as before and after a boot. */
static void how_long_ago_a_client_was_heard_survives_a_boot(void **state)
{
	struct pop p = pop_new();
	struct table *t = empty_table(FIXTURE_TUNNELS);
	const struct moment before = { NOW, { 5000000 } }, after = { NOW + 60, { 2000000 } };
	struct snapshot_head got;
	uint8_t *bytes;
	size_t len;

	(void)state;
	atomic_store(&table_by_id(p.table, 1)->heard, 5000000 - 30);
	assert_int_equal(snapshot_encode(p.table, &head, before, &bytes, &len), 0);
	assert_int_equal(snapshot_decode(t, p.digest, bytes, len, after, &got), 0);
	assert_int_equal(atomic_load(&table_by_id(t, 1)->heard), 2000000 - 90);
	snapshot_free(bytes, len);
	table_free(t);
	pop_end(&p);
}

static void what_was_encoded_is_decoded_again(void **state)
{
	struct pop p = pop_new();
	struct snapshot_head got;
	size_t len, again_len;
	struct table *t = empty_table(FIXTURE_TUNNELS);

	(void)state;
	atomic_fetch_or(&table_by_id(p.table, 1)->endpoint, ENDPOINT_ANSWERED);
	atomic_store(&table_by_id(p.table, 1)->highest, NOW + 7);
	uint8_t *bytes = encode(p.table, &len);
	assert_int_equal(snapshot_decode(t, p.digest, bytes, len, moment(NOW), &got), 0);
	assert_string_equal(got.pop, head.pop);
	assert_true(got.feed_seq == head.feed_seq && got.written == head.written);
	assert_int_equal(table_count(t), 6);
	for (uint32_t id = 1; id <= 6; id++)
		same_tunnel(p.table, t, id);
	assert_memory_equal(table_pop(t), table_pop(p.table), sizeof(struct pop_conf));
	struct ip6 ip = addr("2001:db8:3001::9");
	assert_int_equal(table_lookup(t, &ip).conf->id, 1);
	uint8_t *again = encode(t, &again_len);
	assert_int_equal(again_len, len);
	free(again);
	assert_int_equal(snapshot_decode(t, p.digest, bytes, len, moment(NOW), &got), -ERR_EXISTS);
	assert_int_equal(table_count(t), 6);
	free(bytes);
	table_free(t);
	pop_end(&p);
}

static void an_empty_table_can_be_encoded(void **state)
{
	struct table *t = empty_table(4), *u = empty_table(4);
	struct digest_ctx *d = digest_ctx_create();
	struct snapshot_head got;
	size_t len;
	uint8_t *bytes = encode(t, &len);

	(void)state;
	assert_int_equal(snapshot_decode(u, d, bytes, len, moment(NOW), &got), 0);
	assert_int_equal(table_count(u), 0);
	free(bytes);
	table_free(t);
	table_free(u);
	digest_ctx_free(d);
}

/* After a refusal the table is empty. */
static void assert_refused(struct table *t, struct digest_ctx *d, const uint8_t *bytes, size_t len,
			   int want, const char *what)
{
	static const struct pop_conf nobody;
	struct snapshot_head got = { "untouched", 1, 2 };
	int err = snapshot_decode(t, d, bytes, len, moment(NOW), &got);

	if (err >= 0 || (want && err != want))
		fail_msg("%s: %d", what, err);
	assert_int_equal(table_count(t), 0);
	assert_string_equal(got.pop, "untouched");
	assert_memory_equal(table_pop(t), &nobody, sizeof(nobody));
}

static void cut_at_any_byte_longer_or_with_any_bit_wrong_it_is_refused(void **state)
{
	struct pop p = pop_new();
	struct table *t = empty_table(FIXTURE_TUNNELS);
	size_t len;
	uint8_t *bytes = encode(p.table, &len), *copy = malloc(len + 1);

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut ? cut : 1);
		memcpy(exact, bytes, cut);
		assert_refused(t, p.digest, exact, cut, cut < 12 ? -ERR_FORMAT : -ERR_TRUNCATED,
			       "cut");
		free(exact);
	}
	memcpy(copy, bytes, len);
	copy[len] = 0;
	assert_refused(t, p.digest, copy, len + 1, -ERR_TRAILING, "longer");
	for (size_t bit = 0; bit < len * 8; bit++) {
		memcpy(copy, bytes, len);
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_refused(t, p.digest, copy, len, 0, "bit");
	}
	free(copy);
	free(bytes);
	table_free(t);
	pop_end(&p);
}

/* Offsets in the fixture's snapshot: the head of 94 bytes, with two prefixes before the counts of
 * PoPs and of tunnels, then T1 with two routes. */
enum {
	AT_VERSION = 8,
	AT_PREFIXES = 86,
	AT_FIRST_PREFIX = 88,
	AT_POPS = 88 + 2 * 17,
	AT_COUNT = AT_POPS + 2,
	AT_T1 = AT_COUNT + 4
};

static const struct {
	const char *name;
	size_t at;
	uint8_t value;
	int err;
} forgeries[] = {
	{ "another version", AT_VERSION + 3, 4, -ERR_FORMAT },
	{ "version 0", AT_VERSION + 3, 0, -ERR_FORMAT },
	{ "more PoPs than there may be", AT_POPS, 5, -ERR_RANGE },
	{ "more PoPs than there are", AT_POPS, 4, -ERR_TRUNCATED },
	{ "more prefixes than there may be", AT_PREFIXES + 1, 65, -ERR_RANGE },
	{ "fewer prefixes than tunnel prefixes", AT_PREFIXES + 1, 0, -ERR_RANGE },
	{ "a prefix of 129 bits", AT_FIRST_PREFIX, 129, -ERR_RANGE },
	{ "bits beyond the prefix", AT_FIRST_PREFIX + 16, 1, -ERR_RANGE },
	{ "a tunnel too many", AT_COUNT + 3, 7, -ERR_TRUNCATED },
	{ "a tunnel too few", AT_COUNT + 3, 5, -ERR_TRAILING },
	{ "a record that ends too early", AT_T1 + 3, 20, -ERR_TRUNCATED },
	{ "a record beyond the end", AT_T1 + 1, 1, -ERR_TRUNCATED },
	{ "tunnel id 0", AT_T1 + 4 + 3, 0, -ERR_RANGE },
	{ "tunnel id beyond 31 bits", AT_T1 + 4, 0x80, -ERR_RANGE },
	{ "a tunnel twice", AT_T1 + 4 + 3, 2, -ERR_RANGE },
	{ "an unknown type", AT_T1 + 8, 3, -ERR_RANGE },
	{ "neither enabled nor not", AT_T1 + 9, 2, -ERR_RANGE },
	{ "an MTU below IPv6's", AT_T1 + 10, 4, -ERR_RANGE },
	{ "an MTU above any", AT_T1 + 10, 6, -ERR_RANGE },
	{ "another tunnel's net", AT_T1 + 12 + 7, 2, -ERR_RANGE },
	{ "an endpoint in 127/8", AT_T1 + 24, 127, -ERR_RANGE },
	{ "an unknown flag", AT_T1 + 31, 4, -ERR_RANGE },
	{ "a secret too long", AT_T1 + 44, 33, -ERR_RANGE },
	{ "a NUL in the secret", AT_T1 + 45, 0, -ERR_RANGE },
	{ "more routes than there are", AT_T1 + 45 + 32 + 1, 3, -ERR_TRUNCATED },
	{ "fewer routes than there are", AT_T1 + 45 + 32 + 1, 1, -ERR_TRAILING },
	{ "sixty thousand routes", AT_T1 + 45 + 32, 0xea, -ERR_TRUNCATED },
	{ "a route of 129 bits", AT_T1 + 45 + 32 + 2, 129, -ERR_RANGE },
};

static void an_invalid_value_in_an_intact_snapshot_is_refused(void **state)
{
	struct pop p = pop_new();
	struct table *t = empty_table(FIXTURE_TUNNELS);
	size_t len;
	uint8_t *bytes = encode(p.table, &len), *copy = malloc(len);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forgeries); i++) {
		memcpy(copy, bytes, len);
		assert_int_not_equal(copy[forgeries[i].at], forgeries[i].value);
		copy[forgeries[i].at] = forgeries[i].value;
		put32(copy + len - 4, crc32c(copy, len - 4));
		assert_refused(t, p.digest, copy, len, forgeries[i].err, forgeries[i].name);
	}
	struct table *small = empty_table(5);
	assert_refused(small, p.digest, bytes, len, -ERR_NOMEM, "six tunnels for five places");
	table_free(small);
	free(copy);
	free(bytes);
	table_free(t);
	pop_end(&p);
}

/* What the versions before had: no PoPs, and in version 1 no highest epoch in a tunnel's record.
 * Returns the length. */
static size_t as_version(uint32_t version, const uint8_t *bytes, size_t len, uint8_t *out)
{
	enum { HIGHEST_AT = 40 };
	size_t from = AT_T1, to = AT_T1 - 2, less = version == 1 ? 4 : 0;

	memcpy(out, bytes, AT_POPS);
	memcpy(out + AT_POPS, bytes + AT_COUNT, 4);
	while (from < len - 4) {
		size_t size = 4 + ((size_t)bytes[from + 2] << 8 | bytes[from + 3]);
		memcpy(out + to, bytes + from, HIGHEST_AT);
		put32(out + to, (uint32_t)(size - 4 - less));
		memcpy(out + to + HIGHEST_AT, bytes + from + HIGHEST_AT + less,
		       size - HIGHEST_AT - less);
		from += size;
		to += size - less;
	}
	put32(out + AT_VERSION, version);
	put32(out + AT_VERSION + 8, (uint32_t)to + 4);
	put32(out + to, crc32c(out, to));
	return to + 4;
}

static void a_snapshot_of_a_version_before_is_read(void **state)
{
	struct pop p = pop_new();
	size_t len;
	uint8_t *bytes = encode(p.table, &len), *old = malloc(len);

	(void)state;
	for (uint32_t version = 1; version <= 2; version++) {
		struct table *t = empty_table(FIXTURE_TUNNELS);
		struct snapshot_head got;
		size_t old_len = as_version(version, bytes, len, old);
		assert_int_equal(snapshot_decode(t, p.digest, old, old_len, moment(NOW), &got), 0);
		for (uint32_t id = 1; id <= 6; id++)
			same_tunnel(p.table, t, id);
		table_free(t);
	}
	free(old);
	free(bytes);
	pop_end(&p);
}

/* Before the database is there, too: popd forwards at once. */
static void no_tunnel_of_a_snapshot_ends_at_a_pop(void **state)
{
	struct pop p = pop_new();
	struct table *t = empty_table(FIXTURE_TUNNELS);
	struct pop_conf pop = *table_pop(p.table);
	const struct ip4 peers[] = { addr4("203.0.113.6"), addr4("198.51.100.77") };
	struct snapshot_head got;
	size_t len;

	(void)state;
	pop_set_peers(&pop, peers, ARRAY_LEN(peers));
	assert_int_equal(table_set_pop(p.table, &pop), 0);
	uint8_t *bytes = encode(p.table, &len);
	assert_int_equal(snapshot_decode(t, p.digest, bytes, len, moment(NOW), &got), 0);
	assert_memory_equal(table_pop(t), table_pop(p.table), sizeof(struct pop_conf));
	assert_int_equal(atomic_load(&table_by_id(t, 6)->endpoint), 0);
	assert_true(atomic_load(&table_by_id(t, 3)->endpoint) != 0);
	free(bytes);
	table_free(t);
	pop_end(&p);
}

static void a_journal_record_of_the_version_before_is_read(void **state)
{
	struct journal_entry e = { 1,
				   { endpoint_pack(at("192.0.2.10", 10), 0), NOW, 0, { 0 } },
				   NOW };
	uint8_t record[JOURNAL_RECORD];

	(void)state;
	journal_encode(&e, record);
	record[3] = '1';
	put32(record + 28, crc32c(record, 28));
	assert_int_equal(journal_decode(record, &e), 0);
	assert_int_equal(e.memory.highest, NOW);
	put32(record + 24, NOW); /* it had zeros there */
	put32(record + 28, crc32c(record, 28));
	assert_int_equal(journal_decode(record, &e), -ERR_FORMAT);
}

static bool is_same(const struct tunnel_memory *a, const struct tunnel_memory *b)
{
	return a->endpoint == b->endpoint && a->newest == b->newest && a->highest == b->highest &&
	       a->heard.s == b->heard.s;
}

static void the_journal_is_applied_up_to_where_it_is_cut(void **state)
{
	struct pop p = pop_new();
	struct journal_entry entries[] = {
		{ 1, { endpoint_pack(at("192.0.2.10", 10), 0), NOW + 1, NOW + 4, { 0 } }, NOW + 1 },
		/* deleted since */
		{ 777, { endpoint_pack(at("192.0.2.11", 11), 0), NOW, NOW, { 0 } }, NOW },
		{ 2, { endpoint_pack(at("192.0.2.12", 0), 0), NOW + 2, NOW + 2, { 0 } }, NOW + 2 },
		/* moved by an answer: newest is older, highest the same */
		{ 1, { endpoint_pack(at("192.0.2.13", 13), 3), NOW - 3, NOW + 4, { 0 } }, NOW + 3 },
	};
	uint8_t journal[ARRAY_LEN(entries) * JOURNAL_RECORD];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		struct journal_entry back;
		journal_encode(&entries[i], journal + i * JOURNAL_RECORD);
		assert_int_equal(journal_decode(journal + i * JOURNAL_RECORD, &back), 0);
		assert_true(back.tunnel == entries[i].tunnel &&
			    is_same(&back.memory, &entries[i].memory));
	}
	for (size_t len = 0; len < sizeof(journal); len++) {
		struct pop q = pop_new();
		uint8_t *torn = malloc(len ? len : 1);
		memcpy(torn, journal, len);
		assert_int_equal(journal_apply(q.table, torn, len, moment(NOW)),
				 len / JOURNAL_RECORD * JOURNAL_RECORD);
		uint64_t want = len < JOURNAL_RECORD ? endpoint_pack(at("192.0.2.1", 4001), 0)
						     : entries[0].memory.endpoint;
		assert_true(atomic_load(&table_by_id(q.table, 1)->endpoint) == want);
		free(torn);
		pop_end(&q);
	}
	assert_int_equal(journal_apply(p.table, journal, sizeof(journal), moment(NOW)),
			 sizeof(journal));
	assert_true(atomic_load(&table_by_id(p.table, 1)->endpoint) == entries[3].memory.endpoint);
	assert_true(atomic_load(&table_by_id(p.table, 2)->endpoint) == entries[2].memory.endpoint);
	assert_int_equal(atomic_load(&table_by_id(p.table, 1)->newest), NOW - 3);
	assert_int_equal(atomic_load(&table_by_id(p.table, 1)->highest), NOW + 4);
	for (size_t bit = 0; bit < JOURNAL_RECORD * 8; bit++) {
		struct journal_entry back;
		journal[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(journal_decode(journal, &back), -ERR_FORMAT);
		journal[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	pop_end(&p);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void ten_thousand_tunnels_are_encoded_and_decoded_quickly(void **state)
{
	enum { N = 10000 };
	struct table *t = empty_table(N), *u = empty_table(N);
	struct digest_ctx *d = digest_ctx_create();
	struct snapshot_head got;
	size_t len;

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		char net[IP6_TEXT], routed[PREFIX6_TEXT];
		snprintf(net, sizeof(net), "2001:db8:2ff:%x::", i);
		snprintf(routed, sizeof(routed), "2001:db8:2ff:%x::/64", i | 0x8000);
		assert_int_equal(table_set(t, conf_new(d, i + 1, TUNNEL_AYIYA, net,
						       (const char *const[]){ routed, NULL })),
				 0);
	}
	double start = seconds();
	uint8_t *bytes = encode(t, &len);
	double middle = seconds();
	assert_int_equal(snapshot_decode(u, d, bytes, len, moment(NOW), &got), 0);
	double end = seconds();
	assert_int_equal(table_count(u), N);
	print_message("%d tunnels: %zu bytes, written in %.4f s, read in %.4f s\n", N, len,
		      middle - start, end - middle);
	assert_true(end - start < 2);
	free(bytes);
	table_free(t);
	table_free(u);
	digest_ctx_free(d);
}

static void both_crc_implementations_agree(void **state)
{
	uint8_t b[300];

	(void)state;
	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(i * i + 7 * i);
	assert_int_equal(crc32c("123456789", 9), 0xe3069283);
	for (size_t len = 0; len <= sizeof(b); len++)
		assert_int_equal(crc32c(b, len), crc32c_portable(b, len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_long_ago_a_client_was_heard_survives_a_boot),
		cmocka_unit_test(what_was_encoded_is_decoded_again),
		cmocka_unit_test(an_empty_table_can_be_encoded),
		cmocka_unit_test(cut_at_any_byte_longer_or_with_any_bit_wrong_it_is_refused),
		cmocka_unit_test(an_invalid_value_in_an_intact_snapshot_is_refused),
		cmocka_unit_test(a_snapshot_of_a_version_before_is_read),
		cmocka_unit_test(no_tunnel_of_a_snapshot_ends_at_a_pop),
		cmocka_unit_test(a_journal_record_of_the_version_before_is_read),
		cmocka_unit_test(the_journal_is_applied_up_to_where_it_is_cut),
		cmocka_unit_test(ten_thousand_tunnels_are_encoded_and_decoded_quickly),
		cmocka_unit_test(both_crc_implementations_agree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
