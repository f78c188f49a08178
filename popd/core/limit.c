#include "popd/core/limit.h"

#include <stdlib.h>

/*
 * Each bucket is one number (the generic cell rate algorithm): the time at which it will be full again. A token moves
 * that time by one interval; it may lie at most a second ahead, which is a burst of `rate` tokens.
 */
enum { BUCKETS = 4096, SECOND = 1000000 };

struct limiter {
	int64_t all_interval, tunnel_interval; /* microseconds a token; above SECOND: none at all */
	int64_t all;
	int64_t tunnels[BUCKETS];
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

/* When the bucket would be full again, had a token been taken; 0: there is none to take. */
static int64_t after(int64_t full, int64_t step, int64_t now)
{
	int64_t then = (full > now ? full : now) + step;

	return then - now <= SECOND ? then : 0;
}

bool limiter_take(struct limiter *l, uint32_t slot, int64_t mono_us)
{
	int64_t now = mono_us + SECOND; /* so that no time is 0 */
	int64_t all = after(l->all, l->all_interval, now);
	int64_t *bucket = slot == UINT32_MAX ? NULL : &l->tunnels[slot * UINT32_C(2654435761) >> 20];
	int64_t tunnel = bucket ? after(*bucket, l->tunnel_interval, now) : 1;

	if (all == 0 || tunnel == 0)
		return false;
	l->all = all;
	if (bucket)
		*bucket = tunnel;
	return true;
}
