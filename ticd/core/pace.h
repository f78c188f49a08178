/*
 * How fast clear text may go out. The stock client gives up when 1,014 bytes or more wait in its
 * buffer, however short the lines. So at most PACE_BYTES are under way, cut at a line end; the next
 * ones may follow when the peer has acknowledged all of them and PACE_QUIET_MS more have passed, in
 * which its program has read them. Pure: the time and the kernel's count of unacknowledged bytes
 * are arguments.
 */
#ifndef TICD_CORE_PACE_H
#define TICD_CORE_PACE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"
#include "lib/clock.h"

enum { PACE_BYTES = 1000, PACE_QUIET_MS = 20, PACE_POLL_MIN_MS = 5, PACE_POLL_MAX_MS = 100 };

struct pace {
	size_t sent;   /* bytes sent since the peer was last known to have read everything */
	bool is_acked; /* all of them were acknowledged at `acked` */
	mono_t acked;
	int poll_ms; /* how long to wait before the next look; doubles while the peer is slow */
};

/* How many of the `len` bytes at `data` may be sent now: whole lines (or the rest of one) within
 * the budget; 0: ask pace_wait. */
size_t pace_allows(const struct pace *p, const char *data, size_t len) NONNULL;

/* `n` bytes went into the socket. */
void pace_sent(struct pace *p, size_t n) NONNULL;

/* `unacked`: bytes the kernel still holds for the peer. 0: the budget is whole again; else
 * milliseconds until it is worth asking again. */
int pace_wait(struct pace *p, mono_t now, size_t unacked) NONNULL;

#endif
