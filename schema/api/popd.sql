-- What a PoP daemon may ask and tell, statistics excepted (statistics.sql). See migrations/0005_feed.sql for how the feed
-- keeps its promises.

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
-- what is kept, or newer than any given out (the database went back to a backup), has to reload. A PoP asks from one
-- long session, whose plan may have been made when there were no tunnels yet: it must not be one that reads them all
-- for each change.
CREATE FUNCTION api.popd_changes(pop text, after bigint, lim int)
RETURNS TABLE (seq bigint, op text, id int, type text, prefix text, secret text, endpoint text, mtu int,
	enabled boolean, routes text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
SET enable_seqscan = off
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
	FROM (SELECT c.pop, c.tunnel, c.seq FROM feed f JOIN change c ON c.pop = f.pop
			WHERE f.pop = pop_id AND c.seq > coalesce($2, 0) AND coalesce($2, 0) BETWEEN f.pruned AND f.seq
			ORDER BY c.seq LIMIT $3) c
		LEFT JOIN tunnel_feed v ON v.id = c.tunnel AND v.pop = c.pop
	ORDER BY c.seq);
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

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.popd_hello(text), api.popd_tunnels(text, int, int), api.popd_changes(text, bigint, int),
	api.popd_report(text, text, text, timestamptz, int, int, int, bigint) TO popd;
