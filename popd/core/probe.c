#include "popd/core/probe.h"

#include <string.h>

#include "lib/wire/csum.h"
#include "lib/wire/icmp6.h"

/*
 * The data of the ICMPv6 echo request (identifier and sequence are the caller's):
 *  0 time of sending, microseconds     8 tunnel id     12 identifier, sequence
 * 16 check value over bytes 0 to 15
 */
enum { AT_TIME = 0, AT_TUNNEL = 8, AT_ECHO = 12, AT_CHECK = 16, DATA = 24 };
_Static_assert(PROBE_LEN == IPV6_HEADER + ICMP6_HEADER + DATA, "the header gives the length");

/* ---- SipHash-2-4 (Aumasson and Bernstein) of AT_CHECK bytes ---- */

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void rounds(uint64_t v[static 4], unsigned n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static void absorb(uint64_t v[static 4], uint64_t word)
{
	v[3] ^= word;
	rounds(v, 2);
	v[0] ^= word;
}

static uint64_t check_value(const uint8_t key[static 16], const uint8_t data[static AT_CHECK])
{
	uint64_t k[2], words[AT_CHECK / 8];

	memcpy(k, key, sizeof(k));
	memcpy(words, data, sizeof(words));
	uint64_t v[4] = { k[0] ^ UINT64_C(0x736f6d6570736575), k[1] ^ UINT64_C(0x646f72616e646f6d),
			  k[0] ^ UINT64_C(0x6c7967656e657261),
			  k[1] ^ UINT64_C(0x7465646279746573) };
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		absorb(v, words[i]);
	absorb(v, UINT64_C(16) << 56); /* the length, and no bytes left over */
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- the probe ---- */

void probe_build(uint8_t out[static PROBE_LEN], const struct tunnel_conf *c,
		 const uint8_t key[static 16], uint16_t id, uint16_t sequence, int64_t mono_us)
{
	struct ip6 from = tunnel_pop(c), to = tunnel_client(c);
	uint8_t *icmp = out + IPV6_HEADER, *data = icmp + ICMP6_HEADER;

	ipv6_write(out, ICMP6_HEADER + DATA, IPV6_NEXT_ICMP, IPV6_HOPS, &from, &to);
	memset(icmp, 0, ICMP6_HEADER);
	icmp[0] = ICMP6_ECHO_REQUEST;
	be16_store(icmp + 4, id);
	be16_store(icmp + 6, sequence);
	be64_store(data + AT_TIME, (uint64_t)mono_us);
	be32_store(data + AT_TUNNEL, c->id);
	memcpy(data + AT_ECHO, icmp + 4, 4);
	be64_store(data + AT_CHECK, check_value(key, data));
	be16_store(icmp + ICMP6_AT_CSUM,
		   csum_upper(out, IPV6_NEXT_ICMP, icmp, PROBE_LEN - IPV6_HEADER));
}

bool probe_is_answer(const uint8_t *echo, size_t len, const struct tunnel_conf *c,
		     const uint8_t key[static 16], int64_t mono_us, uint32_t *rtt_us,
		     uint32_t *number)
{
	const uint8_t *data = echo + ICMP6_HEADER;

	if (len != ICMP6_HEADER + DATA || be32_load(data + AT_TUNNEL) != c->id ||
	    memcmp(data + AT_ECHO, echo + 4, 4) != 0 ||
	    be64_load(data + AT_CHECK) != check_value(key, data))
		return false;
	/* Negative when the worker that receives read its clock before the one that sent. */
	int64_t age = mono_us - (int64_t)be64_load(data + AT_TIME);
	if (age > PROBE_LIFE_US)
		return false;
	*rtt_us = age > 0 ? (uint32_t)age : 1;
	*number = be16_load(echo + 6) | UINT32_C(1) << 16;
	return true;
}

bool probe_is_new(struct tunnel *t, uint32_t number)
{
	uint32_t last = atomic_load_explicit(&t->probe, memory_order_relaxed);

	while (last == 0 || (int16_t)(uint16_t)(number - last) > 0)
		if (atomic_compare_exchange_weak_explicit(
			    &t->probe, &last, number, memory_order_relaxed, memory_order_relaxed))
			return true;
	return false;
}
