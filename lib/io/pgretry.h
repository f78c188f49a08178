/* How long to wait before the next attempt: a quarter of a second, doubled by each failure up to five, and up to a fifth more by
 * chance, so that the programs that lost one server together do not come back together. */
#ifndef LIB_IO_PGRETRY_H
#define LIB_IO_PGRETRY_H

#include <stdint.h>
#include <stdlib.h>

enum { PGRETRY_MIN_MS = 250, PGRETRY_MAX_MS = 5000 };

static inline int64_t pgretry_delay_ms(unsigned failures)
{
	unsigned doublings = failures > 1 ? failures - 1 : 0;
	int64_t delay = doublings < 5 ? (int64_t)PGRETRY_MIN_MS << doublings : PGRETRY_MAX_MS;

	if (delay > PGRETRY_MAX_MS)
		delay = PGRETRY_MAX_MS;
	return delay + arc4random_uniform((uint32_t)(delay / 5) + 1);
}

#endif
