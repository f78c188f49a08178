-- Tunnels, for the operator. Lists and records show no secret; only the export does.

-- All tunnels, or those of an account, on a PoP, or both.
CREATE FUNCTION api.op_tunnel_list(account_handle text, pop_name text)
RETURNS TABLE (id text, handle text, pop text, type text, ipv6 text, endpoint text, mtu int,
	name text, user_state text, admin_state text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	account_id int := CASE WHEN account_handle IS NOT NULL THEN account_find(account_handle) END;
	pop_id int := CASE WHEN pop_name IS NOT NULL THEN pop_find(pop_name) END;
BEGIN
	RETURN QUERY SELECT 'T' || t.id, a.handle, p.name, t.type::text, prefix_host(t.prefix, 2),
		host(t.endpoint), t.mtu, t.name, switch(t.user_enabled), switch(t.admin_enabled)
	FROM tunnel t JOIN account a ON a.id = t.account JOIN pop p ON p.id = t.pop
	WHERE (account_id IS NULL OR t.account = account_id) AND (pop_id IS NULL OR t.pop = pop_id)
	ORDER BY t.id;
END
$$;

-- The last day's probes are those of the newest day that the PoP reported on.
CREATE FUNCTION api.op_tunnel_show(tunnel_id int)
RETURNS TABLE (id text, handle text, pop text, type text, ipv6_endpoint text, ipv6_pop text,
	prefix text, routed text, subnets text, endpoint text, ipv4_pop text, mtu int, name text,
	user_state text, admin_state text, created text, last_day text, sent int, received int,
	rtt_average_us bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	PERFORM api.tunnel_check(tunnel_id);
	RETURN QUERY SELECT 'T' || t.id, a.handle, p.name, t.type::text, prefix_host(t.prefix, 2),
		prefix_host(t.prefix, 1), t.prefix::text, t.routed::text,
		(SELECT string_agg(format('R%s %s', s.id, s.prefix), ', ' ORDER BY s.id) FROM subnet s
			WHERE s.tunnel = t.id),
		host(t.endpoint), host(p.ipv4), t.mtu, t.name, switch(t.user_enabled),
		switch(t.admin_enabled), rfc3339(t.created_at), d.day::text, d.sent, d.received,
		d.rtt_sum_us / nullif(d.received, 0)
	FROM tunnel t JOIN account a ON a.id = t.account JOIN pop p ON p.id = t.pop
	LEFT JOIN LATERAL (SELECT y.* FROM tunnel_day y WHERE y.tunnel = t.id
		ORDER BY y.day DESC LIMIT 1) d ON true
	WHERE t.id = tunnel_id;
END
$$;

-- Changes the type of a tunnel whose account the caller has locked; returns the message. `value` is
-- a type, followed by the address of the endpoint when that is static ("static 192.0.2.1"). A
-- tunnel that stops being static loses its endpoint.
CREATE FUNCTION api.type_change(tunnel_row broker.tunnel, value text) RETURNS text
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	arguments text[] := regexp_split_to_array(trim(value), ' +');
	new_type tunnel_type := api.type_parse(arguments[1]);
	address inet := api.address_parse(arguments[2]);
	charged text;
BEGIN
	PERFORM demand(cardinality(arguments) <= 2,
		'Give a type alone, or "static" and one address, not "%s".', value);
	IF tunnel_row.type = new_type THEN
		PERFORM demand(address IS NULL,
			'T%s is already of type %s: to move its endpoint, set the endpoint.',
			tunnel_row.id::text, new_type::text);
		RETURN format('T%s is already of type %s, nothing was charged', tunnel_row.id, new_type);
	END IF;
	IF new_type = 'static' AND address IS NULL THEN
		PERFORM refuse('BK003',
			'A static tunnel needs an endpoint: give the type as "static ADDRESS".');
	END IF;
	PERFORM api.endpoint_check(new_type, address, tunnel_row.pop);
	SELECT c.message INTO charged FROM api.charge(tunnel_row.account, 'type_change',
		tunnel_row.pop, tunnel_row.id, NULL, NULL,
		format('from %s to %s', tunnel_row.type, new_type)) c;
	UPDATE tunnel t SET type = new_type, endpoint = address, mtu = least(t.mtu, mtu_max(new_type))
	WHERE t.id = tunnel_row.id;
	RETURN format('T%s is now of type %s%s%s, %s', tunnel_row.id, new_type,
		coalesce(' and ends at ' || host(address), ''),
		CASE WHEN tunnel_row.mtu > mtu_max(new_type)
			THEN format(' with an MTU of %s', mtu_max(new_type)) ELSE '' END,
		charged);
END
$$;

-- Changes one property. The tunnel's owner pays for `endpoint` and `type`; `mtu`, `name` and
-- `state` (the staff's own, beside its user's) are free.
CREATE FUNCTION api.op_tunnel_set(tunnel_id int, key text, value text) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	tunnel_row broker.tunnel := api.tunnel_lock(tunnel_id);
BEGIN
	PERFORM demand(value IS NOT NULL, 'The value is missing.');
	CASE key
	WHEN 'endpoint' THEN
		message := api.endpoint_move(tunnel_row, api.address_parse(value), false);
	WHEN 'type' THEN
		message := api.type_change(tunnel_row, value);
	WHEN 'mtu' THEN
		PERFORM demand(value ~ '^[0-9]{4}$'
			AND value::int BETWEEN 1280 AND mtu_max(tunnel_row.type),
			'The MTU of a tunnel of type %s is 1280 to %s.', tunnel_row.type::text,
			mtu_max(tunnel_row.type)::text);
		UPDATE tunnel t SET mtu = value::int WHERE t.id = op_tunnel_set.tunnel_id;
		message := format('T%s has an MTU of %s', tunnel_id, value);
	WHEN 'name' THEN
		PERFORM demand(is_line(value, 64),
			'The name of a tunnel is one line of at most 64 characters.');
		UPDATE tunnel t SET name = value WHERE t.id = op_tunnel_set.tunnel_id;
		message := format('T%s is called "%s"', tunnel_id, value);
	WHEN 'state' THEN
		PERFORM demand(value IN ('enabled', 'disabled'),
			'The state of a tunnel is enabled or disabled, not "%s".', value);
		UPDATE tunnel t SET admin_enabled = (value = 'enabled')
		WHERE t.id = op_tunnel_set.tunnel_id;
		message := format('%s T%s%s', value, tunnel_id,
			CASE WHEN value = 'enabled' AND NOT tunnel_row.user_enabled
				THEN ', but its user has disabled it as well, so it stays down' ELSE '' END);
	ELSE
		PERFORM refuse('BK003', '"%s" is not a property of a tunnel that can be set: '
			'use endpoint, type, mtu, name or state.', key);
	END CASE;
	RETURN NEXT;
END
$$;

-- A batch of statistics locks its tunnels against deletion until its PoP ends the transaction.
CREATE FUNCTION api.tunnel_remove(tunnel_id int, pop_id int) RETURNS void
LANGUAGE plpgsql
SET search_path = broker, pg_temp
SET lock_timeout = '2s'
AS $$
BEGIN
	DELETE FROM tunnel t WHERE t.id = tunnel_remove.tunnel_id;
EXCEPTION WHEN lock_not_available THEN
	PERFORM refuse('BK001', 'T%s cannot be deleted now: %s has left a transaction open that holds '
		'it. Restart its popd, or end its sessions with "ticctl pop secret".', tunnel_id::text,
		(SELECT p.name FROM pop p WHERE p.id = pop_id));
END
$$;

-- Also refuses the open requests for subnets of the tunnel.
CREATE FUNCTION api.op_tunnel_delete(tunnel_id int) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	tunnel_row broker.tunnel := api.tunnel_lock(tunnel_id);
	subnets text;
	charged text;
BEGIN
	SELECT string_agg('R' || s.id, ', ' ORDER BY s.id) INTO subnets FROM subnet s
	WHERE s.tunnel = tunnel_row.id;
	IF subnets IS NOT NULL THEN
		PERFORM refuse('BK001', 'T%s still has subnets (%s): delete those first.',
			tunnel_row.id::text, subnets);
	END IF;
	SELECT c.message INTO charged FROM api.charge(tunnel_row.account, 'tunnel_delete',
		tunnel_row.pop, tunnel_row.id, NULL, NULL, tunnel_row.prefix::text) c;
	UPDATE request r SET state = 'refused', decided_at = now(),
		decision = format('T%s was deleted', tunnel_row.id)
	WHERE r.tunnel = tunnel_row.id AND r.state = 'open';
	PERFORM api.tunnel_remove(tunnel_row.id, tunnel_row.pop);
	RETURN QUERY SELECT format('deleted T%s: %s, %s', tunnel_row.id, tunnel_row.prefix, charged);
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.op_tunnel_list(text, text), api.op_tunnel_show(int),
	api.op_tunnel_set(int, text, text), api.op_tunnel_delete(int) TO operator;
