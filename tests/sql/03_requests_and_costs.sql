-- Floors, refused requests, what changing or deleting costs, and costs of a PoP's own.
BEGIN;
SET search_path = tap, public;
SELECT plan(69);
SELECT t.pop() AS pop \gset
SELECT t.pop('demo02', 2) AS pop2 \gset
SELECT t.account('DEMO', 100) AS demo \gset
SELECT t.account('POOR', 14) AS poor \gset
SELECT t.account('EDGE', 15) AS edge \gset

SELECT is(t.refusal($$SELECT api.op_tunnel_request('POOR', 'demo01', 'ayiya', NULL, NULL)$$),
	'BK004 A tunnel request needs a balance of 15 ISK and POOR has 14.',
		'one ISK below the floor a request is refused');
SELECT is(t.balance('POOR'), 14, 'a request that is refused costs nothing');
SELECT is((SELECT count(*) FROM broker.request WHERE account = :poor), 0::bigint, 'it leaves no record');
SELECT is((SELECT t.masked(message) FROM api.op_tunnel_request('edge', 'demo01', 'ayiya', NULL, NULL)),
	'request #: ayiya tunnel on demo01, charged 10 ISK, balance 5', 'a request is accepted at the floor');
SELECT is(t.refusal($$SELECT api.op_tunnel_request('EDGE', 'demo01', 'ayiya', NULL, NULL)$$),
	'BK004 A tunnel request needs a balance of 15 ISK and EDGE has 5.', 'the next request is refused');

-- A refusal by the staff.
SELECT is((SELECT t.masked(message) FROM api.op_request_refuse((SELECT max(id) FROM broker.request), 'no such city')),
	'refused request #, its 10 ISK are not refunded, balance 5', 'a refused request is not refunded');
SELECT results_eq($$SELECT state, cost, decision, decided IS NOT NULL, result FROM api.op_request_list(true)$$,
	$$VALUES ('refused', 10, 'no such city', true, NULL)$$, 'it stays on record with its cost and the reason');
SELECT is_empty($$SELECT * FROM api.op_request_list(false)$$, 'it is no longer among the open requests');
SELECT is(t.masked(t.refusal(format('SELECT api.op_request_approve(%s, NULL)', (SELECT max(id) FROM broker.request)))),
	'BK001 Request ' || (SELECT max(id) FROM broker.request) || ' has already been refused.',
		'it can no longer be approved');
SELECT is((SELECT count(*) FROM broker.tunnel), 0::bigint, 'it made no tunnel');
SELECT is(t.refusal('SELECT api.op_request_approve(999999, NULL)'), 'BK002 There is no request 999999.',
	'an unknown request is refused');

-- Requests that make no sense.
SELECT is(t.refusal($$SELECT api.op_tunnel_request('nobody', 'demo01', 'ayiya', NULL, NULL)$$),
	'BK002 There is no account NOBODY.', 'a request for an unknown account is refused');
SELECT is(t.refusal($$SELECT api.op_tunnel_request('demo', 'nowhere1', 'ayiya', NULL, NULL)$$),
	'BK002 There is no PoP nowhere1.', 'a request for an unknown PoP is refused');
SELECT is(t.refusal($$SELECT api.op_tunnel_request('demo', 'demo01', 'gre', NULL, NULL)$$),
	'BK003 The type of a tunnel is ayiya, heartbeat or static, not "gre".', 'a request for an unknown type is refused');
SELECT is(t.refusal($$SELECT api.op_tunnel_request('demo', 'demo01', 'static', NULL, NULL)$$),
	'BK003 A static tunnel needs the IPv4 address of its endpoint.', 'a request for a static tunnel needs an endpoint');
SELECT is(t.refusal($$SELECT api.op_tunnel_request('demo', 'demo01', 'ayiya', '192.0.2.1', NULL)$$),
	'BK003 A tunnel of type ayiya has no fixed endpoint: the PoP learns it from the client''s packets.',
		'a request for a dynamic tunnel has no endpoint');
SELECT is(t.refusal($$SELECT api.op_tunnel_request('demo', 'demo01', 'static', '127.0.0.1', NULL)$$),
	'BK003 127.0.0.1 cannot be the endpoint of a tunnel: it must be the IPv4 address of one host.',
		'a loopback address is no endpoint');
SELECT is(t.refusal($$SELECT api.op_tunnel_request('demo', 'demo01', 'static', '198.51.100.2', NULL)$$),
	'BK003 198.51.100.2 is the PoP itself and cannot be the endpoint of its tunnel.', 'the address of the PoP is no endpoint');
SELECT is(t.refusal(format($$SELECT api.op_tunnel_request('demo', 'demo01', 'ayiya', NULL, %L)$$, E'two\nlines')),
	'BK003 A reason is one line of at most 500 characters.', 'a reason of two lines is refused');
SELECT is(t.balance(), 100, 'none of the refused requests cost anything');
SELECT api.op_pop_enable('demo02', false);
SELECT is(t.refusal($$SELECT api.op_tunnel_request('demo', 'demo02', 'ayiya', NULL, NULL)$$),
	'BK001 demo02 is disabled and takes no requests.', 'a disabled PoP takes no requests');
SELECT api.op_pop_enable('demo02', true);
SELECT api.op_user_enable('demo', false);
SELECT is(t.refusal($$SELECT api.op_tunnel_request('demo', 'demo01', 'ayiya', NULL, NULL)$$),
	'BK001 This account is disabled and cannot request anything.', 'a disabled account cannot request anything');
SELECT api.op_user_enable('demo', true);

-- Changing and deleting.
SELECT t.tunnel('DEMO', 'demo01', 'static', '192.0.2.1') AS t1 \gset
SELECT is(t.balance(), 85, 'a tunnel costs 15 in all');
SELECT is((SELECT t.masked(message) FROM api.op_tunnel_set(:t1, 'endpoint', '192.0.2.2')),
	'moved T# to 192.0.2.2, charged 15 ISK, balance 70', 'moving an endpoint costs 15');
SELECT is((SELECT t.masked(message) FROM api.op_tunnel_set(:t1, 'endpoint', '192.0.2.2')),
	'T# already ends at 192.0.2.2, nothing was charged', 'moving it to where it is costs nothing');
SELECT is((SELECT t.masked(message) FROM api.tic_tunnel_endpoint(:demo, NULL, :t1, '192.0.2.3')),
	'moved T# to 192.0.2.3, charged 15 ISK, balance 55', 'moving it by TIC costs the same');
SELECT is(t.refusal(format($$SELECT api.op_tunnel_set(%s, 'endpoint', '224.0.0.1')$$, :t1)),
	'BK003 224.0.0.1 cannot be the endpoint of a tunnel: it must be the IPv4 address of one host.',
		'an endpoint cannot be moved to a multicast address');
SELECT is(t.refusal(format($$SELECT api.op_tunnel_set(%s, 'endpoint', 'home')$$, :t1)),
	'BK003 "home" is not an IP address.', 'nor to what is no address');
SELECT is((SELECT t.masked(message) FROM api.op_tunnel_set(:t1, 'type', 'static')),
	'T# is already of type static, nothing was charged', 'setting the type it has costs nothing');
SELECT is(t.masked(t.refusal(format($$SELECT api.op_tunnel_set(%s, 'type', 'static 192.0.2.7')$$, :t1))),
	'BK003 T# is already of type static: to move its endpoint, set the endpoint.',
	'an address that the type would ignore is refused');
SELECT is(t.refusal(format('SELECT api.op_tunnel_set(%s, %L, %L)', :t1, 'type', bad)), 'BK003 ' || sentence,
	'the type "' || bad || '" is refused')
FROM (VALUES ('static 192.0.2.7 more', 'Give a type alone, or "static" and one address, not "static 192.0.2.7 more".'),
	('heartbeat 192.0.2.7', 'A tunnel of type heartbeat has no fixed endpoint: the PoP learns it from the client''s packets.'),
	('', 'The type of a tunnel is ayiya, heartbeat or static, not "".')) v (bad, sentence);
SELECT is((SELECT t.masked(message) FROM api.op_tunnel_set(:t1, 'mtu', '1480')), 'T# has an MTU of 1480',
	'changing the MTU is free');
SELECT is((SELECT t.masked(message) FROM api.op_tunnel_set(:t1, 'type', 'ayiya')),
	'T# is now of type ayiya with an MTU of 1428, charged 15 ISK, balance 40',
		'changing the type costs 15 and lowers the MTU to the limit of the new type');
SELECT is((SELECT endpoint FROM broker.tunnel WHERE id = :t1), NULL, 'a tunnel that becomes dynamic loses its endpoint');
SELECT is(t.masked(t.refusal(format($$SELECT api.op_tunnel_set(%s, 'endpoint', '192.0.2.1')$$, :t1))),
	'BK001 T# is of type ayiya: its endpoint follows the client and cannot be set.', 'a dynamic tunnel has no endpoint to set');
SELECT is(t.refusal(format($$SELECT api.op_tunnel_set(%s, 'type', 'static')$$, :t1)),
	'BK003 A static tunnel needs an endpoint: give the type as "static ADDRESS".', 'a tunnel that becomes static needs an address');
SELECT is((SELECT t.masked(message) FROM api.op_tunnel_set(:t1, 'type', ' static  192.0.2.9 ')),
	'T# is now of type static and ends at 192.0.2.9, charged 15 ISK, balance 25', 'the address is given with the type');
SELECT is((SELECT t.masked(message) FROM api.op_tunnel_set(:t1, 'name', 'My cellar')), 'T# is called "My cellar"',
	'changing the name is free');
SELECT is((SELECT t.masked(message) FROM api.op_tunnel_set(:t1, 'state', 'disabled')), 'disabled T#',
	'the staff can disable a tunnel');
SELECT is((SELECT t.masked(message) FROM api.tic_tunnel_state(:demo, NULL, :t1, true)),
	'T# is already enabled, but the staff have disabled it as well, so it stays down', 'its user cannot undo that');
SELECT is((SELECT t.masked(message) FROM api.op_tunnel_set(:t1, 'state', 'enabled')), 'enabled T#', 'the staff can enable it again');
SELECT is(t.refusal(format($$SELECT api.op_tunnel_set(%s, 'mtu', '1279')$$, :t1)),
	'BK003 The MTU of a tunnel of type static is 1280 to 1480.', 'an MTU below 1280 is refused');
SELECT is(t.refusal(format($$SELECT api.op_tunnel_set(%s, 'secret', 'x')$$, :t1)),
	'BK003 "secret" is not a property of a tunnel that can be set: use endpoint, type, mtu, name or state.',
	'other properties cannot be set');
SELECT is(t.balance(), 25, 'refused changes and free ones cost nothing');

SELECT t.subnet('DEMO', :t1) AS r1 \gset
SELECT is(t.masked(t.refusal(format('SELECT api.op_tunnel_delete(%s)', :t1))),
	'BK001 T# still has subnets (R#): delete those first.', 'a tunnel with a subnet is not deleted');
SELECT api.op_credit('demo', 4, 'for the rest');
SELECT request AS waiting FROM api.op_subnet_request('demo', :t1, NULL) \gset
SELECT is((SELECT t.masked(message) FROM api.op_subnet_delete(:r1)),
	'deleted R#: 2001:db8:1100::/48, charged 50 ISK, balance -45', 'deleting a subnet costs 50');
SELECT is((SELECT t.masked(message) FROM api.op_tunnel_delete(:t1)), 'deleted T#: 2001:db8:1::/64, charged 25 ISK, balance -70',
	'deleting a tunnel costs 25');
SELECT is(t.masked(t.refusal(format('SELECT api.op_tunnel_delete(%s)', :t1))), 'BK002 There is no tunnel T#.', 'a deleted tunnel cannot be deleted again');
SELECT is((SELECT t.masked(decision) FROM broker.request WHERE id = :waiting), 'T# was deleted',
	'its open requests are refused with the tunnel');
SELECT is(t.balance(), -70, 'those requests are not refunded');

-- Costs of a PoP's own.
SELECT api.op_credit('demo', 170, 'start again');
SELECT is((SELECT message FROM api.op_cost_set('tunnel_request', 'demo02', -20, 40)),
	'tunnel_request on demo02: -20 ISK, floor 40', 'a PoP may have a cost of its own');
SELECT api.op_cost_set('tunnel_approve', 'demo02', 0, NULL);
SELECT request AS dear FROM api.op_tunnel_request('demo', 'demo02', 'ayiya', NULL, NULL) \gset
SELECT is(t.balance(), 80, 'a request on that PoP costs that much');
SELECT api.op_cost_set('tunnel_request', 'demo02', -30, 81);
SELECT is((SELECT cost FROM broker.request WHERE id = :dear), 20, 'a request keeps the cost it was charged');
SELECT api.op_request_approve(:dear, NULL);
SELECT is(t.balance(), 80, 'an approval costs what it costs on that PoP, here nothing');
SELECT is(t.refusal($$SELECT api.op_tunnel_request('demo', 'demo02', 'ayiya', NULL, NULL)$$),
	'BK004 A tunnel request needs a balance of 81 ISK and DEMO has 80.', 'the floor of that PoP is applied there');
SELECT t.tunnel('DEMO', 'demo01', 'ayiya');
SELECT is(t.balance(), 65, 'other PoPs have the default costs');
SELECT results_eq($$SELECT action, pop, cost, floor FROM api.op_cost_list('demo02') WHERE action LIKE 'tunnel%'
	ORDER BY 1$$, $$VALUES ('tunnel_approve', 'demo02', 0, NULL), ('tunnel_delete', NULL, -25, NULL),
	('tunnel_request', 'demo02', -30, 81)$$, 'the list of a PoP has the costs in force there');
SELECT is(t.refusal($$SELECT api.op_cost_set('tunnel_request', NULL, 10, NULL)$$),
	'BK003 tunnel_request takes from the balance: its cost is -1000000 to 0, such as -10 for ten ISK.',
	'a cost with the wrong sign is refused');
SELECT is(t.refusal($$SELECT api.op_cost_set('static_down_day', NULL, -5, 3)$$),
	'BK003 static_down_day cannot be refused, so it has no floor.', 'a penalty has no floor');
SELECT is(t.refusal($$SELECT api.op_cost_set('beer', NULL, -5, NULL)$$), 'BK002 There is no action beer.',
	'the cost of an unknown action cannot be set');
SELECT is(t.attack($$DELETE FROM broker.cost WHERE action = 'ns_add'$$),
	'P0001 the default cost of ns_add cannot be removed', 'a default cost cannot be deleted');
SELECT api.op_cost_set('tunnel_request', NULL, -30, 15);
SELECT api.op_credit('edge', 20, 'to 25');
SELECT is(t.refusal($$SELECT api.op_tunnel_request('edge', 'demo01', 'ayiya', NULL, NULL)$$),
	'BK004 A tunnel request needs a balance of 30 ISK and EDGE has 25.', 'a request dearer than its floor needs its price');
SELECT api.op_credit('edge', 10, 'to 35');
SET track_functions = 'all';
SELECT coalesce(pg_stat_get_xact_function_calls('broker.account_lock(int)'::regprocedure), 0) AS locks \gset
SELECT * FROM api.charge(:edge, 'tunnel_request', :pop, NULL, NULL, NULL, NULL);
SELECT is(pg_stat_get_xact_function_calls('broker.account_lock(int)'::regprocedure) - :locks, 1::bigint,
	'one charge locks the account once');
SELECT is((SELECT l.floor FROM broker.ledger l WHERE l.account = :edge ORDER BY l.n DESC LIMIT 1), 30,
	'the ledger records the floor that was applied, here the price');
SELECT api.op_cost_set('endpoint_move', NULL, -15, 20);
SELECT is(t.refusal(format('SELECT api.charge(%s, %L, %s, NULL, NULL, NULL, NULL)', :edge, 'endpoint_move', :pop)),
	'BK004 Moving an endpoint needs a balance of 20 ISK and EDGE has 5.', 'any action may have a floor');
SELECT api.op_cost_set('endpoint_move', NULL, -15, NULL);

-- The cost table changes between the charge and the record of the request.
CREATE FUNCTION pg_temp.dearer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE broker.cost SET amount = amount - 1 WHERE action = 'tunnel_request' AND pop IS NULL;
	RETURN NEW;
END
$$;
CREATE TRIGGER dearer BEFORE INSERT ON broker.request FOR EACH ROW EXECUTE FUNCTION pg_temp.dearer();
SELECT request AS charged FROM api.op_tunnel_request('demo', 'demo01', 'ayiya', NULL, NULL) \gset
DROP TRIGGER dearer ON broker.request;
SELECT results_eq(format('SELECT r.cost FROM broker.request r WHERE r.id = %s', :charged),
	format('SELECT -l.amount FROM broker.ledger l WHERE l.request = %s', :charged),
	'a request records what the ledger charged for it');
SELECT is(t.refusal(format($$SELECT api.op_subnet_request('edge', %s, NULL)$$, (SELECT min(id) FROM broker.tunnel))),
	'BK002 EDGE has no tunnel T' || (SELECT min(id) FROM broker.tunnel) || '.', 'a subnet can be requested over a tunnel of the account only');
SELECT * FROM finish();
ROLLBACK;
