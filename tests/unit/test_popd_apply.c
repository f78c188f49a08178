/* Rows of the feed in the order in which a database may send them: the table ends as the last rows
 * say. */
#include "popd/feed/apply.h"

#include "lib/clock.h"
#include "lib/log.h"
#include "tests/unit/test_popd_fixture.h"

struct feed {
	struct table *table;
	struct digest_ctx *digest;
	struct apply *apply;
};

static struct feed feed_new(size_t capacity)
{
	static const uint8_t seed[16] = { 9 };
	struct feed f = { table_create(capacity, 1, seed), digest_ctx_create(), NULL };

	log_init("test", LOG_LEVEL_ERROR);
	assert_true(f.table && f.digest);
	f.apply = apply_create(f.table, f.digest);
	assert_non_null(f.apply);
	return f;
}

static void feed_end(struct feed *f)
{
	apply_free(f->apply);
	table_free(f->table);
	digest_ctx_free(f->digest);
}

/* A row of tunnel `id` with these routes. */
static void set(struct feed *f, uint32_t id, const char *routes)
{
	char number[16], net[PREFIX6_TEXT];

	snprintf(number, sizeof(number), "%u", id);
	snprintf(net, sizeof(net), "2001:db8:2ff:%x::/64", id);
	apply_set(f->apply, &(struct feedrow_tunnel){ .id = number,
						      .type = "ayiya",
						      .prefix = net,
						      .secret = SECRET,
						      .mtu = "1280",
						      .enabled = "t",
						      .routes = routes });
}

/* The tunnel that an address leads to; 0: none. */
static uint32_t holder(const struct feed *f, const char *address)
{
	struct ip6 ip = addr(address);
	struct route r = table_lookup(f->table, &ip);

	return r.conf ? r.conf->id : 0;
}

static void a_prefix_that_moves_may_arrive_with_its_new_tunnel_first(void **state)
{
	struct feed f = feed_new(8);

	(void)state;
	set(&f, 1, "");
	set(&f, 2, "2001:db8:3002::/48");
	set(&f, 3, "2001:db8:3003::/48");
	set(&f, 1, "2001:db8:3002::/48");
	set(&f, 2, "2001:db8:3003::/48"); /* a chain of three */
	set(&f, 3, "2001:db8:3001::/48");
	assert_int_equal(holder(&f, "2001:db8:3002::1"), 2);
	apply_settle(f.apply);
	assert_int_equal(holder(&f, "2001:db8:3001::1"), 3);
	assert_int_equal(holder(&f, "2001:db8:3002::1"), 1);
	assert_int_equal(holder(&f, "2001:db8:3003::1"), 2);
	assert_int_equal(apply_refused(f.apply), 0);
	feed_end(&f);
}

static void a_prefix_that_stays_another_tunnels_is_refused_once(void **state)
{
	struct feed f = feed_new(8);

	(void)state;
	set(&f, 1, "2001:db8:3001::/48");
	set(&f, 2, "2001:db8:3001::/48");
	apply_settle(f.apply);
	apply_settle(f.apply);
	assert_int_equal(apply_refused(f.apply), 1);
	assert_int_equal(holder(&f, "2001:db8:3001::1"), 1);
	assert_null(table_by_id(f.table, 2));
	feed_end(&f);
}

static void a_row_that_waits_never_undoes_a_later_one(void **state)
{
	struct feed f = feed_new(8);

	(void)state;
	set(&f, 1, "2001:db8:3001::/48");
	set(&f, 2, "2001:db8:3001::/48"); /* waits */
	set(&f, 3, "2001:db8:3001::/48"); /* waits */
	set(&f, 2, "2001:db8:3009::/48");
	apply_delete(f.apply, 3);
	apply_delete(f.apply, 1);
	apply_settle(f.apply);
	assert_int_equal(holder(&f, "2001:db8:3001::1"), 0);
	assert_int_equal(holder(&f, "2001:db8:3009::1"), 2);
	assert_null(table_by_id(f.table, 3));
	assert_int_equal(table_count(f.table), 1);
	feed_end(&f);
}

static void after_a_failure_nothing_waits(void **state)
{
	struct feed f = feed_new(8);

	(void)state;
	set(&f, 1, "2001:db8:3001::/48");
	set(&f, 2, "2001:db8:3001::/48");
	apply_drop_waiting(f.apply);
	apply_delete(f.apply, 1);
	apply_settle(f.apply);
	assert_int_equal(table_count(f.table), 0);
	assert_int_equal(apply_refused(f.apply), 0);
	feed_end(&f);
}

static void a_full_load_deletes_what_it_does_not_name(void **state)
{
	struct feed f = feed_new(8);

	(void)state;
	for (uint32_t id = 1; id <= 4; id++)
		set(&f, id, id == 4 ? "2001:db8:3004::/48" : "");
	for (int load = 0; load < 2; load++) {
		apply_begin_load(f.apply);
		set(&f, 1, "2001:db8:3004::/48"); /* tunnel 4's until that is deleted */
		set(&f, 3, "not a route");        /* refused, but named: it stays */
		assert_int_equal(apply_end_load(f.apply), load == 0 ? 2 : 0);
		assert_int_equal(holder(&f, "2001:db8:3004::1"), 1);
		assert_int_equal(table_count(f.table), 2);
		assert_non_null(table_by_id(f.table, 3));
		assert_int_equal(apply_refused(f.apply), load + 1);
	}
	feed_end(&f);
}

static void set_type(struct feed *f, uint32_t id, const char *type, const char *endpoint)
{
	char number[16], net[PREFIX6_TEXT];

	snprintf(number, sizeof(number), "%u", id);
	snprintf(net, sizeof(net), "2001:db8:2ff:%x::/64", id);
	apply_set(f->apply, &(struct feedrow_tunnel){ .id = number,
						      .type = type,
						      .prefix = net,
						      .secret = SECRET,
						      .endpoint = endpoint,
						      .mtu = "1280",
						      .enabled = "t",
						      .routes = "" });
}

/* Within a day of the real clock. */
static bool is_remembered(const struct feed *f, uint32_t id, const char *endpoint)
{
	char text[IP6_TEXT];
	struct ip6 found;

	snprintf(text, sizeof(text), "2001:db8:2ff:%x::", id);
	struct ip6 net = addr(text);
	return gone_find(table_gone(f->table), addr4(endpoint), &net, false,
			 (uint32_t)(mono_us_now().us / 1000000), &found);
}

static void endpoints_of_protocol_41_that_end_are_remembered(void **state)
{
	static const struct {
		const char *type, *becomes; /* NULL: deleted; "": not named by a full load */
		bool remembered;
	} rows[] = {
		{ "static", NULL, true },        { "static", "", true },
		{ "static", "ayiya", true },     { "static", "heartbeat", true },
		{ "static", "static", false },   { "heartbeat", "ayiya", true },
		{ "heartbeat", "static", true }, { "heartbeat", NULL, false },
		{ "heartbeat", "", false },      { "ayiya", NULL, false },
		{ "ayiya", "static", false },    { "heartbeat", "heartbeat", false },
	};
	struct feed f = feed_new(64);

	(void)state;
	for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t id = i + 1;
		set_type(&f, id, rows[i].type, "203.0.113.7");
		(void)table_restore(
			f.table, id,
			&(struct tunnel_memory){
				endpoint_pack(at("203.0.113.7", 0), 0), NOW, NOW, { NOW } });
		assert_false(is_remembered(&f, id, "203.0.113.7"));
		if (!rows[i].becomes) {
			apply_delete(f.apply, id);
		} else if (rows[i].becomes[0]) {
			set_type(&f, id, rows[i].becomes, "203.0.113.8");
		} else {
			apply_begin_load(f.apply);
			assert_true(apply_end_load(f.apply) > 0);
		}
		if (is_remembered(&f, id, "203.0.113.7") != rows[i].remembered)
			fail_msg("%s that becomes %s", rows[i].type, rows[i].becomes);
		assert_false(is_remembered(&f, id, "203.0.113.8"));
	}
	feed_end(&f);
}

static void a_full_table_refuses_and_goes_on(void **state)
{
	struct feed f = feed_new(2);

	(void)state;
	for (uint32_t id = 1; id <= 4; id++)
		set(&f, id, "");
	assert_int_equal(apply_refused(f.apply), 2);
	set(&f, 2, "2001:db8:3002::/48");
	assert_int_equal(holder(&f, "2001:db8:3002::1"), 2);
	apply_delete(f.apply, 1);
	apply_delete(f.apply, 1);
	table_reclaim(f.table);
	set(&f, 4, "");
	assert_non_null(table_by_id(f.table, 4));
	assert_int_equal(apply_refused(f.apply), 2);
	feed_end(&f);
}

/* One more than may wait at a time: it is refused at once. The others get their prefixes. */
static void more_than_may_wait_are_refused(void **state)
{
	enum { WAITING_MAX = 4096 };
	struct feed f = feed_new(WAITING_MAX + 8);
	char route[PREFIX6_TEXT];

	(void)state;
	set(&f, 1, "2001:db8:3001::/48");
	for (uint32_t id = 2; id < 2 + WAITING_MAX; id++) {
		snprintf(route, sizeof(route), "2001:db8:3001::/48,2001:db8:%x::/48", 0x4000 + id);
		set(&f, id, route);
	}
	assert_int_equal(apply_refused(f.apply), 0);
	set(&f, 2 + WAITING_MAX, "2001:db8:3001::/48");
	assert_int_equal(apply_refused(f.apply), 1);
	apply_delete(f.apply, 1);
	apply_settle(f.apply);
	assert_int_equal(table_count(f.table), 1); /* one of those that want the same prefix */
	assert_int_equal(apply_refused(f.apply), WAITING_MAX);
	feed_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_prefix_that_moves_may_arrive_with_its_new_tunnel_first),
		cmocka_unit_test(a_prefix_that_stays_another_tunnels_is_refused_once),
		cmocka_unit_test(a_row_that_waits_never_undoes_a_later_one),
		cmocka_unit_test(after_a_failure_nothing_waits),
		cmocka_unit_test(a_full_load_deletes_what_it_does_not_name),
		cmocka_unit_test(endpoints_of_protocol_41_that_end_are_remembered),
		cmocka_unit_test(a_full_table_refuses_and_goes_on),
		cmocka_unit_test(more_than_may_wait_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
