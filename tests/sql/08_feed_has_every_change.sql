-- Every change to a tunnel's data path reaches its PoP, numbered in order, whoever made it; nothing
-- else does.
BEGIN;
SET search_path = tap, public;
SELECT plan(52);
SELECT t.pop() AS pop \gset
SELECT t.pop('demo02', 2) AS pop2 \gset
SELECT t.account('DEMO', 1000) AS demo \gset
CREATE TEMP TABLE mark (seq bigint);
INSERT INTO mark SELECT feed_seq FROM t.popd_hello('demo01');
-- The changes of demo01 since the last call, as 'op id' with ids relative to the first tunnel.
CREATE FUNCTION pg_temp.changes() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	changes text;
	newest bigint;
BEGIN
	SELECT string_agg(c.op || coalesce(' ' || c.id - (SELECT min(id) FROM broker.tunnel), ''), ', ' ORDER BY c.seq),
		max(c.seq) INTO changes, newest
	FROM t.popd_changes('demo01', (SELECT seq FROM mark), 1000) c;
	UPDATE mark SET seq = coalesce(newest, seq);
	RETURN coalesce(changes, 'nothing');
END
$$;
SELECT is(pg_temp.changes(), 'nothing', 'there is nothing after the number that hello returned');
SELECT t.tunnel('DEMO', 'demo01', 'ayiya') AS t0 \gset
SELECT is(pg_temp.changes(), 'set 0', 'a new tunnel is a change');
SELECT t.tunnel('DEMO', 'demo01', 'static', '192.0.2.1') AS t1 \gset
SELECT t.tunnel('DEMO', 'demo02', 'ayiya') AS far \gset
SELECT is(pg_temp.changes(), 'set 1', 'a tunnel of another PoP is no change');
SELECT is((SELECT count(*)::int FROM t.popd_changes('demo02', 1, 10) WHERE id IS NOT NULL), 1,
	'it is a change for that PoP');

SELECT api.op_tunnel_set(:t1, 'endpoint', '192.0.2.2');
SELECT is(pg_temp.changes(), 'set 1', 'a moved endpoint is a change');
SELECT api.op_tunnel_set(:t0, 'mtu', '1400');
SELECT is(pg_temp.changes(), 'set 0', 'a new MTU is a change');
SELECT api.op_tunnel_set(:t0, 'type', 'heartbeat');
SELECT is(pg_temp.changes(), 'set 0', 'a new type is a change');
SELECT api.tic_tunnel_state(:demo, NULL, :t0, false);
SELECT is(pg_temp.changes(), 'set 0', 'a tunnel disabled by its user is a change');
SELECT api.op_tunnel_set(:t0, 'state', 'disabled');
SELECT is(pg_temp.changes(), 'nothing', 'disabling a disabled tunnel is no change');
SELECT api.tic_tunnel_state(:demo, NULL, :t0, true);
SELECT is(pg_temp.changes(), 'nothing', 'enabling one of two switches is no change');
SELECT api.op_tunnel_set(:t0, 'state', 'enabled');
SELECT is(pg_temp.changes(), 'set 0', 'enabling the other one is a change');
UPDATE broker.tunnel SET secret = md5('new') WHERE id = :t0;
SELECT is(pg_temp.changes(), 'set 0', 'a secret changed by hand is a change');
SELECT api.op_tunnel_set(:t0, 'name', 'no news');
SELECT is(pg_temp.changes(), 'nothing', 'a new name is no change');
UPDATE broker.tunnel SET mtu = mtu, secret = secret;
SELECT is(pg_temp.changes(), 'nothing', 'an update to the same values is no change');
SELECT t.subnet('DEMO', :t0) AS r0 \gset
SELECT is(pg_temp.changes(), 'set 0', 'a new subnet is a change of its tunnel');
UPDATE broker.subnet SET tunnel = :t1 WHERE id = :r0;
SELECT is(pg_temp.changes(), 'set 0, set 1', 'a subnet that changes its tunnel is a change of both');
SELECT is((SELECT array_agg(routes ORDER BY id) FROM t.popd_tunnels('demo01', 0, 10)),
	'{2001:db8:1:8000::/64,"2001:db8:1:8001::/64,2001:db8:1100::/48"}', 'the tunnels have the routes as they are now');
SELECT api.op_subnet_delete(:r0);
SELECT is(pg_temp.changes(), 'set 1', 'a deleted subnet is a change of its tunnel');
UPDATE broker.tunnel SET mtu = 1300;
SELECT is(pg_temp.changes(), 'set 0, set 1', 'a statement on many tunnels is a change of each');
SELECT t.tunnel('DEMO', 'demo01', 'ayiya') AS t3 \gset
SELECT api.op_tunnel_delete(:t3);
SELECT is(pg_temp.changes(), 'delete 3', 'a tunnel made and deleted in between is one deletion');
DELETE FROM broker.tunnel WHERE id = :t1;
SELECT is(pg_temp.changes(), 'delete 1', 'a tunnel deleted by hand is a change');

SELECT api.op_pop_enable('demo01', false);
SELECT is(pg_temp.changes(), 'pop', 'disabling a PoP is a change');
SELECT api.op_pop_enable('demo01', false);
SELECT is(pg_temp.changes(), 'nothing', 'disabling a disabled PoP is no change');
SELECT api.op_pop_set('demo01', 'ipv4', '198.51.100.99');
SELECT is(pg_temp.changes(), 'pop', 'a new address of a PoP is a change');
SELECT api.op_pop_set('demo01', 'city', 'Rotterdam');
SELECT is(pg_temp.changes(), 'nothing', 'a new city is no change');
SELECT api.op_pop_prefix_add('demo01', 'subnet', '2001:db8:f000::/40', NULL);
SELECT is(pg_temp.changes(), 'pop', 'a new prefix is a change');
SELECT is((SELECT subnet_prefixes FROM t.popd_hello('demo01')), '2001:db8:1100::/40,2001:db8:f000::/40',
	'hello returns the new prefix');
SELECT results_eq($$SELECT name, ipv4, ipv6, enabled, tunnel_prefixes FROM t.popd_hello('demo01')$$,
	$$VALUES ('demo01', '198.51.100.99', '2001:db8:0:ffff::1', false, '2001:db8:1::/48')$$, 'hello returns all there is to know of the PoP');
SELECT is((SELECT pop_addresses FROM t.popd_hello('demo01')), '198.51.100.99,198.51.100.3', 'hello returns the addresses of all PoPs');
SELECT t.pop('demo03', 3);
SELECT is(pg_temp.changes(), 'pop', 'a new PoP is a change for every other');
SELECT api.op_pop_set('demo03', 'ipv4', '198.51.100.98');
SELECT is(pg_temp.changes(), 'pop', 'a new address of another PoP is a change');
SELECT api.op_pop_set('demo03', 'ipv6', '2001:db8:77::1'), api.op_pop_enable('demo03', false);
SELECT is(pg_temp.changes(), 'nothing', 'what else changes of another PoP is none');
SELECT is((SELECT pop_addresses FROM t.popd_hello('demo01')), '198.51.100.99,198.51.100.3,198.51.100.98', 'hello returns disabled PoPs too');
SELECT api.op_pop_delete('demo03');
SELECT is(pg_temp.changes(), 'pop', 'a deleted PoP is a change for every other');
SELECT is((SELECT pop_addresses FROM t.popd_hello('demo01')), '198.51.100.99,198.51.100.3', 'hello returns it no more');

-- Numbers and pages.
SELECT api.op_pop_enable('demo01', true);
SELECT is(pg_temp.changes(), 'pop', 'enabling a PoP is a change');
SELECT t.tunnel('DEMO', 'demo01', 'ayiya') AS t4 \gset
SELECT t.tunnel('DEMO', 'demo01', 'ayiya') AS t5 \gset
SELECT api.op_tunnel_set(:t4, 'mtu', '1290');
SELECT results_eq('SELECT id FROM t.popd_changes(''demo01'', (SELECT seq FROM mark), 10)',
	format('VALUES (%s), (%s)', :t5, :t4), 'a tunnel has its newest number only');
SELECT results_eq('SELECT id FROM t.popd_changes(''demo01'', (SELECT seq FROM mark), 1)', format('VALUES (%s)', :t5),
	'a page has as many rows as asked');
SELECT is((SELECT max(seq) FROM t.popd_changes('demo01', (SELECT seq FROM mark), 10)),
	(SELECT feed_seq FROM t.popd_hello('demo01')), 'the last number is the one that hello returns');
SELECT is((SELECT array_agg(id) FROM t.popd_tunnels('demo01', :t0, 1)), ARRAY[:t4], 'pages of tunnels go by id');
SELECT is((SELECT array_agg(id) FROM t.popd_tunnels('demo01', NULL, NULL)), ARRAY[:t0, :t4, :t5], 'a page without a limit has all tunnels');
SELECT results_eq(format('SELECT type, prefix, endpoint, mtu, enabled, routes, secret FROM t.popd_tunnels(%L, %s, 1)',
	'demo01', :t0 - 1), format('VALUES (%L, %L, NULL::text, 1300, true, %L, %L)', 'heartbeat', '2001:db8:1::/64',
		'2001:db8:1:8000::/64', md5('new')), 'a PoP reads all that it needs of a tunnel');

-- Too far behind, or too far ahead.
SELECT results_eq('SELECT op, id FROM t.popd_changes(''demo01'', 1000000, 10)', $$VALUES ('reload', NULL::int)$$,
	'a number that was never given out means reload');
UPDATE broker.change SET at = now() - interval '8 days' WHERE pop = :pop AND tunnel IN (:t0, :t3, :t5);
SELECT seq AS old FROM broker.change WHERE pop = :pop AND tunnel = :t5 \gset
SELECT deleted AS pruned FROM api.prune() WHERE record = 'change of the feed' \gset
SELECT is(:pruned > 0, true, 'pruning counts the changes it deleted');
SELECT is((SELECT op FROM t.popd_changes('demo01', 0, 10)), 'reload', 'a number from before the changes that are kept means reload');
SELECT is((SELECT op FROM t.popd_changes('demo01', :old - 1, 10)), 'reload', 'the number just before them means reload');
SELECT results_eq(format('SELECT id FROM t.popd_changes(''demo01'', %s, 10)', :old), format('VALUES (%s)', :t4),
	'the number of the last deleted change gets the changes after it');
SELECT is((SELECT feed_seq FROM t.popd_hello('demo01')), :old + 1::bigint, 'pruning does not change the newest number');
SELECT is((SELECT count(*)::int FROM t.popd_changes('demo02', 0, 10) WHERE op <> 'reload'), 2,
	'pruning one PoP''s changes leaves another''s');
SELECT is_empty($$SELECT pop, seq FROM broker.change GROUP BY 1, 2 HAVING count(*) > 1$$, 'no number is given twice');
SELECT is(t.attack(format('UPDATE broker.feed SET pruned = seq + 1 WHERE pop = %s', :pop)), 'feed_check',
	'a PoP cannot be pruned beyond its newest number');
SELECT is(t.attack(format('INSERT INTO broker.change (pop, tunnel, seq) VALUES (%s, 0, 99)', :pop2)), 'change_pkey',
	'a tunnel has one row in the feed');
SELECT * FROM finish();
ROLLBACK;
