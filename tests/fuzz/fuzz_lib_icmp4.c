/* ICMPv4 errors: no input is read beyond its end (it lies in a block of exactly its size), and the
 * decoded quote lies within it. The first byte says whether the checksum is corrected, since a
 * wrong one ends the parsing early. */
#include <stdlib.h>
#include <string.h>

#include "lib/wire/csum.h"
#include "lib/wire/icmp4.h"
#include "lib/wire/ipv4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

static void check(const uint8_t *p, size_t len)
{
	struct icmp4_error e;

	if (icmp4_decode(p, len, &e) != 0)
		return;
	size_t payload = ICMP4_HEADER + (p[ICMP4_HEADER] & 15u) * 4;
	require(len >= ICMP4_HEADER + IPV4_HEADER &&
		payload + (e.shows == ICMP4_SHOWS_ADDRESSES ? 0 : 8) <= len);
	require(e.type == p[0] && e.code == p[1] && (e.mtu == 0 || (e.type == 3 && e.code == 4)));
	require(e.protocol == IPV4_PROTOCOL_UDP || e.protocol == IPV4_PROTOCOL_IPV6);
	if (e.shows == ICMP4_SHOWS_AYIYA)
		require(len >= payload + 32 && memcmp(e.address.b, p + payload + 16, 16) == 0);
	if (e.shows == ICMP4_SHOWS_INNER)
		require(len >= payload + 40 && memcmp(e.address.b, p + payload + 24, 16) == 0);
	require((e.protocol == IPV4_PROTOCOL_UDP) ==
		(e.shows == ICMP4_SHOWS_PORTS || e.shows == ICMP4_SHOWS_AYIYA));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	size_t len = size - 1;
	uint8_t *own = malloc(len ? len : 1);
	if (!own)
		abort();
	memcpy(own, data + 1, len);
	if (data[0] & 1 && len >= 4) {
		own[2] = own[3] = 0;
		uint16_t sum = csum_fold(csum_add(0, own, len));
		own[2] = (uint8_t)(sum >> 8);
		own[3] = (uint8_t)sum;
	}
	check(own, len);
	free(own);
	return 0;
}
