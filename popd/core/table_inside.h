/* struct table, for table.c (the control thread's functions) and lookup.c (the workers') only. */
#ifndef POPD_CORE_TABLE_INSIDE_H
#define POPD_CORE_TABLE_INSIDE_H

#include "popd/core/grace.h"
#include "popd/core/prefixes.h"
#include "popd/core/table.h"

struct table {
	struct prefixes prefixes;
	struct tunnel *tunnels; /* by slot */
	bool borrows_tunnels;   /* `tunnels` is the caller's memory */
	_Atomic(const struct pop_conf *) pop;
	struct grace grace;
	struct gone gone;
	/* control thread */
	struct pop_conf no_pop; /* without prefixes; published at first */
	size_t capacity;
	size_t high;      /* number of slots that were ever used */
	size_t count;     /* of tunnels */
	size_t conf_size; /* bytes of all configurations */
	uint32_t *free_slots;
	size_t free_count;
	uint32_t *ids; /* open-addressing hash from T-id to slot + 1; 0: empty */
	size_t ids_size;
	void (*on_free)(void *arg, uint32_t slot);
	void *on_free_arg;
	void (*on_prefix)(void *arg, const struct table_prefix *p, enum table_prefix_change change);
	void *on_prefix_arg;
};

static inline const struct tunnel_conf *tunnel_conf_now(const struct tunnel *t)
{
	return atomic_load(&t->conf);
}

/* The place of prefix `bits`/`len` in `c`: 0 for the tunnel's own /64, n for route n - 1; -1: `c`
 * does not have it. The routes must be sorted. */
int conf_place(const struct tunnel_conf *c, struct prefix_bits bits, unsigned len) NONNULL;
/* The order in which routes are sorted. */
int conf_compare(const struct prefix6 *a, struct prefix_bits bits, unsigned len) NONNULL;

/* The tunnel that has exactly this prefix; NULL: none has. */
const struct tunnel *lookup_exact(const struct table *t, const struct prefix6 *p) NONNULL;

#endif
