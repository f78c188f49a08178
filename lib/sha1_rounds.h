/*
 * The 80 steps of RFC 3174 6.1 method 1 on vectors, for the engines with one message in each lane.
 * The includer defines V (the vector), ADD, XOR4, ROL(v, n), CHOOSE, PARITY, MAJORITY and SET1, and
 * has the schedule W[16] and the variables a..e. Macros, since the two vector widths share no
 * types.
 */
#ifndef LIB_SHA1_ROUNDS_H
#define LIB_SHA1_ROUNDS_H

#define SHA1_WORD(i)                                                             \
	((i) < 16 ? W[(i)&15]                                                    \
		  : (W[(i)&15] = ROL(XOR4(W[((i) + 13) & 15], W[((i) + 8) & 15], \
					  W[((i) + 2) & 15], W[(i)&15]),         \
				     1)))

/* Instead of moving the values, each step renames them; after five steps all have their first name again. */
#define SHA1_STEP(i, F, k, a, b, c, d, e)                                          \
	do {                                                                       \
		e = ADD(ADD(ADD(e, SHA1_WORD(i)), ADD(k, F(b, c, d))), ROL(a, 5)); \
		b = ROL(b, 30);                                                    \
	} while (0)

#define SHA1_FIVE(i, F, k)                               \
	do {                                             \
		SHA1_STEP((i) + 0, F, k, a, b, c, d, e); \
		SHA1_STEP((i) + 1, F, k, e, a, b, c, d); \
		SHA1_STEP((i) + 2, F, k, d, e, a, b, c); \
		SHA1_STEP((i) + 3, F, k, c, d, e, a, b); \
		SHA1_STEP((i) + 4, F, k, b, c, d, e, a); \
	} while (0)

#define SHA1_TWENTY(i, F, k)               \
	do {                               \
		SHA1_FIVE((i) + 0, F, k);  \
		SHA1_FIVE((i) + 5, F, k);  \
		SHA1_FIVE((i) + 10, F, k); \
		SHA1_FIVE((i) + 15, F, k); \
	} while (0)

#define SHA1_EIGHTY()                                     \
	do {                                              \
		SHA1_TWENTY(0, CHOOSE, SET1(SHA1_K0));    \
		SHA1_TWENTY(20, PARITY, SET1(SHA1_K1));   \
		SHA1_TWENTY(40, MAJORITY, SET1(SHA1_K2)); \
		SHA1_TWENTY(60, PARITY, SET1(SHA1_K3));   \
	} while (0)

#endif
