-- What a TIC server may ask. `login_tunnel_id` is 12 in a session that logged in as HANDLE/T12,
-- which sees that tunnel and nothing else, and NULL after a login to the whole account. Records are
-- empty for what does not exist or belongs to another account.

CREATE FUNCTION api.tic_login(account_handle text, login_tunnel_id int)
RETURNS TABLE (account int, handle text, full_name text, md5_hex text, sha256_hex text,
	enabled boolean)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT a.id, a.handle, a.full_name, a.md5_hex, a.sha256_hex, a.enabled
	FROM account a
	WHERE a.handle = handle(tic_login.account_handle) AND tic_login.login_tunnel_id IS NULL
	UNION ALL
	SELECT a.id, a.handle, a.full_name, md5(t.secret), encode(sha256(t.secret::bytea), 'hex'),
		a.enabled
	FROM account a JOIN tunnel t ON t.account = a.id
	WHERE a.handle = handle(tic_login.account_handle) AND t.id = tic_login.login_tunnel_id
$$;

-- Records a login unless its name (account and tunnel) has had `max_per_hour` in the last hour
-- (0: no limit). Only accepted logins count, so a refused client may log in again when the oldest
-- of those is an hour old: `until`.
CREATE FUNCTION api.tic_login_accept(account_id int, login_tunnel_id int, method text,
	address inet, tls boolean, client text, max_per_hour int)
RETURNS TABLE (accepted boolean, until text, per_hour int)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	refused_until timestamptz;
BEGIN
	PERFORM demand(max_per_hour >= 0, 'The number of logins per hour is 0 (no limit) or more.');
	INSERT INTO login_turn (account) VALUES (account_id) ON CONFLICT DO NOTHING;
	PERFORM FROM login_turn t WHERE t.account = account_id FOR UPDATE;
	IF max_per_hour > 0 THEN
		SELECT l.at + interval '1 hour' INTO refused_until FROM login l
		WHERE l.account = account_id AND l.tunnel IS NOT DISTINCT FROM login_tunnel_id
			AND l.at > now() - interval '1 hour'
		ORDER BY l.at DESC OFFSET max_per_hour - 1 LIMIT 1;
	END IF;
	IF refused_until IS NULL THEN
		INSERT INTO login (account, tunnel, method, address, tls, client)
		VALUES (account_id, login_tunnel_id, tic_login_accept.method, tic_login_accept.address,
			tic_login_accept.tls,
			left(regexp_replace(coalesce(tic_login_accept.client, ''), '[[:cntrl:]]', ' ', 'g'),
				200));
	END IF;
	RETURN QUERY SELECT refused_until IS NULL, rfc3339(refused_until), max_per_hour;
END
$$;

CREATE FUNCTION api.tic_tunnel_list(account_id int, login_tunnel_id int)
RETURNS TABLE (id int, ipv6 text, ipv4 text, pop text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT t.id, prefix_host(t.prefix, 2), coalesce(host(t.endpoint), t.type::text), p.name
	FROM tunnel t JOIN pop p ON p.id = t.pop
	WHERE t.account = tic_tunnel_list.account_id
		AND (tic_tunnel_list.login_tunnel_id IS NULL OR t.id = tic_tunnel_list.login_tunnel_id)
	ORDER BY t.id
$$;

CREATE FUNCTION api.tic_tunnel_show(account_id int, login_tunnel_id int, tunnel_id int)
RETURNS TABLE (id int, type text, ipv6_endpoint text, ipv6_pop text, prefix_length int, mtu int,
	name text, pop text, ipv4_endpoint text, ipv4_pop text, user_state text, admin_state text,
	password text, heartbeat_interval int, pop_state text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT t.id, CASE t.type WHEN 'ayiya' THEN 'ayiya' ELSE '6in4-' || t.type END,
		prefix_host(t.prefix, 2), prefix_host(t.prefix, 1), masklen(t.prefix), t.mtu, t.name,
		s.name, coalesce(host(t.endpoint), t.type::text), host(t.pop_ipv4), switch(t.user_enabled),
		switch(t.admin_enabled), t.secret, 60, s.state::text
	FROM tunnel t JOIN pop_status s ON s.pop = t.pop
	WHERE t.account = tic_tunnel_show.account_id
		AND (tic_tunnel_show.login_tunnel_id IS NULL OR t.id = tic_tunnel_show.login_tunnel_id)
		AND t.id = tic_tunnel_show.tunnel_id
$$;

CREATE FUNCTION api.tic_tunnel_endpoint(account_id int, login_tunnel_id int, tunnel_id int,
	address inet)
RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	message := api.endpoint_move(api.tunnel_lock_own(account_id, login_tunnel_id, tunnel_id),
		address, true);
	RETURN NEXT;
END
$$;

CREATE FUNCTION api.tic_tunnel_state(account_id int, login_tunnel_id int, tunnel_id int,
	enabled boolean)
RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	tunnel_row broker.tunnel := api.tunnel_lock_own(account_id, login_tunnel_id, tunnel_id);
BEGIN
	PERFORM demand(enabled IS NOT NULL, 'The state of a tunnel is enabled or disabled.');
	IF tunnel_row.user_enabled = enabled THEN
		message := format('T%s is already %s', tunnel_row.id, switch(enabled));
	ELSE
		PERFORM api.tunnel_action_count(tunnel_row.id, 'state_switch', 'state_switches_per_hour',
			'switched');
		UPDATE tunnel t SET user_enabled = tic_tunnel_state.enabled WHERE t.id = tunnel_row.id;
		message := format('%s T%s', switch(enabled), tunnel_row.id);
	END IF;
	IF enabled AND NOT tunnel_row.admin_enabled THEN
		message := message || ', but the staff have disabled it as well, so it stays down';
	END IF;
	RETURN NEXT;
END
$$;

CREATE FUNCTION api.tic_pop_list() RETURNS TABLE (name text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT p.name FROM pop p ORDER BY p.name
$$;

CREATE FUNCTION api.tic_pop_show(pop_name text)
RETURNS TABLE (id text, city text, country text, ipv4 text, ipv6 text, isp_short text,
	isp_name text, isp_website text, isp_asn text, isp_lir text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT p.name, p.city, p.country, host(p.ipv4), host(p.ipv6), p.isp_short, p.isp_name,
		p.isp_website, p.isp_asn, p.isp_lir
	FROM pop p WHERE p.name = lower(tic_pop_show.pop_name)
$$;

CREATE FUNCTION api.tic_route_list(account_id int, login_tunnel_id int)
RETURNS TABLE (id int, tunnel_id int, prefix text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT s.id, s.tunnel, s.prefix::text FROM subnet s JOIN tunnel t ON t.id = s.tunnel
	WHERE t.account = tic_route_list.account_id
		AND (tic_route_list.login_tunnel_id IS NULL OR t.id = tic_route_list.login_tunnel_id)
	ORDER BY s.id
$$;

CREATE FUNCTION api.tic_route_show(account_id int, login_tunnel_id int, subnet_id int)
RETURNS TABLE (id int, tunnel_id int, prefix text, pop text, state text, created text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT s.id, s.tunnel, s.prefix::text, p.name, switch(t.user_enabled AND t.admin_enabled),
		rfc3339(s.created_at)
	FROM subnet s JOIN tunnel t ON t.id = s.tunnel JOIN pop p ON p.id = s.pop
	WHERE t.account = tic_route_show.account_id
		AND (tic_route_show.login_tunnel_id IS NULL OR t.id = tic_route_show.login_tunnel_id)
		AND s.id = tic_route_show.subnet_id
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.tic_login(text, int),
	api.tic_login_accept(int, int, text, inet, boolean, text, int), api.tic_tunnel_list(int, int),
	api.tic_tunnel_show(int, int, int), api.tic_tunnel_endpoint(int, int, int, inet),
	api.tic_tunnel_state(int, int, int, boolean), api.tic_pop_list(), api.tic_pop_show(text),
	api.tic_route_list(int, int), api.tic_route_show(int, int, int) TO ticd;
