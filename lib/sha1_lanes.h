/* The interface of sha1_many.c to its engines: one call hashes the messages of all lanes of a
 * vector. */
#ifndef LIB_SHA1_LANES_H
#define LIB_SHA1_LANES_H

#include <stdint.h>

enum { SHA1_BLOCK = 64, SHA1_WORDS = 5, SHA1_LANES_MAX = 16 };

/* One lane's message: `full` whole blocks at `data`, then the padded end (one or two blocks) in
 * `tail`. */
struct sha1_lane {
	const uint8_t *data;
	uint32_t full;   /* blocks at data */
	uint32_t blocks; /* in all; 0: the lane is idle */
	uint8_t tail[2 * SHA1_BLOCK];
};

/* Initial value (RFC 3174 6.1) and constants (5). */
#define SHA1_H0                                                            \
	{                                                                  \
		0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 \
	}
#define SHA1_K0 0x5a827999
#define SHA1_K1 0x6ed9eba1
#define SHA1_K2 0x8f1bbcdc
#define SHA1_K3 0xca62c1d6

static inline const uint8_t *sha1_lane_block(const struct sha1_lane *l, uint32_t i)
{
	return i < l->full ? l->data + (uint64_t)i * SHA1_BLOCK
			   : l->tail + (uint64_t)(i - l->full) * SHA1_BLOCK;
}

/* `state`: [word][lane], the result. Lanes may be idle. Only for processors that have the
 * instructions. */
void sha1_avx512(const struct sha1_lane lanes[static 16], uint32_t state[static SHA1_WORDS][16]);
void sha1_avx2(const struct sha1_lane lanes[static 8], uint32_t state[static SHA1_WORDS][16]);
void sha1_ni(const struct sha1_lane lanes[static 2], uint32_t state[static SHA1_WORDS][16]);

#endif
