/* Any inner packet of a raw socket: its segments are within bounds, hold exactly the payload, and
 * have right checksums. */
#include <stdlib.h>
#include <string.h>

#include "lib/wire/csum.h"
#include "lib/wire/ipv6.h"
#include "popd/port/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

enum { LARGEST = 65535, USUAL = 6000 };

/* The first two bytes say how often the rest is repeated, so that a fuzzer reaches large packets
 * (the largest take long: only 0xffff makes them); the third, whether lengths and checksum are made
 * right. The packet lies at the end of its buffer. */
static uint8_t *unfold(const uint8_t *data, size_t size, size_t *len)
{
	static uint8_t buffer[LARGEST];
	size_t asked = (size_t)data[0] << 8 | data[1], body = size - 3,
	       max = asked == 0xffff ? LARGEST : USUAL;

	*len = body * (asked % 200 + 1) > max ? max : body * (asked % 200 + 1);
	uint8_t *packet = buffer + LARGEST - *len;
	for (size_t at = 0; at < *len; at += body)
		memcpy(packet + at, data + 3, body < *len - at ? body : *len - at);
	return packet;
}

static void make_partial(uint8_t *packet, size_t len)
{
	uint8_t tail[8] = { 0 };

	packet[0] = 0x60;
	be16_store(packet + IPV6_AT_LENGTH, (uint16_t)(len - IPV6_HEADER));
	struct ipv6_upper u = ipv6_upper(packet, (uint32_t)len);
	if ((u.next != IPV6_NEXT_TCP && u.next != IPV6_NEXT_UDP) || len - u.offset < 20)
		return;
	be32_store(tail, (uint32_t)(len - u.offset));
	tail[7] = u.next;
	uint16_t sum = (uint16_t)~csum_fold(
		csum_add(csum_add(0, packet + IPV6_AT_SOURCE, 32), tail, 8));
	be16_store(packet + u.offset + (u.next == IPV6_NEXT_TCP ? 16 : 6), sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[2048];
	struct segments c;
	size_t len, total = 0;

	if (size < 4)
		return 0;
	uint8_t *packet = unfold(data, size, &len);
	if (data[2] & 1 && len >= IPV6_HEADER)
		make_partial(packet, len);
	if (segments_begin_coalesced(&c, packet, len)) {
		size_t header = c.header, payload = c.payload, transport = c.transport, got;
		size_t largest = segments_largest(&c);
		while ((got = segments_next(&c, out, sizeof(out))) > 0) {
			require(got >= header && got <= sizeof(out));
			require(memcmp(out + header, packet + header + total, got - header) == 0);
			require(csum_upper(out, c.tcp ? 6 : 17, out + transport, got - transport) ==
				0);
			require(got <= largest);
			total += got - header;
		}
		require(total == payload || largest > sizeof(out));
	}
	return 0;
}
