-- What the web server may read. Times are RFC 3339 in UTC, as the pages and the JSON show them.

CREATE FUNCTION api.web_pop_status()
RETURNS TABLE (name text, city text, country text, isp_name text, isp_website text, ipv4 text,
	ipv6 text, state text, reason text, since text, configured int, up int, active int, last_report text,
	version text, generated text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT p.name, p.city, p.country, p.isp_name, p.isp_website, host(p.ipv4), host(p.ipv6),
		s.state::text, s.reason, rfc3339(s.since), s.configured, s.up, s.active, rfc3339(s.last_report),
		s.version, rfc3339(now())
	FROM pop_status s JOIN pop p ON p.id = s.pop ORDER BY p.name
$$;

-- The newest `max_rows` states (NULL: all), newest first. A PoP that stopped reporting is shown
-- down from the moment it counts as down, although no row of history says so yet.
CREATE FUNCTION api.web_pop_history(pop_name text, max_rows int)
RETURNS TABLE (state text, since text, until text, reason text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	pop_id int := pop_find(pop_name);
BEGIN
	RETURN QUERY
	SELECT e.state::text, rfc3339(e.since), rfc3339(lead(e.since) OVER (ORDER BY e.id)),
		left(e.reason, 240)
	FROM (
		SELECT h.id, h.state, h.since, h.reason FROM pop_history h WHERE h.pop = pop_id
		UNION ALL
		SELECT 9223372036854775807, s.state, s.since, s.reason FROM pop_status s
		WHERE s.pop = pop_id AND s.state <> s.recorded
	) e ORDER BY e.id DESC LIMIT max_rows;
END
$$;

CREATE FUNCTION api.web_version() RETURNS TABLE (schema int)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT max(m.number) FROM migration m
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.web_pop_status(), api.web_pop_history(text, int), api.web_version()
	TO webd;
