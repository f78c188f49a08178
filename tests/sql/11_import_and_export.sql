-- A PoP is imported from a configuration file and exported the same. When a line is bad it is named
-- and nothing is imported.
BEGIN;
SET search_path = tap, public;
SELECT plan(52);
SELECT t.pop() AS pop \gset
SELECT t.pop('demo02', 2) AS pop2 \gset
SELECT t.account('OWNER', 0) AS owner \gset
SELECT t.account('DEMO', 1000) AS demo \gset
CREATE FUNCTION pg_temp.import(tunnels text[], routes text[] DEFAULT '{}', pop text DEFAULT 'demo01')
	RETURNS text LANGUAGE sql AS $$
	-- The lines of an export, each with its number in the file: tunnels from 1, routes from 101.
	WITH tunnel AS (SELECT n::int AS line, string_to_array(l, ' ') AS w
		FROM unnest(tunnels) WITH ORDINALITY AS u (l, n)),
	route AS (SELECT 100 + n::int AS line, string_to_array(l, ' ') AS w FROM unnest(routes) WITH ORDINALITY AS u (l, n))
	SELECT message FROM api.op_import('owner', pop, ARRAY(SELECT line FROM tunnel ORDER BY 1),
		ARRAY(SELECT ('x' || lpad(w[2], 8, '0'))::bit(32)::int FROM tunnel ORDER BY line),
		ARRAY(SELECT substr(w[3], 2)::int FROM tunnel ORDER BY line),
			ARRAY(SELECT CASE WHEN w[4] ~ '^[ah]' THEN w[4] ELSE 'static' END FROM tunnel ORDER BY line),
				ARRAY(SELECT w[5] = 'up' FROM tunnel ORDER BY line), ARRAY(SELECT w[6]::int FROM tunnel ORDER BY line),
					ARRAY(SELECT w[7] FROM tunnel ORDER BY line),
		ARRAY(SELECT CASE WHEN w[4] !~ '^[ah]' THEN w[4]::inet END FROM tunnel ORDER BY line),
		ARRAY(SELECT line FROM route ORDER BY line), ARRAY(SELECT w[2]::cidr FROM route ORDER BY line),
		ARRAY(SELECT ('x' || lpad(w[3], 8, '0'))::bit(32)::int FROM route ORDER BY line))
$$;
CREATE FUNCTION pg_temp.refused(tunnels text[], routes text[] DEFAULT '{}', pop text DEFAULT 'demo01')
	RETURNS text LANGUAGE sql AS $$
	SELECT t.refusal(format('SELECT pg_temp.import(%L::text[], %L::text[], %L)', tunnels, routes, pop))
$$;
\set s1 '0123456789abcdef0123456789abcdef'
\set s2 'fedcba9876543210fedcba9876543210'
SELECT ARRAY['config 3 T15039 ayiya up 1428 ' || :'s1', 'config 7ffe T22555 heartbeat disabled 1280 ' || :'s2',
	'config 1f T4141 192.0.2.7 up 1480 ' || :'s1'] AS tunnels,
		ARRAY['config 2001:db8:1155::/48 3 static', 'config 2001:db8:1100::/56 1f static',
			'config 2001:db8:1:801f::/64 1f static'] AS routes \gset

SELECT is(pg_temp.import(:'tunnels', :'routes'), 'imported 3 tunnels and 2 subnets to demo01 for OWNER',
	'tunnels and subnets are imported');
SELECT is(t.balance('OWNER'), 0, 'an import costs nothing');
SELECT results_eq('SELECT line FROM api.op_export(''demo01'')', $$VALUES
	('config 1f T4141 192.0.2.7 up 1480 0123456789abcdef0123456789abcdef'),
	('config 3 T15039 ayiya up 1428 0123456789abcdef0123456789abcdef'),
		('config 7ffe T22555 heartbeat disabled 1280 fedcba9876543210fedcba9876543210'),
	('config 2001:db8:1155::/48 3 static'), ('config 2001:db8:1100::/56 1f static')$$,
	'the export has the same ids, numbers, secrets and states, and leaves out the default routed /64');
SELECT results_eq('SELECT id, prefix, routes, enabled FROM t.popd_tunnels(''demo01'', 0, 10)', $$VALUES
	(4141, '2001:db8:1:1f::/64', '2001:db8:1:801f::/64,2001:db8:1100::/56', true),
	(15039, '2001:db8:1:3::/64', '2001:db8:1:8003::/64,2001:db8:1155::/48', true),
	(22555, '2001:db8:1:7ffe::/64', '2001:db8:1:fffe::/64', false)$$, 'the PoP reads the imported tunnels');
SELECT is((SELECT count(*)::int FROM t.popd_changes('demo01', 0, 100) WHERE op = 'set'), 3, 'the feed has every imported tunnel');
SELECT is((SELECT admin_state FROM api.tic_tunnel_show(:owner, NULL, 22555)), 'disabled',
	'a tunnel that is disabled in the file is disabled by the staff');
SELECT t.tunnel() AS next \gset
SELECT is(:next > 22555, true, 'a new tunnel gets an id above the imported ones');
SELECT is((SELECT number FROM broker.tunnel WHERE id = :next), 0, 'a new tunnel gets the lowest free number');
SELECT t.tunnel(), t.tunnel(), t.tunnel() AS fourth \gset
SELECT is((SELECT number FROM broker.tunnel WHERE id = :fourth), 4, 'new tunnels get the numbers between the imported ones');
SELECT t.subnet('DEMO', :next) AS sub \gset
SELECT is((SELECT prefix FROM broker.subnet WHERE id = :sub), '2001:db8:1101::/48',
	'a new subnet gets the lowest free /48 beside an imported /56');

SELECT is(pg_temp.import('{config 8 T30000 192.0.2.8 up 1280}', '{}'),
	'imported 1 tunnels and 0 subnets to demo01 for OWNER', 'a static tunnel needs no secret');
SELECT matches((SELECT secret FROM broker.tunnel WHERE id = 30000), '^[0-9a-f]{32}$', 'a static tunnel without a secret gets one');
SELECT is(pg_temp.import('{}', '{config 2001:db8:1160::/48 8 static}'),
	'imported 0 tunnels and 1 subnets to demo01 for OWNER', 'a subnet may be imported later');
SELECT is(pg_temp.import('{}', '{}'), 'imported 0 tunnels and 0 subnets to demo01 for OWNER',
	'an empty file is imported');
SELECT is((SELECT last_value FROM broker.tunnel_id), 30000::bigint, 'the next id is above the highest imported one');
SELECT is(pg_temp.import('{config 9 T100 192.0.2.8 up 1280}', '{}'),
	'imported 1 tunnels and 0 subnets to demo01 for OWNER', 'an id below the highest is imported');
SELECT is((SELECT last_value FROM broker.tunnel_id), 30000::bigint, 'a low id does not lower the next one');

-- A second tunnel prefix: numbers above ffff.
SELECT api.op_pop_prefix_add('demo02', 'tunnel', '2001:db8:3::/48', NULL);
SELECT is(pg_temp.import(ARRAY['config 5 T200 ayiya up 1280 ' || :'s1', 'config 10005 T201 ayiya up 1280 ' || :'s1'],
	'{config 2001:db8:1200::/48 10005 static}', 'demo02'), 'imported 2 tunnels and 1 subnets to demo02 for OWNER',
		'numbers of a second tunnel prefix are above ffff');
SELECT results_eq('SELECT line FROM api.op_export(''demo02'')',
	format($$VALUES ('config 5 T200 ayiya up 1280 %s'), ('config 10005 T201 ayiya up 1280 %1$s'),
		('config 2001:db8:1200::/48 10005 static')$$, :'s1'), 'numbers of a second tunnel prefix are exported as they were imported');
SELECT is((SELECT prefix FROM broker.tunnel WHERE id = 201), '2001:db8:3:5::/64', 'such a tunnel is in the second prefix');

-- Bad lines.
SELECT count(*) AS before FROM broker.tunnel \gset
SELECT is(pg_temp.refused(ARRAY['config a0 T501 192.0.2.1 up 1280', bad]), 'BK003 line 2: ' || why, why) FROM (VALUES
	('config a1 T501 192.0.2.1 up 1280', NULL), ('config a0 T502 192.0.2.1 up 1280', NULL),
	('config a1 T100 192.0.2.1 up 1280', 'there is already a tunnel T100'),
	('config a1 T0 192.0.2.1 up 1280', 'the id of a tunnel is a whole number of 1 or more'),
	('config 9 T502 192.0.2.1 up 1280', '2001:db8:1:9::/64 belongs to T100'),
	('config 7fff T502 192.0.2.1 up 1280', 'number 7fff is above 7ffe, the highest of a tunnel'),
	('config 8001 T502 192.0.2.1 up 1280', 'number 8001 is above 7ffe, the highest of a tunnel'),
	('config 10001 T502 192.0.2.1 up 1280', 'the PoP has no tunnel prefix for number 10001'),
	('config a1 T502 127.0.0.1 up 1280', '127.0.0.1 cannot be the endpoint of a tunnel'),
	('config a1 T502 198.51.100.2 up 1280', '198.51.100.2 is the PoP itself'),
	('config a1 T502 192.0.2.1 up 1500', 'the MTU of a tunnel of type static is 1280 to 1480'),
	('config a1 T502 ayiya up 1480 ' || :'s1', 'the MTU of a tunnel of type ayiya is 1280 to 1428'),
	('config a1 T502 ayiya up 1280 secret', 'a secret is 32 lower-case hexadecimal digits'),
	('config a1 T502 ayiya up 1280', 'a secret is 32 lower-case hexadecimal digits')) bad (bad, why)
		WHERE why IS NOT NULL;
SELECT is(pg_temp.refused('{config a0 T501 192.0.2.1 up 1280,config a1 T501 192.0.2.1 up 1280}'),
	'BK003 line 1: the file has T501 more than once', 'an id twice in the file is refused');
SELECT is(pg_temp.refused('{config a0 T501 192.0.2.1 up 1280,config a0 T502 192.0.2.1 up 1280}'),
	'BK003 line 1: the file has number a0 more than once', 'a number twice in the file is refused');
SELECT is(pg_temp.refused('{config a0 T501 192.0.2.1 up 1280}', ARRAY['config 2001:db8:1170::/48 a0 static', bad]),
	'BK003 line 102: ' || why, why) FROM (VALUES
	('config 2001:db8:1171::/48 a1 static', 'no tunnel of this account on this PoP has that number'),
	('config 2001:db8:1171::/48 0 static', 'no tunnel of this account on this PoP has that number'),
	('config 2001:db8:1171::/65 a0 static', '2001:db8:1171::/65 is longer than a /64'),
	('config 2001:db8:1201::/48 a0 static', '2001:db8:1201::/48 is in none of the PoP''s prefixes for subnets'),
	('config 2001:db8:1::/64 a0 static', '2001:db8:1::/64 is in none of the PoP''s prefixes for subnets'),
	('config 2001:db8:1170:1::/64 a0 static', '2001:db8:1170:1::/64 overlaps 2001:db8:1170::/48 in the file'),
	('config 2001:db8:1155:1::/64 a0 static', '2001:db8:1155:1::/64 is in use or at rest'),
	('config 2001:db8:1150::/44 a0 static', '2001:db8:1150::/44 is in use or at rest')) bad (bad, why);
SELECT is((SELECT count(*) FROM broker.tunnel), :before::bigint, 'with a bad line nothing is imported');
SELECT api.op_tunnel_delete(100);
SELECT matches(pg_temp.refused('{config 9 T100 192.0.2.8 up 1280}'),
	'^BK003 line 1: 2001:db8:1:9::/64 is at rest: its tunnel was deleted at 20', 'a prefix at rest is not imported');
UPDATE broker.allocation SET released_at = now() - interval '31 days' WHERE released_at IS NOT NULL;
SELECT is(pg_temp.import('{config 9 T100 192.0.2.8 up 1280}'), 'imported 1 tunnels and 0 subnets to demo01 for OWNER',
	'a prefix that has rested long enough is imported');
SELECT is(t.refusal($$SELECT api.op_import('nobody', 'demo01', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
	'{}', '{}')$$), 'BK002 There is no account NOBODY.', 'an unknown owner is refused');

-- Ten thousand tunnels.
SELECT api.op_pop_add('big01', '203.0.113.1', '2a00::1', '2a00:1::/48', '2a01::/32', NULL, NULL, NULL, NULL, NULL, NULL,
	NULL);
CREATE TEMP TABLE file AS SELECT i, i * 3 AS number, 100000 + i AS id,
	(ARRAY['ayiya', 'heartbeat', 'static'])[1 + i % 3] AS type, i % 7 <> 0 AS up, 1280 + i % 100 AS mtu,
		md5(i::text) AS secret, CASE WHEN i % 3 = 2 THEN '10.0.0.0'::inet + i END AS endpoint
			FROM generate_series(0, 9999) i;
SELECT clock_timestamp() AS begun \gset
SELECT is((SELECT message FROM api.op_import('owner', 'big01', ARRAY(SELECT i FROM file ORDER BY i),
	ARRAY(SELECT number FROM file ORDER BY i), ARRAY(SELECT id FROM file ORDER BY i),
	ARRAY(SELECT type FROM file ORDER BY i), ARRAY(SELECT up FROM file ORDER BY i),
		ARRAY(SELECT mtu FROM file ORDER BY i), ARRAY(SELECT secret FROM file ORDER BY i),
			ARRAY(SELECT endpoint FROM file ORDER BY i), ARRAY(SELECT 10000 + i FROM file ORDER BY i),
	ARRAY(SELECT ('2a01:0:' || to_hex(i) || '::/48')::cidr FROM file ORDER BY i),
		ARRAY(SELECT number FROM file ORDER BY i))),
	'imported 10000 tunnels and 10000 subnets to big01 for OWNER', 'ten thousand tunnels and as many subnets are imported');
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
SELECT diag(format('10,000 tunnels and 10,000 subnets imported and checked in %s s',
	round(extract(epoch FROM clock_timestamp() - :'begun'), 2)));
SELECT clock_timestamp() AS begun \gset
SELECT is((SELECT array_agg(line) FROM api.op_export('big01')),
	ARRAY(SELECT format('config %s T%s %s %s %s %s', to_hex(number), id, coalesce(host(endpoint), type), CASE WHEN up
		THEN 'up' ELSE 'disabled' END, mtu, secret) FROM file ORDER BY i)
			|| ARRAY(SELECT format('config %s %s static', ('2a01:0:' || to_hex(i) || '::/48')::cidr,
	to_hex(number)) FROM file ORDER BY i), 'they are exported line for line as they were imported');
SELECT diag(format('exported in %s s', round(extract(epoch FROM clock_timestamp() - :'begun'), 2)));
SELECT clock_timestamp() AS begun \gset
SELECT is((SELECT count(*)::int FROM t.popd_tunnels('big01', 0, 100000)), 10000, 'the PoP reads them all');
SELECT diag(format('read by the PoP in %s s', round(extract(epoch FROM clock_timestamp() - :'begun'), 2)));
SELECT clock_timestamp() AS begun \gset
SELECT is((SELECT count(*)::int FROM t.popd_changes('big01', 0, 100000) WHERE op = 'set'), 10000,
	'the feed has a change of each');
SELECT diag(format('read from its feed in %s s', round(extract(epoch FROM clock_timestamp() - :'begun'), 2)));
SELECT clock_timestamp() AS begun \gset
SELECT t.tunnel('DEMO', 'big01') AS t1 \gset
SELECT t.tunnel('DEMO', 'big01') AS t2 \gset
SELECT is((SELECT array_agg(number ORDER BY id) FROM broker.tunnel WHERE id IN (:t1, :t2)), '{1,2}',
	'new tunnels get the lowest free numbers');
SELECT t.day(id, '2025-01-01', i % 2 = 0) FROM file;
SELECT clock_timestamp() AS begun \gset
SELECT is((SELECT count(*)::int FROM api.isk_daily('2025-01-02')),
	(SELECT count(*)::int FROM file WHERE type = 'static' AND up AND i % 2 = 1), 'the daily job judges them all');
SELECT diag(format('10,000 tunnels judged in %s s', round(extract(epoch FROM clock_timestamp() - :'begun'), 2)));
SELECT * FROM finish();
ROLLBACK;
