/*
 * The codecs of what a PoP looks into besides AYIYA and beats: the outer IPv4 header, the inner
 * IPv6 one with all that may follow it, ICMPv6 and its answers, checksums, ECN. Nothing is read
 * beyond the end; what is decoded lies within; every answer is a whole packet with a right
 * checksum.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/wire/csum.h"
#include "lib/wire/ecn.h"
#include "lib/wire/icmp6.h"
#include "lib/wire/ipv4.h"
#include "lib/wire/ipv6.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PACKET_MAX = 1500, TAIL = 8 };

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* As RFC 1071 writes it down. */
static uint16_t plain_sum(const uint8_t *data, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint16_t plain_upper(const uint8_t *packet, const uint8_t *upper, size_t len, uint8_t next)
{
	uint16_t pseudo = (uint16_t)~plain_sum(packet + IPV6_AT_SOURCE, 32, (uint32_t)len + next);

	return plain_sum(upper, len, pseudo);
}

static void try_sums(const uint8_t *data, size_t size)
{
	size_t half = size / 4 * 2;
	uint16_t all = csum_fold(csum_add(0, data, size));

	require(all == plain_sum(data, size, 0));
	require(csum_fold(csum_add(csum_add(0, data, half), data + half, size - half)) == all);
	if (size >= 42)
		require(csum_upper(data, data[6], data + 40, size - 40) ==
			plain_upper(data, data + 40, size - 40, data[6]));
	if (size >= 4) { /* the same but for one word */
		uint8_t other[4] = { data[2], data[3], data[2], data[3] };
		uint16_t a = plain_sum(data, 4, 0), b = plain_sum(other, 4, 0);
		uint16_t updated = csum_update(a, be16_load(data), be16_load(data + 2));
		require(updated == b || (uint16_t)(updated ^ b) == 0xffff);
	}
}

static void try_ipv4(const uint8_t *data, size_t size)
{
	struct ipv4_view v;

	if (ipv4_decode(data, size, &v) != 0)
		return;
	require(data[0] >> 4 == 4 && v.offset >= IPV4_HEADER && v.offset <= size &&
		v.len <= size - v.offset);
	require(v.offset + v.len == be16_load(data + 2) && v.source.v == be32_load(data + 12));
	require(v.is_fragment == ((be16_load(data + 6) & 0x3fff) != 0));
}

static void check_answer(const uint8_t *packet, uint32_t len, const uint8_t *first,
			 const uint8_t *end)
{
	require(packet >= first && packet + len <= end && len >= IPV6_HEADER + ICMP6_HEADER);
	require(packet[0] >> 4 == 6 && be16_load(packet + IPV6_AT_LENGTH) == len - IPV6_HEADER);
	require(packet[IPV6_AT_NEXT] == IPV6_NEXT_ICMP);
}

static bool has_right_sum(const uint8_t *packet, uint32_t len)
{
	return plain_upper(packet, packet + IPV6_HEADER, len - IPV6_HEADER, IPV6_NEXT_ICMP) == 0;
}

/* An error about the packet, with as much of it as fits into 1280 bytes. */
static void try_error(const uint8_t *data, uint32_t total)
{
	static uint8_t room[ICMP6_ERROR_HEADROOM + PACKET_MAX];
	uint8_t *copy = room + sizeof(room) - total;
	struct ip6 source = { { 0x20, 1 } };
	struct icmp6_error e = { data[1], data[2], data[3] };
	uint32_t len;

	memcpy(copy, data, total);
	uint8_t *answer = icmp6_error_build(copy, total, e, &source, &len);
	check_answer(answer, len, room, room + sizeof(room));
	require(len <= IPV6_MIN_MTU && has_right_sum(answer, len));
	require(len == (total + ICMP6_ERROR_HEADROOM > IPV6_MIN_MTU
				? IPV6_MIN_MTU
				: total + ICMP6_ERROR_HEADROOM));
	require(memcmp(answer + ICMP6_ERROR_HEADROOM, data, len - ICMP6_ERROR_HEADROOM) == 0);
	require(memcmp(answer + IPV6_AT_DESTINATION, data + IPV6_AT_SOURCE, 16) == 0);
	require(!icmp6_may_answer(answer, len) || e.type >= ICMP6_INFORMATIONAL);
}

static void try_echo(const uint8_t *data, uint32_t total, const struct ipv6_upper *upper)
{
	static uint8_t room[PACKET_MAX];
	uint8_t *copy = room + sizeof(room) - total;
	bool was_right = plain_upper(data, data + upper->offset, total - upper->offset,
				     IPV6_NEXT_ICMP) == 0;
	uint32_t len;

	memcpy(copy, data, total);
	uint8_t *answer = icmp6_echo_build(copy, total, upper->offset, &len);
	check_answer(answer, len, copy, copy + total);
	require(len == IPV6_HEADER + total - upper->offset &&
		answer[IPV6_HEADER] == ICMP6_ECHO_REPLY);
	require(has_right_sum(answer, len) == was_right);
	require(memcmp(answer + IPV6_HEADER + 4, data + upper->offset + 4, len - IPV6_HEADER - 4) ==
		0);
}

static void try_solicitation(const uint8_t *data, uint32_t total, const struct ipv6_upper *upper)
{
	static uint8_t room[PACKET_MAX];
	uint8_t *copy = room + sizeof(room) - total;
	struct ip6 target = { { 0 } };
	uint32_t len;

	if (total >= upper->offset + ICMP6_NEIGHBOUR)
		target = ip6_load(data + upper->offset + ICMP6_AT_TARGET);
	if (!icmp6_is_solicitation(data, total, upper, &target))
		return;
	require(data[upper->offset] == ICMP6_SOLICITATION && data[IPV6_AT_HOPS] == 255);
	memcpy(copy, data, total);
	uint8_t *answer = icmp6_advertisement_build(copy, &target, &len);
	check_answer(answer, len, copy, copy + total);
	require(answer[IPV6_HEADER] == ICMP6_ADVERTISEMENT && answer[IPV6_AT_HOPS] == 255 &&
		has_right_sum(answer, len));
	require(memcmp(answer + IPV6_HEADER + ICMP6_AT_TARGET, target.b, 16) == 0);
}

static void try_ipv6(const uint8_t *data, size_t size)
{
	uint32_t total;

	if (ipv6_check(data, size, &total) != 0)
		return;
	require(data[0] >> 4 == 6 && total <= size &&
		total == (uint32_t)IPV6_HEADER + be16_load(data + IPV6_AT_LENGTH));
	struct ipv6_upper upper = ipv6_upper(data, total);
	require(upper.offset >= IPV6_HEADER && upper.offset <= total &&
		(!upper.is_later || upper.is_fragment));
	struct ip6 destination = ipv6_destination(data);
	require(ipv6_kind(&destination) <= IPV6_MULTICAST &&
		!ipv6_embeds(&destination, (struct ip4){ 0 }));
	(void)icmp6_may_answer(data, total);
	try_error(data, total);
	if (upper.next == IPV6_NEXT_ICMP && !upper.is_fragment &&
	    total - upper.offset >= ICMP6_HEADER)
		try_echo(data, total, &upper);
	try_solicitation(data, total, &upper);
}

/* The input as a packet, and again with a valid start and a right ICMPv6 checksum. */
static void try_repaired(const uint8_t *data, size_t size)
{
	static uint8_t room[PACKET_MAX];
	uint8_t *copy = room + sizeof(room) - size;

	memcpy(copy, data, size);
	copy[0] = (uint8_t)(0x60 | (copy[0] & 15));
	be16_store(copy + IPV6_AT_LENGTH, (uint16_t)(size - IPV6_HEADER));
	struct ipv6_upper upper = ipv6_upper(copy, (uint32_t)size);
	if (upper.next == IPV6_NEXT_ICMP && size - upper.offset >= ICMP6_HEADER) {
		be16_store(copy + upper.offset + ICMP6_AT_CSUM, 0);
		be16_store(
			copy + upper.offset + ICMP6_AT_CSUM,
			csum_upper(copy, IPV6_NEXT_ICMP, copy + upper.offset, size - upper.offset));
	}
	try_ipv6(copy, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > PACKET_MAX)
		return 0;
	try_sums(data, size);
	try_ipv4(data, size);
	try_ipv6(data, size);
	if (size >= IPV6_HEADER)
		try_repaired(data, size);
	if (size > 0) {
		int inner = ecn_decapsulate(data[0] & ECN_MASK, data[0] >> 2 & ECN_MASK);
		require(inner >= -1 && inner <= ECN_MASK && ecn_encapsulate(data[0]) <= ECN_MASK);
	}
	return 0;
}
