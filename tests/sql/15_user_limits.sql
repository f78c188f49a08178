-- What a user may do how often. A refused action leaves nothing: no row in the ledger, no change in
-- the feed.
BEGIN;
SET search_path = tap, public;
SELECT plan(27);
SELECT t.pop();
SELECT t.account('DEMO', 1000) AS demo \gset
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
SELECT * FROM finish();
ROLLBACK;
