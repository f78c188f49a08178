-- No prefix is handed out twice: pools do not overlap, allocations do not overlap and stay inside
-- their pool, the lowest free prefix is next, deleted prefixes rest.
BEGIN;
SET search_path = tap, public;
SELECT plan(50);
SELECT t.pop() AS pop \gset
SELECT t.pop('demo02', 2) AS pop2 \gset
SELECT t.account('DEMO', 10000) AS demo \gset
SELECT id AS tpool FROM broker.pool WHERE pop = :pop AND kind = 'tunnel' \gset
SELECT id AS spool FROM broker.pool WHERE pop = :pop AND kind = 'subnet' \gset

-- Pools.
SELECT is(t.attack(format($$INSERT INTO broker.pool (pop, kind, prefix, length)
	VALUES (%s, 'subnet', '2001:db8:1100::/44', 48)$$, :pop2)), 'pool_overlap',
		'a pool inside another PoP''s is refused');
SELECT is(t.attack(format($$INSERT INTO broker.pool (pop, kind, prefix, length)
	VALUES (%s, 'subnet', '2001:db8::/32', 48)$$, :pop)), 'pool_overlap', 'a pool around one of the same PoP is refused');
SELECT is(t.attack(format($$INSERT INTO broker.pool (pop, kind, prefix, length)
	VALUES (%s, 'tunnel', '2001:db8:1::/48', 64)$$, :pop2)), 'pool_overlap', 'the same pool twice is refused');
SELECT is(t.attack(format($$INSERT INTO broker.pool (pop, kind, prefix, length)
	VALUES (%s, 'tunnel', '2001:db8:f::/47', 64)$$, :pop)) ~ 'cidr|pool_length|22P02', true, 'a tunnel pool with bits beyond its length is refused');
SELECT is(t.attack(format($$INSERT INTO broker.pool (pop, kind, prefix, length)
	VALUES (%s, 'tunnel', '2001:db8:e::/47', 64)$$, :pop)), 'pool_length', 'a tunnel pool that is no /48 is refused');
SELECT is(t.attack(format($$INSERT INTO broker.pool (pop, kind, prefix, length)
	VALUES (%s, 'subnet', '10.0.0.0/8', 48)$$, :pop)), 'pool_prefix_check', 'an IPv4 pool is refused');
SELECT is(t.attack(format($$UPDATE broker.pool SET pop = %s WHERE id = %s$$, :pop2, :tpool)), 'ok',
	'an empty pool may change its PoP');
UPDATE broker.pool SET pop = :pop WHERE id = :tpool;
SELECT is(t.refusal($$SELECT api.op_pop_prefix_add('demo02', 'subnet', '2001:db8:1180::/41', NULL)$$),
	'BK001 2001:db8:1180::/41 overlaps 2001:db8:1100::/40 of demo01.', 'the refusal names the pool that the new one overlaps');
SELECT is(t.refusal($$SELECT api.op_pop_prefix_add('demo02', 'tunnel', '2001:db8:80::/44', NULL)$$),
	'BK003 A prefix for tunnels is a /48, which is cut into /64s; 2001:db8:80::/44 is not.',
	'the refusal says that a tunnel pool is a /48');

-- Handing out.
SELECT t.tunnel() AS t0 \gset
SELECT t.tunnel() AS t1 \gset
SELECT t.tunnel() AS t2 \gset
SELECT results_eq(format('SELECT number, prefix, routed FROM broker.tunnel WHERE pop = %s ORDER BY id', :pop), $$VALUES
	(0, '2001:db8:1::/64'::cidr, '2001:db8:1:8000::/64'::cidr),
	(1, '2001:db8:1:1::/64', '2001:db8:1:8001::/64'),
	(2, '2001:db8:1:2::/64', '2001:db8:1:8002::/64')$$,
		'tunnels get the lowest numbers, and the /64 with the top bit set is routed to them');
SELECT t.subnet('DEMO', :t0) AS r0 \gset
SELECT t.subnet('DEMO', :t0) AS r1 \gset
SELECT t.subnet('DEMO', :t2) AS r2 \gset
SELECT results_eq('SELECT prefix FROM broker.subnet ORDER BY id',
	$$VALUES ('2001:db8:1100::/48'::cidr), ('2001:db8:1101::/48'), ('2001:db8:1102::/48')$$,
		'subnets get the lowest /48s');
SELECT is((SELECT count(*)::int FROM broker.allocation WHERE tunnel IS NOT NULL), 6, 'a tunnel holds two prefixes');

-- Attacks on the allocations.
CREATE FUNCTION pg_temp.steal(prefix text, kind text, owner text) RETURNS text LANGUAGE sql AS $$
	SELECT t.attack(format('INSERT INTO broker.allocation (prefix, pool, pop, kind, pool_prefix, %s) SELECT %L, l.id, l.pop, l.kind, l.prefix, %s
		FROM broker.pool l JOIN broker.pop p ON p.id = l.pop WHERE p.name = %L
			AND l.kind = %L', split_part(owner, '=', 1), prefix,
		split_part(owner, '=', 2), 'demo01', kind))
$$;
SELECT is(pg_temp.steal('2001:db8:1:1::/64', 'tunnel', 'tunnel=' || :t2), 'allocation_overlap',
	'an allocated prefix is not allocated again');
SELECT is(pg_temp.steal('2001:db8:1102:5::/64', 'subnet', 'subnet=' || :r0), 'allocation_overlap', 'a part of an allocated prefix is not allocated');
SELECT is(pg_temp.steal('2001:db8:1100::/44', 'subnet', 'subnet=' || :r0), 'allocation_overlap', 'a prefix around an allocated one is not allocated');
SELECT is(pg_temp.steal('2001:db8:2:1::/64', 'tunnel', 'tunnel=' || :t2), 'allocation_inside',
	'a prefix outside the pool is not allocated');
SELECT is(pg_temp.steal('2001:db8:1103::/48', 'subnet', 'tunnel=' || :t2), 'allocation_tunnel_kind',
	'a subnet prefix is not allocated to a tunnel');
SELECT is(pg_temp.steal('2001:db8:1:9::/64', 'tunnel', 'subnet=' || :r0), 'allocation_subnet_kind',
	'a tunnel prefix is not allocated to a subnet');
SELECT is(pg_temp.steal('2001:db8:1:7fff::/64', 'tunnel', 'tunnel=' || :t2), 'allocation_reserved',
	'number 7fff is not allocated');
SELECT is(pg_temp.steal('2001:db8:1:ffff::/64', 'tunnel', 'tunnel=' || :t2), 'allocation_reserved',
	'the /64 of the PoP itself is not allocated');
SELECT is(pg_temp.steal('2001:db8:1:40::/60', 'tunnel', 'tunnel=' || :t2), 'allocation_reserved',
	'a prefix of a tunnel pool is a /64');
SELECT is(pg_temp.steal('2001:db8:1103::/65', 'subnet', 'subnet=' || :r0), 'allocation_length',
	'no prefix is longer than a /64');
SELECT is(pg_temp.steal('2001:db8:1104::/48', 'subnet', 'subnet=999999'), 'allocation_subnet',
	'a prefix is not allocated to a subnet that does not exist');
SELECT is(t.attack(format($$INSERT INTO broker.allocation (prefix, pool, pop, kind, pool_prefix, subnet) VALUES
	('2001:db8:2150::/48', %s, %s, 'subnet', '2001:db8:2100::/40', %s)$$, :spool, :pop, :r0)), 'allocation_pool',
		'an allocation names the prefix of its own pool');
SELECT is(t.attack(format('UPDATE broker.allocation SET tunnel = %s WHERE tunnel = %s', :t1, :t0)), 'tunnel_prefix',
	'the prefix of one tunnel is not given to another');
SELECT is(t.attack(format('UPDATE broker.allocation SET tunnel = NULL, released_at = now() WHERE tunnel = %s', :t0)),
	'tunnel_prefix', 'the prefix of a tunnel is not set to rest');
SELECT is(t.attack(format('UPDATE broker.allocation SET released_at = now() WHERE tunnel = %s', :t0)),
	'allocation_owner', 'a prefix is not at rest and in use');
SELECT is(t.attack(format('DELETE FROM broker.allocation WHERE tunnel = %s AND prefix = %L', :t0,
	'2001:db8:1:8000::/64')), 'tunnel_routed', 'the routed prefix of a tunnel is not deleted');
SELECT is(t.attack(format('DELETE FROM broker.allocation WHERE subnet = %s', :r1)), 'subnet_prefix', 'the prefix of a subnet is not deleted');
SELECT is(t.attack(format('UPDATE broker.pool SET prefix = %L WHERE id = %s', '2001:db8:99::/48', :tpool)),
	'allocation_pool', 'a pool in use does not change its prefix');
SELECT is(t.attack(format('DELETE FROM broker.pool WHERE id = %s', :spool)), 'allocation_pool', 'a pool in use is not deleted');
SELECT is(t.attack(format('UPDATE broker.subnet SET tunnel = t.id, pop = t.pop FROM broker.tunnel t WHERE t.id = %s AND broker.subnet.id = %s', :t1, :r0)), 'ok',
	'a subnet may change its tunnel');
SELECT t.tunnel('DEMO', 'demo02') AS far \gset
SELECT is(t.attack(format('UPDATE broker.subnet SET tunnel = %s WHERE id = %s', :far, :r0)), 'subnet_tunnel',
	'a subnet may not change its PoP');
UPDATE broker.subnet SET tunnel = :t0 WHERE id = :r0;

-- Rest.
SELECT api.op_subnet_delete(:r1);
SELECT api.op_tunnel_delete(:t1);
SELECT is((SELECT count(*)::int FROM broker.allocation WHERE pop = :pop AND released_at = now()), 3,
	'deleted prefixes rest, the routed /64 included');
SELECT t.tunnel() AS t3 \gset
SELECT t.subnet('DEMO', :t0) AS r3 \gset
SELECT is((SELECT prefix FROM broker.tunnel WHERE id = :t3), '2001:db8:1:3::/64',
	'a resting tunnel prefix is not handed out');
SELECT is((SELECT prefix FROM broker.subnet WHERE id = :r3), '2001:db8:1103::/48', 'a resting subnet prefix is not handed out');
SELECT is(pg_temp.steal('2001:db8:1101::/48', 'subnet', 'subnet=' || :r0), 'allocation_overlap', 'a resting prefix is not allocated by hand');
UPDATE broker.allocation SET released_at = now() - interval '29 days 23 hours' WHERE released_at IS NOT NULL;
SELECT t.tunnel() AS t4 \gset
SELECT is((SELECT number FROM broker.tunnel WHERE id = :t4), 4, 'a prefix still rests on the thirtieth day');
UPDATE broker.allocation SET released_at = now() - interval '30 days' WHERE released_at IS NOT NULL;
SELECT t.tunnel() AS t5 \gset
SELECT is((SELECT number FROM broker.tunnel WHERE id = :t5), 1, 'after thirty days the prefix is the lowest free one');
SELECT t.subnet('DEMO', :t0) AS r4 \gset
SELECT is((SELECT prefix FROM broker.subnet WHERE id = :r4), '2001:db8:1101::/48', 'the subnet prefix is the lowest free one as well');
SELECT t.tunnel() AS t6 \gset
SELECT is((SELECT number FROM broker.tunnel WHERE id = :t6), 5, 'the next tunnel gets the lowest number that is left');
SELECT api.op_setting_set('prefix_rest_days', 0);
SELECT api.op_tunnel_delete(:t3);
SELECT t.tunnel() AS t7 \gset
SELECT is((SELECT number FROM broker.tunnel WHERE id = :t7), 3, 'how long a prefix rests is a setting');
SELECT is(:t7 > :t6, true, 'the id of a tunnel is never used again, only its prefix');
SELECT is(t.attack(format('DELETE FROM broker.tunnel WHERE id = %s', :t0)), 'subnet_tunnel',
	'a tunnel with subnets cannot be deleted by hand');
SELECT is(t.attack(format('DELETE FROM broker.tunnel WHERE id = %s', :t7)), 'ok', 'a tunnel without subnets can be deleted by hand');
SELECT is((SELECT count(*)::int FROM broker.allocation WHERE released_at = now()
	AND prefix IN ('2001:db8:1:3::/64', '2001:db8:1:8003::/64')), 2,
	'the prefixes of a tunnel deleted by hand rest');

-- Full pools, and pools of other sizes.
SELECT api.op_pop_prefix_add('demo02', 'subnet', '2001:db8:f000::/47', 48);
UPDATE broker.pool SET length = 40 WHERE pop = :pop2 AND prefix = '2001:db8:1200::/40';
SELECT t.subnet('DEMO', :far) AS s1 \gset
SELECT t.subnet('DEMO', :far) AS s2 \gset
SELECT t.subnet('DEMO', :far) AS s3 \gset
SELECT results_eq(format('SELECT prefix FROM broker.subnet WHERE pop = %s ORDER BY id', :pop2),
	$$VALUES ('2001:db8:1200::/40'::cidr), ('2001:db8:f000::/48'), ('2001:db8:f001::/48')$$,
		'when a pool is full the next one is used');
SELECT is(t.refusal(format($$SELECT t.subnet('DEMO', %s)$$, :far)), 'BK001 demo02 has no free subnet prefix.',
	'when all pools are full the request is refused');
SELECT api.op_pop_prefix_add('demo02', 'subnet', '2001:db8:f010::/44', 56);
SELECT t.subnet('DEMO', :far) AS s4 \gset
SELECT is((SELECT prefix FROM broker.subnet WHERE id = :s4), '2001:db8:f010::/56', 'a pool may have subnets of another length');
UPDATE broker.pool SET length = 52 WHERE prefix = '2001:db8:f010::/44';
SELECT t.subnet('DEMO', :far) AS s5 \gset
UPDATE broker.pool SET length = 56 WHERE prefix = '2001:db8:f010::/44';
SELECT t.subnet('DEMO', :far) AS s6 \gset
SELECT results_eq(format('SELECT prefix FROM broker.subnet WHERE id >= %s ORDER BY id', :s5),
	$$VALUES ('2001:db8:f010:1000::/52'::cidr), ('2001:db8:f010:100::/56')$$,
		'after a change of the length the lowest free block that fits is next');
SELECT * FROM finish();
ROLLBACK;
