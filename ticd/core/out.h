/*
 * What a session has said and the connection has not yet sent: a growing queue of bytes with an
 * upper bound. Memory is taken with the first byte and given back when the queue runs empty. Pure
 * but for the allocation.
 */
#ifndef TICD_CORE_OUT_H
#define TICD_CORE_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"

/* Room for the longest list there can be (LIST_MAX rows, ticd/core/queries.h) and some more. */
enum { OUT_MAX = 4 * 1024 * 1024 };

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

/* Appends all or nothing; false: no memory, or OUT_MAX. */
bool out_append(struct out *o, const void *data, size_t len) NONNULL MUSTCHECK;

/* The first `n` bytes have been sent. */
void out_drop(struct out *o, size_t n) NONNULL;

/* Forgets everything, frees. */
void out_clear(struct out *o) NONNULL;

#endif
