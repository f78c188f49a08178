#include "web/page/site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "tests/unit/test_webd_fixture.h"

static struct digest_ctx *digest_of_all;

static struct answer ask(const struct status_view *view, const char *method, const char *path)
{
	struct page_now now = fixture_now(view);
	struct answer answer;
	site_answer(&now, digest_of_all, method, path, &answer);
	assert_non_null(answer.body);
	assert_non_null(answer.type);
	assert_non_null(answer.cache);
	return answer;
}

static const struct {
	const char *path;
	unsigned with, without; /* a view */
	const char *type;
} paths[] = {
	{ "/", 200, 200, "text/html; charset=utf-8" },
	{ "/healthz", 200, 200, "text/plain; charset=utf-8" },
	{ "/pops", 308, 308, "text/plain; charset=utf-8" },
	{ "/pops/", 308, 308, "text/plain; charset=utf-8" },
	{ "/pops/status", 200, 503, "text/html; charset=utf-8" },
	{ "/pops/status/", 200, 503, "text/html; charset=utf-8" },
	{ "/pops/status.json", 200, 503, "application/json" },
	{ "/pops/nlams01", 200, 503, "text/html; charset=utf-8" },
	{ "/pops/nlams01/", 200, 503, "text/html; charset=utf-8" },
	{ "/static/style.css", 200, 200, "text/css; charset=utf-8" },
	{ "/static/favicon.svg", 200, 200, "image/svg+xml" },
	{ "/favicon.ico", 200, 200, "image/svg+xml" },
	{ "/pops/nosuch", 404, 503, "text/html; charset=utf-8" },
	{ "/pops/NLAMS01", 404, 503, "text/html; charset=utf-8" },
	{ "/pops/nlams01//", 404, 404, "text/html; charset=utf-8" },
	{ "/pops/nlams01/x", 404, 404, "text/html; charset=utf-8" },
	{ "/pops//", 404, 404, "text/html; charset=utf-8" },
	{ "/pops//nlams01", 404, 404, "text/html; charset=utf-8" },
	{ "/pops/status//", 404, 404, "text/html; charset=utf-8" },
	{ "/pops/status.json/", 404, 503, "text/html; charset=utf-8" },
	{ "/pops/%6elams01", 404, 503, "text/html; charset=utf-8" },
	{ "/popsx", 404, 404, "text/html; charset=utf-8" },
	{ "/static/", 404, 404, "text/html; charset=utf-8" },
	{ "/static/style.css/", 404, 404, "text/html; charset=utf-8" },
	{ "/static/../web/main.c", 404, 404, "text/html; charset=utf-8" },
	{ "/static/nosuch", 404, 404, "text/html; charset=utf-8" },
	{ "//", 404, 404, "text/html; charset=utf-8" },
	{ "", 404, 404, "text/html; charset=utf-8" },
	{ "*", 404, 404, "text/html; charset=utf-8" },
	{ "/pops/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 404, 503,
	  "text/html; charset=utf-8" },
	{ "/pops/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 404, 404,
	  "text/html; charset=utf-8" },
};

static void every_path_has_its_answer(void **state)
{
	struct status_view *view = fixture_view_all();
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		print_message("%s\n", paths[i].path);
		for (int with = 0; with < 2; with++) {
			struct answer answer = ask(with ? view : NULL, "GET", paths[i].path);
			assert_int_equal(answer.status, with ? paths[i].with : paths[i].without);
			assert_string_equal(answer.type, paths[i].type);
			assert_true((answer.retry_after != 0) == (answer.status == 503));
			assert_true((answer.location != NULL) == (answer.status == 308));
			answer_free(&answer);
		}
	}
	free(view);
}

static void path_cut_at_every_byte_is_answered(void **state)
{
	static const char whole[] = "/pops/nlams01/";
	struct status_view *view = fixture_view_all();
	(void)state;
	for (size_t len = 0; len < sizeof(whole); len++) {
		char *cut = strndup(whole, len);
		struct answer answer = ask(view, "GET", cut);
		assert_true(answer.status == 200 || answer.status == 404 || answer.status == 308);
		answer_free(&answer);
		free(cut);
	}
	free(view);
}

static void other_methods_are_refused_with_allow(void **state)
{
	static const char *const methods[] = { "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH",
					       "get",  "GE",  "GETX",   "",        "GET,",  "," };
	struct status_view *view = fixture_view_all();
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		struct answer answer = ask(view, methods[i], "/pops/status");
		assert_int_equal(answer.status, 405);
		assert_string_equal(answer.allow, "GET, HEAD");
		assert_string_equal(answer.etag, "");
		answer_free(&answer);
		answer = ask(view, methods[i], "/nosuch");
		assert_int_equal(answer.status, 404);
		answer_free(&answer);
	}
	free(view);
}

static void head_is_answered_like_get(void **state)
{
	struct status_view *view = fixture_view_all();
	(void)state;
	struct answer get = ask(view, "GET", "/pops/status"),
		      head = ask(view, "HEAD", "/pops/status");
	assert_string_equal(get.etag, head.etag);
	assert_int_equal(get.len, head.len);
	assert_int_equal(strlen(get.etag), ETAG_TEXT - 1);
	answer_free(&get);
	answer_free(&head);
	free(view);
}

static void what_the_client_has_is_not_sent_again(void **state)
{
	struct status_view *view = fixture_view_all();
	char etag[ETAG_TEXT];
	(void)state;
	struct answer answer = ask(view, "GET", "/pops/status");
	memcpy(etag, answer.etag, sizeof(etag));
	answer_condition(&answer, NULL);
	assert_int_equal(answer.status, 200);
	answer_condition(&answer, "\"other\"");
	assert_int_equal(answer.status, 200);
	answer_condition(&answer, etag);
	assert_int_equal(answer.status, 304);
	assert_string_equal(answer.etag, etag);
	answer_free(&answer);

	/* Nobody has a page that does not exist: "*" matches nothing. */
	answer = ask(view, "GET", "/nosuch");
	answer_condition(&answer, "*");
	assert_int_equal(answer.status, 404);
	answer_free(&answer);
	free(view);
}

static const char *header_of(const struct header *headers, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(headers[i].name, name) == 0)
			return headers[i].value;
	return NULL;
}

static void every_answer_has_the_headers(void **state)
{
	static const char *const always[] = { "Content-Security-Policy",
					      "X-Content-Type-Options",
					      "X-Frame-Options",
					      "Referrer-Policy",
					      "Permissions-Policy",
					      "Cross-Origin-Opener-Policy",
					      "Cross-Origin-Embedder-Policy",
					      "Cross-Origin-Resource-Policy",
					      "Cache-Control",
					      "Content-Type" };
	struct status_view *view = fixture_view_all();
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct answer answer = ask(i % 2 ? view : NULL, i % 3 ? "GET" : "POST",
					   paths[i].path);
		char scratch[ANSWER_HEADERS_SCRATCH];
		struct header headers[ANSWER_HEADERS];
		size_t n = answer_headers(&answer, headers, scratch);
		assert_true(n <= ANSWER_HEADERS);
		for (size_t k = 0; k < ARRAY_LEN(always); k++)
			assert_non_null(header_of(headers, n, always[k]));
		assert_true((header_of(headers, n, "Allow") != NULL) == (answer.status == 405));
		assert_true((header_of(headers, n, "Location") != NULL) == (answer.status == 308));
		assert_true((header_of(headers, n, "Retry-After") != NULL) ==
			    (answer.status == 503));
		assert_non_null(strstr(header_of(headers, n, "Content-Security-Policy"),
				       "default-src 'none'"));
		answer_free(&answer);
	}
	free(view);
}

static void health_is_ok_and_tells_of_the_database(void **state)
{
	struct status_view *view = fixture_view_all();
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct page_now now = fixture_now(i == 0 ? NULL : view);
		struct answer answer;
		now.away = i == 1;
		site_answer(&now, digest_of_all, "GET", "/healthz", &answer);
		assert_int_equal(answer.status, 200);
		const char *expected = i == 2 ? "ok\ndatabase up\n" : "ok\ndatabase away\n";
		assert_int_equal(answer.len, strlen(expected));
		assert_memory_equal(answer.body, expected, answer.len);
		assert_string_equal(answer.cache, "no-store");
		answer_free(&answer);
	}
	free(view);
}

static void style_sheet_address_follows_its_content(void **state)
{
	char url[STYLE_URL_TEXT];
	(void)state;
	assert_int_equal(site_style_url(digest_of_all, url), 0);
	struct answer answer = ask(NULL, "GET", "/static/style.css");
	assert_int_equal(strncmp(url, "/static/style.css?v=", 20), 0);
	assert_int_equal(strncmp(url + 20, answer.etag + 1, 12), 0);
	assert_true(answer.len > 1000);
	answer_free(&answer);
}

static int set_up(void **state)
{
	(void)state;
	if (digest_init() != 0)
		return -1;
	digest_of_all = digest_ctx_create();
	return digest_of_all ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	digest_ctx_free(digest_of_all);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_path_has_its_answer),
		cmocka_unit_test(path_cut_at_every_byte_is_answered),
		cmocka_unit_test(other_methods_are_refused_with_allow),
		cmocka_unit_test(head_is_answered_like_get),
		cmocka_unit_test(what_the_client_has_is_not_sent_again),
		cmocka_unit_test(every_answer_has_the_headers),
		cmocka_unit_test(health_is_ok_and_tells_of_the_database),
		cmocka_unit_test(style_sheet_address_follows_its_content),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
