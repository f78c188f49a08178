-- A static tunnel ends at no PoP, its own or another, enabled or not; and no tunnel stands in the way
-- of a PoP that takes its endpoint's address.
BEGIN;
SET search_path = tap, public;
SELECT * FROM no_plan();
SELECT t.pop(), t.pop('demo02', 2), t.pop('demo03', 3);
SELECT api.op_pop_enable('demo03', false);
SELECT t.account('DEMO', 1000) AS demo \gset
SELECT t.tunnel('DEMO', 'demo01', 'static', '192.0.2.1') AS t1 \gset
SELECT t.tunnel('DEMO', 'demo02', 'static', '192.0.2.1') AS t2 \gset
SELECT t.tunnel('DEMO', 'demo02', 'static', '192.0.2.2') AS t3 \gset
SELECT t.tunnel('DEMO', 'demo01', 'ayiya') AS t4 \gset

-- Every door that takes an endpoint.
CREATE TEMP TABLE refused AS SELECT p.name, host(p.ipv4) AS address, CASE p.name
	WHEN 'demo01' THEN format('BK003 %s is the PoP itself and cannot be the endpoint of its tunnel.', host(p.ipv4))
	ELSE format('BK003 %s is the PoP %s and cannot be the endpoint of a tunnel.', host(p.ipv4), p.name) END AS sentence FROM broker.pop p;
SELECT is(t.refusal(format('SELECT api.tic_tunnel_endpoint(%s, NULL, %s, %L)', :demo, :t1, r.address)), r.sentence, 'a user cannot move an endpoint to ' || r.name) FROM refused r;
SELECT is(t.refusal(format('SELECT api.op_tunnel_set(%s, ''endpoint'', %L)', :t1, r.address)), r.sentence, 'the operator cannot move one to ' || r.name) FROM refused r;
SELECT is(t.refusal(format('SELECT api.op_tunnel_set(%s, ''type'', ''static %s'')', :t4, r.address)), r.sentence, 'a tunnel cannot become static at ' || r.name) FROM refused r;
SELECT is(t.refusal(format('SELECT api.op_tunnel_request(''demo'', ''demo01'', ''static'', %L, NULL)', r.address)), r.sentence, 'no tunnel is requested at ' || r.name) FROM refused r;
SELECT alike(t.refusal(format('SELECT api.op_import(''demo'', ''demo01'', ''{1}'', ''{99}'', ''{99}'', ''{static}'', ''{true}'', ''{1280}'', ARRAY[md5(''x'')], ARRAY[%L::inet], ''{}'', ''{}'', ''{}'')', r.address)),
	'BK003 line 1: ' || r.address || ' is the PoP %', 'none is imported at ' || r.name) FROM refused r;
SELECT is(t.attack(format('UPDATE broker.tunnel SET endpoint = %L WHERE id = %s', r.address, :t1)), 'tunnel_endpoint_not_pop', 'the owner of the tables cannot set it to ' || r.name) FROM refused r;

-- A PoP comes where tunnels end.
SELECT api.tic_tunnel_state(:demo, NULL, :t2, false);
SELECT feed_seq AS seq1 FROM t.popd_hello('demo01') \gset
SELECT feed_seq AS seq2 FROM t.popd_hello('demo02') \gset
SELECT request AS early FROM api.op_tunnel_request('demo', 'demo01', 'static', '192.0.2.1', NULL) \gset
SELECT is((SELECT message FROM api.op_pop_add('demo04', '192.0.2.1', '2001:db8::4', '2001:db8:4::/48', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)),
	format('added demo04: tunnels from 2001:db8:4::/48, no subnets; disabled T%s, T%s, which ended there', :t1, :t2), 'a new PoP disables the tunnels that end at its address and names them');
SELECT is((SELECT array_agg(t.id ORDER BY t.id) FROM broker.tunnel t WHERE NOT t.admin_enabled), ARRAY[:t1, :t2], 'they are disabled, also the one that its user had disabled');
SELECT results_eq(format('SELECT op, id, enabled FROM t.popd_changes(''demo01'', %s, 10) ORDER BY op', :seq1), format('VALUES (''pop'', NULL::int, NULL::boolean), (''set'', %s, false)', :t1), 'their PoP hears of it');
SELECT results_eq(format('SELECT op FROM t.popd_changes(''demo02'', %s, 10)', :seq2), $$VALUES ('pop')$$, 'a tunnel that was down already is no news');
SELECT is(t.refusal(format('SELECT api.op_tunnel_set(%s, ''state'', ''enabled'')', :t1)), format('BK001 T%s cannot end at 192.0.2.1, which is the PoP demo04.', :t1), 'such a tunnel is not enabled');
SELECT is((SELECT message FROM api.op_tunnel_set(:t2, 'state', 'enabled')), format('enabled T%s, but its user has disabled it as well, so it stays down', :t2), 'half of it may be');
SELECT is(t.refusal(format('SELECT api.tic_tunnel_state(%s, NULL, %s, true)', :demo, :t2)), format('BK001 T%s cannot end at 192.0.2.1, which is the PoP demo04.', :t2), 'its user does not get it up either');
SELECT is(t.refusal(format('SELECT api.op_request_approve(%s, NULL)', :early)), 'BK003 192.0.2.1 is the PoP demo04 and cannot be the endpoint of a tunnel.', 'a request from before is not approved');
SELECT alike((SELECT message FROM api.op_tunnel_set(:t1, 'endpoint', '192.0.2.9')), 'moved T% to 192.0.2.9, %', 'it may move away');
SELECT is((SELECT message FROM api.op_tunnel_set(:t1, 'state', 'enabled')), format('enabled T%s', :t1), 'and work again');

-- A PoP moves there; it may be the tunnel's own.
SELECT is((SELECT message FROM api.op_pop_set('demo02', 'ipv4', '192.0.2.2')), format('demo02: ipv4 is now 192.0.2.2; disabled T%s, which ended there', :t3), 'a new address disables them too');
SELECT is((SELECT message FROM api.op_pop_set('demo02', 'ipv4', '192.0.2.3')), 'demo02: ipv4 is now 192.0.2.3', 'an address where none ends disables none');
SELECT is((SELECT message FROM api.op_tunnel_set(:t3, 'state', 'enabled')), format('enabled T%s', :t3), 'the old address is free again');
SELECT is((SELECT pop_addresses FROM t.popd_hello('demo01')), '198.51.100.2,192.0.2.3,198.51.100.4,192.0.2.1', 'every PoP hears of the addresses');
SELECT * FROM finish();
ROLLBACK;
