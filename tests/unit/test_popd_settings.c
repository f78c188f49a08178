#include "popd/settings.h"

#include <unistd.h>

#include "lib/err.h"
#include "lib/log.h"
#include "tests/unit/test_popd_fixture.h"

#define MINIMUM "[popd]\nname = demo01\nipv4 = 192.0.2.1\n"
#define DATABASE "[database]\nconninfo = dbname=broker password=geheim\n"

static int load(const char *text, struct settings *s, char *error)
{
	char path[] = "/tmp/popd-settings-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	int err = settings_load(path, s, error);
	unlink(path);
	return err;
}

static void two_addresses_and_a_database_are_enough(void **state)
{
	struct settings s;
	char error[CONFIG_ERROR_TEXT];

	(void)state;
	assert_int_equal(load(MINIMUM DATABASE, &s, error), 0);
	assert_true(s.ayiya_port == 5072 && s.heartbeat_port == 3740 && s.expiry == 360 &&
		    s.report_interval == 10);
	assert_true(s.tun_mtu == 1480 && s.max_tunnels == 65536 && s.routes &&
		    s.log_level == LOG_LEVEL_INFO);
	assert_string_equal(s.tun, "sixxs");
	assert_string_equal(s.metrics.host,
			    "127.0.0.1"); /* others may connect only if the operator says so */
	assert_int_equal(s.metrics.port, 9641);
	assert_true(settings_worker_count(&s, 64) >= 1);
	s.workers = 5;
	assert_int_equal(settings_worker_count(&s, 64), 5);
	assert_int_equal(settings_worker_count(&s, 3), 3);
	settings_free(&s);
}

static void invalid_settings_are_refused_with_a_reason(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{ "", "name" },
		{ MINIMUM, "conninfo" },
		{ "[popd]\nipv4 = 192.0.2.1\n" DATABASE, "name" },
		{ "[popd]\nname = demo01\n" DATABASE, "ipv4" },
		{ "[popd]\nname = Demo01\nipv4 = 192.0.2.1\n" DATABASE, "name must be" },
		{ "[popd]\nname = 1demo\nipv4 = 192.0.2.1\n" DATABASE, "name must be" },
		{ "[popd]\nname = demo_1\nipv4 = 192.0.2.1\n" DATABASE, "name must be" },
		{ "[popd]\nname = demo01\nipv4 = 224.0.0.1\n" DATABASE, "unicast" },
		{ MINIMUM "tun = a/b\n" DATABASE, "interface name" },
		{ MINIMUM "tun = sixteencharacter\n" DATABASE, "tun" },
		{ MINIMUM "mtu = 1279\n" DATABASE, "mtu" },
		{ MINIMUM "mtu = 1481\n" DATABASE, "mtu" },
		{ MINIMUM "ayiya_port = 3740\n" DATABASE, "differ" },
		{ MINIMUM "workers = 65\n" DATABASE, "workers" },
		{ MINIMUM "dscp = 64\n" DATABASE, "dscp must be copy" },
		{ MINIMUM "dscp = ef\n" DATABASE, "dscp must be copy" },
		{ MINIMUM "metrics = on\n" DATABASE, "metrics" },
		{ MINIMUM "metrics = 9641\n" DATABASE, "metrics" },
		{ MINIMUM "metrics = ::1:9641\n" DATABASE, "metrics" },
		{ MINIMUM "metrics = 127.0.0.1:0\n" DATABASE, "metrics must have a port" },
		{ MINIMUM "log_level = loud\n" DATABASE, "log_level" },
		{ MINIMUM "colour = red\n" DATABASE, "colour" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char error[CONFIG_ERROR_TEXT] = "";
		struct settings s;
		assert_int_not_equal(load(rows[i].text, &s, error), 0);
		print_message("%s\n", error);
		assert_non_null(strstr(error, rows[i].said));
		assert_null(strstr(error, "geheim"));
	}
}

static void dscp_is_copied_zero_or_a_number(void **state)
{
	static const struct {
		const char *text;
		enum dscp want;
	} rows[] = { { "", DSCP_COPY },
		     { "dscp = copy\n", DSCP_COPY },
		     { "dscp = zero\n", DSCP_FIXED },
		     { "dscp = 0\n", DSCP_FIXED },
		     { "dscp = 46\n", DSCP_FIXED + 46 },
		     { "dscp = 63\n", DSCP_LAST } };
	char error[CONFIG_ERROR_TEXT], text[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct settings s;
		snprintf(text, sizeof(text), MINIMUM "%s" DATABASE, rows[i].text);
		assert_int_equal(load(text, &s, error), 0);
		assert_int_equal(settings_dscp(&s), rows[i].want);
		settings_free(&s);
	}
}

static void the_dump_shows_every_key_and_no_password(void **state)
{
	struct settings s;
	char error[CONFIG_ERROR_TEXT], *text = NULL;
	size_t size = 0;

	(void)state;
	assert_int_equal(load(MINIMUM DATABASE, &s, error), 0);
	FILE *f = open_memstream(&text, &size);
	settings_dump(f, &s);
	fclose(f);
	static const char *const shown[] = { "name = demo01",
					     "expiry = 360",
					     "snapshot = /var/lib/popd/snapshot",
					     "control = /run/popd/popd.sock",
					     "statistics_interval",
					     "conninfo" };
	for (size_t i = 0; i < ARRAY_LEN(shown); i++)
		assert_non_null(strstr(text, shown[i]));
	assert_null(strstr(text, "geheim"));
	free(text);
	settings_free(&s);
}

static void a_reload_takes_the_live_keys_only(void **state)
{
	struct settings s, fresh;
	char error[CONFIG_ERROR_TEXT];

	(void)state;
	log_init("test", LOG_LEVEL_ERROR);
	assert_int_equal(load(MINIMUM DATABASE, &s, error), 0);
	assert_int_equal(
		load(MINIMUM
		     "expiry = 60\nlog_level = debug\nreport_interval = 5\nworkers = 7\ntun = other\n"
		     "statistics_interval = 9\n" DATABASE,
		     &fresh, error),
		0);
	settings_take_live(&s, &fresh);
	assert_true(s.expiry == 60 && s.log_level == LOG_LEVEL_DEBUG && s.report_interval == 5 &&
		    s.statistics_interval == 9);
	assert_int_equal(s.workers, 0);
	assert_string_equal(s.tun, "sixxs");
	settings_free(&fresh);
	settings_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_addresses_and_a_database_are_enough),
		cmocka_unit_test(invalid_settings_are_refused_with_a_reason),
		cmocka_unit_test(dscp_is_copied_zero_or_a_number),
		cmocka_unit_test(the_dump_shows_every_key_and_no_password),
		cmocka_unit_test(a_reload_takes_the_live_keys_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
