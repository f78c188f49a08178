#include "lib/wire/heartbeat.h"

#include <stdbool.h>
#include <string.h>

#include "lib/err.h"
#include "lib/num.h"
#include "lib/rd.h"

struct word {
	const char *text;
	size_t len;
};

static struct word next_word(struct rd *r)
{
	struct word w;

	w.text = rd_word(r, &w.len);
	return w;
}

static bool is_word(struct word w, const char *text)
{
	return w.len == strlen(text) && memcmp(w.text, text, w.len) == 0;
}

static size_t without_ending(const uint8_t *data, size_t len)
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
	struct rd r = rd_init(data, without_ending(data, len));
	bool opens = is_word(next_word(&r), "HEARTBEAT") && is_word(next_word(&r), "TUNNEL");
	struct word client = next_word(&r), address = next_word(&r), seconds = next_word(&r),
		    digits = next_word(&r);
	if (!opens || digits.len == 0 || !rd_end(&r))
		return -ERR_FORMAT;
	out->address.v = 0;
	if (ip6_parse(client.text, client.len, &out->client) != 0 ||
	    num_parse_u64(seconds.text, seconds.len, 0, UINT32_MAX, &epoch) != 0 ||
	    hex_decode(digits.text, digits.len, out->digest, sizeof(out->digest)) != 0)
		return -ERR_FORMAT;
	if (!is_word(address, "sender") &&
	    (ip4_parse(address.text, address.len, &out->address) != 0 || out->address.v == 0))
		return -ERR_FORMAT;
	out->epoch = (uint32_t)epoch;
	out->signed_len = (uint32_t)(digits.text - (const char *)data);
	return 0;
}
