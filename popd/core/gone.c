#include "popd/core/gone.h"

#include <string.h>

static size_t row_of(struct ip4 addr)
{
	return addr.v * UINT32_C(2654435761) >> 22;
}
_Static_assert(GONE_ROWS == 1 << (32 - 22), "the hash names a row");

static uint64_t net_word(const struct ip6 *ip)
{
	uint64_t word;

	memcpy(&word, ip->b, sizeof(word));
	return word;
}

static uint64_t pack(struct ip4 addr, uint32_t now)
{
	return (uint64_t)addr.v << 32 | now;
}

/* The entry of this endpoint and net, else an empty one, else the oldest. */
static struct gone_entry *entry_for(struct gone *g, struct ip4 addr, uint64_t net)
{
	struct gone_entry *row = g->rows[row_of(addr)], *best = &row[0];

	for (size_t i = 0; i < GONE_ROW; i++) {
		uint64_t endpoint = atomic_load_explicit(&row[i].endpoint, memory_order_relaxed);
		uint64_t oldest = atomic_load_explicit(&best->endpoint, memory_order_relaxed);
		if (endpoint >> 32 == addr.v &&
		    atomic_load_explicit(&row[i].net, memory_order_relaxed) == net)
			return &row[i];
		if ((uint32_t)endpoint < (uint32_t)oldest)
			best = &row[i];
	}
	return best;
}

/* A reader that sees the same endpoint before and after has read the net that belongs to it. */
void gone_remember(struct gone *g, struct ip4 addr, const struct ip6 *net, uint32_t now)
{
	struct gone_entry *e = entry_for(g, addr, net_word(net));

	if (addr.v == 0)
		return;
	atomic_store(&e->endpoint, 0);
	atomic_store(&e->net, net_word(net));
	atomic_store(&e->endpoint, pack(addr, now));
}

bool gone_find(const struct gone *g, struct ip4 from, const struct ip6 *source, bool any,
	       uint32_t now, struct ip6 *net)
{
	const struct gone_entry *row = g->rows[row_of(from)];
	bool found = false;

	for (size_t i = 0; i < GONE_ROW; i++) {
		uint64_t endpoint = atomic_load(&row[i].endpoint);
		if (endpoint >> 32 != from.v || endpoint == 0 ||
		    now - (uint32_t)endpoint >= GONE_SECONDS)
			continue;
		uint64_t word = atomic_load(&row[i].net);
		bool is_its_own = word == net_word(source);
		if (atomic_load(&row[i].endpoint) != endpoint || (!is_its_own && (found || !any)))
			continue;
		*net = (struct ip6){ { 0 } };
		memcpy(net->b, &word, sizeof(word));
		if (is_its_own)
			return true;
		found = true;
	}
	return found;
}
