#include "web/page/etag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"

static const struct {
	const char *header;
	bool named;
} headers[] = {
	{ "\"abc\"", true },
	{ "W/\"abc\"", true },
	{ " \t\"abc\" ", true },
	{ "\"x\", \"abc\"", true },
	{ "\"x\",W/\"abc\",\"y\"", true },
	{ "\"abc\", \"x\"", true },
	{ ",, \"abc\" ,,", true },
	{ "\"x,\", \"abc\"", true },
	{ "*", true },
	{ " * ", true },
	{ "\"a\xff\", \"abc\"", true },
	{ "", false },
	{ " ", false },
	{ ",", false },
	{ "abc", false },
	{ "\"abc", false },
	{ "abc\"", false },
	{ "\"ab\"", false },
	{ "\"abcd\"", false },
	{ "\"ABC\"", false },
	{ "w/\"abc\"", false },
	{ "W/", false },
	{ "W/ \"abc\"", false },
	{ "\"abc\" \"x\"", false },
	{ "\"abc\"x", false },
	{ "\"abc\", x", false },
	{ "*, \"abc\"", false },
	{ "\"a b\", \"abc\"", false },
	{ "\"", false },
};

static void if_none_match_names_the_tag_only_as_the_rfc_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		char *copy = strdup(headers[i].header);
		print_message("<%s>\n", copy);
		assert_true(etag_is_named(copy, "\"abc\"") == headers[i].named);
		free(copy);
	}
}

static void etag_follows_the_body_and_names_itself(void **state)
{
	char one[ETAG_TEXT], two[ETAG_TEXT];
	(void)state;
	assert_int_equal(digest_init(), 0);
	struct digest_ctx *digest = digest_ctx_create();
	assert_non_null(digest);
	/* sha256("abc") begins ba7816bf 8f01cfea 414140de 5dae2223. */
	assert_string_equal(etag_make(digest, "abc", 3, one),
			    "\"ba7816bf8f01cfea414140de5dae2223\"");
	etag_make(digest, "abd", 3, two);
	assert_string_not_equal(one, two);
	assert_true(etag_is_named(one, one));
	assert_false(etag_is_named(one, two));
	digest_ctx_free(digest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(if_none_match_names_the_tag_only_as_the_rfc_says),
		cmocka_unit_test(etag_follows_the_body_and_names_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
