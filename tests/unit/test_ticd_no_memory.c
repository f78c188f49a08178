/*
 * ticd's questions to the database and its daily job while the allocator fails at each call in
 * turn: every question is answered, and the job runs again. Against a PostgreSQL with stand-ins for
 * the functions that they call.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ev.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/io/pgpool.h"
#include "lib/log.h"
#include "tests/unit/allocator.h"
#include "tests/unit/clock.h"
#include "tests/unit/postgres.h"
#include "tests/unit/test_ticd_fake.h"
#include "ticd/io/daily.h"
#include "ticd/io/pgstore.h"

enum { SWEEP_MAX = 1000 };

static const enum allocator_mode modes[] = { ALLOCATOR_FAIL_ONE, ALLOCATOR_FAIL_FROM };
static const wall_t now = { 1800000000 };

static const char schema[] =
	"CREATE SCHEMA api;"
	"CREATE FUNCTION api.tic_pop_list() RETURNS TABLE (name text) LANGUAGE sql AS $$ "
	"  SELECT 'nlams01' $$;"
	"CREATE FUNCTION api.tic_login(text, int) RETURNS TABLE (account int, handle text, name "
	"text, "
	"  md5 text, sha256 text, enabled bool) LANGUAGE sql AS $$ SELECT 12, 'TEST-SIXXS', 'Test "
	"User', "
	"  '" FAKE_MD5 "', '" FAKE_SHA256 "', true $$;"
	"CREATE FUNCTION api.tic_login_accept(int, int, text, inet, bool, text) RETURNS TABLE "
	"  (login_id bigint, refusal text) LANGUAGE sql AS $$ "
	"  SELECT 77::bigint, NULL::text $$;"
	"CREATE FUNCTION api.isk_daily(date) RETURNS TABLE (handle text, reason text, tunnel int, "
	"  prefix text, amount int, balance int, day date) LANGUAGE plpgsql AS $$ BEGIN "
	"  COPY (SELECT 1) TO '%s/daily'; RETURN QUERY SELECT 'TEST-SIXXS', 'week up', 1, 'x', 5, "
	"15, $1; "
	"END $$;";

static struct ev_loop *loop;
static struct pgpool *pool;
static struct pgstore *store;
static struct digest_ctx *digests;
static char daily_file[POSTGRES_FOLDER + 16];

static int create_all(void **state)
{
	static char sql[sizeof(schema) + POSTGRES_FOLDER];

	log_set_level(LOG_LEVEL_ERROR);
	ev_set_allocator(allocator_spare);
	loop = ev_loop_new(EVFLAG_AUTO);
	if (!loop || digest_init() != 0 || postgres_create(state) != 0)
		return -1;
	digests = digest_ctx_create();
	snprintf(sql, sizeof(sql), schema, postgres_folder());
	postgres_sql(sql);
	snprintf(daily_file, sizeof(daily_file), "%s/daily", postgres_folder());
	pool = pgpool_create(loop, &(struct pgpool_conf){ .conninfo = postgres_conninfo(),
							  .application = "test",
							  .connections = 2,
							  .queue_max = 10,
							  .connect_timeout = 30.,
							  .query_timeout = 60. });
	store = pool ? pgstore_create(pool) : NULL;
	return store ? 0 : -1;
}

static int remove_all(void **state)
{
	pgstore_free(store);
	pgpool_free(pool);
	digest_ctx_free(digests);
	ev_loop_destroy(loop);
	unlink(daily_file);
	return postgres_remove(state);
}

/* ---- questions ---- */

struct question {
	struct store_call call;
	unsigned answers;
	int err;
	char cell[16];
};

static void note_answer(void *ctx, const struct store_answer *answer)
{
	struct question *q = ctx;

	q->answers++;
	q->err = answer->err;
	snprintf(q->cell, sizeof(q->cell), "%s", answer->rows ? store_cell(answer, 0, 0) : "");
}

static bool is_answered(void *ctx)
{
	return ((struct question *)ctx)->answers > 0;
}

static bool ask(struct question *q, double seconds)
{
	*q = (struct question){
		.call = { .question = STORE_POP_LIST, .done = note_answer, .ctx = q }
	};
	pgstore_store(store)->ask(pgstore_store(store), &q->call, NULL);
	assert_int_equal(q->answers, 0);
	assert_true(q->call.active);
	return postgres_wait(loop, is_answered, q, seconds);
}

/* After a lost connection the pool waits a moment. */
static void ask_until_answered_well(void)
{
	struct question q = { .err = -ERR_AWAY };

	for (int i = 0; i < 20 && q.err != 0; i++) {
		clock_skip(.5);
		assert_true(ask(&q, 5.));
	}
	assert_int_equal(q.err, 0);
	assert_string_equal(q.cell, "nlams01");
}

static void question_is_answered_without_memory(void **state)
{
	(void)state;
	for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
		bool was_reached = true;
		unsigned n;
		for (n = 1; was_reached && n < SWEEP_MAX; n++) {
			struct question q;
			ask_until_answered_well();
			allocator_fail(n, modes[m]);
			bool in_time = ask(&q, 5.);
			was_reached = allocator_restore();
			if (!in_time || q.answers != 1)
				fail_msg("%u answers when allocation %u fails", q.answers, n);
			assert_false(q.call.active);
			if (n == 1)
				assert_int_equal(q.err, -ERR_BUSY);
		}
		print_message("  a question: %u allocations\n", n - 2);
		assert_in_range(n, 4, SWEEP_MAX - 1);
	}
}

static bool has_spoken(void *ctx)
{
	struct fake *f = ctx;

	fake_run(f, now);
	return f->out_len > 0 || f->session.state == SESSION_CLOSING;
}

/* What a client gets to read after its line; "" when its session is closed. */
static const char *say(struct fake *f, const char *line)
{
	f->out_len = 0;
	f->out[0] = '\0';
	fake_say(f, line, now);
	if (!postgres_wait(loop, has_spoken, f, 5.))
		fail_msg("no answer to \"%s\"", line);
	return f->out;
}

/* The answer to one command never stands in the place of another's. Without memory for the answer
 * itself the session is closed. */
static void login_without_memory_is_refused_and_may_be_repeated(void **state)
{
	static struct fake f;
	bool was_reached = true;
	unsigned n;

	(void)state;
	for (n = 1; was_reached && n < SWEEP_MAX; n++) {
		ask_until_answered_well();
		fake_start(&f, digests);
		f.env.store = pgstore_store(store);
		dialogue_greet(&f.session);
		say(&f, "username TEST-SIXXS\n");
		say(&f, "challenge md5\n");
		allocator_fail(n, ALLOCATOR_FAIL_ONE);
		const char *answer = say(&f, "authenticate md5 " FAKE_MD5_ANSWER "\n");
		was_reached = allocator_restore();
		bool is_in = strncmp(answer, "200 Successfully logged in", 26) == 0;
		bool is_closed = f.session.state == SESSION_CLOSING && f.out_len == 0;
		if (!is_in && !is_closed && strncmp(answer, "400 ", 4) != 0)
			fail_msg("\"%s\" when allocation %u fails", answer, n);
		assert_true(is_in || was_reached);
		if (!is_closed)
			assert_memory_equal(say(&f, "help\n"), "201 ", 4);
		session_end(&f.session);
	}
	print_message("  a login: %u allocations\n", n - 2);
	assert_in_range(n, 8, SWEEP_MAX - 1);
}

/* ---- the daily job ---- */

static bool has_run(void *ctx)
{
	(void)ctx;
	return access(daily_file, F_OK) == 0;
}

static void daily_job_runs_again_after_no_memory(void **state)
{
	bool was_reached = true;
	unsigned n;

	(void)state;
	for (n = 1; was_reached && n < SWEEP_MAX; n++) {
		struct daily *daily = daily_create(loop, postgres_conninfo());
		assert_non_null(daily);
		daily_enable(daily, true);
		clock_skip(3.);
		allocator_fail(n, ALLOCATOR_FAIL_ONE);
		(void)postgres_wait(loop, has_run, NULL, .1);
		was_reached = allocator_restore();
		unlink(daily_file);
		/* Where libpq waits for bytes that it dropped, the statement's timeout of 10
		 * minutes comes first. */
		for (int i = 0; i < 20 && !has_run(NULL); i++) {
			clock_skip(i == 0 ? 3601. : i % 2 ? 601. : 61.);
			(void)postgres_wait(loop, has_run, NULL, .2);
		}
		if (!has_run(NULL))
			fail_msg("the job stopped when allocation %u failed", n);
		daily_free(daily);
		unlink(daily_file);
	}
	print_message("  a run: %u allocations\n", n - 2);
	assert_in_range(n, 20, SWEEP_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(question_is_answered_without_memory),
		cmocka_unit_test(login_without_memory_is_refused_and_may_be_repeated),
		cmocka_unit_test(daily_job_runs_again_after_no_memory),
	};
	return cmocka_run_group_tests(tests, create_all, remove_all);
}
