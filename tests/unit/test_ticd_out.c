#include "ticd/core/out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cc.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#else
#define HAS_SANITIZER 0
#endif

/* A text that no block may hold when it is freed. */
static const char secret[] = "0123456789abcdef0123456789abcdef";
static unsigned secrets_freed;

#if !HAS_SANITIZER
size_t malloc_usable_size(void *p); /* of <malloc.h> */
void __libc_free(void *p);

/* Comes before the C library's. */
void free(void *p)
{
	if (p && memmem(p, malloc_usable_size(p), secret, sizeof(secret) - 1))
		secrets_freed++;
	__libc_free(p);
}
#endif

static void out_gives_back_what_went_in(void **state)
{
	struct out o = { .buf = NULL };
	unsigned put = 0, got = 0;
	char text[16];

	(void)state;
	srand(1);
	for (int round = 0; round < 20000; round++) {
		if (rand() % 2 == 0) {
			assert_true(out_append(
				&o, text, (size_t)snprintf(text, sizeof(text), "%07u\n", put++)));
		} else if (out_len(&o) > 0) {
			assert_int_equal(atoi(out_data(&o)), got++);
			out_drop(&o, 8);
		}
		assert_int_equal(out_len(&o), 8 * (put - got));
	}
	out_clear(&o);
	assert_int_equal(out_len(&o), 0);
}

static void out_empty_holds_no_memory(void **state)
{
	struct out o = { .buf = NULL };

	(void)state;
	assert_true(out_append(&o, "abc", 3));
	assert_non_null(o.buf);
	out_drop(&o, 3);
	assert_null(o.buf);
	assert_true(out_append(&o, "", 0));
	assert_null(o.buf);
}

static void out_limit_is_exact(void **state)
{
	struct out o = { .buf = NULL };
	char *block = calloc(1, OUT_MAX);

	(void)state;
	assert_non_null(block);
	assert_true(out_append(&o, block, OUT_MAX - 1));
	assert_false(out_append(&o, block, 2));
	assert_int_equal(out_len(&o), OUT_MAX - 1);
	assert_true(out_append(&o, block, 1));
	assert_false(out_append(&o, block, 1));
	out_drop(&o, 1000);
	assert_true(out_append(&o, block, 1000));
	out_clear(&o);
	free(block);
}

enum { AICCU_ABORTS_AT = 1014 };

static mono_t at(int64_t ms)
{
	return (mono_t){ ms };
}

static void out_pace_allows_whole_lines_within_the_budget(void **state)
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
		struct out_pace p = { .sent = rows[i].sent };
		size_t len = 100 * rows[i].line;

		memset(text, 'x', len);
		for (size_t k = rows[i].line - 1; k < len; k += rows[i].line)
			text[k] = '\n';
		if (out_pace_allows(&p, text, len) != rows[i].expected)
			fail_msg("%s: %zu", rows[i].name, out_pace_allows(&p, text, len));
	}
}

static void out_pace_short_replies_go_at_once(void **state)
{
	struct out_pace p = { .sent = 0 };

	(void)state;
	assert_int_equal(out_pace_wait(&p, at(0), 0), 0);
	assert_int_equal(out_pace_allows(&p, "200 Bye\n", 8), 8);
}

static void out_pace_waits_for_the_ack_and_a_little_more(void **state)
{
	struct out_pace p = { .sent = 0 };

	(void)state;
	out_pace_sent(&p, 990);
	assert_int_equal(out_pace_wait(&p, at(100), 990), OUT_PACE_POLL_MIN_MS);
	assert_int_equal(out_pace_wait(&p, at(105), 990), OUT_PACE_POLL_MIN_MS * 2);
	assert_int_equal(out_pace_wait(&p, at(115), 1), OUT_PACE_POLL_MIN_MS * 4);
	assert_int_equal(out_pace_wait(&p, at(135), 0), OUT_PACE_QUIET_MS);
	assert_int_equal(out_pace_wait(&p, at(136), 0), OUT_PACE_QUIET_MS - 1);
	/* more output is under way: the quiet period begins again */
	assert_true(out_pace_wait(&p, at(137), 5) > 0);
	assert_int_equal(out_pace_wait(&p, at(140), 0), OUT_PACE_QUIET_MS);
	assert_int_equal(out_pace_wait(&p, at(160), 0), 0);
	assert_int_equal(out_pace_allows(&p, "a\n", 2), 2);
}

static void out_pace_a_slow_peer_is_not_asked_often(void **state)
{
	struct out_pace p = { .sent = 0 };
	int wait = 0;

	(void)state;
	out_pace_sent(&p, 10);
	for (int i = 0; i < 20; i++)
		wait = out_pace_wait(&p, at(i), 10);
	assert_int_equal(wait, OUT_PACE_POLL_MAX_MS);
}

/* A reader that empties its buffer only after OUT_PACE_QUIET_MS never finds more in it than the
 * stock client's buffer holds. */
static void out_pace_list_never_fills_the_clients_buffer(void **state)
{
	struct out_pace p = { .sent = 0 };
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
		size_t n = out_pace_allows(&p, list + off, len - off);

		if (n > 0) {
			out_pace_sent(&p, n);
			off += n;
			waiting += n;
			read_at = now + OUT_PACE_QUIET_MS;
			assert_true(waiting < AICCU_ABORTS_AT);
			continue;
		}
		n = (size_t)out_pace_wait(&p, at(now), 0);
		now += (int64_t)n;
		if (now >= read_at)
			waiting = 0;
	}
	assert_true(now < 500);
	free(list);
}

/* The queue grows under the secret, is emptied part by part, and is cleared with it inside. */
static void out_wipes_before_it_frees(void **state)
{
	struct out o = { .buf = NULL };
	char *copy, filler[4000] = "";

	(void)state;
	if (HAS_SANITIZER)
		skip(); /* its allocator cannot be replaced */
	copy = strdup(secret);
	assert_non_null(copy);
	free(copy);
	assert_int_equal(secrets_freed, 1); /* so it is seen */
	secrets_freed = 0;
	assert_true(out_append(&o, secret, sizeof(secret)));
	assert_true(out_append(&o, filler, sizeof(filler)));
	assert_true(out_append(&o, secret, sizeof(secret)));
	out_drop(&o, sizeof(secret));
	assert_true(out_append(&o, filler, sizeof(filler)));
	out_drop(&o, sizeof(filler));
	out_drop(&o, out_len(&o));
	assert_true(out_append(&o, secret, sizeof(secret)));
	out_clear(&o);
	assert_int_equal(secrets_freed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(out_gives_back_what_went_in),
		cmocka_unit_test(out_empty_holds_no_memory),
		cmocka_unit_test(out_limit_is_exact),
		cmocka_unit_test(out_wipes_before_it_frees),
		cmocka_unit_test(out_pace_allows_whole_lines_within_the_budget),
		cmocka_unit_test(out_pace_short_replies_go_at_once),
		cmocka_unit_test(out_pace_waits_for_the_ack_and_a_little_more),
		cmocka_unit_test(out_pace_a_slow_peer_is_not_asked_often),
		cmocka_unit_test(out_pace_list_never_fills_the_clients_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
