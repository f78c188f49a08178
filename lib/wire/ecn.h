/* Explicit congestion notification across a tunnel (RFC 6040, normal mode). Pure. */
#ifndef LIB_WIRE_ECN_H
#define LIB_WIRE_ECN_H

#include <stdint.h>

enum ecn { ECN_NOT_ECT = 0, ECN_ECT1 = 1, ECN_ECT0 = 2, ECN_CE = 3, ECN_MASK = 3 };

/* Leaving the tunnel (RFC 6040 4.2, figure 4): the new inner field of a packet whose outer field
 * was `outer`; -1: the packet must be dropped. */
static inline int ecn_decapsulate(unsigned outer, unsigned inner)
{
	static const int8_t new_inner[4][4] = {
		/* [inner][outer]:    Not-ECT      ECT(1)       ECT(0)       CE */
		[ECN_NOT_ECT] = { ECN_NOT_ECT, ECN_NOT_ECT, ECN_NOT_ECT, -1 },
		[ECN_ECT1] = { ECN_ECT1, ECN_ECT1, ECN_ECT1, ECN_CE },
		[ECN_ECT0] = { ECN_ECT0, ECN_ECT1, ECN_ECT0, ECN_CE },
		[ECN_CE] = { ECN_CE, ECN_CE, ECN_CE, ECN_CE },
	};
	return new_inner[inner & ECN_MASK][outer & ECN_MASK];
}

/* Entering the tunnel (RFC 6040 4.1): the outer field. */
static inline unsigned ecn_encapsulate(unsigned inner)
{
	return inner & ECN_MASK;
}

#endif
