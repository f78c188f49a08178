-- The canonical plan: 25, request -10, approval -5: 10 (a subnet is refused); a week up +5: 15;
-- subnet -10 -4, one name server -1: 0.
BEGIN;
SET search_path = tap, public;
SELECT plan(19);
SELECT t.pop();

SELECT is((SELECT message FROM api.op_user_add('demo', 'Demo User', 'demo@example.org', NULL, md5('x'),
	encode(sha256('x'), 'hex'))), 'added DEMO, balance 25', 'signing up gives 25 ISK');
SELECT is((SELECT t.masked(message) FROM api.op_tunnel_request('demo', 'demo01', 'static', '192.0.2.1', 'IPv6 at home')),
	'request #: static tunnel on demo01, charged 10 ISK, balance 15', 'a tunnel request costs 10');
SELECT is((SELECT t.masked(message) FROM api.op_request_approve((SELECT max(id) FROM broker.request), NULL)),
	'approved T#: 2001:db8:1::2/64 on demo01, charged 5 ISK, balance 10', 'its approval costs 5');
SELECT max(id) AS tunnel FROM broker.tunnel \gset

SELECT is(t.refusal(format('SELECT api.op_subnet_request(%L, %s, NULL)', 'demo', :tunnel)),
	'BK004 A subnet request needs a balance of 15 ISK and DEMO has 10.',
		'with 10 ISK a subnet request is refused');
SELECT is(t.balance(), 10, 'a request that is refused at once costs nothing');

SELECT t.day(:tunnel, '2025-03-01'::date + i, true) FROM generate_series(0, 6) i;
SELECT is((SELECT count(*) FROM api.isk_daily('2025-03-07')), 0::bigint, 'six days up earn nothing');
SELECT results_eq($$SELECT day, handle, tunnel - (SELECT max(id) FROM broker.tunnel), action, amount, balance, note
	FROM api.isk_daily('2025-03-08')$$,
	$$VALUES ('2025-03-07'::date, 'DEMO', 0, 'endpoint_week', 5, 15, '7 days with an answer, the last 2025-03-07')$$,
		'a week up earns 5');

SELECT is((SELECT t.masked(message) FROM api.op_subnet_request('Demo', :tunnel, NULL)),
	'request #: a subnet for T# on demo01, charged 10 ISK, balance 5',
	'a subnet request costs 10');
SELECT is((SELECT t.masked(message) FROM api.op_request_approve((SELECT max(id) FROM broker.request), NULL)),
	'approved R#: 2001:db8:1100::/48 to T#, charged 4 ISK, balance 1',
	'its approval costs 4');
SELECT max(id) AS subnet FROM broker.subnet \gset
SELECT is((SELECT message FROM api.op_ns_add(:subnet, 'NS1.Example.org.')),
	format('added name server ns1.example.org to R%s, charged 1 ISK, balance 0', :subnet), 'a name server costs 1');
SELECT is(t.balance(), 0, 'the plan ends with exactly 0 ISK');

SELECT is(t.refusal(format('SELECT api.op_ns_add(%s, %L)', :subnet, 'ns2.example.org')),
	'BK004 A name server needs a balance of 1 ISK and DEMO has 0.', 'a balance of 0 refuses a second name server');
SELECT is((SELECT message FROM api.op_tunnel_set(:tunnel, 'endpoint', '192.0.2.2')),
	format('moved T%s to 192.0.2.2, charged 15 ISK, balance -15', :tunnel), 'a balance of 0 still allows an endpoint to be moved');
SELECT is((SELECT enabled FROM t.popd_tunnels('demo01', 0, 10)), true, 'a tunnel keeps working with a balance below 0');

SELECT results_eq($$SELECT action, amount, balance, pop, tunnel IS NOT NULL, why FROM api.op_ledger('demo')$$, $$VALUES
	('signup', 25, 25, NULL, false, ''),
	('tunnel_request', -10, 15, 'demo01', false, 'IPv6 at home'),
	('tunnel_approve', -5, 10, 'demo01', true, ''),
	('endpoint_week', 5, 15, 'demo01', true, '7 days with an answer, the last 2025-03-07'),
	('subnet_request', -10, 5, 'demo01', true, ''),
	('subnet_approve', -4, 1, 'demo01', true, ''),
	('ns_add', -1, 0, 'demo01', true, 'ns1.example.org'),
	('endpoint_move', -15, -15, 'demo01', true, 'from 192.0.2.1 to 192.0.2.2')$$, 'the ledger has every booking with its reason');
SELECT is((SELECT array_agg(floor ORDER BY n) FROM broker.ledger WHERE account = broker.account_find('demo')),
	'{NULL,15,NULL,NULL,15,NULL,1,NULL}'::int[], 'and every floor that was applied');
SELECT is((SELECT sum(amount)::int FROM broker.ledger WHERE account = broker.account_find('demo')), t.balance(),
	'the balance is the sum of the ledger');
SELECT is((SELECT array_agg(n ORDER BY n) FROM broker.ledger WHERE account = broker.account_find('demo')),
	'{1,2,3,4,5,6,7,8}'::int[], 'the rows of the ledger are numbered without a gap');
SELECT is((SELECT message FROM api.op_ns_remove(:subnet, 'ns1.example.org')),
	format('removed name server ns1.example.org from R%s, charged 1 ISK, balance -16', :subnet),
		'removing a name server costs 1 and needs no balance');
SELECT * FROM finish();
ROLLBACK;
