-- What PoPs tell of their tunnels: batches, each counted once, however often a PoP that heard no answer sends it again.

-- Adds the rows of a batch to one table of sums, by `owner` (tunnel or pop) and `moment` (day or at).
CREATE FUNCTION api.statistics_add(sums text, owner text, moment text, rows broker.measured[]) RETURNS void
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
BEGIN
	EXECUTE format($sql$
		INSERT INTO %1$I AS d (%2$I, %3$I, sent, received, rtt_min_us, rtt_sum_us, rtt_max_us, packets_in, bytes_in,
			packets_out, bytes_out, drops)
		SELECT u.%2$I, u.%3$I, sum(u.sent), sum(u.received), min(u.rtt_min_us), sum(u.rtt_sum_us), max(u.rtt_max_us),
			sum(u.packets_in), sum(u.bytes_in), sum(u.packets_out), sum(u.bytes_out), sum(u.drops)
		FROM unnest($1) u WHERE u.%2$I IS NOT NULL AND u.%3$I IS NOT NULL
		GROUP BY u.%2$I, u.%3$I ORDER BY u.%2$I, u.%3$I
		ON CONFLICT (%2$I, %3$I) DO UPDATE SET sent = d.sent + excluded.sent, received = d.received + excluded.received,
			rtt_min_us = least(d.rtt_min_us, excluded.rtt_min_us), rtt_sum_us = d.rtt_sum_us + excluded.rtt_sum_us,
			rtt_max_us = greatest(d.rtt_max_us, excluded.rtt_max_us), packets_in = d.packets_in + excluded.packets_in,
			bytes_in = d.bytes_in + excluded.bytes_in, packets_out = d.packets_out + excluded.packets_out,
			bytes_out = d.bytes_out + excluded.bytes_out, drops = d.drops + excluded.drops
		$sql$, sums, owner, moment) USING rows;
END
$$;

CREATE FUNCTION api.statistics_add_drops(pop_id int, last_day date, tunnels int[], days date[], reasons text[],
	packets bigint[])
RETURNS void
LANGUAGE sql
SET search_path = broker, pg_temp
AS $$
	INSERT INTO tunnel_drop AS d (tunnel, day, reason, packets)
	SELECT t.id, u.day, u.reason, sum(u.packets) FROM unnest($3, $4, $5, $6) AS u (tunnel, day, reason, packets)
	JOIN tunnel t ON t.id = u.tunnel AND t.pop = $1
	WHERE u.day <= $2 GROUP BY t.id, u.day, u.reason ORDER BY t.id, u.day, u.reason
	ON CONFLICT (tunnel, day, reason) DO UPDATE SET packets = d.packets + excluded.packets;
	INSERT INTO pop_drop AS d (pop, day, reason, packets)
	SELECT $1, u.day, u.reason, sum(u.packets) FROM unnest($4, $5, $6) AS u (day, reason, packets)
	WHERE u.day <= $2 GROUP BY u.day, u.reason ORDER BY u.day, u.reason
	ON CONFLICT (pop, day, reason) DO UPDATE SET packets = d.packets + excluded.packets;
$$;

-- False when the batch is in already. The tunnels in it that are this PoP's stay until this transaction has ended.
CREATE FUNCTION api.statistics_begin(pop_id int, incarnation text, batch bigint, tunnels int[]) RETURNS boolean
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
BEGIN
	INSERT INTO statistics_batch (pop, incarnation, batch) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	PERFORM FROM tunnel t WHERE t.id = ANY ($4) AND t.pop = $1 ORDER BY t.id FOR KEY SHARE;
	RETURN true;
END
$$;

-- Columns as popd/core/measure.h has them. `quarter` 0 to 95 of the day, in UTC, or NULL for what is known by the day
-- only (popd merges so while the database is away). Rows of tunnels that are not (or no longer) this PoP's count for
-- the PoP alone. Drops are told once more by reason; tunnel 0 stands for those no tunnel is known for.
CREATE FUNCTION api.popd_samples(pop text, incarnation text, batch bigint, tunnel int[], day date[], quarter int[],
	sent int[], received int[], rtt_min_us int[], rtt_sum_us bigint[], rtt_max_us int[], packets_in bigint[],
	bytes_in bigint[], packets_out bigint[], bytes_out bigint[], drops bigint[],
	drop_tunnel int[], drop_day date[], drop_reason text[], drop_packets bigint[])
RETURNS TABLE (applied boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	pop_id int := pop_find($1);
	n int := cardinality($4);
	rows measured[];
	-- A clock gone wrong may be a day ahead and no more; a sample also has to be one that is kept.
	last_day date := (now() AT TIME ZONE 'UTC')::date + 1;
	first_at timestamptz := now() - make_interval(days => setting_value('sample_keep_days'));
	last_at timestamptz := now() + interval '15 minutes';
BEGIN
	PERFORM demand(n = ALL (ARRAY[cardinality($5), cardinality($6), cardinality($7), cardinality($8), cardinality($9),
		cardinality($10), cardinality($11), cardinality($12), cardinality($13), cardinality($14), cardinality($15),
		cardinality($16)]) AND cardinality($17) = ALL (ARRAY[cardinality($18), cardinality($19), cardinality($20)]),
		'The columns of a statistics batch must be equally long.');
	PERFORM demand((SELECT bool_and(q IS NULL OR q BETWEEN 0 AND 95) FROM unnest($6) q) IS NOT FALSE,
		'A quarter of a day is 0 to 95.');
	IF NOT api.statistics_begin(pop_id, $2, $3, $4 || $17) THEN
		RETURN QUERY SELECT false;
		RETURN;
	END IF;
	rows := ARRAY(SELECT ROW(pop_id, t.id, u.day, CASE WHEN q.at BETWEEN first_at AND last_at THEN q.at END, u.sent, u.received,
			CASE WHEN u.received > 0 THEN u.rtt_min END, u.rtt_sum, CASE WHEN u.received > 0 THEN u.rtt_max END,
			u.packets_in, u.bytes_in, u.packets_out, u.bytes_out, u.drops)::measured
		FROM unnest($4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
			AS u (tunnel, day, quarter, sent, received, rtt_min, rtt_sum, rtt_max, packets_in, bytes_in,
				packets_out, bytes_out, drops)
		CROSS JOIN LATERAL (SELECT (u.day + u.quarter * interval '15 minutes') AT TIME ZONE 'UTC' AS at) q
		LEFT JOIN tunnel t ON t.id = u.tunnel AND t.pop = pop_id
		WHERE u.day <= last_day);
	PERFORM api.statistics_add('tunnel_day', 'tunnel', 'day', rows);
	PERFORM api.statistics_add('tunnel_sample', 'tunnel', 'at', rows);
	PERFORM api.statistics_add('pop_day', 'pop', 'day', rows);
	PERFORM api.statistics_add('pop_sample', 'pop', 'at', rows);
	PERFORM api.statistics_add_drops(pop_id, last_day, $17, $18, $19, $20);
	RETURN QUERY SELECT true;
END
$$;

-- The door of a popd from before there were samples, kept so that schema and PoPs need not be upgraded in one moment.
CREATE FUNCTION api.popd_statistics(pop text, incarnation text, batch bigint, tunnel int[], day date[], sent int[],
	received int[], rtt_min_us int[], rtt_sum_us bigint[], rtt_max_us int[], packets_in bigint[], bytes_in bigint[],
	packets_out bigint[], bytes_out bigint[], drops bigint[])
RETURNS TABLE (applied boolean)
LANGUAGE sql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT applied FROM api.popd_samples($1, $2, $3, $4, $5, array_fill(NULL::int, ARRAY[cardinality($5)]), $6, $7, $8, $9,
		$10, $11, $12, $13, $14, $15, '{}', '{}', '{}', '{}')
$$;

-- What the names of drop reasons mean, in the words of this popd.
CREATE FUNCTION api.popd_reasons(names text[], texts text[]) RETURNS TABLE (changed bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	n bigint;
BEGIN
	PERFORM demand(cardinality($1) = cardinality($2), 'A name and a text for each reason.');
	INSERT INTO drop_reason AS r (name, text)
	SELECT u.name, u.text FROM unnest($1, $2) AS u (name, text) ORDER BY u.name
	ON CONFLICT (name) DO UPDATE SET text = excluded.text WHERE r.text <> excluded.text;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN QUERY SELECT n;
END
$$;

-- Forgets what is older than the settings say.
CREATE FUNCTION api.statistics_prune() RETURNS void
LANGUAGE sql
SET search_path = broker, pg_temp
AS $$
	DELETE FROM tunnel_sample s WHERE s.at < now() - make_interval(days => setting_value('sample_keep_days'));
	DELETE FROM pop_sample s WHERE s.at < now() - make_interval(days => setting_value('sample_keep_days'));
	DELETE FROM tunnel_drop d WHERE d.day < (now() AT TIME ZONE 'UTC')::date - setting_value('drop_keep_days');
	DELETE FROM pop_drop d WHERE d.day < (now() AT TIME ZONE 'UTC')::date - setting_value('drop_keep_days');
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.popd_samples(text, text, bigint, int[], date[], int[], int[], int[], int[], bigint[], int[],
		bigint[], bigint[], bigint[], bigint[], bigint[], int[], date[], text[], bigint[]),
	api.popd_statistics(text, text, bigint, int[], date[], int[], int[], int[], bigint[], int[], bigint[], bigint[],
		bigint[], bigint[], bigint[]),
	api.popd_reasons(text[], text[]) TO popd;
