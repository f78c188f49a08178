#include "popd/port/ring.h"

#include <pthread.h>
#include <sched.h>

#include "tests/unit/test_popd_fixture.h"

static void full_takes_no_more_and_empty_gives_none(void **state)
{
	struct ring *r = ring_create(4, sizeof(int));
	int v = -1;

	(void)state;
	assert_false(ring_pop(r, &v));
	for (int round = 0; round < 10; round++) { /* the indexes wrap around the four places */
		for (int i = 0; i < 4; i++)
			assert_true(ring_push(r, &(int){ round * 4 + i }));
		assert_false(ring_push(r, &(int){ 99 }));
		for (int i = 0; i < 4; i++) {
			assert_true(ring_pop(r, &v));
			assert_int_equal(v, round * 4 + i);
		}
		assert_false(ring_pop(r, &v));
	}
	ring_free(r);
}

enum { MANY = 200000 };
struct item {
	uint64_t n, twice;
};

static void *produce(void *arg)
{
	for (uint64_t n = 1; n <= MANY;) {
		struct item item = { n, 2 * n };
		if (ring_push(arg, &item))
			n++;
		else
			sched_yield();
	}
	return NULL;
}

static void two_threads_pass_every_item_whole_and_in_order(void **state)
{
	struct ring *r = ring_create(64, sizeof(struct item));
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, produce, r), 0);
	for (uint64_t n = 1; n <= MANY;) {
		struct item item;
		if (!ring_pop(r, &item)) {
			sched_yield();
			continue;
		}
		assert_true(item.n == n && item.twice == 2 * n);
		n++;
	}
	pthread_join(thread, NULL);
	ring_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_takes_no_more_and_empty_gives_none),
		cmocka_unit_test(two_threads_pass_every_item_whole_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
