#include "lib/peer.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "lib/err.h"

static const struct {
	const char *text, *shown; /* `shown` NULL: no address */
	bool is_ip4;
	const char *prefixes[PEER_PREFIXES];
} rows[] = {
	{ "192.0.2.1", "192.0.2.1", true, { "192.0.2.1" } },
	{ "0.0.0.0", "0.0.0.0", true, { "0.0.0.0" } },
	{ "::ffff:192.0.2.1", "192.0.2.1", true, { "192.0.2.1" } },
	{ "2001:DB8:1:2203::5",
	  "2001:db8:1:2203::5",
	  false,
	  { "2001:db8:1:2203::/64", "2001:db8:1:2200::/56", "2001:db8:1::/48" } },
	{ "::1", "::1", false, { "::/64", "::/56", "::/48" } },
	{ "::192.0.2.1", "::c000:201", false, { "::/64", "::/56", "::/48" } },
	{ "192.0.2", NULL, false, { NULL } },
	{ "192.0.2.1/32", NULL, false, { NULL } },
	{ "192.0.2.1 ", NULL, false, { NULL } },
	{ "2001:db8::1%lo", NULL, false, { NULL } },
	{ "unknown", NULL, false, { NULL } },
	{ "", NULL, false, { NULL } },
};

static void peers_are_parsed_shown_and_counted_by_prefix(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct peer peer;
		struct prefix6 prefixes[PEER_PREFIXES];
		char text[PEER_PREFIX_TEXT];
		int err = peer_parse(rows[i].text, strlen(rows[i].text), &peer);

		assert_int_equal(err, rows[i].shown ? 0 : -ERR_FORMAT);
		if (err != 0)
			continue;
		assert_string_equal(peer.text, rows[i].shown);
		assert_int_equal(peer.is_ip4, rows[i].is_ip4);
		assert_int_equal(peer_prefixes(&peer.ip, prefixes),
				 rows[i].prefixes[1] ? PEER_PREFIXES : 1);
		for (size_t p = 0; p < PEER_PREFIXES && rows[i].prefixes[p]; p++)
			assert_string_equal(peer_prefix_text(&prefixes[p], text),
					    rows[i].prefixes[p]);
	}
}

static void peers_of_sockets_are_those_of_their_text(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr local = { .sa_family = AF_UNIX };

	(void)state;
	inet_pton(AF_INET, "192.0.2.1", &in.sin_addr);
	inet_pton(AF_INET6, "2001:db8::1", &in6.sin6_addr);
	assert_string_equal(peer_of_sockaddr((const void *)&in).text, "192.0.2.1");
	assert_string_equal(peer_of_sockaddr((const void *)&in6).text, "2001:db8::1");
	assert_string_equal(peer_of_sockaddr(&local).text, "::");
}

static void peer_prefixes_of_ipv4_have_its_notation(void **state)
{
	char text[PEER_PREFIX_TEXT];
	struct prefix6 p = { .len = 120 };
	struct peer peer;

	(void)state;
	assert_int_equal(peer_parse("192.0.2.0", 9, &peer), 0);
	p.addr = peer.ip;
	assert_string_equal(peer_prefix_text(&p, text), "192.0.2.0/24");
	p.len = 96;
	p.addr = ip6_mask(&peer.ip, 96);
	assert_string_equal(peer_prefix_text(&p, text), "0.0.0.0/0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peers_are_parsed_shown_and_counted_by_prefix),
		cmocka_unit_test(peers_of_sockets_are_those_of_their_text),
		cmocka_unit_test(peer_prefixes_of_ipv4_have_its_notation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
