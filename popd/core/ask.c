#include "popd/core/ask.h"

#include <string.h>

#include "lib/siphash.h"
#include "lib/wire/csum.h"
#include "lib/wire/icmp6.h"

/*
 * The data of the ICMPv6 echo request:
 *  0 time of the first request, microseconds     8 check value
 */
enum { AT_TIME = 0, AT_CHECK = 8, DATA = 16 };
_Static_assert(ASK_LEN == IPV6_HEADER + ICMP6_HEADER + DATA, "the header gives the length");

/* What tells these check values from a probe's, which has the same key. */
static const uint64_t domain = UINT64_C(0x61736b2d61646472); /* "ask-addr" */

static const int64_t delays_us[ASK_TIMES] = { 0, 1000000, 3000000 };

static uint64_t place_of(uint64_t endpoint)
{
	return endpoint >> 16; /* without flags */
}

static uint64_t check_value(const uint8_t key[static 16], const struct tunnel_conf *c,
			    uint64_t endpoint, uint64_t time)
{
	const uint64_t words[] = { domain, c->id, place_of(endpoint), time };

	return siphash(key, words, ARRAY_LEN(words));
}

void ask_build(uint8_t out[static ASK_LEN], const struct ask *a, const struct tunnel_conf *c,
	       const uint8_t key[static 16], uint16_t id)
{
	struct ip6 from = tunnel_pop(c), to = tunnel_client(c);
	uint8_t *icmp = out + IPV6_HEADER, *data = icmp + ICMP6_HEADER;
	uint64_t time = (uint64_t)a->asked_us;

	ipv6_write(out, ICMP6_HEADER + DATA, IPV6_NEXT_ICMP, IPV6_HOPS, &from, &to);
	memset(icmp, 0, ICMP6_HEADER);
	icmp[0] = ICMP6_ECHO_REQUEST;
	be16_store(icmp + 4, id);
	be16_store(icmp + 6, a->number);
	be64_store(data + AT_TIME, time);
	be64_store(data + AT_CHECK, check_value(key, c, a->endpoint, time));
	be16_store(icmp + ICMP6_AT_CSUM,
		   csum_upper(out, IPV6_NEXT_ICMP, icmp, ASK_LEN - IPV6_HEADER));
}

/* An age below 0: the worker that receives read its clock before the one that sent. */
bool ask_is_answer(const uint8_t *echo, size_t len, const struct tunnel_conf *c,
		   const uint8_t key[static 16], uint64_t endpoint, int64_t mono_us)
{
	const uint8_t *data = echo + ICMP6_HEADER;

	if (len != ICMP6_HEADER + DATA)
		return false;
	uint64_t time = be64_load(data + AT_TIME);
	return be64_load(data + AT_CHECK) == check_value(key, c, endpoint, time) &&
	       mono_us - (int64_t)time <= ASK_LIFE_US;
}

bool ask_is_answer_packet(const uint8_t *packet, size_t len, const struct tunnel_conf *c,
			  const uint8_t key[static 16], uint64_t endpoint, int64_t mono_us)
{
	const uint8_t *icmp = packet + IPV6_HEADER;

	if (len != ASK_LEN || packet[IPV6_AT_NEXT] != IPV6_NEXT_ICMP || icmp[0] != ICMP6_ECHO_REPLY)
		return false;
	struct ip6 source = ipv6_source(packet), destination = ipv6_destination(packet);
	struct ip6 client = tunnel_client(c), pop = tunnel_pop(c);
	return ip6_equal(&source, &client) && ip6_equal(&destination, &pop) &&
	       ask_is_answer(icmp, len - IPV6_HEADER, c, key, endpoint, mono_us);
}

int64_t ask_time_of_answer(const uint8_t *packet)
{
	return (int64_t)be64_load(packet + IPV6_HEADER + ICMP6_HEADER + AT_TIME);
}

/* ---- the list ---- */

static const struct ask *at(const struct asks *l, uint64_t number)
{
	return &l->list[number % ASK_LIST];
}

/* The number of the oldest that the list still has. */
static uint64_t oldest(const struct asks *l)
{
	return l->added > ASK_LIST ? l->added - ASK_LIST : 0;
}

void asks_add(struct asks *l, const struct ask *a)
{
	l->list[l->added++ % ASK_LIST] = *a;
	for (size_t turn = 0; turn < ASK_TIMES; turn++)
		if (l->next[turn] < oldest(l))
			l->next[turn] = oldest(l);
}

const struct ask *asks_find(const struct asks *l, const struct tunnel *t, uint64_t endpoint,
			    int64_t mono_us)
{
	for (uint64_t i = l->added; i-- > oldest(l) && mono_us - at(l, i)->asked_us < ASK_LIFE_US;)
		if (at(l, i)->tunnel == t && place_of(at(l, i)->endpoint) == place_of(endpoint))
			return at(l, i);
	return NULL;
}

static int64_t due_us(const struct asks *l, size_t turn)
{
	return l->next[turn] < l->added ? at(l, l->next[turn])->asked_us + delays_us[turn]
					: INT64_MAX;
}

bool asks_take_due(struct asks *l, int64_t mono_us, struct ask *out)
{
	for (uint16_t turn = 0; turn < ASK_TIMES; turn++) {
		if (due_us(l, turn) > mono_us)
			continue;
		*out = *at(l, l->next[turn]++);
		out->number = turn;
		return true;
	}
	return false;
}

int64_t asks_due_us(const struct asks *l)
{
	int64_t first = INT64_MAX;

	for (size_t turn = 0; turn < ASK_TIMES; turn++)
		if (due_us(l, turn) < first)
			first = due_us(l, turn);
	return first;
}
