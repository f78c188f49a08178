/* What the log writes, read back through a pipe in the place of standard error; and the small
 * modules it rests on: clock and err. */
#include "lib/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/err.h"

static int saved_stderr, pipe_read;

static int catch_stderr(void **state)
{
	int ends[2];

	(void)state;
	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0)
		return -1;
	saved_stderr = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	pipe_read = ends[0];
	log_init("prog", LOG_LEVEL_DEBUG);
	return 0;
}

static int release_stderr(void **state)
{
	(void)state;
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(pipe_read);
	return 0;
}

/* What was written since the last call, without the stamp; "" for nothing. */
static const char *written(void)
{
	static char buf[16384];
	ssize_t len = read(pipe_read, buf, sizeof(buf) - 1);

	if (len <= 0)
		return "";
	buf[len] = '\0';
	assert_int_equal(buf[len - 1], '\n');
	struct tm tm;
	const char *rest = strptime(buf, "%Y-%m-%dT%H:%M:%SZ ", &tm);
	assert_non_null(rest);
	return rest;
}

static void line_has_level_program_and_text(void **state)
{
	(void)state;
	log_error("cannot %s", "go");
	assert_string_equal(written(), "error prog: cannot go\n");
	log_warnx("%d%%", 5);
	assert_string_equal(written(), "warn prog: 5%\n");
	log_info("hello");
	assert_string_equal(written(), "info prog: hello\n");
	log_debug("x");
	assert_string_equal(written(), "debug prog: x\n");
}

static void errno_is_shown_and_kept(void **state)
{
	(void)state;
	errno = ENOENT;
	log_errno("open %s", "f");
	assert_int_equal(errno, ENOENT);
	assert_string_equal(written(), "error prog: open f: No such file or directory\n");
	log_warn("again");
	assert_string_equal(written(), "warn prog: again: No such file or directory\n");
	errno = 99999;
	log_warn("odd");
	assert_int_equal(errno, 99999);
	assert_string_equal(written(), "warn prog: odd: unknown error\n");
}

static void level_holds_back_what_is_below(void **state)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	enum log_level level;

	(void)state;
	for (unsigned i = 0; i < LOG_LEVEL__COUNT; i++) {
		assert_int_equal(log_level_parse(names[i], &level), 0);
		assert_string_equal(log_level_name(level), names[i]);
		log_set_level(level);
		assert_int_equal(log_get_level(), i);
		log_error("e");
		log_warnx("w");
		log_info("i");
		log_debug("d");
		const char *text = written();
		unsigned lines = 0;
		for (; *text; text++)
			lines += *text == '\n';
		assert_int_equal(lines, i + 1);
	}
	assert_int_equal(log_level_parse("loud", &level), -ERR_UNKNOWN);
	assert_int_equal(log_level_parse("", &level), -ERR_UNKNOWN);
	assert_string_equal(log_level_name((enum log_level)9), "unknown");
}

static void text_from_outside_cannot_forge_a_line(void **state)
{
	(void)state;
	log_info("a%sb", "\n2026-01-01T00:00:00Z error prog: forged\x1b[2J\x7f\x9b\xc3\xa9\r\t");
	assert_string_equal(
		written(),
		"info prog: a\\x0a2026-01-01T00:00:00Z error prog: forged\\x1b[2J\\x7f\\x9b\\xc3\\xa9\\x0d\\x09b\n");
}

static void long_text_is_cut_and_keeps_its_errno(void **state)
{
	char text[5000];

	(void)state;
	memset(text, '\n', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	errno = EIO;
	log_warn("%s", text);
	const char *line = written();
	size_t len = strlen(line);
	assert_true(len > 3000 && len < 4400);
	assert_string_equal(line + len - strlen("\\x0a [...]: Input/output error\n"),
			    "\\x0a [...]: Input/output error\n");
}

static void limited_log_counts_what_it_holds_back(void **state)
{
	struct log_limit limit = { 0 };

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		log_limited(&limit, 2, 3600, LOG_LEVEL_WARN, "drop %u", i);
	const char *text = written();
	assert_string_equal(text + strlen(text) - strlen("warn prog: drop 1\n"),
			    "warn prog: drop 1\n");
	assert_int_equal(strncmp(text, "warn prog: drop 0\n", 18), 0);
	/* The period is over. */
	limit.window -= 3600;
	log_limited(&limit, 2, 3600, LOG_LEVEL_WARN, "drop");
	assert_string_equal(written(), "warn prog: drop (8 more like this)\n");
	log_limited(&limit, 2, 3600, LOG_LEVEL_WARN, "drop");
	assert_string_equal(written(), "warn prog: drop\n");
	log_limited(&limit, 2, 3600, LOG_LEVEL_WARN, "drop");
	assert_string_equal(written(), "");
	struct log_limit quiet = { 0 };
	log_set_level(LOG_LEVEL_ERROR);
	log_limited(&quiet, 1, 1, LOG_LEVEL_WARN, "no");
	log_set_level(LOG_LEVEL_DEBUG);
	assert_string_equal(written(), "");
}

static void time_is_written_as_rfc3339_in_utc(void **state)
{
	static const struct {
		int64_t s;
		const char *text;
	} rows[] = { { 0, "1970-01-01T00:00:00Z" },
		     { 951782400, "2000-02-29T00:00:00Z" },
		     { 1795441512, "2026-11-23T13:45:12Z" },
		     { 4102444799, "2099-12-31T23:59:59Z" },
		     { INT64_MAX, "@9223372036854775807" },
		     { 253402300800, "@253402300800" },
		     { -30610224000, "1000-01-01T00:00:00Z" },
		     { -30610224001, "@-30610224001" } };
	char text[CLOCK_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(wall_text((wall_t){ rows[i].s }, text), rows[i].text);
}

static void clocks_go_forward(void **state)
{
	mono_t before = mono_now();
	const struct timespec nap = { .tv_nsec = 20000000 };

	(void)state;
	nanosleep(&nap, NULL);
	assert_in_range(mono_since(mono_now(), before), 19, 2000);
	assert_in_range(wall_now().s - time(NULL) + 1, 0, 2);
}

static void every_error_has_its_own_text(void **state)
{
	(void)state;
	for (int a = 0; a < ERR__COUNT; a++) {
		assert_non_null(err_text(-a));
		assert_string_not_equal(err_text(-a), "unknown error");
		for (int b = 0; b < a; b++)
			assert_string_not_equal(err_text(-a), err_text(-b));
	}
	assert_string_equal(err_text(-ERR__COUNT), "unknown error");
	assert_string_equal(err_text(1), "unknown error");
	assert_string_equal(err_text(INT32_MIN), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(line_has_level_program_and_text, catch_stderr,
						release_stderr),
		cmocka_unit_test_setup_teardown(errno_is_shown_and_kept, catch_stderr,
						release_stderr),
		cmocka_unit_test_setup_teardown(level_holds_back_what_is_below, catch_stderr,
						release_stderr),
		cmocka_unit_test_setup_teardown(text_from_outside_cannot_forge_a_line, catch_stderr,
						release_stderr),
		cmocka_unit_test_setup_teardown(long_text_is_cut_and_keeps_its_errno, catch_stderr,
						release_stderr),
		cmocka_unit_test_setup_teardown(limited_log_counts_what_it_holds_back, catch_stderr,
						release_stderr),
		cmocka_unit_test(time_is_written_as_rfc3339_in_utc),
		cmocka_unit_test(clocks_go_forward),
		cmocka_unit_test(every_error_has_its_own_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
