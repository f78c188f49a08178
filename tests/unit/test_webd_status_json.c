#include "web/page/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test_webd_fixture.h"

static json_t *json_of(const struct page_now *now)
{
	size_t len;
	char *text = page_status_json(now, &len);
	assert_non_null(text);
	assert_int_equal(text[len - 1], '\n');
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	assert_non_null(json);
	return json;
}

static const char *string_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void json_has_the_form_that_was_promised(void **state)
{
	static const char *const keys[] = { "name",        "city",    "country",     "isp",
					    "isp_website", "ipv4",    "ipv6",        "state",
					    "since",       "tunnels", "last_report", "version",
					    "reason" };
	struct status_view *view = fixture_view_all();
	struct page_now now = fixture_now(view);
	(void)state;
	json_t *json = json_of(&now);
	assert_string_equal(string_of(json, "generated"), "2026-11-23T13:25:12Z");
	assert_string_equal(string_of(json, "database"), "up");
	assert_true(json_is_null(json_object_get(json, "away_since")));
	assert_int_equal(json_integer_value(json_object_get(json, "age")), 0);
	assert_true(json_is_false(json_object_get(json, "stale")));
	assert_null(json_object_get(json, "error"));
	json_t *pops = json_object_get(json, "pops");
	assert_int_equal(json_array_size(pops), 4);
	for (size_t i = 0; i < 4; i++) {
		const json_t *pop = json_array_get(pops, i);
		assert_int_equal(json_object_size(pop), ARRAY_LEN(keys));
		for (size_t k = 0; k < ARRAY_LEN(keys); k++)
			assert_non_null(json_object_get(pop, keys[k]));
	}
	const json_t *up = json_array_get(pops, 1), *down = json_array_get(pops, 2),
		     *disabled = json_array_get(pops, 0);
	assert_string_equal(string_of(up, "name"), "nlams01");
	assert_string_equal(string_of(up, "state"), "up");
	assert_string_equal(string_of(up, "since"), "2026-11-20T13:25:12Z");
	assert_string_equal(string_of(up, "last_report"), "2026-11-23T13:25:08Z");
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(up, "tunnels"), "configured")),
		10240);
	assert_string_equal(string_of(down, "state"), "down");
	assert_true(json_is_null(json_object_get(down, "isp")));
	assert_string_equal(string_of(disabled, "state"), "disabled");
	assert_true(json_is_null(json_object_get(disabled, "last_report")));
	json_decref(json);
	free(view);
}

static void json_of_hostile_texts_is_valid(void **state)
{
	struct status_view *view = fixture_view_all();
	struct page_now now = fixture_now(view);
	(void)state;
	json_t *json = json_of(&now);
	const json_t *pop = json_array_get(json_object_get(json, "pops"), 3);
	assert_string_equal(string_of(pop, "city"),
			    "\"'><script>alert(1)</script>&\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	json_decref(json);
	free(view);
}

static void json_tells_how_old_it_is(void **state)
{
	static const struct {
		bool away;
		int64_t age, shown;
		bool stale;
	} rows[] = { { false, 9, 0, false },
		     { true, 9, 9, false },
		     { true, 45, 45, false },
		     { true, 46, 46, true },
		     { false, 46, 46, true } };
	struct status_view *view = fixture_view_all();
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct page_now now = fixture_now(view);
		now.away = rows[i].away;
		now.age = rows[i].age;
		now.away_since.s = FIXTURE_GENERATED + 2;
		json_t *json = json_of(&now);
		assert_int_equal(json_integer_value(json_object_get(json, "age")), rows[i].shown);
		assert_true(json_is_true(json_object_get(json, "stale")) == rows[i].stale);
		assert_string_equal(string_of(json, "database"), rows[i].away ? "away" : "up");
		assert_true(json_is_string(json_object_get(json, "away_since")) == rows[i].away);
		json_decref(json);
	}
	free(view);
}

static void json_without_data_says_so(void **state)
{
	struct page_now now = fixture_now(NULL);
	(void)state;
	json_t *json = json_of(&now);
	assert_int_equal(json_array_size(json_object_get(json, "pops")), 0);
	assert_string_equal(string_of(json, "generated"), "2026-11-23T13:25:13Z");
	assert_string_equal(string_of(json, "database"), "away");
	assert_non_null(string_of(json, "error"));
	json_decref(json);
}

static void json_without_a_pop_is_an_empty_list(void **state)
{
	struct status_view *view = fixture_view(NULL, 0);
	struct page_now now = fixture_now(view);
	(void)state;
	json_t *json = json_of(&now);
	assert_true(json_is_array(json_object_get(json, "pops")));
	assert_int_equal(json_array_size(json_object_get(json, "pops")), 0);
	assert_null(json_object_get(json, "error"));
	json_decref(json);
	free(view);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_has_the_form_that_was_promised),
		cmocka_unit_test(json_of_hostile_texts_is_valid),
		cmocka_unit_test(json_tells_how_old_it_is),
		cmocka_unit_test(json_without_data_says_so),
		cmocka_unit_test(json_without_a_pop_is_an_empty_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
