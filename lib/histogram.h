/*
 * A histogram whose buckets are powers of two, so that one instruction finds the bucket of a value.
 * Written by one thread (relaxed), read by any. Pure.
 */
#ifndef LIB_HISTOGRAM_H
#define LIB_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

/* Bucket i counts values above 2^(i-1) and up to 2^i; the first also 0, the last all larger
 * values. */
enum { HISTOGRAM_BUCKETS = 24 };

struct histogram {
	_Atomic uint64_t counts[HISTOGRAM_BUCKETS];
	_Atomic uint64_t sum;
};

/* A copy in plain values. */
struct histogram_view {
	uint64_t counts[HISTOGRAM_BUCKETS];
	uint64_t sum;
};

/* By the one writer. */
void histogram_add(struct histogram *h, uint64_t value) NONNULL;

/* Adds the counts so far to `out`. While the writer is active, the sum may include a few values
 * more or fewer than the counts. */
void histogram_read(const struct histogram *h, struct histogram_view *out) NONNULL;

uint64_t histogram_count(const struct histogram_view *v) NONNULL;
/* The largest value of bucket `i`; UINT64_MAX: no bound. */
uint64_t histogram_bound(size_t i);
/* The bound of the bucket that holds the quantile `permille` (500: p50, 990: p99); 0: no values. */
uint64_t histogram_quantile(const struct histogram_view *v, unsigned permille) NONNULL;

#endif
