-- What tunnels and PoPs did, by the quarter of an hour, the day, and what days add up to.

-- `owner` is tunnel or pop. From and until are days, both included; of a week, month or year they cut, only the days
-- between them count. Without them: quarters of yesterday and today, the last 31 days, all weeks, months and years.
CREATE FUNCTION api.statistics_roll(owner text, id int, unit text, since date, until date)
RETURNS TABLE (period text, sent bigint, received bigint, loss_percent numeric, rtt_min_us int, rtt_average_us bigint,
	rtt_max_us int, packets_in bigint, bytes_in bigint, packets_out bigint, bytes_out bigint, drops bigint)
LANGUAGE plpgsql STABLE
SET search_path = broker, pg_temp
AS $$
DECLARE
	today date := (now() AT TIME ZONE 'UTC')::date;
	label text := CASE unit WHEN 'day' THEN 'YYYY-MM-DD' WHEN 'week' THEN 'IYYY-"W"IW' WHEN 'month' THEN 'YYYY-MM'
		WHEN 'year' THEN 'YYYY' END;
	first date := coalesce($4, CASE unit WHEN 'quarter' THEN today - 1 WHEN 'day' THEN today - 30 ELSE '0001-01-01' END);
	last date := coalesce($5, '9999-12-31');
BEGIN
	PERFORM demand(unit IN ('quarter', 'day', 'week', 'month', 'year'),
		'Statistics are by quarter, day, week, month or year, not by "%s".', unit);
	PERFORM demand($4 IS NULL OR $5 IS NULL OR $4 <= $5, 'The days from %s until %s are none.', $4::text, $5::text);
	RETURN QUERY EXECUTE format($sql$
		SELECT %1$s, sum(s.sent)::bigint, sum(s.received)::bigint,
			CASE WHEN sum(s.sent) > 0 THEN greatest(0, round(100.0 * (sum(s.sent) - sum(s.received)) / sum(s.sent), 1)) END,
			min(s.rtt_min_us), (sum(s.rtt_sum_us) / nullif(sum(s.received), 0))::bigint, max(s.rtt_max_us),
			sum(s.packets_in)::bigint, sum(s.bytes_in)::bigint, sum(s.packets_out)::bigint, sum(s.bytes_out)::bigint,
			sum(s.drops)::bigint
		FROM %2$I s WHERE s.%3$I = $1 AND %4$s GROUP BY 1 ORDER BY 1
		$sql$,
		CASE unit WHEN 'quarter' THEN 'rfc3339(s.at)' ELSE format('to_char(s.day::timestamp, %L)', label) END,
		owner || CASE unit WHEN 'quarter' THEN '_sample' ELSE '_day' END, owner,
		CASE unit WHEN 'quarter' THEN 's.at >= $2::timestamp AT TIME ZONE ''UTC'' AND s.at < ($3 + 1)::timestamp AT TIME ZONE ''UTC'''
			ELSE 's.day BETWEEN $2 AND $3' END)
		USING id, first, last;
END
$$;

CREATE FUNCTION api.op_tunnel_statistics(id int, unit text, since date, until date)
RETURNS TABLE (period text, sent bigint, received bigint, loss_percent numeric, rtt_min_us int, rtt_average_us bigint,
	rtt_max_us int, packets_in bigint, bytes_in bigint, packets_out bigint, bytes_out bigint, drops bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM tunnel t WHERE t.id = $1) THEN
		PERFORM refuse('BK002', 'There is no tunnel T%s.', $1::text);
	END IF;
	RETURN QUERY SELECT * FROM api.statistics_roll('tunnel', $1, $2, $3, $4);
END
$$;

-- All the PoP's tunnels together, those that are deleted by now among them.
CREATE FUNCTION api.op_pop_statistics(name text, unit text, since date, until date)
RETURNS TABLE (period text, sent bigint, received bigint, loss_percent numeric, rtt_min_us int, rtt_average_us bigint,
	rtt_max_us int, packets_in bigint, bytes_in bigint, packets_out bigint, bytes_out bigint, drops bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT * FROM api.statistics_roll('pop', pop_find($1), $2, $3, $4)
$$;

-- What was dropped, for which reason and what that means, newest day first. Without days: all that is kept.
CREATE FUNCTION api.op_tunnel_errors(id int, since date, until date)
RETURNS TABLE (day text, reason text, packets bigint, meaning text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	IF NOT EXISTS (SELECT FROM tunnel t WHERE t.id = $1) THEN
		PERFORM refuse('BK002', 'There is no tunnel T%s.', $1::text);
	END IF;
	RETURN QUERY SELECT d.day::text, d.reason, d.packets, r.text
	FROM tunnel_drop d LEFT JOIN drop_reason r ON r.name = d.reason
	WHERE d.tunnel = $1 AND d.day BETWEEN coalesce($2, '0001-01-01') AND coalesce($3, '9999-12-31')
	ORDER BY d.day DESC, d.packets DESC, d.reason;
END
$$;

CREATE FUNCTION api.op_pop_errors(name text, since date, until date)
RETURNS TABLE (day text, reason text, packets bigint, meaning text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	pop_id int := pop_find($1);
BEGIN
	RETURN QUERY SELECT d.day::text, d.reason, d.packets, r.text
	FROM pop_drop d LEFT JOIN drop_reason r ON r.name = d.reason
	WHERE d.pop = pop_id AND d.day BETWEEN coalesce($2, '0001-01-01') AND coalesce($3, '9999-12-31')
	ORDER BY d.day DESC, d.packets DESC, d.reason;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.op_tunnel_statistics(int, text, date, date), api.op_pop_statistics(text, text, date, date),
	api.op_tunnel_errors(int, date, date), api.op_pop_errors(text, date, date) TO operator;
