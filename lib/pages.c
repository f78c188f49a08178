#include "lib/pages.h"

#include <sys/mman.h>

void *pages_alloc(size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes) || bytes == 0)
		return NULL;
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	/* A kernel without huge pages refuses, which is as good. */
	(void)madvise(p, bytes, MADV_NOHUGEPAGE);
	return p;
}

void pages_free(void *p, size_t count, size_t size)
{
	if (p)
		(void)munmap(p, count * size);
}
