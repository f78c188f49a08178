/* The workers' functions of the table: from address to tunnel, for one or for many at once. */
#include "popd/core/table.h"

#include <stdlib.h>
#include <string.h>

#include "popd/core/table_inside.h"

int conf_compare(const struct prefix6 *a, struct prefix_bits bits, unsigned len)
{
	struct prefix_bits x = prefix_bits_of(&a->addr);

	if (a->len != len)
		return a->len < len ? -1 : 1;
	if (x.high != bits.high)
		return x.high < bits.high ? -1 : 1;
	return x.low == bits.low ? 0 : x.low < bits.low ? -1 : 1;
}

int conf_place(const struct tunnel_conf *c, struct prefix_bits bits, unsigned len)
{
	int low = 0, high = c->route_count;

	if (len == 64 && bits.high == prefix_bits_of(&c->net).high)
		return 0;
	while (low < high) {
		int middle = (low + high) / 2;
		int order = conf_compare(&c->routes[middle], bits, len);
		if (order == 0)
			return middle + 1;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

/* The word usually names the right place. If not, either only the tag agrees, or a change is being
 * published. */
static int place_of(const struct tunnel_conf *c, uint32_t place, struct prefix_bits bits,
		    unsigned len)
{
	if (place == 0 ? len == 64 && bits.high == prefix_bits_of(&c->net).high
		       : place <= c->route_count &&
				 conf_compare(&c->routes[place - 1], bits, len) == 0)
		return (int)place;
	return conf_place(c, bits, len);
}

/* Follows a word to its tunnel. False: the tunnel does not have this prefix. */
static bool follow(const struct table *t, uint64_t word, struct prefix_bits cut, unsigned len,
		   struct route *out)
{
	struct tunnel *tunnel = &t->tunnels[prefix_word_slot(word)];
	const struct tunnel_conf *c = tunnel_conf_now(tunnel);
	int place = c ? place_of(c, prefix_word_place(word), cut, len) : -1;

	if (place < 0)
		return false;
	*out = (struct route){ place == 0 ? ROUTE_TUNNEL_NET : ROUTE_SUBNET, tunnel, c };
	return true;
}

/* The first word at or after `*at` whose tag agrees; 0: none. Moves `*at` past it. */
static inline uint64_t next_word(const struct prefix_array *a, uint64_t hash, uint64_t *at)
{
	uint64_t word;

	do {
		word = atomic_load_explicit(&a->words[*at & a->mask], memory_order_relaxed);
		++*at;
	} while (word != 0 && !prefix_word_matches(word, hash));
	return word;
}

static bool find(const struct table *t, struct prefix_bits cut, unsigned len, struct route *out)
{
	const struct prefix_array *a = atomic_load(&t->prefixes.array);
	uint64_t hash = prefixes_hash(&t->prefixes, cut, len), at = hash, word;

	while ((word = next_word(a, hash, &at)) != 0)
		if (follow(t, word, cut, len, out))
			return true;
	return false;
}

const struct tunnel *lookup_exact(const struct table *t, const struct prefix6 *p)
{
	struct route r;

	return find(t, prefix_bits_of(&p->addr), p->len, &r) ? r.tunnel : NULL;
}

struct route table_lookup(const struct table *t, const struct ip6 *ip)
{
	const struct prefix_lengths *lengths = atomic_load(&t->prefixes.lengths);
	struct prefix_bits bits = prefix_bits_of(ip);
	struct route r = { .kind = ROUTE_NONE };

	for (unsigned i = 0; i < lengths->count; i++)
		if (find(t, prefix_bits_cut(bits, lengths->len[i]), lengths->len[i], &r))
			break;
	return r;
}

/* ---- many at once ---- */

enum { LOOKUP_BATCH = 64 };

/* The first word, longest prefix first, whose tag agrees with `ip`; 0: none, so there is no route.
 */
static uint64_t first_word(const struct table *t, const struct prefix_array *a,
			   const struct prefix_lengths *lengths, const struct ip6 *ip,
			   unsigned *len)
{
	struct prefix_bits bits = prefix_bits_of(ip);

	for (unsigned i = 0; i < lengths->count; i++) {
		uint64_t hash = prefixes_hash(&t->prefixes, prefix_bits_cut(bits, lengths->len[i]),
					      lengths->len[i]),
			 at = hash;
		uint64_t word = next_word(a, hash, &at);
		if (word != 0) {
			*len = lengths->len[i];
			return word;
		}
	}
	return 0;
}

/* Four passes. Each prefetches what the next one reads: words, tunnels, configurations. */
static void lookup_some(const struct table *t, const struct ip6 *const *ip, size_t n,
			struct route *out)
{
	const struct prefix_lengths *lengths = atomic_load(&t->prefixes.lengths);
	const struct prefix_array *a = atomic_load(&t->prefixes.array);
	uint64_t words[LOOKUP_BATCH];
	unsigned lens[LOOKUP_BATCH];

	for (size_t i = 0; i < n; i++) {
		if (!ip[i])
			continue;
		struct prefix_bits bits = prefix_bits_of(ip[i]);
		for (unsigned l = 0; l < lengths->count; l++)
			__builtin_prefetch(
				&a->words[prefixes_hash(&t->prefixes,
							prefix_bits_cut(bits, lengths->len[l]),
							lengths->len[l]) &
					  a->mask]);
	}
	for (size_t i = 0; i < n; i++) {
		words[i] = ip[i] ? first_word(t, a, lengths, ip[i], &lens[i]) : 0;
		if (words[i] != 0)
			__builtin_prefetch(&t->tunnels[prefix_word_slot(words[i])]);
	}
	for (size_t i = 0; i < n; i++) {
		const struct tunnel_conf *c =
			words[i] ? tunnel_conf_now(&t->tunnels[prefix_word_slot(words[i])]) : NULL;
		if (c) {
			__builtin_prefetch(c);
			__builtin_prefetch((const uint8_t *)c + 64);
			__builtin_prefetch((const uint8_t *)c + 128);
		}
	}
	for (size_t i = 0; i < n; i++) {
		out[i] = (struct route){ .kind = ROUTE_NONE };
		if (words[i] != 0 &&
		    !follow(t, words[i], prefix_bits_cut(prefix_bits_of(ip[i]), lens[i]), lens[i],
			    &out[i]))
			out[i] = table_lookup(t, ip[i]);
	}
}

void table_lookup_batch(const struct table *t, const struct ip6 *const *ip, size_t n,
			struct route *out)
{
	for (size_t i = 0; i < n; i += LOOKUP_BATCH)
		lookup_some(t, ip + i, n - i < LOOKUP_BATCH ? n - i : LOOKUP_BATCH, out + i);
}

/* ---- the PoP; entering and leaving ---- */

void table_worker_enter(struct table *t, unsigned worker)
{
	grace_enter(&t->grace, worker);
}

void table_worker_leave(struct table *t, unsigned worker)
{
	grace_leave(&t->grace, worker);
}

const struct pop_conf *table_pop(const struct table *t)
{
	return atomic_load(&t->pop);
}

static bool covers(const struct prefix6 *p, struct prefix_bits bits)
{
	return prefix_bits_equal(prefix_bits_cut(bits, p->len), prefix_bits_of(&p->addr));
}

static int compare_peers(const void *a, const void *b)
{
	const struct ip4 *x = a, *y = b;

	return (x->v > y->v) - (x->v < y->v);
}

void pop_set_peers(struct pop_conf *pop, const struct ip4 *peers, size_t n)
{
	memset(pop->peer_filter, 0, sizeof(pop->peer_filter));
	pop->peer_count = n;
	for (size_t i = 0; i < n; i++) {
		uint32_t hash = pop_peer_hash(peers[i]);
		pop->peers[i] = peers[i];
		pop->peer_filter[hash / 64] |= UINT64_C(1) << hash % 64;
	}
	if (n > 0)
		qsort(pop->peers, n, sizeof(pop->peers[0]), compare_peers);
}

bool pop_search_peers(const struct pop_conf *pop, struct ip4 ip)
{
	return pop->peer_count > 0 && bsearch(&ip, pop->peers, pop->peer_count,
					      sizeof(pop->peers[0]), compare_peers) != NULL;
}

bool pop_owns(const struct pop_conf *pop, const struct ip6 *ip)
{
	struct prefix_bits bits = prefix_bits_of(ip);

	for (size_t i = 0; i < pop->prefix_count; i++)
		if (covers(&pop->prefixes[i], bits))
			return true;
	return false;
}

bool pop_is(const struct pop_conf *pop, const struct ip6 *ip)
{
	struct prefix_bits bits = prefix_bits_of(ip);

	if ((bits.high & 0xffff) == 0xffff && bits.low == 1)
		for (size_t i = 0; i < pop->tunnel_prefix_count; i++)
			if (covers(&pop->prefixes[i], bits))
				return true;
	return ip6_equal(ip, &pop->own);
}
