-- A PoP is up while it is enabled and reported within 45 seconds; each change is history, also the one nobody was there
-- to write.
BEGIN;
SET search_path = tap, public;
SELECT plan(34);
SELECT t.pop() AS pop \gset
CREATE FUNCTION pg_temp.report(pop text DEFAULT 'demo01') RETURNS text LANGUAGE sql AS $$
	SELECT format('%s %s', r.enabled, r.feed_seq) FROM api.popd_report(pop, repeat('a', 32), '0.1.0',
		now() - interval '1 minute', 3, 2, 1, 7) r
$$;
-- Moves everything that happened so far into the past, by as many seconds: the PoP has been silent since.
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
SELECT is((SELECT last_report FROM api.web_pop_status()), NULL, 'and has never reported');
SELECT is((SELECT configured FROM api.web_pop_status()), 1, 'its tunnels are counted all the same');
SELECT pg_temp.wait(100);
SELECT is(pg_temp.state(), 'down 100', 'and stays down');
SELECT is(pg_temp.report(), 't ' || (SELECT feed_seq FROM api.popd_hello('demo01')),
	'a report is answered with what the PoP should know');
SELECT is(pg_temp.state(), 'up 0', 'and the PoP is up');
SELECT is(pg_temp.history(), 'up 0, down 100', 'which is history');
SELECT is((SELECT pop_state FROM api.tic_tunnel_show(:demo, NULL, :t1)), 'up', 'TIC says the same');
SELECT results_eq('SELECT configured, up, active, version, last_report = generated FROM api.web_pop_status()',
	$$VALUES (3, 2, 1, '0.1.0', true)$$, 'what it reported is shown');

SELECT pg_temp.wait(44);
SELECT is(pg_temp.state(), 'up 44', '44 seconds of silence are none');
SELECT pg_temp.report();
SELECT pg_temp.wait(40);
SELECT pg_temp.report();
SELECT is(pg_temp.history(), 'up 84, down 184', 'reports in time add no history');
SELECT pg_temp.wait(45);
SELECT is(pg_temp.state(), 'down 0', 'at 45 seconds it is down');
SELECT pg_temp.wait(15);
SELECT is(pg_temp.state(), 'down 15', 'since 45 seconds after its last report');
SELECT is(pg_temp.history(), 'down 15, up 144, down 244', 'and the history shows it though nobody wrote it');
SELECT is((SELECT count(*)::int FROM broker.pop_history), 2, 'nobody did');
SELECT is((SELECT pop_state FROM api.tic_tunnel_show(:demo, NULL, :t1)), 'down', 'TIC says the same');
SELECT results_eq('SELECT state, until IS NULL FROM api.web_pop_history(''demo01'', 2)', $$VALUES ('down', true),
	('up', false)$$, 'the newest state has no end');
SELECT pg_temp.report();
SELECT is(pg_temp.history(), 'up 0, down 15, up 144, down 244', 'the next report writes both');
SELECT is((SELECT count(*)::int FROM broker.pop_history), 4, 'now they are rows');
SELECT is(pg_temp.state(), 'up 0', 'and it is up');

-- The operator's switch.
SELECT pg_temp.wait(10);
SELECT api.op_pop_enable('demo01', false);
SELECT is(pg_temp.state(), 'disabled 0', 'disabled is disabled');
SELECT pg_temp.wait(10);
SELECT is(left(pg_temp.report(), 1), 'f', 'the PoP hears it when it reports');
SELECT is(pg_temp.state(), 'disabled 10', 'a report does not enable it');
SELECT pg_temp.wait(10);
SELECT api.op_pop_enable('demo01', true);
SELECT is(pg_temp.history(), 'up 0, disabled 20, up 30, down 45, up 174, down 274',
	'enabled while it reports: up at once');
SELECT pg_temp.wait(60);
SELECT api.op_pop_enable('demo01', false);
SELECT is(pg_temp.history(), 'disabled 0, down 25, up 60, disabled 80, up 90, down 105, up 234, down 334',
	'silent and then disabled: the silence is not forgotten (it reported 10 s before it was enabled)');
SELECT pg_temp.wait(5);
SELECT api.op_pop_enable('demo01', true);
SELECT is(pg_temp.state(), 'down 0', 'enabled while it is silent: down');
SELECT api.op_pop_enable('demo01', true);
SELECT is((SELECT count(*)::int FROM broker.pop_history), 9, 'the same switch twice is no news');
SELECT is((SELECT count(*)::int FROM api.web_pop_history('demo01', 3)), 3, 'as much history as asked');
SELECT pg_temp.wait(3600);
SELECT api.op_pop_enable('demo01', false), api.op_pop_enable('demo01', true);
SELECT is(left(pg_temp.history(), 30), 'down 0, disabled 0, down 3600,', 'no silence is written twice');
SELECT is_empty($$SELECT * FROM (SELECT state, lag(state) OVER (ORDER BY id) AS before FROM broker.pop_history) h
	WHERE state = before$$,
	'each row of history is a change');
SELECT is_empty($$SELECT * FROM (SELECT since, lag(since) OVER (ORDER BY id) AS before FROM broker.pop_history) h
	WHERE since < before$$,
	'in the order it happened');
SELECT is(t.refusal($$SELECT api.web_pop_history('nowhere1', 5)$$), 'BK002 There is no PoP nowhere1.',
	'no history of an unknown PoP');
SELECT is(t.refusal($$SELECT api.popd_report('nowhere1', repeat('a', 32), 'x', now(), 1, 1, 1, 1)$$),
	'BK002 There is no PoP nowhere1.', 'nor a report');
SELECT results_eq('SELECT schema FROM api.web_version()', 'SELECT max(number) FROM broker.migration',
	'the web knows the schema''s number');
SELECT * FROM finish();
ROLLBACK;
