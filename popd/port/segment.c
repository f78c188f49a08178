#include "popd/port/segment.h"

#include <string.h>

#include "lib/wire/be.h"
#include "lib/wire/csum.h"
#include "lib/wire/ipv6.h"
#include "lib/wire/transport.h"

bool segments_begin(struct segments *s, const uint8_t *data, size_t len, size_t transport, bool tcp,
		    size_t size)
{
	size_t min = tcp ? TCP_HEADER : UDP_HEADER;

	if (transport < IPV6_HEADER || transport > len || len - transport < min || size == 0)
		return false;
	size_t header = tcp ? (size_t)(data[transport + TCP_AT_OFFSET] >> 4) * 4 : UDP_HEADER;
	if (header < min || header > len - transport)
		return false;
	*s = (struct segments){ .data = data,
				.transport = transport,
				.header = transport + header,
				.payload = len - transport - header,
				.size = size,
				.tcp = tcp };
	return true;
}

uint16_t segment_partial_checksum(const uint8_t *data, size_t upper, uint8_t next)
{
	uint8_t rest[8];

	be32_store(rest, (uint32_t)upper);
	be32_store(rest + 4, next);
	return (uint16_t)~csum_fold(
		csum_add(csum_add(0, data + IPV6_AT_SOURCE, 32), rest, sizeof(rest)));
}

bool segments_begin_coalesced(struct segments *s, const uint8_t *data, size_t len)
{
	if (len < IPV6_HEADER + UDP_HEADER || data[0] >> 4 != 6 ||
	    be16_load(data + IPV6_AT_LENGTH) != len - IPV6_HEADER)
		return false;
	struct ipv6_upper upper = ipv6_upper(data, (uint32_t)len);
	bool tcp = upper.next == IPV6_NEXT_TCP;
	if ((!tcp && upper.next != IPV6_NEXT_UDP) || upper.is_fragment ||
	    !segments_begin(s, data, len, upper.offset, tcp, 1))
		return false;
	const uint8_t *transport = data + upper.offset;
	size_t transport_len = len - upper.offset;
	if (be16_load(transport + (tcp ? TCP_AT_CHECK : UDP_AT_CHECK)) !=
	    segment_partial_checksum(data, transport_len, upper.next))
		return false;
	if (csum_upper(data, upper.next, transport, transport_len) == 0)
		return false; /* the right checksum of all of it happens to be that of the header */
	s->size = tcp && s->header < SEGMENT_COALESCED - 8 ? SEGMENT_COALESCED - s->header
							   : s->payload;
	if (s->size == 0)
		s->size = 1; /* no payload: one segment that is all header */
	return true;
}

size_t segments_largest(const struct segments *s)
{
	return s->header + (s->payload < s->size ? s->payload : s->size);
}

struct gso segments_as_gso(const struct segments *s)
{
	struct gso none = { 0, 0 };

	if (!s->tcp || s->transport != IPV6_HEADER || s->payload <= s->size ||
	    (s->data[s->transport + TCP_AT_FLAGS] & TCP_CWR))
		return none;
	return (struct gso){ .size = (uint16_t)s->size, .header = (uint16_t)s->header };
}

static void set_tcp(const struct segments *s, uint8_t *tcp)
{
	be32_store(tcp + TCP_AT_SEQUENCE, be32_load(tcp + TCP_AT_SEQUENCE) + (uint32_t)s->at);
	if (!s->done)
		tcp[TCP_AT_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (s->at > 0)
		tcp[TCP_AT_FLAGS] &= (uint8_t)~TCP_CWR; /* RFC 3168 6.1.2: on one segment only */
}

size_t segments_next(struct segments *s, uint8_t *out, size_t capacity)
{
	size_t size = s->payload - s->at < s->size ? s->payload - s->at : s->size;
	size_t len = s->header + size;

	if (s->done || len > capacity)
		return 0;
	s->done = s->at + size == s->payload;
	memcpy(out, s->data, s->header);
	memcpy(out + s->header, s->data + s->header + s->at, size);
	be16_store(out + IPV6_AT_LENGTH, (uint16_t)(len - IPV6_HEADER));
	uint8_t *transport = out + s->transport;
	size_t upper = len - s->transport;
	if (s->tcp)
		set_tcp(s, transport);
	else
		be16_store(transport + UDP_AT_LENGTH, (uint16_t)upper);
	uint8_t *check = transport + (s->tcp ? TCP_AT_CHECK : UDP_AT_CHECK);
	be16_store(check, 0);
	uint16_t sum = csum_upper(out, s->tcp ? IPV6_NEXT_TCP : IPV6_NEXT_UDP, transport, upper);
	/* RFC 8200 8.1: a UDP checksum of zero is sent as ffff */
	be16_store(check, sum == 0 && !s->tcp ? 0xffff : sum);
	s->at += size;
	return len;
}
