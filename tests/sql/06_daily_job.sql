-- The daily ISK job: what it charges and gives, that it does so once, and that days without a run are caught up.
BEGIN;
SET search_path = tap, public;
SELECT plan(46);
SELECT t.pop() AS pop \gset
SELECT t.pop('demo02', 2) AS pop2 \gset
SELECT t.account('DEMO', 60) AS demo \gset
SELECT t.tunnel('DEMO', 'demo01', 'static', '192.0.2.1') AS st \gset
SELECT t.tunnel('DEMO', 'demo01', 'ayiya') AS ay \gset
SELECT t.tunnel('DEMO', 'demo01', 'heartbeat') AS hb \gset
CREATE FUNCTION pg_temp.days(tunnel int, first date, many int, answered boolean) RETURNS void LANGUAGE sql AS $$
	SELECT t.day(tunnel, first + i, answered) FROM generate_series(0, many - 1) i
$$;
CREATE FUNCTION pg_temp.job(today date) RETURNS TABLE (what text) LANGUAGE sql AS $$
	SELECT format('%s %s %s %s', day, action, amount, balance) FROM api.isk_daily(today)
$$;
SELECT is(t.balance(), 15, 'begin with 15');

-- Down: a day at a time.
SELECT pg_temp.days(:st, '2025-01-01', 6, false), pg_temp.days(:ay, '2025-01-01', 20, false),
	pg_temp.days(:hb, '2025-01-01', 20, false);
SELECT results_eq($$SELECT pg_temp.job('2025-01-02')$$, $$VALUES ('2025-01-01 static_down_day -5 10')$$,
	'a day down costs a static tunnel 5');
SELECT is_empty($$SELECT pg_temp.job('2025-01-02')$$, 'once');
SELECT is_empty($$SELECT pg_temp.job('2025-01-01')$$, 'an earlier date does nothing');
SELECT results_eq($$SELECT pg_temp.job('2025-01-05')$$, $$VALUES ('2025-01-02 static_down_day -5 5'),
	('2025-01-03 static_down_day -5 0'), ('2025-01-04 static_down_day -5 -5')$$,
		'days without a run are caught up, in order, and may go below nought');
SELECT results_eq($$SELECT pg_temp.job('2025-01-07')$$, $$VALUES ('2025-01-05 static_down_day -5 -10'),
	('2025-01-06 static_down_day -5 -15')$$, 'the sixth day is like the first');
SELECT is((SELECT admin_enabled FROM broker.tunnel WHERE id = :st), true, 'after six days the tunnel is enabled');

-- The PoP was down on the 7th (nothing sent): that is no day.
SELECT t.day(:st, '2025-01-07', false, 0);
SELECT is_empty($$SELECT pg_temp.job('2025-01-08')$$, 'a day without probes costs nothing');
SELECT is((SELECT down_days FROM broker.tunnel_streak WHERE tunnel = :st), 6, 'and breaks nothing');
SELECT t.day(:st, '2025-01-08', false);
SELECT feed_seq AS seq FROM api.popd_hello('demo01') \gset
SELECT results_eq($$SELECT pg_temp.job('2025-01-09')$$, $$VALUES ('2025-01-08 static_down_day -5 -20'),
	('2025-01-08 static_down_week -50 -70')$$, 'the seventh in a row costs 50 more');
SELECT is((SELECT admin_enabled FROM broker.tunnel WHERE id = :st), false, 'and disables the tunnel');
SELECT results_eq(format('SELECT op, id, enabled FROM api.popd_changes(%L, %s, 10)', 'demo01', :seq),
	format('VALUES (%L, %s, false)', 'set', :st), 'which the PoP hears');
SELECT is((SELECT admin_state FROM api.tic_tunnel_show(:demo, NULL, :st)), 'disabled', 'and TIC tells');
SELECT is((SELECT down_days FROM broker.tunnel_streak WHERE tunnel = :st), 0, 'its row of days begins anew');
SELECT t.day(:st, '2025-01-09', false);
SELECT is_empty($$SELECT pg_temp.job('2025-01-10')$$, 'a disabled tunnel is not charged further');
SELECT is((SELECT count(*)::int FROM broker.ledger WHERE tunnel IN (:ay, :hb) AND action LIKE 'static%'), 0,
	'dynamic tunnels are never charged for being down');
SELECT api.op_tunnel_set(:st, 'state', 'enabled');
SELECT pg_temp.days(:st, '2025-01-10', 7, false);
SELECT is((SELECT array_agg(what) FROM pg_temp.job('2025-01-17')),
	(SELECT array_agg(format('2025-01-%s static_down_day -5 %s', d, -70 - 5 * (d - 9)))
	FROM generate_series(10, 16) d) || '{2025-01-16 static_down_week -50 -155}'::text[],
		'enabled again, a second week counts in full');

-- Up.
SELECT api.op_tunnel_set(:st, 'state', 'enabled');
SELECT pg_temp.days(:st, '2025-02-01', 6, true);
SELECT is_empty($$SELECT pg_temp.job('2025-02-07')$$, 'six days up give nothing');
SELECT t.day(:st, '2025-02-07', false);
SELECT results_eq($$SELECT pg_temp.job('2025-02-08')$$, $$VALUES ('2025-02-07 static_down_day -5 -160')$$,
	'a day down');
SELECT pg_temp.days(:st, '2025-02-08', 6, true);
SELECT is_empty($$SELECT pg_temp.job('2025-02-14')$$, 'and the seven begin anew');
SELECT pg_temp.days(:st, '2025-02-14', 15, true);
SELECT results_eq($$SELECT pg_temp.job('2025-03-01')$$, $$VALUES ('2025-02-14 endpoint_week 5 -155'),
	('2025-02-21 endpoint_week 5 -150'), ('2025-02-28 endpoint_week 5 -145')$$,
		'every full week up gives 5, and the next seven days count anew');
SELECT pg_temp.days(:ay, '2025-03-01', 3, true), pg_temp.days(:ay, '2025-03-06', 4, true);
SELECT results_eq($$SELECT pg_temp.job('2025-03-10')$$, $$VALUES ('2025-03-09 endpoint_week 5 -140')$$,
	'dynamic tunnels earn too; days on which no probe was sent break nothing');
SELECT pg_temp.days(:hb, '2025-03-10', 6, true), t.day(:hb, '2025-03-16', false), t.day(:hb, '2025-03-17', true);
SELECT is_empty($$SELECT pg_temp.job('2025-03-18')$$,
	'a day without an answer breaks a dynamic tunnel''s week, and costs nothing');

-- Half a day up is up; today is not judged; what arrives late for a judged day is not judged again.
INSERT INTO broker.tunnel_day (tunnel, day, sent, received) VALUES (:st, '2025-03-20', 1440, 1);
SELECT is_empty($$SELECT pg_temp.job('2025-03-21')$$, 'one answer makes a day up');
INSERT INTO broker.tunnel_day (tunnel, day, sent, received) VALUES (:st, '2025-03-21', 100, 0);
SELECT is_empty($$SELECT pg_temp.job('2025-03-21')$$, 'today is never judged');
SELECT results_eq($$SELECT pg_temp.job('2025-03-22')$$, $$VALUES ('2025-03-21 static_down_day -5 -145')$$,
	'tomorrow it is');
UPDATE broker.tunnel_day SET received = 50 WHERE tunnel = :st AND day = '2025-03-21';
SELECT is_empty($$SELECT pg_temp.job('2025-03-22')$$, 'a judged day stays judged');
SELECT t.day(:st, '2025-03-19', false);
SELECT is_empty($$SELECT pg_temp.job('2025-03-22')$$, 'so does one before it');
SELECT is_empty($$SELECT pg_temp.job('2025-04-30')$$, 'a run for a later date has nothing to do');
SELECT t.day(:st, '2025-04-01', false);
SELECT results_eq($$SELECT pg_temp.job('2025-05-01')$$, $$VALUES ('2025-04-01 static_down_day -5 -150')$$,
	'and does not close days nobody has reported on');

-- One run over many weeks is the same as many runs.
SELECT t.account('LATE', 100) AS late \gset
SELECT t.tunnel('LATE', 'demo01', 'static', '192.0.2.3') AS late_t \gset
SELECT pg_temp.days(:late_t, '2025-06-01', 20, false);
SELECT is((SELECT count(*)::int FROM api.isk_daily('2025-07-01')), 8,
	'a tunnel down for twenty days unseen is charged one week');
SELECT is(t.balance('LATE'), 0, 'seven times 5, and 50');
SELECT is((SELECT admin_enabled FROM broker.tunnel WHERE id = :late_t), false, 'and is disabled once');

-- Changes of mind, and prices of a PoP's own.
SELECT t.account('RICH', 500) AS rich \gset
SELECT t.tunnel('RICH', 'demo02', 'static', '192.0.2.4') AS dear \gset
SELECT api.op_cost_set('static_down_day', 'demo02', -1, NULL);
SELECT api.op_cost_set('endpoint_week', 'demo02', 2, NULL);
SELECT pg_temp.days(:dear, '2025-07-01', 3, false);
SELECT is((SELECT sum(amount)::int FROM api.isk_daily('2025-07-04')), -3, 'the PoP''s own price of a day down');
SELECT api.op_tunnel_set(:dear, 'type', 'heartbeat');
SELECT t.day(:dear, '2025-07-04', false);
SELECT is((SELECT count(*)::int FROM api.isk_daily('2025-07-05')), 0, 'a tunnel no longer static is no longer charged');
SELECT api.op_tunnel_set(:dear, 'type', 'static 192.0.2.4');
SELECT pg_temp.days(:dear, '2025-07-05', 6, false);
SELECT is((SELECT count(*)::int FROM api.isk_daily('2025-07-11')), 6,
	'and begins its days anew when it is static again');
SELECT pg_temp.days(:dear, '2025-07-11', 7, true);
SELECT is((SELECT sum(amount)::int FROM api.isk_daily('2025-07-18')), 2, 'the PoP''s own price of a week up');
SELECT is((SELECT admin_enabled FROM broker.tunnel WHERE id = :dear), true, 'six days down are not a week');

SELECT pg_temp.days(:dear, '2025-07-18', 3, false);
UPDATE broker.tunnel SET user_enabled = false WHERE id = :dear;
SELECT is((SELECT count(*)::int FROM api.isk_daily('2025-07-21')), 3,
	'days that were probed count, whatever its user did since');
DELETE FROM broker.tunnel WHERE id = :dear;
SELECT is((SELECT count(*)::int FROM api.isk_daily('2025-08-01')), 0, 'a deleted tunnel is history');
SELECT is(t.refusal('SELECT api.isk_daily(NULL)'), 'BK003 The daily job needs a date.', 'it needs a date');
SELECT is((SELECT count(*)::int FROM broker.isk_day WHERE day >= '2025-06-01' AND day < '2025-07-01'), 20,
	'the days done are on record');
SELECT is((SELECT count(*) FROM broker.ledger l WHERE l.balance <>
	(SELECT sum(k.amount) FROM broker.ledger k WHERE k.account = l.account AND k.n <= l.n)), 0::bigint,
		'and the ledger balances');

-- What it clears away.
UPDATE broker.change SET at = now() - interval '8 days' WHERE pop = :pop;
INSERT INTO broker.statistics_batch VALUES (:pop, repeat('a', 32), 1, now() - interval '91 days'),
	(:pop, repeat('a', 32), 2, now() - interval '89 days');
INSERT INTO broker.login (account, at, method, address, tls, client)
	VALUES (:demo, now() - interval '91 days', 'md5', '::1', true, ''),
		(:demo, now() - interval '89 days', 'md5', '::1', true, '');
SELECT api.isk_daily('2025-08-01');
SELECT is((SELECT count(*)::int FROM broker.change WHERE pop = :pop), 0,
	'changes older than the setting are forgotten');
SELECT is((SELECT array_agg(batch) FROM broker.statistics_batch), '{2}', 'old batch numbers too');
SELECT is((SELECT count(*)::int FROM broker.login), 1, 'and old logins');
SELECT * FROM finish();
ROLLBACK;
