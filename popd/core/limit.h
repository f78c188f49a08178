/*
 * Token buckets for ICMPv6 errors (RFC 4443 2.4 f): one for the PoP and one per tunnel, hashed into
 * fixed memory. All workers share them, else a tunnel whose packets come to one worker would have
 * that one's part of what it is allowed; each bucket is one word, touched only when there is an
 * error to send. Pure.
 */
#ifndef POPD_CORE_LIMIT_H
#define POPD_CORE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"

struct limiter;

/* `all_rate`/`tunnel_rate`: errors a second, bursts of the same number. NULL: no memory. */
struct limiter *limiter_create(uint32_t all_rate, uint32_t tunnel_rate);
void limiter_free(struct limiter *l);

/* Takes a token for an error that answers a packet of `slot` (UINT32_MAX: none). false: hold it
 * back. Any worker. */
bool limiter_take(struct limiter *l, uint32_t slot, int64_t mono_us) NONNULL;

#endif
