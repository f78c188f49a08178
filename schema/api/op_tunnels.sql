-- Tunnels, by the operator's hand. Lists and records show no secret; only the export does.

CREATE FUNCTION api.op_tunnel_list(of_handle text, of_pop text)
RETURNS TABLE (id text, handle text, pop text, type text, ipv6 text, endpoint text, mtu int, name text, user_state text,
	admin_state text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	account_id int := CASE WHEN $1 IS NOT NULL THEN account_find($1) END;
	pop_id int := CASE WHEN $2 IS NOT NULL THEN pop_find($2) END;
BEGIN
	RETURN QUERY SELECT 'T' || t.id, a.handle, p.name, t.type::text, prefix_host(t.prefix, 2), host(t.endpoint), t.mtu,
		t.name, switch(t.user_enabled), switch(t.admin_enabled)
	FROM tunnel t JOIN account a ON a.id = t.account JOIN pop p ON p.id = t.pop
	WHERE (account_id IS NULL OR t.account = account_id) AND (pop_id IS NULL OR t.pop = pop_id) ORDER BY t.id;
END
$$;

CREATE FUNCTION api.op_tunnel_show(of_id int)
RETURNS TABLE (id text, handle text, pop text, type text, ipv6_endpoint text, ipv6_pop text, prefix text, routed text,
	subnets text, endpoint text, ipv4_pop text, mtu int, name text, user_state text, admin_state text, created text,
	last_day text, sent int, received int, rtt_average_us bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY SELECT 'T' || t.id, a.handle, p.name, t.type::text, prefix_host(t.prefix, 2), prefix_host(t.prefix, 1),
		t.prefix::text, t.routed::text,
		(SELECT string_agg(format('R%s %s', s.id, s.prefix), ', ' ORDER BY s.id) FROM subnet s WHERE s.tunnel = t.id),
		host(t.endpoint), host(p.ipv4), t.mtu, t.name, switch(t.user_enabled),
		switch(t.admin_enabled), rfc3339(t.created_at), d.day::text, d.sent, d.received,
		d.rtt_sum_us / nullif(d.received, 0)
	FROM tunnel t JOIN account a ON a.id = t.account JOIN pop p ON p.id = t.pop
	LEFT JOIN LATERAL (SELECT y.* FROM tunnel_day y WHERE y.tunnel = t.id ORDER BY y.day DESC LIMIT 1) d ON true
	WHERE t.id = $1;
	IF NOT FOUND THEN
		PERFORM refuse('BK002', 'There is no tunnel T%s.', $1::text);
	END IF;
END
$$;

-- A tunnel that becomes static needs an address with it ("static 192.0.2.1"); one that stops being static forgets its
-- address.
CREATE FUNCTION api.tunnel_retype(held broker.tunnel, value text) RETURNS text
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	wanted tunnel_type := type_parse(split_part($2, ' ', 1));
	address inet := address_parse(nullif(split_part($2, ' ', 2), ''));
	paid record;
BEGIN
	IF held.type = wanted THEN
		PERFORM demand(address IS NULL, 'T%s is static already: set its endpoint.', held.id::text);
		RETURN format('T%s is of type %s already, nothing was charged', held.id, wanted);
	END IF;
	IF wanted = 'static' AND address IS NULL THEN
		PERFORM refuse('BK003', 'A static tunnel needs an endpoint: give the type as "static ADDRESS".');
	END IF;
	PERFORM endpoint_check(wanted, address, held.pop);
	SELECT * INTO paid FROM charge(held.account, 'type_change', held.pop, held.id, NULL, NULL,
		format('from %s to %s', held.type, wanted));
	UPDATE tunnel t SET type = wanted, endpoint = address, mtu = least(t.mtu, mtu_max(wanted)) WHERE t.id = held.id;
	RETURN format('T%s is now of type %s%s%s, %s', held.id, wanted, coalesce(' and ends at ' || host(address), ''),
		CASE WHEN held.mtu > mtu_max(wanted) THEN format(' with an MTU of %s', mtu_max(wanted)) ELSE '' END,
		price(paid.amount, paid.balance));
END
$$;

-- key: endpoint and type cost their owner ISK; mtu, name and state (the staff's switch) are free.
CREATE FUNCTION api.op_tunnel_set(id int, key text, value text) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	held tunnel := tunnel_hold($1);
	said text;
BEGIN
	PERFORM demand($3 IS NOT NULL, 'The value is missing.');
	CASE $2
	WHEN 'endpoint' THEN
		said := tunnel_move(held, address_parse($3));
	WHEN 'type' THEN
		said := api.tunnel_retype(held, $3);
	WHEN 'mtu' THEN
		PERFORM demand($3 ~ '^[0-9]{4}$' AND $3::int BETWEEN 1280 AND mtu_max(held.type),
			'The MTU of a tunnel of type %s is 1280 to %s.', held.type::text, mtu_max(held.type)::text);
		UPDATE tunnel SET mtu = $3::int WHERE id = $1;
		said := format('T%s has an MTU of %s', $1, $3);
	WHEN 'name' THEN
		PERFORM demand(is_line($3, 64), 'The name of a tunnel is one line of at most 64 characters.');
		UPDATE tunnel SET name = $3 WHERE id = $1;
		said := format('T%s is called "%s"', $1, $3);
	WHEN 'state' THEN
		PERFORM demand($3 IN ('enabled', 'disabled'), 'The state of a tunnel is enabled or disabled, not "%s".', $3);
		UPDATE tunnel SET admin_enabled = ($3 = 'enabled') WHERE id = $1;
		said := format('%s T%s%s', $3, $1, CASE WHEN $3 = 'enabled' AND NOT held.user_enabled
			THEN ', but its user has disabled it too, so it stays down' ELSE '' END);
	ELSE
		PERFORM refuse('BK003', '"%s" of a tunnel cannot be set: it is endpoint, type, mtu, name or state.', $2);
	END CASE;
	RETURN QUERY SELECT said;
END
$$;

-- Open requests for subnets of the tunnel go with it.
CREATE FUNCTION api.op_tunnel_delete(id int) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	held tunnel := tunnel_hold($1);
	subnets text := (SELECT string_agg('R' || s.id, ', ' ORDER BY s.id) FROM subnet s WHERE s.tunnel = $1);
	paid record;
BEGIN
	IF subnets IS NOT NULL THEN
		PERFORM refuse('BK001', 'T%s still has subnets (%s): delete those first.', $1::text, subnets);
	END IF;
	SELECT * INTO paid FROM charge(held.account, 'tunnel_delete', held.pop, $1, NULL, NULL, held.prefix::text);
	UPDATE request SET state = 'refused', decided_at = now(), decision = format('T%s was deleted', $1)
	WHERE tunnel = $1 AND state = 'open';
	DELETE FROM tunnel WHERE id = $1;
	RETURN QUERY SELECT format('deleted T%s: %s, %s', $1, held.prefix, price(paid.amount, paid.balance));
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.op_tunnel_list(text, text), api.op_tunnel_show(int), api.op_tunnel_set(int, text, text),
	api.op_tunnel_delete(int) TO operator;
