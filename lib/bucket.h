/*
 * A token bucket as one atomic word (the generic cell rate algorithm): the time at which it is full
 * again. A token moves that time by one interval; it may be at most a second ahead, which allows a
 * burst of as many tokens as come in a second. Any thread.
 */
#ifndef LIB_BUCKET_H
#define LIB_BUCKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { BUCKET_SECOND = 1000000 };

/* Takes a token. `interval`: microseconds for each; above BUCKET_SECOND: there are no tokens.
 * false: the bucket is empty. */
static inline bool bucket_take(_Atomic int64_t *bucket, int64_t interval, int64_t mono_us)
{
	int64_t full = atomic_load_explicit(bucket, memory_order_relaxed), then;

	do {
		then = (full > mono_us ? full : mono_us) + interval;
		if (then - mono_us > BUCKET_SECOND)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(bucket, &full, then, memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

/* Gives back what bucket_take took. */
static inline void bucket_return(_Atomic int64_t *bucket, int64_t interval)
{
	atomic_fetch_sub_explicit(bucket, interval, memory_order_relaxed);
}

#endif
