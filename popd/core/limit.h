/*
 * Token buckets for ICMPv6 errors (RFC 4443 2.4 f): one for the PoP and one per tunnel, hashed into
 * fixed memory. All workers share them: if each had its part of the rates, a tunnel whose packets
 * all come to one worker would get that part only. A bucket is one atomic word, touched only when
 * an error is to be sent. Pure.
 */
#ifndef POPD_CORE_LIMIT_H
#define POPD_CORE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"

struct limiter;

/* Errors a second for the PoP and for each tunnel, with bursts of the same number. NULL: no
 * memory. */
struct limiter *limiter_create(uint32_t all_rate, uint32_t tunnel_rate);
void limiter_free(struct limiter *l);

/* Takes a token for an error about a packet of the tunnel in `slot` (UINT32_MAX: none). false: send
 * no error. Any worker. */
bool limiter_take(struct limiter *l, uint32_t slot, int64_t mono_us) NONNULL;

#endif
