-- The statistics that PoPs report in batches. A batch counts once, however often a PoP that got no
-- answer sends it again.

-- Adds the rows of a batch to a table of sums. `owner_column` is tunnel or pop, `time_column` day
-- or at; rows in which one of them is NULL do not count there.
CREATE FUNCTION api.statistics_add(table_name text, owner_column text, time_column text,
	rows broker.measurement[]) RETURNS void
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
BEGIN
	EXECUTE format($sql$
		INSERT INTO %1$I AS d (%2$I, %3$I, sent, received, rtt_min_us, rtt_sum_us, rtt_max_us,
			packets_in, bytes_in, packets_out, bytes_out, drops)
		SELECT u.%2$I, u.%3$I, sum(u.sent), sum(u.received), min(u.rtt_min_us), sum(u.rtt_sum_us),
			max(u.rtt_max_us), sum(u.packets_in), sum(u.bytes_in), sum(u.packets_out),
			sum(u.bytes_out), sum(u.drops)
		FROM unnest($1) u WHERE u.%2$I IS NOT NULL AND u.%3$I IS NOT NULL
		GROUP BY u.%2$I, u.%3$I ORDER BY u.%2$I, u.%3$I
		ON CONFLICT (%2$I, %3$I) DO UPDATE SET sent = d.sent + excluded.sent,
			received = d.received + excluded.received,
			rtt_min_us = least(d.rtt_min_us, excluded.rtt_min_us),
			rtt_sum_us = d.rtt_sum_us + excluded.rtt_sum_us,
			rtt_max_us = greatest(d.rtt_max_us, excluded.rtt_max_us),
			packets_in = d.packets_in + excluded.packets_in,
			bytes_in = d.bytes_in + excluded.bytes_in,
			packets_out = d.packets_out + excluded.packets_out,
			bytes_out = d.bytes_out + excluded.bytes_out, drops = d.drops + excluded.drops
		$sql$, table_name, owner_column, time_column) USING rows;
END
$$;

CREATE FUNCTION api.statistics_add_drops(pop_id int, tunnel_ids int[], days date[], reasons text[],
	packets bigint[]) RETURNS void
LANGUAGE sql
SET search_path = broker, pg_temp
AS $$
	INSERT INTO tunnel_drop AS d (tunnel, day, reason, packets)
	SELECT t.id, u.day, u.reason, sum(u.packets)
	FROM unnest(statistics_add_drops.tunnel_ids, statistics_add_drops.days,
		statistics_add_drops.reasons, statistics_add_drops.packets)
		AS u (tunnel, day, reason, packets)
	JOIN tunnel t ON t.id = u.tunnel AND t.pop = statistics_add_drops.pop_id
	GROUP BY t.id, u.day, u.reason ORDER BY t.id, u.day, u.reason
	ON CONFLICT (tunnel, day, reason) DO UPDATE SET packets = d.packets + excluded.packets;
	INSERT INTO pop_drop AS d (pop, day, reason, packets)
	SELECT statistics_add_drops.pop_id, u.day, u.reason, sum(u.packets)
	FROM unnest(statistics_add_drops.days, statistics_add_drops.reasons,
		statistics_add_drops.packets) AS u (day, reason, packets)
	GROUP BY u.day, u.reason ORDER BY u.day, u.reason
	ON CONFLICT (pop, day, reason) DO UPDATE SET packets = d.packets + excluded.packets;
$$;

-- Records a batch; false when it is already recorded. Refuses a number below the last one of the same
-- start of popd. Locks those of its tunnels that are this
-- PoP's against deletion until the transaction ends.
CREATE FUNCTION api.statistics_begin(pop_id int, incarnation text, batch bigint, tunnel_ids int[])
RETURNS boolean
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
BEGIN
	INSERT INTO statistics_batch (pop, incarnation, batch)
	VALUES (pop_id, statistics_begin.incarnation, statistics_begin.batch) ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	PERFORM demand(NOT EXISTS (SELECT FROM statistics_batch s WHERE s.pop = pop_id
			AND s.incarnation = statistics_begin.incarnation AND s.batch > statistics_begin.batch),
		'Batch %s comes after a later one of the same start of popd.', batch::text);
	PERFORM FROM tunnel t WHERE t.id = ANY (tunnel_ids) AND t.pop = pop_id
		ORDER BY t.id FOR KEY SHARE;
	RETURN true;
END
$$;

-- Refuses the times of a batch that the PoP cannot know of: begun later than now, or older than what
-- is kept (a week is always taken). A clock may be two minutes ahead: what is later by no more is
-- BK001, and the PoP sends it again.
CREATE FUNCTION api.statistics_times_check(times timestamptz[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = broker, pg_temp
AS $$
DECLARE
	kept_days int := greatest(8, setting_value('sample_keep_days'));
	first_day date := (now() AT TIME ZONE 'UTC')::date - kept_days;
	oldest timestamptz;
	newest timestamptz;
BEGIN
	SELECT min(t), max(t) INTO oldest, newest FROM unnest(times) t;
	PERFORM demand((newest > now() + interval '2 minutes') IS NOT TRUE,
		'A row of the batch is of %s, later than now: the clock of the PoP is wrong.',
		rfc3339(newest));
	IF newest > now() THEN
		PERFORM refuse('BK001', 'A row of the batch is of %s, which has not begun: the clock of '
			'the PoP is ahead. Send it again.', rfc3339(newest));
	END IF;
	PERFORM demand((oldest < first_day::timestamp AT TIME ZONE 'UTC') IS NOT TRUE,
		'A row of the batch is of %s, older than the %s days for which samples are taken.',
		rfc3339(oldest), kept_days::text);
END
$$;

-- Refuses counts that no PoP can have. A tunnel is probed once a minute; one answer may belong to a
-- probe of an earlier row, and one probe more may begin than minutes are full. A row by the day may
-- hold earlier days.
CREATE FUNCTION api.statistics_counts_check(tunnel int[], day date[], quarter int[], sent int[],
	received int[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = broker, pg_temp
AS $$
DECLARE
	first_day date := (now() AT TIME ZONE 'UTC')::date
		- greatest(8, setting_value('sample_keep_days'));
	bad record;
BEGIN
	SELECT u.* INTO bad FROM unnest(tunnel, day, quarter, sent, received)
		AS u (tunnel, day, quarter, sent, received)
	WHERE u.received > u.sent::bigint + 1
		OR u.tunnel <> 0 AND u.sent > 1 + CASE WHEN u.quarter IS NULL
			THEN (u.day - first_day + 1) * 1440 ELSE 15 END
	LIMIT 1;
	IF FOUND THEN
		PERFORM refuse('BK003', CASE WHEN bad.received > bad.sent::bigint + 1
			THEN 'T%s cannot have answered %s of %s probes on %s.'
			ELSE 'T%1$s cannot have been probed more often than there are minutes, %3$s times on '
				'%4$s.' END,
			bad.tunnel::text, bad.received::text, bad.sent::text, bad.day::text);
	END IF;
END
$$;

-- Refuses what the days of a batch came to, when no PoP can have that. Sums of years stay in range by
-- that, and a PoP that invents reasons fills no disk.
CREATE FUNCTION api.statistics_sums_check(pop_id int, days date[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = broker, pg_temp
AS $$
DECLARE
	most CONSTANT bigint := 10000000000000000; -- 926 Gbit/s all day, in octets
	most_reasons CONSTANT int := 200;
	bad date;
BEGIN
	SELECT d.day INTO bad FROM pop_day d
	WHERE d.pop = pop_id AND d.day = ANY (days) AND greatest(d.sent, d.received, d.rtt_sum_us,
		d.packets_in, d.bytes_in, d.packets_out, d.bytes_out, d.drops) > most LIMIT 1;
	PERFORM demand(bad IS NULL, 'No PoP can have counted more than %s on %s.', most::text, bad::text);
	SELECT d.day INTO bad FROM pop_drop d WHERE d.pop = pop_id AND d.day = ANY (days)
	GROUP BY d.day HAVING count(*) > most_reasons OR max(d.packets) > most LIMIT 1;
	PERFORM demand(bad IS NULL, 'No PoP can have dropped packets for more than %s reasons, or more '
		'than %s for one, on %s.', most_reasons::text, most::text, bad::text);
END
$$;

-- The arrays from sent to drops are the list of popd/core/measure.h. `quarter` is 0 to 95 of the
-- day in UTC, or NULL for what is known by the day only (popd merges quarters while the database is
-- away). Rows of tunnels that are not, or no longer, this PoP's count for the PoP alone. The last
-- four arrays are the drops once more, by reason; tunnel 0 stands for packets of no known tunnel.
CREATE FUNCTION api.pop_samples(pop_id int, incarnation text, batch bigint, tunnel int[], day date[], quarter int[], sent int[],
	received int[], rtt_min_us int[], rtt_sum_us bigint[], rtt_max_us int[], packets_in bigint[],
	bytes_in bigint[], packets_out bigint[], bytes_out bigint[], drops bigint[], drop_tunnel int[],
	drop_day date[], drop_reason text[], drop_packets bigint[])
RETURNS TABLE (applied boolean)
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	rows measurement[];
	first_at timestamptz := now() - make_interval(days => setting_value('sample_keep_days'));
BEGIN
	PERFORM demand(cardinality(tunnel) = ALL (ARRAY[cardinality(day), cardinality(quarter),
			cardinality(sent), cardinality(received), cardinality(rtt_min_us),
			cardinality(rtt_sum_us), cardinality(rtt_max_us), cardinality(packets_in),
			cardinality(bytes_in), cardinality(packets_out), cardinality(bytes_out),
			cardinality(drops)])
		AND cardinality(drop_tunnel) = ALL (ARRAY[cardinality(drop_day), cardinality(drop_reason),
			cardinality(drop_packets)]),
		'The columns of a statistics batch must be equally long.');
	PERFORM demand(array_position(day || drop_day, NULL) IS NULL,
		'Every row of a statistics batch needs its day.');
	PERFORM demand(
		(SELECT bool_and(q IS NULL OR q BETWEEN 0 AND 95) FROM unnest(quarter) q) IS NOT FALSE,
		'The quarters of a day are numbered 0 to 95.');
	PERFORM demand((SELECT bool_and(c >= 0) FROM unnest(packets_in || bytes_in || packets_out
			|| bytes_out || drops || rtt_sum_us || drop_packets || sent::bigint[]
			|| received::bigint[] || rtt_min_us::bigint[] || rtt_max_us::bigint[]) c) IS NOT FALSE,
		'A count of a statistics batch is below 0: counts grow as long as a PoP runs.');
	PERFORM api.statistics_times_check(ARRAY(
		SELECT (u.day + coalesce(u.quarter, 0) * interval '15 minutes') AT TIME ZONE 'UTC'
		FROM unnest(pop_samples.day, pop_samples.quarter) AS u (day, quarter)
		UNION ALL SELECT u.day::timestamp AT TIME ZONE 'UTC' FROM unnest(drop_day) AS u (day)));
	PERFORM api.statistics_counts_check(tunnel, day, quarter, sent, received);
	IF NOT api.statistics_begin(pop_id, incarnation, batch, tunnel || drop_tunnel) THEN
		RETURN QUERY SELECT false;
		RETURN;
	END IF;
	rows := ARRAY(SELECT ROW(pop_id, t.id, u.day,
			CASE WHEN q.at >= first_at THEN q.at END, u.sent, u.received,
			CASE WHEN u.received > 0 THEN u.rtt_min END, u.rtt_sum,
			CASE WHEN u.received > 0 THEN u.rtt_max END, u.packets_in, u.bytes_in, u.packets_out,
			u.bytes_out, u.drops)::measurement
		FROM unnest(pop_samples.tunnel, pop_samples.day, pop_samples.quarter, pop_samples.sent,
			pop_samples.received, pop_samples.rtt_min_us, pop_samples.rtt_sum_us,
			pop_samples.rtt_max_us, pop_samples.packets_in, pop_samples.bytes_in,
			pop_samples.packets_out, pop_samples.bytes_out, pop_samples.drops)
			AS u (tunnel, day, quarter, sent, received, rtt_min, rtt_sum, rtt_max, packets_in,
				bytes_in, packets_out, bytes_out, drops)
		CROSS JOIN LATERAL
			(SELECT (u.day + u.quarter * interval '15 minutes') AT TIME ZONE 'UTC' AS at) q
		LEFT JOIN tunnel t ON t.id = u.tunnel AND t.pop = pop_id);
	PERFORM api.statistics_add('tunnel_day', 'tunnel', 'day', rows);
	PERFORM api.statistics_add('tunnel_sample', 'tunnel', 'at', rows);
	PERFORM api.statistics_add('pop_day', 'pop', 'day', rows);
	PERFORM api.statistics_add('pop_sample', 'pop', 'at', rows);
	PERFORM api.statistics_add_drops(pop_id, drop_tunnel, drop_day, drop_reason, drop_packets);
	PERFORM api.statistics_sums_check(pop_id, day || drop_day);
	RETURN QUERY SELECT true;
END
$$;

CREATE FUNCTION api.popd_samples(incarnation text, batch bigint, tunnel int[], day date[], quarter int[], sent int[],
	received int[], rtt_min_us int[], rtt_sum_us bigint[], rtt_max_us int[], packets_in bigint[],
	bytes_in bigint[], packets_out bigint[], bytes_out bigint[], drops bigint[], drop_tunnel int[],
	drop_day date[], drop_reason text[], drop_packets bigint[])
RETURNS TABLE (applied boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT s.applied FROM api.pop_samples(api.pop_of_session(), incarnation, batch,
		tunnel, day, quarter, sent, received, rtt_min_us, rtt_sum_us, rtt_max_us, packets_in,
		bytes_in, packets_out, bytes_out, drops, drop_tunnel, drop_day, drop_reason,
		drop_packets) s;
END
$$;

-- The PoPs for which a session says what drop reasons mean: its own, or those that share the log-in
-- popd (popd_before.sql), since the door of then had no name either.
CREATE FUNCTION api.pops_of_session() RETURNS int[]
LANGUAGE plpgsql STABLE
SET search_path = broker, pg_temp
AS $$
DECLARE
	sharing int[] := ARRAY(SELECT p.id FROM pop p WHERE p.shared_login ORDER BY p.id);
BEGIN
	IF cardinality(sharing) > 0 AND api.session_role() = 'popd'
		AND session_user NOT LIKE 'popd\_%' THEN
		RETURN sharing;
	END IF;
	RETURN ARRAY[api.pop_of_session()];
END
$$;

-- Stores what the drop reasons of this PoP mean; returns how many texts are new.
CREATE FUNCTION api.popd_reasons(names text[], texts text[]) RETURNS TABLE (changed bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	pop_ids int[] := api.pops_of_session();
BEGIN
	PERFORM demand(cardinality(names) = cardinality(texts),
		'Every drop reason needs a name and a text.');
	PERFORM demand((SELECT bool_and(t ~ '^[ -~]{1,200}$') FROM unnest(texts) t) IS NOT FALSE,
		'The text of a drop reason is one line of at most 200 characters of ASCII.');
	INSERT INTO drop_reason AS r (pop, name, text)
	SELECT o.id, u.name, u.text FROM unnest(pop_ids) o (id)
	CROSS JOIN unnest(names, texts) AS u (name, text) ORDER BY o.id, u.name
	ON CONFLICT (pop, name) DO UPDATE SET text = excluded.text WHERE r.text <> excluded.text;
	GET DIAGNOSTICS changed = ROW_COUNT;
	PERFORM demand((SELECT count(*) FROM drop_reason r WHERE r.pop = pop_ids[1]) <= 1000,
		'A PoP has at most 1000 drop reasons.');
	RETURN NEXT;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.popd_samples(text, bigint, int[], date[], int[], int[], int[], int[],
		bigint[], int[], bigint[], bigint[], bigint[], bigint[], bigint[], int[], date[], text[],
		bigint[]),
	api.popd_reasons(text[], text[]) TO popd;
