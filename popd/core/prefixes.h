/*
 * The hash from prefix to tunnel slot, by which the table finds the longest prefix of an address.
 * Workers read it without locks while the control thread changes it. For each prefix it holds one
 * word that says where the prefix is: the slot of the tunnel and the place in its configuration,
 * with a tag of the hash. The caller compares the prefix found there with the one it looks for, and
 * skips a word whose tunnel no longer has it.
 *
 *   word:  63 .. 44 tag | 43 .. 28 place (0: the tunnel's own /64, n: route n - 1) | 27 .. 0 slot + 1
 *   0: empty   PREFIX_GONE: deleted
 *
 * Open addressing with linear probing, in a power-of-two array. A full array is replaced by a new
 * one; struct grace frees the old one. The prefix lengths in use are in a list, longest first.
 */
#ifndef POPD_CORE_PREFIXES_H
#define POPD_CORE_PREFIXES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/cc.h"
#include "lib/ip.h"
#include "popd/core/grace.h"

enum { PREFIXES_SLOTS_MAX = (1 << 28) - 2, PREFIXES_LENGTHS = 129 };

struct prefix_lengths {
	unsigned count;
	uint8_t len[PREFIXES_LENGTHS]; /* longest first */
};

struct prefix_array {
	uint64_t mask; /* size - 1 */
	_Atomic uint64_t words[];
};

struct prefixes {
	_Atomic(struct prefix_array *) array;
	_Atomic(struct prefix_lengths *) lengths;
	uint64_t key[4];
	struct grace *grace;
	/* control thread */
	struct prefix6 (*prefix_of)(const void *arg, uint32_t slot, uint32_t place);
	const void *arg;
	size_t used;  /* words that are not empty, deleted ones included */
	size_t count; /* words that are neither empty nor deleted */
	size_t by_length[PREFIXES_LENGTHS];
};

/* A prefix and where it is: the tunnel's slot and the place in its configuration. */
struct prefix_place {
	struct prefix6 prefix;
	uint32_t slot;
	uint32_t place;
};

/* `prefix_of` gives the prefix at a place, for a new array. 0 or -ERR_NOMEM. */
int prefixes_init(struct prefixes *p, struct grace *grace, const uint8_t seed[static 16],
		  struct prefix6 (*prefix_of)(const void *arg, uint32_t slot, uint32_t place),
		  const void *arg) NONNULL MUSTCHECK;
void prefixes_free(struct prefixes *p) NONNULL;

/* ---- control thread ---- */

/* Makes room for `n` more. Calls `prefix_of` for every word, so each must name the right place. 0
 * or -ERR_NOMEM. */
int prefixes_reserve(struct prefixes *p, size_t n) NONNULL MUSTCHECK;
/* Adds one, after prefixes_reserve. 0, or -ERR_NOMEM: no memory to list a length that is new. */
int prefixes_add(struct prefixes *p, const struct prefix_place *new) NONNULL MUSTCHECK;
void prefixes_remove(struct prefixes *p, const struct prefix_place *old) NONNULL;
/* Notes that the prefix is at another place of the tunnel's configuration now. */
void prefixes_move(struct prefixes *p, const struct prefix_place *old, uint32_t place) NONNULL;
size_t prefixes_memory(const struct prefixes *p) NONNULL; /* bytes */

/* ---- lookups ---- */

static inline uint64_t prefixes_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;
	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* The 128 bits of an address or prefix as two words in host order. */
struct prefix_bits {
	uint64_t high, low;
};

/* Clears all but the first `len` bits. */
static inline struct prefix_bits prefix_bits_cut(struct prefix_bits a, unsigned len)
{
	if (len <= 64)
		return (struct prefix_bits){ len ? a.high & ~UINT64_C(0) << (64 - len) : 0, 0 };
	return (struct prefix_bits){ a.high, a.low & ~UINT64_C(0) << (128 - len) };
}

static inline struct prefix_bits prefix_bits_of(const struct ip6 *ip)
{
	uint64_t w[2];
	memcpy(w, ip->b, sizeof(w));
	return (struct prefix_bits){ __builtin_bswap64(w[0]), __builtin_bswap64(w[1]) };
}

static inline bool prefix_bits_equal(struct prefix_bits a, struct prefix_bits b)
{
	return ((a.high ^ b.high) | (a.low ^ b.low)) == 0;
}

/* Keyed, so that nobody outside can choose prefixes or addresses that collide. */
static inline uint64_t prefixes_hash(const struct prefixes *p, struct prefix_bits cut, unsigned len)
{
	return prefixes_mix(prefixes_mix(cut.high ^ p->key[0], cut.low ^ p->key[1]) ^ p->key[2],
			    (uint64_t)len ^ p->key[3]);
}

enum { PREFIX_TAG_SHIFT = 44, PREFIX_PLACE_SHIFT = 28 };
/* slot + 1 is 0, as in no word of a prefix */
#define PREFIX_GONE (UINT64_C(0xffff) << PREFIX_PLACE_SHIFT)

static inline uint32_t prefix_word_slot(uint64_t word)
{
	return (uint32_t)(word & 0xfffffff) - 1;
}
static inline uint32_t prefix_word_place(uint64_t word)
{
	return (uint32_t)(word >> PREFIX_PLACE_SHIFT) & 0xffff;
}
static inline bool prefix_word_matches(uint64_t word, uint64_t hash)
{
	return (word ^ hash) >> PREFIX_TAG_SHIFT == 0 && (word & 0xfffffff) != 0;
}

#endif
