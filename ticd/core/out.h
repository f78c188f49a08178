/*
 * What a session has said and the connection has not yet sent, and how fast it may go out.
 *
 * struct out is a growing queue of bytes with an upper bound. Memory is taken with the first byte,
 * wiped (a tunnel's secret may be in it) and given back when the queue runs empty.
 *
 * struct out_pace limits clear text: the stock client aborts when 1,014 bytes or more wait in its
 * buffer, however short the lines. So at most OUT_PACE_BYTES are under way, cut at a line end; the
 * next ones may follow when the peer has acknowledged all of them and OUT_PACE_QUIET_MS more have
 * passed, in which its program reads them. The time and the kernel's count of unacknowledged bytes
 * are arguments.
 */
#ifndef TICD_CORE_OUT_H
#define TICD_CORE_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"
#include "lib/clock.h"

enum {
	OUT_MAX = 4 * 1024 * 1024, /* bytes; more than the longest list (LIST_MAX, queries.c) */
	OUT_PACE_BYTES = 1000,
	OUT_PACE_QUIET_MS = 20,
	OUT_PACE_POLL_MIN_MS = 5,
	OUT_PACE_POLL_MAX_MS = 100,
};

struct out {
	char *buf;
	size_t start, len, size; /* bytes [start, start + len) of `size` are waiting */
};

static inline size_t out_len(const struct out *o)
{
	return o->len;
}
static inline const char *out_data(const struct out *o)
{
	return o->buf + o->start;
}

/* Appends all of it or nothing. False: out of memory, or more than OUT_MAX. */
bool out_append(struct out *o, const void *data, size_t len) NONNULL MUSTCHECK;

/* Drops the first `n` bytes, at most out_len: they have been sent. */
void out_drop(struct out *o, size_t n) NONNULL;

/* Drops everything, wipes and frees. */
void out_clear(struct out *o) NONNULL;

struct out_pace {
	size_t sent;   /* bytes sent since the peer was last known to have read everything */
	bool is_acked; /* all of them were acknowledged at `acked` */
	mono_t acked;
	int poll_ms; /* until the next check; doubles while the peer is slow */
};

/* How many of the `len` bytes at `data` may be sent now: whole lines (or the rest of one) within
 * the budget. 0: call out_pace_wait. */
size_t out_pace_allows(const struct out_pace *p, const char *data, size_t len) NONNULL;

/* `n` bytes went into the socket. */
void out_pace_sent(struct out_pace *p, size_t n) NONNULL;

/* `unacked`: bytes the kernel still holds for the peer. 0: the budget is whole again; else
 * milliseconds until the next call. */
int out_pace_wait(struct out_pace *p, mono_t now, size_t unacked) NONNULL;

#endif
