/* Big-endian fields and the Internet checksum, for the bench's packets. */
#ifndef BENCH_BYTES_H
#define BENCH_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static inline uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

/* The one's complement sum of `len` bytes added to `sum`, folded to 16 bits (RFC 1071). */
static inline uint32_t add_sum(uint32_t sum, const uint8_t *p, size_t len)
{
	uint64_t all = sum;

	for (size_t i = 0; i + 1 < len; i += 2)
		all += get16(p + i);
	if (len % 2)
		all += (uint64_t)p[len - 1] << 8;
	while (all >> 16)
		all = (all & 0xffff) + (all >> 16);
	return (uint32_t)all;
}

/* The pseudo-header's sum of an IPv6 packet (RFC 8200 8.1). */
static inline uint32_t add_pseudo6(const uint8_t *ipv6, uint32_t upper_len, uint8_t proto)
{
	uint8_t tail[8] = { 0 };

	put32(tail, upper_len);
	tail[7] = proto;
	return add_sum(add_sum(0, ipv6 + 8, 32), tail, sizeof(tail));
}

/* The same of an IPv4 packet. */
static inline uint32_t add_pseudo4(const uint8_t *ipv4, uint32_t upper_len, uint8_t proto)
{
	uint8_t tail[4] = { 0, proto };

	put16(tail + 2, upper_len);
	return add_sum(add_sum(0, ipv4 + 12, 8), tail, sizeof(tail));
}

#endif
