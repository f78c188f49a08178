#include "popd/feed/store.h"

#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "tests/unit/test_popd_fixture.h"

static char directory[64], path[80];

static int setup(void **state)
{
	(void)state;
	log_init("test", LOG_LEVEL_ERROR);
	snprintf(directory, sizeof(directory), "/tmp/popd-store-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/snapshot", directory);
	return 0;
}

static int teardown(void **state)
{
	static const char *const suffixes[] = {
		"", ".tmp", ".journal", ".journal.old", ".bad", ".journal.bad", ".journal.old.bad"
	};
	char name[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		(void)unlink(name);
	}
	return rmdir(directory);
}

static bool exists(const char *suffix)
{
	char name[128];

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	return access(name, F_OK) == 0;
}

static void append(const char *suffix, const void *data, size_t len)
{
	char name[128];

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	FILE *f = fopen(name, "ab");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

static struct table *empty_table(void)
{
	static const uint8_t seed[16] = { 9 };

	return table_create(FIXTURE_TUNNELS, 1, seed);
}

/* Loads the files as a popd would that starts now: the number of tunnels and T1's endpoint word. */
static bool found(const char *pop, size_t *tunnels, uint64_t *endpoint)
{
	struct table *t = empty_table();
	struct store *s = store_create(path, pop, t);
	struct digest_ctx *d = digest_ctx_create();
	struct snapshot_head head;
	bool good = store_load(s, d, moment(NOW), &head);
	const struct tunnel *one = table_by_id(t, 1);

	*tunnels = table_count(t);
	*endpoint = one ? atomic_load(&one->endpoint) : 0;
	store_free(s);
	digest_ctx_free(d);
	table_free(t);
	return good;
}

static void move(struct pop *p, uint16_t port, uint32_t epoch)
{
	struct tunnel *t = table_by_id(p->table, 1);

	atomic_store(&t->endpoint, endpoint_pack(at("192.0.2.9", port), 0));
	atomic_store(&t->newest, epoch);
	atomic_store(&t->heard, epoch);
}

static void save(struct store *s)
{
	assert_true(store_begin_snapshot(s, 77, moment(NOW)));
	store_finish_snapshot(s);
}

static void what_was_saved_is_loaded_again(void **state)
{
	struct pop p = pop_new();
	struct store *s = store_create(path, "demo01", p.table);
	struct stat st;
	size_t n;
	uint64_t endpoint;

	(void)state;
	assert_false(found("demo01", &n, &endpoint));
	save(s);
	assert_int_equal(store_written(s).s, NOW);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600); /* it holds the secrets */
	assert_int_equal((uint64_t)st.st_size, store_size(s));
	assert_false(exists(".tmp"));
	assert_true(found("demo01", &n, &endpoint));
	assert_int_equal(n, 6);
	assert_int_equal(endpoint, atomic_load(&table_by_id(p.table, 1)->endpoint));
	store_free(s);
	pop_end(&p);
}

static void a_move_after_the_snapshot_is_loaded_again(void **state)
{
	struct pop p = pop_new();
	struct store *s = store_create(path, "demo01", p.table);
	size_t n;
	uint64_t endpoint;

	(void)state;
	save(s);
	for (uint16_t port = 5000; port < 5100; port++) {
		move(&p, port, NOW + port - 5000);
		store_note(s, table_by_id(p.table, 1), moment(NOW));
		store_append(s);
		assert_true(store_is_behind(s));
		assert_true(found("demo01", &n, &endpoint));
		assert_int_equal(endpoint_of(endpoint).port, port);
	}
	store_free(s);
	pop_end(&p);
}

/* At every step of a snapshot at which popd may be killed. */
static void a_kill_at_any_moment_of_a_snapshot_loses_no_move(void **state)
{
	struct pop p = pop_new();
	struct store *s = store_create(path, "demo01", p.table);
	size_t n;
	uint64_t endpoint;

	(void)state;
	save(s);
	move(&p, 6000, NOW + 1);
	store_note(s, table_by_id(p.table, 1), moment(NOW));
	assert_true(store_begin_snapshot(s, 78, moment(NOW + 2)));
	move(&p, 6001, NOW + 3); /* while it is being written */
	store_note(s, table_by_id(p.table, 1), moment(NOW));
	store_append(s);
	assert_true(found("demo01", &n, &endpoint));
	assert_int_equal(endpoint_of(endpoint).port, 6001);
	store_finish_snapshot(s);
	assert_false(exists(".journal.old"));
	assert_true(found("demo01", &n, &endpoint));
	assert_int_equal(endpoint_of(endpoint).port, 6001);
	store_free(s);
	pop_end(&p);
}

static void a_snapshot_that_fails_keeps_the_journal(void **state)
{
	struct pop p = pop_new();
	struct store *s = store_create(path, "demo01", p.table);
	char temporary[96];
	size_t n;
	uint64_t endpoint;

	(void)state;
	save(s);
	move(&p, 6500, NOW + 1);
	store_note(s, table_by_id(p.table, 1), moment(NOW));
	snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	assert_int_equal(mkdir(temporary, 0700), 0); /* in the way of the writer */
	save(s);
	assert_true(store_is_behind(s));
	assert_true(exists(".journal.old"));
	move(&p, 6501, NOW + 2);
	store_note(s, table_by_id(p.table, 1), moment(NOW));
	save(s);
	assert_true(found("demo01", &n, &endpoint));
	assert_int_equal(endpoint_of(endpoint).port, 6501);
	assert_int_equal(rmdir(temporary), 0);
	save(s);
	assert_false(exists(".journal.old"));
	assert_true(found("demo01", &n, &endpoint));
	assert_int_equal(endpoint_of(endpoint).port, 6501);
	store_free(s);
	pop_end(&p);
}

static void changed_epochs_are_found_and_reach_the_journal(void **state)
{
	struct pop p = pop_new();
	struct store *s = store_create(path, "demo01", p.table);
	struct stat before, after;
	char journal[96];

	(void)state;
	save(s);
	snprintf(journal, sizeof(journal), "%s.journal", path);
	move(&p, 7000, NOW + 1);
	store_note_changed(s, moment(NOW));
	store_append(s);
	assert_int_equal(stat(journal, &before), 0);
	store_note_changed(s, moment(NOW)); /* nothing new */
	store_append(s);
	assert_int_equal(stat(journal, &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	assert_int_equal(
		after.st_size,
		/* T1 and, for the first time, the heartbeat tunnel; static endpoints are not journaled */
		2 * JOURNAL_RECORD);
	store_free(s);
	pop_end(&p);
}

static void a_damaged_snapshot_is_set_aside_and_popd_starts_empty(void **state)
{
	struct pop p = pop_new();
	struct store *s = store_create(path, "demo01", p.table);
	size_t n;
	uint64_t endpoint;

	(void)state;
	save(s);
	store_free(s);
	append("", "x", 1);
	append(".journal", "junk", 4);
	assert_false(found("demo01", &n, &endpoint));
	assert_int_equal(n, 0);
	assert_false(exists(""));
	assert_true(exists(".bad"));
	assert_false(exists(".journal")); /* it would be applied to the next snapshot */
	assert_true(exists(".journal.bad"));
	pop_end(&p);
}

/* A folder of the file's name: it can be opened, but not read. */
static void what_cannot_be_read_is_kept_aside_with_its_journals_and_never_deleted(void **state)
{
	struct pop p = pop_new();
	struct store *s = store_create(path, "demo01", p.table);
	char aside[96];
	size_t n;
	uint64_t endpoint;

	(void)state;
	save(s);
	move(&p, 9000, NOW + 1);
	store_note(s, table_by_id(p.table, 1), moment(NOW));
	store_append(s);
	store_free(s);
	append(".journal.old", "old", 3);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_false(found("demo01", &n, &endpoint));
	assert_false(exists(".journal") || exists(".journal.old"));
	assert_true(exists(".bad") && exists(".journal.bad") && exists(".journal.old.bad"));
	snprintf(aside, sizeof(aside), "%s.bad", path);
	assert_int_equal(rmdir(aside), 0);
	pop_end(&p);
}

static void a_journal_that_cannot_be_read_is_kept_aside(void **state)
{
	struct pop p = pop_new();
	struct store *s = store_create(path, "demo01", p.table);
	char journal[96];
	size_t n;
	uint64_t endpoint;

	(void)state;
	save(s);
	snprintf(journal, sizeof(journal), "%s.journal", path);
	assert_int_equal(mkdir(journal, 0700), 0);
	assert_true(found("demo01", &n, &endpoint));
	assert_int_equal(n, 6);
	assert_false(exists(".journal"));
	snprintf(journal, sizeof(journal), "%s.journal.bad", path);
	assert_int_equal(rmdir(journal), 0);
	store_free(s);
	pop_end(&p);
}

static void another_pops_snapshot_is_not_loaded(void **state)
{
	struct pop p = pop_new();
	struct store *s = store_create(path, "demo01", p.table);
	size_t n;
	uint64_t endpoint;

	(void)state;
	save(s);
	store_free(s);
	assert_false(found("other", &n, &endpoint));
	assert_int_equal(n, 0);
	assert_true(exists(".bad"));
	pop_end(&p);
}

static void a_cut_journal_is_applied_up_to_the_cut(void **state)
{
	struct pop p = pop_new();
	struct store *s = store_create(path, "demo01", p.table);
	size_t n;
	uint64_t endpoint;

	(void)state;
	save(s);
	move(&p, 8000, NOW + 1);
	store_note(s, table_by_id(p.table, 1), moment(NOW));
	store_append(s);
	store_free(s);
	append(".journal", "torn", 4);
	assert_true(found("demo01", &n, &endpoint));
	assert_int_equal(endpoint_of(endpoint).port, 8000);
	s = store_create(path, "demo01", p.table); /* and it can be appended to */
	move(&p, 8001, NOW + 2);
	store_note(s, table_by_id(p.table, 1), moment(NOW));
	store_append(s);
	assert_true(found("demo01", &n, &endpoint));
	assert_int_equal(endpoint_of(endpoint).port, 8001);
	store_free(s);
	pop_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_saved_is_loaded_again, setup, teardown),
		cmocka_unit_test_setup_teardown(a_move_after_the_snapshot_is_loaded_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_kill_at_any_moment_of_a_snapshot_loses_no_move,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_snapshot_that_fails_keeps_the_journal, setup,
						teardown),
		cmocka_unit_test_setup_teardown(changed_epochs_are_found_and_reach_the_journal,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_damaged_snapshot_is_set_aside_and_popd_starts_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_cannot_be_read_is_kept_aside_with_its_journals_and_never_deleted,
			setup, teardown),
		cmocka_unit_test_setup_teardown(a_journal_that_cannot_be_read_is_kept_aside, setup,
						teardown),
		cmocka_unit_test_setup_teardown(another_pops_snapshot_is_not_loaded, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_cut_journal_is_applied_up_to_the_cut, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
