/*
 * What the fast path in the kernel (popd/fastpath/encap41.h) must know besides the tunnels: which
 * prefix lengths are in use and which prefixes are the PoP's, in the form it reads them in. Pure.
 */
#ifndef POPD_FASTPATH_ENCAP_RULES_H
#define POPD_FASTPATH_ENCAP_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/table.h"
#include "popd/fastpath/encap41.h"

/* How many prefixes of each length there are. */
struct encap_lengths {
	uint32_t count[ENCAP41_LENGTHS];
};

/* A prefix of that length has changed; true: the list of lengths in use is another one now. */
bool encap_lengths_note(struct encap_lengths *l, uint8_t len, enum table_prefix_change change)
	NONNULL;

struct encap_rules {
	uint32_t own_count, length_count;
	struct encap41_own own[ENCAP41_OWN];
	struct encap41_length lengths[ENCAP41_LENGTHS];
};

/* Fills `out` from both; `pop` NULL: the PoP has no prefixes. */
void encap_rules_build(struct encap_rules *out, const struct encap_lengths *l,
		       const struct pop_conf *pop) NONNULL_ARGS(1, 2);

/* How a prefix is looked up, and what is found. */
struct encap41_key encap_key(const struct prefix6 *p) NONNULL;
struct encap41_place encap_place(const struct table_prefix *p) NONNULL;

#endif
