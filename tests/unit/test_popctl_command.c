/* popctl's command line: what is taken, what is refused, and that the usage names all of it. */
#include "popd/ctl/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORDS = 8, OUTPUT = 1 << 16 };

/* Splits at spaces and parses. Returns what was written to `stream`, for the caller to free. */
static char *parse(const char *text, FILE *stream, struct request *r, int *status)
{
	static char words[256];
	char *argv[WORDS] = { (char[]){ "popctl" } }, *rest;
	int argc = 1;

	snprintf(words, sizeof(words), "%s", text);
	for (char *w = strtok_r(words, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) {
		assert_true(argc < WORDS);
		argv[argc++] = w;
	}
	FILE *file = tmpfile();
	char *said = calloc(1, OUTPUT);
	assert_true(file && said);
	fflush(stream);
	int before = dup(fileno(stream));
	assert_true(before >= 0 && dup2(fileno(file), fileno(stream)) >= 0);
	*status = command_parse(argc, argv, r);
	fflush(stream);
	assert_true(dup2(before, fileno(stream)) >= 0);
	close(before);
	rewind(file);
	assert_true(fread(said, 1, OUTPUT - 1, file) < OUTPUT - 1);
	fclose(file);
	return said;
}

static void right_calls_are_taken(void **state)
{
	static const struct {
		const char *line, *name;
		size_t n;
		unsigned limit, interval_ms, count;
	} rows[] = {
		{ "status", "status", 0, 0, 0, 0 },
		{ "tunnel list", "tunnel list", 0, 0, 0, 0 },
		{ "--all tunnel list", "tunnel list", 0, 0, 0, 0 },
		{ "tunnel --json show T7", "tunnel show", 1, 0, 0, 0 },
		{ "tunnel errors T7 --packet", "tunnel errors", 1, 0, 0, 0 },
		{ "tunnel trace T7 T8", "tunnel trace", 2, 0, 0, 0 },
		{ "tunnel trace --all -c 3", "tunnel trace", 0, 0, 0, 3 },
		{ "tunnel trace T7 --pcap=x --outer", "tunnel trace", 1, 0, 0, 0 },
		{ "counters --reset", "counters", 0, 0, 0, 0 },
		{ "reasons", "reasons", 0, 0, 0, 0 },
		{ "top", "top", 0, 20, 2000, 0 },
		{ "top --once", "top", 0, 20, 1000, 0 },
		{ "top -n 200 --interval 3600 --by drops", "top", 0, 200, 3600000, 0 },
		{ "reload", "reload", 0, 0, 0, 0 },
		{ "log debug", "log", 1, 0, 0, 0 },
	};
	struct request r;
	int status;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *said = parse(rows[i].line, stderr, &r, &status);
		assert_string_equal(said, "");
		assert_int_equal(status, 0);
		assert_string_equal(r.command->name, rows[i].name);
		assert_int_equal(r.n, rows[i].n);
		assert_int_equal(r.limit, rows[i].limit);
		assert_int_equal(r.interval_ms, rows[i].interval_ms);
		assert_int_equal(r.count, rows[i].count);
		assert_int_equal(r.json, strstr(rows[i].line, "--json") != NULL);
		assert_int_equal(r.all, strstr(rows[i].line, "--all") != NULL);
		assert_int_equal(r.packet, strstr(rows[i].line, "--packet") != NULL);
		assert_int_equal(r.reset, strstr(rows[i].line, "--reset") != NULL);
		assert_int_equal(r.outer, strstr(rows[i].line, "--outer") != NULL);
		free(said);
	}
}

static void wrong_calls_are_refused_with_a_sentence(void **state)
{
	static const struct {
		const char *line, *said;
	} rows[] = {
		{ "", "no command given" },
		{ "dance", "unknown command: dance" },
		{ "tunnel", "unknown command: tunnel" },
		{ "tunnel dance", "unknown command: tunnel" },
		{ "show T7", "unknown command: show" },
		{ "status now", "too many arguments: now" },
		{ "tunnel list T7", "too many arguments: T7" },
		{ "tunnel show", "tunnel show needs a tunnel" },
		{ "tunnel show T7 T8", "too many arguments: T8" },
		{ "tunnel errors", "tunnel errors needs a tunnel" },
		{ "tunnel trace", "tunnel trace needs a tunnel or --all" },
		{ "log", "log needs a level" },
		{ "status --all", "--all does not go with status" },
		{ "tunnel show T7 --all", "--all does not go with tunnel show" },
		{ "top --packet", "--packet does not go with top" },
		{ "status --loud", "unknown option: --loud" },
		{ "status --jso", "unknown option: --jso" },
		{ "status --json=1", "this option takes no value: --json" },
		{ "status --socket", "this option needs a value: --socket" },
		{ "top -n", "this option needs a value: -n" },
		{ "top -n 0", "must be a number from 1 to 200" },
		{ "top -n 201", "must be a number from 1 to 200" },
		{ "top --interval 3601", "must be a number from 1 to 3600" },
		{ "top --by size", "--by must be bytes, packets or drops, not size" },
		{ "tunnel trace T7 -c 0", "must be a number from 1 to" },
		{ "tunnel trace T7 --outer", "--outer and --inner go with --pcap" },
		{ "tunnel trace T7 --pcap x --outer --inner", "--outer excludes --inner" },
		{ "tunnel trace T7 --pcap x --json", "--pcap excludes --json" },
	};
	struct request r;
	int status;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *said = parse(rows[i].line, stderr, &r, &status);
		assert_int_equal(status, 2);
		if (strncmp(said, "popctl: ", 8) != 0 || !strstr(said, rows[i].said))
			fail_msg("'%s' is refused with: %s", rows[i].line, said);
		free(said);
	}
}

static void the_socket_is_the_options_or_the_environments_or_the_default(void **state)
{
	static const struct {
		const char *environment, *line, *socket;
	} rows[] = {
		{ NULL, "status", "/run/popd/popd.sock" },
		{ "", "status", "/run/popd/popd.sock" },
		{ "/e", "status", "/e" },
		{ "/e", "status --socket /o", "/o" },
		{ "/e", "--socket=/o status", "/o" },
	};
	struct request r;
	int status;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(rows[i].environment
					 ? setenv("POPCTL_SOCKET", rows[i].environment, 1)
					 : unsetenv("POPCTL_SOCKET"),
				 0);
		free(parse(rows[i].line, stderr, &r, &status));
		assert_int_equal(status, 0);
		assert_string_equal(r.socket, rows[i].socket);
	}
	assert_int_equal(unsetenv("POPCTL_SOCKET"), 0);
}

static void the_usage_names_every_command_and_option(void **state)
{
	static const char *const lines[] = {
		"\n  status ",
		"\n  tunnel list ",
		"\n    --all ",
		"\n  tunnel show T-ID|ADDRESS ",
		"\n  tunnel errors T-ID|ADDRESS ",
		"\n    --packet ",
		"\n    --reset ",
		"\n  tunnel trace T-ID|ADDRESS... ",
		"\n    -c N ",
		"\n    --pcap FILE ",
		"\n    --outer ",
		"\n    --inner ",
		"\n  counters ",
		"\n  reasons ",
		"\n  top ",
		"\n    -n N ",
		"\n    --by ORDER ",
		"\n    --interval S ",
		"\n    --once ",
		"\n  reload ",
		"\n  log LEVEL ",
		"\n  --socket PATH ",
		"\n  --json ",
	};
	struct request r;
	int status;

	(void)state;
	char *usage = parse("tunnel --help", stdout, &r, &status);
	assert_int_equal(status, -1);
	const char *at = usage;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		const char *found = strstr(at, lines[i]);
		if (!found)
			fail_msg("not in its place: %s", lines[i] + 1);
		at = found;
	}
	for (const char *p = usage; *p; p += strcspn(p, "\n") + 1)
		assert_true(strcspn(p, "\n") <= 100);
	free(usage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(right_calls_are_taken),
		cmocka_unit_test(wrong_calls_are_refused_with_a_sentence),
		cmocka_unit_test(the_socket_is_the_options_or_the_environments_or_the_default),
		cmocka_unit_test(the_usage_names_every_command_and_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
