/*
 * 2 lanes with the processor's SHA-1 instructions: two streams side by side, since one alone waits
 * for its own results. Each instruction does four steps: sha1rnds4 with the number of the function,
 * sha1nexte for E, sha1msg1 and sha1msg2 for the schedule.
 */
#include "lib/sha1_lanes.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("sha,sse4.1,ssse3")))

struct stream {
	__m128i abcd, e; /* state; E in the top word */
	__m128i w[4];    /* the last 16 words of the schedule, four a register, first word on top */
};

TARGET static inline __m128i load(const uint8_t *p)
{
	const __m128i swap = _mm_set_epi64x(0x0001020304050607LL, 0x08090a0b0c0d0e0fLL);
	return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)p), swap);
}

/* Steps 4g..4g+3. `before`: abcd of four steps ago, from which E is computed; the first group has E
 * itself. */
#define GROUP(s, g, before)                                                                       \
	do {                                                                                      \
		__m128i now = (s)->abcd;                                                          \
		if ((g) >= 4)                                                                     \
			(s)->w[(g)&3] = _mm_sha1msg2_epu32(                                       \
				_mm_xor_si128(                                                    \
					_mm_sha1msg1_epu32((s)->w[(g)&3], (s)->w[((g) + 1) & 3]), \
					(s)->w[((g) + 2) & 3]),                                   \
				(s)->w[((g) + 3) & 3]);                                           \
		__m128i we = (g) == 0 ? _mm_add_epi32((s)->e, (s)->w[0])                          \
				      : _mm_sha1nexte_epu32(before, (s)->w[(g)&3]);               \
		(s)->abcd = _mm_sha1rnds4_epu32((s)->abcd, we, (g) / 5);                          \
		before = now;                                                                     \
	} while (0)

#define PAIR(g)                        \
	do {                           \
		GROUP(x, g, x_before); \
		GROUP(y, g, y_before); \
	} while (0)

/* One block of both streams. */
TARGET static inline void block(struct stream *x, struct stream *y, const uint8_t *px,
				const uint8_t *py)
{
	const __m128i x_abcd = x->abcd, x_e = x->e, y_abcd = y->abcd, y_e = y->e;
	__m128i x_before = x->abcd, y_before = y->abcd;

	for (int i = 0; i < 4; i++) {
		x->w[i] = load(px + 16 * i);
		y->w[i] = load(py + 16 * i);
	}
	PAIR(0);
	PAIR(1);
	PAIR(2);
	PAIR(3);
	PAIR(4);
	PAIR(5);
	PAIR(6);
	PAIR(7);
	PAIR(8);
	PAIR(9);
	PAIR(10);
	PAIR(11);
	PAIR(12);
	PAIR(13);
	PAIR(14);
	PAIR(15);
	PAIR(16);
	PAIR(17);
	PAIR(18);
	PAIR(19);
	x->e = _mm_sha1nexte_epu32(x_before, x_e);
	y->e = _mm_sha1nexte_epu32(y_before, y_e);
	x->abcd = _mm_add_epi32(x->abcd, x_abcd);
	y->abcd = _mm_add_epi32(y->abcd, y_abcd);
}

TARGET void sha1_ni(const struct sha1_lane lanes[static 2], uint32_t state[static SHA1_WORDS][16])
{
	static const uint32_t h0[SHA1_WORDS] = SHA1_H0;
	static const uint8_t idle[SHA1_BLOCK];
	struct stream s[2];
	uint32_t blocks = lanes[0].blocks > lanes[1].blocks ? lanes[0].blocks : lanes[1].blocks;

	for (int l = 0; l < 2; l++) {
		s[l].abcd = _mm_set_epi32((int)h0[0], (int)h0[1], (int)h0[2], (int)h0[3]);
		s[l].e = _mm_set_epi32((int)h0[4], 0, 0, 0);
	}
	for (uint32_t n = 0; n < blocks; n++) {
		struct stream kept[2] = { s[0], s[1] };
		const uint8_t *p[2];
		for (int l = 0; l < 2; l++)
			p[l] = n < lanes[l].blocks ? sha1_lane_block(&lanes[l], n) : idle;
		block(&s[0], &s[1], p[0], p[1]);
		for (int l = 0; l < 2; l++)
			if (n >= lanes[l].blocks)
				s[l] = kept[l];
	}
	for (int l = 0; l < 2; l++) {
		uint32_t words[4];
		_mm_storeu_si128((__m128i *)(void *)words, s[l].abcd);
		for (int i = 0; i < 4; i++)
			state[i][l] = words[3 - i];
		state[4][l] = (uint32_t)_mm_extract_epi32(s[l].e, 3);
	}
}

#endif
