#include "lib/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/ip.h"

struct conf {
	char *name, *conninfo, *note;
	int64_t workers, level;
	bool tls, old;
	struct ip4 ipv4, none4;
	struct ip6 ipv6;
	struct config_listen listen, extra, door, shut;
};

static const char *const levels[] = { "error", "warn", "info", NULL };

static const struct config_key keys[] = {
	{ "main", "name", CONFIG_TEXT, offsetof(struct conf, name), 1, 8, NULL, NULL, false,
	  "what it is called" },
	{ "main", "note", CONFIG_TEXT, offsetof(struct conf, note), 0, 2000, NULL, "", true,
	  "anything" },
	{ "main", "workers", CONFIG_NUMBER, offsetof(struct conf, workers), 1, 64, NULL, "2", false,
	  "threads" },
	{ "main", "level", CONFIG_CHOICE, offsetof(struct conf, level), 0, 0, levels, "warn", true,
	  "how much is said" },
	{ "main", "tls", CONFIG_BOOL, offsetof(struct conf, tls), 0, 0, NULL, "no", false,
	  "encryption" },
	{ "main", "old", CONFIG_BOOL, offsetof(struct conf, old), 0, 0, NULL, "yes", false,
	  "old versions" },
	{ "net", "ipv4", CONFIG_IP4, offsetof(struct conf, ipv4), 0, 0, NULL, "192.0.2.1", false,
	  "our address" },
	{ "net", "none4", CONFIG_IP4, offsetof(struct conf, none4), 0, 0, NULL, "", false,
	  "another address" },
	{ "net", "ipv6", CONFIG_IP6, offsetof(struct conf, ipv6), 0, 0, NULL, "", false,
	  "our other address" },
	{ "net", "listen", CONFIG_LISTEN, offsetof(struct conf, listen), 0, 0, NULL, "127.0.0.1:80",
	  false, "where to listen" },
	{ "net", "extra", CONFIG_LISTEN, offsetof(struct conf, extra), 0, 0, NULL, "", false,
	  "where to listen as well" },
	{ "net", "door", CONFIG_LISTEN_OR_OFF, offsetof(struct conf, door), 0, 0, NULL,
	  "127.0.0.1:81", false, "where to listen, or nowhere" },
	{ "net", "shut", CONFIG_LISTEN_OR_OFF, offsetof(struct conf, shut), 0, 0, NULL,
	  "127.0.0.1:82", false, "the same" },
	{ "database", "conninfo", CONFIG_SECRET, offsetof(struct conf, conninfo), 1, 1000, NULL,
	  "dbname=x", false, "the server" },
};
enum { N_KEYS = ARRAY_LEN(keys) };

static int load_text(const char *text, size_t len, struct conf *conf, char *error)
{
	FILE *f = tmpfile();

	memset(conf, 0, sizeof(*conf));
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	rewind(f);
	int err = config_read(f, "x.conf", keys, N_KEYS, conf, error);
	fclose(f);
	return err;
}

static void file_with_every_type_is_loaded(void **state)
{
	static const char text[] =
		"# a comment\n; another\n\n[main]\nname = demo01\nworkers=64\n  level = info  \ntls = Yes\r\nold: off\nnote = a = b ; c # d\n"
		"[net]\nipv4 = 198.51.100.7\nipv6 = 2001:db8::1\nlisten = [::1]:8080\ndoor = [::1]:8081\nshut = off\n[main]\n"
		"[database]\nconninfo = host=/tmp password='a;b # c'";
	struct conf conf;
	char error[CONFIG_ERROR_TEXT];

	(void)state;
	assert_int_equal(load_text(text, sizeof(text) - 1, &conf, error), 0);
	assert_string_equal(error, "");
	assert_string_equal(conf.name, "demo01");
	assert_string_equal(conf.note, "a = b ; c # d");
	assert_int_equal(conf.workers, 64);
	assert_int_equal(conf.level, 2);
	assert_true(conf.tls);
	assert_false(conf.old);
	assert_int_equal(conf.ipv4.v, 0xc6336407);
	assert_int_equal(conf.none4.v, 0);
	assert_int_equal(conf.ipv6.b[15], 1);
	assert_string_equal(conf.listen.host, "::1");
	assert_int_equal(conf.listen.port, 8080);
	assert_true(conf.listen.is_ip6);
	assert_string_equal(conf.extra.host, "");
	assert_string_equal(conf.door.host, "::1");
	assert_int_equal(conf.door.port, 8081);
	assert_string_equal(conf.shut.host, "");
	assert_string_equal(conf.conninfo, "host=/tmp password='a;b # c'");
	config_free(keys, N_KEYS, &conf);
	assert_null(conf.name);
}

static void defaults_stand_where_the_file_is_silent(void **state)
{
	struct conf conf;
	char error[CONFIG_ERROR_TEXT];

	(void)state;
	assert_int_equal(load_text("[main]\nname=x", 13, &conf, error), 0);
	assert_string_equal(conf.note, "");
	assert_int_equal(conf.workers, 2);
	assert_int_equal(conf.level, 1);
	assert_true(conf.old);
	assert_int_equal(conf.ipv4.v, 0xc0000201);
	assert_int_equal(conf.listen.port, 80);
	assert_false(conf.listen.is_ip6);
	assert_string_equal(conf.conninfo, "dbname=x");
	config_free(keys, N_KEYS, &conf);
}

static void first_error_is_told_with_file_and_line(void **state)
{
	static const struct {
		const char *text;
		int err;
		const char *error;
	} rows[] = {
		{ "", -ERR_NOT_FOUND, "x.conf:0: [main] name is missing" },
		{ "[main]\n\n", -ERR_NOT_FOUND, "x.conf:2: [main] name is missing" },
		{ "[main]\nname =\n", -ERR_RANGE,
		  "x.conf:2: [main] name = : must be 1 to 8 characters" },
		{ "[main]\nname = 123456789\n", -ERR_RANGE,
		  "x.conf:2: [main] name = 123456789: must be 1 to 8 characters" },
		{ "[main]\nname = a\nname = b\n", -ERR_EXISTS,
		  "x.conf:3: [main] name is given twice" },
		{ "[main]\nname = a\n  name = b\n", -ERR_EXISTS,
		  "x.conf:3: [main] name is given twice" },
		{ "[main]\nnames = a\n", -ERR_UNKNOWN, "x.conf:2: [main] names: unknown key" },
		{ "name = a\n", -ERR_UNKNOWN, "x.conf:1: [] name: unknown key" },
		{ "[main]\nName = a\n", -ERR_UNKNOWN, "x.conf:2: [main] Name: unknown key" },
		{ "\n[mian]\n", -ERR_UNKNOWN, "x.conf:2: [mian]: unknown section" },
		{ "[]\n", -ERR_UNKNOWN, "x.conf:1: []: unknown section" },
		{ "[net]\nname = a\n", -ERR_UNKNOWN, "x.conf:2: [net] name: unknown key" },
		{ "[main]\n\nnonsense\nname = ok\nworkers = x\n", -ERR_FORMAT,
		  "x.conf:3: neither [section] nor key = value" },
		{ "[main\n", -ERR_FORMAT, "x.conf:1: neither [section] nor key = value" },
		{ "[main]\nworkers = 0\nnonsense\n", -ERR_RANGE,
		  "x.conf:2: [main] workers = 0: must be a number from 1 to 64" },
		{ "[main]\nworkers = 65\n", -ERR_RANGE,
		  "x.conf:2: [main] workers = 65: must be a number from 1 to 64" },
		{ "[main]\nworkers = -1\n", -ERR_FORMAT,
		  "x.conf:2: [main] workers = -1: must be a number from 1 to 64" },
		{ "[main]\nworkers = 4 # four\n", -ERR_FORMAT,
		  "x.conf:2: [main] workers = 4 # four: must be a number from 1 to 64" },
		{ "[main]\nworkers =\n", -ERR_FORMAT,
		  "x.conf:2: [main] workers = : must be a number from 1 to 64" },
		{ "[main]\ntls = maybe\n", -ERR_FORMAT,
		  "x.conf:2: [main] tls = maybe: must be yes or no" },
		{ "[main]\nlevel = loud\n", -ERR_UNKNOWN,
		  "x.conf:2: [main] level = loud: must be one of error, warn, info" },
		{ "[net]\nipv4 = 1.2.3\n", -ERR_FORMAT,
		  "x.conf:2: [net] ipv4 = 1.2.3: must be an IPv4 address" },
		{ "[net]\nipv4 =\n", -ERR_FORMAT,
		  "x.conf:2: [net] ipv4 = : must be an IPv4 address" },
		{ "[net]\nipv6 = 1.2.3.4\n", -ERR_FORMAT,
		  "x.conf:2: [net] ipv6 = 1.2.3.4: must be an IPv6 address" },
		{ "[net]\nlisten = :80\n", -ERR_FORMAT,
		  "x.conf:2: [net] listen = :80: must be address:port, an IPv6 address in brackets" },
		{ "[net]\nlisten = ::1:80\n", -ERR_FORMAT,
		  "x.conf:2: [net] listen = ::1:80: must be address:port, an IPv6 address in brackets" },
		{ "[net]\nlisten = [::1]80\n", -ERR_FORMAT, NULL },
		{ "[net]\nlisten = [::1:80\n", -ERR_FORMAT, NULL },
		{ "[net]\nlisten = []:80\n", -ERR_FORMAT, NULL },
		{ "[net]\nlisten = [\n", -ERR_FORMAT, NULL },
		{ "[net]\nlisten = :\n", -ERR_FORMAT, NULL },
		{ "[net]\nlisten = 127.0.0.1:\n", -ERR_FORMAT, NULL },
		{ "[net]\nlisten = 127.0.0.1:65536\n", -ERR_FORMAT, NULL },
		{ "[net]\nlisten = localhost:80\n", -ERR_FORMAT, NULL },
		{ "[database]\nconninfo =\n", -ERR_RANGE,
		  "x.conf:2: [database] conninfo must be 1 to 1000 characters" },
	};
	struct conf conf;
	char error[CONFIG_ERROR_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int err = load_text(rows[i].text, strlen(rows[i].text), &conf, error);
		if (rows[i].error)
			assert_string_equal(error, rows[i].error);
		if (err != rows[i].err)
			fail_msg("%s: %d", rows[i].text, err);
		assert_null(conf.name);
		assert_null(conf.conninfo);
	}
}

static void line_may_be_long_but_not_cut(void **state)
{
	char text[6000], error[CONFIG_ERROR_TEXT];
	struct conf conf;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "[main]\nname=n\nnote = ", 21);
	assert_int_equal(load_text(text, 21 + 2000, &conf, error), 0);
	assert_int_equal(strlen(conf.note), 2000);
	config_free(keys, N_KEYS, &conf);
	assert_int_equal(load_text(text, 21 + 2001, &conf, error), -ERR_RANGE);
	assert_int_equal(load_text(text, sizeof(text), &conf, error), -ERR_RANGE);
	assert_string_equal(error, "x.conf:3: the line is longer than 4096 characters");
	/* In a comment as well: its rest must not be taken for a line. */
	text[14] = '#';
	assert_int_equal(load_text(text, sizeof(text), &conf, error), -ERR_RANGE);
	assert_int_equal(load_text("[main]\nna\0me=x", 14, &conf, error), -ERR_FORMAT);
	assert_string_equal(error, "x.conf:2: the line has a NUL character");
}

static void secret_is_quoted_nowhere(void **state)
{
	struct conf conf;
	char error[CONFIG_ERROR_TEXT], text[1200], *dump = NULL;
	size_t dump_len;

	(void)state;
	int len = snprintf(text, sizeof(text), "[main]\nname=x\n[database]\nconninfo=sesame%01000d",
			   7);
	assert_int_equal(load_text(text, (size_t)len, &conf, error), -ERR_RANGE);
	assert_null(strstr(error, "sesame"));
	len = snprintf(text, sizeof(text),
		       "[main]\nname=x\n[database]\nconninfo=sesame\nconninfo=sesame");
	assert_int_equal(load_text(text, (size_t)len, &conf, error), -ERR_EXISTS);
	assert_null(strstr(error, "sesame"));
	len = snprintf(text, sizeof(text), "[main]\nname=x\n[database]\nconninfo=sesame");
	assert_int_equal(load_text(text, (size_t)len, &conf, error), 0);
	FILE *f = open_memstream(&dump, &dump_len);
	config_dump(f, keys, N_KEYS, &conf);
	fclose(f);
	assert_null(strstr(dump, "sesame"));
	assert_non_null(strstr(dump, "conninfo = (set)\n"));
	free(dump);
	config_free(keys, N_KEYS, &conf);
}

static void dump_loads_again_and_dumps_the_same(void **state)
{
	static const char text[] =
		"[main]\nname = demo01\nworkers=64\nlevel=error\ntls=1\nnote= \"quoted\" ; = [x]\n[net]\nipv6=2001:db8:0::1\nlisten=[2001:db8::1]:1\nshut=off\n";
	struct conf conf, again;
	char error[CONFIG_ERROR_TEXT], *dump[2] = { NULL, NULL };
	size_t len[2];

	(void)state;
	assert_int_equal(load_text(text, sizeof(text) - 1, &conf, error), 0);
	FILE *f = open_memstream(&dump[0], &len[0]);
	config_dump(f, keys, N_KEYS, &conf);
	fclose(f);
	assert_non_null(strstr(dump[0], "# threads (restart to change)\nworkers = 64\n"));
	assert_non_null(strstr(dump[0], "# how much is said\nlevel = error\n"));
	assert_non_null(strstr(dump[0], "none4 = \n"));
	assert_non_null(strstr(dump[0], "door = 127.0.0.1:81\n"));
	assert_non_null(strstr(dump[0], "shut = off\n"));
	assert_int_equal(load_text(dump[0], len[0], &again, error), 0);
	f = open_memstream(&dump[1], &len[1]);
	config_dump(f, keys, N_KEYS, &again);
	fclose(f);
	assert_string_equal(dump[0], dump[1]);
	free(dump[0]);
	free(dump[1]);
	config_free(keys, N_KEYS, &conf);
	config_free(keys, N_KEYS, &again);
}

static void unreadable_file_is_named(void **state)
{
	struct conf conf = { 0 };
	char error[CONFIG_ERROR_TEXT];

	(void)state;
	assert_int_equal(config_load("/nonexistent/x.conf", keys, N_KEYS, &conf, error), -ERR_SYS);
	assert_string_equal(error,
			    "/nonexistent/x.conf: cannot be opened: No such file or directory");
	assert_int_equal(config_load("/tmp", keys, N_KEYS, &conf, error), -ERR_SYS);
	assert_string_equal(error, "/tmp:0: cannot be read: Is a directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_with_every_type_is_loaded),
		cmocka_unit_test(defaults_stand_where_the_file_is_silent),
		cmocka_unit_test(first_error_is_told_with_file_and_line),
		cmocka_unit_test(line_may_be_long_but_not_cut),
		cmocka_unit_test(secret_is_quoted_nowhere),
		cmocka_unit_test(dump_loads_again_and_dumps_the_same),
		cmocka_unit_test(unreadable_file_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
