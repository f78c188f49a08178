-- What the operator reads, and which mistakes the doors refuse.
BEGIN;
SET search_path = tap, public;
SELECT plan(54);
\set digests 'md5(\'x\'), encode(sha256(\'x\'), \'hex\')'
SELECT is((SELECT message FROM api.op_pop_add('demo01', '198.51.100.1', '2001:db8:0:ffff::1', '2001:db8:1::/48',
	'2001:db8:1100::/40', 'Amsterdam', 'Netherlands', 'Demo', 'Demo ISP', 'https://demo.example', 'AS64496',
		'nl.demo')), 'added demo01: tunnels from 2001:db8:1::/48, subnets from 2001:db8:1100::/40', 'a PoP is added');
SELECT is((SELECT message FROM api.op_pop_add('demo02', '198.51.100.2', '2001:db8:0:ffff::2', '2001:db8:2::/48', NULL,
	NULL, NULL, NULL, NULL, NULL, NULL, NULL)), 'added demo02: tunnels from 2001:db8:2::/48, no subnets',
		'a PoP may have no subnets');
CREATE FUNCTION pg_temp.pop(name text, ipv4 text DEFAULT '198.51.100.9', ipv6 text DEFAULT '2001:db8::9',
	tunnels text DEFAULT '2001:db8:9::/48', subnets text DEFAULT '2001:db8:1900::/40', city text DEFAULT '',
		site text DEFAULT '') RETURNS text LANGUAGE sql AS $$
	SELECT t.refusal(format('SELECT api.op_pop_add(%L, %L, %L, %L, %L, %L, NULL, NULL, NULL, %L, NULL, NULL)', name,
		ipv4, ipv6, tunnels, subnets, city, site))
$$;
SELECT is(pg_temp.pop('demo01'), 'BK001 There is already a PoP called demo01 or at 198.51.100.9.',
	'two PoPs cannot have one name');
SELECT is(pg_temp.pop('demo09', '198.51.100.1'), 'BK001 There is already a PoP called demo09 or at 198.51.100.1.',
	'two PoPs cannot have one address');
SELECT is(pg_temp.pop('status'), 'BK003 A PoP cannot be called status: the page /pops/status has that name.',
	'a PoP cannot have the name of the status page');
SELECT is(pg_temp.pop('Demo'), 'BK003 The name of a PoP is 2 to 32 lower-case letters and digits and begins with a letter.',
	'a name with a capital is refused');
SELECT is(pg_temp.pop('demo09', '127.0.0.1'), 'BK003 A PoP needs the IPv4 address of one host.',
	'a PoP cannot have a loopback address');
SELECT is(pg_temp.pop('demo09', ipv6 => '2001:db8::/64'), 'BK003 A PoP needs the IPv6 address of one host.',
	'a PoP cannot have a network as its address');
SELECT is(pg_temp.pop('demo09', tunnels => '2001:db8:9::/52'),
	'BK003 A prefix for tunnels is a /48, which is cut into /64s; 2001:db8:9::/52 is not.', 'a prefix for tunnels is a /48');
SELECT is(pg_temp.pop('demo09', tunnels => '2001:db8:2::/48'),
	'BK001 2001:db8:2::/48 overlaps 2001:db8:2::/48 of demo02.', 'two PoPs cannot have one prefix');
SELECT is(pg_temp.pop('demo09', tunnels => '2001:db8:1950::/48'),
	'BK001 2001:db8:1900::/40 overlaps 2001:db8:1950::/48 of demo09.', 'the prefixes of one PoP cannot overlap');
SELECT is(pg_temp.pop('demo09', subnets => '10.0.0.0/8'), 'BK003 10.0.0.0/8 is not an IPv6 prefix.',
	'an IPv4 prefix is refused');
SELECT matches(pg_temp.pop('demo09', city => E'a\nb'), '^BK003 City, country and provider are single lines',
	'a city of two lines is refused');
SELECT matches(pg_temp.pop('demo09', site => 'javascript:alert(1)'), '^BK003 .* the website is an http or https address',
	'a website that is no web address is refused');
SELECT is((SELECT count(*)::int FROM broker.pop), 2, 'a refused PoP leaves nothing behind');
SELECT is((SELECT t.masked(message) FROM api.op_pop_enable('demo02', false)), 'disabled demo02', 'a PoP can be disabled');
SELECT results_eq('SELECT name, state, tunnels, subnets FROM api.op_pop_list()', $$VALUES ('demo01', 'down', 0, 0),
	('demo02', 'disabled', 0, 0)$$, 'the list has every PoP with its state');
SELECT results_eq($$SELECT city, isp_website, tunnel_prefixes, subnet_prefixes FROM api.op_pop_show('demo01')$$,
	$$VALUES ('Amsterdam', 'https://demo.example', '2001:db8:1::/48', '2001:db8:1100::/40 (/48 each)')$$,
		'a PoP is shown in full');
SELECT is((SELECT message FROM api.op_pop_prefix_add('demo02', 'subnet', '2001:db8:1200::/40', 56)),
	'added 2001:db8:1200::/40 to demo02 for subnets', 'a PoP can get another prefix');
SELECT is(t.refusal($$SELECT api.op_pop_prefix_add('demo02', 'subnet', '2001:db8:1300::/40', 36)$$),
	'BK003 2001:db8:1300::/40 cannot be cut into subnets of length 36: a prefix for subnets is a /16 or longer, '
	'and its subnets are at least as long and at most a /64.', 'subnets larger than their prefix are refused');
SELECT is((SELECT message FROM api.op_pop_set('demo01', 'city', 'Utrecht')), 'demo01: city is now Utrecht',
	'the city of a PoP can be set');
SELECT is(t.refusal($$SELECT api.op_pop_set('demo01', 'ipv4', '198.51.100.2')$$),
	'BK003 "198.51.100.2" cannot be the ipv4 of demo01: it is not valid, or another PoP uses it.',
		'the address of another PoP is refused');
SELECT is(t.refusal($$SELECT api.op_pop_set('demo01', 'enabled', 'f')$$) ~ '^BK003 "enabled" is not a property of a PoP that can be set: ',
	true, 'other properties of a PoP cannot be set');
SELECT is(t.refusal($$SELECT api.op_pop_show('nowhere1')$$), 'BK002 There is no PoP nowhere1.', 'an unknown PoP is refused');

SELECT is((SELECT message FROM api.op_user_add('demo-1', 'Demo', 'd@example.org', 75, :digests)),
	'added DEMO-1, balance 75', 'an account may begin with more credit');
SELECT is((SELECT message FROM api.op_user_add('DEMO', 'Demo', 'd@example.org', 0, :digests)), 'added DEMO, balance 0',
	'an account may begin with no credit');
CREATE FUNCTION pg_temp.person(handle text, name text DEFAULT 'A', email text DEFAULT 'a@b', credit int DEFAULT NULL)
	RETURNS text LANGUAGE sql AS $$
	SELECT t.refusal(format('SELECT api.op_user_add(%L, %L, %L, %L, %L, %L)', handle, name, email, credit, md5(''),
		repeat('0', 64)))
$$;
SELECT is(pg_temp.person('Demo'), 'BK001 There is already an account DEMO.', 'two accounts cannot have one handle, in any case of its letters');
SELECT is(pg_temp.person('-x'),
	'BK003 A handle is 2 to 32 letters, digits and hyphens and does not begin with a hyphen.', 'a handle with a leading hyphen is refused');
SELECT is(pg_temp.person('x1', ''), 'BK003 A name is one line of 1 to 100 characters.', 'an empty name is refused');
SELECT is(pg_temp.person('x1', 'X', 'x'), 'BK003 "x" is not an e-mail address.', 'an e-mail address without @ is refused');
SELECT is(pg_temp.person('x1', 'X', 'x@y', -1), 'BK003 The credit of a new account is 0 to 1000000 ISK.',
	'an account cannot begin in debt');
SELECT is((SELECT count(*)::int FROM broker.account), 2, 'a refused account leaves nothing behind');
SELECT results_eq('SELECT handle, state, balance, tunnels FROM api.op_user_list()', $$VALUES ('DEMO', 'enabled', 0, 0),
	('DEMO-1', 'enabled', 75, 0)$$, 'the list has every account with its balance');
SELECT is((SELECT message FROM api.op_user_enable('demo', false)),
	'disabled DEMO: it cannot log in or request anything; its tunnels stay as they are', 'an account can be disabled');
SELECT results_eq($$SELECT state, balance, requests, last_login FROM api.op_user_show('demo')$$,
	$$VALUES ('disabled', 0, 0, NULL)$$, 'an account is shown in full');
SELECT is((SELECT message FROM api.op_user_enable('demo', true)), 'enabled DEMO', 'an account can be enabled again');
SELECT is((SELECT message FROM api.op_user_secret('demo', md5('y'), encode(sha256('y'), 'hex'))),
	'DEMO has a new TIC secret, the old one no longer works', 'an account can get a new TIC secret');

SELECT is((SELECT message FROM api.op_credit('demo', 20, 'a loan')), 'credited DEMO 20 ISK, balance 20', 'a credit adds to the balance');
SELECT is((SELECT message FROM api.op_credit('demo', -5, 'a part back')), 'debited DEMO 5 ISK, balance 15', 'a negative credit takes from it');
SELECT is(t.refusal($$SELECT api.op_credit('demo', 5, ' ')$$), 'BK003 A credit needs a reason.', 'a credit without a reason is refused');
SELECT is(t.refusal(format('SELECT api.op_credit(%L, %s, %L)', 'demo', bad, 'x')),
	'BK003 A credit is an amount from -1000000 to 1000000 ISK that is not 0.', 'a credit of ' || bad || ' is refused')
FROM unnest(ARRAY['0', '1000001', '-1000001', '-2147483648', 'NULL']) bad;
SELECT is(t.refusal($$SELECT api.op_credit('nobody', 5, 'x')$$), 'BK002 There is no account NOBODY.', 'a credit for an unknown account is refused');

SELECT t.tunnel('DEMO-1', 'demo01', 'static', '192.0.2.1') AS st \gset
SELECT t.subnet('DEMO-1', :st) AS r1 \gset
SELECT api.op_ns_add(:r1, 'ns1.example.org');
SELECT results_eq($$SELECT t.masked(id), handle, pop, type, ipv6, endpoint, mtu, user_state, admin_state
	FROM api.op_tunnel_list('demo-1', NULL)$$,
	$$VALUES ('T#', 'DEMO-1', 'demo01', 'static', '2001:db8:1::2', '192.0.2.1', 1280, 'enabled', 'enabled')$$,
		'the list of an account has its tunnels');
SELECT is_empty($$SELECT * FROM api.op_tunnel_list(NULL, 'demo02')$$, 'the list of a PoP has its tunnels only');
SELECT results_eq(format($$SELECT t.masked(id), ipv6_endpoint, ipv6_pop, prefix, routed, t.masked(subnets), last_day
	FROM api.op_tunnel_show(%s)$$, :st),
	$$VALUES ('T#', '2001:db8:1::2', '2001:db8:1::1', '2001:db8:1::/64', '2001:db8:1:8000::/64',
		'R# 2001:db8:1100::/48', NULL)$$, 'a tunnel is shown in full');
SELECT results_eq($$SELECT t.masked(id), handle, pop, t.masked(tunnel), prefix, name_servers
	FROM api.op_subnet_list(NULL, 'demo01')$$,
	$$VALUES ('R#', 'DEMO-1', 'demo01', 'T#', '2001:db8:1100::/48', 'ns1.example.org')$$, 'the list of subnets has their name servers');
SELECT is(t.masked(t.refusal(format('SELECT api.op_ns_add(%s, %L)', :r1, 'NS1.example.org.'))),
	'BK001 R# already has the name server ns1.example.org.', 'a name server cannot be added twice');
SELECT is(t.refusal(format('SELECT api.op_ns_add(%s, %L)', :r1, 'ns1')), 'BK003 "ns1" is not the full name of a host.',
	'a name server without a domain is refused');
SELECT is((SELECT count(*)::int FROM api.op_setting_list() WHERE about = ''), 0, 'every setting says what it is about');
SELECT is(t.refusal('SELECT broker.setting_value(''prefix_rest_day'')'), 'P0002 there is no setting "prefix_rest_day"',
	'a rule cannot read a setting that does not exist');
SELECT * FROM finish();
ROLLBACK;
