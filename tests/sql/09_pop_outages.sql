-- A PoP is up while it is enabled and has reported within 45 seconds. Each change is in its history,
-- even the one that no report could write.
BEGIN;
SET search_path = tap, public;
SELECT plan(59);
SELECT t.pop() AS pop \gset
CREATE FUNCTION pg_temp.report(pop text DEFAULT 'demo01') RETURNS text LANGUAGE sql AS $$
	SELECT format('%s %s', r.enabled, r.feed_seq) FROM t.popd_report(pop, repeat('a', 32), '0.1.0',
		now() - interval '1 minute', 3, 2, 1, 7) r
$$;
-- Lets seconds pass without a report: moves all that happened so far into the past.
CREATE FUNCTION pg_temp.wait(seconds int) RETURNS void LANGUAGE sql AS $$
	UPDATE broker.pop_history SET since = since - make_interval(secs => seconds);
	ALTER TABLE broker.pop_report DISABLE TRIGGER pop_reported;
	UPDATE broker.pop_report SET at = at - make_interval(secs => seconds);
	ALTER TABLE broker.pop_report ENABLE TRIGGER pop_reported;
$$;
-- The history, newest first, as 'state seconds-ago'.
CREATE FUNCTION pg_temp.history() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(h.state || ' ' || extract(epoch FROM date_trunc('second', now()) - h.since::timestamptz)::int,
		', ' ORDER BY h.since DESC, h.until NULLS FIRST)
	FROM api.web_pop_history('demo01', 100) h
$$;
CREATE FUNCTION pg_temp.state() RETURNS text LANGUAGE sql AS $$
	SELECT s.state || ' ' || extract(epoch FROM date_trunc('second', now()) - s.since::timestamptz)::int
		FROM api.web_pop_status() s WHERE s.name = 'demo01'
$$;
SELECT t.account('DEMO', 100) AS demo \gset
SELECT t.tunnel() AS t1 \gset
SELECT is(pg_temp.state(), 'down 0', 'a new PoP is down');
SELECT is((SELECT last_report FROM api.web_pop_status()), NULL, 'a new PoP has no last report');
SELECT is((SELECT configured FROM api.web_pop_status()), 1, 'its tunnels are counted before it reports');
SELECT pg_temp.wait(100);
SELECT is(pg_temp.state(), 'down 100', 'it stays down without a report');
SELECT is(pg_temp.report(), 't ' || (SELECT feed_seq FROM t.popd_hello('demo01')),
	'a report returns whether the PoP is enabled and the newest number of the feed');
SELECT is(pg_temp.state(), 'up 0', 'a report makes the PoP up');
SELECT is(pg_temp.history(), 'up 0, down 100', 'the change is in the history');
SELECT is((SELECT pop_state FROM api.tic_tunnel_show(:demo, NULL, :t1)), 'up', 'TIC says that the PoP is up');
SELECT results_eq('SELECT configured, up, active, version, last_report = generated FROM api.web_pop_status()',
	$$VALUES (3, 2, 1, '0.1.0', true)$$, 'the status has what the PoP reported');

SELECT pg_temp.wait(44);
SELECT is(pg_temp.state(), 'up 44', 'a PoP that reported 44 seconds ago is up');
SELECT pg_temp.report();
SELECT pg_temp.wait(40);
SELECT pg_temp.report();
SELECT is(pg_temp.history(), 'up 84, down 184', 'reports in time add no history');
SELECT pg_temp.wait(45);
SELECT is(pg_temp.state(), 'down 0', 'a PoP that reported 45 seconds ago is down');
SELECT pg_temp.wait(15);
SELECT is(pg_temp.state(), 'down 15', 'it is down since 45 seconds after its last report');
SELECT is(pg_temp.history(), 'down 15, up 144, down 244', 'the history shows it although no row says so');
SELECT is((SELECT count(*)::int FROM broker.pop_history), 2, 'the table has no row of it');
SELECT is((SELECT pop_state FROM api.tic_tunnel_show(:demo, NULL, :t1)), 'down', 'TIC says that the PoP is down');
SELECT results_eq('SELECT state, until IS NULL FROM api.web_pop_history(''demo01'', 2)', $$VALUES ('down', true),
	('up', false)$$, 'the newest state has no end');
SELECT pg_temp.report();
SELECT is(pg_temp.history(), 'up 0, down 15, up 144, down 244', 'the next report writes that it was down and is up');
SELECT is((SELECT count(*)::int FROM broker.pop_history), 4, 'both changes are rows of the table');
SELECT is(pg_temp.state(), 'up 0', 'the PoP is up again');

-- Disabled and enabled by the operator.
SELECT pg_temp.wait(10);
SELECT api.op_pop_enable('demo01', false);
SELECT is(pg_temp.state(), 'disabled 0', 'a disabled PoP is disabled from that moment');
SELECT pg_temp.wait(10);
SELECT is(left(pg_temp.report(), 1), 'f', 'a report returns that the PoP is disabled');
SELECT is(pg_temp.state(), 'disabled 10', 'a report does not enable it');
SELECT pg_temp.wait(10);
SELECT api.op_pop_enable('demo01', true);
SELECT is(pg_temp.history(), 'up 0, disabled 20, up 30, down 45, up 174, down 274',
	'a PoP that reports is up as soon as it is enabled');
SELECT pg_temp.wait(60);
SELECT api.op_pop_enable('demo01', false);
SELECT is(pg_temp.history(), 'disabled 0, down 25, up 60, disabled 80, up 90, down 105, up 234, down 334',
	'a PoP that was down before it was disabled is down in the history (its last report was 10 s before it was enabled)');
SELECT pg_temp.wait(5);
SELECT api.op_pop_enable('demo01', true);
SELECT is(pg_temp.state(), 'down 0', 'a PoP that does not report is down when it is enabled');
SELECT api.op_pop_enable('demo01', true);
SELECT is((SELECT count(*)::int FROM broker.pop_history), 9, 'enabling an enabled PoP adds no history');
SELECT is((SELECT count(*)::int FROM api.web_pop_history('demo01', 3)), 3, 'the history has as many rows as asked');
SELECT pg_temp.wait(3600);
SELECT api.op_pop_enable('demo01', false), api.op_pop_enable('demo01', true);
SELECT is(left(pg_temp.history(), 30), 'down 0, disabled 0, down 3600,', 'an outage is not written twice');
SELECT is_empty($$SELECT * FROM (SELECT state, reason, lag(state) OVER (ORDER BY id) AS before,
		lag(reason) OVER (ORDER BY id) AS reason_before FROM broker.pop_history) h
	WHERE state = before AND reason IS NOT DISTINCT FROM reason_before$$,
	'each row of history is a change');
SELECT is_empty($$SELECT * FROM (SELECT since, lag(since) OVER (ORDER BY id) AS before FROM broker.pop_history) h
	WHERE since < before$$,
	'the rows of the history are in the order of time');
-- Up means that it can carry a packet.
CREATE FUNCTION pg_temp.unfit(VARIADIC reasons text[]) RETURNS text LANGUAGE sql AS $$
	SELECT r.enabled::text FROM t.popd_report('demo01', repeat('a', 32), '0.1.0', now() - interval '1 minute', 3, 2, 1, 7, reasons) r
$$;
CREATE FUNCTION pg_temp.reason() RETURNS text LANGUAGE sql AS $$ SELECT s.reason FROM api.web_pop_status() s WHERE s.name = 'demo01' $$;
SELECT is(pg_temp.reason(), 'no report', 'a PoP that is silent is down for that reason');
SELECT pg_temp.report();
SELECT is(pg_temp.reason(), NULL, 'a PoP that is up has no reason');
SELECT pg_temp.wait(10);
SELECT pg_temp.unfit('IPv6 forwarding is off');
SELECT is(pg_temp.state() || ' ' || pg_temp.reason(), 'down 0 IPv6 forwarding is off', 'a PoP that reports a reason is down at once');
SELECT is((SELECT pop_state FROM api.tic_tunnel_show(:demo, NULL, :t1)), 'down', 'TIC does not hand it out');
SELECT is((SELECT reason FROM api.op_pop_list() WHERE name = 'demo01'), 'IPv6 forwarding is off', 'the operator''s list has the reason');
SELECT is((SELECT reason FROM api.op_pop_show('demo01')), 'IPv6 forwarding is off', 'and so has what is shown of the PoP');
SELECT pg_temp.wait(5);
SELECT pg_temp.unfit('IPv6 forwarding is off');
SELECT pg_temp.wait(5);
SELECT pg_temp.unfit('IPv6 forwarding is off', 'the IPv4 default route is gone');
SELECT is(pg_temp.state(), 'down 10', 'another reason is the same outage');
SELECT results_eq($$SELECT state, reason FROM api.web_pop_history('demo01', 3)$$,
	$$VALUES ('down', 'IPv6 forwarding is off; the IPv4 default route is gone'), ('down', 'IPv6 forwarding is off'), ('up', NULL)$$,
	'each change is a row of history with its reason');
SELECT pg_temp.wait(50);
SELECT is(pg_temp.state() || ' ' || pg_temp.reason(), 'down 60 no report', 'an unfit PoP that goes silent stays down');
SELECT pg_temp.report();
SELECT is(pg_temp.state(), 'up 0', 'a report without reasons makes it up');
SELECT pg_temp.unfit('the clock is wrong');
SELECT api.op_pop_enable('demo01', false), api.op_pop_enable('demo01', true);
SELECT is(pg_temp.reason(), 'the clock is wrong', 'a PoP that is enabled is down while it is unfit');
SET LOCAL ROLE popd_demo01;
SELECT abs(r.clock - extract(epoch FROM now())) < 60 AS near FROM api.popd_report(repeat('a', 32), '0.1.0', now(), 3, 2, 1, 7) r \gset
RESET ROLE;
SELECT ok(:'near', 'the answer to a report has the database''s clock');
SELECT is(t.refusal($$SELECT pg_temp.unfit(E'two\nlines')$$), 'BK003 Reasons are at most 20 lines of at most 300 characters.', 'a reason is a line');
SELECT is(t.refusal($$SELECT pg_temp.unfit(VARIADIC array_fill('x'::text, ARRAY[21]))$$), 'BK003 Reasons are at most 20 lines of at most 300 characters.', 'reasons are few');
SELECT is(t.refusal($$SELECT api.web_pop_history('nowhere1', 5)$$), 'BK002 There is no PoP nowhere1.',
	'the history of an unknown PoP is refused');
SELECT is(t.refusal(format('SELECT t.popd_report(''demo01'', repeat(''a'', 32), ''1'', %L, 3, 3, 3, 0)', v.started)), v.sentence, 'a start at ' || v.started || ' is refused')
FROM (VALUES ('-infinity', 'BK003 No PoP started at -infinity.'), ('infinity', 'BK003 A PoP that started at infinity has not started yet: its clock is wrong.'),
	('4713-01-01 00:00:00+00 BC', 'BK003 No PoP started at 4713-01-01 00:00:00+00 BC.')) v (started, sentence);
SELECT is(t.refusal(format('SELECT t.popd_report(''demo01'', %L, %L, now() + %L, %s)', v.incarnation, v.version, v.later, v.counts)), v.sentence, 'an implausible report is refused')
FROM (VALUES (repeat('a', 32), '1', '1 second', '3, 3, 3, 0', 'BK003 A PoP that started at ' || broker.rfc3339(now() + interval '1 second') || ' has not started yet: its clock is wrong.'),
	('A', '1', '0 s', '3, 3, 3, 0', 'BK003 An incarnation is 32 hexadecimal digits.'),
	(repeat('a', 32), E'1\n2', '0 s', '3, 3, 3, 0', 'BK003 A version is one line of at most 100 characters of ASCII.'),
	(repeat('a', 32), E'1\u202E2', '0 s', '3, 3, 3, 0', 'BK003 A version is one line of at most 100 characters of ASCII.'),
	(repeat('a', 32), repeat('1', 101), '0 s', '3, 3, 3, 0', 'BK003 A version is one line of at most 100 characters of ASCII.'),
	(repeat('a', 32), '1', '0 s', '3, 4, 3, 0', 'BK003 4 of 3 tunnels up and 3 active is no report that can be true.'),
	(repeat('a', 32), '1', '0 s', '3, -1, 0, 0', 'BK003 -1 of 3 tunnels up and 0 active is no report that can be true.')) v (incarnation, version, later, counts, sentence);
SELECT results_eq('SELECT schema FROM api.web_version()', 'SELECT max(number) FROM broker.migration',
	'the web reads the number of the schema');
-- Each change is a row of history, so a PoP has so many.
SELECT count(pg_temp.unfit('flip ' || g)) FROM generate_series(1, 500 - (SELECT count(*)::int FROM broker.pop_history h JOIN broker.pop p ON p.id = h.pop
	WHERE p.name = 'demo01' AND h.since > now() - interval '1 hour')) g;
SELECT is(t.refusal('SELECT pg_temp.unfit(''once more'')'), 'BK005 A PoP may change its state and reasons 500 times an hour.', 'reports that change all the time fill no disk');
SELECT pg_temp.wait(3700);
SELECT is(pg_temp.unfit('once more'), 'true', 'an hour later it may again');
SELECT * FROM finish();
ROLLBACK;
