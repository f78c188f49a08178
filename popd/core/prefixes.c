#include "popd/core/prefixes.h"

#include <stdlib.h>

#include "lib/err.h"
#include "lib/pages.h"

enum { SIZE_MIN = 1024 };

static struct prefix_array *array_create(size_t size)
{
	struct prefix_array *a = pages_alloc(1, sizeof(*a) + size * sizeof(a->words[0]));

	if (a)
		a->mask = size - 1;
	return a;
}

static void array_release(void *owner, void *what)
{
	struct prefix_array *a = what;

	(void)owner;
	if (a)
		pages_free(a, 1, sizeof(*a) + (a->mask + 1) * sizeof(a->words[0]));
}

static void lengths_release(void *owner, void *what)
{
	(void)owner;
	free(what);
}

int prefixes_init(struct prefixes *p, struct grace *grace, const uint8_t seed[static 16],
		  struct prefix6 (*prefix_of)(const void *arg, uint32_t slot, uint32_t place),
		  const void *arg)
{
	static const uint64_t odd[4] = { UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xc2b2ae3d27d4eb4f),
					 UINT64_C(0x165667b19e3779f9),
					 UINT64_C(0x27d4eb2f165667c5) };
	uint64_t half[2];

	*p = (struct prefixes){ .grace = grace, .prefix_of = prefix_of, .arg = arg };
	memcpy(half, seed, sizeof(half));
	/* Whatever the seed: no key is zero, which would make a product zero, and no two are equal.
	 */
	for (size_t i = 0; i < ARRAY_LEN(p->key); i++)
		p->key[i] = prefixes_mix(half[i % 2] ^ odd[i], half[1 - i % 2] ^ odd[3 - i]) |
			    UINT64_C(1) << (8 + i);
	struct prefix_lengths *lengths = calloc(1, sizeof(*lengths));
	struct prefix_array *array = array_create(SIZE_MIN);
	if (!lengths || !array) {
		free(lengths);
		array_release(NULL, array);
		return -ERR_NOMEM;
	}
	atomic_init(&p->lengths, lengths);
	atomic_init(&p->array, array);
	return 0;
}

void prefixes_free(struct prefixes *p)
{
	free(atomic_load(&p->lengths));
	array_release(NULL, atomic_load(&p->array));
}

static uint64_t hash_of(const struct prefixes *p, const struct prefix6 *prefix)
{
	return prefixes_hash(p, prefix_bits_of(&prefix->addr), prefix->len);
}

static uint64_t word_of(uint64_t hash, uint32_t slot, uint32_t place)
{
	return hash >> PREFIX_TAG_SHIFT << PREFIX_TAG_SHIFT |
	       (uint64_t)place << PREFIX_PLACE_SHIFT | (slot + 1);
}

static void array_put(struct prefix_array *a, uint64_t hash, uint64_t word)
{
	uint64_t i = hash & a->mask;

	while (atomic_load_explicit(&a->words[i], memory_order_relaxed) != 0)
		i = (i + 1) & a->mask;
	atomic_store_explicit(&a->words[i], word, memory_order_relaxed);
}

/* Publishes a new array with space for `n` more words, at most half full, without deleted ones. */
static int rebuild(struct prefixes *p, size_t n)
{
	struct prefix_array *old = atomic_load(&p->array);
	size_t size = SIZE_MIN;

	while (size / 2 < p->count + n)
		size *= 2;
	struct prefix_array *new = array_create(size);
	if (!new)
		return -ERR_NOMEM;
	for (uint64_t i = 0; i <= old->mask; i++) {
		uint64_t word = atomic_load_explicit(&old->words[i], memory_order_relaxed);
		if ((word & 0xfffffff) == 0)
			continue;
		struct prefix6 prefix = p->prefix_of(p->arg, prefix_word_slot(word),
						     prefix_word_place(word));
		array_put(new, hash_of(p, &prefix), word);
	}
	p->used = p->count;
	atomic_store(&p->array, new);
	grace_retire(p->grace, array_release, NULL, old);
	return 0;
}

int prefixes_reserve(struct prefixes *p, size_t n)
{
	/* At most 7/10 full, deleted words included: a search for a missing prefix then reads one
	 * cache line, seldom two. */
	return (p->used + n) * 10 > (atomic_load(&p->array)->mask + 1) * 7 ? rebuild(p, n) : 0;
}

/* Publishes the list of the lengths that by_length counts. */
static int publish_lengths(struct prefixes *p)
{
	struct prefix_lengths *old = atomic_load(&p->lengths), *new = calloc(1, sizeof(*new));

	if (!new)
		return -ERR_NOMEM;
	for (unsigned len = PREFIXES_LENGTHS; len-- > 0;)
		if (p->by_length[len] > 0)
			new->len[new->count++] = (uint8_t)len;
	atomic_store(&p->lengths, new);
	grace_retire(p->grace, lengths_release, NULL, old);
	return 0;
}

static bool is_listed(const struct prefixes *p, uint8_t len)
{
	const struct prefix_lengths *lengths = atomic_load(&p->lengths);

	return memchr(lengths->len, len, lengths->count) != NULL;
}

int prefixes_add(struct prefixes *p, const struct prefix_place *new)
{
	uint64_t hash = hash_of(p, &new->prefix);

	p->by_length[new->prefix.len]++;
	if (!is_listed(p, new->prefix.len) && publish_lengths(p) != 0) {
		p->by_length[new->prefix.len]--;
		return -ERR_NOMEM;
	}
	array_put(atomic_load(&p->array), hash, word_of(hash, new->slot, new->place));
	p->used++;
	p->count++;
	return 0;
}

/* The word of this prefix at this place. NULL: there is none. */
static _Atomic uint64_t *find(const struct prefixes *p, const struct prefix_place *which)
{
	struct prefix_array *a = atomic_load(&p->array);
	uint64_t hash = hash_of(p, &which->prefix), word = word_of(hash, which->slot, which->place);

	for (uint64_t i = hash & a->mask;; i = (i + 1) & a->mask) {
		uint64_t here = atomic_load_explicit(&a->words[i], memory_order_relaxed);
		if (here == word || here == 0)
			return here == 0 ? NULL : &a->words[i];
	}
}

void prefixes_remove(struct prefixes *p, const struct prefix_place *old)
{
	_Atomic uint64_t *word = find(p, old);

	if (!word)
		return;
	atomic_store_explicit(word, PREFIX_GONE, memory_order_relaxed);
	p->count--;
	/* Without memory the longer list stays; it is correct and costs each lookup a little. */
	if (--p->by_length[old->prefix.len] == 0)
		(void)publish_lengths(p);
}

void prefixes_move(struct prefixes *p, const struct prefix_place *old, uint32_t place)
{
	_Atomic uint64_t *word = find(p, old);

	if (word)
		atomic_store_explicit(word, word_of(hash_of(p, &old->prefix), old->slot, place),
				      memory_order_relaxed);
}

size_t prefixes_memory(const struct prefixes *p)
{
	return sizeof(struct prefix_lengths) +
	       (atomic_load(&p->array)->mask + 1) * sizeof(uint64_t);
}
