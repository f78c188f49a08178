#include "web/io/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/test_web_settings.XXXXXX";

static int load(const char *text, struct settings *s, char *error)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return settings_load(path, s, error);
}

static void empty_file_gives_the_defaults(void **state)
{
	struct settings s;
	char error[CONFIG_ERROR_TEXT];
	(void)state;
	assert_int_equal(load("", &s, error), 0);
	assert_string_equal(s.listen.host, "127.0.0.1");
	assert_int_equal(s.listen.port, 8080);
	assert_string_equal(s.url, "http://127.0.0.1:8080");
	assert_string_equal(s.conninfo, "dbname=broker user=webd");
	assert_int_equal(s.refresh, 2);
	assert_int_equal(s.idle_refresh, 10);
	settings_free(&s);
}

static void final_slashes_of_the_url_are_dropped(void **state)
{
	struct settings s;
	char error[CONFIG_ERROR_TEXT];
	(void)state;
	assert_int_equal(load("[webd]\nurl = https://broker.example/v6//\n", &s, error), 0);
	assert_string_equal(s.url, "https://broker.example/v6");
	settings_free(&s);
}

static void bad_settings_are_refused_with_a_reason(void **state)
{
	static const struct {
		const char *text, *reason;
	} rows[] = {
		{ "[webd]\nurl = ftp://broker.example\n", "http://" },
		{ "[webd]\nurl = http://a\"b.example\n", "character" },
		{ "[webd]\nlisten = nowhere\n", ":2:" },
		{ "[webd]\nport = 80\n", ":2:" },
		{ "[limits]\nconnections = 0\n", ":2:" },
		{ "[webd]\nfronts = proxy.example.net\n", "fronts is a list" },
		{ "[webd]\nfronts = 10.0.0.1/8\n", "fronts is a list" },
		{ "[database]\nrefresh = 20\nidle_refresh = 5\n", "idle_refresh" },
		{ "[database]\nidle_refresh = 60\n", ":2:" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct settings s;
		char error[CONFIG_ERROR_TEXT] = "";
		assert_int_not_equal(load(rows[i].text, &s, error), 0);
		assert_non_null(strstr(error, rows[i].reason));
		assert_non_null(strstr(error, path));
	}
}

static void swap_keeps_what_needs_a_restart(void **state)
{
	struct settings s, fresh;
	char error[CONFIG_ERROR_TEXT];
	(void)state;
	assert_int_equal(load("[webd]\ntitle = old\n", &s, error), 0);
	assert_int_equal(load("[webd]\ntitle = new\nlisten = [::1]:81\n[limits]\nconnections = 7\n"
			      "request_size = 5000\nrequest_timeout = 3\n",
			      &fresh, error),
			 0);
	settings_swap(&s, &fresh);
	assert_string_equal(s.title, "new");
	assert_int_equal(s.request_timeout, 3);
	assert_int_equal(s.listen.port, 8080);
	assert_int_equal(s.connections, 512);
	assert_int_equal(s.request_size, 16384);
	settings_free(&s);
}

static int set_up(void **state)
{
	int fd = mkstemp(path);
	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_file_gives_the_defaults),
		cmocka_unit_test(final_slashes_of_the_url_are_dropped),
		cmocka_unit_test(bad_settings_are_refused_with_a_reason),
		cmocka_unit_test(swap_keeps_what_needs_a_restart),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
