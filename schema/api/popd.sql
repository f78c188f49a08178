-- What a PoP daemon may read and report, except its statistics (statistics.sql). A PoP is known by
-- the role that its session works as, popd_<name>, and gives no name. migrations/0005_feed.sql
-- explains the feed. The functions pop_... do the work for a given PoP; popd_before.sql needs them
-- too.

-- The role that a session works as: the one that SET ROLE or the connection's option `role` chose,
-- else the login. (current_user would be the owner of the door.)
CREATE FUNCTION api.session_role() RETURNS text
LANGUAGE sql STABLE
SET search_path = broker, pg_temp
AS $$
	SELECT coalesce(nullif(current_setting('role'), 'none'), session_user)
$$;

-- The PoP whose role the session works as. Refuses with BK001 when the role is no PoP's.
CREATE FUNCTION api.pop_of_session() RETURNS int
LANGUAGE plpgsql STABLE
SET search_path = broker, pg_temp
AS $$
DECLARE
	pop_id int;
BEGIN
	SELECT p.id INTO pop_id FROM pop p WHERE 'popd_' || p.name = api.session_role();
	IF pop_id IS NULL THEN
		PERFORM refuse('BK001', 'The role %s is no PoP''s. A PoP logs in as popd_ and its name; a '
			'connection pooler in between must pass that user on.', api.session_role());
	END IF;
	RETURN pop_id;
END
$$;

-- `pop_addresses` are the IPv4 addresses of all PoPs, this one's included.
CREATE FUNCTION api.pop_hello(pop_id int)
RETURNS TABLE (name text, ipv4 text, ipv6 text, enabled boolean, tunnel_prefixes text,
	subnet_prefixes text, feed_seq bigint, pop_addresses text)
LANGUAGE sql STABLE
SET search_path = broker, pg_temp
AS $$
	SELECT p.name, host(p.ipv4), host(p.ipv6), p.enabled,
		coalesce(string_agg(l.prefix::text, ',' ORDER BY l.id)
			FILTER (WHERE l.kind = 'tunnel'), ''),
		coalesce(string_agg(l.prefix::text, ',' ORDER BY l.id)
			FILTER (WHERE l.kind = 'subnet'), ''),
		f.seq, (SELECT string_agg(host(o.ipv4), ',' ORDER BY o.id) FROM pop o)
	FROM pop p JOIN feed f ON f.pop = p.id LEFT JOIN pool l ON l.pop = p.id
	WHERE p.id = pop_hello.pop_id GROUP BY p.id, f.seq
$$;

CREATE FUNCTION api.popd_hello()
RETURNS TABLE (name text, ipv4 text, ipv6 text, enabled boolean, tunnel_prefixes text,
	subnet_prefixes text, feed_seq bigint, pop_addresses text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT h.* FROM api.pop_hello(api.pop_of_session()) h;
END
$$;

-- All tunnels of a PoP in pages of `max_rows` (NULL: all), those with an id above `after_id`.
CREATE FUNCTION api.pop_tunnels(pop_id int, after_id int, max_rows int)
RETURNS TABLE (id int, type text, prefix text, secret text, endpoint text, mtu int,
	enabled boolean, routes text)
LANGUAGE plpgsql STABLE
SET search_path = broker, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT v.id, v.type, v.prefix, v.secret, v.endpoint, v.mtu, v.enabled, v.routes
	FROM tunnel_feed v WHERE v.pop = pop_id AND v.id > coalesce(after_id, 0)
	ORDER BY v.id LIMIT max_rows;
END
$$;

CREATE FUNCTION api.popd_tunnels(after_id int, max_rows int)
RETURNS TABLE (id int, type text, prefix text, secret text, endpoint text, mtu int,
	enabled boolean, routes text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT t.* FROM api.pop_tunnels(api.pop_of_session(), after_id, max_rows) t;
END
$$;

-- The tunnels that changed after a number, as they are now. One statement reads one snapshot, so a
-- tunnel is at least as new as its number. A PoP has to reload when its number is older than the
-- changes that are kept, or newer than any number given out (a backup was restored). A PoP asks in
-- one long session, and its plan may date from when there were no tunnels: without sequential scans
-- no such plan can read all tunnels for each change.
CREATE FUNCTION api.pop_changes(pop_id int, after_seq bigint, max_rows int)
RETURNS TABLE (seq bigint, op text, id int, type text, prefix text, secret text, endpoint text,
	mtu int, enabled boolean, routes text)
LANGUAGE plpgsql STABLE
SET search_path = broker, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
	from_seq bigint := coalesce(after_seq, 0);
BEGIN
	RETURN QUERY
	SELECT f.seq, 'reload', NULL::int, NULL, NULL, NULL, NULL, NULL::int, NULL::boolean, NULL
	FROM feed f WHERE f.pop = pop_id AND from_seq NOT BETWEEN f.pruned AND f.seq
	UNION ALL
	(SELECT c.seq, CASE WHEN c.tunnel = 0 THEN 'pop' WHEN v.id IS NULL THEN 'delete' ELSE 'set' END,
		nullif(c.tunnel, 0), v.type, v.prefix, v.secret, v.endpoint, v.mtu, v.enabled, v.routes
	FROM (SELECT c.pop, c.tunnel, c.seq FROM feed f JOIN change c ON c.pop = f.pop
			WHERE f.pop = pop_id AND c.seq > from_seq AND from_seq BETWEEN f.pruned AND f.seq
			ORDER BY c.seq LIMIT max_rows) c
		LEFT JOIN tunnel_feed v ON v.id = c.tunnel AND v.pop = c.pop
	ORDER BY c.seq);
END
$$;

CREATE FUNCTION api.popd_changes(after_seq bigint, max_rows int)
RETURNS TABLE (seq bigint, op text, id int, type text, prefix text, secret text, endpoint text,
	mtu int, enabled boolean, routes text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT c.* FROM api.pop_changes(api.pop_of_session(), after_seq, max_rows) c;
END
$$;

-- The PoP is alive; `seen_seq` is the number of the feed that it has applied, `reasons` are the
-- sentences that say why it cannot carry packets: none when it can. The answer has the database's
-- clock, in seconds since 1970, for the PoP to compare with its own.
CREATE FUNCTION api.pop_reported(pop_id int, incarnation text, version text, started timestamptz,
	configured int, up int, active int, seen_seq bigint, reasons text[])
RETURNS TABLE (enabled boolean, feed_seq bigint, clock bigint)
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
BEGIN
	PERFORM demand(incarnation ~ '^[0-9a-f]{32}$', 'An incarnation is 32 hexadecimal digits.');
	PERFORM demand(version ~ '^[ -~]{0,100}$',
		'A version is one line of at most 100 characters of ASCII.');
	PERFORM demand(started >= '1970-01-01 00:00:00+00', 'No PoP started at %s.', started::text);
	PERFORM demand(started <= now(), 'A PoP that started at %s has not started yet: its clock is '
		'wrong.', coalesce(rfc3339(started), started::text));
	PERFORM demand(up BETWEEN 0 AND configured AND active BETWEEN 0 AND configured
		AND seen_seq >= 0, '%s of %s tunnels up and %s active is no report that can be true.',
		up::text, configured::text, active::text);
	PERFORM demand(reasons IS NOT NULL AND cardinality(reasons) <= 20 AND NOT EXISTS (SELECT
		FROM unnest(reasons) AS r (reason) WHERE reason IS NULL OR NOT is_line(reason, 300)),
		'Reasons are at most 20 lines of at most 300 characters.');
	IF (SELECT count(*) FROM (SELECT h.since FROM pop_history h WHERE h.pop = pop_id
			ORDER BY h.id DESC LIMIT 500) h WHERE h.since > now() - interval '1 hour') >= 500 THEN
		PERFORM refuse('BK005', 'A PoP may change its state and reasons 500 times an hour.');
	END IF;
	INSERT INTO pop_report (pop, at, incarnation, version, started, configured, up, active,
		feed_seq, reasons)
	VALUES (pop_id, now(), pop_reported.incarnation, pop_reported.version, pop_reported.started,
		pop_reported.configured, pop_reported.up, pop_reported.active, seen_seq, pop_reported.reasons)
	ON CONFLICT (pop) DO UPDATE SET at = excluded.at, incarnation = excluded.incarnation,
		version = excluded.version, started = excluded.started, configured = excluded.configured,
		up = excluded.up, active = excluded.active, feed_seq = excluded.feed_seq,
		reasons = excluded.reasons;
	RETURN QUERY SELECT p.enabled, f.seq, extract(epoch FROM clock_timestamp())::bigint FROM pop p JOIN feed f ON f.pop = p.id WHERE p.id = pop_id;
END
$$;

-- A popd of before knows no reasons.
CREATE FUNCTION api.popd_report(incarnation text, version text, started timestamptz,
	configured int, up int, active int, seen_seq bigint, reasons text[] DEFAULT '{}')
RETURNS TABLE (enabled boolean, feed_seq bigint, clock bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT r.* FROM api.pop_reported(api.pop_of_session(), incarnation, version,
		started, configured, up, active, seen_seq, reasons) r;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.popd_hello(), api.popd_tunnels(int, int),
	api.popd_changes(bigint, int),
	api.popd_report(text, text, timestamptz, int, int, int, bigint, text[]) TO popd;
