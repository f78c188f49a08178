/* Addresses, prefixes, numbers and hex out of any bytes: what parses must print, and parse back to
 * the same value. */
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/ip.h"
#include "lib/num.h"
#include "lib/rd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void try_addresses(const char *text, size_t len)
{
	struct ip4 ip4, ip4_back;
	struct ip6 ip6, ip6_back;
	struct prefix6 prefix, prefix_back;
	char out[PREFIX6_TEXT];

	if (ip4_parse(text, len, &ip4) == 0) {
		ip4_text(ip4, out);
		require(strlen(out) == len && memcmp(out, text, len) == 0);
		require(ip4_parse(out, strlen(out), &ip4_back) == 0 && ip4_back.v == ip4.v);
	}
	if (ip6_parse(text, len, &ip6) == 0) {
		ip6_text(&ip6, out);
		require(ip6_parse(out, strlen(out), &ip6_back) == 0 && ip6_equal(&ip6, &ip6_back));
	}
	if (prefix6_parse(text, len, &prefix) == 0) {
		prefix6_text(&prefix, out);
		require(prefix6_parse(out, strlen(out), &prefix_back) == 0 &&
			prefix6_equal(&prefix, &prefix_back));
		struct ip6 net = ip6_mask(&prefix.addr, prefix.len);
		require(ip6_equal(&net, &prefix.addr));
	}
}

static void try_numbers(const char *text, size_t len)
{
	uint64_t u;
	int64_t i;
	uint32_t id;
	uint8_t bytes[16];
	char hex[33];

	if (num_parse_u64(text, len, 5, 500, &u) == 0)
		require(u >= 5 && u <= 500);
	if (num_parse_i64(text, len, -500, 500, &i) == 0)
		require(i >= -500 && i <= 500);
	if (num_parse_hex(text, len, 0x7fff, &u) == 0)
		require(u <= 0x7fff);
	if (num_parse_tunnel_id(text, len, &id) == 0)
		require(id > 0 && id <= INT32_MAX);
	if (hex_decode(text, len, bytes, sizeof(bytes)) == 0) {
		hex_encode(bytes, sizeof(bytes), hex);
		require(strncasecmp(hex, text, len) == 0);
	}
}

static void try_words(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	size_t len, total = 0;

	for (const char *token; (token = rd_token(&r, &len));) {
		require(len > 0 && !memchr(token, ' ', len) && !memchr(token, '\t', len));
		total += len;
		try_addresses(token, len);
		try_numbers(token, len);
	}
	require(rd_end(&r) && total <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_addresses((const char *)data, size);
	try_numbers((const char *)data, size);
	try_words(data, size);
	return 0;
}
