/* These definitions come before the C library's, whose own functions call them as well. */
#include "tests/unit/allocator.h"

#include <errno.h>
#include <stdlib.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NEXT(name) __interceptor_##name
#else
#define NEXT(name) __libc_##name
#endif
void *NEXT(malloc)(size_t size);
void *NEXT(calloc)(size_t n, size_t size);
void *NEXT(realloc)(void *old, size_t size);

static bool is_armed;
static unsigned calls, first, last;

void allocator_fail(unsigned n, enum allocator_mode mode)
{
	calls = 0;
	first = n;
	last = mode == ALLOCATOR_FAIL_ONE ? n : -1U;
	is_armed = true;
}

bool allocator_restore(void)
{
	is_armed = false;
	return calls >= first;
}

static bool fails(void)
{
	if (!is_armed)
		return false;
	calls++;
	if (calls < first || calls > last)
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails() ? NULL : NEXT(malloc)(size);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : NEXT(calloc)(n, size);
}

void *realloc(void *old, size_t size)
{
	return fails() ? NULL : NEXT(realloc)(old, size);
}

void *allocator_spare(void *old, long size)
{
	if (size > 0)
		return NEXT(realloc)(old, (size_t)size);
	free(old);
	return NULL;
}
