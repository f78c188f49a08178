/*
 * What the fast path in the kernel (encap41.h) must know besides the tunnels: which prefix lengths
 * are in use and which prefixes are the PoP's, in its own format. Pure.
 */
#ifndef POPD_FASTPATH_ENCAP_RULES_H
#define POPD_FASTPATH_ENCAP_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/table.h"
#include "popd/fastpath/encap41.h"

/* The number of prefixes of each length. */
struct encap_rules_lengths {
	uint32_t count[ENCAP41_LENGTHS];
};

/* Counts a change of a prefix of length `len`. True: the lengths in use have changed. */
bool encap_rules_count(struct encap_rules_lengths *l, uint8_t len, enum table_prefix_change change)
	NONNULL;

struct encap_rules {
	uint32_t own_count, length_count;
	struct encap41_own own[ENCAP41_OWN];
	struct encap41_length lengths[ENCAP41_LENGTHS];
};

/* Builds the rules of the PoP's prefixes and of the prefix lengths of its tunnels. */
void encap_rules_build(struct encap_rules *out, const struct encap_rules_lengths *l,
		       const struct pop_conf *pop) NONNULL;

/* The key and the value of a tunnel's prefix in the program's map. */
struct encap41_key encap_rules_key(const struct prefix6 *p) NONNULL;
struct encap41_place encap_rules_place(const struct table_prefix *p) NONNULL;

#endif
