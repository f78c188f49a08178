-- The constraints of a tunnel, which hold for every role that writes it.
BEGIN;
SET search_path = tap, public;
SELECT plan(53);
SELECT t.pop() AS pop \gset
SELECT t.account('DEMO', 1000) AS demo \gset
SELECT t.tunnel('DEMO', 'demo01', 'static', '192.0.2.1') AS st \gset
SELECT t.tunnel('DEMO', 'demo01', 'ayiya') AS ay \gset
SELECT t.tunnel('DEMO', 'demo01', 'heartbeat') AS hb \gset
CREATE FUNCTION pg_temp.change(id int, what text) RETURNS text LANGUAGE sql AS $$
	SELECT t.attack(format('UPDATE broker.tunnel SET %s WHERE id = %s', what, id))
$$;

SELECT is(t.attack(format($$INSERT INTO broker.tunnel (account, pop, pop_ipv4, type, prefix)
	VALUES (%s, %s, '198.51.100.2', 'ayiya', '2001:db8:1:77::/64')$$, :demo, :pop)), 'tunnel_prefix',
		'a tunnel without an allocated prefix does not outlive its transaction');
SELECT is(t.attack(format($$INSERT INTO broker.tunnel (account, pop, pop_ipv4, type, prefix)
	VALUES (%s, %s, '198.51.100.2', 'ayiya', NULL)$$, :demo, :pop)) LIKE '23502%', true, 'a tunnel without a prefix is refused');
SELECT is(t.attack(format($$INSERT INTO broker.tunnel (account, pop, pop_ipv4, type, prefix)
	VALUES (%s, %s, '198.51.100.2', 'ayiya', '2001:db8:1::/64')$$, :demo, :pop)), 'tunnel_prefix_idx',
		'a tunnel with the prefix of another is refused');
SELECT is(t.attack(format($$WITH n AS (INSERT INTO broker.tunnel (account, pop, pop_ipv4, type, prefix) VALUES
	(%s, %s, '198.51.100.2', 'ayiya', '2001:db8:1:77::/64') RETURNING id)
	INSERT INTO broker.allocation (prefix, pool, pop, kind, pool_prefix, tunnel) SELECT '2001:db8:1:77::/64', l.id,
		l.pop, l.kind, l.prefix, n.id
	FROM n, broker.pool l WHERE l.pop = %2$s AND l.kind = 'tunnel'$$, :demo, :pop)), 'tunnel_routed',
		'a tunnel without its routed /64 does not outlive its transaction');
SELECT is(t.attack(format($$INSERT INTO broker.tunnel (account, pop, pop_ipv4, type, prefix)
	VALUES (%s, %s, '198.51.100.2', 'ayiya', '2001:db8:1:8000::/64')$$, :demo, :pop)), 'tunnel_number',
		'a tunnel prefix is in the lower half of the /48');
SELECT is(pg_temp.change(:ay, 'prefix = ''2001:db8:1:5::/64'''), 'tunnel_prefix', 'the prefix of a tunnel is not changed by hand');
SELECT is(pg_temp.change(:ay, 'id = 4711'), '23001 the id of a tunnel or subnet never changes', 'the id of a tunnel never changes');

SELECT is(pg_temp.change(:st, 'endpoint = NULL'), 'tunnel_static_endpoint', 'a static tunnel has an endpoint');
SELECT is(pg_temp.change(:ay, 'type = ''static'''), 'tunnel_static_endpoint', 'a tunnel that becomes static needs an endpoint');
SELECT is(pg_temp.change(:ay, 'endpoint = ''192.0.2.1'''), 'tunnel_static_endpoint', 'an AYIYA tunnel has no fixed endpoint');
SELECT is(pg_temp.change(:hb, 'endpoint = ''192.0.2.1'''), 'tunnel_static_endpoint', 'a heartbeat tunnel has no fixed endpoint');
SELECT is(pg_temp.change(:st, format('endpoint = %L', bad)), 'tunnel_endpoint_unicast', bad || ' is no endpoint')
FROM unnest(ARRAY['0.0.0.0', '0.1.2.3', '127.0.0.1', '127.255.255.254', '169.254.1.1', '224.0.0.1', '239.255.255.255',
	'240.0.0.1', '255.255.255.255', '192.0.2.0/24', '2001:db8::1']) bad;
SELECT is(pg_temp.change(:st, format('endpoint = %L', good)), 'ok', good || ' is an endpoint')
FROM unnest(ARRAY['1.1.1.1', '10.1.2.3', '172.16.0.1', '192.168.1.1', '198.18.0.1', '192.0.2.9', '203.0.113.9',
	'100.64.0.1', '223.255.255.254', '128.0.0.1', '126.255.255.255']) good;
SELECT is(pg_temp.change(:st, 'endpoint = ''198.51.100.2'''), 'tunnel_endpoint_not_pop',
	'the address of the tunnel''s PoP is no endpoint');
SELECT is(t.attack($$UPDATE broker.pop SET ipv4 = '126.255.255.255'$$), 'ok', 'a PoP may take the address of an endpoint');
SELECT is((SELECT admin_enabled FROM broker.tunnel WHERE id = :st), false, 'that disables the tunnel');
SELECT is(pg_temp.change(:st, 'admin_enabled = true'), 'tunnel_endpoint_not_pop', 'which cannot be enabled there');
SELECT is(t.attack($$UPDATE broker.tunnel SET pop_ipv4 = '9.9.9.9'$$), 'tunnel_pop',
	'a tunnel cannot have a wrong address of its PoP');
SELECT is(t.attack($$UPDATE broker.pop SET ipv4 = '198.51.100.77'$$), 'ok', 'a PoP may change its address');
SELECT is((SELECT count(*)::int FROM broker.tunnel WHERE pop_ipv4 = '198.51.100.77'), 3, 'its tunnels then have the new address');

SELECT t.tunnel('DEMO', 'demo01', 'static', '126.255.255.255') AS same \gset
SELECT is((SELECT count(*)::int FROM broker.tunnel WHERE endpoint = '126.255.255.255'), 2,
	'two static tunnels may share an endpoint');

SELECT is(pg_temp.change(:st, 'mtu = 1480'), 'ok', 'protocol 41 carries an MTU of 1480');
SELECT is(pg_temp.change(:st, 'mtu = 1481'), 'tunnel_mtu', 'protocol 41 does not carry more');
SELECT is(pg_temp.change(:ay, 'mtu = 1428'), 'ok', 'AYIYA carries an MTU of 1428');
SELECT is(pg_temp.change(:ay, 'mtu = 1429'), 'tunnel_mtu', 'AYIYA does not carry more');
SELECT is(pg_temp.change(:hb, 'mtu = 1279'), 'tunnel_mtu', 'an MTU below the 1280 of IPv6 is refused');
SELECT is(pg_temp.change(:ay, 'secret = ''0123456789ABCDEF0123456789ABCDEF'''), 'tunnel_secret_check',
	'a secret has lower-case hexadecimal digits');
SELECT is(pg_temp.change(:ay, 'secret = ''00'''), 'tunnel_secret_check', 'a secret has 32 digits');
SELECT is(pg_temp.change(:ay, E'name = E''a\nb'''), 'tunnel_name_check', 'the name of a tunnel is one line');
SELECT isnt((SELECT secret FROM broker.tunnel WHERE id = :ay), (SELECT secret FROM broker.tunnel WHERE id = :hb),
	'each tunnel has a secret of its own');
SELECT is(t.attack(format($$INSERT INTO broker.request (account, kind, pop, type, cost)
	VALUES (%s, 'tunnel', %s, 'static', 1)$$, :demo, :pop)), 'request_shape', 'a request for a static tunnel has an endpoint');
SELECT is(t.attack(format($$INSERT INTO broker.request (account, kind, pop, type, endpoint, cost)
	VALUES (%s, 'tunnel', %s, 'static', '127.0.0.1', 1)$$, :demo, :pop)), 'request_endpoint', 'the endpoint of a request is one that a tunnel may have');
SELECT is(t.attack($$UPDATE broker.request SET state = 'open'$$), 'request_decided',
	'a decided request is not opened again');
SELECT * FROM finish();
ROLLBACK;
