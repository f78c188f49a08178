-- What a user may do how often. A refused action leaves nothing: no row in the ledger, no change in
-- the feed.
BEGIN;
SET search_path = tap, public;
SELECT plan(53);
SELECT t.pop();
SELECT t.account('DEMO', 5000) AS demo \gset
SELECT t.tunnel('DEMO', 'demo01', 'static', '192.0.2.1') AS st \gset
SELECT t.tunnel('DEMO', 'demo01', 'static', '192.0.2.1') AS st2 \gset
SELECT t.tunnel('DEMO', 'demo01', 'ayiya') AS ay \gset

CREATE FUNCTION pg_temp.move(tunnel_id int, host int) RETURNS text LANGUAGE sql AS $$
	SELECT t.masked(t.refusal(format('SELECT api.tic_tunnel_endpoint(%s, NULL, %s, %L)',
		(SELECT account FROM broker.tunnel t WHERE t.id = tunnel_id), tunnel_id, '192.0.2.1'::inet + host)))
$$;
CREATE FUNCTION pg_temp.switch(tunnel_id int, enabled boolean) RETURNS text LANGUAGE sql AS $$
	SELECT t.masked(t.refusal(format('SELECT api.tic_tunnel_state(%s, NULL, %s, %L)',
		(SELECT account FROM broker.tunnel t WHERE t.id = tunnel_id), tunnel_id, enabled)))
$$;
CREATE FUNCTION pg_temp.traces() RETURNS text LANGUAGE sql AS $$
	SELECT format('%s moves paid, feed at %s', (SELECT count(*) FROM broker.ledger WHERE action = 'endpoint_move'),
		(SELECT seq FROM broker.feed))
$$;
-- As if everything so far had been done earlier.
CREATE FUNCTION pg_temp.later(by interval) RETURNS void LANGUAGE sql AS $$
	UPDATE broker.tunnel_action a SET times = ARRAY(SELECT u - by FROM unnest(a.times) u ORDER BY u)
$$;

-- Moves.
SELECT is((SELECT string_agg(DISTINCT pg_temp.move(:st, i), ',') FROM generate_series(1, 10) i), 'not refused',
	'ten moves an hour are possible');
SELECT pg_temp.traces() AS before \gset
SELECT is(pg_temp.move(:st, 11), format('BK005 T# was moved 10 times within an hour, and 10 is the limit, since each time '
	'reaches its PoP; it is possible again at %s.', broker.rfc3339(now() + interval '1 hour')),
		'one more is refused with the number, the reason and the time from which it is possible again');
SELECT is(pg_temp.move(:st, 10), 'not refused', 'setting the endpoint that is already there is no move');
SELECT is(pg_temp.traces(), :'before', 'neither leaves a row in the ledger or a change in the feed');
SELECT is(pg_temp.move(:st2, 1), 'not refused', 'another tunnel has moves of its own');
SELECT is(t.refusal(format('SELECT api.op_tunnel_set(%s, %L, %L)', :st, 'endpoint', '192.0.2.99')), 'not refused',
	'staff may move it all the same');
SELECT pg_temp.later('59 minutes');
SELECT is(pg_temp.move(:st, 11), format('BK005 T# was moved 10 times within an hour, and 10 is the limit, since each time '
	'reaches its PoP; it is possible again at %s.', broker.rfc3339(now() + interval '1 minute')),
		'a refused move does not put the time off');
SELECT pg_temp.later('1 minute');
SELECT is(pg_temp.move(:st, 11), 'not refused', 'an hour later it is possible');
SELECT is((SELECT cardinality(times) FROM broker.tunnel_action WHERE tunnel = :st), 1, 'and what is over is forgotten');
SELECT matches(pg_temp.move(:ay, 1), '^BK001 ', 'a move that another rule refuses');
SELECT is_empty(format('SELECT FROM broker.tunnel_action WHERE tunnel = %s', :ay), 'is not counted');
SELECT t.account('POOR', 10) AS poor \gset
UPDATE broker.tunnel SET account = :poor WHERE id = :st2;
SELECT api.op_cost_set('endpoint_move', NULL, -15, 1000);
SELECT matches(pg_temp.move(:st2, 2), '^BK004 ', 'a move that cannot be paid');
SELECT is((SELECT cardinality(times) FROM broker.tunnel_action WHERE tunnel = :st2), 1, 'is not counted either');

-- Switches.
SELECT is((SELECT string_agg(DISTINCT pg_temp.switch(:ay, i % 2 = 0), ',') FROM generate_series(1, 30) i),
	'not refused', 'thirty switches an hour are possible');
SELECT pg_temp.traces() AS before \gset
SELECT is(pg_temp.switch(:ay, false), format('BK005 T# was switched 30 times within an hour, and 30 is the limit, since '
	'each time reaches its PoP; it is possible again at %s.', broker.rfc3339(now() + interval '1 hour')),
		'one more is refused');
SELECT is(t.masked((SELECT message FROM api.tic_tunnel_state(:demo, NULL, :ay, true))), 'T# is already enabled',
	'switching on what is on is no switch');
SELECT is(pg_temp.traces(), :'before', 'neither leaves a change in the feed');
SELECT is(pg_temp.switch(:st, false), 'not refused', 'another tunnel has switches of its own');
SELECT api.op_tunnel_set(:st, 'state', 'disabled');
SELECT is(t.masked((SELECT message FROM api.tic_tunnel_state(:demo, NULL, :st, true))),
	'enabled T#, but the staff have disabled it as well, so it stays down', 'the staff''s switch is told');
SELECT is(t.masked((SELECT message FROM api.tic_tunnel_state(:demo, NULL, :st, true))),
	'T# is already enabled, but the staff have disabled it as well, so it stays down', 'and told again');
SELECT pg_temp.later('61 minutes');
SELECT is(pg_temp.switch(:ay, false), 'not refused', 'an hour later it is possible');

-- Both are settings.
SELECT api.op_setting_set('state_switches_per_hour', 2);
SELECT is(pg_temp.switch(:ay, true), 'not refused', 'a lower limit holds for what was done already: the second');
SELECT matches(pg_temp.switch(:ay, false), '^BK005 T# was switched 2 times', 'and not the third');
SELECT api.op_setting_set('state_switches_per_hour', 0);
SELECT is((SELECT string_agg(DISTINCT pg_temp.switch(:ay, i % 2 = 0), ',') FROM generate_series(1, 40) i), 'not refused',
	'a limit of 0 is none');
SELECT is((SELECT cardinality(times) FROM broker.tunnel_action WHERE tunnel = :ay AND action = 'state_switch'), 2,
	'and counts nothing');
SELECT ok((SELECT bool_and(s.about LIKE '%0: no limit%') FROM broker.setting s WHERE s.name LIKE '%\_per\_hour'),
	'the settings say so');
SELECT api.op_tunnel_delete(:ay);
SELECT is_empty(format('SELECT FROM broker.tunnel_action WHERE tunnel = %s', :ay), 'a deleted tunnel leaves no count');

-- Logins. What a client asks for is known when it shows a tunnel, so that is where it is refused.
INSERT INTO broker.pop_report (pop, at, incarnation, version, started, configured, up, active, feed_seq)
SELECT p.id, now(), repeat('a', 32), '1', now(), 0, 0, 0, 0 FROM broker.pop p;
SELECT t.tunnel('DEMO', 'demo01', 'ayiya') AS ay \gset
-- Logs in, as DEMO or DEMO/T<only>, and shows the tunnels: 'shown' or what the last one was refused with.
CREATE FUNCTION pg_temp.login(account int, only_id int, VARIADIC tunnels int[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	login bigint := (SELECT a.login_id FROM api.tic_login_accept(account, only_id, 'md5', '192.0.2.1', false, 'AICCU') a);
	said text;
BEGIN
	FOR i IN 1 .. cardinality(tunnels) LOOP
		said := t.masked(t.refusal(format('SELECT api.tic_tunnel_show(%s, %s, %s, %s)', account, coalesce(only_id::text, 'NULL'),
			tunnels[i], coalesce(login::text, 'NULL'))));
	END LOOP;
	RETURN replace(said, 'not refused', 'shown');
END
$$;
-- How many of n logins that show no tunnel are possible.
CREATE FUNCTION pg_temp.idle(account int, n int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	possible int := 0;
BEGIN
	FOR i IN 1 .. n LOOP
		possible := possible + (SELECT count(a.login_id) FROM api.tic_login_accept(account, NULL, 'md5', '192.0.2.1', false, 'AICCU') a);
	END LOOP;
	RETURN possible;
END
$$;
CREATE FUNCTION pg_temp.pass(by interval) RETURNS void LANGUAGE sql AS $$
	UPDATE broker.login_bucket b SET full_at = b.full_at - by
$$;
SELECT is((SELECT string_agg(DISTINCT pg_temp.login(:demo, NULL, :ay), ',') FROM generate_series(1, 20)), 'shown',
	'an evening of trying passes: twenty logins for a tunnel');
SELECT is(pg_temp.login(:demo, NULL, :ay), format('BK005 DEMO has logged in for T# too often: 20 logins are possible at once and '
	'5 more an hour, the next one at %s.', broker.rfc3339(now() + interval '12 minutes')),
		'one more is refused with the limits and the time of the next one');
SELECT is(pg_temp.login(:demo, NULL, :st), 'shown', 'another tunnel has its own bucket');
SELECT is(pg_temp.login(:demo, :ay, :ay), 'shown', 'and so has another name');
SELECT pg_temp.pass('12 minutes');
SELECT is(pg_temp.login(:demo, NULL, :ay, :ay, :ay, :ay), 'shown', 'twelve minutes later there is one, which shows as often as it likes');
SELECT matches(pg_temp.login(:demo, NULL, :ay), '^BK005 ', 'and no second one');
SELECT is((SELECT pg_temp.login(:demo, NULL, VARIADIC array_agg(t.id ORDER BY t.id = :ay)) FROM broker.tunnel t WHERE t.account = :demo
	AND t.id <> :st2), format('BK005 DEMO has logged in for T# too often: 20 logins are possible at once and 5 more an hour, the '
	'next one at %s.', broker.rfc3339(now() + interval '12 minutes')), 'showing others first does not help');
SELECT pg_temp.pass('4 hours');
SELECT is((SELECT array_agg(pg_temp.login(:demo, NULL, :ay) = 'shown') FROM generate_series(1, 21) i),
	array_fill(true, ARRAY[20]) || false, 'a bucket fills up to its size, not beyond');

-- A power cut: 60 routers of one account, each asks for its own tunnel, one of them all the time.
SELECT array_agg(t.tunnel('DEMO', 'demo01', 'ayiya')) AS homes FROM generate_series(1, 60) \gset
SELECT count(*) AS before FROM broker.login \gset
SELECT is((SELECT count(*)::int FROM generate_series(1, 130) WHERE pg_temp.login(:demo, NULL, :ay) = 'shown'), 0,
	'a router that comes back all the time');
SELECT is((SELECT string_agg(DISTINCT pg_temp.login(:demo, NULL, h), ',') FROM unnest(:'homes'::int[]) h), 'shown',
	'does not take the logins of the sixty others of its account');
SELECT is((SELECT count(*)::int FROM broker.login) - :before, 99,
	'what it leaves on record is bounded by the bucket of the name');
SELECT pg_temp.pass('4 hours');

-- Logins that show no tunnel.
SELECT is(pg_temp.idle(:demo, 120), 100, 'a hundred logins that show no tunnel are possible');
SELECT is((SELECT refusal FROM api.tic_login_accept(:demo, NULL, 'md5', '192.0.2.1', false, 'AICCU')), format(
	'DEMO has logged in without showing a tunnel too often: 100 logins are possible at once and 25 more an hour, the next one at %s.',
	broker.rfc3339(now() + interval '144 seconds')), 'then one hears until when there is none');
SELECT isnt((SELECT login_id FROM api.tic_login_accept(:demo, :st, 'md5', '192.0.2.1', false, 'AICCU')), NULL, 'another name has its own');
SELECT is(pg_temp.login(:demo, NULL, :st), 'shown', 'a tunnel is shown all the same');
SELECT pg_temp.pass('144 seconds');
SELECT is((SELECT string_agg(DISTINCT pg_temp.login(:demo, NULL, :st), ',') FROM generate_series(1, 5)), 'shown',
	'a login that shows a tunnel goes back');
SELECT isnt((SELECT login_id FROM api.tic_login_accept(:demo, NULL, 'md5', '192.0.2.1', false, 'AICCU')), NULL, 'into the bucket of the others');
SELECT is((SELECT login_id FROM api.tic_login_accept(:demo, NULL, 'md5', '192.0.2.1', false, 'AICCU')), NULL, 'once');

-- What is not shown takes nothing, and a login counts for its own account alone.
SELECT pg_temp.pass('1 day');
DELETE FROM broker.pop_report;
SELECT is((SELECT count(*)::int FROM generate_series(1, 50) WHERE pg_temp.login(:demo, NULL, :ay) = 'shown'), 50,
	'asking while the PoP is down is free');
SELECT is((SELECT full_at > now() FROM broker.login_bucket WHERE account = :demo AND login_tunnel = 0 AND tunnel = :ay), false,
	'and leaves the bucket of the tunnel full');
SELECT lives_ok(format('SELECT api.tic_tunnel_show(%s, NULL, %s, %s)', :poor, :ay, (SELECT max(id) FROM broker.login)),
	'an account that asks for another''s tunnel hears nothing');
SELECT is((SELECT count(*)::int FROM broker.login_bucket WHERE account = :poor), 0, 'and takes from no bucket');
SELECT isnt_empty('SELECT FROM api.prune() WHERE record = ''full bucket of logins''', 'full buckets are pruned');
SELECT is((SELECT count(*)::int FROM broker.login_bucket b WHERE b.full_at <= now()), 0, 'all of them');
SELECT api.op_setting_set('login_tunnel_per_hour', 0), api.op_setting_set('login_name_burst', 0);
SELECT is(pg_temp.idle(:demo, 120), 120, 'a limit of 0 is none');
INSERT INTO broker.pop_report (pop, at, incarnation, version, started, configured, up, active, feed_seq)
SELECT p.id, now(), repeat('a', 32), '1', now(), 0, 0, 0, 0 FROM broker.pop p;
SELECT is((SELECT string_agg(DISTINCT pg_temp.login(:demo, NULL, :st), ',') FROM generate_series(1, 25)), 'shown', 'in either setting');
SELECT * FROM finish();
ROLLBACK;
