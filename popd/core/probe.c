#include "popd/core/probe.h"

#include <string.h>

#include "lib/siphash.h"
#include "lib/wire/csum.h"
#include "lib/wire/icmp6.h"

/*
 * The data of the ICMPv6 echo request (identifier and sequence are the caller's):
 *  0 time of sending, microseconds     8 tunnel id     12 identifier, sequence
 * 16 check value over bytes 0 to 15
 */
enum { AT_TIME = 0, AT_TUNNEL = 8, AT_ECHO = 12, AT_CHECK = 16, DATA = 24 };
_Static_assert(PROBE_LEN == IPV6_HEADER + ICMP6_HEADER + DATA, "the header gives the length");

static uint64_t check_value(const uint8_t key[static 16], const uint8_t data[static AT_CHECK])
{
	uint64_t words[AT_CHECK / 8];

	memcpy(words, data, sizeof(words));
	return siphash(key, words, ARRAY_LEN(words));
}

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
