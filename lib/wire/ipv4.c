#include "lib/wire/ipv4.h"

#include "lib/err.h"
#include "lib/wire/be.h"

enum {
	AT_TOS = 1,
	AT_TOTAL = 2,
	AT_FRAGMENT = 6,
	AT_PROTOCOL = 9,
	AT_SOURCE = 12,
	AT_DESTINATION = 16,
	MORE_OR_OFFSET = 0x3fff
};

int ipv4_decode(const uint8_t *packet, size_t len, struct ipv4_view *out)
{
	if (len < IPV4_HEADER)
		return -ERR_TRUNCATED;
	uint32_t header = (packet[0] & 15u) * 4, total = be16_load(packet + AT_TOTAL);
	if (packet[0] >> 4 != 4 || header < IPV4_HEADER || total < header)
		return -ERR_FORMAT;
	if (len < total)
		return -ERR_TRUNCATED;
	*out = (struct ipv4_view){
		.source = { be32_load(packet + AT_SOURCE) },
		.destination = { be32_load(packet + AT_DESTINATION) },
		.tos = packet[AT_TOS],
		.protocol = packet[AT_PROTOCOL],
		.is_fragment = be16_load(packet + AT_FRAGMENT) & MORE_OR_OFFSET,
		.offset = header,
		.len = total - header,
	};
	return 0;
}
