/* Large arrays straight from the kernel: zeroed, on page boundaries, and costing memory only where
 * they are touched. */
#ifndef POPD_CORE_PAGES_H
#define POPD_CORE_PAGES_H

#include <stddef.h>

#include "lib/cc.h"

/* `count` items of `size` bytes. NULL: no memory, or the product overflows. */
void *pages_alloc(size_t count, size_t size) MUSTCHECK;
void pages_free(void *p, size_t count,
		size_t size); /* with what they were asked for; NULL is fine */

#endif
