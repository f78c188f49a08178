#include "popd/core/limit.h"

#include <stdatomic.h>
#include <stdlib.h>

/*
 * A bucket is one number (the generic cell rate algorithm): the time at which it is full again. A
 * token moves that time by one interval. It may be at most a second ahead, which allows a burst of
 * `rate` tokens.
 */
enum { BUCKETS = 4096, SECOND = 1000000 };

struct limiter {
	int64_t all_interval, tunnel_interval; /* microseconds per token; above SECOND: no tokens */
	_Atomic int64_t all;
	_Atomic int64_t tunnels[BUCKETS];
};

static int64_t interval(uint32_t rate)
{
	return rate == 0 ? SECOND + 1 : rate > SECOND ? 1 : SECOND / rate;
}

struct limiter *limiter_create(uint32_t all_rate, uint32_t tunnel_rate)
{
	struct limiter *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->all_interval = interval(all_rate);
	l->tunnel_interval = interval(tunnel_rate);
	return l;
}

void limiter_free(struct limiter *l)
{
	free(l);
}

static bool take(_Atomic int64_t *bucket, int64_t step, int64_t now)
{
	int64_t full = atomic_load_explicit(bucket, memory_order_relaxed), then;

	do {
		then = (full > now ? full : now) + step;
		if (then - now > SECOND)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(bucket, &full, then, memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

bool limiter_take(struct limiter *l, uint32_t slot, int64_t mono_us)
{
	_Atomic int64_t *bucket = slot == UINT32_MAX
					  ? NULL
					  : &l->tunnels[slot * UINT32_C(2654435761) >> 20];

	if (bucket && !take(bucket, l->tunnel_interval, mono_us))
		return false;
	if (take(&l->all, l->all_interval, mono_us))
		return true;
	if (bucket) /* without a token of the PoP the tunnel keeps its own */
		atomic_fetch_sub_explicit(bucket, l->tunnel_interval, memory_order_relaxed);
	return false;
}
