-- A batch of statistics counts once, however often a PoP sends it.
BEGIN;
SET search_path = tap, public;
SELECT plan(20);
SELECT t.pop(), t.pop('demo02', 2);
SELECT api.op_setting_set('sample_keep_days', 10000);
SELECT t.account('DEMO', 100);
SELECT t.tunnel() AS t1 \gset
SELECT t.tunnel() AS t2 \gset
SELECT t.tunnel('DEMO', 'demo02') AS far \gset
CREATE FUNCTION pg_temp.batch(batch bigint, tunnels int[], days date[], sent int[], received int[], low int[],
	incarnation text DEFAULT 'a')
RETURNS boolean LANGUAGE sql AS $$
	SELECT applied FROM t.popd_days('demo01', repeat(incarnation, 32), batch, tunnels, days, sent, received,
		low, ARRAY(SELECT 1000::bigint * r FROM unnest(received) WITH ORDINALITY u (r, n) ORDER BY n),
		ARRAY(SELECT 2 * l FROM unnest(low) WITH ORDINALITY u (l, n) ORDER BY n),
			ARRAY(SELECT 1::bigint FROM unnest(days)), ARRAY(SELECT 10::bigint FROM unnest(days)),
				ARRAY(SELECT 2::bigint FROM unnest(days)),
		ARRAY(SELECT 20::bigint FROM unnest(days)), ARRAY(SELECT 3::bigint FROM unnest(days)))
$$;
SELECT is(pg_temp.batch(1, ARRAY[:t1, :t2], '{2025-01-01,2025-01-01}', '{10,5}', '{9,0}', '{700,NULL}'), true,
	'a batch is applied');
SELECT results_eq('SELECT sent, received, rtt_min_us, rtt_sum_us, rtt_max_us, packets_in, bytes_in, packets_out, bytes_out, drops FROM broker.tunnel_day ORDER BY tunnel',
	$$VALUES (10, 9, 700, 9000::bigint, 1400, 1::bigint, 10::bigint, 2::bigint, 20::bigint, 3::bigint),
	(5, 0, NULL, 0, NULL, 1, 10, 2, 20, 3)$$, 'every column of a batch is stored');
SELECT is(pg_temp.batch(1, ARRAY[:t1], '{2025-01-01}', '{10}', '{9}', '{700}'), false, 'a batch with the same number is not applied');
SELECT is((SELECT sent FROM broker.tunnel_day WHERE tunnel = :t1), 10, 'the second batch changes nothing');
SELECT is(pg_temp.batch(1, ARRAY[:t1], '{2025-01-01}', '{1}', '{1}', '{650}', 'b'), true,
	'the same number of another start of popd is another batch');
SELECT results_eq(format('SELECT sent, received, rtt_min_us, rtt_sum_us, rtt_max_us, drops FROM broker.tunnel_day WHERE tunnel = %s', :t1),
	$$VALUES (11, 10, 650, 10000::bigint, 1400, 6::bigint)$$, 'sums add up, and the lowest and highest round trip stay');
SELECT is(pg_temp.batch(2, ARRAY[:t2], '{2025-01-01}', '{1}', '{1}', '{900}'), true, 'a batch with the first answer of a tunnel is applied');
SELECT is((SELECT rtt_min_us FROM broker.tunnel_day WHERE tunnel = :t2), 900, 'the first answer is the lowest round trip');
SELECT is(pg_temp.batch(3, ARRAY[:t1, :t1, :t1], '{2025-01-02,2025-01-02,2025-01-03}', '{1,2,4}', '{1,2,4}', '{5,4,3}'),
	true, 'a batch may have a tunnel more than once');
SELECT results_eq(format('SELECT day::text, sent FROM broker.tunnel_day WHERE tunnel = %s ORDER BY day', :t1),
	$$VALUES ('2025-01-01', 11), ('2025-01-02', 3), ('2025-01-03', 4)$$, 'each of its rows counts on its own day');
SELECT is(pg_temp.batch(4, ARRAY[999999, :far, :t1], '{2025-01-04,2025-01-04,2025-01-04}', '{1,1,1}', '{1,1,1}',
	'{5,5,5}'), true, 'a batch with tunnels of no or another PoP is applied');
SELECT results_eq('SELECT tunnel FROM broker.tunnel_day WHERE day = ''2025-01-04''', format('VALUES (%s)', :t1),
	'the PoP''s own tunnels in it count');
SELECT isnt(t.refusal(format('SELECT pg_temp.batch(5, ARRAY[%s], ''{2999-01-01}'', ''{1}'', ''{1}'', ''{5}'')', :t1)), 'not refused', 'a batch with a day in the far future is refused');
SELECT is((SELECT max(day) FROM broker.tunnel_day), '2025-01-04', 'a day in the far future does not count');
SELECT is(pg_temp.batch(6, '{}', '{}', '{}', '{}', '{}'), true, 'an empty batch is applied');
SELECT is(t.refusal(format('SELECT pg_temp.batch(7, ARRAY[%s], ''{2025-01-01,2025-01-02}'', ''{1}'', ''{1}'', ''{1}'')',
	:t1)), 'BK003 The columns of a statistics batch must be equally long.', 'columns of unequal length are refused');
SELECT is(pg_temp.batch(7, ARRAY[:t1], '{2025-01-01}', '{1}', '{1}', '{1}'), true, 'a refused batch does not use up its number');
SELECT is(pg_temp.batch(8, ARRAY[:t1], '{2025-01-01}', '{1}', '{1}', '{500}'), true, 'a batch with a slower answer is applied');
SELECT is((SELECT rtt_min_us FROM broker.tunnel_day WHERE tunnel = :t1 AND day = '2025-01-01'), 1,
	'a slower answer does not change the lowest round trip');
SELECT is((SELECT rtt_average_us FROM api.op_tunnel_show(:t1)), 1000::bigint, 'the operator sees the average');
SELECT * FROM finish();
ROLLBACK;
