#include "lib/wire/csum.h"

#include <stdbool.h>
#include <string.h>

#include "lib/wire/be.h"
#include "lib/wire/ipv6.h"

#if defined(__x86_64__)
/* 64 bytes at a time. Each 64-bit lane adds the halves of its bytes separately, so that no carry is
 * lost. `len` is a multiple of 64. */
__attribute__((target("avx2"))) static uint64_t add_wide(const uint8_t *p, size_t len)
{
	typedef uint64_t lanes __attribute__((vector_size(32)));
	const lanes low = { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff };
	lanes a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 }, v, w;

	for (; len > 0; p += 64, len -= 64) {
		memcpy(&v, p, sizeof(v));
		memcpy(&w, p + 32, sizeof(w));
		a += v & low;
		b += v >> 32;
		c += w & low;
		d += w >> 32;
	}
	a += b + c + d;
	return a[0] + a[1] + a[2] + a[3];
}

static bool can_add_wide(void)
{
	return __builtin_cpu_supports("avx2");
}
#else
static uint64_t add_wide(const uint8_t *p, size_t len)
{
	(void)p;
	(void)len;
	return 0;
}

static bool can_add_wide(void)
{
	return false;
}
#endif

/*
 * A ones'-complement sum needs one swap of bytes at the end only (RFC 1071 2 B), so bytes are added
 * as the machine loads them: 32 bits at a time to a 64-bit sum, which loses no carry in fewer than
 * 2^32 additions.
 */
uint64_t csum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t other = 0, v[2];
	uint32_t word;
	uint16_t half;

	if (len >= 128 && can_add_wide()) {
		size_t wide = len & ~(size_t)63;
		sum += add_wide(p, wide);
		p += wide;
		len -= wide;
	}
	for (; len >= 16; p += 16, len -= 16) {
		memcpy(v, p, sizeof(v));
		sum += (v[0] & 0xffffffff) + (v[0] >> 32);
		other += (v[1] & 0xffffffff) + (v[1] >> 32);
	}
	sum += other;
	for (; len >= 4; p += 4, len -= 4) {
		memcpy(&word, p, sizeof(word));
		sum += word;
	}
	if (len >= 2) {
		memcpy(&half, p, sizeof(half));
		sum += half;
		p += 2;
		len -= 2;
	}
	return len ? sum + *p : sum;
}

uint16_t csum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return __builtin_bswap16((uint16_t)~sum);
}

uint16_t csum_upper(const uint8_t *header, uint8_t next, const uint8_t *upper, size_t len)
{
	uint8_t rest[8];

	be32_store(rest, (uint32_t)len);
	be32_store(rest + 4, next);
	uint64_t sum = csum_add(0, header + IPV6_AT_SOURCE, 32);
	return csum_fold(csum_add(csum_add(sum, rest, sizeof(rest)), upper, len));
}

uint16_t csum_update(uint16_t csum, uint16_t old, uint16_t new)
{
	uint32_t sum = (uint16_t)~csum + (uint32_t)(uint16_t)~old + new;

	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}
