-- What tunnels and PoPs did by the quarter of an hour and by the day, and what days add up to.

-- Adds up the rows of one owner; `owner` is tunnel or pop. The days since and until are both
-- included. When they cut a week, month or year, only the days between them count. Without them:
-- the quarters of yesterday and today, the last 31 days, or all weeks, months and years.
CREATE FUNCTION api.statistics_sum(owner text, owner_id int, unit text, since date, until date)
RETURNS TABLE (period text, sent bigint, received bigint, loss_percent numeric, rtt_min_us int,
	rtt_average_us bigint, rtt_max_us int, packets_in bigint, bytes_in bigint, packets_out bigint,
	bytes_out bigint, drops bigint)
LANGUAGE plpgsql STABLE
SET search_path = broker, pg_temp
AS $$
DECLARE
	today date := (now() AT TIME ZONE 'UTC')::date;
	pattern text := CASE unit WHEN 'day' THEN 'YYYY-MM-DD' WHEN 'week' THEN 'IYYY-"W"IW'
		WHEN 'month' THEN 'YYYY-MM' WHEN 'year' THEN 'YYYY' END;
	first_day date := coalesce(since, CASE unit WHEN 'quarter' THEN today - 1
		WHEN 'day' THEN today - 30 ELSE '0001-01-01' END);
	last_day date := coalesce(until, '9999-12-31');
BEGIN
	PERFORM demand(unit IN ('quarter', 'day', 'week', 'month', 'year'),
		'Statistics are by quarter, day, week, month or year, not by "%s".', unit);
	PERFORM demand(since IS NULL OR until IS NULL OR since <= until,
		'The first day, %s, is after the last, %s.', since::text, until::text);
	RETURN QUERY EXECUTE format($sql$
		SELECT %1$s, sum(s.sent)::bigint, sum(s.received)::bigint,
			CASE WHEN sum(s.sent) > 0
				THEN greatest(0, round(100.0 * (sum(s.sent) - sum(s.received)) / sum(s.sent), 1))
				END,
			min(s.rtt_min_us), (sum(s.rtt_sum_us) / nullif(sum(s.received), 0))::bigint,
			max(s.rtt_max_us), sum(s.packets_in)::bigint, sum(s.bytes_in)::bigint,
			sum(s.packets_out)::bigint, sum(s.bytes_out)::bigint, sum(s.drops)::bigint
		FROM %2$I s WHERE s.%3$I = $1 AND %4$s GROUP BY 1 ORDER BY 1
		$sql$,
		CASE unit WHEN 'quarter' THEN 'rfc3339(s.at)'
			ELSE format('to_char(s.day::timestamp, %L)', pattern) END,
		owner || CASE unit WHEN 'quarter' THEN '_sample' ELSE '_day' END,
		owner,
		CASE unit WHEN 'quarter' THEN 's.at >= $2::timestamp AT TIME ZONE ''UTC'''
			' AND s.at < ($3 + 1)::timestamp AT TIME ZONE ''UTC'''
			ELSE 's.day BETWEEN $2 AND $3' END)
		USING owner_id, first_day, last_day;
END
$$;

CREATE FUNCTION api.op_tunnel_statistics(tunnel_id int, unit text, since date, until date)
RETURNS TABLE (period text, sent bigint, received bigint, loss_percent numeric, rtt_min_us int,
	rtt_average_us bigint, rtt_max_us int, packets_in bigint, bytes_in bigint, packets_out bigint,
	bytes_out bigint, drops bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	PERFORM api.tunnel_check(tunnel_id);
	RETURN QUERY SELECT s.* FROM api.statistics_sum('tunnel', tunnel_id, unit, since, until) s;
END
$$;

-- All tunnels of the PoP together, deleted ones included.
CREATE FUNCTION api.op_pop_statistics(pop_name text, unit text, since date, until date)
RETURNS TABLE (period text, sent bigint, received bigint, loss_percent numeric, rtt_min_us int,
	rtt_average_us bigint, rtt_max_us int, packets_in bigint, bytes_in bigint, packets_out bigint,
	bytes_out bigint, drops bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT s.* FROM api.statistics_sum('pop', pop_find(pop_name), unit, since, until) s;
END
$$;

-- Dropped packets by day and reason with the reason's meaning, newest day first. Without days: all
-- that are kept.
CREATE FUNCTION api.op_tunnel_errors(tunnel_id int, since date, until date)
RETURNS TABLE (day text, reason text, packets bigint, meaning text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	PERFORM api.tunnel_check(tunnel_id);
	RETURN QUERY SELECT d.day::text, d.reason, d.packets, r.text
	FROM tunnel_drop d JOIN tunnel t ON t.id = d.tunnel
	LEFT JOIN drop_reason r ON r.pop = t.pop AND r.name = d.reason
	WHERE d.tunnel = tunnel_id
		AND d.day BETWEEN coalesce(since, '0001-01-01') AND coalesce(until, '9999-12-31')
	ORDER BY d.day DESC, d.packets DESC, d.reason;
END
$$;

CREATE FUNCTION api.op_pop_errors(pop_name text, since date, until date)
RETURNS TABLE (day text, reason text, packets bigint, meaning text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	pop_id int := pop_find(pop_name);
BEGIN
	RETURN QUERY SELECT d.day::text, d.reason, d.packets, r.text
	FROM pop_drop d LEFT JOIN drop_reason r ON r.pop = d.pop AND r.name = d.reason
	WHERE d.pop = pop_id
		AND d.day BETWEEN coalesce(since, '0001-01-01') AND coalesce(until, '9999-12-31')
	ORDER BY d.day DESC, d.packets DESC, d.reason;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.op_tunnel_statistics(int, text, date, date),
	api.op_pop_statistics(text, text, date, date), api.op_tunnel_errors(int, date, date),
	api.op_pop_errors(text, date, date) TO operator;
