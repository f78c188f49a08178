/*
 * The bench's made-up world, which the snapshot writer, the packet generator and the tunnel client
 * must agree on: who tunnel `i` (0..) is, and the addresses of the three machines. bench.py sets
 * the machines up so.
 *
 *   gen 198.18.0.2 ──g0──p0── 198.18.0.1 pop 2001:db8:fff0::1 ──p1──s0── 2001:db8:fff0::2 sink
 *
 * The clients live behind gen in 198.19.0.0/16, so many of them as are wanted; they are never a
 * kernel's own addresses.
 */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
	/* /64s of tunnels in each /48; their routed /64s are the upper half */
	PLAN_TUNNELS_A_PREFIX = 32768,
	PLAN_FIRST_PREFIX = 0x1000, /* 2001:db8:1000::/48 and on */
	PLAN_SECRET = 32,
	PLAN_AYIYA_PORT = 5072,
	PLAN_AYIYA_MTU = 1428,
	PLAN_PROTO41_MTU = 1280,
};

#define PLAN_POP_NAME "bench01"
static const uint32_t plan_pop_ipv4 = 0xc6120001; /* 198.18.0.1 */

/* Ethernet addresses of the devices, all 02:00:00:00:00:xx. What is sent to NOBODY is counted by
 * the device it reaches and dropped there at once. */
enum plan_mac { PLAN_MAC_P0 = 1, PLAN_MAC_P1, PLAN_MAC_G0, PLAN_MAC_S0, PLAN_MAC_NOBODY };

static inline void plan_mac(enum plan_mac which, uint8_t out[static 6])
{
	memcpy(out, (const uint8_t[6]){ 2, 0, 0, 0, 0, (uint8_t)which }, 6);
}

/* 2001:db8:fff0::dead, a host on the sink's link that exists only as a neighbour entry. */
static inline void plan_host(uint8_t out[static 16])
{
	memcpy(out,
	       (const uint8_t[16]){ 0x20, 0x01, 0x0d, 0xb8, 0xff, 0xf0, [14] = 0xde, [15] = 0xad },
	       16);
}

/* An address in the tunnel's /64. */
static inline void plan_address(uint32_t i, uint8_t last, uint8_t out[static 16])
{
	uint32_t prefix = PLAN_FIRST_PREFIX + i / PLAN_TUNNELS_A_PREFIX,
		 number = i % PLAN_TUNNELS_A_PREFIX;

	memcpy(out,
	       (const uint8_t[16]){ 0x20, 0x01, 0x0d, 0xb8, (uint8_t)(prefix >> 8), (uint8_t)prefix,
				    (uint8_t)(number >> 8), (uint8_t)number, [15] = last },
	       16);
}

/* The tunnel that an address made by plan_address is of. */
static inline uint32_t plan_tunnel_of(const uint8_t address[static 16])
{
	uint32_t prefix = (uint32_t)address[4] << 8 | address[5],
		 number = (uint32_t)address[6] << 8 | address[7];

	return (prefix - PLAN_FIRST_PREFIX) * PLAN_TUNNELS_A_PREFIX +
	       number % PLAN_TUNNELS_A_PREFIX;
}

static inline uint32_t plan_client_ipv4(uint32_t i)
{
	return 0xc6130000 | (i & 0xffff); /* 198.19.x.y */
}

static inline uint16_t plan_client_port(uint32_t i)
{
	return (uint16_t)(10000 + (i >> 16));
}

static inline void plan_secret(uint32_t i, char out[static PLAN_SECRET + 1])
{
	snprintf(out, PLAN_SECRET + 1, "%08x%08x%08x%08x", i, i * 2654435761u, ~i, i ^ 0x5bd1e995u);
}

#endif
