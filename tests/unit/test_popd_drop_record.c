/* A record that is written while it is read: a reader gets one whole note or none. `make tsan`
 * builds this with a thread sanitizer. */
#include "popd/core/drop_record.h"

#include <pthread.h>
#include <sched.h>

#include "tests/unit/test_popd_fixture.h"

/* A note whose fields all derive from `n`. */
static struct drop_note note_number(uint32_t n)
{
	struct drop_note note = {
		.why = (enum drop)(1 + n % (DROP__COUNT - 1)),
		.source = (uint8_t)(n % 5),
		.refused = n % 2,
		.time = n,
		.tunnel = n,
		.len = n,
		.peer = n,
		.detail = { n, n },
		.head_len = (uint8_t)(n % (DROP_HEAD + 1)),
	};

	memset(note.head, (int)(n & 0xff), note.head_len);
	return note;
}

static bool is_note_number(const struct drop_note *a, uint32_t n)
{
	struct drop_note b = note_number(n);

	return a->why == b.why && a->source == b.source && a->refused == b.refused &&
	       a->time == n && a->tunnel == n && a->len == n && a->peer == n && a->detail[0] == n &&
	       a->detail[1] == n && a->head_len == b.head_len &&
	       memcmp(a->head, b.head, b.head_len) == 0;
}

static void a_note_comes_back_as_it_was_whatever_its_length(void **state)
{
	struct drop_record r = { 0 };
	struct drop_note note;

	(void)state;
	assert_int_equal(drop_record_read(&r, &note), DROP_RECORD_EMPTY);
	for (uint32_t n = 1000; n < 1000 + 2 * DROP_HEAD + 2; n++) {
		struct drop_note in = note_number(n);
		drop_record_write(&r, &in);
		assert_int_equal(drop_record_read(&r, &note), DROP_RECORD_READ);
		assert_true(is_note_number(&note, n));
		for (size_t i = note.head_len; i < DROP_HEAD; i++)
			assert_int_equal(note.head[i], 0); /* no bytes of a longer one before */
	}
	drop_record_clear(&r);
	assert_int_equal(drop_record_read(&r, &note), DROP_RECORD_EMPTY);
	for (size_t i = 0; i < DROP_RECORD_WORDS; i++)
		assert_true(atomic_load(&r.words[i]) == 0);
}

static void a_record_that_is_being_written_is_not_read(void **state)
{
	struct drop_record r = { 0 };
	struct drop_note note = note_number(7);

	(void)state;
	drop_record_write(&r, &note);
	atomic_fetch_add(&r.sequence, 1);
	assert_int_equal(drop_record_read(&r, &note), DROP_RECORD_BUSY);
	atomic_fetch_add(&r.sequence, 1);
	assert_int_equal(drop_record_read(&r, &note), DROP_RECORD_READ);
}

enum { MANY = 300000 };

static void *write_many(void *arg)
{
	for (uint32_t n = 1; n <= MANY; n++) {
		struct drop_note note = note_number(n);
		drop_record_write(arg, &note);
	}
	return NULL;
}

static void a_reader_beside_the_writer_sees_whole_notes_and_none_older_than_before(void **state)
{
	struct drop_record r = { 0 };
	uint32_t last = 0, read = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, write_many, &r), 0);
	while (last < MANY) {
		struct drop_note note;
		if (drop_record_read(&r, &note) != DROP_RECORD_READ) {
			sched_yield();
			continue;
		}
		assert_true(is_note_number(&note, note.time));
		assert_true(note.time >= last);
		read += note.time > last;
		last = note.time;
	}
	pthread_join(thread, NULL);
	assert_true(read > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_note_comes_back_as_it_was_whatever_its_length),
		cmocka_unit_test(a_record_that_is_being_written_is_not_read),
		cmocka_unit_test(
			a_reader_beside_the_writer_sees_whole_notes_and_none_older_than_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
