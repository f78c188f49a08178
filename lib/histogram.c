#include "lib/histogram.h"

static size_t bucket_of(uint64_t value)
{
	size_t i = value <= 1 ? 0 : 64 - (size_t)__builtin_clzll(value - 1);

	return i < HISTOGRAM_BUCKETS ? i : HISTOGRAM_BUCKETS - 1;
}

/* There is one writer, so no read-modify-write instruction is needed. */
static void add(_Atomic uint64_t *to, uint64_t n)
{
	atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

void histogram_add(struct histogram *h, uint64_t value)
{
	add(&h->counts[bucket_of(value)], 1);
	add(&h->sum, value);
}

void histogram_read(const struct histogram *h, struct histogram_view *out)
{
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		out->counts[i] += atomic_load_explicit(&h->counts[i], memory_order_relaxed);
	out->sum += atomic_load_explicit(&h->sum, memory_order_relaxed);
}

uint64_t histogram_count(const struct histogram_view *v)
{
	uint64_t n = 0;

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		n += v->counts[i];
	return n;
}

uint64_t histogram_bound(size_t i)
{
	return i < HISTOGRAM_BUCKETS - 1 ? UINT64_C(1) << i : UINT64_MAX;
}

uint64_t histogram_quantile(const struct histogram_view *v, unsigned permille)
{
	uint64_t total = histogram_count(v), seen = 0;

	if (total == 0)
		return 0;
	/* the rank of the quantile, from 1, without overflow */
	uint64_t rank = total / 1000 * permille + (total % 1000 * permille + 999) / 1000;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += v->counts[i];
		if (seen > 0 && seen >= rank)
			return histogram_bound(i);
	}
	return UINT64_MAX;
}
