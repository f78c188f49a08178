/*
 * popd's feed and report while the allocator fails at each call in turn: whatever allocation fails,
 * in popd or in libpq, both go on when there is memory again. Against a PostgreSQL with stand-ins
 * for the functions that they call.
 */
#include <ev.h>
#include <unistd.h>

#include "lib/io/pgpool.h"
#include "lib/log.h"
#include "popd/feed/pgfeed.h"
#include "popd/report/pgreport.h"
#include "popd/report/stats.h"
#include "tests/unit/allocator.h"
#include "tests/unit/clock.h"
#include "tests/unit/postgres.h"
#include "tests/unit/test_popd_fixture.h"

enum { SWEEP_MAX = 1000, LAST_SEQ = 6 };

static const enum allocator_mode modes[] = { ALLOCATOR_FAIL_ONE, ALLOCATOR_FAIL_FROM };

static const char schema[] =
	"CREATE SCHEMA api;"
	"CREATE FUNCTION api.popd_hello() RETURNS TABLE (ipv4 text, tunnel_prefixes text, "
	"  subnet_prefixes text, enabled bool, feed_seq bigint, name text, "
	"  pop_addresses text) LANGUAGE sql AS $$ "
	"  SELECT '192.0.2.1', '2001:db8:2ff::/48', '2001:db8:3000::/40', true, 5::bigint, 'nlams01', "
	"  '192.0.2.1' $$;"
	"CREATE FUNCTION api.popd_tunnels(after int, int) RETURNS TABLE (id int, type text, "
	"  prefix text, secret text, endpoint text, mtu int, enabled bool, routes text) LANGUAGE "
	"sql AS $$ "
	"  SELECT n, 'ayiya', format('2001:db8:2ff:%%s::/64', n), repeat('0', 32), NULL, 1280, "
	"true, '' "
	"  FROM generate_series(1, 3) n WHERE n > after $$;"
	"CREATE FUNCTION api.popd_changes(after bigint, int) RETURNS TABLE (seq bigint, op "
	"text, "
	"  id int, type text, prefix text, secret text, endpoint text, mtu int, enabled bool, "
	"routes text) "
	"  LANGUAGE sql AS $$ SELECT 6::bigint, 'set', 9, 'ayiya', '2001:db8:2ff:9::/64', "
	"repeat('0', 32), "
	"  NULL, 1280, true, '' WHERE after < 6 $$;"
	"CREATE FUNCTION api.popd_report(text, text, timestamptz, int, int, int, bigint, text[]) "
	"  RETURNS TABLE (enabled bool, feed_seq bigint, clock bigint) LANGUAGE sql AS $$ SELECT true, 5::bigint, 9::bigint "
	"$$;"
	"CREATE FUNCTION api.popd_samples(text, bigint, int[], date[], int[], int[], int[], "
	"int[], "
	"  bigint[], int[], bigint[], bigint[], bigint[], bigint[], bigint[], int[], date[], "
	"text[], bigint[]) "
	"  RETURNS TABLE (applied bool) LANGUAGE sql AS $$ SELECT true $$;"
	"CREATE FUNCTION api.popd_reasons(text[], text[]) RETURNS TABLE (changed bigint) LANGUAGE "
	"plpgsql AS $$ "
	"  BEGIN COPY (SELECT 1) TO '%s/reasons'; RETURN QUERY SELECT 0::bigint; END $$;";

static struct ev_loop *loop;
static struct pgpool *pool;
static struct digest_ctx *digests;
static char reasons_file[POSTGRES_FOLDER + 16];

static void ignore(void *ctx, const struct pg_answer *answer)
{
	(void)answer;
	*(bool *)ctx = true;
}

static bool is_true(void *ctx)
{
	return *(bool *)ctx;
}

/* Every test begins with a connection, so that it is the feed's and the report's turn to fail. */
static void connect_pool(void)
{
	struct pgquery query = { 0 };
	bool is_answered = false;

	for (int i = 0; i < 20 && !pgpool_is_up(pool); i++) {
		clock_skip(.5);
		pgpool_query(pool, &query, "SELECT 1", 0, NULL, ignore, &is_answered);
		assert_true(postgres_wait(loop, is_true, &is_answered, 5.));
		is_answered = false;
	}
	assert_true(pgpool_is_up(pool));
}

static int create_all(void **state)
{
	char sql[sizeof(schema) + POSTGRES_FOLDER];

	log_set_level(LOG_LEVEL_ERROR);
	ev_set_allocator(allocator_spare);
	loop = ev_loop_new(EVFLAG_AUTO);
	if (!loop || digest_init() != 0 || postgres_create(state) != 0)
		return -1;
	digests = digest_ctx_create();
	snprintf(sql, sizeof(sql), schema, postgres_folder());
	postgres_sql(sql);
	snprintf(reasons_file, sizeof(reasons_file), "%s/reasons", postgres_folder());
	pool = pgpool_create(loop, &(struct pgpool_conf){ .conninfo = postgres_conninfo(),
							  .application = "test",
							  .connections = 2,
							  .queue_max = 10,
							  .connect_timeout = 30.,
							  .query_timeout = 60. });
	return pool ? 0 : -1;
}

static int remove_all(void **state)
{
	pgpool_free(pool);
	digest_ctx_free(digests);
	ev_loop_destroy(loop);
	unlink(reasons_file);
	return postgres_remove(state);
}

/* ---- the feed ---- */

struct follower {
	struct table *table;
	struct pgfeed *feed;
	unsigned reloads; /* that ended, well or badly */
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

	(void)good;
	(void)outcome;
	f->reloads++;
}

static bool has_reloaded(void *ctx)
{
	return ((struct follower *)ctx)->reloads > 0;
}

static bool is_idle(void *ctx)
{
	return !pgfeed_status(((struct follower *)ctx)->feed).busy;
}

static bool has_all(const struct follower *f)
{
	struct pgfeed_status s = pgfeed_status(f->feed);
	return s.loaded && !s.busy && s.seq == LAST_SEQ;
}

static void stop_following(struct follower *f)
{
	pgfeed_free(f->feed);
	table_free(f->table);
}

static void feed_goes_on_after_no_memory(void **state)
{
	static const uint8_t seed[16];

	(void)state;
	for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
		bool was_reached = true;
		unsigned n;
		for (n = 1; was_reached && n < SWEEP_MAX; n++) {
			struct follower f = { .table = table_create(16, 1, seed) };
			assert_non_null(f.table);
			connect_pool();
			allocator_fail(n, modes[m]);
			f.feed = pgfeed_create(&(struct pgfeed_conf){
				.loop = loop,
				.pool = pool,
				.table = f.table,
				.digest = digests,
				.pop = "nlams01",
				.ipv4 = { 0xc0000201 },
				.pop_changed = pop_changed,
				.table_changed = table_changed,
				.reloaded = reloaded,
				.ctx = &f,
			});
			if (f.feed) {
				(void)postgres_wait(loop, has_reloaded, &f, 2.);
				(void)postgres_wait(loop, is_idle, &f, 2.);
			}
			was_reached = allocator_restore();
			for (int i = 0; f.feed && i < 40 && !has_all(&f); i++) {
				clock_skip(.25);
				(void)postgres_wait(loop, is_idle, &f, .05);
			}
			if (f.feed && !has_all(&f))
				fail_msg("the feed stopped when allocation %u failed", n);
			stop_following(&f);
		}
		print_message("  a load and its changes: %u allocations\n", n - 2);
		assert_in_range(n, 10, SWEEP_MAX - 1);
	}
}

/* ---- the report ---- */

struct reporter {
	struct pop pop;
	struct stats *stats;
	struct pgreport *report;
	unsigned answers;
	bool is_finished;
};

static void facts(void *ctx, struct pgreport_facts *out)
{
	(void)ctx;
	*out = (struct pgreport_facts){ .configured = 3, .up = 2, .active = 1, .feed_seq = 5 };
}

static void collect(void *ctx)
{
	struct reporter *r = ctx;

	atomic_fetch_add(&r->pop.counters->tunnels[0].packets_in, 1);
	stats_collect(r->stats, r->pop.table, &r->pop.counters, 1, (wall_t){ 1800000000 });
}

static void report_answered(void *ctx, bool enabled, uint64_t seq, int64_t clock)
{
	(void)clock;
	(void)enabled;
	(void)seq;
	((struct reporter *)ctx)->answers++;
}

static void finished(void *ctx)
{
	((struct reporter *)ctx)->is_finished = true;
}

static void start_reporting(struct reporter *r)
{
	*r = (struct reporter){ .pop = pop_new() };
	r->stats = stats_create(FIXTURE_TUNNELS, 2 * STATS_BATCH / FIXTURE_TUNNELS,
				STATS_DROPS_A_SLOT);
	r->report = pgreport_create(&(struct pgreport_conf){
		.loop = loop,
		.pool = pool,
		.stats = r->stats,
		.incarnation = "00112233445566778899aabbccddeeff",
		.started = 1800000000,
		.interval = 10.,
		.statistics_interval = 10.,
		.facts = facts,
		.collect = collect,
		.answered = report_answered,
		.ctx = r,
	});
	assert_non_null(r->stats);
	assert_non_null(r->report);
	unlink(reasons_file);
}

static bool has_reported_all(void *ctx)
{
	struct reporter *r = ctx;
	return r->answers > 0 && stats_waiting(r->stats) == 0 && access(reasons_file, F_OK) == 0;
}

/* So many entries that they take two batches. */
static void fill(struct reporter *r)
{
	for (int quarter = 0; quarter <= STATS_BATCH; quarter++) {
		wall_t at = { 1800000000 + quarter * QUARTER_SECONDS };
		atomic_fetch_add(&r->pop.counters->tunnels[0].packets_in, 1);
		stats_collect(r->stats, r->pop.table, &r->pop.counters, 1, at);
	}
	assert_true(stats_waiting(r->stats) > STATS_BATCH);
}

/* Statements may still be under way. */
static void stop_reporting(struct reporter *r)
{
	if (!r->is_finished)
		pgreport_finish(r->report, finished);
	assert_true(postgres_wait(loop, is_true, &r->is_finished, 5.));
	pgreport_free(r->report);
	stats_free(r->stats);
	pop_end(&r->pop);
}

static void report_goes_on_after_no_memory(void **state)
{
	(void)state;
	for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
		bool was_reached = true;
		unsigned n;
		for (n = 1; was_reached && n < SWEEP_MAX; n++) {
			struct reporter r;
			connect_pool();
			start_reporting(&r);
			clock_skip(10.);
			allocator_fail(n, modes[m]);
			(void)postgres_wait(loop, has_reported_all, &r, m == 0 ? .1 : .05);
			was_reached = allocator_restore();
			/* What was told while memory failed proves nothing. */
			r.answers = 0;
			for (int i = 0; i < 100 && !has_reported_all(&r); i++) {
				clock_skip(10.);
				(void)postgres_wait(loop, has_reported_all, &r, .05);
			}
			if (!has_reported_all(&r))
				fail_msg("no %s came any more after allocation %u failed",
					 r.answers == 0               ? "report"
					 : stats_waiting(r.stats) > 0 ? "statistics"
								      : "reasons",
					 n);
			stop_reporting(&r);
		}
		print_message("  a report, statistics and reasons: %u allocations\n", n - 2);
		assert_in_range(n, 15, SWEEP_MAX - 1);
	}
}

static void last_report_ends_without_memory(void **state)
{
	(void)state;
	for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
		bool was_reached = true;
		for (unsigned n = 1; was_reached && n < SWEEP_MAX; n++) {
			struct reporter r;
			connect_pool();
			start_reporting(&r);
			fill(&r);
			(void)postgres_wait(loop, has_reported_all, &r, .01);
			allocator_fail(n, modes[m]);
			pgreport_finish(r.report, finished);
			bool is_finished = postgres_wait(loop, is_true, &r.is_finished, 5.);
			was_reached = allocator_restore();
			if (!is_finished)
				fail_msg("popd would not stop when allocation %u failed", n);
			stop_reporting(&r);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(feed_goes_on_after_no_memory),
		cmocka_unit_test(report_goes_on_after_no_memory),
		cmocka_unit_test(last_report_ends_without_memory),
	};
	return cmocka_run_group_tests(tests, create_all, remove_all);
}
