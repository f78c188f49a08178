#include "popd/port/segment.h"

#include <string.h>

#include "lib/wire/be.h"
#include "lib/wire/csum.h"
#include "lib/wire/ipv6.h"
#include "lib/wire/transport.h"

bool segments_begin(struct segments *s, const uint8_t *data, size_t len, size_t transport, bool tcp,
		    size_t step)
{
	size_t least = tcp ? TCP_HEADER : UDP_HEADER;

	if (transport < IPV6_HEADER || transport > len || len - transport < least || step == 0)
		return false;
	size_t size = tcp ? (size_t)(data[transport + TCP_AT_OFFSET] >> 4) * 4 : UDP_HEADER;
	if (size < least || size > len - transport)
		return false;
	*s = (struct segments){ .data = data,
				.transport = transport,
				.header = transport + size,
				.payload = len - transport - size,
				.step = step,
				.tcp = tcp };
	return true;
}

static void set_tcp(const struct segments *s, uint8_t *tcp)
{
	be32_store(tcp + TCP_AT_SEQUENCE, be32_load(tcp + TCP_AT_SEQUENCE) + (uint32_t)s->at);
	if (!s->done)
		tcp[TCP_AT_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (s->at > 0)
		tcp[TCP_AT_FLAGS] &= (uint8_t)~TCP_CWR; /* RFC 3168 6.1.2: told once */
}

size_t segments_next(struct segments *s, uint8_t *out, size_t room)
{
	size_t take = s->payload - s->at < s->step ? s->payload - s->at : s->step;
	size_t len = s->header + take;

	if (s->done || len > room)
		return 0;
	s->done = s->at + take == s->payload;
	memcpy(out, s->data, s->header);
	memcpy(out + s->header, s->data + s->header + s->at, take);
	be16_store(out + IPV6_AT_LENGTH, (uint16_t)(len - IPV6_HEADER));
	uint8_t *transport = out + s->transport;
	size_t upper = len - s->transport;
	if (s->tcp)
		set_tcp(s, transport);
	else
		be16_store(transport + UDP_AT_LENGTH, (uint16_t)upper);
	uint8_t *check = transport + (s->tcp ? TCP_AT_CHECK : UDP_AT_CHECK);
	be16_store(check, 0);
	uint16_t value = csum_upper(out, s->tcp ? IPV6_NEXT_TCP : IPV6_NEXT_UDP, transport, upper);
	be16_store(check, value == 0 && !s->tcp
				  ? 0xffff
				  : value); /* RFC 8200 8.1: a UDP checksum of zero goes as ffff */
	s->at += take;
	return len;
}
