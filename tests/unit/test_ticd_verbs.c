/* Every command in every state, against the table of the protocol written by hand a second time. */
#include "ticd/core/verbs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/test_ticd_fake.h"

static struct digest_ctx *digest_of_test;
static const wall_t now = { 1795423260 };

enum {
	I = 1 << SESSION_INITIAL,
	C = 1 << SESSION_CHALLENGE,
	A = 1 << SESSION_AUTHENTICATE,
	S = 1 << SESSION_SHOW_ONLY,
	M = 1 << SESSION_MAIN,
	ANY = I | C | A | S | M
};

static const struct {
	const char *line;
	unsigned legal;          /* states */
	const char *reply;       /* how it begins where legal; NULL: the store is asked */
	enum session_state next; /* after that; SESSION_NEW: the same */
} commands[] = {
	{ "client TIC/draft-00 AICCU/2007.01.15-console-linux Linux/6.1", I, "200 ", SESSION_NEW },
	{ "client", I, "200 ", SESSION_NEW },
	{ "get unixtime", ANY, "200 1795423260\n", SESSION_NEW },
	{ "starttls", I, "500 ", SESSION_NEW },
	{ "username TEST-SIXXS", I, "200 ", SESSION_CHALLENGE },
	{ "username TEST-SIXXS/T12", I, "200 ", SESSION_CHALLENGE },
	{ "challenge md5", C, "200 5f2b1c0a9e8d7c6b5a49382716051423\n", SESSION_AUTHENTICATE },
	{ "challenge sha256", C, "200 5f2b1c0a9e8d7c6b5a49382716051423\n", SESSION_AUTHENTICATE },
	{ "challenge clear", C, "500 ", SESSION_NEW },
	{ "challenge cookie", C, "500 ", SESSION_NEW },
	{ "challenge nonsense", C, "500 ", SESSION_NEW },
	{ "authenticate md5 0123", A, NULL, SESSION_NEW },
	{ "authenticate sha256 0123", A, "500 ", SESSION_INITIAL }, /* the challenge was for md5 */
	{ "tunnel list", M, NULL, SESSION_NEW },
	{ "tunnel show T12", S | M, NULL, SESSION_NEW },
	{ "tunnel show 12", S | M, NULL, SESSION_NEW },
	{ "tunnel set T12 endpoint 192.0.2.1", M, NULL, SESSION_NEW },
	{ "tunnel set T12 endpoint current", M, NULL, SESSION_NEW },
	{ "tunnel set T12 state enabled", M, NULL, SESSION_NEW },
	{ "tunnel set T12 state disabled", M, NULL, SESSION_NEW },
	{ "pop list", M, NULL, SESSION_NEW },
	{ "pop show demo01", M, NULL, SESSION_NEW },
	{ "route list", M, NULL, SESSION_NEW },
	{ "route show R3", M, NULL, SESSION_NEW },
	{ "route show 3", M, NULL, SESSION_NEW },
	{ "help", ANY, "201 ", SESSION_NEW },
	{ "quit", ANY, "200 ", SESSION_CLOSING },
	{ "QUIT Zij die gaan, groeten u", ANY, "200 ", SESSION_CLOSING },
	{ "exit", ANY, "200 ", SESSION_CLOSING },
	/* wrong in every state */
	{ "get", 0, NULL, SESSION_NEW },
	{ "get unixtime now", 0, NULL, SESSION_NEW },
	{ "get motd", 0, NULL, SESSION_NEW },
	{ "starttls now", 0, NULL, SESSION_NEW },
	{ "username", 0, NULL, SESSION_NEW },
	{ "username a b", 0, NULL, SESSION_NEW },
	{ "challenge", 0, NULL, SESSION_NEW },
	{ "authenticate md5", 0, NULL, SESSION_NEW },
	{ "authenticate md5 a b", 0, NULL, SESSION_NEW },
	{ "tunnel", 0, NULL, SESSION_NEW },
	{ "tunnel frobnicate", 0, NULL, SESSION_NEW },
	{ "tunnel list all", 0, NULL, SESSION_NEW },
	{ "tunnel show", 0, NULL, SESSION_NEW },
	{ "tunnel show T0", 0, NULL, SESSION_NEW },
	{ "tunnel show T99999999999", 0, NULL, SESSION_NEW },
	{ "tunnel show X12", 0, NULL, SESSION_NEW },
	{ "tunnel set T12 state", 0, NULL, SESSION_NEW },
	{ "tunnel set T12 state maybe", 0, NULL, SESSION_NEW },
	{ "tunnel set T12 endpoint 192.0.2", 0, NULL, SESSION_NEW },
	{ "tunnel set T12 endpoint 2001:db8::1", 0, NULL, SESSION_NEW },
	{ "tunnel set T12 mtu 1480", 0, NULL, SESSION_NEW },
	{ "route show T3", 0, NULL, SESSION_NEW },
	{ "route show R", 0, NULL, SESSION_NEW },
	{ "pop", 0, NULL, SESSION_NEW },
	{ "GET / HTTP/1.1", 0, NULL, SESSION_NEW },
	{ "EHLO example.net", 0, NULL, SESSION_NEW },
	{ "", 0, NULL, SESSION_NEW },
	{ "   ", 0, NULL, SESSION_NEW },
};

static void bring_to(struct fake *f, enum session_state state)
{
	fake_start(f, digest_of_test);
	dialogue_greet(&f->session);
	if (state == SESSION_MAIN)
		fake_login(f, now);
	if (state == SESSION_SHOW_ONLY)
		fake_login_restricted(f, now);
	if (state == SESSION_CHALLENGE || state == SESSION_AUTHENTICATE)
		fake_say(f, "username TEST-SIXXS\n", now);
	if (state == SESSION_AUTHENTICATE)
		fake_say(f, "challenge md5\n", now);
	fake_run(f, now);
	assert_int_equal(f->session.state, state);
	f->out_len = 0;
	f->out[0] = '\0';
	f->asked = 0;
}

/* What a refused command is told. A name that has logged in too often hears until when that is, even
 * where the command is also wrong. */
static bool is_refused(const char *said, enum session_state state, bool is_legal_later)
{
	bool is_told = strncmp(said, "500 TEST-SIXXS has logged in too often. See http://", 51) ==
		       0;

	return is_legal_later && state == SESSION_SHOW_ONLY
		       ? is_told
		       : strncmp(said, "400 ", 4) == 0 || (state == SESSION_SHOW_ONLY && is_told);
}

static void check(size_t i, enum session_state state)
{
	static struct fake f;
	bool is_legal = (commands[i].legal & 1u << state) != 0;
	enum session_state next = is_legal && commands[i].next != SESSION_NEW ? commands[i].next
									      : state;
	const char *reply = is_legal ? commands[i].reply : "";
	char line[128];

	bring_to(&f, state);
	snprintf(line, sizeof(line), "%s\n", commands[i].line);
	fake_say(&f, line, now);
	if (f.session.state != next)
		fail_msg("'%s' when %s: now %s", commands[i].line, session_state_name(state),
			 session_state_name(f.session.state));
	if ((reply == NULL) != (f.call != NULL))
		fail_msg("'%s' when %s: the store was %sasked", commands[i].line,
			 session_state_name(state), f.call != NULL ? "" : "not ");
	if (reply != NULL && strncmp(f.out, reply, strlen(reply)) != 0)
		fail_msg("'%s' when %s: %s", commands[i].line, session_state_name(state), f.out);
	if (!is_legal && !is_refused(f.out, state, (commands[i].legal & M) != 0))
		fail_msg("'%s' when %s: %s", commands[i].line, session_state_name(state), f.out);
	session_end(&f.session);
	assert_null(f.call);
}

static void verbs_each_in_each_state_is_run_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		for (enum session_state s = SESSION_INITIAL; s <= SESSION_MAIN; s++)
			check(i, s);
}

static void verbs_help_lists_what_is_legal(void **state)
{
	static struct fake f;
	size_t n;
	const struct verb *verbs = verbs_table(&n);

	(void)state;
	for (enum session_state s = SESSION_INITIAL; s <= SESSION_MAIN; s++) {
		bring_to(&f, s);
		fake_say(&f, "HELP\n", now);
		assert_true(f.out_len <= REPLY_MAX);
		assert_memory_equal(f.out, "201 ", 4);
		assert_non_null(strstr(f.out, "\n202 "));
		for (size_t i = 0; i < n; i++)
			if ((strstr(f.out, verbs[i].usage) != NULL) !=
			    ((verbs[i].states & 1u << s) != 0))
				fail_msg("help when %s and '%s'", session_state_name(s),
					 verbs[i].usage);
		session_end(&f.session);
	}
}

static void verbs_rows_of_one_name_are_neighbours(void **state)
{
	size_t n;
	const struct verb *verbs = verbs_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_true(verbs[i].max_args == VERB_ANY_ARGS ||
			    (verbs[i].min_args <= verbs[i].max_args &&
			     verbs[i].max_args + 2 <= TOKENS_MAX));
		for (size_t k = i + 2; k < n; k++)
			if (strcmp(verbs[i].name, verbs[k].name) == 0)
				assert_string_equal(verbs[k - 1].name, verbs[k].name);
	}
}

static void verbs_invalid_lines_end_the_session(void **state)
{
	static struct fake f;

	(void)state;
	bring_to(&f, SESSION_INITIAL);
	for (int i = 0; i < SESSION_REJECTS_MAX; i++)
		fake_say(&f, "Host: example.net\n", now);
	assert_int_equal(f.session.state, SESSION_CLOSING);
	assert_non_null(strstr(f.out, "\n500 Too many"));
	session_end(&f.session);
}

/* The longest values fit one reply; hostile ones neither forge a line nor break the record. */
static void records_with_the_longest_values_fit(void **state)
{
	static const char *const questions[] = { "tunnel show T2147483647\n", "pop show demo01\n",
						 "route show R2147483647\n" };
	static struct fake f;
	static char value[400];
	const char *cells[TUNNEL__COUNT];

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	value[3] = '\n';
	for (size_t i = 0; i < TUNNEL__COUNT; i++)
		cells[i] = value;
	for (size_t q = 0; q < sizeof(questions) / sizeof(questions[0]); q++) {
		bring_to(&f, SESSION_MAIN);
		fake_say(&f, questions[q], now);
		assert_non_null(f.call);
		if (f.call->question == STORE_TUNNEL_SHOW)
			cells[TUNNEL_POP_STATE] = "up";
		fake_answer(&f, 0, "", cells, 1);
		fake_run(&f, now);
		assert_int_equal(f.session.state, SESSION_MAIN);
		assert_memory_equal(f.out, "201 ", 4);
		assert_true(f.out_len <= REPLY_MAX);
		assert_memory_equal(f.out + f.out_len - 9, "202 Done\n", 9);
		session_end(&f.session);
	}
}

/* Clients take the last key that begins with the text they look for. */
static void records_keys_do_not_hide_one_another(void **state)
{
	static const char *const tunnel[TUNNEL__COUNT] = { "12",
							   "ayiya",
							   "2001:db8:2ff::2",
							   "2001:db8:2ff::1",
							   "64",
							   "1280",
							   "Name",
							   "demo01",
							   "ayiya",
							   "192.0.2.1",
							   "enabled",
							   "enabled",
							   "0123456789abcdef0123456789abcdef",
							   "60",
							   "up" };
	static const char *const wanted[] = { "TunnelId",          "Type",
					      "IPv6 Endpoint",     "IPv6 POP",
					      "IPv6 PrefixLength", "Tunnel MTU",
					      "Tunnel Name",       "POP Id",
					      "IPv4 Endpoint",     "IPv4 POP",
					      "UserState",         "AdminState",
					      "Password",          "Heartbeat_Interval" };
	static struct fake f;

	(void)state;
	bring_to(&f, SESSION_MAIN);
	fake_say(&f, "tunnel show T12\n", now);
	fake_answer(&f, 0, "", tunnel, 1);
	fake_run(&f, now);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		char key[40];
		const char *first;

		snprintf(key, sizeof(key), "\n%s", wanted[i]);
		first = strstr(f.out, key);
		assert_non_null(first);
		assert_null(strstr(first + 1, key));
		assert_memory_equal(first + strlen(key), ": ", 2);
	}
	session_end(&f.session);
}

static void lists_too_long_are_refused_whole(void **state)
{
	static struct fake f;
	struct store_call *call;
	const struct store_answer answer = {
		.err = 0, .message = "", .rows = 32769, .cell = fake_cell
	};

	(void)state;
	bring_to(&f, SESSION_MAIN);
	fake_say(&f, "tunnel list\n", now);
	call = f.call;
	f.call = NULL;
	call->active = false;
	call->done(call->ctx, &answer);
	fake_run(&f, now);
	assert_memory_equal(f.out, "500 There are 32769 tunnels", 27);
	session_end(&f.session);
}

static void sessions_end_while_asking_is_forgotten(void **state)
{
	static struct fake f;

	(void)state;
	bring_to(&f, SESSION_MAIN);
	fake_say(&f, "tunnel list\nquit\n", now);
	assert_non_null(f.call);
	session_close(&f.session, "500 Nothing said");
	assert_int_equal(f.forgotten, 1);
	session_end(&f.session);
	assert_int_equal(f.forgotten, 1);
}

/* A refused login waits until SESSION_REFUSAL_MS after its line, and nothing else waits. */
static void refused_logins_are_held_back(void **state)
{
	static const struct {
		const char *name;
		int64_t ms; /* since the line */
		int64_t held;
	} rows[] = {
		{ "at once", 0, 50 },
		{ "a millisecond before", 49, 1 },
		{ "in time", 50, 0 },
		{ "over for good", 0, 0 },
	};
	static struct fake f;

	(void)state;
	bring_to(&f, SESSION_AUTHENTICATE);
	assert_int_equal(session_hold_ms(&f.session, (mono_t){ 0 }), 0);
	line_feed(&f.session.in, "authenticate md5 00\n", 20);
	dialogue_run(&f.session, now, (mono_t){ 1000 });
	fake_answer(&f, 0, "", fake_account, 1);
	assert_true(session_has_output(&f.session));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (session_hold_ms(&f.session, (mono_t){ 1000 + rows[i].ms }) != rows[i].held)
			fail_msg("%s", rows[i].name);
	session_end(&f.session);
}

/* Every answer to a login from an address with many failures waits, the right ones too. */
static void logins_from_an_address_with_failures_wait(void **state)
{
	static const char right[] = "authenticate md5 " FAKE_MD5_ANSWER "\n";
	static const struct {
		unsigned failures;
		const char *line;
		int64_t held;
	} rows[] = {
		{ 19, right, 0 },
		{ 20, right, 0 },
		{ 20, "authenticate md5 00\n", 50 },
		{ 21, right, FAILURES_STEP_MS },
		{ 21, "authenticate md5 00\n", FAILURES_STEP_MS },
		{ 25, right, 5 * FAILURES_STEP_MS },
		{ 500, right, FAILURES_DELAY_MAX_MS },
	};
	static struct fake f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct failures *failures = failures_create();

		assert_non_null(failures);
		bring_to(&f, SESSION_AUTHENTICATE);
		f.env.failures = failures;
		for (unsigned n = 0; n < rows[i].failures; n++)
			failures_add(failures, &f.session.peer.ip, (mono_t){ 1000 });
		line_feed(&f.session.in, rows[i].line, strlen(rows[i].line));
		dialogue_run(&f.session, now, (mono_t){ 1000 });
		fake_answer(&f, 0, "", fake_account, 1);
		if (f.call)
			fake_answer(&f, 0, "", fake_accepted, 1);
		assert_true(session_has_output(&f.session));
		assert_int_equal(session_hold_ms(&f.session, (mono_t){ 1000 }), rows[i].held);
		session_end(&f.session);
		failures_free(failures);
	}
}

static void starttls_with_more_behind_it_closes(void **state)
{
	static struct fake f;

	(void)state;
	bring_to(&f, SESSION_INITIAL);
	f.env.has_tls = true;
	fake_say(&f, "starttls\r\nusername TEST-SIXXS\n", now);
	assert_int_equal(f.session.state, SESSION_CLOSING);
	assert_int_equal(f.session.tls, SESSION_TLS_OFF);
	assert_memory_equal(f.out, "500 ", 4);
	assert_null(strstr(f.out, "200"));
	session_end(&f.session);
}

/* No line is taken between starttls and the end of the handshake. */
static void starttls_takes_no_line_until_tls_is_up(void **state)
{
	static struct fake f;

	(void)state;
	bring_to(&f, SESSION_INITIAL);
	f.env.has_tls = true;
	fake_say(&f, "starttls\n", now);
	assert_int_equal(f.session.tls, SESSION_TLS_ASKED);
	assert_string_equal(f.out, "");
	dialogue_grant_tls(&f.session);
	fake_say(&f, "get unixtime\n", now);
	assert_string_equal(f.out, "200 Ready to start TLS\n");
	dialogue_tls_started(&f.session);
	fake_run(&f, now);
	assert_string_equal(f.out, "200 Ready to start TLS\n200 1795423260\n");
	session_end(&f.session);
}

static void lines_wait_while_the_store_is_asked(void **state)
{
	static const char *const none[] = { NULL };
	static struct fake f;

	(void)state;
	bring_to(&f, SESSION_MAIN);
	fake_say(&f, "tunnel list\nget unixtime\nquit\n", now);
	assert_string_equal(f.out, "");
	fake_answer(&f, 0, "", none, 0);
	assert_int_equal(f.changed, 3); /* two of them while logging in */
	fake_run(&f, now);
	assert_string_equal(f.out, "201 Listing tunnels\n202 Done\n200 1795423260\n200 Bye\n");
	session_end(&f.session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verbs_each_in_each_state_is_run_or_refused),
		cmocka_unit_test(verbs_help_lists_what_is_legal),
		cmocka_unit_test(verbs_rows_of_one_name_are_neighbours),
		cmocka_unit_test(verbs_invalid_lines_end_the_session),
		cmocka_unit_test(records_with_the_longest_values_fit),
		cmocka_unit_test(records_keys_do_not_hide_one_another),
		cmocka_unit_test(lists_too_long_are_refused_whole),
		cmocka_unit_test(sessions_end_while_asking_is_forgotten),
		cmocka_unit_test(refused_logins_are_held_back),
		cmocka_unit_test(logins_from_an_address_with_failures_wait),
		cmocka_unit_test(starttls_with_more_behind_it_closes),
		cmocka_unit_test(starttls_takes_no_line_until_tls_is_up),
		cmocka_unit_test(lines_wait_while_the_store_is_asked),
	};
	int status;

	log_init("test", LOG_LEVEL_ERROR);
	if (digest_init() != 0 || (digest_of_test = digest_ctx_create()) == NULL)
		return 1;
	status = cmocka_run_group_tests(tests, NULL, NULL);
	digest_ctx_free(digest_of_test);
	return status;
}
