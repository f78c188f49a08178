-- Floors, refusals, the price of second thoughts, and prices of a PoP's own.
BEGIN;
SET search_path = tap, public;
SELECT plan(61);
SELECT t.pop() AS pop \gset
SELECT t.pop('demo02', 2) AS pop2 \gset
SELECT t.account('DEMO', 100) AS demo \gset
SELECT t.account('POOR', 14) AS poor \gset
SELECT t.account('EDGE', 15) AS edge \gset

SELECT is(t.refusal($$SELECT api.op_tunnel_request('POOR', 'demo01', 'ayiya', NULL, NULL)$$),
	'BK004 A tunnel request needs a balance of 15 ISK and POOR has 14.',
		'one ISK below the floor a request is refused');
SELECT is(t.balance('POOR'), 14, 'and costs nothing');
SELECT is((SELECT count(*) FROM broker.request WHERE account = :poor), 0::bigint, 'and leaves no request');
SELECT is((SELECT t.said(message) FROM api.op_tunnel_request('edge', 'demo01', 'ayiya', NULL, NULL)),
	'request #: ayiya tunnel on demo01, 10 ISK, balance 5', 'at the floor it is taken');
SELECT is(t.refusal($$SELECT api.op_tunnel_request('EDGE', 'demo01', 'ayiya', NULL, NULL)$$),
	'BK004 A tunnel request needs a balance of 15 ISK and EDGE has 5.', 'the next one is not');

-- A refused request costs the request and nothing else.
SELECT is((SELECT t.said(message) FROM api.op_request_refuse((SELECT max(id) FROM broker.request), 'no such city')),
	'refused request #, the 10 ISK paid for it are spent, balance 5', 'a refused request gives nothing back');
SELECT results_eq($$SELECT state, cost, decision, decided IS NOT NULL, result FROM api.op_request_list(true)$$,
	$$VALUES ('refused', 10, 'no such city', true, NULL)$$, 'it stays on record with its price and the reason');
SELECT is_empty($$SELECT * FROM api.op_request_list(false)$$, 'and is no longer waiting');
SELECT is(t.said(t.refusal(format('SELECT api.op_request_approve(%s, NULL)', (SELECT max(id) FROM broker.request)))),
	'BK001 Request ' || (SELECT max(id) FROM broker.request) || ' has been refused already.',
		'it cannot be approved after that');
SELECT is((SELECT count(*) FROM broker.tunnel), 0::bigint, 'no tunnel came of it');
SELECT is(t.refusal('SELECT api.op_request_approve(999999, NULL)'), 'BK002 There is no request 999999.',
	'an unknown request is told');

-- What a request must look like.
SELECT is(t.refusal($$SELECT api.op_tunnel_request('nobody', 'demo01', 'ayiya', NULL, NULL)$$),
	'BK002 There is no account NOBODY.', 'an unknown account');
SELECT is(t.refusal($$SELECT api.op_tunnel_request('demo', 'nowhere1', 'ayiya', NULL, NULL)$$),
	'BK002 There is no PoP nowhere1.', 'an unknown PoP');
SELECT is(t.refusal($$SELECT api.op_tunnel_request('demo', 'demo01', 'gre', NULL, NULL)$$),
	'BK003 A tunnel is ayiya, heartbeat or static, not "gre".', 'an unknown type');
SELECT is(t.refusal($$SELECT api.op_tunnel_request('demo', 'demo01', 'static', NULL, NULL)$$),
	'BK003 A static tunnel needs the IPv4 address of its endpoint.', 'a static tunnel without an endpoint');
SELECT is(t.refusal($$SELECT api.op_tunnel_request('demo', 'demo01', 'ayiya', '192.0.2.1', NULL)$$),
	'BK003 A tunnel of type ayiya has no fixed endpoint: it is learned from what the client sends.',
		'a dynamic one with an endpoint');
SELECT is(t.refusal($$SELECT api.op_tunnel_request('demo', 'demo01', 'static', '127.0.0.1', NULL)$$),
	'BK003 127.0.0.1 cannot be the endpoint of a tunnel: it must be the IPv4 address of one host.',
		'a loopback endpoint');
SELECT is(t.refusal($$SELECT api.op_tunnel_request('demo', 'demo01', 'static', '198.51.100.2', NULL)$$),
	'BK003 198.51.100.2 is the PoP itself and cannot be the endpoint of its tunnel.', 'the PoP as endpoint');
SELECT is(t.refusal(format($$SELECT api.op_tunnel_request('demo', 'demo01', 'ayiya', NULL, %L)$$, E'two\nlines')),
	'BK003 A reason is one line of at most 500 characters.', 'a reason of two lines');
SELECT is(t.balance(), 100, 'none of these cost anything');
SELECT api.op_pop_enable('demo02', false);
SELECT is(t.refusal($$SELECT api.op_tunnel_request('demo', 'demo02', 'ayiya', NULL, NULL)$$),
	'BK001 demo02 is disabled and takes no requests.', 'a disabled PoP');
SELECT api.op_pop_enable('demo02', true);
SELECT api.op_user_enable('demo', false);
SELECT is(t.refusal($$SELECT api.op_tunnel_request('demo', 'demo01', 'ayiya', NULL, NULL)$$),
	'BK001 This account is disabled and cannot request anything.', 'a disabled account');
SELECT api.op_user_enable('demo', true);

-- Second thoughts.
SELECT t.tunnel('DEMO', 'demo01', 'static', '192.0.2.1') AS t1 \gset
SELECT is(t.balance(), 85, 'a tunnel costs 15 in all');
SELECT is((SELECT t.said(message) FROM api.op_tunnel_set(:t1, 'endpoint', '192.0.2.2')),
	'moved T# to 192.0.2.2, 15 ISK, balance 70', 'moving it costs 15');
SELECT is((SELECT t.said(message) FROM api.op_tunnel_set(:t1, 'endpoint', '192.0.2.2')),
	'T# ends at 192.0.2.2 already, nothing was charged', 'moving it to where it is costs nothing');
SELECT is((SELECT t.said(message) FROM api.tic_tunnel_endpoint(:demo, NULL, :t1, '192.0.2.3')),
	'moved T# to 192.0.2.3, 15 ISK, balance 55', 'moving it by TIC costs the same');
SELECT is(t.refusal(format($$SELECT api.op_tunnel_set(%s, 'endpoint', '224.0.0.1')$$, :t1)),
	'BK003 224.0.0.1 cannot be the endpoint of a tunnel: it must be the IPv4 address of one host.',
		'it cannot be moved to a multicast address');
SELECT is(t.refusal(format($$SELECT api.op_tunnel_set(%s, 'endpoint', 'home')$$, :t1)),
	'BK003 "home" is not an IP address.', 'nor to a word');
SELECT is((SELECT t.said(message) FROM api.op_tunnel_set(:t1, 'type', 'static')),
	'T# is of type static already, nothing was charged', 'its own type costs nothing');
SELECT is((SELECT t.said(message) FROM api.op_tunnel_set(:t1, 'mtu', '1480')), 'T# has an MTU of 1480',
	'its MTU is free');
SELECT is((SELECT t.said(message) FROM api.op_tunnel_set(:t1, 'type', 'ayiya')),
	'T# is now of type ayiya with an MTU of 1428, 15 ISK, balance 40',
		'changing its type costs 15 and brings the MTU into its limits');
SELECT is((SELECT endpoint FROM broker.tunnel WHERE id = :t1), NULL, 'a dynamic tunnel forgets its endpoint');
SELECT is(t.said(t.refusal(format($$SELECT api.op_tunnel_set(%s, 'endpoint', '192.0.2.1')$$, :t1))),
	'BK001 T# is of type ayiya: its endpoint follows the client and cannot be set.', 'and has none to set');
SELECT is(t.refusal(format($$SELECT api.op_tunnel_set(%s, 'type', 'static')$$, :t1)),
	'BK003 A static tunnel needs an endpoint: give the type as "static ADDRESS".', 'back to static needs an address');
SELECT is((SELECT t.said(message) FROM api.op_tunnel_set(:t1, 'type', 'static 192.0.2.9')),
	'T# is now of type static and ends at 192.0.2.9, 15 ISK, balance 25', 'given with the type');
SELECT is((SELECT t.said(message) FROM api.op_tunnel_set(:t1, 'name', 'My cellar')), 'T# is called "My cellar"',
	'its name is free');
SELECT is((SELECT t.said(message) FROM api.op_tunnel_set(:t1, 'state', 'disabled')), 'disabled T#',
	'the staff can disable it');
SELECT is((SELECT t.said(message) FROM api.tic_tunnel_state(:demo, NULL, :t1, true)),
	'enabled T#, but the staff have disabled it too, so it stays down', 'and its user cannot undo that');
SELECT is((SELECT t.said(message) FROM api.op_tunnel_set(:t1, 'state', 'enabled')), 'enabled T#', 'the staff can');
SELECT is(t.refusal(format($$SELECT api.op_tunnel_set(%s, 'mtu', '1279')$$, :t1)),
	'BK003 The MTU of a tunnel of type static is 1280 to 1480.', 'too small an MTU');
SELECT is(t.refusal(format($$SELECT api.op_tunnel_set(%s, 'secret', 'x')$$, :t1)),
	'BK003 "secret" of a tunnel cannot be set: it is endpoint, type, mtu, name or state.', 'nothing else can be set');
SELECT is(t.balance(), 25, 'all that was free');

SELECT t.subnet('DEMO', :t1) AS r1 \gset
SELECT is(t.said(t.refusal(format('SELECT api.op_tunnel_delete(%s)', :t1))),
	'BK001 T# still has subnets (R#): delete those first.', 'a tunnel with a subnet is not deleted');
SELECT api.op_credit('demo', 4, 'for the rest');
SELECT request AS waiting FROM api.op_subnet_request('demo', :t1, NULL) \gset
SELECT is((SELECT t.said(message) FROM api.op_subnet_delete(:r1)),
	'deleted R#: 2001:db8:1100::/48, 50 ISK, balance -45', 'deleting a subnet costs 50');
SELECT is((SELECT t.said(message) FROM api.op_tunnel_delete(:t1)), 'deleted T#: 2001:db8:1::/64, 25 ISK, balance -70',
	'deleting a tunnel costs 25');
SELECT is(t.said(t.refusal(format('SELECT api.op_tunnel_delete(%s)', :t1))), 'BK002 There is no tunnel T#.', 'once');
SELECT is((SELECT t.said(decision) FROM broker.request WHERE id = :waiting), 'T# was deleted',
	'requests that waited for it are closed');
SELECT is(t.balance(), -70, 'and the price of those is spent');

-- Prices of a PoP's own.
SELECT api.op_credit('demo', 170, 'start again');
SELECT is((SELECT message FROM api.op_cost_set('tunnel_request', 'demo02', -20, 40)),
	'tunnel_request on demo02: -20 ISK, floor 40', 'a PoP may have its own price');
SELECT api.op_cost_set('tunnel_approve', 'demo02', 0, NULL);
SELECT request AS dear FROM api.op_tunnel_request('demo', 'demo02', 'ayiya', NULL, NULL) \gset
SELECT is(t.balance(), 80, 'which is what its requests cost');
SELECT api.op_cost_set('tunnel_request', 'demo02', -30, 81);
SELECT is((SELECT cost FROM broker.request WHERE id = :dear), 20, 'a request keeps the price it was charged');
SELECT api.op_request_approve(:dear, NULL);
SELECT is(t.balance(), 80, 'and its approval the PoP''s own, here nothing');
SELECT is(t.refusal($$SELECT api.op_tunnel_request('demo', 'demo02', 'ayiya', NULL, NULL)$$),
	'BK004 A tunnel request needs a balance of 81 ISK and DEMO has 80.', 'its floor counts there');
SELECT t.tunnel('DEMO', 'demo01', 'ayiya');
SELECT is(t.balance(), 65, 'elsewhere the default prices stand');
SELECT results_eq($$SELECT action, pop, cost, floor FROM api.op_cost_list('demo02') WHERE action LIKE 'tunnel%'
	ORDER BY 1$$, $$VALUES ('tunnel_approve', 'demo02', 0, NULL), ('tunnel_delete', NULL, -25, NULL),
	('tunnel_request', 'demo02', -30, 81)$$, 'the list of a PoP shows what is in force there');
SELECT is(t.refusal($$SELECT api.op_cost_set('tunnel_request', NULL, 10, NULL)$$),
	'BK003 tunnel_request is paid: give 0 to -1000000, as -10 for ten ISK.', 'a price with the wrong sign is refused');
SELECT is(t.refusal($$SELECT api.op_cost_set('static_down_day', NULL, -5, 3)$$),
	'BK003 static_down_day cannot be refused, so it has no floor.', 'a penalty has no floor');
SELECT is(t.refusal($$SELECT api.op_cost_set('beer', NULL, -5, NULL)$$), 'BK002 There is no action beer.',
	'an unknown action');
SELECT is(t.attack($$DELETE FROM broker.cost WHERE action = 'ns_add'$$),
	'P0001 the default cost of ns_add cannot be removed', 'a default price cannot go');
SELECT api.op_cost_set('tunnel_request', NULL, -30, 15);
SELECT api.op_credit('edge', 20, 'to 25');
SELECT is(t.refusal($$SELECT api.op_tunnel_request('edge', 'demo01', 'ayiya', NULL, NULL)$$),
	'BK004 A tunnel request needs a balance of 30 ISK and EDGE has 25.', 'a request dearer than its floor needs its price');
SELECT is(t.refusal(format($$SELECT api.op_subnet_request('edge', %s, NULL)$$, (SELECT min(id) FROM broker.tunnel))),
	'BK002 EDGE has no tunnel T' || (SELECT min(id) FROM broker.tunnel) || '.', 'a subnet only over one''s own tunnel');
SELECT * FROM finish();
ROLLBACK;
