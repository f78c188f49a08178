/*
 * An allocator that fails when a test says so: malloc, calloc and realloc of the whole program,
 * those that libpq and the C library call (strdup, asprintf, getline) included. Linked into the
 * tests that use it or call malloc themselves; it only passes calls on until allocator_fail.
 */
#ifndef TESTS_UNIT_ALLOCATOR_H
#define TESTS_UNIT_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>

enum allocator_mode {
	ALLOCATOR_FAIL_ONE,  /* the n-th call fails */
	ALLOCATOR_FAIL_FROM, /* the n-th call and all that follow */
};

/* From now on calls are counted; the next one is number 1. */
void allocator_fail(unsigned n, enum allocator_mode mode);
/* Every call works again. True: the n-th was reached, so that there may be more to try. */
bool allocator_restore(void);

/* For ev_set_allocator: never fails. libev ends the program when its allocator does. */
void *allocator_spare(void *old, long size);

#endif
