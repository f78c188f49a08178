/*
 * The database pool while the allocator fails at each call in turn: every statement gets exactly
 * one answer, and everything works again when there is memory. Against a real PostgreSQL.
 */
#include "lib/io/pgpool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ev.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "lib/log.h"
#include "tests/unit/allocator.h"
#include "tests/unit/postgres.h"

static struct ev_loop *loop;

static int create_all(void **state)
{
	log_set_level(LOG_LEVEL_ERROR);
	ev_set_allocator(allocator_spare);
	loop = ev_loop_new(EVFLAG_AUTO);
	return loop ? postgres_create(state) : -1;
}

static int remove_all(void **state)
{
	ev_loop_destroy(loop);
	return postgres_remove(state);
}

static struct ask {
	struct pgquery query;
	unsigned answers;
	int err;
	char text[64]; /* of the result or the message */
} last_ask;
static bool inside_query;

static void answered(void *ctx, const struct pg_answer *a)
{
	struct ask *ask = ctx;

	assert_false(inside_query);
	assert_non_null(a->message);
	assert_int_equal(a->err == 0, a->res != NULL);
	assert_false(pgquery_is_active(&ask->query));
	ask->answers++;
	ask->err = a->err;
	snprintf(ask->text, sizeof(ask->text), "%s", a->res ? pgres_str(a->res, 0, 0) : a->message);
}

static bool is_answered(void *ctx)
{
	return ((struct ask *)ctx)->answers > 0;
}

static bool never(void *ctx)
{
	(void)ctx;
	return false;
}

static void turn(double seconds)
{
	(void)postgres_wait(loop, never, NULL, seconds);
}

/* False: there was no answer in time. */
static bool ask(struct pgpool *pool, const char *sql, double seconds)
{
	memset(&last_ask, 0, sizeof(last_ask));
	inside_query = true;
	pgpool_query(pool, &last_ask.query, sql, 1, (const char *const[]){ "text" }, answered,
		     &last_ask);
	inside_query = false;
	assert_true(pgquery_is_active(&last_ask.query));
	return postgres_wait(loop, is_answered, &last_ask, seconds);
}

static void ask_until_answered_well(struct pgpool *pool)
{
	last_ask.err = -ERR_AWAY;
	for (int i = 0; i < 50 && last_ask.err; i++) {
		assert_true(ask(pool, "SELECT $1::text", 10.));
		if (last_ask.err)
			turn(.1);
	}
	assert_int_equal(last_ask.err, 0);
	assert_string_equal(last_ask.text, "text");
}

static unsigned n_notes;

static void on_note(void *ctx, const char *payload)
{
	(void)ctx;
	(void)payload;
	n_notes++;
}

static const enum allocator_mode modes[] = { ALLOCATOR_FAIL_ONE, ALLOCATOR_FAIL_FROM };

enum { SWEEP_MAX = 1000 };

/* Asks while the n-th allocation fails. False: there are fewer allocations. */
static bool ask_without_memory(struct pgpool *pool, unsigned n, enum allocator_mode mode)
{
	allocator_fail(n, mode);
	/* A statement that the connection has not prepared yet. */
	bool in_time = ask(pool, "SELECT $1::varchar", 4.);
	bool was_reached = allocator_restore();
	if (!in_time || last_ask.answers != 1)
		fail_msg("%u answers when allocation %u fails", last_ask.answers, n);
	assert_true(was_reached || last_ask.err == 0);
	return was_reached;
}

static void statement_is_answered_without_memory(void **state)
{
	(void)state;
	for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
		unsigned n = 0;
		do {
			struct pgpool *pool = postgres_pool_create(loop);
			ask_until_answered_well(pool);
			n++;
			bool was_reached = ask_without_memory(pool, n, modes[m]);
			/* The first allocation is the pool's own, for the statement. */
			if (n == 1) {
				assert_int_equal(last_ask.err, -ERR_BUSY);
				assert_string_equal(last_ask.text, "out of memory");
				assert_true(pgpool_is_up(pool));
				ask_until_answered_well(pool);
			}
			pgpool_free(pool);
			if (!was_reached)
				break;
		} while (n < SWEEP_MAX);
		print_message("  a statement: %u allocations\n", n - 1);
		assert_in_range(n, 6, SWEEP_MAX - 1);
	}
}

/* The pools are kept, and asked again when the pause after a failed attempt is over. */
static void connection_is_tried_again_after_no_memory(void **state)
{
	static struct pgpool *pools[SWEEP_MAX];

	(void)state;
	postgres_stop("fast");
	postgres_start(SWEEP_MAX);
	for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
		unsigned n = 0;
		do
			pools[n] = postgres_pool_create(loop);
		while (n++, ask_without_memory(pools[n - 1], n, modes[m]) && n < SWEEP_MAX);
		print_message("  a connection: %u allocations\n", n - 1);
		assert_in_range(n, 10, SWEEP_MAX - 1);
		turn(.3);
		for (unsigned i = 0; i < n; i++) {
			ask_until_answered_well(pools[i]);
			pgpool_free(pools[i]);
		}
	}
	postgres_stop("fast");
	postgres_start(0);
}

static void pool_is_created_whole_or_not_at_all(void **state)
{
	struct pgpool_conf conf = postgres_pool_conf();
	unsigned n = 0;

	(void)state;
	conf.conninfo = "host=/none,/nowhere hostaddr= port=1,2 dbname=postgres user=owner";
	conf.listen = "x";
	conf.notify = on_note;
	for (bool is_short = true; is_short; n++) {
		allocator_fail(n + 1, ALLOCATOR_FAIL_ONE);
		struct pgpool *pool = pgpool_create(loop, &conf);
		is_short = allocator_restore();
		if (is_short && pool)
			fail_msg("a pool although allocation %u failed", n + 1);
		pgpool_free(pool);
	}
	assert_true(n > 5);
}

/* Every listener connects in the end, whichever allocation failed in its first attempt. */
static void listener_connects_again_after_no_memory(void **state)
{
	static struct pgpool *pools[SWEEP_MAX];
	struct pgpool_conf conf = postgres_pool_conf();
	unsigned n = 0;
	bool was_reached;

	(void)state;
	postgres_stop("fast");
	postgres_start(SWEEP_MAX);
	conf.listen = "feed";
	conf.notify = on_note;
	n_notes = 0;
	do {
		unsigned before = n_notes;
		pools[n] = pgpool_create(loop, &conf);
		assert_non_null(pools[n]);
		n++;
		allocator_fail(n, ALLOCATOR_FAIL_ONE);
		for (int i = 0; i < 20 && n_notes == before; i++)
			turn(.005);
		was_reached = allocator_restore();
	} while (was_reached && n < SWEEP_MAX);
	assert_in_range(n, 10, SWEEP_MAX - 1);
	turn(1.);
	assert_true(n_notes >= n);
	n_notes = 0;
	postgres_sql("NOTIFY feed, '9'");
	turn(.3);
	assert_int_equal(n_notes, n);
	for (unsigned i = 0; i < n; i++)
		pgpool_free(pools[i]);
	postgres_stop("fast");
	postgres_start(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statement_is_answered_without_memory),
		cmocka_unit_test(connection_is_tried_again_after_no_memory),
		cmocka_unit_test(pool_is_created_whole_or_not_at_all),
		cmocka_unit_test(listener_connects_again_after_no_memory),
	};
	return cmocka_run_group_tests(tests, create_all, remove_all);
}
