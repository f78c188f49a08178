#include "lib/wire/heartbeat.h"

#include <stdbool.h>
#include <string.h>

#include "lib/err.h"
#include "lib/num.h"
#include "lib/rd.h"

struct token {
	const char *text;
	size_t len;
};

static struct token next_token(struct rd *r)
{
	struct token t;

	t.text = rd_token(r, &t.len);
	return t;
}

static bool is_text(struct token t, const char *text)
{
	return t.len == strlen(text) && memcmp(t.text, text, t.len) == 0;
}

static size_t len_without_end(const uint8_t *data, size_t len)
{
	while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == '\r' || data[len - 1] == '\0'))
		len--;
	return len;
}

int heartbeat_decode(const uint8_t *data, size_t len, struct heartbeat *out)
{
	uint64_t epoch;

	if (len > HEARTBEAT_MAX)
		return -ERR_FORMAT;
	struct rd r = rd_init(data, len_without_end(data, len));
	bool opens = is_text(next_token(&r), "HEARTBEAT") && is_text(next_token(&r), "TUNNEL");
	struct token client = next_token(&r), address = next_token(&r), seconds = next_token(&r),
		     digits = next_token(&r);
	if (!opens || digits.len == 0 || !rd_end(&r))
		return -ERR_FORMAT;
	out->address.v = 0;
	if (ip6_parse(client.text, client.len, &out->client) != 0 ||
	    num_parse_u64(seconds.text, seconds.len, 0, UINT32_MAX, &epoch) != 0 ||
	    hex_decode(digits.text, digits.len, out->digest, sizeof(out->digest)) != 0)
		return -ERR_FORMAT;
	if (!is_text(address, "sender") &&
	    (ip4_parse(address.text, address.len, &out->address) != 0 || out->address.v == 0))
		return -ERR_FORMAT;
	out->epoch = (uint32_t)epoch;
	out->signed_len = (uint32_t)(digits.text - (const char *)data);
	return 0;
}
