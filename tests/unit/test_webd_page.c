#include "web/page/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test_webd_fixture.h"
#include "web/page/html.h"
#include "web/page/layout.h"

/* The document as a string. */
static char *text_of(struct html *h)
{
	size_t len;
	html_put(h, "%s", "");
	char *data = html_take(h, &len);
	assert_non_null(data);
	data = realloc(data, len + 1);
	assert_non_null(data);
	data[len] = '\0';
	return data;
}

static char *status_text(const struct page_now *now)
{
	struct html h = html_init(1 << 20);
	page_status(&h, now);
	return text_of(&h);
}

static char *pop_text(const struct page_now *now, const char *name)
{
	struct html h = html_init(1 << 20);
	const struct pop_view *pop = status_view_find(now->view, name);
	assert_non_null(pop);
	page_pop(&h, now, pop);
	return text_of(&h);
}

static void assert_has(const char *text, const char *wanted)
{
	if (!strstr(text, wanted))
		fail_msg("not there: %s\n%s", wanted, text);
}

static void assert_lacks(const char *text, const char *unwanted)
{
	if (strstr(text, unwanted))
		fail_msg("there: %s\n%s", unwanted, text);
}

static unsigned count(const char *text, const char *part)
{
	unsigned n = 0;
	for (; (text = strstr(text, part)); text++)
		n++;
	return n;
}

static void status_shows_every_pop_with_words(void **state)
{
	static const char *const wanted[] = {
		"<html lang=\"en\">",
		"<title>1 of 3 PoPs is down, 1 is disabled – Test &lt;broker&gt;</title>",
		"<meta http-equiv=\"refresh\" content=\"30\">",
		"<link rel=\"canonical\" href=\"https://broker.example/pops/status\">",
		"<p class=\"summary s-down\">1 of 3 PoPs is down, 1 is disabled.</p>",
		"As of <time datetime=\"2026-11-23T13:25:12Z\">2026-11-23 13:25:12 UTC</time>",
		"<a href=\"/pops/nlams01\">nlams01</a><span class=\"sub\">Amsterdam, The "
		"Netherlands</span>",
		"<span class=\"state up\">Up</span>",
		"<span class=\"state down\">Down</span>",
		"<span class=\"state disabled\">Disabled</span>",
		"for 3 days<",
		"<a href=\"https://example.net/\" rel=\"noopener noreferrer\">Example Networks</a>",
		"<code>192.0.2.1</code> <code>2001:db8:100::1</code>",
		"data-label=\"Tunnels\">10,240</td>",
		"data-label=\"Tunnels up\">655</td>",
		"data-label=\"Tunnels active\">401</td>",
		"<time datetime=\"2026-11-23T13:25:08Z\">4 s ago</time><span class=\"sub\">popd "
		"0.1.0</span>",
		"<span class=\"sub\">Chicago</span>",
		"<span class=\"sub\">Germany</span>",
		"data-label=\"Last report\">never</td>",
		"<caption>",
	};
	const struct pop_view *const pops[] = { &fixture_disabled, &fixture_up, &fixture_down };
	struct status_view *view = fixture_view(pops, ARRAY_LEN(pops));
	struct page_now now = fixture_now(view);
	(void)state;
	char *text = status_text(&now);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		assert_has(text, wanted[i]);
	assert_lacks(text, "notice");
	free(text);
	free(view);
}

static void status_is_the_same_until_there_is_something_new(void **state)
{
	struct status_view *view = fixture_view_all();
	struct page_now now = fixture_now(view);
	(void)state;
	char *one = status_text(&now);
	now.age = 9;
	now.now.s += 9;
	char *two = status_text(&now);
	assert_string_equal(one, two);
	free(one);
	free(two);
	free(view);
}

static void status_without_a_pop_says_so(void **state)
{
	struct status_view *view = fixture_view(NULL, 0);
	struct page_now now = fixture_now(view);
	(void)state;
	char *text = status_text(&now);
	assert_has(text, "There is no PoP yet.");
	assert_lacks(text, "<table");
	free(text);
	free(view);
}

static void age_is_told_while_the_database_is_away(void **state)
{
	static const struct {
		bool away;
		int64_t age;
		const char *sentence; /* NULL: no notice */
		bool stale;
	} rows[] = {
		{ false, 0, NULL, false },
		{ false, 45, NULL, false },
		{ false, 46, "What you see is 46 seconds old.", true },
		{ true, 0, "The database is away; what you see is 0 seconds old.", false },
		{ true, 1, "The database is away; what you see is 1 second old.", false },
		{ true, 45, "The database is away; what you see is 45 seconds old.", false },
		{ true, 46, "The database is away; what you see is 46 seconds old.", true },
		{ true, 7200, "The database is away; what you see is 7200 seconds old (2 h).",
		  true },
	};
	struct status_view *view = fixture_view_all();
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct page_now now = fixture_now(view);
		now.away = rows[i].away;
		now.age = rows[i].age;
		now.away_since.s = FIXTURE_GENERATED + 2;
		char *text = status_text(&now), *pop = pop_text(&now, "nlams01");
		if (rows[i].sentence) {
			assert_has(text, rows[i].sentence);
			assert_has(pop, rows[i].sentence);
		} else {
			assert_lacks(text, "notice");
			assert_lacks(pop, "notice");
		}
		if (rows[i].away)
			assert_has(
				text,
				"has not answered since <time datetime=\"2026-11-23T13:25:14Z\">");
		/* A PoP whose last report is too old is not shown as up. */
		assert_int_equal(count(text, "<span class=\"state up\">"), rows[i].stale ? 0 : 2);
		assert_int_equal(count(text, "<span class=\"state was\">Was up</span>"),
				 rows[i].stale ? 2 : 0);
		assert_int_equal(count(text, "<span class=\"state was\">Was down</span>"),
				 rows[i].stale ? 1 : 0);
		assert_int_equal(count(text, "<span class=\"state was\">Was disabled</span>"),
				 rows[i].stale ? 1 : 0);
		assert_has(text, rows[i].stale ? "1 of 4 PoPs was down, 1 was disabled."
					       : "1 of 4 PoPs is down, 1 is disabled.");
		assert_has(pop, rows[i].stale ? "<span class=\"state was\">Was up</span> since"
					      : "<span class=\"state up\">Up</span> since");
		free(text);
		free(pop);
	}
	free(view);
}

static void summary_counts_in_plain_words(void **state)
{
	static const struct {
		unsigned up, down, disabled;
		const char *sentence;
	} rows[] = {
		{ 0, 0, 0, "There is no PoP yet." },
		{ 1, 0, 0, "nlams01 is up." },
		{ 0, 1, 0, "uschi02 is down." },
		{ 0, 0, 1, "dedus01 is disabled." },
		{ 2, 0, 0, "All 2 PoPs are up." },
		{ 0, 3, 0, "All 3 PoPs are down." },
		{ 0, 0, 2, "All 2 PoPs are disabled." },
		{ 2, 1, 0, "1 of 3 PoPs is down." },
		{ 1, 2, 0, "2 of 3 PoPs are down." },
		{ 0, 1, 1, "1 of 2 PoPs is down, 1 is disabled." },
		{ 1, 0, 1, "1 of 2 PoPs is up, 1 is disabled." },
		{ 2, 0, 2, "2 of 4 PoPs are up, 2 are disabled." },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct pop_view *pops[8];
		size_t n = 0;
		for (unsigned k = 0; k < rows[i].up; k++)
			pops[n++] = &fixture_up;
		for (unsigned k = 0; k < rows[i].down; k++)
			pops[n++] = &fixture_down;
		for (unsigned k = 0; k < rows[i].disabled; k++)
			pops[n++] = &fixture_disabled;
		struct status_view *view = fixture_view(pops, n);
		struct page_now now = fixture_now(view);
		struct html h = html_init(1000);
		page_put_summary(&h, &now);
		char *text = text_of(&h);
		assert_has(text, rows[i].sentence);
		free(text);
		free(view);
	}
}

static void hostile_texts_stay_text(void **state)
{
	struct status_view *view = fixture_view_all();
	struct page_now now = fixture_now(view);
	(void)state;
	char *texts[] = { status_text(&now), pop_text(&now, fixture_hostile.name) };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_lacks(texts[i], "<script");
		assert_lacks(texts[i], "javascript:");
		assert_lacks(texts[i], "\x01");
		assert_lacks(texts[i], "\xff");
		assert_has(
			texts[i],
			"&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
		free(texts[i]);
	}
	free(view);
}

static void only_a_web_address_becomes_a_link(void **state)
{
	static const struct {
		const char *name, *website, *expected;
	} rows[] = {
		{ "Net", "https://example.net/a?b=1&c=2#d",
		  "<a href=\"https://example.net/a?b=1&amp;c=2#d\" rel=\"noopener "
		  "noreferrer\">Net</a>" },
		{ "Net", "HTTP://example.net",
		  "<a href=\"HTTP://example.net\" rel=\"noopener noreferrer\">Net</a>" },
		{ "Net", "http://[2001:db8::1]/",
		  "<a href=\"http://[2001:db8::1]/\" rel=\"noopener noreferrer\">Net</a>" },
		{ "", "https://example.net",
		  "<a href=\"https://example.net\" rel=\"noopener "
		  "noreferrer\">https://example.net</a>" },
		{ "", "", "–" },
		{ "Net", "", "Net" },
		{ "Net", "javascript:alert(1)", "Net" },
		{ "Net", "https://", "Net" },
		{ "Net", "https:///x", "Net" },
		{ "Net", "https://a b", "Net" },
		{ "Net", "https://a\"b", "Net" },
		{ "Net", "https://a\n", "Net" },
		{ "Net", "//example.net", "Net" },
		{ "", "javascript:alert(1)", "javascript:alert(1)" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pop_view pop = fixture_up;
		pop.isp_name = rows[i].name;
		pop.isp_website = rows[i].website;
		struct html h = html_init(1000);
		layout_put_isp(&h, &pop);
		char *text = text_of(&h);
		assert_string_equal(text, rows[i].expected);
		free(text);
	}
}

static void numbers_have_their_thousands_apart(void **state)
{
	static const struct {
		int64_t n;
		const char *text;
	} rows[] = { { 0, "0" },
		     { 999, "999" },
		     { 1000, "1,000" },
		     { 1234567, "1,234,567" },
		     { -100, "-100" },
		     { -1000, "-1,000" },
		     { INT64_MIN, "-9,223,372,036,854,775,808" } };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct html h = html_init(100);
		layout_put_number(&h, rows[i].n);
		char *text = text_of(&h);
		assert_string_equal(text, rows[i].text);
		free(text);
	}
}

static const struct history_view *history_of_three(void *ctx, const char *pop)
{
	assert_string_equal(pop, "nlams01");
	return ctx;
}

static void pop_page_shows_its_history(void **state)
{
	struct history_view *history = calloc(1, sizeof(*history) + 3 * sizeof(history->rows[0]));
	struct status_view *view = fixture_view_all();
	struct page_now now = fixture_now(view);
	(void)state;
	assert_non_null(history);
	now.history = history_of_three;
	now.history_ctx = history;
	char *text = pop_text(&now, "nlams01");
	assert_has(text, "The state of this PoP has never changed.");
	free(text);

	history->n = 3;
	history->cut = true;
	history->rows[0] = (struct history_row){ .state = POP_UP,
						 .since = { FIXTURE_GENERATED - 100 } };
	history->rows[1] = (struct history_row){ .state = POP_DOWN,
						 .since = { FIXTURE_GENERATED - 160 },
						 .until = { FIXTURE_GENERATED - 100 },
						 .reason = "no report" };
	history->rows[2] = (struct history_row){ .state = POP_DISABLED,
						 .since = { FIXTURE_GENERATED - 86560 },
						 .until = { FIXTURE_GENERATED - 160 },
						 .reason = "no report" };
	text = pop_text(&now, "nlams01");
	assert_has(text, "<h1>nlams01</h1>");
	assert_has(text, "<title>nlams01 is up – ");
	assert_has(text, "data-label=\"Until\">now</td>");
	assert_has(text, "data-label=\"For\">100 s</td>");
	assert_has(text, "data-label=\"For\">1 day</td>");
	assert_has(text, "<span class=\"sub\">no report</span>");
	assert_has(text, "Older changes are not shown.");
	free(text);

	now.away = true;
	now.age = 100;
	text = pop_text(&now, "nlams01");
	assert_has(text, "data-label=\"Until\">not known</td>");
	assert_has(text, "data-label=\"For\">at least 100 s</td>");
	free(text);
	free(view);
	free(history);
}

static void pop_page_without_history_says_so(void **state)
{
	struct status_view *view = fixture_view_all();
	struct page_now now = fixture_now(view);
	(void)state;
	char *text = pop_text(&now, "dedus01");
	assert_has(text, "The history has not been read from the database yet");
	assert_has(text, "<dt>Place</dt><dd>Germany</dd>");
	assert_has(text, "<dt>Last report</dt><dd>never</dd>");
	assert_has(text, "<dt>Version of popd</dt><dd>–</dd>");
	free(text);
	free(view);
}

static void front_page_works_with_and_without_a_view(void **state)
{
	struct status_view *view = fixture_view_all();
	(void)state;
	for (int with = 0; with < 2; with++) {
		struct page_now now = fixture_now(with ? view : NULL);
		struct html h = html_init(1 << 20);
		page_front(&h, &now);
		char *text = text_of(&h);
		assert_has(text, "<title>Test &lt;broker&gt;</title>");
		assert_has(text, "<a href=\"/pops/status\">");
		assert_has(text,
			   with ? "1 of 4 PoPs is down" : "The database has not answered yet");
		free(text);
	}
	free(view);
}

static void error_pages_have_their_own_words(void **state)
{
	static const struct {
		unsigned status;
		const char *title;
		bool refreshes;
	} rows[] = { { 404, "Page not found", false },
		     { 405, "Method not allowed", false },
		     { 500, "Internal error", false },
		     { 503, "Not ready yet", true },
		     { 599, "Internal error", false } };
	struct page_now now = fixture_now(NULL);
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct html h = html_init(1 << 20);
		page_error(&h, &now, rows[i].status);
		char *text = text_of(&h);
		assert_has(text, rows[i].title);
		assert_true((strstr(text, "http-equiv=\"refresh\"") != NULL) == rows[i].refreshes);
		assert_lacks(text, "rel=\"canonical\"");
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_shows_every_pop_with_words),
		cmocka_unit_test(status_is_the_same_until_there_is_something_new),
		cmocka_unit_test(status_without_a_pop_says_so),
		cmocka_unit_test(age_is_told_while_the_database_is_away),
		cmocka_unit_test(summary_counts_in_plain_words),
		cmocka_unit_test(hostile_texts_stay_text),
		cmocka_unit_test(only_a_web_address_becomes_a_link),
		cmocka_unit_test(numbers_have_their_thousands_apart),
		cmocka_unit_test(pop_page_shows_its_history),
		cmocka_unit_test(pop_page_without_history_says_so),
		cmocka_unit_test(front_page_works_with_and_without_a_view),
		cmocka_unit_test(error_pages_have_their_own_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
