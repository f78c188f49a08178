/* Explicit congestion notification across a tunnel (RFC 6040): the two tables of normal mode, as
 * data. Pure. */
#ifndef LIB_WIRE_ECN_H
#define LIB_WIRE_ECN_H

#include <stdint.h>

enum ecn { ECN_NOT_ECT = 0, ECN_ECT1 = 1, ECN_ECT0 = 2, ECN_CE = 3, ECN_MASK = 3 };

/* Leaving the tunnel (RFC 6040 4.2, figure 4): the inner field after an outer one of `outer` was
 * taken off; -1: the packet must be dropped. */
int ecn_decapsulate(unsigned outer, unsigned inner);

/* Entering the tunnel (4.1, normal mode): the outer field. */
static inline unsigned ecn_encapsulate(unsigned inner)
{
	return inner & ECN_MASK;
}

#endif
