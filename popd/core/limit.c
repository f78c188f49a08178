#include "popd/core/limit.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "lib/bucket.h"

enum { BUCKETS = 4096 };

struct limiter {
	/* microseconds for each token; above BUCKET_SECOND: there are none */
	int64_t all_interval, tunnel_interval;
	_Atomic int64_t all;
	_Atomic int64_t tunnels[BUCKETS];
};

static int64_t interval(uint32_t rate)
{
	return rate == 0 ? BUCKET_SECOND + 1 : rate > BUCKET_SECOND ? 1 : BUCKET_SECOND / rate;
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

bool limiter_take(struct limiter *l, uint32_t slot, int64_t mono_us)
{
	_Atomic int64_t *bucket = slot == UINT32_MAX
					  ? NULL
					  : &l->tunnels[slot * UINT32_C(2654435761) >> 20];

	if (bucket && !bucket_take(bucket, l->tunnel_interval, mono_us))
		return false;
	if (bucket_take(&l->all, l->all_interval, mono_us))
		return true;
	if (bucket) /* without a token of the PoP the tunnel keeps its own */
		bucket_return(bucket, l->tunnel_interval);
	return false;
}
