/* The feed against a PostgreSQL with stand-ins for the functions that it calls. */
#include "popd/feed/pgfeed.h"

#include <ev.h>
#include <string.h>

#include "lib/io/pgpool.h"
#include "lib/log.h"
#include "tests/unit/postgres.h"
#include "tests/unit/test_popd_fixture.h"

/* A full load is one hello and one page; hello counts itself. */
static const char schema[] =
	"CREATE SCHEMA api;"
	"CREATE SEQUENCE loads;"
	"CREATE TABLE pop (name text, ipv4 text, prefixes text, peers text);"
	"INSERT INTO pop VALUES ('nlams01', '192.0.2.1', '2001:db8:2ff::/48',"
	"  '192.0.2.1,192.0.2.77');"
	"CREATE TABLE tunnel (id int, type text, routes text);"
	"CREATE TABLE change (seq bigint, op text, id int, type text, routes text);"
	"CREATE FUNCTION api.popd_hello() RETURNS TABLE (ipv4 text, tunnel_prefixes text, "
	"  subnet_prefixes text, enabled bool, feed_seq bigint, name text, "
	"  pop_addresses text) LANGUAGE sql AS $$ "
	"  SELECT nextval('loads'); SELECT ipv4, prefixes, '2001:db8:3000::/40', true, "
	"  (SELECT coalesce(max(seq), 5) FROM change), name, peers FROM pop $$;"
	"CREATE FUNCTION api.popd_tunnels(after int, int) RETURNS TABLE (id int, type text, "
	"  prefix text, secret text, endpoint text, mtu int, enabled bool, routes text) LANGUAGE sql AS $$ "
	"  SELECT id, type, format('2001:db8:2ff:%s::/64', id), repeat('0', 32), NULL, 1280, true, routes "
	"  FROM tunnel WHERE id > after ORDER BY id $$;"
	"CREATE FUNCTION api.popd_changes(after bigint, int) RETURNS TABLE (seq bigint, op text, "
	"  id int, type text, prefix text, secret text, endpoint text, mtu int, enabled bool, routes text) "
	"  LANGUAGE sql AS $$ SELECT seq, op, id, type, format('2001:db8:2ff:%s::/64', id), repeat('0', 32), "
	"  NULL, 1280, true, routes FROM change WHERE seq > after ORDER BY seq $$;";

static struct ev_loop *loop;
static struct digest_ctx *digests;

static int create_all(void **state)
{
	log_set_level(LOG_LEVEL_ERROR);
	loop = ev_loop_new(EVFLAG_AUTO);
	if (!loop || digest_init() != 0 || postgres_create(state) != 0)
		return -1;
	digests = digest_ctx_create();
	postgres_sql(schema);
	return digests ? 0 : -1;
}

static int remove_all(void **state)
{
	digest_ctx_free(digests);
	ev_loop_destroy(loop);
	return postgres_remove(state);
}

struct follower {
	struct pgpool *pool;
	struct table *table;
	struct pgfeed *feed;
	unsigned good, bad; /* loads that ended */
	char outcome[256];
	unsigned wanted; /* for has_loaded and has_seq */
};

static void pop_changed(void *ctx, const struct pop_conf *pop, bool enabled)
{
	(void)ctx;
	(void)pop;
	(void)enabled;
}

static void table_changed(void *ctx)
{
	(void)ctx;
}

static void reloaded(void *ctx, bool good, const char *outcome)
{
	struct follower *f = ctx;

	f->good += good;
	f->bad += !good;
	snprintf(f->outcome, sizeof(f->outcome), "%s", outcome);
}

static void follow(struct follower *f)
{
	static const uint8_t seed[16] = { 1 };

	*f = (struct follower){ .table = table_create(16, 1, seed) };
	f->pool = pgpool_create(loop, &(struct pgpool_conf){ .conninfo = postgres_conninfo(),
							     .application = "test",
							     .connections = 2,
							     .queue_max = 10,
							     .connect_timeout = 30.,
							     .query_timeout = 60. });
	assert_true(f->table && f->pool);
	f->feed = pgfeed_create(&(struct pgfeed_conf){ .loop = loop,
						       .pool = f->pool,
						       .table = f->table,
						       .digest = digests,
						       .pop = "nlams01",
						       .ipv4 = { 0xc0000201 },
						       .pop_changed = pop_changed,
						       .table_changed = table_changed,
						       .reloaded = reloaded,
						       .ctx = f });
	assert_non_null(f->feed);
}

static void stop_following(struct follower *f)
{
	pgfeed_free(f->feed);
	pgpool_free(f->pool);
	table_free(f->table);
	postgres_sql("TRUNCATE tunnel, change; UPDATE pop SET prefixes = '2001:db8:2ff::/48';"
		     "ALTER SEQUENCE loads RESTART");
}

static bool is_idle(void *ctx)
{
	return !pgfeed_status(((struct follower *)ctx)->feed).busy;
}

static bool has_loaded(void *ctx)
{
	const struct follower *f = ctx;

	return f->good == f->wanted && is_idle(ctx);
}

static bool has_failed(void *ctx)
{
	return ((struct follower *)ctx)->bad > 0;
}

static bool has_seq(void *ctx)
{
	const struct follower *f = ctx;

	return pgfeed_status(f->feed).seq == f->wanted && is_idle(ctx);
}

static void wait_for(struct follower *f, bool (*condition)(void *ctx), unsigned wanted)
{
	f->wanted = wanted;
	assert_true(postgres_wait(loop, condition, f, 20.));
}

static void a_reload_during_a_load_is_answered_by_a_load_of_its_own(void **state)
{
	struct follower f;

	(void)state;
	follow(&f); /* the first load is under way */
	pgfeed_reload(f.feed);
	wait_for(&f, has_loaded, 1);
	(void)postgres_wait(loop, has_failed, &f, .3);
	assert_int_equal(f.good, 1);
	postgres_sql("DO $$ BEGIN ASSERT (SELECT last_value FROM loads) = 2; END $$");
	pgfeed_reload(f.feed);
	wait_for(&f, has_loaded, 2);
	stop_following(&f);
}

static void a_bad_row_is_refused_and_the_others_are_set(void **state)
{
	struct follower f;

	(void)state;
	postgres_sql(
		"INSERT INTO tunnel VALUES (1, 'ayiya', ''), (2, 'gre', ''), (3, 'ayiya', '')");
	follow(&f);
	wait_for(&f, has_loaded, 1);
	assert_true(table_by_id(f.table, 1) && table_by_id(f.table, 3));
	assert_null(table_by_id(f.table, 2));
	assert_int_equal(pgfeed_status(f.feed).bad_rows, 1);
	assert_ptr_equal(strstr(f.outcome, "2 tunnels loaded in "), f.outcome);
	assert_non_null(strstr(f.outcome, " 0 deleted, 1 rows refused"));
	stop_following(&f);
}

static void a_load_that_fails_says_why_and_is_tried_again(void **state)
{
	struct follower f;

	(void)state;
	postgres_sql("UPDATE pop SET prefixes = '2001:db8:2ff::/56'");
	follow(&f);
	wait_for(&f, has_failed, 0);
	assert_string_equal(f.outcome,
			    "not reloaded, tunnels stay as they are and the load is tried "
			    "again: a tunnel prefix is longer than a /48");
	postgres_sql("UPDATE pop SET prefixes = '2001:db8:2ff::/48'");
	wait_for(&f, has_loaded, 1);
	stop_following(&f);
}

static void the_addresses_of_all_pops_are_known_and_nonsense_is_refused(void **state)
{
	struct follower f;

	(void)state;
	postgres_sql("UPDATE pop SET peers = '192.0.2.1,all'");
	follow(&f);
	wait_for(&f, has_failed, 0);
	assert_string_equal(f.outcome,
			    "not reloaded, tunnels stay as they are and the load is tried again: "
			    "`pop_addresses` is not a comma list of IPv4 addresses");
	postgres_sql("UPDATE pop SET peers = '192.0.2.1,192.0.2.77'");
	wait_for(&f, has_loaded, 1);
	assert_true(pop_is_peer(table_pop(f.table), addr4("192.0.2.77")));
	assert_false(pop_is_peer(table_pop(f.table), addr4("192.0.2.78")));
	stop_following(&f);
}

static void the_login_of_another_pop_is_refused(void **state)
{
	struct follower f;

	(void)state;
	postgres_sql("INSERT INTO tunnel VALUES (1, 'ayiya', ''); UPDATE pop SET name = 'nlams02'");
	follow(&f);
	wait_for(&f, has_failed, 0);
	assert_string_equal(f.outcome,
			    "not reloaded, tunnels stay as they are and the load is tried again: "
			    "the log-in is that of nlams02, but popd.conf names this PoP nlams01");
	assert_null(table_by_id(f.table, 1));
	postgres_sql("UPDATE pop SET name = 'nlams01'");
	wait_for(&f, has_loaded, 1);
	stop_following(&f);
}

static void changes_are_applied_in_order_and_a_reload_loads_everything(void **state)
{
	struct follower f;

	(void)state;
	postgres_sql(
		"INSERT INTO tunnel VALUES (1, 'ayiya', '2001:db8:3001::/48'), (4, 'ayiya', '')");
	follow(&f);
	wait_for(&f, has_loaded, 1);
	postgres_sql(
		"INSERT INTO change VALUES (6, 'set', 2, 'ayiya', '2001:db8:3001::/48'),"
		" (7, 'set', 1, 'ayiya', ''), (8, 'delete', 4, NULL, NULL), (9, 'pop', NULL, NULL, NULL),"
		" (10, 'rename', 1, NULL, NULL)");
	pgfeed_wake(f.feed);
	wait_for(&f, has_seq, 10);
	struct ip6 ip = addr("2001:db8:3001::1");
	assert_int_equal(table_lookup(f.table, &ip).conf->id, 2);
	assert_null(table_by_id(f.table, 4));
	assert_int_equal(pgfeed_status(f.feed).changes, 5);
	assert_int_equal(pgfeed_status(f.feed).bad_rows, 1);
	postgres_sql("TRUNCATE change; INSERT INTO change VALUES (11, 'reload', NULL, NULL, NULL)");
	pgfeed_wake(f.feed);
	wait_for(&f, has_loaded, 2);
	assert_null(table_by_id(f.table, 2)); /* the load does not name it */
	assert_non_null(table_by_id(f.table, 4));
	stop_following(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reload_during_a_load_is_answered_by_a_load_of_its_own),
		cmocka_unit_test(a_bad_row_is_refused_and_the_others_are_set),
		cmocka_unit_test(a_load_that_fails_says_why_and_is_tried_again),
		cmocka_unit_test(the_addresses_of_all_pops_are_known_and_nonsense_is_refused),
		cmocka_unit_test(the_login_of_another_pop_is_refused),
		cmocka_unit_test(changes_are_applied_in_order_and_a_reload_loads_everything),
	};

	return cmocka_run_group_tests(tests, create_all, remove_all);
}
