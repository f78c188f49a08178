#include "popd/core/limit.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "popd/core/pages.h"

/*
 * A bucket is one number (the generic cell rate algorithm): the time at which it is full again. A
 * token moves that time by one interval. It may be at most a second ahead, which allows a burst of
 * `rate` tokens.
 */
enum { SECOND = 1000000 };

/* A tunnel has no bucket for unallocated prefixes. */
enum { OF_TUNNEL = LIMIT_UNREACHABLE + 1 };
struct buckets {
	_Atomic int64_t full[OF_TUNNEL];
};

struct limiter {
	int64_t all_interval, tunnel_interval; /* microseconds per token; above SECOND: no tokens */
	_Atomic int64_t all[LIMIT__COUNT];
	size_t slots;
	struct buckets *tunnels; /* by slot, then that of popd itself; touched when used */
};

static int64_t interval(uint32_t rate)
{
	return rate == 0 ? SECOND + 1 : rate > SECOND ? 1 : SECOND / rate;
}

struct limiter *limiter_create(size_t slots, uint32_t all_rate, uint32_t tunnel_rate)
{
	struct limiter *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->all_interval = interval(all_rate);
	l->tunnel_interval = interval(tunnel_rate);
	l->slots = slots;
	l->tunnels = pages_alloc(slots + 1, sizeof(*l->tunnels));
	if (!l->tunnels) {
		free(l);
		return NULL;
	}
	return l;
}

void limiter_free(struct limiter *l)
{
	if (l)
		pages_free(l->tunnels, l->slots + 1, sizeof(*l->tunnels));
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

/* NULL: nobody's. */
static _Atomic int64_t *bucket_of(struct limiter *l, enum limit kind, uint32_t slot)
{
	bool is_tunnel = slot < l->slots;

	if (kind == LIMIT_UNALLOCATED && !is_tunnel)
		return NULL;
	return &l->tunnels[is_tunnel ? slot : l->slots]
			.full[kind == LIMIT_UNALLOCATED ? LIMIT_UNREACHABLE : kind];
}

bool limiter_take(struct limiter *l, enum limit kind, uint32_t slot, int64_t mono_us)
{
	_Atomic int64_t *bucket = bucket_of(l, kind, slot);

	if (bucket && !take(bucket, l->tunnel_interval, mono_us))
		return false;
	if (kind == LIMIT_TOO_BIG || take(&l->all[kind], l->all_interval, mono_us))
		return true;
	if (bucket) /* without a token of the PoP the tunnel keeps its own */
		atomic_fetch_sub_explicit(bucket, l->tunnel_interval, memory_order_relaxed);
	return false;
}
