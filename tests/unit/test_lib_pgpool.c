/*
 * The database pool against a real PostgreSQL of its own: a cluster in a temporary folder, reached
 * by a unix socket only. The server is stopped, frozen, restarted and made to refuse, and each
 * statement must still get exactly one answer, in time.
 */
#include "lib/io/pgpool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/log.h"
#include "tests/unit/postgres.h"

static struct ev_loop *loop;

static int create_all(void **state)
{
	loop = ev_loop_new(EVFLAG_AUTO);
	return loop ? postgres_create(state) : -1;
}

static int remove_all(void **state)
{
	ev_loop_destroy(loop);
	return postgres_remove(state);
}

/* ---- asking ---- */

enum { ASK_MAX = 2000 };

static struct ask {
	struct pgquery query;
	unsigned answers;
	int err;
	char sqlstate[6], text[256];
	int64_t asked, answered;
} asks[ASK_MAX];
static unsigned n_answers;
static bool inside_query;

static void on_done(void *ctx, const struct pg_answer *a)
{
	struct ask *ask = ctx;

	assert_false(inside_query);
	assert_non_null(a->message);
	assert_int_equal(a->err == 0, a->res != NULL);
	assert_false(pgquery_is_active(&ask->query));
	ask->answers++;
	ask->err = a->err;
	snprintf(ask->sqlstate, sizeof(ask->sqlstate), "%s", a->sqlstate);
	snprintf(ask->text, sizeof(ask->text), "%s", a->res ? pgres_str(a->res, 0, 0) : a->message);
	ask->answered = mono_now().ms;
	n_answers++;
}

/* The longest time between two iterations of the loop, which has a timer every 10 ms: for so long
 * the pool blocked it. */
static int64_t last_tick, longest_gap;

static void on_tick(struct ev_loop *l, ev_timer *w, int revents)
{
	int64_t now = mono_now().ms;

	(void)l;
	(void)w;
	(void)revents;
	if (now - last_tick > longest_gap)
		longest_gap = now - last_tick;
	last_tick = now;
}

static int loop_was_never_held_up(void **state)
{
	(void)state;
	bool is_good = longest_gap < 900;
	if (!is_good)
		print_error("the loop stood still for %lld ms\n", (long long)longest_gap);
	longest_gap = 0;
	return is_good ? 0 : -1;
}

static bool all_answered(void *ctx)
{
	return n_answers >= *(unsigned *)ctx;
}

/* Runs the loop until there are `answers` answers in total, or time is up. */
static bool wait_answers(unsigned answers, double seconds)
{
	ev_timer tick;

	last_tick = mono_now().ms;
	ev_now_update(loop);
	ev_timer_init(&tick, on_tick, .01, .01);
	ev_timer_start(loop, &tick);
	bool is_good = postgres_wait(loop, all_answered, &answers, seconds);
	ev_timer_stop(loop, &tick);
	return is_good;
}

static void turn(double seconds)
{
	(void)wait_answers(UINT32_MAX, seconds);
}

static void ask(struct pgpool *pool, unsigned i, const char *sql, const char *param)
{
	const char *params[] = { param };

	memset(&asks[i], 0, sizeof(asks[i]));
	asks[i].asked = mono_now().ms;
	inside_query = true;
	pgpool_query(pool, &asks[i].query, sql, strstr(sql, "$1") ? 1 : 0, params, on_done,
		     &asks[i]);
	inside_query = false;
	assert_true(pgquery_is_active(&asks[i].query));
}

/* Asks one thing and waits for its answer. */
static struct ask *ask_now(struct pgpool *pool, const char *sql, const char *param)
{
	n_answers = 0;
	ask(pool, 0, sql, param);
	assert_true(wait_answers(1, 10.));
	return &asks[0];
}

/* Until the server answers, as after a restart. */
static void wait_up(struct pgpool *pool)
{
	for (int i = 0; i < 100 && ask_now(pool, "SELECT 1", NULL)->err != 0; i++)
		turn(.1);
	assert_true(pgpool_is_up(pool));
}

/* ---- the tests ---- */

static void result_is_read_within_its_bounds(void **state)
{
	struct pgpool *pool = postgres_pool_create(loop);

	(void)state;
	assert_false(pgpool_is_up(pool));
	assert_int_equal(ask_now(pool, "SELECT $1::text", "caf\xc3\xa9")->err, 0);
	assert_string_equal(asks[0].text, "caf\xc3\xa9");
	assert_string_equal(ask_now(pool, "SELECT coalesce($1::text, 'was null')", NULL)->text,
			    "was null");
	assert_string_equal(ask_now(pool, "SELECT current_setting('application_name')", NULL)->text,
			    "test");
	assert_string_equal(
		ask_now(pool, "SELECT current_setting('statement_timeout')", NULL)->text, "2001ms");
	assert_true(pgpool_is_up(pool));
	pgpool_free(pool);
}

static void check_values(void *ctx, const struct pg_answer *a)
{
	int64_t v;

	(void)ctx;
	n_answers++;
	assert_int_equal(a->err, 0);
	assert_int_equal(pgres_rows(a->res), 1);
	assert_int_equal(pgres_cols(a->res), 5);
	assert_int_equal(pgres_i64(a->res, 0, 0, &v), 0);
	assert_true(v == INT64_MIN);
	assert_int_equal(pgres_i64(a->res, 0, 1, &v), -ERR_NOT_FOUND);
	assert_int_equal(pgres_i64(a->res, 0, 2, &v), -ERR_FORMAT);
	assert_true(pgres_bool(a->res, 0, 3));
	assert_false(pgres_bool(a->res, 0, 4));
	assert_false(pgres_bool(a->res, 0, 1));
	assert_null(pgres_text(a->res, 0, 1));
	assert_string_equal(pgres_str(a->res, 0, 1), "");
	assert_null(pgres_text(a->res, 1, 0));
	assert_null(pgres_text(a->res, 0, 5));
	assert_int_equal(pgres_i64(a->res, 7, 7, &v), -ERR_NOT_FOUND);
}

static void values_have_types_and_nulls(void **state)
{
	struct pgpool *pool = postgres_pool_create(loop);
	struct pgquery query = { 0 };

	(void)state;
	n_answers = 0;
	pgpool_query(pool, &query,
		     "SELECT '-9223372036854775808'::bigint, NULL::int, 'x', true, false", 0, NULL,
		     check_values, NULL);
	assert_true(wait_answers(1, 5.));
	pgpool_free(pool);
}

static void errors_are_sorted_by_sqlstate(void **state)
{
	static const struct {
		const char *sqlstate;
		int err;
	} rows[] = { { "BK001", -ERR_REFUSED }, { "BK005", -ERR_REFUSED }, { "23505", -ERR_FORMAT },
		     { "P0001", -ERR_FORMAT },  { "40P01", -ERR_BUSY },    { "55P03", -ERR_BUSY },
		     { "57P03", -ERR_AWAY },    { "53300", -ERR_AWAY },    { "25006", -ERR_AWAY },
		     { "57014", -ERR_TIMEOUT } };
	struct pgpool *pool = postgres_pool_create(loop);

	(void)state;
	assert_int_equal(
		ask_now(pool,
			"CREATE OR REPLACE FUNCTION refuse(code text) RETURNS int LANGUAGE plpgsql AS $f$ BEGIN "
			"RAISE EXCEPTION USING ERRCODE = code, MESSAGE = E'No:\nnot  now.', DETAIL = 'private'; END $f$",
			NULL)
			->err,
		0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ask_now(pool, "SELECT refuse($1)", rows[i].sqlstate);
		assert_int_equal(asks[0].err, rows[i].err);
		assert_string_equal(asks[0].sqlstate, rows[i].sqlstate);
		assert_string_equal(asks[0].text, "No: not now.");
	}
	assert_int_equal(ask_now(pool, "SELECT nonsense(", NULL)->err, -ERR_FORMAT);
	assert_int_equal(ask_now(pool, "COPY (SELECT 1) TO STDOUT", NULL)->err, -ERR_AWAY);
	assert_int_equal(ask_now(pool, "SELECT 1", NULL)->err, 0);
	pgpool_free(pool);
}

static void many_statements_share_few_connections(void **state)
{
	struct pgpool *pool = postgres_pool_create(loop);

	(void)state;
	n_answers = 0;
	for (unsigned i = 0; i < 500; i++) {
		char number[16];
		snprintf(number, sizeof(number), "%u", i);
		ask(pool, i, "SELECT $1::int", number);
	}
	assert_true(wait_answers(500, 10.));
	for (unsigned i = 0; i < 500; i++) {
		assert_int_equal(asks[i].answers, 1);
		assert_int_equal(asks[i].err, 0);
		assert_int_equal(atoi(asks[i].text), (int)i);
	}
	/* Fewer when the first connections had answered everything before the last was made; never
	 * more. */
	assert_in_range(
		atoi(ask_now(pool,
			     "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'test'",
			     NULL)
			     ->text),
		1, 4);
	pgpool_free(pool);
}

static void check_large(void *ctx, const struct pg_answer *a)
{
	const char *sent = ctx;

	n_answers++;
	assert_int_equal(a->err, 0);
	assert_string_equal(pgres_str(a->res, 0, 0), sent);
	assert_string_equal(pgres_str(a->res, 0, 1), "y");
}

/* More than a socket takes at once, in both directions. */
static void large_parameter_and_result_pass_in_pieces(void **state)
{
	enum { SIZE = 6 * 1000 * 1000 };
	struct pgpool *pool = postgres_pool_create(loop);
	char *large = malloc(SIZE + 1);
	struct pgquery query = { 0 };

	(void)state;
	memset(large, 'x', SIZE);
	large[SIZE] = '\0';
	n_answers = 0;
	pgpool_query(pool, &query, "SELECT $1::text, $2::text", 2,
		     (const char *const[]){ large, "y" }, check_large, large);
	assert_true(wait_answers(1, 10.));
	free(large);
	pgpool_free(pool);
}

static void full_queue_answers_busy(void **state)
{
	struct pgpool_conf conf = postgres_pool_conf();
	conf.connections = 1;
	conf.queue_max = 3;
	struct pgpool *pool = pgpool_create(loop, &conf);

	(void)state;
	ask_now(pool, "SELECT 1", NULL);
	n_answers = 0;
	for (unsigned i = 0; i < 6; i++)
		ask(pool, i, "SELECT pg_sleep(0.05)", NULL);
	assert_true(wait_answers(6, 5.));
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(asks[i].err, i < 4 ? 0 : -ERR_BUSY);
	pgpool_free(pool);
}

static void forgotten_statement_runs_and_is_not_answered(void **state)
{
	struct pgpool *pool = postgres_pool_create(loop);

	(void)state;
	ask_now(pool, "CREATE TABLE IF NOT EXISTS mark (n int)", NULL);
	n_answers = 0;
	ask(pool, 1, "INSERT INTO mark SELECT 1 FROM pg_sleep(0.1)", NULL);
	pgpool_forget(pool, &asks[1].query);
	assert_false(pgquery_is_active(&asks[1].query));
	pgpool_forget(pool, &asks[1].query);
	turn(.4);
	assert_int_equal(asks[1].answers, 0);
	assert_string_equal(ask_now(pool, "SELECT count(*) FROM mark", NULL)->text, "1");
	pgpool_free(pool);
}

static void slow_statement_times_out_and_others_go_on(void **state)
{
	struct pgpool *pool = postgres_pool_create(loop);

	(void)state;
	n_answers = 0;
	ask(pool, 1, "SELECT pg_sleep(30)", NULL);
	ask(pool, 2, "SELECT 2", NULL);
	assert_true(wait_answers(2, 4.));
	assert_int_equal(asks[2].err, 0);
	assert_true(asks[2].answered - asks[2].asked < 500);
	assert_int_equal(asks[1].err, -ERR_TIMEOUT);
	assert_in_range(asks[1].answered - asks[1].asked, 1900, 2300);
	/* The server has cancelled it as well. */
	turn(.2);
	assert_string_equal(
		ask_now(pool,
			"SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(30)%' "
			"AND state = 'active'",
			NULL)
			->text,
		"0");
	pgpool_free(pool);
}

static void replaced_function_is_prepared_anew(void **state)
{
	struct pgpool_conf conf = postgres_pool_conf();
	conf.connections = 1;
	struct pgpool *pool = pgpool_create(loop, &conf), *other = postgres_pool_create(loop);

	(void)state;
	ask_now(other,
		"CREATE OR REPLACE FUNCTION shape() RETURNS TABLE (a int) LANGUAGE sql AS 'SELECT 1'",
		NULL);
	assert_string_equal(ask_now(pool, "SELECT * FROM shape()", NULL)->text, "1");
	ask_now(other, "DROP FUNCTION shape()", NULL);
	ask_now(other,
		"CREATE FUNCTION shape() RETURNS TABLE (a text, b int) LANGUAGE sql AS $$ SELECT 'new', 2 $$",
		NULL);
	assert_int_equal(ask_now(pool, "SELECT * FROM shape()", NULL)->err, 0);
	assert_string_equal(asks[0].text, "new");
	assert_int_equal(ask_now(pool, "DEALLOCATE ALL", NULL)->err, 0);
	assert_string_equal(ask_now(pool, "SELECT * FROM shape()", NULL)->text, "new");
	pgpool_free(pool);
	pgpool_free(other);
}

static void absent_server_is_refused_fast_and_found_again(void **state)
{
	(void)state;
	postgres_stop("fast");
	struct pgpool *pool = postgres_pool_create(loop);
	for (unsigned round = 0; round < 3; round++) {
		ask_now(pool, "SELECT 1", NULL);
		assert_int_equal(asks[0].err, -ERR_AWAY);
		assert_true(asks[0].answered - asks[0].asked < 400);
	}
	assert_false(pgpool_is_up(pool));
	turn(1.5);
	postgres_start(0);
	/* The pauses have grown by now; a statement does not have to wait for them. */
	assert_int_equal(ask_now(pool, "SELECT 1", NULL)->err, 0);
	assert_true(asks[0].answered - asks[0].asked < 800);
	assert_true(pgpool_is_up(pool));
	pgpool_free(pool);
}

static void server_comes_back_without_being_asked(void **state)
{
	struct pgpool *pool = postgres_pool_create(loop);

	(void)state;
	wait_up(pool);
	postgres_stop("fast");
	turn(.3);
	assert_false(pgpool_is_up(pool));
	postgres_start(0);
	turn(1.5);
	assert_true(pgpool_is_up(pool));
	pgpool_free(pool);
}

static void restart_under_load_answers_everything_once(void **state)
{
	struct pgpool *pool = postgres_pool_create(loop);
	unsigned asked = 0, by_err[ERR__COUNT] = { 0 };

	(void)state;
	wait_up(pool);
	n_answers = 0;
	postgres_restart_later(.5);
	for (int64_t begin = mono_now().ms;
	     mono_now().ms - begin < 4000 && asked + 10 <= ASK_MAX;) {
		for (unsigned i = 0; i < 10; i++)
			ask(pool, asked++, "SELECT 1 FROM pg_sleep(0.002)", NULL);
		turn(.02);
	}
	assert_true(wait_answers(asked, 5.));
	turn(.1);
	assert_int_equal(n_answers, asked);
	for (unsigned i = 0; i < asked; i++) {
		assert_int_equal(asks[i].answers, 1);
		assert_in_range(asks[i].answered - asks[i].asked, 0, 2200);
		by_err[-asks[i].err]++;
	}
	print_message("  restart under load: %u asked, %u good, %u away, %u timed out\n", asked,
		      by_err[0], by_err[ERR_AWAY], by_err[ERR_TIMEOUT]);
	assert_int_equal(by_err[0] + by_err[ERR_AWAY] + by_err[ERR_TIMEOUT], asked);
	assert_true(by_err[0] > 0 && by_err[ERR_AWAY] > 0);
	wait_up(pool);
	pgpool_free(pool);
}

static void frozen_server_costs_its_timeout_then_nothing(void **state)
{
	struct pgpool *pool = postgres_pool_create(loop);

	(void)state;
	wait_up(pool);
	postgres_signal("STOP");
	n_answers = 0;
	for (unsigned i = 0; i < 8; i++)
		ask(pool, i, "SELECT 3", NULL);
	assert_true(wait_answers(8, 5.));
	for (unsigned i = 0; i < 8; i++) {
		assert_true(asks[i].err == -ERR_TIMEOUT || asks[i].err == -ERR_AWAY);
		assert_in_range(asks[i].answered - asks[i].asked, 0, 2300);
	}
	/* From here on the server is known to be away. */
	for (unsigned round = 0; round < 4; round++) {
		ask_now(pool, "SELECT 4", NULL);
		assert_int_equal(asks[0].err, -ERR_AWAY);
		assert_true(asks[0].answered - asks[0].asked < 700);
	}
	assert_false(pgpool_is_up(pool));
	postgres_signal("CONT");
	wait_up(pool);
	pgpool_free(pool);
}

static void full_server_still_serves_through_what_there_is(void **state)
{
	(void)state;
	postgres_stop("fast");
	postgres_start(3);
	struct pgpool_conf conf = postgres_pool_conf();
	conf.connections = 8;
	struct pgpool *pool = pgpool_create(loop, &conf);
	wait_up(pool);
	n_answers = 0;
	for (unsigned i = 0; i < 100; i++)
		ask(pool, i, "SELECT 5 FROM pg_sleep(0.005)", NULL);
	assert_true(wait_answers(100, 5.));
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(asks[i].err, 0);
	pgpool_free(pool);
	postgres_stop("fast");
	postgres_start(0);
}

static void silent_first_host_does_not_hide_the_second(void **state)
{
	struct pgpool_conf conf = postgres_pool_conf();
	char conninfo[256], silent[128];
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	(void)state;
	/* A socket that accepts connections and never answers. */
	snprintf(silent, sizeof(silent), "%s/silent", postgres_folder());
	postgres_shell("mkdir -m 777 %s", silent);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%.80s/.s.PGSQL.5432", silent);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 100), 0);

	snprintf(conninfo, sizeof(conninfo), "host=%s,%s dbname=postgres user=owner", silent,
		 postgres_folder());
	conf.conninfo = conninfo;
	struct pgpool *pool = pgpool_create(loop, &conf);
	ask_now(pool, "SELECT 1", NULL);
	wait_up(pool);
	pgpool_free(pool);
	close(fd);
	unlink(addr.sun_path);
	postgres_shell("rmdir %s", silent);
}

static unsigned n_notes;
static char last_note[64];

static void on_note(void *ctx, const char *payload)
{
	(void)ctx;
	n_notes++;
	snprintf(last_note, sizeof(last_note), "%s", payload);
}

static void listener_hears_and_says_when_it_may_have_missed(void **state)
{
	struct pgpool_conf conf = postgres_pool_conf();
	conf.listen = "feed_\"Odd";
	conf.notify = on_note;
	struct pgpool *pool = pgpool_create(loop, &conf);

	(void)state;
	n_notes = 0;
	turn(.3);
	assert_int_equal(n_notes, 1);
	assert_string_equal(last_note, "");
	assert_true(pgpool_is_up(pool));
	ask_now(pool, "NOTIFY \"feed_\"\"Odd\", '17'", NULL);
	turn(.1);
	assert_int_equal(n_notes, 2);
	assert_string_equal(last_note, "17");
	postgres_stop("immediate");
	turn(.2);
	assert_false(pgpool_is_up(pool));
	postgres_start(0);
	turn(1.);
	assert_int_equal(n_notes, 3);
	assert_string_equal(last_note, "");
	pgpool_free(pool);
}

static struct pgpool *victim;

static void free_pool(void *ctx, const struct pg_answer *a)
{
	(void)ctx;
	(void)a;
	n_answers++;
	pgpool_free(victim);
}

static void free_pool_by_note(void *ctx, const char *payload)
{
	(void)ctx;
	(void)payload;
	n_answers++;
	pgpool_free(victim);
}

static void pool_may_be_freed_from_its_callbacks(void **state)
{
	struct pgpool_conf conf = postgres_pool_conf();
	struct pgquery queries[5] = { 0 };

	(void)state;
	victim = postgres_pool_create(loop);
	n_answers = 0;
	for (unsigned i = 0; i < ARRAY_LEN(queries); i++)
		pgpool_query(victim, &queries[i], "SELECT 1", 0, NULL, free_pool, NULL);
	turn(.3);
	assert_int_equal(n_answers, 1);

	conf.listen = "x";
	conf.notify = free_pool_by_note;
	victim = pgpool_create(loop, &conf);
	n_answers = 0;
	turn(.3);
	assert_int_equal(n_answers, 1);
	/* With statements in every place: waiting, running, answered. */
	struct pgpool *pool = postgres_pool_create(loop);
	for (unsigned i = 0; i < 20; i++)
		ask(pool, i, "SELECT pg_sleep(1)", NULL);
	turn(.2);
	pgpool_free(pool);
	pgpool_free(NULL);
}

static struct pgpool *asking_again;
static struct pgquery again;
static unsigned left;

static void ask_again(void *ctx, const struct pg_answer *a)
{
	(void)ctx;
	(void)a;
	n_answers++;
	if (left-- > 0)
		pgpool_query(asking_again, &again, "SELECT 1", 0, NULL, ask_again, NULL);
}

static void answer_may_ask_again(void **state)
{
	(void)state;
	asking_again = postgres_pool_create(loop);
	left = 500;
	n_answers = 0;
	int64_t begin = mono_now().ms;
	pgpool_query(asking_again, &again, "SELECT 1", 0, NULL, ask_again, NULL);
	assert_true(wait_answers(501, 5.));
	print_message("  500 statements one after the other: %lld ms\n",
		      (long long)(mono_now().ms - begin));
	pgpool_free(asking_again);
}

static void renewed_connections_are_opened_again_and_lose_no_statement(void **state)
{
	static const char pid[] = "SELECT pg_backend_pid()::text";
	struct pgpool *pool = postgres_pool_create(loop);
	char before[16], idle[16];

	(void)state;
	snprintf(before, sizeof(before), "%.15s", ask_now(pool, pid, NULL)->text);
	assert_string_equal(ask_now(pool, pid, NULL)->text, before);
	pgpool_renew(pool);
	assert_true(pgpool_is_up(pool));
	snprintf(idle, sizeof(idle), "%.15s", ask_now(pool, pid, NULL)->text);
	assert_string_not_equal(idle, before);
	n_answers = 0;
	ask(pool, 0, "SELECT pg_backend_pid()::text FROM pg_sleep(0.2)", NULL);
	ask(pool, 1, "SELECT pg_backend_pid()::text FROM pg_sleep(0.3)", NULL);
	turn(.1);
	pgpool_renew(pool); /* both run on until they are answered */
	assert_true(wait_answers(2, 5.));
	assert_true(asks[0].err == 0 && asks[1].err == 0);
	assert_string_equal(asks[0].text, idle);
	turn(.1);
	assert_string_not_equal(ask_now(pool, pid, NULL)->text, idle);
	assert_string_equal(
		ask_now(pool, "SELECT count(*) FROM pg_stat_activity WHERE pid = $1::text::int",
			idle)
			->text,
		"0");
	pgpool_free(pool);
}

static void broken_conninfo_is_refused_without_quoting_it(void **state)
{
	struct pgpool_conf conf = postgres_pool_conf();

	(void)state;
	conf.conninfo = "host=x password";
	assert_null(pgpool_create(loop, &conf));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(result_is_read_within_its_bounds, loop_was_never_held_up),
		cmocka_unit_test_teardown(values_have_types_and_nulls, loop_was_never_held_up),
		cmocka_unit_test_teardown(errors_are_sorted_by_sqlstate, loop_was_never_held_up),
		cmocka_unit_test_teardown(many_statements_share_few_connections,
					  loop_was_never_held_up),
		cmocka_unit_test_teardown(large_parameter_and_result_pass_in_pieces,
					  loop_was_never_held_up),
		cmocka_unit_test_teardown(full_queue_answers_busy, loop_was_never_held_up),
		cmocka_unit_test_teardown(forgotten_statement_runs_and_is_not_answered,
					  loop_was_never_held_up),
		cmocka_unit_test_teardown(slow_statement_times_out_and_others_go_on,
					  loop_was_never_held_up),
		cmocka_unit_test_teardown(replaced_function_is_prepared_anew,
					  loop_was_never_held_up),
		cmocka_unit_test_teardown(answer_may_ask_again, loop_was_never_held_up),
		cmocka_unit_test_teardown(absent_server_is_refused_fast_and_found_again,
					  loop_was_never_held_up),
		cmocka_unit_test_teardown(server_comes_back_without_being_asked,
					  loop_was_never_held_up),
		cmocka_unit_test_teardown(restart_under_load_answers_everything_once,
					  loop_was_never_held_up),
		cmocka_unit_test_teardown(frozen_server_costs_its_timeout_then_nothing,
					  loop_was_never_held_up),
		cmocka_unit_test_teardown(full_server_still_serves_through_what_there_is,
					  loop_was_never_held_up),
		cmocka_unit_test_teardown(silent_first_host_does_not_hide_the_second,
					  loop_was_never_held_up),
		cmocka_unit_test_teardown(listener_hears_and_says_when_it_may_have_missed,
					  loop_was_never_held_up),
		cmocka_unit_test_teardown(pool_may_be_freed_from_its_callbacks,
					  loop_was_never_held_up),
		cmocka_unit_test_teardown(
			renewed_connections_are_opened_again_and_lose_no_statement,
			loop_was_never_held_up),
		cmocka_unit_test_teardown(broken_conninfo_is_refused_without_quoting_it,
					  loop_was_never_held_up),
	};

	log_init("test", LOG_LEVEL_INFO);
	return cmocka_run_group_tests(tests, create_all, remove_all);
}
