#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "lib/err.h"
#include "ticd/ctl/migrate.h"

static const struct {
	const char *path;
	uint32_t number; /* 0: not a migration's path */
	const char *subject;
} names[] = {
	{ "migrations/0001_base.sql", 1, "base" },
	{ "migrations/9999_a_b.sql", 9999, "a_b" },
	{ "migrations/0000_base.sql", 0, NULL },
	{ "migrations/001_base.sql", 0, NULL },
	{ "migrations/00010_base.sql", 0, NULL },
	{ "migrations/0001-base.sql", 0, NULL },
	{ "migrations/0001_.sql", 0, NULL },
	{ "migrations/0001_base", 0, NULL },
	{ "migrations/0001_", 0, NULL },
	{ "migrations/0001", 0, NULL },
	{ "migrations/", 0, NULL },
	{ "api/0001_base.sql", 0, NULL },
	/* 63 characters and 64 */
	{ "migrations/0001_123456789012345678901234567890123456789012345678901234567890123.sql", 1,
	  "123456789012345678901234567890123456789012345678901234567890123" },
	{ "migrations/0001_1234567890123456789012345678901234567890123456789012345678901234.sql", 0,
	  NULL },
	{ "roles.sql", 0, NULL },
	{ "", 0, NULL },
};

static void name_of_a_migration_is_its_number_and_subject(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		uint32_t number = 0;
		char subject[MIGRATE_NAME] = "";
		int err = migrate_name(names[i].path, &number, subject);
		if ((err == 0) != (names[i].number != 0) || number != names[i].number ||
		    (err == 0 && strcmp(subject, names[i].subject) != 0))
			fail_msg("'%s': %d %u '%s'", names[i].path, err, number, subject);
	}
}

#define FILE_OF(path, text)                  \
	{                                    \
		path, text, sizeof(text) - 1 \
	}
static const struct schema_file files[] = {
	FILE_OF("migrations/0001_base.sql", "abc"),
	FILE_OF("migrations/0003_more.sql", ""),
	FILE_OF("roles.sql", "roles"),
	FILE_OF("api/a.sql", "a"),
	{ 0 },
};
/* FIPS 180-2's digest of "abc", and that of nothing. */
static const char sum_abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char sum_nothing[] =
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
static const struct rows_column columns[] = { { "number", ROWS_NUMBER },
					      { "name", ROWS_TEXT },
					      { "checksum", ROWS_TEXT } };

static void checksum_is_the_sha256_of_the_text(void **state)
{
	char sum[DIGEST_MAX_HEX];
	(void)state;
	assert_true(migrate_checksum(&files[0], sum));
	assert_string_equal(sum, sum_abc);
	assert_true(migrate_checksum(&files[1], sum));
	assert_string_equal(sum, sum_nothing);
}

/* A change of names, texts or order changes the checksum of the api files, unless it is a
 * migration's. */
static void checksum_of_the_doors_sees_all_but_migrations(void **state)
{
	static const struct {
		const char *what;
		bool is_same;
		struct schema_file files[4];
	} others[] = {
		{ "no migrations",
		  true,
		  { FILE_OF("roles.sql", "roles"), FILE_OF("api/a.sql", "a"), { 0 } } },
		{ "text",
		  false,
		  { FILE_OF("roles.sql", "roles"), FILE_OF("api/a.sql", "b"), { 0 } } },
		{ "name",
		  false,
		  { FILE_OF("roles.sql", "roles"), FILE_OF("api/b.sql", "a"), { 0 } } },
		{ "order",
		  false,
		  { FILE_OF("api/a.sql", "a"), FILE_OF("roles.sql", "roles"), { 0 } } },
		{ "name runs on",
		  false,
		  { FILE_OF("roles.sqlr", "oles"), FILE_OF("api/a.sql", "a"), { 0 } } },
		{ "one less", false, { FILE_OF("roles.sql", "roles"), { 0 } } },
		{ "one more",
		  false,
		  { FILE_OF("roles.sql", "roles"),
		    FILE_OF("api/a.sql", "a"),
		    FILE_OF("api/b.sql", ""),
		    { 0 } } },
		{ "text moved",
		  false,
		  { FILE_OF("roles.sql", "role"), FILE_OF("sapi/a.sql", "a"), { 0 } } },
	};
	char sum[DIGEST_MAX_HEX], other[DIGEST_MAX_HEX];
	(void)state;
	assert_true(migrate_api_checksum(files, sum));
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		assert_true(migrate_api_checksum(others[i].files, other));
		if ((strcmp(sum, other) == 0) != others[i].is_same)
			fail_msg("%s: %s", others[i].what, other);
	}
}

/* What the database records, and the refusal. */
static const struct {
	size_t n;
	const char *cells[9];
	const char *refusal;
} records[] = {
	{ 0, { NULL }, NULL },
	{ 1, { "1", "base", sum_abc }, NULL },
	{ 1, { "3", "more", sum_nothing }, NULL },
	{ 2, { "1", "base", sum_abc, "3", "more", sum_nothing }, NULL },
	{ 2, { "1", "renamed", sum_abc, "3", "more", sum_nothing }, NULL },
	{ 1,
	  { "1", "base", sum_nothing },
	  "migration 0001 base was changed after the database ran it; nothing was done" },
	{ 1,
	  { "1", "base", NULL },
	  "migration 0001 base was changed after the database ran it; nothing was done" },
	{ 2,
	  { "1", "base", sum_abc, "4", "later", sum_abc },
	  "the database's schema is newer than this ticctl: it has migration 4 later; nothing was done" },
	{ 1,
	  { "2", "between", sum_abc },
	  "the database's schema is newer than this ticctl: it has migration 2 between; nothing was done" },
};

static void record_of_the_database_is_taken_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		const struct rows applied = {
			records[i].n, 3, columns, records[i].cells, NULL, NULL
		};
		struct fault fault = { 0 };
		uint32_t newest = 0;
		int err = migrate_judge(files, &applied, &newest, &fault);
		assert_int_equal(newest, 3);
		assert_int_equal(err, records[i].refusal ? -ERR_REFUSED : 0);
		if (err)
			assert_string_equal(fault.text, records[i].refusal);
	}
}

static void is_applied_asks_for_the_number(void **state)
{
	const struct rows applied = { 2, 3, columns, records[3].cells, NULL, NULL };
	(void)state;
	assert_true(migrate_is_applied(&applied, 1));
	assert_true(migrate_is_applied(&applied, 3));
	assert_false(migrate_is_applied(&applied, 2));
	assert_false(migrate_is_applied(&(struct rows){ 0 }, 1));
}

static int fetch_digests(void **state)
{
	(void)state;
	return digest_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_of_a_migration_is_its_number_and_subject),
		cmocka_unit_test(checksum_is_the_sha256_of_the_text),
		cmocka_unit_test(checksum_of_the_doors_sees_all_but_migrations),
		cmocka_unit_test(record_of_the_database_is_taken_or_refused),
		cmocka_unit_test(is_applied_asks_for_the_number),
	};
	return cmocka_run_group_tests(tests, fetch_digests, NULL);
}
