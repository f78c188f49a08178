/* The state of the server, event by event; no server is needed. */
#include "lib/io/pgserver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void pauses_double_up_to_five_seconds_and_vary(void **state)
{
	static const int64_t min[] = { 250, 250, 500, 1000, 2000, 4000, 5000, 5000 };

	(void)state;
	for (unsigned failures = 0; failures < ARRAY_LEN(min); failures++) {
		for (unsigned i = 0; i < 200; i++)
			assert_in_range(pgserver_pause_ms(failures), min[failures],
					min[failures] * 6 / 5);
	}
	assert_in_range(pgserver_pause_ms(UINT32_MAX), 5000, 6000);
}

static void events_lead_to_states(void **state)
{
	enum event { CONNECTED, ANSWERED, LOST, FAILED };
	static const struct {
		enum event event;
		size_t live;
		enum pgserver_state after;
		unsigned failures;
	} rows[] = {
		{ FAILED, 0, PGSERVER_AWAY, 1 },  { FAILED, 0, PGSERVER_AWAY, 2 },
		{ CONNECTED, 1, PGSERVER_UP, 0 }, { FAILED, 1, PGSERVER_UP, 1 },
		{ ANSWERED, 1, PGSERVER_UP, 1 },  { LOST, 1, PGSERVER_UP, 1 },
		{ LOST, 0, PGSERVER_SHAKY, 1 },   { LOST, 0, PGSERVER_SHAKY, 1 },
		{ FAILED, 0, PGSERVER_AWAY, 2 },  { LOST, 0, PGSERVER_AWAY, 2 },
		{ ANSWERED, 1, PGSERVER_UP, 2 },  { LOST, 0, PGSERVER_SHAKY, 2 },
		{ CONNECTED, 1, PGSERVER_UP, 0 },
	};
	struct pgserver s = { 0 };

	(void)state;
	log_init("test", LOG_LEVEL_ERROR);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		switch (rows[i].event) {
		case CONNECTED:
			pgserver_connected(&s);
			break;
		case ANSWERED:
			pgserver_answered(&s);
			break;
		case LOST:
			pgserver_lost(&s, rows[i].live, 1000, "lost");
			break;
		case FAILED:
			pgserver_failed(&s, rows[i].live, 1000, "failed");
			break;
		}
		if (s.state != rows[i].after || s.failures != rows[i].failures)
			fail_msg("row %zu: state %d, %u failures", i, (int)s.state, s.failures);
	}
}

static void doubt_begins_once(void **state)
{
	struct pgserver s = { 0 };

	(void)state;
	pgserver_connected(&s);
	pgserver_lost(&s, 0, 100, "");
	pgserver_failed(&s, 0, 200, "");
	pgserver_failed(&s, 0, 300, "");
	assert_int_equal(s.doubt_since, 100);
	pgserver_connected(&s);
	pgserver_failed(&s, 0, 400, "");
	assert_int_equal(s.doubt_since, 400);
}

/* A server that takes every connection and drops it. */
static void loss_right_after_an_attempt_waits(void **state)
{
	struct pgserver s = { 0 };

	(void)state;
	s.last_attempt = 1000;
	pgserver_connected(&s);
	assert_int_equal(s.retry_at, 0);
	pgserver_lost(&s, 0, 1005, "");
	assert_int_equal(s.retry_at, 1250);
	pgserver_failed(&s, 0, 1300, "");
	assert_in_range(s.retry_at, 1550, 1600);
	pgserver_lost(&s, 0, 1301, "");
	assert_in_range(s.retry_at, 1550, 1600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_double_up_to_five_seconds_and_vary),
		cmocka_unit_test(events_lead_to_states),
		cmocka_unit_test(doubt_begins_once),
		cmocka_unit_test(loss_right_after_an_attempt_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
