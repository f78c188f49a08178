#include "popd/port/coalesced.h"

#include "lib/wire/be.h"
#include "lib/wire/csum.h"
#include "lib/wire/ipv6.h"
#include "lib/wire/transport.h"

/* The checksum field as it is when only the pseudo-header has been summed (RFC 8200 8.1): not
 * complemented. */
static uint16_t partial(const uint8_t *data, size_t upper, uint8_t next)
{
	uint8_t rest[8];

	be32_store(rest, (uint32_t)upper);
	be32_store(rest + 4, next);
	return (uint16_t)~csum_fold(
		csum_add(csum_add(0, data + IPV6_AT_SOURCE, 32), rest, sizeof(rest)));
}

bool coalesced_begin(struct segments *s, const uint8_t *data, size_t len)
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
	    partial(data, transport_len, upper.next))
		return false;
	if (csum_upper(data, upper.next, transport, transport_len) == 0)
		return false; /* by chance the right checksum looks like a partial one */
	s->step = tcp && s->header < COALESCED_SEGMENT - 8 ? COALESCED_SEGMENT - s->header
							   : s->payload;
	if (s->step == 0)
		s->step = 1; /* no payload: one segment that is all header */
	return true;
}

struct gso coalesced_gso(const struct segments *s)
{
	struct gso none = { 0, 0 };

	if (!s->tcp || s->transport != IPV6_HEADER || s->payload <= s->step ||
	    (s->data[s->transport + TCP_AT_FLAGS] & TCP_CWR))
		return none;
	return (struct gso){ .size = (uint16_t)s->step, .header = (uint16_t)s->header };
}
