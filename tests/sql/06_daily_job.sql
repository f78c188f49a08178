-- The daily ISK job: what it books, that it books once, and that it catches up on days without a run.
BEGIN;
SET search_path = tap, public;
SELECT plan(47);
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
SELECT is(t.balance(), 15, 'the account begins with 15');

-- Down days.
SELECT pg_temp.days(:st, '2025-01-01', 6, false), pg_temp.days(:ay, '2025-01-01', 20, false),
	pg_temp.days(:hb, '2025-01-01', 20, false);
SELECT results_eq($$SELECT pg_temp.job('2025-01-02')$$, $$VALUES ('2025-01-01 static_down_day -5 10')$$,
	'a down day costs a static tunnel 5');
SELECT is_empty($$SELECT pg_temp.job('2025-01-02')$$, 'a second run charges nothing');
SELECT is_empty($$SELECT pg_temp.job('2025-01-01')$$, 'a run for an earlier date charges nothing');
SELECT results_eq($$SELECT pg_temp.job('2025-01-05')$$, $$VALUES ('2025-01-02 static_down_day -5 5'),
	('2025-01-03 static_down_day -5 0'), ('2025-01-04 static_down_day -5 -5')$$,
		'a later run catches up in order of days and may lower the balance below 0');
SELECT results_eq($$SELECT pg_temp.job('2025-01-07')$$, $$VALUES ('2025-01-05 static_down_day -5 -10'),
	('2025-01-06 static_down_day -5 -15')$$, 'the sixth down day costs as much as the first');
SELECT is((SELECT admin_enabled FROM broker.tunnel WHERE id = :st), true, 'after six down days the tunnel is still enabled');

-- The PoP was down on the 7th and sent nothing.
SELECT t.day(:st, '2025-01-07', false, 0);
SELECT is_empty($$SELECT pg_temp.job('2025-01-08')$$, 'a day without probes costs nothing');
SELECT is((SELECT down_days FROM broker.tunnel_streak WHERE tunnel = :st), 6, 'a day without probes does not interrupt the streak');
SELECT t.day(:st, '2025-01-08', false);
SELECT feed_seq AS seq FROM t.popd_hello('demo01') \gset
SELECT results_eq($$SELECT pg_temp.job('2025-01-09')$$, $$VALUES ('2025-01-08 static_down_day -5 -20'),
	('2025-01-08 static_down_week -50 -70')$$, 'the seventh down day costs 50 more');
SELECT is((SELECT admin_enabled FROM broker.tunnel WHERE id = :st), false, 'the seventh down day disables the tunnel');
SELECT results_eq(format('SELECT op, id, enabled FROM t.popd_changes(%L, %s, 10)', 'demo01', :seq),
	format('VALUES (%L, %s, false)', 'set', :st), 'the feed tells the PoP that the tunnel is disabled');
SELECT is((SELECT admin_state FROM api.tic_tunnel_show(:demo, NULL, :st)), 'disabled', 'TIC says that the tunnel is disabled');
SELECT is((SELECT down_days FROM broker.tunnel_streak WHERE tunnel = :st), 0, 'the streak begins anew after a week');
SELECT t.day(:st, '2025-01-09', false);
SELECT is_empty($$SELECT pg_temp.job('2025-01-10')$$, 'a disabled tunnel is not charged');
SELECT is((SELECT count(*)::int FROM broker.ledger WHERE tunnel IN (:ay, :hb) AND action LIKE 'static%'), 0,
	'dynamic tunnels are never charged for being down');
SELECT api.op_tunnel_set(:st, 'state', 'enabled');
SELECT pg_temp.days(:st, '2025-01-10', 7, false);
SELECT is((SELECT array_agg(what) FROM pg_temp.job('2025-01-17')),
	(SELECT array_agg(format('2025-01-%s static_down_day -5 %s', d, -70 - 5 * (d - 9)))
	FROM generate_series(10, 16) d) || '{2025-01-16 static_down_week -50 -155}'::text[],
		'after the tunnel is enabled again a second week costs as much');

-- Up days.
SELECT api.op_tunnel_set(:st, 'state', 'enabled');
SELECT pg_temp.days(:st, '2025-02-01', 6, true);
SELECT is_empty($$SELECT pg_temp.job('2025-02-07')$$, 'six up days earn nothing');
SELECT t.day(:st, '2025-02-07', false);
SELECT results_eq($$SELECT pg_temp.job('2025-02-08')$$, $$VALUES ('2025-02-07 static_down_day -5 -160')$$,
	'a down day after them costs 5');
SELECT pg_temp.days(:st, '2025-02-08', 6, true);
SELECT is_empty($$SELECT pg_temp.job('2025-02-14')$$, 'after the down day six up days earn nothing');
SELECT pg_temp.days(:st, '2025-02-14', 15, true);
SELECT results_eq($$SELECT pg_temp.job('2025-03-01')$$, $$VALUES ('2025-02-14 endpoint_week 5 -155'),
	('2025-02-21 endpoint_week 5 -150'), ('2025-02-28 endpoint_week 5 -145')$$,
		'every seven up days earn 5');
SELECT pg_temp.days(:ay, '2025-03-01', 3, true), pg_temp.days(:ay, '2025-03-06', 4, true);
SELECT results_eq($$SELECT pg_temp.job('2025-03-10')$$, $$VALUES ('2025-03-09 endpoint_week 5 -140')$$,
	'a dynamic tunnel earns as well, and days without probes do not interrupt its streak');
SELECT pg_temp.days(:hb, '2025-03-10', 6, true), t.day(:hb, '2025-03-16', false), t.day(:hb, '2025-03-17', true);
SELECT is_empty($$SELECT pg_temp.job('2025-03-18')$$,
	'a day without an answer ends the streak of a dynamic tunnel and costs nothing');

-- Days with few probes, today, and reports that come after their day was judged.
INSERT INTO broker.tunnel_day (tunnel, day, sent, received) VALUES (:st, '2025-03-20', 1440, 1);
SELECT is_empty($$SELECT pg_temp.job('2025-03-21')$$, 'one answer makes an up day');
INSERT INTO broker.tunnel_day (tunnel, day, sent, received) VALUES (:st, '2025-03-21', 100, 0);
SELECT is_empty($$SELECT pg_temp.job('2025-03-21')$$, 'today is never judged');
SELECT results_eq($$SELECT pg_temp.job('2025-03-22')$$, $$VALUES ('2025-03-21 static_down_day -5 -145')$$,
	'a day is judged when it is over');
UPDATE broker.tunnel_day SET received = 50 WHERE tunnel = :st AND day = '2025-03-21';
SELECT is_empty($$SELECT pg_temp.job('2025-03-22')$$, 'a report that changes a judged day changes no booking');
SELECT t.day(:st, '2025-03-19', false);
SELECT is_empty($$SELECT pg_temp.job('2025-03-22')$$, 'a report for a day before a judged one books nothing');
SELECT is_empty($$SELECT pg_temp.job('2025-04-30')$$, 'a run for a later date does nothing without reports');
SELECT t.day(:st, '2025-04-01', false);
SELECT results_eq($$SELECT pg_temp.job('2025-05-01')$$, $$VALUES ('2025-04-01 static_down_day -5 -150')$$,
	'a day that no PoP had reported on is judged when its report comes');

-- One run over many weeks is the same as many runs.
SELECT t.account('LATE', 100) AS late \gset
SELECT t.tunnel('LATE', 'demo01', 'static', '192.0.2.3') AS late_t \gset
SELECT pg_temp.days(:late_t, '2025-06-01', 20, false);
SELECT is((SELECT count(*)::int FROM api.isk_daily('2025-07-01')), 8,
	'a run after twenty down days charges one week');
SELECT is(t.balance('LATE'), 0, 'one week costs seven times 5, and 50');
SELECT is((SELECT admin_enabled FROM broker.tunnel WHERE id = :late_t), false, 'that run disables the tunnel');

-- Costs of a PoP's own, and tunnels that change in between.
SELECT t.account('RICH', 500) AS rich \gset
SELECT t.tunnel('RICH', 'demo02', 'static', '192.0.2.4') AS dear \gset
SELECT api.op_cost_set('static_down_day', 'demo02', -1, NULL);
SELECT api.op_cost_set('endpoint_week', 'demo02', 2, NULL);
SELECT pg_temp.days(:dear, '2025-07-01', 3, false);
SELECT is((SELECT sum(amount)::int FROM api.isk_daily('2025-07-04')), -3, 'a down day costs what it costs on that PoP');
SELECT api.op_tunnel_set(:dear, 'type', 'heartbeat');
SELECT t.day(:dear, '2025-07-04', false);
SELECT is((SELECT count(*)::int FROM api.isk_daily('2025-07-05')), 0, 'a tunnel that is no longer static is not charged');
SELECT api.op_tunnel_set(:dear, 'type', 'static 192.0.2.4');
SELECT pg_temp.days(:dear, '2025-07-05', 6, false);
SELECT is((SELECT count(*)::int FROM api.isk_daily('2025-07-11')), 6,
	'its streak begins anew when it is static again');
SELECT pg_temp.days(:dear, '2025-07-11', 7, true);
SELECT is((SELECT sum(amount)::int FROM api.isk_daily('2025-07-18')), 2, 'a week up earns what it earns on that PoP');
SELECT is((SELECT admin_enabled FROM broker.tunnel WHERE id = :dear), true, 'six down days do not disable a tunnel');

SELECT pg_temp.days(:dear, '2025-07-18', 3, false);
UPDATE broker.tunnel SET user_enabled = false WHERE id = :dear;
SELECT is((SELECT count(*)::int FROM api.isk_daily('2025-07-21')), 3,
	'probed days count even when the user has disabled the tunnel since');
DELETE FROM broker.tunnel WHERE id = :dear;
SELECT is((SELECT count(*)::int FROM api.isk_daily('2025-08-01')), 0, 'a deleted tunnel is not judged');
SELECT is(t.refusal('SELECT api.isk_daily(NULL)'), 'BK003 The daily job needs a date.', 'the job needs a date');
SELECT is((SELECT count(*)::int FROM broker.isk_day WHERE day >= '2025-06-01' AND day < '2025-07-01'), 20,
	'every judged day is on record');
SELECT is((SELECT count(*) FROM broker.ledger l WHERE l.balance <>
	(SELECT sum(k.amount) FROM broker.ledger k WHERE k.account = l.account AND k.n <= l.n)), 0::bigint,
		'every balance is the sum of the amounts up to it');

-- Pruning is another function.
UPDATE broker.change SET at = now() - interval '8 days' WHERE pop = :pop;
INSERT INTO broker.statistics_batch VALUES (:pop, repeat('a', 32), 1, now() - interval '91 days'),
	(:pop, repeat('a', 32), 2, now() - interval '89 days');
INSERT INTO broker.login (account, at, method, address, tls, client)
	VALUES (:demo, now() - interval '91 days', 'md5', '::1', true, ''),
		(:demo, now() - interval '89 days', 'md5', '::1', true, '');
SELECT count(*) AS changes FROM broker.change WHERE pop = :pop \gset
SELECT api.isk_daily('2025-08-01');
SELECT is((SELECT count(*) FROM broker.change WHERE pop = :pop) || ' ' || (SELECT count(*) FROM broker.statistics_batch)
	|| ' ' || (SELECT count(*) FROM broker.login), :'changes' || ' 2 2', 'the daily job deletes nothing');
SELECT results_eq('SELECT record, deleted FROM api.prune()', format($$VALUES ('change of the feed', %s::bigint),
	('statistics batch', 1), ('login', 1)$$, :'changes'), 'pruning says what it deleted');
SELECT is((SELECT array_agg(batch) FROM broker.statistics_batch), '{2}', 'it keeps newer batches');
SELECT is((SELECT count(*)::int FROM broker.login), 1, 'it keeps newer logins');
SELECT * FROM finish();
ROLLBACK;
