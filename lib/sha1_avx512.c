/* 16 lanes with AVX-512 instructions, which has one for rotation (vprold) and one for any function
 * of three words (vpternlogd). */
#include "lib/sha1_lanes.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "lib/sha1_rounds.h"

#define TARGET __attribute__((target("avx512f,avx512bw")))
typedef __m512i V;

#define ADD(x, y) _mm512_add_epi32(x, y)
#define ROL(x, n) _mm512_rol_epi32(x, n)
#define XOR4(x, y, z, w) _mm512_xor_si512(_mm512_ternarylogic_epi32(x, y, z, 0x96), w)
#define CHOOSE(b, c, d) _mm512_ternarylogic_epi32(b, c, d, 0xca)
#define PARITY(b, c, d) _mm512_ternarylogic_epi32(b, c, d, 0x96)
#define MAJORITY(b, c, d) _mm512_ternarylogic_epi32(b, c, d, 0xe8)
#define SET1(x) _mm512_set1_epi32((int)(x))

/* Rows of 16 words become columns: first words, then pairs of words, then quarters of the register
 * change places. */
TARGET static inline void transpose(V r[16])
{
	V t[16];

	for (int i = 0; i < 16; i += 2) {
		t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
	}
	for (int i = 0; i < 16; i += 4) {
		r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
		r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
		r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
		r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
	}
	for (int i = 0; i < 4; i++) {
		t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
		t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
		t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
		t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
	}
	for (int i = 0; i < 4; i++) {
		r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
		r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
		r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
		r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
	}
}

TARGET void sha1_avx512(const struct sha1_lane lanes[static 16],
			uint32_t state[static SHA1_WORDS][16])
{
	static const uint32_t h0[SHA1_WORDS] = SHA1_H0;
	const V swap = _mm512_broadcast_i32x4(
		_mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
	V h[SHA1_WORDS];
	uint32_t blocks = 0;

	for (int i = 0; i < SHA1_WORDS; i++)
		h[i] = SET1(h0[i]);
	for (int l = 0; l < 16; l++)
		blocks = lanes[l].blocks > blocks ? lanes[l].blocks : blocks;
	for (uint32_t n = 0; n < blocks; n++) {
		__mmask16 busy = 0;
		V W[16];

		for (int l = 0; l < 16; l++) {
			int is_busy = n < lanes[l].blocks;
			busy |= (__mmask16)(is_busy << l);
			W[l] = is_busy ? _mm512_shuffle_epi8(
						 _mm512_loadu_si512(sha1_lane_block(&lanes[l], n)),
						 swap)
				       : _mm512_setzero_si512();
		}
		transpose(W);
		V a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
		SHA1_EIGHTY();
		h[0] = _mm512_mask_add_epi32(h[0], busy, h[0], a);
		h[1] = _mm512_mask_add_epi32(h[1], busy, h[1], b);
		h[2] = _mm512_mask_add_epi32(h[2], busy, h[2], c);
		h[3] = _mm512_mask_add_epi32(h[3], busy, h[3], d);
		h[4] = _mm512_mask_add_epi32(h[4], busy, h[4], e);
	}
	for (int i = 0; i < SHA1_WORDS; i++)
		_mm512_storeu_si512(state[i], h[i]);
}

#endif
