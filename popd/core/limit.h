/*
 * Token buckets for ICMPv6 errors (RFC 4443 2.4 f), and for what is noted of strangers. A bucket is for one kind of error, so that a
 * flood that causes one kind never uses up another: small packets to a closed port would switch off
 * path MTU discovery, a scan of unallocated prefixes every other unreachable.
 *
 *                      a bucket for each tunnel    one for the PoP
 *  packet too big      yes                         no: each tunnel gets its rate in any case
 *  time exceeded       yes                         yes
 *  unreachable, other  yes                         yes
 *  unallocated         that of unreachables        yes
 *  deleted             no                          yes
 *  stranger            one note a second           no
 *
 * All workers share the buckets: if each had its part of the rates, a tunnel whose packets all come
 * to one worker would get that part only. A bucket is one atomic word, touched only when an error
 * is to be sent. Pure.
 */
#ifndef POPD_CORE_LIMIT_H
#define POPD_CORE_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

enum limit {
	LIMIT_TOO_BIG,
	LIMIT_TIME_EXCEEDED,
	LIMIT_UNREACHABLE, /* and parameter problems */
	LIMIT_UNALLOCATED, /* unreachable: in the PoP's prefixes, but no tunnel has it */
	LIMIT_DELETED,     /* unreachable: to the client of a tunnel that is gone (gone.h) */
	LIMIT_STRANGER,    /* no error: a packet that anybody can send is counted for a tunnel */
	LIMIT__COUNT
};

struct limiter;

/* Errors of one kind a second for the PoP and for each tunnel, with bursts of the same number; for
 * tunnels in slots below `slots`. NULL: no memory. */
struct limiter *limiter_create(size_t slots, uint32_t all_rate, uint32_t tunnel_rate);
void limiter_free(struct limiter *l);

/* Takes a token for an error (or a note) about a packet of the tunnel in `slot`. UINT32_MAX: of no tunnel;
 * then popd's own address counts as a tunnel, and unallocated prefixes and deleted tunnels have the PoP's buckets only.
 * false: send (or note) nothing. Any worker. */
bool limiter_take(struct limiter *l, enum limit kind, uint32_t slot, int64_t mono_us) NONNULL;

#endif
