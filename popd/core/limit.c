#include "popd/core/limit.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "lib/bucket.h"
#include "lib/pages.h"

/* The buckets of a tunnel, and of the PoP, that a kind takes from; NONE: it takes from none. */
enum { TOO_BIG, TIME_EXCEEDED, UNREACHABLE, STRANGER, OF_TUNNEL, NONE };
enum { POP_TIME_EXCEEDED, POP_UNREACHABLE, POP_UNALLOCATED, POP_DELETED, OF_POP };

static const struct {
	uint8_t of_tunnel, of_pop;
} takes[LIMIT__COUNT] = {
	[LIMIT_TOO_BIG] = { TOO_BIG, NONE },
	[LIMIT_TIME_EXCEEDED] = { TIME_EXCEEDED, POP_TIME_EXCEEDED },
	[LIMIT_UNREACHABLE] = { UNREACHABLE, POP_UNREACHABLE },
	[LIMIT_UNALLOCATED] = { UNREACHABLE, POP_UNALLOCATED },
	[LIMIT_DELETED] = { NONE, POP_DELETED },
	[LIMIT_STRANGER] = { STRANGER, NONE },
};

struct buckets {
	_Atomic int64_t full[OF_TUNNEL];
};

struct limiter {
	int64_t all_interval,
		tunnel_interval; /* microseconds per token; above BUCKET_SECOND: no tokens */
	_Atomic int64_t all[OF_POP];
	size_t slots;
	struct buckets *tunnels; /* by slot, then that of popd itself; touched when used */
};

static int64_t interval(uint32_t rate)
{
	return rate == 0 ? BUCKET_SECOND + 1 : rate > BUCKET_SECOND ? 1 : BUCKET_SECOND / rate;
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

/* NULL: nobody's. */
static _Atomic int64_t *bucket_of(struct limiter *l, enum limit kind, uint32_t slot)
{
	bool is_tunnel = slot < l->slots;

	if (takes[kind].of_tunnel == NONE || (kind == LIMIT_UNALLOCATED && !is_tunnel))
		return NULL;
	return &l->tunnels[is_tunnel ? slot : l->slots].full[takes[kind].of_tunnel];
}

bool limiter_take(struct limiter *l, enum limit kind, uint32_t slot, int64_t mono_us)
{
	_Atomic int64_t *bucket = bucket_of(l, kind, slot);
	int64_t step = kind == LIMIT_STRANGER ? BUCKET_SECOND : l->tunnel_interval;

	if (bucket && !bucket_take(bucket, step, mono_us))
		return false;
	if (takes[kind].of_pop == NONE ||
	    bucket_take(&l->all[takes[kind].of_pop], l->all_interval, mono_us))
		return true;
	if (bucket) /* without a token of the PoP the tunnel keeps its own */
		bucket_return(bucket, step);
	return false;
}
