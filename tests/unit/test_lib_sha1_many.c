/* Every engine this processor has gives, for every length and fill, what OpenSSL gives. */
#include "lib/sha1_many.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LONGEST = 9000 };

struct fixture {
	struct digest_ctx *ctx;
	uint8_t text[SHA1_MANY_MAX * 8 + LONGEST];
};

static int set_up(void **state)
{
	struct fixture *f = malloc(sizeof(*f));
	uint32_t x = 1;

	assert_int_equal(digest_init(), 0);
	f->ctx = digest_ctx_create();
	for (size_t i = 0; i < sizeof(f->text); i++)
		f->text[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	digest_ctx_free(f->ctx);
	free(f);
	return 0;
}

static void compare(struct fixture *f, const struct sha1_set *set, const uint32_t *len, size_t n)
{
	struct sha1_job jobs[SHA1_MANY_MAX] = { 0 };
	uint8_t out[SHA1_MANY_MAX][DIGEST_SHA1_LEN], want[DIGEST_SHA1_LEN];

	for (size_t i = 0; i < n; i++)
		jobs[i] = (struct sha1_job){ .data = f->text + 7 * i,
					     .len = len[i],
					     .out = out[i] };
	sha1_many(set, f->ctx, jobs, n);
	for (size_t i = 0; i < n; i++) {
		assert_true(digest(f->ctx, DIGEST_SHA1, jobs[i].data, len[i], want));
		assert_true(jobs[i].done);
		assert_memory_equal(out[i], want, DIGEST_SHA1_LEN);
	}
}

static void every_usable_engine(struct fixture *f,
				void (*check)(struct fixture *, const struct sha1_set *))
{
	for (enum sha1_engine e = SHA1_AUTO; e < SHA1_ENGINE__COUNT; e++) {
		struct sha1_set set = sha1_set_choose(e);
		if (e != SHA1_AUTO && set.widest != e)
			print_message("%s: not on this processor\n", sha1_engine_names[e]);
		else
			check(f, &set);
	}
}

static void lengths(struct fixture *f, const struct sha1_set *set)
{
	for (uint32_t base = 0; base < 200; base++) {
		uint32_t len[SHA1_MANY_MAX];
		for (size_t i = 0; i < SHA1_MANY_MAX; i++)
			len[i] = base + (uint32_t)i % 3;
		compare(f, set, len, 17);
		compare(f, set, len, 8);
	}
}

static void each_length_around_the_block_edges_matches_openssl(void **state)
{
	every_usable_engine(*state, lengths);
}

static void fills(struct fixture *f, const struct sha1_set *set)
{
	uint32_t len[SHA1_MANY_MAX];

	for (size_t i = 0; i < SHA1_MANY_MAX; i++)
		len[i] = 1324;
	for (size_t n = 0; n <= SHA1_MANY_MAX; n++)
		compare(f, set, len, n);
}

static void each_number_of_messages_matches_openssl(void **state)
{
	every_usable_engine(*state, fills);
}

static void mixtures(struct fixture *f, const struct sha1_set *set)
{
	uint32_t x = 7;

	for (int round = 0; round < 300; round++) {
		uint32_t len[SHA1_MANY_MAX];
		for (size_t i = 0; i < SHA1_MANY_MAX; i++)
			len[i] = (x = x * 1664525 + 1013904223) % (round % 3 ? 1500 : LONGEST);
		compare(f, set, len, 1 + x % SHA1_MANY_MAX);
	}
}

static void mixed_lengths_match_openssl(void **state)
{
	every_usable_engine(*state, mixtures);
}

static void wanted_engine_is_never_exceeded(void **state)
{
	(void)state;
	for (enum sha1_engine e = SHA1_OPENSSL; e < SHA1_ENGINE__COUNT; e++) {
		struct sha1_set set = sha1_set_choose(e);
		assert_true(set.widest <= e && set.use[SHA1_OPENSSL]);
		for (enum sha1_engine more = e + 1; more < SHA1_ENGINE__COUNT; more++)
			assert_false(set.use[more]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_length_around_the_block_edges_matches_openssl),
		cmocka_unit_test(each_number_of_messages_matches_openssl),
		cmocka_unit_test(mixed_lengths_match_openssl),
		cmocka_unit_test(wanted_engine_is_never_exceeded),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
