/* 8 lanes with AVX2 instructions. */
#include "lib/sha1_lanes.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "lib/sha1_rounds.h"

#define TARGET __attribute__((target("avx2")))
typedef __m256i V;

#define ADD(x, y) _mm256_add_epi32(x, y)
#define ROL(x, n) _mm256_or_si256(_mm256_slli_epi32(x, n), _mm256_srli_epi32(x, 32 - (n)))
#define XOR2(x, y) _mm256_xor_si256(x, y)
#define XOR4(x, y, z, w) XOR2(XOR2(x, y), XOR2(z, w))
#define CHOOSE(b, c, d) XOR2(d, _mm256_and_si256(b, XOR2(c, d)))
#define PARITY(b, c, d) XOR2(XOR2(b, c), d)
#define MAJORITY(b, c, d) \
	_mm256_or_si256(_mm256_and_si256(b, c), _mm256_and_si256(d, _mm256_or_si256(b, c)))
#define SET1(x) _mm256_set1_epi32((int)(x))

/* Rows of 8 words become columns. */
TARGET static inline void transpose(V r[8])
{
	V t[8];

	for (int i = 0; i < 8; i += 2) {
		t[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
		t[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
	}
	for (int i = 0; i < 8; i += 4) {
		r[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
		r[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
		r[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
		r[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
	}
	for (int i = 0; i < 4; i++) {
		t[i] = _mm256_permute2x128_si256(r[i], r[i + 4], 0x20);
		t[i + 4] = _mm256_permute2x128_si256(r[i], r[i + 4], 0x31);
	}
	for (int i = 0; i < 8; i++)
		r[i] = t[i];
}

/* Half a block (8 words) of every lane, zeros for an idle one. Returns a mask of the busy lanes. */
TARGET static inline V load_half(const struct sha1_lane *lanes, uint32_t n, unsigned half, V w[8])
{
	const V swap = _mm256_broadcastsi128_si256(
		_mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
	uint32_t busy[8];

	for (int l = 0; l < 8; l++) {
		busy[l] = n < lanes[l].blocks ? UINT32_MAX : 0;
		w[l] = _mm256_setzero_si256();
		if (busy[l])
			w[l] = _mm256_shuffle_epi8(
				_mm256_loadu_si256(
					(const __m256i *)(const void *)(sha1_lane_block(&lanes[l],
											n) +
									32 * half)),
				swap);
	}
	transpose(w);
	return _mm256_loadu_si256((const __m256i *)(const void *)busy);
}

TARGET void sha1_avx2(const struct sha1_lane lanes[static 8], uint32_t state[static SHA1_WORDS][16])
{
	static const uint32_t h0[SHA1_WORDS] = SHA1_H0;
	V h[SHA1_WORDS];
	uint32_t blocks = 0;

	for (int i = 0; i < SHA1_WORDS; i++)
		h[i] = SET1(h0[i]);
	for (int l = 0; l < 8; l++)
		blocks = lanes[l].blocks > blocks ? lanes[l].blocks : blocks;
	for (uint32_t n = 0; n < blocks; n++) {
		V W[16];
		load_half(lanes, n, 0, W);
		V busy = load_half(lanes, n, 1, W + 8);
		V a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
		SHA1_EIGHTY();
		h[0] = ADD(h[0], _mm256_and_si256(busy, a));
		h[1] = ADD(h[1], _mm256_and_si256(busy, b));
		h[2] = ADD(h[2], _mm256_and_si256(busy, c));
		h[3] = ADD(h[3], _mm256_and_si256(busy, d));
		h[4] = ADD(h[4], _mm256_and_si256(busy, e));
	}
	for (int i = 0; i < SHA1_WORDS; i++)
		_mm256_storeu_si256((__m256i *)(void *)state[i], h[i]);
}

#endif
