/*
 * Which messages go into which lanes. The longest message of a call decides its time, so messages
 * of similar length belong together: a batch of mixed lengths is sorted, and the traffic of a
 * tunnel mostly has one length. Messages too few for a wide engine go to a narrower one.
 */
#include "lib/sha1_many.h"

#include <string.h>

#include "lib/sha1_lanes.h"

const char *const sha1_engine_names[SHA1_ENGINE__COUNT + 1] = {
	[SHA1_AUTO] = "auto", [SHA1_OPENSSL] = "openssl", [SHA1_NI] = "sha-ni",
	[SHA1_AVX2] = "avx2", [SHA1_AVX512] = "avx512",
};

typedef void lanes_fn(const struct sha1_lane *lanes, uint32_t state[static SHA1_WORDS][16]);

#if defined(__x86_64__)
/* A call takes the same time with few messages as with many: from `min` messages on it is faster
 * than the narrower engines (measured). */
static const struct {
	lanes_fn *fn;
	unsigned lanes, min;
} engines[SHA1_ENGINE__COUNT] = {
	[SHA1_AVX2] = { sha1_avx2, 8, 7 },
	[SHA1_NI] = { sha1_ni, 2, 1 },
	[SHA1_AVX512] = { sha1_avx512, 16, 10 },
};

bool sha1_engine_is_usable(enum sha1_engine e)
{
	switch (e) {
	case SHA1_OPENSSL:
		return true;
	case SHA1_NI: {
		/* gcc 12 has no name for it: CPUID leaf 7, EBX bit 29 (Intel SDM 3A, CPUID). */
		unsigned eax = 7, ebx, ecx = 0, edx;
		__asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
		return (ebx >> 29 & 1) && __builtin_cpu_supports("sse4.1") &&
		       __builtin_cpu_supports("ssse3");
	}
	case SHA1_AVX2:
		return __builtin_cpu_supports("avx2");
	case SHA1_AVX512:
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
	default:
		return false;
	}
}
#else
static const struct {
	lanes_fn *fn;
	unsigned lanes, min;
} engines[SHA1_ENGINE__COUNT];

bool sha1_engine_is_usable(enum sha1_engine e)
{
	return e == SHA1_OPENSSL;
}
#endif

struct sha1_set sha1_set_choose(enum sha1_engine widest)
{
	struct sha1_set set = { .widest = SHA1_OPENSSL };

	for (enum sha1_engine e = SHA1_OPENSSL;
	     e < SHA1_ENGINE__COUNT && (widest == SHA1_AUTO || e <= widest); e++) {
		set.use[e] = sha1_engine_is_usable(e);
		if (set.use[e])
			set.widest = e;
	}
	return set;
}

static uint32_t block_count(uint32_t len)
{
	return (len + 8) / SHA1_BLOCK + 1;
}

static void put_be32(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, sizeof(v));
}

/* RFC 3174 4: a one bit, zeros, the length in bits. */
static void lane_fill(struct sha1_lane *l, const struct sha1_job *job)
{
	l->data = job->data;
	l->full = job->len / SHA1_BLOCK;
	l->blocks = block_count(job->len);
	size_t rest = job->len % SHA1_BLOCK, end = (size_t)(l->blocks - l->full) * SHA1_BLOCK;
	memcpy(l->tail, job->data + (size_t)l->full * SHA1_BLOCK, rest);
	l->tail[rest] = 0x80;
	memset(l->tail + rest + 1, 0, end - rest - 1);
	put_be32(l->tail + end - 8, job->len >> 29);
	put_be32(l->tail + end - 4, job->len << 3);
}

static void run_lanes(enum sha1_engine e, struct sha1_job *const *jobs, size_t n)
{
	struct sha1_lane lanes[SHA1_LANES_MAX];
	uint32_t state[SHA1_WORDS][16];

	for (size_t i = 0; i < engines[e].lanes; i++) {
		lanes[i].blocks = 0;
		if (i < n)
			lane_fill(&lanes[i], jobs[i]);
	}
	engines[e].fn(lanes, state);
	for (size_t i = 0; i < n; i++) {
		for (int w = 0; w < SHA1_WORDS; w++)
			put_be32(jobs[i]->out + 4 * w, state[w][i]);
		jobs[i]->done = true;
	}
}

/* Insertion sort by block count: fast for jobs that are in order already. */
static void sort_jobs(struct sha1_job **jobs, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct sha1_job *job = jobs[i];
		size_t at = i;
		for (; at > 0 && block_count(jobs[at - 1]->len) > block_count(job->len); at--)
			jobs[at] = jobs[at - 1];
		jobs[at] = job;
	}
}

void sha1_many(const struct sha1_set *set, struct digest_ctx *ctx, struct sha1_job *jobs, size_t n)
{
	struct sha1_job *order[SHA1_MANY_MAX];
	enum sha1_engine e = set->widest;
	size_t done = 0;

	for (size_t i = 0; i < n; i++)
		order[i] = &jobs[i];
	if (e > SHA1_OPENSSL)
		sort_jobs(order, n);
	while (done < n) {
		while (e > SHA1_OPENSSL && (!set->use[e] || engines[e].min > n - done))
			e--;
		if (e <= SHA1_OPENSSL)
			break;
		size_t take = n - done < engines[e].lanes ? n - done : engines[e].lanes;
		run_lanes(e, order + done, take);
		done += take;
	}
	for (; done < n; done++)
		order[done]->done = digest(ctx, DIGEST_SHA1, order[done]->data, order[done]->len,
					   order[done]->out);
}
