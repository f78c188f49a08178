#include "lib/proxy.h"

#include <stdbool.h>
#include <string.h>

#include "lib/num.h"
#include "lib/rd.h"

enum { V2_LOCAL = 0x20, V2_PROXY = 0x21, V2_TCP4 = 0x11, V2_TCP6 = 0x21, PORT_MAX = 65535 };

static const uint8_t v1_begin[] = { 'P', 'R', 'O', 'X', 'Y', ' ' };
static const uint8_t v2_signature[] = { '\r', '\n', '\r', '\n', 0,   '\r',
					'\n', 'Q',  'U',  'I',  'T', '\n' };

/* True when the bytes begin so, as far as there are any. */
static bool may_begin(const uint8_t *data, size_t len, const uint8_t *begin, size_t begin_len)
{
	return memcmp(data, begin, len < begin_len ? len : begin_len) == 0;
}

/* The next word, which is followed by one blank or the end of the line. */
static bool word(struct rd *r, const char **text, size_t *len)
{
	const uint8_t *blank = memchr(r->pos, ' ', rd_left(r));

	*len = blank ? (size_t)(blank - r->pos) : rd_left(r);
	*text = (const char *)rd_bytes(r, *len);
	if (blank)
		rd_skip(r, 1);
	return *text && *len > 0;
}

static bool address(struct rd *r, bool is_ip4, struct peer *out)
{
	const char *text;
	size_t len;

	return word(r, &text, &len) && (memchr(text, ':', len) == NULL) == is_ip4 &&
	       peer_parse(text, len, out) == 0;
}

static bool port(struct rd *r)
{
	uint64_t value;
	const char *text;
	size_t len;

	return word(r, &text, &len) && num_parse_u64(text, len, 0, PORT_MAX, &value) == 0;
}

static enum proxy_result read_v1(const uint8_t *data, size_t len, size_t *used, struct peer *client)
{
	const uint8_t *end = memchr(data, '\n', len < PROXY_V1_MAX ? len : PROXY_V1_MAX);
	struct peer destination;
	const char *text;
	size_t text_len;
	struct rd r;

	if (!end)
		return len < PROXY_V1_MAX ? PROXY_MORE : PROXY_GARBAGE;
	if (end[-1] != '\r')
		return PROXY_GARBAGE;
	*used = (size_t)(end - data) + 1;
	r = rd_init(data + sizeof(v1_begin), *used - 2 - sizeof(v1_begin));
	if (!word(&r, &text, &text_len))
		return PROXY_GARBAGE;
	if (text_len == 7 && memcmp(text, "UNKNOWN", 7) == 0)
		return PROXY_OWN;

	bool is_ip4 = text_len == 4 && memcmp(text, "TCP4", 4) == 0;

	if (!is_ip4 && (text_len != 4 || memcmp(text, "TCP6", 4) != 0))
		return PROXY_GARBAGE;
	return address(&r, is_ip4, client) && address(&r, is_ip4, &destination) && port(&r) &&
			       port(&r) && rd_end(&r)
		       ? PROXY_CLIENT
		       : PROXY_GARBAGE;
}

/* The source address, which comes first; the rest of the header is the caller's to skip. */
static bool read_source(struct rd *r, bool is_ip4, struct peer *client)
{
	struct ip6 ip = { { [10] = 0xff, [11] = 0xff } };

	if (is_ip4)
		rd_copy(r, ip.b + 12, 4);
	else
		rd_copy(r, ip.b, 16);
	rd_skip(r, is_ip4 ? 4 + 2 + 2 : 16 + 2 + 2);
	*client = peer_of_ip6(&ip);
	return rd_ok(r);
}

static enum proxy_result read_v2(const uint8_t *data, size_t len, size_t *used, struct peer *client)
{
	struct rd r = rd_init(data, len);

	rd_skip(&r, sizeof(v2_signature));

	uint8_t command = rd_u8(&r), family = rd_u8(&r);
	size_t rest = rd_u16(&r);

	if (!rd_ok(&r))
		return PROXY_MORE;
	if ((command != V2_LOCAL && command != V2_PROXY) || family >> 4 > 3 || (family & 15) > 2 ||
	    PROXY_V2_FIXED + rest > PROXY_HEADER_MAX)
		return PROXY_GARBAGE;

	struct rd addresses = rd_sub(&r, rest);

	if (!rd_ok(&r))
		return PROXY_MORE;
	*used = PROXY_V2_FIXED + rest;
	if (command == V2_LOCAL || (family != V2_TCP4 && family != V2_TCP6))
		return PROXY_OWN;
	return read_source(&addresses, family == V2_TCP4, client) ? PROXY_CLIENT : PROXY_GARBAGE;
}

enum proxy_result proxy_read(const uint8_t *data, size_t len, size_t *used, struct peer *client)
{
	if (len > 0 && may_begin(data, len, v1_begin, sizeof(v1_begin)))
		return len < sizeof(v1_begin) ? PROXY_MORE : read_v1(data, len, used, client);
	if (len > 0 && may_begin(data, len, v2_signature, sizeof(v2_signature)))
		return read_v2(data, len, used, client);
	return len > 0 ? PROXY_GARBAGE : PROXY_MORE;
}
