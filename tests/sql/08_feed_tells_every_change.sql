-- Whatever changes the data path of a tunnel reaches its PoP, by whatever road, numbered in order; nothing else does.
BEGIN;
SET search_path = tap, public;
SELECT plan(45);
SELECT t.pop() AS pop \gset
SELECT t.pop('demo02', 2) AS pop2 \gset
SELECT t.account('DEMO', 1000) AS demo \gset
CREATE TEMP TABLE mark (seq bigint);
INSERT INTO mark SELECT feed_seq FROM api.popd_hello('demo01');
-- What demo01 hears of since it last listened, as 'op id' with ids relative to the first tunnel; moves the mark.
CREATE FUNCTION pg_temp.heard() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
	newest bigint;
BEGIN
	SELECT string_agg(c.op || coalesce(' ' || c.id - (SELECT min(id) FROM broker.tunnel), ''), ', ' ORDER BY c.seq),
		max(c.seq) INTO said, newest
	FROM api.popd_changes('demo01', (SELECT seq FROM mark), 1000) c;
	UPDATE mark SET seq = coalesce(newest, seq);
	RETURN coalesce(said, 'nothing');
END
$$;
SELECT is(pg_temp.heard(), 'nothing', 'at the number of hello there is nothing to hear');
SELECT t.tunnel('DEMO', 'demo01', 'ayiya') AS t0 \gset
SELECT is(pg_temp.heard(), 'set 0', 'a new tunnel');
SELECT t.tunnel('DEMO', 'demo01', 'static', '192.0.2.1') AS t1 \gset
SELECT t.tunnel('DEMO', 'demo02', 'ayiya') AS far \gset
SELECT is(pg_temp.heard(), 'set 1', 'not another PoP''s');
SELECT is((SELECT count(*)::int FROM api.popd_changes('demo02', 1, 10) WHERE id IS NOT NULL), 1,
	'which that one hears');

SELECT api.op_tunnel_set(:t1, 'endpoint', '192.0.2.2');
SELECT is(pg_temp.heard(), 'set 1', 'a moved endpoint');
SELECT api.op_tunnel_set(:t0, 'mtu', '1400');
SELECT is(pg_temp.heard(), 'set 0', 'an MTU');
SELECT api.op_tunnel_set(:t0, 'type', 'heartbeat');
SELECT is(pg_temp.heard(), 'set 0', 'a type');
SELECT api.tic_tunnel_state(:demo, NULL, :t0, false);
SELECT is(pg_temp.heard(), 'set 0', 'the user''s switch');
SELECT api.op_tunnel_set(:t0, 'state', 'disabled');
SELECT is(pg_temp.heard(), 'nothing', 'not the staff''s, when the tunnel is disabled already');
SELECT api.tic_tunnel_state(:demo, NULL, :t0, true);
SELECT is(pg_temp.heard(), 'nothing', 'nor the user''s, while the staff''s is off');
SELECT api.op_tunnel_set(:t0, 'state', 'enabled');
SELECT is(pg_temp.heard(), 'set 0', 'but when it is enabled at last');
UPDATE broker.tunnel SET secret = md5('new') WHERE id = :t0;
SELECT is(pg_temp.heard(), 'set 0', 'a secret, even changed by hand');
SELECT api.op_tunnel_set(:t0, 'name', 'no news');
SELECT is(pg_temp.heard(), 'nothing', 'a name is no business of the PoP');
UPDATE broker.tunnel SET mtu = mtu, secret = secret;
SELECT is(pg_temp.heard(), 'nothing', 'nor is a change to the same');
SELECT t.subnet('DEMO', :t0) AS r0 \gset
SELECT is(pg_temp.heard(), 'set 0', 'a new subnet is news of its tunnel');
UPDATE broker.subnet SET tunnel = :t1 WHERE id = :r0;
SELECT is(pg_temp.heard(), 'set 0, set 1', 'one that changes tunnels, of both');
SELECT is((SELECT array_agg(routes ORDER BY id) FROM api.popd_tunnels('demo01', 0, 10)),
	'{2001:db8:1:8000::/64,"2001:db8:1:8001::/64,2001:db8:1100::/48"}', 'with the routes as they are now');
SELECT api.op_subnet_delete(:r0);
SELECT is(pg_temp.heard(), 'set 1', 'a deleted subnet');
UPDATE broker.tunnel SET mtu = 1300;
SELECT is(pg_temp.heard(), 'set 0, set 1', 'a statement about many tunnels');
SELECT t.tunnel('DEMO', 'demo01', 'ayiya') AS t3 \gset
SELECT api.op_tunnel_delete(:t3);
SELECT is(pg_temp.heard(), 'delete 3', 'a tunnel made and deleted since is only deleted');
DELETE FROM broker.tunnel WHERE id = :t1;
SELECT is(pg_temp.heard(), 'delete 1', 'a tunnel deleted by hand');

SELECT api.op_pop_enable('demo01', false);
SELECT is(pg_temp.heard(), 'pop', 'a PoP that is disabled');
SELECT api.op_pop_enable('demo01', false);
SELECT is(pg_temp.heard(), 'nothing', 'not twice');
SELECT api.op_pop_set('demo01', 'ipv4', '198.51.100.99');
SELECT is(pg_temp.heard(), 'pop', 'a new address');
SELECT api.op_pop_set('demo01', 'city', 'Rotterdam');
SELECT is(pg_temp.heard(), 'nothing', 'not a new city');
SELECT api.op_pop_prefix_add('demo01', 'subnet', '2001:db8:f000::/40', NULL);
SELECT is(pg_temp.heard(), 'pop', 'a new prefix');
SELECT is((SELECT subnet_prefixes FROM api.popd_hello('demo01')), '2001:db8:1100::/40,2001:db8:f000::/40',
	'which hello then names');
SELECT results_eq($$SELECT name, ipv4, ipv6, enabled, tunnel_prefixes FROM api.popd_hello('demo01')$$,
	$$VALUES ('demo01', '198.51.100.99', '2001:db8:0:ffff::1', false, '2001:db8:1::/48')$$, 'with everything else');
SELECT is(t.refusal($$SELECT api.popd_hello('nowhere1')$$), 'BK002 There is no PoP nowhere1.',
	'an unknown PoP is told so');

-- Numbers and pages.
SELECT api.op_pop_enable('demo01', true);
SELECT is(pg_temp.heard(), 'pop', 'a PoP that is enabled again');
SELECT t.tunnel('DEMO', 'demo01', 'ayiya') AS t4 \gset
SELECT t.tunnel('DEMO', 'demo01', 'ayiya') AS t5 \gset
SELECT api.op_tunnel_set(:t4, 'mtu', '1290');
SELECT results_eq('SELECT id FROM api.popd_changes(''demo01'', (SELECT seq FROM mark), 10)',
	format('VALUES (%s), (%s)', :t5, :t4), 'a tunnel stands at its newest number only');
SELECT results_eq('SELECT id FROM api.popd_changes(''demo01'', (SELECT seq FROM mark), 1)', format('VALUES (%s)', :t5),
	'a page holds as many as asked');
SELECT is((SELECT max(seq) FROM api.popd_changes('demo01', (SELECT seq FROM mark), 10)),
	(SELECT feed_seq FROM api.popd_hello('demo01')), 'the last number is the one of hello');
SELECT is((SELECT array_agg(id) FROM api.popd_tunnels('demo01', :t0, 1)), ARRAY[:t4], 'pages of tunnels go by id');
SELECT is((SELECT array_agg(id) FROM api.popd_tunnels('demo01', NULL, NULL)), ARRAY[:t0, :t4, :t5], 'all at once too');
SELECT results_eq(format('SELECT type, prefix, endpoint, mtu, enabled, routes, secret FROM api.popd_tunnels(%L, %s, 1)',
	'demo01', :t0 - 1), format('VALUES (%L, %L, NULL::text, 1300, true, %L, %L)', 'heartbeat', '2001:db8:1::/64',
		'2001:db8:1:8000::/64', md5('new')), 'a tunnel as a PoP sees it');

-- Too far behind, or too far ahead.
SELECT results_eq('SELECT op, id FROM api.popd_changes(''demo01'', 1000000, 10)', $$VALUES ('reload', NULL::int)$$,
	'a number nobody gave out: reload');
UPDATE broker.change SET at = now() - interval '8 days' WHERE pop = :pop AND tunnel IN (:t0, :t3, :t5);
SELECT seq AS old FROM broker.change WHERE pop = :pop AND tunnel = :t5 \gset
SELECT broker.feed_prune();
SELECT is((SELECT op FROM api.popd_changes('demo01', 0, 10)), 'reload', 'from before what is kept: reload');
SELECT is((SELECT op FROM api.popd_changes('demo01', :old - 1, 10)), 'reload', 'by one as well');
SELECT results_eq(format('SELECT id FROM api.popd_changes(''demo01'', %s, 10)', :old), format('VALUES (%s)', :t4),
	'at the edge of what is kept: the rest');
SELECT is((SELECT feed_seq FROM api.popd_hello('demo01')), :old + 1::bigint, 'and numbers go on from where they were');
SELECT is((SELECT count(*)::int FROM api.popd_changes('demo02', 0, 10) WHERE op <> 'reload'), 2,
	'another PoP''s log is its own');
SELECT is_empty($$SELECT pop, seq FROM broker.change GROUP BY 1, 2 HAVING count(*) > 1$$, 'no number is given twice');
SELECT is(t.attack(format('UPDATE broker.feed SET pruned = seq + 1 WHERE pop = %s', :pop)), 'feed_check',
	'nothing is forgotten before it is told');
SELECT is(t.attack(format('INSERT INTO broker.change (pop, tunnel, seq) VALUES (%s, 0, 99)', :pop2)), 'change_pkey',
	'a tunnel has one row');
SELECT * FROM finish();
ROLLBACK;
