/*
 * Whole dialogues from tests/vec/tic/, one a file, each sent in several ways that must not matter:
 * LF and CRLF, a byte at a time, all at once, cut at every byte, the verbs in capitals.
 *
 *   !clock N, !service T, !url T, !peer A   the environment
 *   !tls: there is a certificate; !steps: a line at a time only
 *   C: text          the client sends a line        X: hex   the client sends these bytes
 *   S: text          the server replies this line
 *   Q: name|p|p      the store is asked this
 *   A: c|c           a row of its answer (\N is NULL); A: alone: no row
 *   A! away|timeout|busy|broken, A! refused TEXT    an error instead of rows
 *   E: state         the state at the end
 */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <ctype.h>

#include <cmocka.h>

#include "lib/err.h"
#include "tests/unit/test_ticd_fake.h"

enum { LINES_MAX = 400, CLIENT_MAX = 16384, CELLS_MAX = 600 };

enum way { WAY_LF, WAY_CRLF, WAY_CAPITALS, WAY_SMALL, WAY_BYTES, WAY_CUT, WAY_AT_ONCE, WAY__COUNT };
static const char *const way_names[] = {
	"LF", "CRLF", "capitals", "small letters", "a byte at a time", "cut", "all at once"
};

struct script {
	char *text, *lines[LINES_MAX];
	size_t n, answered; /* lines; the line behind the last answer given */
	bool by_steps;
	wall_t clock;
	const char *peer, *name;
	char expected[FAKE_OUT];
};

static struct digest_ctx *digest_of_test;
static struct fake fake;

static bool begins(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

static void script_load(struct script *s, const char *path)
{
	FILE *f = fopen(path, "r");
	size_t size = 0;

	memset(s, 0, sizeof(*s));
	s->name = path;
	s->peer = "10.9.0.2";
	s->clock.s = 1795423260;
	assert_non_null(f);
	assert_true(getdelim(&s->text, &size, '\0', f) > 0);
	fclose(f);
	for (char *save = NULL, *line = strtok_r(s->text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		assert_true(s->n < LINES_MAX);
		if (line[0] != '#')
			s->lines[s->n++] = line;
		if (begins(line, "S: "))
			strcat(strcat(s->expected, line + 3), "\n");
	}
}

static void set_up(struct script *s)
{
	struct peer peer;

	fake_start(&fake, digest_of_test);
	for (size_t i = 0; i < s->n; i++) {
		const char *line = s->lines[i];

		if (begins(line, "!clock "))
			s->clock.s = atoll(line + 7);
		else if (begins(line, "!service "))
			fake.env.service = line + 9;
		else if (begins(line, "!url "))
			fake.env.url = line + 5;
		else if (begins(line, "!peer "))
			s->peer = line + 6;
		else if (begins(line, "!tls"))
			fake.env.has_tls = true;
		else if (begins(line, "!steps"))
			s->by_steps = true;
	}
	assert_int_equal(peer_parse(s->peer, strlen(s->peer), &peer), 0);
	session_init(&fake.session, &fake.env, &peer, fake_changed, &fake);
	s->answered = 0;
	dialogue_greet(&fake.session);
	fake_run(&fake, s->clock);
}

/* Splits a copy of `row` at its bars into `cells`; returns how many there are now. */
static size_t split(char *row, const char **cells, size_t n)
{
	for (char *cell; (cell = strsep(&row, "|")) != NULL;) {
		assert_true(n < CELLS_MAX);
		cells[n++] = strcmp(cell, "\\N") == 0 ? NULL : cell;
	}
	return n;
}

static void check_question(const struct script *s, const char *line)
{
	const struct store_shape *shape = store_shape(fake.call->question);
	char asked[FAKE_PARAM * 2];
	size_t len = (size_t)snprintf(asked, sizeof(asked), "Q: %s", shape->name);

	for (size_t i = 0; i < shape->params; i++)
		len += (size_t)snprintf(asked + len, sizeof(asked) - len, "|%s", fake.params[i]);
	if (strcmp(asked, line) != 0)
		fail_msg("%s: asked '%s' where the file has '%s'", s->name, asked, line);
}

static void give_error(const char *what)
{
	if (begins(what, "refused "))
		fake_answer(&fake, -ERR_REFUSED, what + 8, NULL, 0);
	else
		fake_answer(&fake,
			    strcmp(what, "away") == 0      ? -ERR_AWAY
			    : strcmp(what, "timeout") == 0 ? -ERR_TIMEOUT
			    : strcmp(what, "busy") == 0    ? -ERR_BUSY
							   : -ERR_FORMAT,
			    "secret details", NULL, 0);
}

/* Answers the question to the store with the next answer of the file. */
static void answer(struct script *s)
{
	static const char *cells[CELLS_MAX];
	static char copy[FAKE_OUT];
	size_t n = 0, rows = 0, used = 0;

	while (s->answered < s->n && !begins(s->lines[s->answered], "Q: "))
		s->answered++;
	if (s->answered == s->n)
		fail_msg("%s: the file does not expect a question to %s", s->name,
			 store_shape(fake.call->question)->name);
	check_question(s, s->lines[s->answered++]);
	if (begins(s->lines[s->answered], "A! ")) {
		give_error(s->lines[s->answered] + 3);
		return;
	}
	for (; s->answered < s->n && begins(s->lines[s->answered], "A:"); s->answered++) {
		if (strlen(s->lines[s->answered]) < 4)
			continue;
		n = split(strcpy(copy + used, s->lines[s->answered] + 3), cells, n);
		used += strlen(s->lines[s->answered]);
		rows++;
	}
	assert_int_equal(n, rows * store_shape(fake.call->question)->cols);
	fake_answer(&fake, 0, "", cells, rows);
}

static void settle(struct script *s)
{
	for (;;) {
		fake_run(&fake, s->clock);
		if (fake.call != NULL) {
			answer(s);
		} else if (fake.session.tls == SESSION_TLS_ASKED) {
			dialogue_grant_tls(&fake.session);
			fake_run(&fake, s->clock);
			dialogue_tls_started(&fake.session);
		} else {
			return;
		}
	}
}

static void feed(struct script *s, const char *data, size_t len)
{
	while (len > 0 && fake.session.state != SESSION_CLOSING) {
		size_t n = line_feed(&fake.session.in, data, len);

		settle(s);
		data += n;
		len -= n;
	}
}

/* The bytes that the client sends for one line of the file. */
static size_t client_bytes(const char *line, enum way way, char *out)
{
	size_t len = 0;

	if (begins(line, "X: ")) {
		len = strlen(line + 3) / 2;
		assert_int_equal(hex_decode(line + 3, 2 * len, (uint8_t *)out, len), 0);
		return len;
	}
	for (const char *c = line + 3; *c != '\0'; c++)
		out[len++] = *c;
	for (size_t i = 0; i < len && out[i] != ' '; i++)
		out[i] = (char)(way == WAY_CAPITALS ? toupper(out[i])
				: way == WAY_SMALL  ? tolower(out[i])
						    : out[i]);
	if (way == WAY_CRLF)
		out[len++] = '\r';
	out[len++] = '\n';
	return len;
}

static void check_end(const struct script *s, enum way way, size_t cut)
{
	for (size_t i = 0; i < s->n; i++)
		if (begins(s->lines[i], "E: ") &&
		    strcmp(session_state_name(fake.session.state), s->lines[i] + 3) != 0)
			fail_msg("%s, %s: ends %s", s->name, way_names[way],
				 session_state_name(fake.session.state));
	if (strcmp(fake.out, s->expected) != 0)
		fail_msg("%s, %s (%zu): the server said\n%s", s->name, way_names[way], cut,
			 fake.out);
	for (size_t i = s->answered; i < s->n; i++)
		if (begins(s->lines[i], "Q: "))
			fail_msg("%s: was not asked '%s'", s->name, s->lines[i]);
	session_end(&fake.session);
}

static void play_lines(struct script *s, enum way way)
{
	char bytes[CLIENT_MAX];

	set_up(s);
	for (size_t i = 0; i < s->n; i++)
		if (begins(s->lines[i], "C: ") || begins(s->lines[i], "X: "))
			feed(s, bytes, client_bytes(s->lines[i], way, bytes));
	check_end(s, way, 0);
}

static void play_stream(struct script *s, enum way way)
{
	static char all[CLIENT_MAX];
	size_t len = 0, step = way == WAY_BYTES ? 1 : CLIENT_MAX;

	for (size_t i = 0; i < s->n; i++)
		if (begins(s->lines[i], "C: ") || begins(s->lines[i], "X: "))
			len += client_bytes(s->lines[i], way, all + len);
	for (size_t cut = way == WAY_CUT ? 0 : len; cut <= len; cut++) {
		set_up(s);
		if (way == WAY_CUT)
			feed(s, all, cut);
		for (size_t at = way == WAY_CUT ? cut : 0; at < len; at += step)
			feed(s, all + at, len - at < step ? len - at : step);
		check_end(s, way, cut);
	}
}

static void dialogues_in_every_way_the_same_answers(void **state)
{
	static struct script s;
	glob_t files;

	(void)state;
	assert_int_equal(glob("tests/vec/tic/*.txt", 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		script_load(&s, files.gl_pathv[i]);
		set_up(&s);
		session_end(&fake.session);
		for (enum way way = WAY_LF; way < WAY__COUNT; way++) {
			if (way <= WAY_SMALL)
				play_lines(&s, way);
			else if (!s.by_steps || way == WAY_BYTES)
				play_stream(&s, way);
		}
		free(s.text);
	}
	assert_true(files.gl_pathc >= 10);
	globfree(&files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dialogues_in_every_way_the_same_answers),
	};
	int status;

	log_init("test", LOG_LEVEL_ERROR);
	if (digest_init() != 0 || (digest_of_test = digest_ctx_create()) == NULL)
		return 1;
	status = cmocka_run_group_tests(tests, NULL, NULL);
	digest_ctx_free(digest_of_test);
	return status;
}
