#include "lib/wire/ecn.h"

static const int8_t inner_after[4][4] = {
	/* [inner][outer]:    Not-ECT      ECT(1)       ECT(0)       CE */
	[ECN_NOT_ECT] = { ECN_NOT_ECT, ECN_NOT_ECT, ECN_NOT_ECT, -1 },
	[ECN_ECT1] = { ECN_ECT1, ECN_ECT1, ECN_ECT1, ECN_CE },
	[ECN_ECT0] = { ECN_ECT0, ECN_ECT1, ECN_ECT0, ECN_CE },
	[ECN_CE] = { ECN_CE, ECN_CE, ECN_CE, ECN_CE },
};

int ecn_decapsulate(unsigned outer, unsigned inner)
{
	return inner_after[inner & ECN_MASK][outer & ECN_MASK];
}
