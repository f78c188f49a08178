#include "popd/io/coalesced.h"

#include <string.h>

#include "popd/wire/be.h"
#include "popd/wire/csum.h"
#include "popd/wire/ipv6.h"

enum {
	TCP_HEADER = 20,
	TCP_SEQUENCE = 4,
	TCP_OFFSET = 12,
	TCP_FLAGS = 13,
	TCP_CHECK = 16,
	UDP_HEADER = 8,
	UDP_CHECK = 6,
	FLAG_FIN = 0x01,
	FLAG_PSH = 0x08,
	FLAG_CWR = 0x80,
};

/* Length of the transport header; 0: there is none. */
static size_t transport_header(const uint8_t *p, size_t len, bool tcp)
{
	if (!tcp)
		return len < UDP_HEADER ? 0 : UDP_HEADER;
	size_t size = len < TCP_HEADER ? 0 : (size_t)(p[TCP_OFFSET] >> 4) * 4;
	return size < TCP_HEADER || size > len ? 0 : size;
}

/* What the checksum field holds when only the pseudo-header has been summed up (RFC 8200 8.1). */
static uint16_t partial_checksum(const uint8_t *packet, uint8_t next, size_t len)
{
	uint8_t tail[8];

	be32_store(tail, (uint32_t)len);
	be32_store(tail + 4, next);
	uint64_t sum = csum_add(0, packet + IPV6_AT_SOURCE, 32);
	return (uint16_t)~csum_fold(csum_add(sum, tail, sizeof(tail)));
}

bool coalesced_begin(struct coalesced *c, const uint8_t *data, size_t len)
{
	if (len < IPV6_HEADER || data[0] >> 4 != 6 || (size_t)be16_load(data + IPV6_AT_LENGTH) + IPV6_HEADER != len)
		return false;
	struct ipv6_upper upper = ipv6_upper(data, (uint32_t)len);
	bool tcp = upper.next == IPV6_NEXT_TCP;
	if (upper.is_fragment || (!tcp && upper.next != IPV6_NEXT_UDP))
		return false;
	const uint8_t *transport = data + upper.offset;
	size_t left = len - upper.offset, size = transport_header(transport, left, tcp);
	if (size == 0)
		return false;
	if (be16_load(transport + (tcp ? TCP_CHECK : UDP_CHECK)) != partial_checksum(data, upper.next, left))
		return false;
	if (csum_upper(data, upper.next, transport, left) == 0)
		return false; /* by chance the right checksum looks like a partial one */
	*c = (struct coalesced){
		.data = data,
		.transport = upper.offset,
		.header = upper.offset + size,
		.payload = left - size,
		.tcp = tcp,
	};
	c->step = tcp && c->header < COALESCED_SEGMENT - 8 ? COALESCED_SEGMENT - c->header : c->payload;
	return true;
}

static void set_tcp(const struct coalesced *c, uint8_t *tcp)
{
	be32_store(tcp + TCP_SEQUENCE, be32_load(tcp + TCP_SEQUENCE) + (uint32_t)c->at);
	if (!c->done)
		tcp[TCP_FLAGS] &= (uint8_t) ~(FLAG_FIN | FLAG_PSH);
	if (c->at > 0)
		tcp[TCP_FLAGS] &= (uint8_t)~FLAG_CWR; /* RFC 3168 6.1.2: told once */
}

size_t coalesced_next(struct coalesced *c, uint8_t *out, size_t room)
{
	size_t take = c->payload - c->at < c->step ? c->payload - c->at : c->step;
	size_t len = c->header + take;
	uint8_t *transport = out + c->transport, *check = transport + (c->tcp ? TCP_CHECK : UDP_CHECK);

	if (c->done || len > room)
		return 0;
	c->done = c->at + take == c->payload;
	memcpy(out, c->data, c->header);
	memcpy(out + c->header, c->data + c->header + c->at, take);
	be16_store(out + IPV6_AT_LENGTH, (uint16_t)(len - IPV6_HEADER));
	if (c->tcp)
		set_tcp(c, transport);
	be16_store(check, 0);
	uint16_t value = csum_upper(out, c->tcp ? IPV6_NEXT_TCP : IPV6_NEXT_UDP, transport, len - c->transport);
	be16_store(check, value == 0 && !c->tcp ? 0xffff : value); /* RFC 8200 8.1: UDP's zero goes as ffff */
	c->at += take;
	return len;
}
