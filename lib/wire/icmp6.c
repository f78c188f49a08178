#include "lib/wire/icmp6.h"

#include "lib/wire/csum.h"

static bool is_one_host(enum ipv6_kind kind)
{
	return kind == IPV6_GLOBAL || kind == IPV6_LINK_LOCAL;
}

bool icmp6_may_answer(const uint8_t *packet, uint32_t total)
{
	struct ip6 source = ipv6_source(packet), destination = ipv6_destination(packet);
	enum ipv6_kind to = ipv6_kind(&destination);

	if (!is_one_host(ipv6_kind(&source)) || to == IPV6_MULTICAST || to == IPV6_MULTICAST_LINK)
		return false;
	struct ipv6_upper u = ipv6_upper(packet, total);
	if (u.next != IPV6_NEXT_ICMP)
		return true;
	if (u.is_later || u.offset >= total)
		return false;
	return packet[u.offset] >= ICMP6_INFORMATIONAL && packet[u.offset] != ICMP6_REDIRECT;
}

static void set_checksum(uint8_t *header, uint32_t total)
{
	uint8_t *icmp = header + IPV6_HEADER;

	be16_store(icmp + ICMP6_AT_CSUM, 0);
	be16_store(icmp + ICMP6_AT_CSUM,
		   csum_upper(header, IPV6_NEXT_ICMP, icmp, total - IPV6_HEADER));
}

uint8_t *icmp6_error_build(uint8_t *packet, uint32_t total, struct icmp6_error e,
			   const struct ip6 *source, uint32_t *len)
{
	uint8_t *out = packet - ICMP6_ERROR_HEADROOM, *icmp = out + IPV6_HEADER;
	struct ip6 to = ipv6_source(packet);
	uint32_t quoted = total <= IPV6_MIN_MTU - ICMP6_ERROR_HEADROOM
				  ? total
				  : IPV6_MIN_MTU - ICMP6_ERROR_HEADROOM;

	ipv6_write(out, ICMP6_HEADER + quoted, IPV6_NEXT_ICMP, IPV6_HOPS, source, &to);
	icmp[0] = e.type;
	icmp[1] = e.code;
	be32_store(icmp + 4, e.detail);
	*len = ICMP6_ERROR_HEADROOM + quoted;
	set_checksum(out, *len);
	return out;
}

/* The request's header, moved up to the upper layer, with its addresses swapped. */
static uint8_t *reply_header(uint8_t *packet, uint32_t upper, uint32_t payload, uint8_t hops)
{
	struct ip6 source = ipv6_source(packet), destination = ipv6_destination(packet);
	uint8_t class = ipv6_traffic_class(packet), *out = packet + upper - IPV6_HEADER;

	ipv6_write(out, payload, IPV6_NEXT_ICMP, hops, &destination, &source);
	ipv6_set_traffic_class(out, class & 0xfc);
	return out;
}

uint8_t *icmp6_echo_build(uint8_t *packet, uint32_t total, uint32_t upper, uint32_t *len)
{
	uint8_t *out = reply_header(packet, upper, total - upper, IPV6_HOPS),
		*icmp = out + IPV6_HEADER;
	uint16_t old = be16_load(icmp), csum = be16_load(icmp + ICMP6_AT_CSUM);

	/* The sum of the pseudo-header stays the same, so only the type changes the checksum. */
	icmp[0] = ICMP6_ECHO_REPLY;
	be16_store(icmp + ICMP6_AT_CSUM, csum_update(csum, old, be16_load(icmp)));
	*len = IPV6_HEADER + total - upper;
	return out;
}

/* No option of a neighbour message may have the length zero or more than is left (RFC 4861 4.6). */
static bool has_whole_options(const uint8_t *p, uint32_t left)
{
	while (left > 0) {
		uint32_t size = left >= 2 ? p[1] * 8u : 0;
		if (size == 0 || size > left)
			return false;
		p += size;
		left -= size;
	}
	return true;
}

bool icmp6_is_solicitation(const uint8_t *packet, uint32_t total, const struct ipv6_upper *upper,
			   const struct ip6 *target)
{
	const uint8_t *icmp = packet + upper->offset;
	struct ip6 source = ipv6_source(packet);

	return upper->offset == IPV6_HEADER && upper->next == IPV6_NEXT_ICMP &&
	       total - IPV6_HEADER >= ICMP6_NEIGHBOUR && icmp[0] == ICMP6_SOLICITATION &&
	       icmp[1] == 0 && packet[IPV6_AT_HOPS] == 255 &&
	       memcmp(icmp + ICMP6_AT_TARGET, target->b, sizeof(target->b)) == 0 &&
	       ipv6_kind(&source) == IPV6_GLOBAL &&
	       has_whole_options(icmp + ICMP6_NEIGHBOUR, total - IPV6_HEADER - ICMP6_NEIGHBOUR) &&
	       csum_upper(packet, IPV6_NEXT_ICMP, icmp, total - IPV6_HEADER) == 0;
}

uint8_t *icmp6_advertisement_build(uint8_t *packet, const struct ip6 *target, uint32_t *len)
{
	struct ip6 to = ipv6_source(packet);
	uint8_t *icmp = packet + IPV6_HEADER;

	ipv6_write(packet, ICMP6_NEIGHBOUR, IPV6_NEXT_ICMP, 255, target, &to);
	icmp[0] = ICMP6_ADVERTISEMENT;
	be32_store(icmp + 4, UINT32_C(3) << 30); /* router, solicited */
	*len = IPV6_HEADER + ICMP6_NEIGHBOUR;
	set_checksum(packet, *len);
	return packet;
}
