-- What a TIC server may ask. `tunnel` is the tunnel of a per-tunnel login (HANDLE/T12), which sees that tunnel and
-- nothing else; NULL for a login to the whole account.

CREATE FUNCTION api.tic_login(of_handle text, of_tunnel int)
RETURNS TABLE (account int, handle text, full_name text, md5_hex text, sha256_hex text, enabled boolean)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT a.id, a.handle, a.full_name, a.md5_hex, a.sha256_hex, a.enabled
	FROM account a WHERE a.handle = handle($1) AND $2 IS NULL
	UNION ALL
	SELECT a.id, a.handle, a.full_name, md5(t.secret), encode(sha256(t.secret::bytea), 'hex'), a.enabled
	FROM account a JOIN tunnel t ON t.account = a.id WHERE a.handle = handle($1) AND t.id = $2
$$;

-- The hour is counted per login name over logins that were let in, so a refused client is free again when the oldest of
-- those has aged.
CREATE FUNCTION api.tic_login_accept(account int, tunnel int, method text, address inet, tls boolean, client text,
	most_per_hour int)
RETURNS TABLE (accepted boolean, until text, per_hour int)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	busy_until timestamptz;
BEGIN
	-- Not the account's row lock: the daily job may hold that for seconds.
	PERFORM pg_advisory_xact_lock(hashtext('broker.login'), $1);
	IF $7 > 0 THEN
		SELECT l.at + interval '1 hour' INTO busy_until FROM login l
		WHERE l.account = $1 AND l.tunnel IS NOT DISTINCT FROM $2 AND l.at > now() - interval '1 hour'
		ORDER BY l.at DESC OFFSET $7 - 1 LIMIT 1;
	END IF;
	IF busy_until IS NULL THEN
		INSERT INTO login (account, tunnel, method, address, tls, client)
		VALUES ($1, $2, $3, $4, $5, left(regexp_replace(coalesce($6, ''), '[[:cntrl:]]', ' ', 'g'), 200));
	END IF;
	RETURN QUERY SELECT busy_until IS NULL, rfc3339(busy_until), $7;
END
$$;

CREATE FUNCTION api.tic_tunnel_list(account int, tunnel int) RETURNS TABLE (id int, ipv6 text, ipv4 text, pop text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT t.id, prefix_host(t.prefix, 2), coalesce(host(t.endpoint), t.type::text), p.name
	FROM tunnel t JOIN pop p ON p.id = t.pop
	WHERE t.account = $1 AND ($2 IS NULL OR t.id = $2) ORDER BY t.id
$$;

CREATE FUNCTION api.tic_tunnel_show(account int, tunnel int, of_id int)
RETURNS TABLE (id int, type text, ipv6_endpoint text, ipv6_pop text, prefix_length int, mtu int, name text, pop text,
	ipv4_endpoint text, ipv4_pop text, user_state text, admin_state text, password text, heartbeat_interval int,
	pop_state text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT t.id, CASE t.type WHEN 'ayiya' THEN 'ayiya' ELSE '6in4-' || t.type END, prefix_host(t.prefix, 2),
		prefix_host(t.prefix, 1), masklen(t.prefix), t.mtu, t.name, s.name, coalesce(host(t.endpoint), t.type::text),
		host(t.pop_ipv4), switch(t.user_enabled), switch(t.admin_enabled),
		t.secret, 60, s.state::text
	FROM tunnel t JOIN pop_status s ON s.pop = t.pop
	WHERE t.account = $1 AND ($2 IS NULL OR t.id = $2) AND t.id = $3
$$;

CREATE FUNCTION api.tic_tunnel_endpoint(account int, tunnel int, id int, address inet) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT tunnel_move(tunnel_hold_own($1, $2, $3), $4);
END
$$;

CREATE FUNCTION api.tic_tunnel_state(account int, tunnel int, id int, enabled boolean) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	held broker.tunnel;
BEGIN
	held := tunnel_hold_own($1, $2, $3);
	IF $4 IS NULL THEN
		PERFORM refuse('BK003', 'The state of a tunnel is enabled or disabled.');
	END IF;
	UPDATE tunnel t SET user_enabled = $4 WHERE t.id = $3;
	RETURN QUERY SELECT CASE
		WHEN NOT $4 THEN format('disabled T%s', $3)
		WHEN held.admin_enabled THEN format('enabled T%s', $3)
		ELSE format('enabled T%s, but the staff have disabled it too, so it stays down', $3) END;
END
$$;

CREATE FUNCTION api.tic_pop_list() RETURNS TABLE (name text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT p.name FROM pop p ORDER BY p.name
$$;

CREATE FUNCTION api.tic_pop_show(name text)
RETURNS TABLE (id text, city text, country text, ipv4 text, ipv6 text, isp_short text, isp_name text, isp_website text,
	isp_asn text, isp_lir text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT p.name, p.city, p.country, host(p.ipv4), host(p.ipv6), p.isp_short, p.isp_name, p.isp_website, p.isp_asn,
		p.isp_lir
	FROM pop p WHERE p.name = lower($1)
$$;

CREATE FUNCTION api.tic_route_list(account int, tunnel int) RETURNS TABLE (id int, tunnel_id int, prefix text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT s.id, s.tunnel, s.prefix::text FROM subnet s JOIN tunnel t ON t.id = s.tunnel
	WHERE t.account = $1 AND ($2 IS NULL OR t.id = $2) ORDER BY s.id
$$;

CREATE FUNCTION api.tic_route_show(account int, tunnel int, of_id int)
RETURNS TABLE (id int, tunnel_id int, prefix text, pop text, state text, created text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT s.id, s.tunnel, s.prefix::text, p.name, switch(t.user_enabled AND t.admin_enabled),
		rfc3339(s.created_at)
	FROM subnet s JOIN tunnel t ON t.id = s.tunnel JOIN pop p ON p.id = s.pop
	WHERE t.account = $1 AND ($2 IS NULL OR t.id = $2) AND s.id = $3
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.tic_login(text, int), api.tic_login_accept(int, int, text, inet, boolean, text, int),
	api.tic_tunnel_list(int, int), api.tic_tunnel_show(int, int, int), api.tic_tunnel_endpoint(int, int, int, inet),
	api.tic_tunnel_state(int, int, int, boolean), api.tic_pop_list(), api.tic_pop_show(text),
	api.tic_route_list(int, int),
	api.tic_route_show(int, int, int) TO ticd;
