/* Large arrays straight from the kernel (mmap): zeroed, page-aligned, and backed by memory only
 * where they are used: in small pages, since a huge one (Debian's default for large mappings) would
 * take 2 MB for the first item used in it. */
#ifndef LIB_PAGES_H
#define LIB_PAGES_H

#include <stddef.h>

#include "lib/cc.h"

/* `count` items of `size` bytes. NULL: no memory, or the product is 0 or overflows. */
void *pages_alloc(size_t count, size_t size) MUSTCHECK;
/* With the count and size of pages_alloc. NULL is fine. */
void pages_free(void *p, size_t count, size_t size);

#endif
