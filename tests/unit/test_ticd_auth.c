#include "ticd/proto/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/test_ticd_fake.h"

#define CHALLENGE "5f2b1c0a9e8d7c6b5a49382716051423"

static struct digest_ctx *digest_of_test;

static struct token token_of(const char *text)
{
	return (struct token){ text, strlen(text) };
}

static bool check(enum auth_method method, const char *challenge, const struct auth_secret *secret,
		  const char *answer)
{
	struct auth_response response;

	assert_true(auth_response_set(digest_of_test, method, token_of(answer), &response));
	return auth_check(digest_of_test, method, challenge, secret, &response);
}

static void answers_right_ones_pass_and_others_do_not(void **state)
{
	static const struct {
		const char *name;
		enum auth_method method;
		const char *answer;
		bool passes;
	} rows[] = {
		{ "md5, captured", AUTH_MD5, FAKE_MD5_ANSWER, true },
		{ "md5 in capitals", AUTH_MD5, "64DA47367BE8017A5F63484A787C1DA9", true },
		{ "md5, last digit", AUTH_MD5, "64da47367be8017a5f63484a787c1da8", false },
		{ "md5, one short", AUTH_MD5, "64da47367be8017a5f63484a787c1da", false },
		{ "md5, one long", AUTH_MD5, "64da47367be8017a5f63484a787c1da90", false },
		{ "md5, empty", AUTH_MD5, "", false },
		{ "md5, the digest kept", AUTH_MD5, FAKE_MD5, false },
		{ "md5, the password", AUTH_MD5, "blog-pass", false },
		{ "md5, sha256's answer", AUTH_MD5, FAKE_SHA256_ANSWER, false },
		{ "sha256", AUTH_SHA256, FAKE_SHA256_ANSWER, true },
		{ "sha256, one long", AUTH_SHA256, FAKE_SHA256_ANSWER "0", false },
		{ "sha256, md5's answer", AUTH_SHA256, FAKE_MD5_ANSWER, false },
		{ "clear", AUTH_CLEAR, "blog-pass", true },
		{ "clear, other case", AUTH_CLEAR, "Blog-pass", false },
		{ "clear, the digest kept", AUTH_CLEAR, FAKE_SHA256, false },
		{ "clear, empty", AUTH_CLEAR, "", false },
		{ "cookie, anything", AUTH_COOKIE, "", false },
		{ "cookie, the password", AUTH_COOKIE, "blog-pass", false },
	};
	struct auth_secret secret;

	(void)state;
	assert_true(auth_secret_set(&secret, FAKE_MD5, FAKE_SHA256));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (check(rows[i].method, CHALLENGE, &secret, rows[i].answer) != rows[i].passes)
			fail_msg("%s", rows[i].name);
}

static void answers_to_another_challenge_fail(void **state)
{
	struct auth_secret secret;

	(void)state;
	assert_true(auth_secret_set(&secret, FAKE_MD5, FAKE_SHA256));
	assert_false(check(AUTH_MD5, "00000000000000000000000000000000", &secret, FAKE_MD5_ANSWER));
	assert_false(check(AUTH_SHA256, "", &secret, FAKE_SHA256_ANSWER));
}

static void secrets_that_are_no_digests_are_refused(void **state)
{
	struct auth_secret secret = { .md5 = "kept" };

	(void)state;
	assert_false(auth_secret_set(&secret, NULL, FAKE_SHA256));
	assert_false(auth_secret_set(&secret, FAKE_MD5, ""));
	assert_false(auth_secret_set(&secret, "xyz", FAKE_SHA256));
	assert_string_equal(secret.md5, "kept");
	assert_true(auth_secret_set(&secret, "6766AD17A4F9F732803F986FEEF5160B", FAKE_SHA256));
	assert_string_equal(secret.md5, FAKE_MD5);
}

/* A login that does not exist always has the same secret on one server, and another one on another
 * server. */
static void fake_secrets_are_stable_and_differ(void **state)
{
	uint8_t key[AUTH_KEY_BYTES] = { 1 }, other_key[AUTH_KEY_BYTES] = { 2 };
	struct auth_secret a, again, b, c;

	(void)state;
	assert_true(auth_secret_fake(digest_of_test, key, "NOBODY", &a));
	assert_true(auth_secret_fake(digest_of_test, key, "NOBODY", &again));
	assert_true(auth_secret_fake(digest_of_test, key, "NOBODY2", &b));
	assert_true(auth_secret_fake(digest_of_test, other_key, "NOBODY", &c));
	assert_memory_equal(&a, &again, sizeof(a));
	assert_string_not_equal(a.md5, b.md5);
	assert_string_not_equal(a.sha256, c.sha256);
	assert_int_equal(strlen(a.md5), 32);
	assert_int_equal(strlen(a.sha256), 64);
}

static void methods_are_found_in_any_case(void **state)
{
	(void)state;
	assert_int_equal(auth_method_find(token_of("MD5")), AUTH_MD5);
	assert_int_equal(auth_method_find(token_of("sha256")), AUTH_SHA256);
	assert_int_equal(auth_method_find(token_of("Clear")), AUTH_CLEAR);
	assert_int_equal(auth_method_find(token_of("cookie")), AUTH_COOKIE);
	assert_int_equal(auth_method_find(token_of("md")), AUTH__COUNT);
	assert_int_equal(auth_method_find(token_of("")), AUTH__COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_right_ones_pass_and_others_do_not),
		cmocka_unit_test(answers_to_another_challenge_fail),
		cmocka_unit_test(secrets_that_are_no_digests_are_refused),
		cmocka_unit_test(fake_secrets_are_stable_and_differ),
		cmocka_unit_test(methods_are_found_in_any_case),
	};
	int status;

	if (digest_init() != 0 || (digest_of_test = digest_ctx_create()) == NULL)
		return 1;
	status = cmocka_run_group_tests(tests, NULL, NULL);
	digest_ctx_free(digest_of_test);
	return status;
}
