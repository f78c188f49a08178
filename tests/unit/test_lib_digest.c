#include "lib/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/err.h"
#include "lib/siphash.h"
#include "tests/unit/allocator.h"

/* RFC 1321 A.5, FIPS 180-4 examples. */
static const struct {
	enum digest_alg alg;
	const char *text, *hex;
} vectors[] = {
	{ DIGEST_MD5, "", "d41d8cd98f00b204e9800998ecf8427e" },
	{ DIGEST_MD5, "abc", "900150983cd24fb0d6963f7d28e17f72" },
	{ DIGEST_MD5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0" },
	{ DIGEST_SHA1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
	{ DIGEST_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
	{ DIGEST_SHA1, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	  "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
	{ DIGEST_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ DIGEST_SHA256, "abc",
	  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
};

static struct digest_ctx *ctx;

static int open_ctx(void **state)
{
	(void)state;
	if (digest_init() != 0)
		return -1;
	ctx = digest_ctx_create();
	return ctx ? 0 : -1;
}

static int close_ctx(void **state)
{
	(void)state;
	digest_ctx_free(ctx);
	digest_ctx_free(NULL);
	return 0;
}

static void known_texts_have_their_digests(void **state)
{
	char hex[DIGEST_MAX_HEX];

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
			assert_true(digest_hex(ctx, vectors[i].alg, vectors[i].text,
					       strlen(vectors[i].text), hex));
			assert_string_equal(hex, vectors[i].hex);
			assert_int_equal(strlen(hex), 2 * digest_len(vectors[i].alg));
		}
	}
}

static void pieces_hash_like_the_whole(void **state)
{
	static const char text[] =
		"the quick brown fox jumps over the lazy dog and over a second block of sixty-four bytes";
	size_t len = sizeof(text) - 1;

	(void)state;
	for (unsigned alg = 0; alg < DIGEST__COUNT; alg++) {
		uint8_t whole[DIGEST_MAX_LEN] = { 0 }, pieces[DIGEST_MAX_LEN] = { 0 };
		assert_true(digest(ctx, alg, text, len, whole));
		for (size_t cut = 0; cut <= len; cut++) {
			struct digest_part parts[] = { { text, cut },
						       { NULL, 0 },
						       { text + cut, len - cut } };
			assert_true(digest_parts(ctx, alg, parts, ARRAY_LEN(parts), pieces));
			assert_memory_equal(pieces, whole, sizeof(whole));
		}
	}
}

static void equal_compares_every_byte(void **state)
{
	uint8_t a[32] = { 0 }, b[32] = { 0 };

	(void)state;
	assert_true(digest_equal(a, b, sizeof(a)));
	for (size_t i = 0; i < sizeof(a); i++) {
		b[i] = 1;
		assert_false(digest_equal(a, b, sizeof(a)));
		assert_true(digest_equal(a, b, i));
		b[i] = 0;
	}
}

static void random_bytes_differ_and_fill(void **state)
{
	uint8_t a[300] = { 0 }, b[300] = { 0 };
	unsigned zeros = 0;

	(void)state;
	assert_true(random_bytes(a, sizeof(a)));
	assert_true(random_bytes(b, sizeof(b)));
	assert_memory_not_equal(a, b, sizeof(a));
	for (size_t i = 0; i < sizeof(a); i++)
		zeros += a[i] == 0;
	assert_true(zeros < 20);
	assert_true(random_bytes(a, 0));
	secure_zero(a, sizeof(a));
	memset(b, 0, sizeof(b));
	assert_memory_equal(a, b, sizeof(a));
}

static void hex_goes_both_ways_and_takes_exactly_its_length(void **state)
{
	uint8_t bytes[256], back[256];
	char text[513];

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		bytes[i] = (uint8_t)i;
	hex_encode(bytes, sizeof(bytes), text);
	assert_int_equal(strlen(text), 512);
	assert_memory_equal(text, "000102030405060708090a0b0c0d0e0f10", 34);
	assert_int_equal(hex_decode(text, 512, back, 256), 0);
	assert_memory_equal(bytes, back, 256);
	assert_int_equal(hex_decode("AbCd", 4, back, 2), 0);
	assert_memory_equal(back, "\xab\xcd", 2);
	assert_int_equal(hex_decode("", 0, back, 0), 0);
	static const char *const bad[] = { "abc", "abcde", "abcg", " bcd", "abc ", "0xab", "ab:d" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(hex_decode(bad[i], strlen(bad[i]), back, 2), -ERR_FORMAT);
}

/* The data path's way: no packet costs an allocation, and none is lost for want of memory. */
static void digests_take_no_memory(void **state)
{
	uint8_t out[DIGEST_MAX_LEN];

	(void)state;
	for (unsigned alg = 0; alg < DIGEST__COUNT; alg++) {
		allocator_fail(1, ALLOCATOR_FAIL_FROM);
		bool done = digest(ctx, alg, "abc", 3, out);
		bool has_allocated = allocator_restore();
		assert_true(done);
		assert_false(has_allocated);
	}
}

/* The vectors of the paper's authors: key 00 to 0f, input 00, 01, 02 and so on. */
static void siphash_gives_the_values_of_its_authors(void **state)
{
	uint8_t key[16], input[16];
	uint64_t words[2];

	(void)state;
	for (uint8_t i = 0; i < 16; i++)
		key[i] = input[i] = i;
	memcpy(words, input, sizeof(words));
	assert_int_equal(siphash(key, words, 0), 0x726fdb47dd0e0e31);
	assert_int_equal(siphash(key, words, 1), 0x93f5f5799a932462);
	assert_int_equal(siphash(key, words, 2), 0x3f2acc7f57c29bdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_gives_the_values_of_its_authors),
		cmocka_unit_test(known_texts_have_their_digests),
		cmocka_unit_test(pieces_hash_like_the_whole),
		cmocka_unit_test(digests_take_no_memory),
		cmocka_unit_test(equal_compares_every_byte),
		cmocka_unit_test(random_bytes_differ_and_fill),
		cmocka_unit_test(hex_goes_both_ways_and_takes_exactly_its_length),
	};
	return cmocka_run_group_tests(tests, open_ctx, close_ctx);
}
