/*
 * The header of a front, and its X-Forwarded-For. A header that was read whole is read the same from
 * its own bytes alone, any shorter part of it wants more, and an address that comes out is one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fronts.h"
#include "lib/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_peer(const struct peer *peer)
{
	struct peer again;

	require(peer_parse(peer->text, strlen(peer->text), &again) == 0);
	require(ip6_equal(&again.ip, &peer->ip) && again.is_ip4 == peer->is_ip4);
}

static void check_header(const uint8_t *data, size_t size)
{
	struct peer client, again;
	size_t used = 0, used_again = 0;
	enum proxy_result result = proxy_read(data, size, &used, &client);

	if (result == PROXY_MORE)
		require(size < PROXY_HEADER_MAX);
	if (result != PROXY_CLIENT && result != PROXY_OWN)
		return;
	require(used > 0 && used <= size && used <= PROXY_HEADER_MAX);
	require(proxy_read(data, used, &used_again, &again) == result && used_again == used);
	for (size_t len = 0; len < used; len++)
		require(proxy_read(data, len, &used_again, &again) == PROXY_MORE);
	if (result == PROXY_CLIENT)
		check_peer(&client);
}

static void check_forwarded(const uint8_t *data, size_t size)
{
	struct fronts fronts, given;
	struct peer client;
	bool is_known = false;
	char *line = malloc(size + 1);

	require(line != NULL && fronts_parse("127.0.0.1, 2001:db8::/32", &fronts) == 0);
	memcpy(line, data, size);
	line[size] = '\0';
	fronts_forwarded_for(&fronts, line, &client, &is_known);
	if (is_known) {
		check_peer(&client);
		require(!fronts_has(&fronts, &client.ip));
	}
	if (fronts_parse(line, &given) == 0)
		for (size_t i = 0; i < given.n; i++)
			require(fronts_has(&given, &given.at[i].addr));
	free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_header(data, size);
	check_forwarded(data, size);
	return 0;
}
