-- What a TIC client reads, as the protocol spells it, and that it reads nothing of other accounts.
BEGIN;
SET search_path = tap, public;
SELECT plan(38);
SELECT t.pop(), t.pop('demo02', 2);
SELECT t.account('DEMO', 1000) AS demo \gset
SELECT t.account('OTHER', 100) AS other \gset
SELECT t.tunnel('DEMO', 'demo01', 'ayiya') AS ay \gset
SELECT t.tunnel('DEMO', 'demo01', 'heartbeat') AS hb \gset
SELECT t.tunnel('DEMO', 'demo02', 'static', '192.0.2.1') AS st \gset
SELECT t.tunnel('OTHER', 'demo01', 'ayiya') AS foreign \gset
SELECT t.subnet('DEMO', :hb) AS r1 \gset
SELECT t.subnet('OTHER', :foreign) AS r2 \gset

-- Logging in.
SELECT results_eq($$SELECT account, handle, full_name, md5_hex, sha256_hex, enabled FROM api.tic_login('dEmO', NULL)$$,
	format($$VALUES (%s, 'DEMO', 'A Person', md5('DEMO'), encode(sha256('DEMO'), 'hex'), true)$$, :demo),
		'a handle is found in any case');
SELECT is_empty($$SELECT * FROM api.tic_login('nobody', NULL)$$, 'an unknown handle finds no account');
SELECT is_empty($$SELECT * FROM api.tic_login(NULL, NULL)$$, 'NULL finds no account');
SELECT results_eq(format($$SELECT md5_hex, sha256_hex FROM api.tic_login('demo', %s)$$, :ay),
	format($$SELECT md5(secret), encode(sha256(secret::bytea), 'hex') FROM broker.tunnel WHERE id = %s$$, :ay),
		'HANDLE/T<id> logs in with that tunnel''s secret');
SELECT is_empty(format($$SELECT * FROM api.tic_login('demo', %s)$$, :foreign), 'a handle does not log in with the tunnel of another account');
SELECT is_empty($$SELECT * FROM api.tic_login('demo', 0)$$, 'a handle does not log in with a tunnel that does not exist');
SELECT api.op_user_enable('demo', false);
SELECT is((SELECT enabled FROM api.tic_login('demo', NULL)), false,
	'a disabled account is found and marked as disabled');
SELECT api.op_user_enable('demo', true);
SELECT api.op_user_secret('demo', md5('new'), encode(sha256('new'), 'hex'));
SELECT is((SELECT md5_hex FROM api.tic_login('demo', NULL)), md5('new'), 'a new TIC secret replaces the old one');

-- Records of logins.
SELECT is((SELECT refusal FROM api.tic_login_accept(:demo, NULL, 'sha256', '2001:db8::1', true, E'AICCU/2007\n.01.15')), NULL,
	'a login is accepted');
SELECT results_eq('SELECT account, tunnel, method, address, tls, client, shown FROM broker.login ORDER BY id DESC LIMIT 1',
	format($$VALUES (%s, NULL::int, 'sha256', '2001:db8::1'::inet, true, 'AICCU/2007 .01.15', '{}'::int[])$$, :demo),
		'the record of a login has its method, address and client on one line');
SELECT matches(t.refusal(format('SELECT api.tic_login_accept(%s, NULL, %L, %L, false, %L)', bad, 'md5', '192.0.2.1', 'AICCU')),
	'^BK003 A login needs an account.', bad || ' is no account') FROM unnest(ARRAY['NULL', '0']) bad;

-- Lists and records.
SELECT results_eq(format('SELECT * FROM api.tic_tunnel_list(%s, NULL)', :demo),
	format($$VALUES (%s, '2001:db8:1::2', 'ayiya', 'demo01'), (%s, '2001:db8:1:1::2', 'heartbeat', 'demo01'),
		(%s, '2001:db8:2::2', '192.0.2.1', 'demo02')$$, :ay, :hb, :st), 'the list has all tunnels of the account');
SELECT results_eq(format('SELECT id FROM api.tic_tunnel_list(%s, %s)', :demo, :hb), format('VALUES (%s)', :hb),
	'the login of a tunnel lists that one');
SELECT is_empty(format('SELECT id FROM api.tic_tunnel_list(%s, %s)', :demo, :foreign), 'the login of a tunnel of another account lists nothing');
SELECT results_eq(format('SELECT * FROM api.tic_tunnel_show(%s, NULL, %s)', :demo, :ay),
	format($$SELECT %s, 'ayiya', '2001:db8:1::2', '2001:db8:1::1', 64, 1280, 'T%1$s', 'demo01', 'ayiya', '198.51.100.2',
		'enabled', 'enabled', secret, 60, 'down' FROM broker.tunnel WHERE id = %1$s$$, :ay), 'an AYIYA tunnel is shown in full');
SELECT results_eq(format('SELECT type, ipv4_endpoint, ipv6_endpoint FROM api.tic_tunnel_show(%s, NULL, %s)', :demo,
	:hb), $$VALUES ('6in4-heartbeat', 'heartbeat', '2001:db8:1:1::2')$$, 'a heartbeat tunnel is shown as 6in4-heartbeat');
SELECT results_eq(format('SELECT type, ipv4_endpoint, ipv4_pop FROM api.tic_tunnel_show(%s, NULL, %s)', :demo, :st),
	$$VALUES ('6in4-static', '192.0.2.1', '198.51.100.3')$$, 'a static tunnel is shown as 6in4-static');
SELECT is_empty(format('SELECT * FROM api.tic_tunnel_show(%s, NULL, %s)', :demo, :foreign),
	'a tunnel of another account is not shown');
SELECT is_empty(format('SELECT * FROM api.tic_tunnel_show(%s, %s, %s)', :demo, :ay, :hb),
	'the login of a tunnel is not shown another of the same account');
SELECT results_eq(format('SELECT * FROM api.tic_route_list(%s, NULL)', :demo),
	format($$VALUES (%s, %s, '2001:db8:1100::/48')$$, :r1, :hb), 'the list has all subnets of the account');
SELECT is_empty(format('SELECT * FROM api.tic_route_list(%s, %s)', :demo, :ay), 'the login of a tunnel without subnets lists none');
SELECT results_eq(format('SELECT tunnel_id, prefix, pop, state, created FROM api.tic_route_show(%s, NULL, %s)', :demo,
	:r1), format($$VALUES (%s, '2001:db8:1100::/48', 'demo01', 'enabled', broker.rfc3339(now()))$$, :hb), 'a subnet is shown in full');
SELECT is_empty(format('SELECT * FROM api.tic_route_show(%s, NULL, %s)', :demo, :r2), 'a subnet of another account is not shown');
SELECT results_eq('SELECT * FROM api.tic_pop_list()', $$VALUES ('demo01'), ('demo02')$$, 'the list has all PoPs');
SELECT results_eq($$SELECT * FROM api.tic_pop_show('demo01')$$,
	$$VALUES ('demo01', 'Amsterdam', 'Netherlands', '198.51.100.2', '2001:db8:0:ffff::1', 'Demo', 'Demo ISP', '', '',
		'')$$, 'a PoP is shown in full');
SELECT is_empty($$SELECT * FROM api.tic_pop_show('nowhere1')$$, 'an unknown PoP is not shown');

-- Changing things.
SELECT is((SELECT t.masked(message) FROM api.tic_tunnel_state(:demo, NULL, :ay, false)), 'disabled T#',
	'a user disables a tunnel');
SELECT results_eq(format('SELECT user_state, admin_state FROM api.tic_tunnel_show(%s, NULL, %s)', :demo, :ay),
	$$VALUES ('disabled', 'enabled')$$, 'disabling by the user leaves the staff''s state');
SELECT is((SELECT t.masked(message) FROM api.tic_tunnel_state(:demo, :ay, :ay, true)), 'enabled T#',
	'the login of a tunnel enables it');
SELECT is(t.balance('DEMO'), 1000 - 45 - 14, 'enabling and disabling cost nothing');
SELECT is(t.masked(t.refusal(format('SELECT api.tic_tunnel_state(%s, NULL, %s, false)', :demo, :foreign))),
	'BK002 There is no tunnel T# of yours.', 'a tunnel of another account is not disabled');
SELECT is(t.masked(t.refusal(format('SELECT api.tic_tunnel_endpoint(%s, NULL, %s, %L)', :other, :st, '192.0.2.66'))),
	'BK002 There is no tunnel T# of yours.', 'a tunnel of another account is not moved');
SELECT is(t.masked(t.refusal(format('SELECT api.tic_tunnel_state(%s, %s, %s, false)', :demo, :ay, :hb))),
	'BK002 There is no tunnel T# of yours.', 'the login of a tunnel does not disable another of the same account');
SELECT is(t.masked(t.refusal(format('SELECT api.tic_tunnel_endpoint(%s, NULL, %s, %L)', :demo, :ay, '192.0.2.66'))),
	'BK001 T# is of type ayiya: its endpoint follows the client and cannot be set.',
		'the endpoint of an AYIYA tunnel cannot be set');
SELECT is(t.refusal(format('SELECT api.tic_tunnel_endpoint(%s, NULL, %s, %L)', :demo, :st, '2001:db8::1')),
	'BK003 2001:db8::1 cannot be the endpoint of a tunnel: it must be the IPv4 address of one host.',
		'an IPv6 address is no endpoint');
SELECT is(t.refusal('SELECT api.tic_tunnel_state(NULL, NULL, NULL, true)'), 'BK002 There is no tunnel T of yours.',
	'a session without an account has no tunnel');
SELECT is(t.masked(t.refusal(format('SELECT api.tic_tunnel_state(NULL, NULL, %s, true)', :demo, :ay))),
	'BK002 There is no tunnel T# of yours.', 'a session without an account cannot enable any tunnel');
SELECT * FROM finish();
ROLLBACK;
