#include "popd/wire/csum.h"

#include <string.h>

#include "popd/wire/be.h"
#include "popd/wire/ipv6.h"

/*
 * Ones'-complement sums do not care about byte order but for one swap at the end (RFC 1071 2 B): words are added as the
 * machine loads them, 32 bits into a 64-bit sum whose carries cannot be lost in fewer than 2^32 additions.
 */
uint64_t csum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t other = 0, v[2];
	uint32_t word;
	uint16_t half;

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
