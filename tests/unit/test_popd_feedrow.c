#include "popd/feed/feedrow.h"

#include "lib/err.h"
#include "tests/unit/test_popd_fixture.h"

static const struct feedrow_tunnel good = {
	.id = "7",
	.type = "ayiya",
	.prefix = "2001:db8:2ff:6::/64",
	.secret = SECRET,
	.endpoint = NULL,
	.mtu = "1280",
	.enabled = "t",
	.routes = "2001:db8:2ff:8006::/64,2001:db8:3002::/48",
};

static struct digest_ctx *digests;

static int setup(void **state)
{
	(void)state;
	if (digest_init() != 0)
		return -1;
	digests = digest_ctx_create();
	return digests ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	digest_ctx_free(digests);
	return 0;
}

static void a_good_row_is_taken_field_by_field(void **state)
{
	char why[FEEDROW_WHY];
	uint32_t id;
	uint8_t key[20];
	struct tunnel_conf *c = feedrow_parse_tunnel(&good, digests, &id, why);

	(void)state;
	assert_non_null(c);
	assert_int_equal(id, 7);
	assert_int_equal(c->id, 7);
	assert_int_equal(c->type, TUNNEL_AYIYA);
	assert_true(c->enabled);
	assert_int_equal(c->mtu, 1280);
	struct ip6 net = addr("2001:db8:2ff:6::");
	assert_true(ip6_equal(&c->net, &net));
	assert_int_equal(c->route_count, 2);
	struct prefix6 routes[] = { prefix("2001:db8:2ff:8006::/64"),
				    prefix("2001:db8:3002::/48") };
	assert_true(prefix6_equal(&c->routes[0], &routes[0]) &&
		    prefix6_equal(&c->routes[1], &routes[1]));
	assert_string_equal(c->secret, SECRET);
	assert_true(digest(digests, DIGEST_SHA1, SECRET, 32, key));
	assert_memory_equal(c->key_sha1, key, 20);
	tunnel_conf_free(c);
}

#define WITH(field, value)                      \
	({                                      \
		struct feedrow_tunnel r = good; \
		r.field = (value);              \
		r;                              \
	})

static void every_column_is_taken_strictly(void **state)
{
	const struct {
		const char *name;
		struct feedrow_tunnel row;
		bool good;
		uint32_t id;
	} rows[] = {
		{ "as it is", good, true, 7 },
		{ "no id", WITH(id, NULL), false, 0 },
		{ "id 0", WITH(id, "0"), false, 0 },
		{ "id not a number", WITH(id, "7x"), false, 0 },
		{ "largest id", WITH(id, "2147483647"), true, 2147483647 },
		{ "id too large", WITH(id, "2147483648"), false, 0 },
		{ "no type", WITH(type, NULL), false, 7 },
		{ "unknown type", WITH(type, "6in4-heartbeat"), false, 7 },
		{ "heartbeat", WITH(type, "heartbeat"), true, 7 },
		{ "static without endpoint", WITH(type, "static"), false, 7 },
		{ "endpoint of a dynamic tunnel", WITH(endpoint, "192.0.2.1"), true, 7 },
		{ "no prefix", WITH(prefix, NULL), false, 7 },
		{ "a /63", WITH(prefix, "2001:db8:2ff:6::/63"), false, 7 },
		{ "host bits", WITH(prefix, "2001:db8:2ff:6::1/64"), false, 7 },
		{ "no secret", WITH(secret, NULL), false, 7 },
		{ "31 digits", WITH(secret, "0123456789abcdef0123456789abcde"), false, 7 },
		{ "33 digits", WITH(secret, "0123456789abcdef0123456789abcdef0"), false, 7 },
		{ "capitals", WITH(secret, "0123456789ABCDEF0123456789ABCDEF"), false, 7 },
		{ "MTU 1279", WITH(mtu, "1279"), false, 7 },
		{ "MTU 1480", WITH(mtu, "1480"), true, 7 },
		{ "MTU 1481", WITH(mtu, "1481"), false, 7 },
		{ "no MTU", WITH(mtu, NULL), false, 7 },
		{ "disabled", WITH(enabled, "f"), true, 7 },
		{ "enabled: true", WITH(enabled, "true"), false, 7 },
		{ "enabled: null", WITH(enabled, NULL), false, 7 },
		{ "no routes", WITH(routes, NULL), true, 7 },
		{ "empty routes", WITH(routes, ""), true, 7 },
		{ "a route without length", WITH(routes, "2001:db8:3002::"), false, 7 },
		{ "a comma too many", WITH(routes, "2001:db8:3002::/48,"), false, 7 },
		{ "a blank", WITH(routes, "2001:db8:3002::/48, 2001:db8:3003::/48"), false, 7 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char why[FEEDROW_WHY] = "";
		uint32_t id = 99;
		struct tunnel_conf *c = feedrow_parse_tunnel(&rows[i].row, digests, &id, why);
		print_message("%s: %s\n", rows[i].name, c ? "taken" : why);
		assert_int_equal(c != NULL, rows[i].good);
		assert_int_equal(id, rows[i].id);
		if (!c)
			assert_true(why[0] != '\0' && !strstr(why, "0123456789abcdef"));
		tunnel_conf_free(c);
	}
}

static void a_static_tunnel_needs_a_unicast_endpoint(void **state)
{
	static const struct {
		const char *endpoint;
		bool good;
	} rows[] = { { "203.0.113.3", true },
		     { "127.0.0.1", false },
		     { "224.0.0.1", false },
		     { "0.0.0.0", false },
		     { "203.0.113.3:80", false },
		     { "203.0.113", false },
		     { "", false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct feedrow_tunnel row = good;
		char why[FEEDROW_WHY];
		uint32_t id;
		row.type = "static";
		row.endpoint = rows[i].endpoint;
		row.secret = NULL;
		struct tunnel_conf *c = feedrow_parse_tunnel(&row, digests, &id, why);
		assert_int_equal(c != NULL, rows[i].good);
		if (c)
			assert_int_equal(c->static_endpoint.v, UINT32_C(0xcb007103));
		tunnel_conf_free(c);
	}
}

static void the_pop_row_gives_prefixes_and_popds_own_address(void **state)
{
	static const struct {
		const char *name;
		struct feedrow_pop row;
		bool good;
	} rows[] = {
		{ "usual",
		  { "198.51.100.2", "2001:db8:2ff::/48", "2001:db8:3000::/40", NULL },
		  true },
		{ "two of each",
		  { "198.51.100.2", "2001:db8:2ff::/48,2001:db8:2fe::/48",
		    "2001:db8:3000::/40,2001:db8:4000::/40", NULL },
		  true },
		{ "no subnets", { "198.51.100.2", "2001:db8:2ff::/48", "", NULL }, true },
		{ "subnets null", { "198.51.100.2", "2001:db8:2ff::/48", NULL, NULL }, true },
		{ "no tunnels", { "198.51.100.2", "", "2001:db8:3000::/40", NULL }, false },
		{ "no address", { NULL, "2001:db8:2ff::/48", "", NULL }, false },
		{ "IPv6 address", { "2001:db8::1", "2001:db8:2ff::/48", "", NULL }, false },
		{ "a /56 of tunnels", { "198.51.100.2", "2001:db8:2ff::/56", "", NULL }, false },
		{ "nonsense", { "198.51.100.2", "2001:db8:2ff::/48", "all", NULL }, false },
		{ "PoPs",
		  { "198.51.100.2", "2001:db8:2ff::/48", "", "192.0.2.1,198.51.100.2" },
		  true },
		{ "no PoPs", { "198.51.100.2", "2001:db8:2ff::/48", "", "" }, true },
		{ "an IPv6 PoP",
		  { "198.51.100.2", "2001:db8:2ff::/48", "", "2001:db8::1" },
		  false },
		{ "an empty PoP",
		  { "198.51.100.2", "2001:db8:2ff::/48", "", "192.0.2.1," },
		  false },
		{ "a blank",
		  { "198.51.100.2", "2001:db8:2ff::/48", "", "192.0.2.1, 192.0.2.2" },
		  false },
	};
	struct ip6 own = addr("2001:db8:2ff:ffff::1");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char why[FEEDROW_WHY];
		struct pop_conf pop;
		print_message("%s\n", rows[i].name);
		assert_int_equal(feedrow_parse_pop(&rows[i].row, &pop, why) == 0, rows[i].good);
		if (rows[i].good)
			assert_true(ip6_equal(&pop.own, &own) && pop.ipv4.v == POP_IPV4);
	}
}

static void as_many_pops_as_the_limit_and_not_one_more(void **state)
{
	static char list[(TABLE_POPS + 1) * IP4_TEXT];
	struct feedrow_pop row = { "198.51.100.2", "2001:db8:2ff::/48", "", list };
	char why[FEEDROW_WHY];
	static struct pop_conf pop;
	size_t len = 0;

	(void)state;
	for (unsigned i = 0; i < TABLE_POPS; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s10.%u.%u.7",
					i ? "," : "", i * 7 % 256, i / 256);
	assert_int_equal(feedrow_parse_pop(&row, &pop, why), 0);
	for (unsigned i = 0; i < TABLE_POPS; i++) {
		struct ip4 ip = { 10u << 24 | i * 7 % 256 << 16 | i / 256 << 8 | 7 };
		assert_true(pop_is_peer(&pop, ip));
		assert_false(pop_is_peer(&pop, (struct ip4){ ip.v + 1 }));
	}
	strcat(list, ",192.0.2.1");
	assert_int_equal(feedrow_parse_pop(&row, &pop, why), -ERR_FORMAT);
}

static void as_many_prefixes_as_the_limit_and_not_one_more(void **state)
{
	char list[TABLE_POP_PREFIXES * 24] = "", why[FEEDROW_WHY];
	struct feedrow_pop row = { "198.51.100.2", "2001:db8:2ff::/48", list, NULL };
	struct pop_conf pop;

	(void)state;
	for (int i = 1; i < TABLE_POP_PREFIXES; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s2001:%x::/32",
			 i > 1 ? "," : "", i);
	assert_int_equal(feedrow_parse_pop(&row, &pop, why), 0);
	assert_int_equal(pop.prefix_count, TABLE_POP_PREFIXES);
	strcat(list, ",2002:1::/32");
	assert_int_equal(feedrow_parse_pop(&row, &pop, why), -ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_row_is_taken_field_by_field),
		cmocka_unit_test(every_column_is_taken_strictly),
		cmocka_unit_test(a_static_tunnel_needs_a_unicast_endpoint),
		cmocka_unit_test(the_pop_row_gives_prefixes_and_popds_own_address),
		cmocka_unit_test(as_many_pops_as_the_limit_and_not_one_more),
		cmocka_unit_test(as_many_prefixes_as_the_limit_and_not_one_more),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
