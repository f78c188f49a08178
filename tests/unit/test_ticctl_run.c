#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "ticd/ctl/run.h"

static const char alphabet[] = RUN_SECRET_ALPHABET;

static void alphabet_has_32_characters_none_twice_none_alike(void **state)
{
	(void)state;
	assert_int_equal(strlen(alphabet), 32);
	for (const char *c = alphabet; *c; c++) {
		assert_null(strchr(c + 1, *c));
		assert_null(strchr("01lo", *c));
	}
}

static void secret_is_of_the_alphabet_and_never_the_same(void **state)
{
	struct run_secret before = { .text = "" }, now;
	unsigned seen[256] = { 0 };
	(void)state;
	for (int i = 0; i < 200; i++) {
		assert_int_equal(run_make_secret(&now), 0);
		assert_int_equal(strlen(now.text), RUN_SECRET_LEN);
		assert_int_equal(strspn(now.text, alphabet), RUN_SECRET_LEN);
		assert_string_not_equal(now.text, before.text);
		for (const char *c = now.text; *c; c++)
			seen[(unsigned char)*c]++;
		before = now;
	}
	/* 4,800 draws of 32 characters: each occurs (one is missing with probability 1e-65). */
	for (const char *c = alphabet; *c; c++)
		assert_true(seen[(unsigned char)*c] > 0);
}

static void digests_are_those_of_the_text(void **state)
{
	struct run_secret secret;
	char md5[DIGEST_MAX_HEX], sha256[DIGEST_MAX_HEX];
	struct digest_ctx *ctx = digest_ctx_create();
	(void)state;
	assert_int_equal(run_make_secret(&secret), 0);
	assert_true(digest_hex(ctx, DIGEST_MD5, secret.text, strlen(secret.text), md5));
	assert_true(digest_hex(ctx, DIGEST_SHA256, secret.text, strlen(secret.text), sha256));
	assert_string_equal(secret.md5, md5);
	assert_string_equal(secret.sha256, sha256);
	digest_ctx_free(ctx);
}

static int fetch_digests(void **state)
{
	(void)state;
	return digest_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alphabet_has_32_characters_none_twice_none_alike),
		cmocka_unit_test(secret_is_of_the_alphabet_and_never_the_same),
		cmocka_unit_test(digests_are_those_of_the_text),
	};
	return cmocka_run_group_tests(tests, fetch_digests, NULL);
}
