#include "lib/wire/icmp4.h"

#include <stdbool.h>

#include "lib/err.h"
#include "lib/rd.h"
#include "lib/wire/ayiya.h"
#include "lib/wire/csum.h"
#include "lib/wire/ipv4.h"
#include "lib/wire/ipv6.h"

enum { UDP_HEADER = 8, OFFSET_MASK = 0x1fff };

static bool is_known(uint8_t type)
{
	return type == ICMP4_UNREACHABLE || type == ICMP4_TIME_EXCEEDED || type == ICMP4_PARAMETER;
}

/* The quoted IPv4 header with its options. */
static int read_header(struct rd *r, struct icmp4_error *out, bool *is_later)
{
	uint8_t first = rd_u8(r);

	rd_skip(r, 1);
	out->len = rd_u16(r);
	rd_skip(r, 2);
	*is_later = rd_u16(r) & OFFSET_MASK;
	rd_skip(r, 1);
	out->protocol = rd_u8(r);
	rd_skip(r, 2);
	out->source.v = rd_u32(r);
	out->destination.v = rd_u32(r);
	if (!rd_ok(r))
		return -ERR_TRUNCATED;
	if (first >> 4 != 4 || (first & 15) * 4 < IPV4_HEADER)
		return -ERR_FORMAT;
	rd_skip(r, (first & 15u) * 4 - IPV4_HEADER);
	return rd_ok(r) ? 0 : -ERR_TRUNCATED;
}

static int read_udp(struct rd *r, struct icmp4_error *out)
{
	out->source_port = rd_u16(r);
	out->destination_port = rd_u16(r);
	rd_skip(r, UDP_HEADER - 4);
	if (!rd_ok(r))
		return -ERR_TRUNCATED;
	out->shows = ICMP4_SHOWS_PORTS;
	if (rd_left(r) < AYIYA_FIXED)
		return 0;
	if (rd_u8(r) != AYIYA_IDENTITY_16_INTEGER)
		return -ERR_FORMAT;
	rd_skip(r, 3);
	out->epoch = rd_u32(r);
	rd_copy(r, out->address.b, sizeof(out->address.b));
	out->shows = ICMP4_SHOWS_AYIYA;
	return 0;
}

static int read_ipv6(struct rd *r, struct icmp4_error *out)
{
	if (rd_left(r) < 8)
		return -ERR_TRUNCATED;
	bool is_whole = rd_left(r) >= IPV6_HEADER;
	if (rd_u8(r) >> 4 != 6)
		return -ERR_FORMAT;
	if (!is_whole)
		return 0;
	rd_skip(r, IPV6_AT_DESTINATION - 1);
	rd_copy(r, out->address.b, sizeof(out->address.b));
	out->shows = ICMP4_SHOWS_INNER;
	return 0;
}

int icmp4_decode(const uint8_t *data, size_t len, struct icmp4_error *out)
{
	struct rd r = rd_init(data, len);
	bool is_later;

	*out = (struct icmp4_error){ .type = rd_u8(&r), .code = 0 };
	out->code = rd_u8(&r);
	rd_skip(&r, 4);
	uint16_t mtu = rd_u16(&r);
	if (!rd_ok(&r))
		return -ERR_TRUNCATED;
	if (!is_known(out->type) || csum_fold(csum_add(0, data, len)) != 0)
		return -ERR_FORMAT;
	if (out->type == ICMP4_UNREACHABLE && out->code == ICMP4_FRAGMENTATION_NEEDED)
		out->mtu = mtu;
	int err = read_header(&r, out, &is_later);
	if (err)
		return err;
	/* A later fragment has only the addresses. */
	if (out->protocol == IPV4_PROTOCOL_IPV6)
		return is_later ? 0 : read_ipv6(&r, out);
	if (out->protocol == IPV4_PROTOCOL_UDP && !is_later)
		return read_udp(&r, out);
	return -ERR_FORMAT;
}
