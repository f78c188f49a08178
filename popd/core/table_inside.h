/* The inside of struct table, shared by table.c (the control thread's side) and lookup.c (the
 * workers'). Nobody else includes it. */
#ifndef POPD_CORE_TABLE_INSIDE_H
#define POPD_CORE_TABLE_INSIDE_H

#include "popd/core/grace.h"
#include "popd/core/prefixes.h"
#include "popd/core/table.h"

struct table {
	struct prefixes prefixes;
	struct tunnel *tunnels; /* by slot */
	bool borrows_tunnels;   /* they are the caller's memory */
	_Atomic(const struct pop_conf *) pop;
	struct grace grace;
	/* control thread */
	struct pop_conf pops[2]; /* one published, one to write */
	size_t capacity;
	size_t high;      /* slots ever used */
	size_t count;     /* tunnels */
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

/* Where prefix `bits`/`len` stands in `c`: 0 for the tunnel's own /64, n for route n - 1; -1: it is
 * none of them. Routes are sorted (table_set). */
int conf_place(const struct tunnel_conf *c, struct prefix_bits bits, unsigned len) NONNULL;
/* The order routes are sorted by. */
int conf_compare(const struct prefix6 *a, struct prefix_bits bits, unsigned len) NONNULL;

/* The tunnel that has exactly this prefix; NULL: none. */
const struct tunnel *lookup_exact(const struct table *t, const struct prefix6 *p) NONNULL;

#endif
