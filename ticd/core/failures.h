/*
 * Failed logins by address: after FAILURES_FREE of them each further answer to an `authenticate`
 * from there waits, longer with each. Nobody is shut out, and no account is ever slowed: who guesses
 * at an account harms only addresses near to its own.
 *
 * An IPv6 address is counted by its /64, /56 and /48 (lib/peer.h), an IPv4 address by itself; the
 * one with the most failures counts. One failure is forgotten every FAILURES_FORGET_MS. The memory is
 * fixed: where there is no place left, the record with the fewest failures gives way.
 */
#ifndef TICD_CORE_FAILURES_H
#define TICD_CORE_FAILURES_H

#include <stdint.h>

#include "lib/cc.h"
#include "lib/clock.h"
#include "lib/ip.h"

enum {
	FAILURES_FREE = 20,
	FAILURES_FORGET_MS = 3 * 60 * 1000,
	FAILURES_STEP_MS = 500,       /* for each failure beyond the free ones */
	FAILURES_DELAY_MAX_MS = 8000, /* a client waits 10 s for an answer */
	FAILURES_MAX = 1000,          /* no more than this many are remembered of a prefix */
};

struct failures;

/* What is known of an address. */
struct failures_record {
	unsigned count; /* of the prefix that has most */
	struct prefix6 prefix;
	int64_t delay_ms;
};

struct failures *failures_create(void);        /* NULL: out of memory */
void failures_free(struct failures *failures); /* NULL is fine */

struct failures_record failures_of(const struct failures *failures, const struct ip6 *ip,
				   mono_t now) NONNULL;
/* One more. */
void failures_add(struct failures *failures, const struct ip6 *ip, mono_t now) NONNULL;

#endif
