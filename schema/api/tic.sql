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

-- The size of the buckets of logins that show a tunnel, or of those that show none, and the time in
-- which one login comes back. NULL: there is no limit.
CREATE FUNCTION api.login_limit(tunnel_id int, OUT burst int, OUT per_hour int, OUT step interval)
LANGUAGE plpgsql STABLE
SET search_path = broker, pg_temp
AS $$
DECLARE
	kind text := CASE tunnel_id WHEN 0 THEN 'name' ELSE 'tunnel' END;
BEGIN
	burst := nullif(setting_value(format('login_%s_burst', kind)), 0);
	per_hour := nullif(setting_value(format('login_%s_per_hour', kind)), 0);
	step := interval '1 hour' / per_hour;
END
$$;

-- Takes a login out of a bucket, under the lock of its row alone. NULL; or the sentence that refuses
-- it, for which `refused` is what was done too often, and nothing was taken.
CREATE FUNCTION api.login_take(account_id int, login_tunnel_id int, tunnel_id int, refused text)
RETURNS text
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	most record := api.login_limit(tunnel_id);
	tolerance interval := most.step * (most.burst - 1);
BEGIN
	IF tolerance IS NULL THEN
		RETURN NULL;
	END IF;
	INSERT INTO login_bucket AS b (account, login_tunnel, tunnel, full_at)
	VALUES (account_id, coalesce(login_tunnel_id, 0), tunnel_id, now() + most.step)
	ON CONFLICT ON CONSTRAINT login_bucket_pkey DO UPDATE
	SET full_at = greatest(b.full_at, now()) + most.step
	-- A second more, for now() is when a transaction began: one that began earlier than the one before
	-- it in the row's queue would be refused a login that the bucket has.
	WHERE greatest(b.full_at, now()) <= now() + tolerance + interval '1 second';
	IF FOUND THEN
		RETURN NULL;
	END IF;
	RETURN (SELECT format('%s too often: %s logins are possible at once and %s more an hour, the '
			'next one at %s.', refused, most.burst, most.per_hour, rfc3339(b.full_at - tolerance))
		FROM login_bucket b WHERE b.account = account_id
			AND b.login_tunnel = coalesce(login_tunnel_id, 0) AND b.tunnel = tunnel_id);
END
$$;

-- Puts a login back into the bucket of those that show no tunnel.
CREATE FUNCTION api.login_give_back(account_id int, login_tunnel_id int) RETURNS void
LANGUAGE sql
SET search_path = broker, pg_temp
AS $$
	UPDATE login_bucket b SET full_at = b.full_at - (api.login_limit(0)).step
	WHERE b.account = login_give_back.account_id AND b.tunnel = 0
		AND b.login_tunnel = coalesce(login_give_back.login_tunnel_id, 0)
		AND (api.login_limit(0)).step IS NOT NULL
$$;

CREATE FUNCTION api.login_name(account_id int, login_tunnel_id int) RETURNS text
LANGUAGE sql STABLE
SET search_path = broker, pg_temp
AS $$
	SELECT a.handle || coalesce('/T' || login_name.login_tunnel_id, '')
	FROM account a WHERE a.id = login_name.account_id
$$;

-- Records a login and takes it from those of its name that show no tunnel; it is put back when it
-- shows one. `login_id` is NULL when there is none left: such a login is not recorded and may only
-- show a tunnel; `refusal` is the sentence for everything else it asks.
CREATE FUNCTION api.tic_login_accept(account_id int, login_tunnel_id int, method text,
	address inet, tls boolean, client text)
RETURNS TABLE (login_id bigint, refusal text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	PERFORM demand(EXISTS (SELECT FROM account a WHERE a.id = account_id),
		'A login needs an account.');
	refusal := api.login_take(account_id, login_tunnel_id, 0, format(
		'%s has logged in without showing a tunnel', api.login_name(account_id, login_tunnel_id)));
	IF refusal IS NULL THEN
		INSERT INTO login AS l (account, tunnel, method, address, tls, client)
		VALUES (account_id, login_tunnel_id, tic_login_accept.method, tic_login_accept.address,
			tic_login_accept.tls,
			left(regexp_replace(coalesce(tic_login_accept.client, ''), '[[:cntrl:]]', ' ', 'g'),
				200))
		RETURNING l.id INTO login_id;
	END IF;
	RETURN NEXT;
END
$$;

-- Counts that a login shows a tunnel: once for each tunnel of a recorded login. Refuses with BK005
-- when its name has shown the tunnel too often.
CREATE FUNCTION api.login_show(account_id int, login_tunnel_id int, login_id bigint, tunnel_id int)
RETURNS void
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	shown_before int[];
	refusal text;
BEGIN
	SELECT l.shown INTO shown_before FROM login l
	WHERE l.id = login_id AND l.account = account_id
		AND l.tunnel IS NOT DISTINCT FROM login_tunnel_id FOR NO KEY UPDATE;
	IF tunnel_id = ANY (shown_before) THEN
		RETURN;
	END IF;
	refusal := api.login_take(account_id, login_tunnel_id, tunnel_id, format(
		'%s has logged in for T%s', api.login_name(account_id, login_tunnel_id), tunnel_id));
	IF refusal IS NOT NULL THEN
		PERFORM refuse('BK005', '%s', refusal);
	END IF;
	IF shown_before = '{}' THEN
		PERFORM api.login_give_back(account_id, login_tunnel_id);
	END IF;
	UPDATE login l SET shown = shown_before || tunnel_id
	WHERE l.id = login_id AND shown_before IS NOT NULL;
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

-- `login_id` is what tic_login_accept returned (NULL: each time counts). The PoP's state comes first: who asks while the PoP
-- is down has lost no login when it is up again.
CREATE FUNCTION api.tic_tunnel_show(account_id int, login_tunnel_id int, tunnel_id int,
	login_id bigint DEFAULT NULL)
RETURNS TABLE (id int, type text, ipv6_endpoint text, ipv6_pop text, prefix_length int, mtu int,
	name text, pop text, ipv4_endpoint text, ipv4_pop text, user_state text, admin_state text,
	password text, heartbeat_interval int, pop_state text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	SELECT t.id, CASE t.type WHEN 'ayiya' THEN 'ayiya' ELSE '6in4-' || t.type END,
		prefix_host(t.prefix, 2), prefix_host(t.prefix, 1), masklen(t.prefix), t.mtu, t.name,
		s.name, coalesce(host(t.endpoint), t.type::text), host(t.pop_ipv4), switch(t.user_enabled),
		switch(t.admin_enabled), t.secret, 60, s.state::text
	INTO id, type, ipv6_endpoint, ipv6_pop, prefix_length, mtu, name, pop, ipv4_endpoint, ipv4_pop,
		user_state, admin_state, password, heartbeat_interval, pop_state
	FROM tunnel t JOIN pop_status s ON s.pop = t.pop
	WHERE t.account = account_id
		AND (login_tunnel_id IS NULL OR t.id = login_tunnel_id) AND t.id = tunnel_id;
	IF FOUND THEN
		IF pop_state = 'up' THEN
			PERFORM api.login_show(account_id, login_tunnel_id, login_id, tunnel_id);
		END IF;
		RETURN NEXT;
	END IF;
END
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
	api.tic_login_accept(int, int, text, inet, boolean, text), api.tic_tunnel_list(int, int),
	api.tic_tunnel_show(int, int, int, bigint), api.tic_tunnel_endpoint(int, int, int, inet),
	api.tic_tunnel_state(int, int, int, boolean), api.tic_pop_list(), api.tic_pop_show(text),
	api.tic_route_list(int, int), api.tic_route_show(int, int, int) TO ticd;
