/* Token buckets for ICMPv6 errors (RFC 4443 2.4 f), one struct a worker: a bucket for the PoP and one per tunnel,
 * hashed into fixed memory. Pure. */
#ifndef POPD_CORE_LIMIT_H
#define POPD_CORE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"

struct limiter;

/* `all_rate`/`tunnel_rate`: errors a second, bursts of the same number. NULL: no memory. */
struct limiter *limiter_create(uint32_t all_rate, uint32_t tunnel_rate);
void limiter_free(struct limiter *l);

/* Takes a token for an error that answers a packet of `slot` (UINT32_MAX: none). false: hold it back. */
bool limiter_take(struct limiter *l, uint32_t slot, int64_t mono_us) NONNULL;

#endif
