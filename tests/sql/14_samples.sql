-- Samples by the quarter of an hour, sums by the day, week, month and year, of tunnels and PoPs;
-- drops by reason.
BEGIN;
SET search_path = tap, public;
SELECT * FROM no_plan();
SELECT t.pop() AS pop, t.pop('demo02', 2) AS pop2 \gset
SELECT t.account('DEMO', 300);
SELECT t.tunnel() AS t1 \gset
SELECT t.tunnel() AS t2 \gset
SELECT t.tunnel('DEMO', 'demo02') AS far \gset
-- The beginning of the current quarter of an hour, or of one so many before it.
CREATE FUNCTION pg_temp.at(ago int DEFAULT 0) RETURNS timestamptz LANGUAGE sql AS $$
	SELECT date_bin('15 minutes', now(), timestamptz '1970-01-01 00:00:00+00') - ago * interval '15 minutes'
$$;
CREATE FUNCTION pg_temp.day(at timestamptz) RETURNS date LANGUAGE sql AS $$ SELECT (at AT TIME ZONE 'UTC')::date $$;
CREATE FUNCTION pg_temp.quarter(at timestamptz) RETURNS int LANGUAGE sql AS $$
	SELECT (extract(epoch FROM (at AT TIME ZONE 'UTC')::time) / 900)::int
$$;
-- One row a tunnel; packets_in to drops are 1, 10, 2, 20, 3 times `times`.
CREATE FUNCTION pg_temp.batch(batch bigint, tunnels int[], days date[], quarters int[], received int[], rtt int[],
	times bigint DEFAULT 1, pop text DEFAULT 'demo01')
RETURNS boolean LANGUAGE sql AS $$
	SELECT applied FROM t.popd_samples(pop, repeat('a', 32), batch, tunnels, days, quarters,
		ARRAY(SELECT 10 FROM unnest(days)), received, rtt, ARRAY(SELECT (x * y)::bigint FROM unnest(received, rtt) AS u (x, y)),
		ARRAY(SELECT 2 * x FROM unnest(rtt) x), ARRAY(SELECT times FROM unnest(days)), ARRAY(SELECT 10 * times FROM unnest(days)),
		ARRAY(SELECT 2 * times FROM unnest(days)), ARRAY(SELECT 20 * times FROM unnest(days)),
		ARRAY(SELECT 3 * times FROM unnest(days)), '{}', '{}', '{}', '{}')
$$;
-- The same for the drops alone.
CREATE FUNCTION pg_temp.drops(batch bigint, tunnels int[], days date[], reasons text[], packets bigint[],
	pop text DEFAULT 'demo01')
RETURNS boolean LANGUAGE sql AS $$
	SELECT applied FROM t.popd_samples(pop, repeat('b', 32), batch, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
		'{}', '{}', '{}', '{}', tunnels, days, reasons, packets)
$$;

-- One batch feeds four tables.
SELECT pg_temp.at(1) AS at1, pg_temp.day(pg_temp.at(1)) AS day1, pg_temp.quarter(pg_temp.at(1)) AS q1,
	pg_temp.at() AS at0, pg_temp.day(pg_temp.at()) AS day0, pg_temp.quarter(pg_temp.at()) AS q0 \gset
SELECT is(pg_temp.batch(1, ARRAY[:t1, :t2], ARRAY[:'day1', :'day1']::date[], ARRAY[:q1, :q1], '{9,0}', '{700,0}'), true,
	'a batch is applied');
SELECT is((SELECT array_agg(s.*::text ORDER BY s.tunnel) FROM broker.tunnel_sample s), ARRAY[
	format('(%s,"%s",10,9,700,6300,1400,1,10,2,20,3)', :t1, :'at1'::timestamptz),
	format('(%s,"%s",10,0,,0,,1,10,2,20,3)', :t2, :'at1'::timestamptz)], 'it adds to the quarter of each tunnel');
SELECT is((SELECT array_agg(d.*::text ORDER BY d.tunnel) FROM broker.tunnel_day d), ARRAY[
	format('(%s,%s,10,9,700,6300,1400,1,10,2,20,3)', :t1, :'day1'),
	format('(%s,%s,10,0,,0,,1,10,2,20,3)', :t2, :'day1')], 'it adds to the day of each tunnel');
SELECT is((SELECT array_agg(s.*::text) FROM broker.pop_sample s),
	ARRAY[format('(%s,"%s",20,9,700,6300,1400,2,20,4,40,6)', :pop, :'at1'::timestamptz)], 'it adds to the quarter of the PoP');
SELECT is((SELECT array_agg(d.*::text) FROM broker.pop_day d),
	ARRAY[format('(%s,%s,20,9,700,6300,1400,2,20,4,40,6)', :pop, :'day1')], 'it adds to the day of the PoP');
SELECT is(pg_temp.batch(1, ARRAY[:t1], ARRAY[:'day1']::date[], ARRAY[:q1], '{9}', '{700}'), false,
	'a batch with the same number is not applied');
SELECT is(pg_temp.batch(2, ARRAY[:t1, :t1], ARRAY[:'day1', :'day0']::date[], ARRAY[:q1, :q0], '{1,1}', '{500,100}'), true,
	'the next batch is applied');
SELECT is((SELECT array_agg(format('%s %s %s %s %s', s.at = :'at0', s.sent, s.rtt_min_us, s.rtt_max_us, s.drops) ORDER BY s.at)
	FROM broker.tunnel_sample s WHERE tunnel = :t1), '{f 20 500 1400 6,t 10 100 200 3}', 'sums add up, the lowest and highest stay, quarters are apart');
SELECT is((SELECT sum(sent)::int FROM broker.tunnel_day WHERE tunnel = :t1), 30, 'the days have the sums of all quarters');

-- Rows known by the day only.
SELECT is(pg_temp.batch(3, ARRAY[:t2], ARRAY[:'day1']::date[], '{NULL}', '{0}', '{0}', 5), true,
	'a batch without quarters is applied');
SELECT is((SELECT packets_in FROM broker.tunnel_day WHERE tunnel = :t2), 6::bigint, 'it adds to the day');
SELECT is((SELECT packets_in FROM broker.tunnel_sample WHERE tunnel = :t2), 1::bigint, 'it adds to no quarter');

-- Wrong clocks, and samples that would be pruned at once.
SELECT pg_temp.at(-2) AS ahead, broker.rfc3339(pg_temp.at(-2)) AS ahead_text, broker.rfc3339(now() + interval '1 minute') AS soon,
	pg_temp.at(96 * 7) AS week, (now() AT TIME ZONE 'UTC')::date - 9 AS old \gset
SELECT is(t.refusal(format('SELECT pg_temp.batch(4, ARRAY[%s], ARRAY[%L::date], ARRAY[%s], ''{0}'', ''{0}'')', :t2, pg_temp.day(:'ahead'), pg_temp.quarter(:'ahead'))),
	'BK003 A row of the batch is of ' || :'ahead_text' || ', later than now: the clock of the PoP is wrong.', 'a quarter in the future is refused');
SELECT is(t.refusal(format('SELECT api.statistics_times_check(ARRAY[now() + interval ''1 minute'', now()])')),
	'BK001 A row of the batch is of ' || :'soon' || ', which has not begun: the clock of the PoP is ahead. Send it again.', 'of a clock that is a little ahead it is taken later');
SELECT is(t.refusal(format('SELECT pg_temp.batch(4, ARRAY[%s], ''{2999-01-01}'', ''{NULL}'', ''{0}'', ''{0}'')', :t2)),
	'BK003 A row of the batch is of 2999-01-01T00:00:00Z, later than now: the clock of the PoP is wrong.', 'a day in the future is refused');
SELECT is(t.refusal(format('SELECT pg_temp.drops(4, ARRAY[%s], ''{2999-01-01}'', ''{hop-limit}'', ''{1}'')', :t2)),
	'BK003 A row of the batch is of 2999-01-01T00:00:00Z, later than now: the clock of the PoP is wrong.', 'drops of the future are refused');
SELECT is(t.refusal(format('SELECT pg_temp.batch(4, ARRAY[%s], ARRAY[%L::date], ARRAY[%s]::int[], ''{0}'', ''{0}'')', :t2, :'old', v.quarter)),
	'BK003 A row of the batch is of ' || :'old' || 'T' || v.at || 'Z, older than the 8 days for which samples are taken.', 'what is older than is kept is refused')
FROM (VALUES ('NULL', '00:00:00'), ('3', '00:45:00')) v (quarter, at);
SELECT is(pg_temp.batch(4, ARRAY[:t2], ARRAY[pg_temp.day(:'week')]::date[], ARRAY[pg_temp.quarter(:'week')], '{0}', '{0}'), true, 'a week''s backlog is applied');
SELECT api.op_setting_set('sample_keep_days', 1);
SELECT is(pg_temp.batch(5, ARRAY[:t2], ARRAY[pg_temp.day(:'week')]::date[], ARRAY[pg_temp.quarter(:'week')], '{0}', '{0}'), true, 'also where samples are kept for less');
SELECT is((SELECT packets_in FROM broker.tunnel_sample WHERE tunnel = :t2 AND at = :'week'), 1::bigint, 'then it is no sample');

-- Counts that cannot be.
CREATE FUNCTION pg_temp.counts(tunnel int, quarter int, sent int, received int, rtt int DEFAULT 1, drops bigint DEFAULT 0) RETURNS text LANGUAGE sql AS $$
	SELECT t.refusal(format('SELECT t.popd_samples(''demo01'', repeat(''a'', 32), 6, ARRAY[%s], ARRAY[%L::date], ARRAY[%s]::int[], ARRAY[%s], ARRAY[%s], ARRAY[%s],
		''{1}'', ''{1}'', ''{1}'', ''{1}'', ''{1}'', ''{1}'', ARRAY[%s], ''{}'', ''{}'', ''{}'', ''{}'')',
		tunnel, pg_temp.day(pg_temp.at()), coalesce(quarter::text, 'NULL'), sent, received, rtt, drops))
$$;
SELECT is(pg_temp.counts(:t2, 0, 3, 5), format('BK003 T%s cannot have answered 5 of 3 probes on %s.', :t2, pg_temp.day(pg_temp.at())), 'more answers than probes are refused');
SELECT is(pg_temp.counts(:t2, 0, 17, 0), format('BK003 T%s cannot have been probed more often than there are minutes, 17 times on %s.', :t2, pg_temp.day(pg_temp.at())),
	'more probes than minutes are refused');
SELECT alike(pg_temp.counts(:t2, NULL, 1440 * 9 + 2, 0), 'BK003 T% more often than there are minutes%', 'for a day too');
SELECT is(pg_temp.counts(:t2, 0, v.sent, v.received, v.rtt, v.drops), 'BK003 A count of a statistics batch is below 0: counts grow as long as a PoP runs.',
	'a count below 0 is refused') FROM (VALUES (-1, 0, 1, 0), (1, -1, 1, 0), (1, 1, -1, 0), (1, 1, 1, -7)) v (sent, received, rtt, drops);
SELECT is(pg_temp.counts(:t2, 0, 16, 17), 'not refused', 'one late answer and one minute begun are fine');
SELECT is(pg_temp.counts(0, 0, 20000, 0), 'not refused', 'the PoP as a whole has more probes');
SELECT is(t.refusal(format('SELECT t.popd_samples(''demo01'', repeat(''f'', 32), 9, %s), t.popd_samples(''demo01'', repeat(''f'', 32), 8, %s)', v.empty, v.empty)),
	'BK003 Batch 8 comes after a later one of the same start of popd.', 'a number below the last one is refused')
FROM (VALUES ('''{}'', ''{}'', ''{}'', ''{}'', ''{}'', ''{}'', ''{}'', ''{}'', ''{}'', ''{}'', ''{}'', ''{}'', ''{}'', ''{}'', ''{}'', ''{}'', ''{}''')) v (empty);

-- From here on with days of years ago.
SELECT api.op_setting_set('sample_keep_days', 10000);
SELECT is(t.refusal(format('SELECT pg_temp.batch(7, ARRAY[%s], ''{2025-01-01}'', ARRAY[%s], ''{0}'', ''{0}'')', :t1, q)),
	'BK003 The quarters of a day are numbered 0 to 95.', 'quarter ' || q || ' is refused') FROM (VALUES (96), (-1)) v (q);
SELECT is(t.refusal(format('SELECT pg_temp.drops(7, ARRAY[%s], ''{2025-01-01}'', ''{a-reason,b-reason}'', ''{1}'')', :t1)),
	'BK003 The columns of a statistics batch must be equally long.', 'columns of unequal length are refused');
SELECT is(t.refusal(format('SELECT pg_temp.batch(7, ARRAY[%s], ''{NULL}'', ''{NULL}'', ''{0}'', ''{0}'')', :t1)),
	'BK003 Every row of a statistics batch needs its day.', 'a row without a day is refused');
SELECT is(t.refusal(format('SELECT pg_temp.drops(7, ARRAY[%s], ''{NULL}'', ''{hop-limit}'', ''{1}'')', :t1)),
	'BK003 Every row of a statistics batch needs its day.', 'drops without a day are refused');
SELECT isnt(t.attack(format('INSERT INTO broker.%s VALUES (%s, ''2026-01-01 00:07:00Z'')', v.sums, v.owner)), 'ok',
	v.sums || ' refuses a time that begins no quarter') FROM (VALUES ('tunnel_sample', :t1), ('pop_sample', :pop)) v (sums, owner);

-- Tunnels of another PoP.
SELECT is(pg_temp.batch(8, ARRAY[:far, 999999], '{2025-01-01,2025-01-01}', '{NULL,NULL}', '{0,0}', '{0,0}'), true,
	'a batch with tunnels of another PoP and of none is applied');
SELECT is((SELECT count(*)::int FROM broker.tunnel_day WHERE day = '2025-01-01'), 0, 'those tunnels get no statistics');
SELECT results_eq('SELECT pop, packets_in FROM broker.pop_day WHERE day = ''2025-01-01''',
	format('VALUES (%s, 2::bigint)', :pop), 'the PoP that reports them counts their traffic as its own');

-- Weeks, months and years. Weeks are those of ISO 8601, so one week may have days of two years.
SELECT pg_temp.batch(9, ARRAY[:t1, :t1, :t1, :t1, :t1, :t1, :t1],
	'{2023-12-31,2024-01-01,2024-02-28,2024-02-29,2024-03-01,2024-12-29,2024-12-30}',
	'{NULL,NULL,NULL,NULL,NULL,NULL,NULL}', '{1,1,1,1,1,1,1}', '{10,20,30,40,50,60,70}');
SELECT pg_temp.batch(10, ARRAY[:t1, :t1, :t1], '{2025-01-05,2025-01-06,2021-01-03}', '{NULL,NULL,NULL}', '{1,1,4}', '{80,90,99}');
CREATE FUNCTION pg_temp.packets(tunnel int, unit text, since date, until date) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(s.period || ' ' || s.packets_in, ', ') FROM api.op_tunnel_statistics(tunnel, unit, since, until) s
$$;
SELECT is(pg_temp.packets(:t1, 'week', '2020-01-01', '2025-12-31'),
	'2020-W53 1, 2023-W52 1, 2024-W01 1, 2024-W09 3, 2024-W52 1, 2025-W01 2, 2025-W02 1',
	'weeks begin on Monday and belong to the year of their Thursday');
SELECT is(pg_temp.packets(:t1, 'month', '2023-01-01', '2024-12-31'), '2023-12 1, 2024-01 1, 2024-02 2, 2024-03 1, 2024-12 2',
	'a month has all its days, 29 February included');
SELECT is(pg_temp.packets(:t1, 'year', '2021-01-01', '2025-12-31'), '2021 1, 2023 1, 2024 6, 2025 2', 'a year has all its days');
SELECT is(pg_temp.packets(:t1, 'day', '2024-02-28', '2024-03-01'), '2024-02-28 1, 2024-02-29 1, 2024-03-01 1',
	'the first and the last day asked for are included');
SELECT is(pg_temp.packets(:t1, 'month', '2024-02-29', '2024-02-29'), '2024-02 1', 'of a month that is cut only the days asked for count');
SELECT is(pg_temp.packets(:t1, 'day', NULL, NULL), (SELECT string_agg(format('%s %s', d.day, d.packets_in), ', ' ORDER BY d.day)
	FROM broker.tunnel_day d WHERE d.tunnel = :t1 AND d.day >= :'day1'), 'without days the last 31 are shown');
SELECT is((SELECT count(*)::int FROM api.op_tunnel_statistics(:t1, 'quarter', NULL, NULL)), 2, 'without days the quarters of two days are shown');
SELECT is((SELECT array_agg(period) FROM api.op_tunnel_statistics(:t1, 'quarter', :'day0', :'day0')),
	(SELECT array_agg(to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') ORDER BY at) FROM broker.tunnel_sample
	WHERE tunnel = :t1 AND pg_temp.day(at) = :'day0'), 'a quarter is named by its beginning in UTC');
SET LOCAL TimeZone = 'Pacific/Kiritimati';
SELECT is(pg_temp.packets(:t1, 'week', '2024-12-30', '2025-01-06'), '2025-W01 2, 2025-W02 1', 'the session''s time zone does not move days');
SELECT is((SELECT count(*)::int FROM api.op_tunnel_statistics(:t1, 'quarter', :'day0', :'day0')),
	(SELECT count(*)::int FROM broker.tunnel_sample WHERE tunnel = :t1 AND pg_temp.day(at) = :'day0'), 'the session''s time zone does not move quarters');
SET LOCAL TimeZone = 'UTC';
SELECT results_eq(format('SELECT sent, received, loss_percent, rtt_min_us, rtt_average_us, rtt_max_us, bytes_in, packets_out, bytes_out, drops FROM api.op_tunnel_statistics(%s, ''year'', ''2024-01-01'', ''2024-12-31'')', :t1),
	'VALUES (60::bigint, 6::bigint, 90.0, 20, 45::bigint, 140, 60::bigint, 12::bigint, 120::bigint, 18::bigint)', 'every column is summed, averaged or an extreme');
SELECT is((SELECT loss_percent FROM api.op_tunnel_statistics(:t1, 'day', '2021-01-03', '2021-01-03')), 60.0, 'loss is in percent');
INSERT INTO broker.tunnel_day (tunnel, day, sent, received) VALUES (:t1, '2021-02-01', 1, 2), (:t1, '2021-02-02', 0, 0);
SELECT is((SELECT array_agg(coalesce(loss_percent::text, '-')) FROM api.op_tunnel_statistics(:t1, 'day', '2021-02-01', '2021-02-02')),
	'{0,-}', 'loss is never below 0, and NULL without probes');
-- A PoP that invents what it counts neither breaks the operator's sums nor fills the disk.
SELECT is(t.refusal(format('SELECT pg_temp.batch(70, ARRAY[%s], ARRAY[%L::date], ARRAY[%s], ''{0}'', ''{0}'', 1000000000000000)', :t1, :'day1', :q1)),
	'BK003 No PoP can have counted more than 10000000000000000 on ' || :'day1' || '.', 'more octets than any line carries in a day are refused');
SELECT is(pg_temp.batch(71, ARRAY[:t1], ARRAY[:'day1']::date[], ARRAY[:q1], '{0}', '{0}', 400000000000000), true, 'half of it is taken');
SELECT alike(t.refusal(format('SELECT pg_temp.batch(72, ARRAY[%s], ARRAY[%L::date], ARRAY[%s], ''{0}'', ''{0}'', 400000000000000)', :t1, :'day1', :q1)),
	'BK003 No PoP can have counted more than %', 'but not twice');
SELECT is(pg_temp.counts(0, 0, 2147483647, 0), 'not refused', 'the largest number of probes of all tunnels');
SELECT is(t.refusal(format('SELECT pg_temp.drops(70, ARRAY(SELECT 0 FROM generate_series(1, %1$s)), ARRAY(SELECT %2$L::date FROM generate_series(1, %1$s)),
	ARRAY(SELECT ''invented-'' || g FROM generate_series(1, %1$s) g), ARRAY(SELECT 1::bigint FROM generate_series(1, %1$s)))', 201, :'day1')),
	'BK003 No PoP can have dropped packets for more than 200 reasons, or more than 10000000000000000 for one, on ' || :'day1' || '.', 'invented reasons are refused');
SELECT alike(t.refusal(format('SELECT pg_temp.drops(71, ''{0}'', ARRAY[%L::date], ''{hop-limit}'', ''{10000000000000001}'')', :'day1')), 'BK003 No PoP can have dropped packets %',
	'invented counts of a reason are refused');
SELECT is(t.refusal('SELECT t.popd_reasons(''demo02'', ARRAY(SELECT ''r'' || g FROM generate_series(1, 1001) g), ARRAY(SELECT ''x'' FROM generate_series(1, 1001)))'),
	'BK003 A PoP has at most 1000 drop reasons.', 'so are a thousand meanings');
SELECT is(t.refusal('SELECT t.popd_reasons(''demo02'', ''{hop-limit}'', ARRAY[E''a\u202Eb''])'), 'BK003 The text of a drop reason is one line of at most 200 characters of ASCII.',
	'and those that turn the operator''s terminal around');

SELECT is(t.refusal(format('SELECT api.op_tunnel_statistics(%s, ''fortnight'', NULL, NULL)', :t1)),
	'BK003 Statistics are by quarter, day, week, month or year, not by "fortnight".', 'an unknown unit is refused');
SELECT is(t.refusal(format('SELECT api.op_tunnel_statistics(%s, ''day'', ''2025-01-02'', ''2025-01-01'')', :t1)),
	'BK003 The first day, 2025-01-02, is after the last, 2025-01-01.', 'a last day before the first is refused');
SELECT is(t.refusal('SELECT api.op_tunnel_statistics(999999, ''day'', NULL, NULL)'), 'BK002 There is no tunnel T999999.', 'the statistics of an unknown tunnel are refused');
SELECT is(t.refusal('SELECT api.op_pop_statistics(''nowhere1'', ''day'', NULL, NULL)'), 'BK002 There is no PoP nowhere1.', 'the statistics of an unknown PoP are refused');

-- Drops by reason.
SELECT is(pg_temp.drops(1, ARRAY[:t1, :t1, :t1, :t2, 0, :far, 999999],
	'{2025-05-01,2025-05-01,2025-05-02,2025-05-01,2025-05-01,2025-05-01,2025-05-03}',
	'{hop-limit,hop-limit,clock-skew,hop-limit,tunnel-unknown,hop-limit,hop-limit}', '{1,2,4,8,16,32,64}'), true, 'a batch of drops is applied');
SELECT is(pg_temp.drops(1, ARRAY[:t1], '{2025-05-01}', '{hop-limit}', '{1}'), false, 'a batch of drops is applied once');
SELECT is((SELECT array_agg(format('%s %s %s', d.day, d.reason, d.packets) ORDER BY d.day, d.reason) FROM broker.tunnel_drop d
	WHERE d.tunnel = :t1), '{2025-05-01 hop-limit 3,2025-05-02 clock-skew 4}', 'drops add up by tunnel, day and reason');
SELECT is((SELECT count(*)::int FROM broker.tunnel_drop WHERE tunnel NOT IN (:t1, :t2)), 0, 'drops of other tunnels are not stored by tunnel');
SELECT is((SELECT array_agg(format('%s %s %s', d.day, d.reason, d.packets) ORDER BY d.day, d.reason) FROM broker.pop_drop d
	WHERE d.pop = :pop), '{2025-05-01 hop-limit 43,2025-05-01 tunnel-unknown 16,2025-05-02 clock-skew 4,2025-05-03 hop-limit 64}', 'all drops add up for the PoP');
SELECT is((SELECT changed FROM t.popd_reasons('demo01', '{hop-limit,clock-skew}', '{the hop limit ran out,the clock is wrong}')), 2::bigint,
	'new meanings are stored');
SELECT is((SELECT changed FROM t.popd_reasons('demo01', '{hop-limit,clock-skew}', '{the hop limit ran out,the client''s clock is wrong}')),
	1::bigint, 'only a changed meaning counts as changed');
SELECT results_eq(format('SELECT * FROM api.op_tunnel_errors(%s, NULL, NULL)', :t1),
	$$VALUES ('2025-05-02', 'clock-skew', 4::bigint, 'the client''s clock is wrong'), ('2025-05-01', 'hop-limit', 3, 'the hop limit ran out')$$,
	'the errors of a tunnel have the newest day first');
SELECT results_eq('SELECT * FROM api.op_pop_errors(''demo01'', ''2025-05-01'', ''2025-05-01'')',
	$$VALUES ('2025-05-01', 'hop-limit', 43::bigint, 'the hop limit ran out'), ('2025-05-01', 'tunnel-unknown', 16, NULL)$$,
	'the errors of a PoP can be limited to days');
SELECT is(t.refusal('SELECT api.op_tunnel_errors(999999, NULL, NULL)'), 'BK002 There is no tunnel T999999.', 'the errors of an unknown tunnel are refused');

-- What outlives a tunnel.
SELECT sum(packets_in) AS before FROM api.op_pop_statistics('demo01', 'year', NULL, NULL) \gset
SELECT api.op_tunnel_delete(:t1);
SELECT is((SELECT count(*)::int FROM broker.tunnel_day WHERE tunnel = :t1) + (SELECT count(*)::int FROM broker.tunnel_sample
	WHERE tunnel = :t1) + (SELECT count(*)::int FROM broker.tunnel_drop WHERE tunnel = :t1), 0, 'a deleted tunnel''s statistics are deleted with it');
SELECT is((SELECT sum(packets_in) FROM api.op_pop_statistics('demo01', 'year', NULL, NULL)), :before::numeric, 'the statistics of the PoP stay');
SELECT cmp_ok((SELECT count(*)::int FROM api.op_pop_statistics('demo01', 'quarter', NULL, NULL)), '>=', 2, 'the quarters of the PoP stay');

-- A popd from before samples.
SELECT is((SELECT applied FROM t.popd_days('demo01', repeat('c', 32), 1, ARRAY[:t2], '{2025-06-01}', '{3}', '{2}', '{10}', '{30}',
	'{20}', '{7}', '{8}', '{9}', '{10}', '{11}')), true, 'the door of an older popd applies a batch');
SELECT is((SELECT applied FROM t.popd_days('demo01', repeat('c', 32), 1, ARRAY[:t2], '{2025-06-01}', '{3}', '{2}', '{10}', '{30}',
	'{20}', '{7}', '{8}', '{9}', '{10}', '{11}')), false, 'it applies a batch once');
SELECT is((SELECT d.*::text FROM broker.tunnel_day d WHERE day = '2025-06-01'), format('(%s,2025-06-01,3,2,10,30,20,7,8,9,10,11)', :t2),
	'it adds to the day of the tunnel');
SELECT is((SELECT d.*::text FROM broker.pop_day d WHERE day = '2025-06-01'), format('(%s,2025-06-01,3,2,10,30,20,7,8,9,10,11)', :pop),
	'it adds to the day of the PoP');

-- Pruning deletes what is old.
SELECT api.op_setting_set('sample_keep_days', 8);
DELETE FROM broker.tunnel_drop;
DELETE FROM broker.pop_drop;
DELETE FROM broker.tunnel_sample;
DELETE FROM broker.pop_sample;
INSERT INTO broker.tunnel_sample (tunnel, at) VALUES (:t2, pg_temp.at(96 * 9)), (:t2, pg_temp.at(96 * 7));
INSERT INTO broker.pop_sample (pop, at) VALUES (:pop2, pg_temp.at(96 * 9)), (:pop2, pg_temp.at(96 * 7));
INSERT INTO broker.tunnel_drop VALUES (:t2, current_date - 91, 'hop-limit', 1), (:t2, current_date - 89, 'hop-limit', 1);
INSERT INTO broker.pop_drop VALUES (:pop2, current_date - 91, 'hop-limit', 1), (:pop2, current_date - 89, 'hop-limit', 1);
SELECT count(*) AS days FROM broker.tunnel_day \gset
SELECT api.prune();
SELECT is((SELECT min(at) FROM broker.tunnel_sample), pg_temp.at(96 * 7), 'samples of tunnels are deleted after sample_keep_days');
SELECT is((SELECT array_agg(at) FROM broker.pop_sample WHERE pop = :pop2), ARRAY[pg_temp.at(96 * 7)], 'samples of PoPs are deleted after sample_keep_days');
SELECT is((SELECT array_agg(day) FROM broker.tunnel_drop), ARRAY[current_date - 89], 'drops of tunnels are deleted after drop_keep_days');
SELECT is((SELECT array_agg(day) FROM broker.pop_drop WHERE pop = :pop2), ARRAY[current_date - 89], 'drops of PoPs are deleted after drop_keep_days');
SELECT is((SELECT count(*) FROM broker.tunnel_day), :days::bigint, 'days are never deleted');
SELECT api.op_setting_set('sample_keep_days', 1);
SELECT api.prune();
SELECT is((SELECT count(*)::int FROM broker.tunnel_sample WHERE at < now() - interval '1 day'), 0, 'a changed setting is applied');

-- The names of the columns are those of popd's list.
\set list `sed -n 's/^\tX([A-Z_]*, "\([a-z_]*\)".*/\1/p' "$TOP/popd/core/measure.h"`
CREATE TEMP TABLE measure AS SELECT name, n FROM unnest(string_to_array(:'list', E'\n')) WITH ORDINALITY AS u (name, n) WHERE n <= 10;
SELECT is((SELECT array_agg(name ORDER BY n) FROM measure),
	'{sent,received,rtt_min_us,rtt_sum_us,rtt_max_us,packets_in,bytes_in,packets_out,bytes_out,drops}', 'the list is read');
SELECT is((SELECT array_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = ('broker.' || v.name)::regclass
	AND a.attnum > v.keys AND NOT a.attisdropped), (SELECT array_agg(name::name ORDER BY n) FROM measure), v.name || ' has the columns of the list')
FROM (VALUES ('tunnel_day', 2), ('tunnel_sample', 2), ('pop_day', 2), ('pop_sample', 2), ('measurement', 4)) v (name, keys);
SELECT is((SELECT p.proargnames[6:15] FROM pg_proc p WHERE p.oid = 'api.popd_samples'::regproc), (SELECT array_agg(name ORDER BY n) FROM measure),
	'the door takes them in the order of the list');
SELECT * FROM finish();
ROLLBACK;
