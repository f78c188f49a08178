-- What a PoP daemon may ask and tell. See migrations/0005_feed.sql for how the feed keeps its promises.

CREATE FUNCTION api.popd_hello(pop text)
RETURNS TABLE (name text, ipv4 text, ipv6 text, enabled boolean, tunnel_prefixes text, subnet_prefixes text,
	feed_seq bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	pop_id int := pop_find($1);
BEGIN
	RETURN QUERY SELECT p.name, host(p.ipv4), host(p.ipv6), p.enabled,
		coalesce(string_agg(l.prefix::text, ',' ORDER BY l.id) FILTER (WHERE l.kind = 'tunnel'), ''),
		coalesce(string_agg(l.prefix::text, ',' ORDER BY l.id) FILTER (WHERE l.kind = 'subnet'), ''),
		f.seq
	FROM pop p JOIN feed f ON f.pop = p.id LEFT JOIN pool l ON l.pop = p.id
	WHERE p.id = pop_id GROUP BY p.id, f.seq;
END
$$;

CREATE FUNCTION api.popd_tunnels(pop text, after_id int, lim int)
RETURNS TABLE (id int, type text, prefix text, secret text, endpoint text, mtu int, enabled boolean, routes text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	pop_id int := pop_find($1);
BEGIN
	RETURN QUERY SELECT v.id, v.type, v.prefix, v.secret, v.endpoint, v.mtu, v.enabled, v.routes
	FROM tunnel_feed v WHERE v.pop = pop_id AND v.id > coalesce($2, 0) ORDER BY v.id LIMIT $3;
END
$$;

-- One statement, so one snapshot: the state told is at least as new as its number. A caller whose number is older than
-- what is kept, or newer than any given out (the database went back to a backup), has to reload.
CREATE FUNCTION api.popd_changes(pop text, after bigint, lim int)
RETURNS TABLE (seq bigint, op text, id int, type text, prefix text, secret text, endpoint text, mtu int,
	enabled boolean, routes text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	pop_id int := pop_find($1);
BEGIN
	RETURN QUERY
	SELECT f.seq, 'reload', NULL::int, NULL, NULL, NULL, NULL, NULL::int, NULL::boolean, NULL
	FROM feed f WHERE f.pop = pop_id AND (coalesce($2, 0) < f.pruned OR $2 > f.seq)
	UNION ALL
	(SELECT c.seq, CASE WHEN c.tunnel = 0 THEN 'pop' WHEN v.id IS NULL THEN 'delete' ELSE 'set' END,
		nullif(c.tunnel, 0), v.type, v.prefix, v.secret, v.endpoint, v.mtu, v.enabled, v.routes
	FROM feed f JOIN change c ON c.pop = f.pop LEFT JOIN tunnel_feed v ON v.id = c.tunnel AND v.pop = c.pop
	WHERE f.pop = pop_id AND c.seq > coalesce($2, 0) AND coalesce($2, 0) BETWEEN f.pruned AND f.seq
	ORDER BY c.seq LIMIT $3);
END
$$;

CREATE FUNCTION api.popd_report(pop text, incarnation text, version text, started timestamptz, configured int, up int,
	active int, seen_seq bigint)
RETURNS TABLE (enabled boolean, feed_seq bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	pop_id int := pop_find($1);
BEGIN
	INSERT INTO pop_report AS r (pop, at, incarnation, version, started, configured, up, active, feed_seq)
	VALUES (pop_id, now(), $2, $3, $4, $5, $6, $7, $8)
	ON CONFLICT (pop) DO UPDATE SET at = excluded.at, incarnation = excluded.incarnation, version = excluded.version,
		started = excluded.started, configured = excluded.configured, up = excluded.up, active = excluded.active,
		feed_seq = excluded.feed_seq;
	RETURN QUERY SELECT p.enabled, f.seq FROM pop p JOIN feed f ON f.pop = p.id WHERE p.id = pop_id;
END
$$;

-- Sums a batch into the days of this PoP's tunnels. A batch counts once, however often a PoP that heard no answer sends
-- it again. Rows of tunnels that are not (or no longer) this PoP's, and of days beyond tomorrow (a clock gone wrong),
-- are left out.
CREATE FUNCTION api.popd_statistics(pop text, incarnation text, batch bigint, tunnel int[], day date[], sent int[],
	received int[], rtt_min_us int[], rtt_sum_us bigint[], rtt_max_us int[], packets_in bigint[], octets_in bigint[],
	packets_out bigint[], octets_out bigint[], drops bigint[])
RETURNS TABLE (applied boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	pop_id int := pop_find($1);
	n int := cardinality($4);
BEGIN
	PERFORM demand(n = ALL (ARRAY[cardinality($5), cardinality($6), cardinality($7), cardinality($8), cardinality($9),
		cardinality($10), cardinality($11), cardinality($12), cardinality($13), cardinality($14), cardinality($15)]),
		'The columns of a statistics batch must be equally long.');
	INSERT INTO statistics_batch (pop, incarnation, batch) VALUES (pop_id, $2, $3) ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		RETURN QUERY SELECT false;
		RETURN;
	END IF;
	INSERT INTO tunnel_day AS d (tunnel, day, sent, received, rtt_min_us, rtt_sum_us, rtt_max_us, packets_in, octets_in,
		packets_out, octets_out, drops)
	SELECT u.tunnel, u.day, sum(u.sent), sum(u.received), min(u.rtt_min) FILTER (WHERE u.received > 0),
		coalesce(sum(u.rtt_sum), 0), max(u.rtt_max) FILTER (WHERE u.received > 0),
		sum(u.packets_in), sum(u.octets_in), sum(u.packets_out), sum(u.octets_out), sum(u.drops)
	FROM unnest($4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
		AS u (tunnel, day, sent, received, rtt_min, rtt_sum, rtt_max,
			packets_in, octets_in, packets_out, octets_out, drops)
	JOIN tunnel t ON t.id = u.tunnel AND t.pop = pop_id
	WHERE u.day <= (now() AT TIME ZONE 'UTC')::date + 1
	GROUP BY u.tunnel, u.day ORDER BY u.tunnel, u.day
	ON CONFLICT (tunnel, day) DO UPDATE SET sent = d.sent + excluded.sent, received = d.received + excluded.received,
		rtt_min_us = least(d.rtt_min_us, excluded.rtt_min_us), rtt_sum_us = d.rtt_sum_us + excluded.rtt_sum_us,
		rtt_max_us = greatest(d.rtt_max_us, excluded.rtt_max_us), packets_in = d.packets_in + excluded.packets_in,
		octets_in = d.octets_in + excluded.octets_in, packets_out = d.packets_out + excluded.packets_out,
		octets_out = d.octets_out + excluded.octets_out, drops = d.drops + excluded.drops;
	RETURN QUERY SELECT true;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.popd_hello(text), api.popd_tunnels(text, int, int), api.popd_changes(text, bigint, int),
	api.popd_report(text, text, text, timestamptz, int, int, int, bigint),
	api.popd_statistics(text, text, bigint, int[], date[], int[], int[], int[], bigint[], int[], bigint[], bigint[],
		bigint[], bigint[], bigint[]) TO popd;
