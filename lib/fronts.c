#include "lib/fronts.h"

#include <string.h>

#include "lib/err.h"
#include "lib/num.h"

static bool is_between(char c)
{
	return c == ',' || c == ' ' || c == '\t';
}

/* An address, or an address with a length and no bits set beyond it. */
static int prefix_parse(const char *text, size_t len, struct prefix6 *out)
{
	const char *slash = memchr(text, '/', len);
	size_t address_len = slash ? (size_t)(slash - text) : len;
	uint64_t bits;
	struct peer peer;

	if (peer_parse(text, address_len, &peer) != 0)
		return -ERR_FORMAT;
	unsigned most = peer.is_ip4 ? 32 : 128;
	if (!slash)
		bits = most;
	else if (num_parse_u64(slash + 1, len - address_len - 1, 0, most, &bits) != 0)
		return -ERR_FORMAT;
	out->len = (uint8_t)(128 - most + bits);
	out->addr = ip6_mask(&peer.ip, out->len);
	return ip6_equal(&out->addr, &peer.ip) ? 0 : -ERR_FORMAT;
}

int fronts_parse(const char *text, struct fronts *out)
{
	*out = (struct fronts){ 0 };
	for (;;) {
		size_t len = 0;

		while (is_between(*text))
			text++;
		if (*text == '\0')
			return 0;
		while (text[len] != '\0' && !is_between(text[len]))
			len++;
		if (out->n == FRONTS_MAX)
			return -ERR_RANGE;
		if (prefix_parse(text, len, &out->at[out->n]) != 0)
			return -ERR_FORMAT;
		out->n++;
		text += len;
	}
}

bool fronts_has(const struct fronts *fronts, const struct ip6 *ip)
{
	for (size_t i = 0; i < fronts->n; i++) {
		struct ip6 masked = ip6_mask(ip, fronts->at[i].len);

		if (ip6_equal(&masked, &fronts->at[i].addr))
			return true;
	}
	return false;
}

/* "192.0.2.1", "2001:db8::1", and what some proxies write: "[2001:db8::1]", either with ":port". */
static int forwarded_parse(const char *text, size_t len, struct peer *out)
{
	const char *end = memchr(text, ']', len);
	const char *colon = memchr(text, ':', len);

	if (len > 0 && text[0] == '[')
		return end ? peer_parse(text + 1, (size_t)(end - text) - 1, out) : -ERR_FORMAT;
	if (colon && memchr(text, '.', (size_t)(colon - text)))
		len = (size_t)(colon - text);
	return peer_parse(text, len, out);
}

void fronts_forwarded_for(const struct fronts *fronts, const char *line, struct peer *client,
			  bool *is_known)
{
	while (*line != '\0') {
		size_t len = strcspn(line, ",");
		const char *text = line, *end = line + len;
		struct peer peer;

		while (text < end && is_between(*text))
			text++;
		while (end > text && is_between(end[-1]))
			end--;
		if (end > text && forwarded_parse(text, (size_t)(end - text), &peer) != 0) {
			*is_known = false;
		} else if (end > text && !fronts_has(fronts, &peer.ip)) {
			*client = peer;
			*is_known = true;
		}
		line += len + (line[len] == ',');
	}
}
