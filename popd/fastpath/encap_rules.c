#include "popd/fastpath/encap_rules.h"

#include "popd/core/prefixes.h"

_Static_assert((int)ENCAP41_OWN >= (int)TABLE_POP_PREFIXES, "every prefix of the PoP has a place");
_Static_assert((int)ENCAP41_LENGTHS == (int)PREFIXES_LENGTHS, "every prefix length has a place");

bool encap_rules_count(struct encap_rules_lengths *l, uint8_t len, enum table_prefix_change change)
{
	switch (change) {
	case PREFIX_ADDED:
		return l->count[len]++ == 0;
	case PREFIX_REMOVED:
		return --l->count[len] == 0;
	case PREFIX_CHANGED:
		break;
	}
	return false;
}

static struct encap41_bits bits_of(struct prefix_bits b)
{
	return (struct encap41_bits){ b.high, b.low };
}

static struct encap41_bits mask_of(unsigned len)
{
	return bits_of(prefix_bits_cut((struct prefix_bits){ ~UINT64_C(0), ~UINT64_C(0) }, len));
}

static struct encap41_bits cut(const struct prefix6 *p)
{
	return bits_of(prefix_bits_cut(prefix_bits_of(&p->addr), p->len));
}

void encap_rules_build(struct encap_rules *out, const struct encap_rules_lengths *l,
		       const struct pop_conf *pop)
{
	uint32_t n = 0;

	for (size_t i = 0; i < pop->prefix_count; i++) {
		out->own[i].value = cut(&pop->prefixes[i]);
		out->own[i].mask = mask_of(pop->prefixes[i].len);
	}
	out->own_count = (uint32_t)pop->prefix_count;
	for (uint32_t len = ENCAP41_LENGTHS; len-- > 0;)
		if (l->count[len] > 0)
			out->lengths[n++] = (struct encap41_length){ mask_of(len), len, 0 };
	out->length_count = n;
}

struct encap41_key encap_rules_key(const struct prefix6 *p)
{
	struct encap41_bits bits = cut(p);

	return (struct encap41_key){ bits.high, bits.low, p->len, 0 };
}

struct encap41_place encap_rules_place(const struct table_prefix *p)
{
	return (struct encap41_place){ p->slot | (p->is_net ? ENCAP41_NET : 0), p->id };
}
