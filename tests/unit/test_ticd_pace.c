#include "ticd/core/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { AICCU_ABORTS_AT = 1014 };

static mono_t at(int64_t ms)
{
	return (mono_t){ ms };
}

static void pace_allows_whole_lines_within_the_budget(void **state)
{
	static const struct {
		const char *name;
		size_t sent, line; /* lines of `line` bytes, LF included, 100 of them */
		size_t expected;
	} rows[] = {
		{ "all of a short text", 0, 10, 1000 },
		{ "cut at a line end", 0, 30, 990 },
		{ "a line as long as the budget", 0, 1000, 1000 },
		{ "a longer one never comes", 0, 1001, 0 },
		{ "part of the budget used", 500, 30, 480 },
		{ "less than a line left", 980, 30, 0 },
		{ "nothing left", 1000, 30, 0 },
	};
	static char text[100 * 1001];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pace p = { .sent = rows[i].sent };
		size_t len = 100 * rows[i].line;

		memset(text, 'x', len);
		for (size_t k = rows[i].line - 1; k < len; k += rows[i].line)
			text[k] = '\n';
		if (pace_allows(&p, text, len) != rows[i].expected)
			fail_msg("%s: %zu", rows[i].name, pace_allows(&p, text, len));
	}
}

static void pace_short_replies_go_at_once(void **state)
{
	struct pace p = { .sent = 0 };

	(void)state;
	assert_int_equal(pace_wait(&p, at(0), 0), 0);
	assert_int_equal(pace_allows(&p, "200 Bye\n", 8), 8);
}

static void pace_waits_for_the_ack_and_a_little_more(void **state)
{
	struct pace p = { .sent = 0 };

	(void)state;
	pace_sent(&p, 990);
	assert_int_equal(pace_wait(&p, at(100), 990), PACE_POLL_MIN_MS);
	assert_int_equal(pace_wait(&p, at(105), 990), PACE_POLL_MIN_MS * 2);
	assert_int_equal(pace_wait(&p, at(115), 1), PACE_POLL_MIN_MS * 4);
	assert_int_equal(pace_wait(&p, at(135), 0), PACE_QUIET_MS);
	assert_int_equal(pace_wait(&p, at(136), 0), PACE_QUIET_MS - 1);
	/* more under way again: the quiet begins anew */
	assert_true(pace_wait(&p, at(137), 5) > 0);
	assert_int_equal(pace_wait(&p, at(140), 0), PACE_QUIET_MS);
	assert_int_equal(pace_wait(&p, at(160), 0), 0);
	assert_int_equal(pace_allows(&p, "a\n", 2), 2);
}

static void pace_a_slow_peer_is_not_asked_often(void **state)
{
	struct pace p = { .sent = 0 };
	int wait = 0;

	(void)state;
	pace_sent(&p, 10);
	for (int i = 0; i < 20; i++)
		wait = pace_wait(&p, at(i), 10);
	assert_int_equal(wait, PACE_POLL_MAX_MS);
}

/* A reader that empties its buffer only after PACE_QUIET_MS never finds more in it than the stock
 * client can bear. */
static void pace_list_never_fills_the_clients_buffer(void **state)
{
	struct pace p = { .sent = 0 };
	char line[100];
	char *list = malloc(100 * 200);
	size_t len = 0, off = 0, waiting = 0;
	int64_t now = 0, read_at = 0;

	(void)state;
	assert_non_null(list);
	for (int i = 0; i < 200; i++)
		len += (size_t)snprintf(list + len, sizeof(line),
					"T%d 2001:db8:2ff:%x::2 ayiya demo01\n", i + 1, i);
	while (off < len) {
		size_t n = pace_allows(&p, list + off, len - off);

		if (n > 0) {
			pace_sent(&p, n);
			off += n;
			waiting += n;
			read_at = now + PACE_QUIET_MS;
			assert_true(waiting < AICCU_ABORTS_AT);
			continue;
		}
		n = (size_t)pace_wait(&p, at(now), 0);
		now += (int64_t)n;
		if (now >= read_at)
			waiting = 0;
	}
	assert_true(now < 500);
	free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pace_allows_whole_lines_within_the_budget),
		cmocka_unit_test(pace_short_replies_go_at_once),
		cmocka_unit_test(pace_waits_for_the_ack_and_a_little_more),
		cmocka_unit_test(pace_a_slow_peer_is_not_asked_often),
		cmocka_unit_test(pace_list_never_fills_the_clients_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
