#include "ticd/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/log.h"

static char path[] = "/tmp/ticd-settings-XXXXXX";

static struct settings *load(const char *text, char error[static CONFIG_ERROR_TEXT])
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return settings_load(path, error);
}

static void settings_empty_file_gives_defaults(void **state)
{
	char error[CONFIG_ERROR_TEXT];
	struct settings *s = load("", error);

	(void)state;
	assert_non_null(s);
	assert_string_equal(s->listen.host, "0.0.0.0");
	assert_int_equal(s->listen.port, 3874);
	assert_string_equal(s->conninfo, "dbname=broker user=ticd");
	assert_int_equal(s->log_level, LOG_LEVEL_INFO);
	assert_int_equal(s->db_connections, 4);
	assert_int_equal(s->query_timeout, 5);
	assert_string_equal(s->certificate, "");
	assert_false(s->old_versions);
	assert_true(s->daily);
	settings_free(s);
}

static void settings_final_slashes_of_the_url_go(void **state)
{
	char error[CONFIG_ERROR_TEXT];
	struct settings *s = load("[ticd]\nurl = https://tic.example.net//\n", error);

	(void)state;
	assert_non_null(s);
	assert_string_equal(s->url, "https://tic.example.net");
	settings_free(s);
}

static void settings_wrong_file_says_where_and_why(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "[ticd]\nlisten = here\n", ":2: " },
		{ "[ticd]\n\nlog_level = loud\n", ":3: " },
		{ "[ticd]\ncolour = red\n", ":2: " },
		{ "[limits]\nconnections = 0\n", ":2: " },
		{ "[isk]\ndaily = perhaps\n", ":2: " },
		{ "[tls]\ncertificate = /etc/cert.pem\n", "belong together" },
		{ "[tls]\nkey = /etc/key.pem\n", "belong together" },
	};
	char error[CONFIG_ERROR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_null(load(rows[i].text, error));
		assert_non_null(strstr(error, path));
		assert_non_null(strstr(error, rows[i].says));
	}
}

static char told_keys[256];

static void told(const char *key)
{
	strcat(told_keys, key);
	strcat(told_keys, " ");
}

static void settings_differences_name_what_needs_a_restart(void **state)
{
	char error[CONFIG_ERROR_TEXT];
	struct settings *a = load("", error);
	struct settings *b = load(
		"[ticd]\nlisten = 127.0.0.1:3874\nurl = http://x\n[database]\nconninfo = dbname=other\nconnections = 9\n"
		"[limits]\nidle_timeout = 3\n",
		error);

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	settings_differences(a, a, told);
	assert_string_equal(told_keys, "");
	settings_differences(a, b, told);
	assert_string_equal(told_keys, "ticd.listen database.conninfo database.connections ");
	settings_free(a);
	settings_free(b);
}

static void settings_dump_loads_again_without_secrets(void **state)
{
	char error[CONFIG_ERROR_TEXT], *dump = NULL;
	size_t len = 0;
	struct settings
		*s = load("[ticd]\nservice = Test\n[database]\nconninfo = password=hush dbname=b\n",
			  error),
		*again;
	FILE *f = open_memstream(&dump, &len);

	(void)state;
	assert_non_null(s);
	assert_non_null(f);
	settings_dump(f, s);
	fclose(f);
	assert_null(strstr(dump, "hush"));
	again = load(dump, error);
	assert_non_null(again);
	assert_string_equal(again->service, "Test");
	settings_free(s);
	settings_free(again);
	free(dump);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_empty_file_gives_defaults),
		cmocka_unit_test(settings_final_slashes_of_the_url_go),
		cmocka_unit_test(settings_wrong_file_says_where_and_why),
		cmocka_unit_test(settings_differences_name_what_needs_a_restart),
		cmocka_unit_test(settings_dump_loads_again_without_secrets),
	};
	int fd = mkstemp(path), status;

	if (fd < 0)
		return 1;
	close(fd);
	status = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return status;
}
