/*
 * How often values of which size came: buckets by powers of two, so that one instruction finds the
 * bucket. Written by one thread (relaxed), read by any. Pure.
 */
#ifndef POPD_CORE_HISTOGRAM_H
#define POPD_CORE_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

/* Bucket i has the values of at most 2^i that no bucket before it has; the last has all that are
 * larger. */
enum { HISTOGRAM_BUCKETS = 24 };

struct histogram {
	_Atomic uint64_t counts[HISTOGRAM_BUCKETS];
	_Atomic uint64_t sum;
};

/* The same as plain values. */
struct histogram_view {
	uint64_t counts[HISTOGRAM_BUCKETS];
	uint64_t sum;
};

/* The writer's. */
void histogram_add(struct histogram *h, uint64_t value) NONNULL;

/* Adds what has been counted so far to `out`. The sum may be of a few values more or fewer than the
 * counts. */
void histogram_read(const struct histogram *h, struct histogram_view *out) NONNULL;

uint64_t histogram_count(const struct histogram_view *v) NONNULL;
/* The largest value that bucket `i` may have; UINT64_MAX: any. */
uint64_t histogram_bound(size_t i);
/* The bound of the bucket that the value lies in which `permille` of 1000 do not exceed; 0: there
 * are none. */
uint64_t histogram_quantile(const struct histogram_view *v, unsigned permille) NONNULL;

#endif
