-- Imports a whole PoP from a sixxsd configuration and exports it in the same form. The caller
-- parses the text, these rules judge it: all lines are imported or none, and the first bad one is
-- named. Ids, numbers and secrets stay; nobody is charged. A number above ffff belongs to another
-- of the PoP's tunnel prefixes: 10005 is number 5 of the second.

CREATE TYPE api.import_tunnel AS (line int, id int, number int, pool int, pool_prefix cidr,
	prefix cidr, type broker.tunnel_type, enabled boolean, mtu int, secret text, endpoint inet);
CREATE TYPE api.import_route AS (line int, id int, prefix cidr, pool int, pool_prefix cidr,
	tunnel int, account int);

-- The first bad line of the tunnels and what is wrong with it, or NULL.
CREATE FUNCTION api.import_tunnel_fault(pop_id int, tunnels api.import_tunnel[]) RETURNS text
LANGUAGE sql STABLE
SET search_path = broker, pg_temp
AS $$
	SELECT format('line %s: %s', f.line, f.fault) FROM (
		SELECT u.line, CASE
			WHEN u.id IS NULL OR u.id < 1 THEN 'the id of a tunnel is a whole number of 1 or more'
			WHEN count(*) OVER (PARTITION BY u.id) > 1
				THEN format('the file has T%s more than once', u.id)
			WHEN EXISTS (SELECT FROM tunnel t WHERE t.id = u.id)
				THEN format('there is already a tunnel T%s', u.id)
			WHEN u.pool IS NULL
				THEN format('the PoP has no tunnel prefix for number %s', to_hex(u.number))
			WHEN u.number & 65535 > 32766
				THEN format('number %s is above 7ffe, the highest of a tunnel', to_hex(u.number))
			WHEN count(*) OVER (PARTITION BY u.number) > 1
				THEN format('the file has number %s more than once', to_hex(u.number))
			WHEN a.released_at IS NOT NULL
				THEN format('%s is at rest: its tunnel was deleted at %s', u.prefix,
					rfc3339(a.released_at))
			WHEN a.prefix IS NOT NULL THEN format('%s belongs to T%s', u.prefix, a.tunnel)
			WHEN u.type = 'static' AND u.endpoint IS NULL
				THEN 'a static tunnel needs the address of its endpoint'
			WHEN u.type <> 'static' AND u.endpoint IS NOT NULL
				THEN format('a tunnel of type %s has no fixed endpoint', u.type)
			WHEN NOT is_endpoint(u.endpoint)
				THEN format('%s cannot be the endpoint of a tunnel', u.endpoint)
			WHEN u.endpoint = p.ipv4 THEN format('%s is the PoP itself', host(u.endpoint))
			WHEN o.id IS NOT NULL THEN format('%s is the PoP %s', host(u.endpoint), o.name)
			WHEN (u.mtu BETWEEN 1280 AND mtu_max(u.type)) IS NOT TRUE
				THEN format('the MTU of a tunnel of type %s is 1280 to %s', u.type, mtu_max(u.type))
			WHEN (u.secret ~ '^[0-9a-f]{32}$') IS NOT TRUE
				THEN 'a secret is 32 lower-case hexadecimal digits'
			WHEN u.enabled IS NULL THEN 'the state of a tunnel is up or disabled'
			END AS fault
		FROM unnest(import_tunnel_fault.tunnels) u CROSS JOIN pop p
		LEFT JOIN allocation a ON a.prefix = u.prefix
		LEFT JOIN pop o ON o.ipv4 = u.endpoint
		WHERE p.id = import_tunnel_fault.pop_id
	) f WHERE f.fault IS NOT NULL ORDER BY f.line LIMIT 1
$$;

-- The routes with their tunnels and pools, once the tunnels are stored; a tunnel's own default
-- routed /64 is left out, for it needs nothing. Looking up happens in SQL functions, which are
-- planned at each call, and not in the inserts: the tables have just grown by thousands of rows.
CREATE FUNCTION api.import_routes_find(pop_id int, line int[], prefix cidr[], tunnel_prefix cidr[])
RETURNS api.import_route[]
LANGUAGE sql
SET search_path = broker, pg_temp
AS $$
	SELECT array_agg(ROW(f.line, nextval('subnet_id'), f.prefix, f.pool, f.pool_prefix, f.tunnel,
		f.account)::api.import_route)
	FROM (
		SELECT u.line, u.prefix, l.id AS pool, l.prefix AS pool_prefix, t.id AS tunnel, t.account
		FROM unnest(import_routes_find.line, import_routes_find.prefix,
			import_routes_find.tunnel_prefix) AS u (line, prefix, tunnel_prefix)
		LEFT JOIN tunnel t ON t.prefix = u.tunnel_prefix
		LEFT JOIN pool l ON l.pop = import_routes_find.pop_id AND l.kind = 'subnet'
			AND u.prefix <<= l.prefix
		WHERE u.prefix IS DISTINCT FROM prefix_routed(u.tunnel_prefix)
		ORDER BY u.line
	) f
$$;

-- The first bad line of the routes, or NULL. Sorted prefixes overlap only if neighbours do.
CREATE FUNCTION api.import_route_fault(account_id int, routes api.import_route[]) RETURNS text
LANGUAGE sql STABLE
SET search_path = broker, pg_temp
AS $$
	SELECT format('line %s: %s', f.line, f.fault) FROM (
		SELECT u.line, CASE
			WHEN u.account IS DISTINCT FROM import_route_fault.account_id
				THEN 'no tunnel of this account on this PoP has that number'
			WHEN masklen(u.prefix) > 64 THEN format('%s is longer than a /64', u.prefix)
			WHEN u.pool IS NULL
				THEN format('%s is in none of the PoP''s prefixes for subnets', u.prefix)
			WHEN u.prefix && lag(u.prefix) OVER (ORDER BY u.prefix)
				THEN format('%s overlaps %s in the file', u.prefix,
					lag(u.prefix) OVER (ORDER BY u.prefix))
			WHEN api.pool_is_taken(u.pool, prefix_high(u.prefix) - prefix_high(u.pool_prefix),
				prefix_high(u.prefix) - prefix_high(u.pool_prefix)
					+ (1::bigint << (64 - masklen(u.prefix))) - 1)
				THEN format('%s is in use or at rest', u.prefix)
			END AS fault
		FROM unnest(import_route_fault.routes) u
	) f WHERE f.fault IS NOT NULL ORDER BY f.line LIMIT 1
$$;

-- Stores the tunnels and returns their number; refuses with the first bad line.
CREATE FUNCTION api.import_tunnels(account_id int, pop_id int, tunnels api.import_tunnel[])
RETURNS bigint
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	fault text := api.import_tunnel_fault(pop_id, tunnels);
	stored bigint;
BEGIN
	IF fault IS NOT NULL THEN
		PERFORM refuse('BK003', '%s', fault);
	END IF;
	INSERT INTO tunnel (id, account, pop, pop_ipv4, type, prefix, endpoint, mtu, name, secret,
		admin_enabled)
	SELECT u.id, account_id, p.id, p.ipv4, u.type, u.prefix, u.endpoint, u.mtu, 'T' || u.id,
		u.secret, u.enabled
	FROM unnest(tunnels) u CROSS JOIN pop p WHERE p.id = pop_id ORDER BY u.id;
	GET DIAGNOSTICS stored = ROW_COUNT;
	INSERT INTO allocation (prefix, pool, pop, kind, pool_prefix, tunnel)
	SELECT h.prefix, u.pool, pop_id, 'tunnel', u.pool_prefix, u.id
	FROM unnest(tunnels) u
	CROSS JOIN LATERAL (VALUES (u.prefix), (prefix_routed(u.prefix))) h (prefix);
	RETURN stored;
END
$$;

-- The same for the routes.
CREATE FUNCTION api.import_routes(account_id int, pop_id int, routes api.import_route[])
RETURNS bigint
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	fault text := api.import_route_fault(account_id, routes);
	stored bigint;
BEGIN
	IF fault IS NOT NULL THEN
		PERFORM refuse('BK003', '%s', fault);
	END IF;
	INSERT INTO subnet (id, tunnel, pop, prefix)
	SELECT u.id, u.tunnel, pop_id, u.prefix FROM unnest(routes) u;
	GET DIAGNOSTICS stored = ROW_COUNT;
	INSERT INTO allocation (prefix, pool, pop, kind, pool_prefix, subnet)
	SELECT u.prefix, u.pool, pop_id, 'subnet', u.pool_prefix, u.id FROM unnest(routes) u;
	RETURN stored;
END
$$;

-- The /64 that a number means, or NULL.
CREATE FUNCTION api.import_prefix(pool_prefixes cidr[], number int) RETURNS cidr
LANGUAGE sql IMMUTABLE
SET search_path = broker, pg_temp
AS $$
	SELECT prefix_of(prefix_high(import_prefix.pool_prefixes[(import_prefix.number >> 16) + 1])
		+ (import_prefix.number & 65535), 64)
$$;

-- The arrays are columns: the tunnels' from `line` to `endpoint`, the routes' after them.
CREATE FUNCTION api.op_import(account_handle text, pop_name text, line int[], tunnel_number int[],
	id int[], type text[], enabled boolean[], mtu int[], secret text[], endpoint inet[],
	route_line int[], route_prefix cidr[], route_number int[])
RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	account_id int := account_find(account_handle);
	pop_id int := pop_find(pop_name);
	pool_ids int[];
	pool_prefixes cidr[];
	tunnels bigint;
	routes bigint;
BEGIN
	PERFORM account_lock(account_id);
	PERFORM FROM pool l WHERE l.pop = pop_id ORDER BY l.id FOR NO KEY UPDATE;
	PERFORM api.pool_end_rest(l.id) FROM pool l WHERE l.pop = pop_id;
	SELECT array_agg(l.id ORDER BY l.id), array_agg(l.prefix ORDER BY l.id)
	INTO pool_ids, pool_prefixes FROM pool l WHERE l.pop = pop_id AND l.kind = 'tunnel';
	tunnels := api.import_tunnels(account_id, pop_id, ARRAY(
		SELECT ROW(u.line, u.id, u.number, pool_ids[(u.number >> 16) + 1],
			pool_prefixes[(u.number >> 16) + 1], api.import_prefix(pool_prefixes, u.number),
			api.type_parse(u.type), u.enabled, u.mtu,
			coalesce(u.secret, CASE WHEN u.type = 'static' THEN secret_generate() END),
			u.endpoint)::api.import_tunnel
		FROM unnest(op_import.line, op_import.tunnel_number, op_import.id, op_import.type,
			op_import.enabled, op_import.mtu, op_import.secret, op_import.endpoint)
			AS u (line, number, id, type, enabled, mtu, secret, endpoint)));
	routes := api.import_routes(account_id, pop_id,
		api.import_routes_find(pop_id, route_line, route_prefix,
			ARRAY(SELECT api.import_prefix(pool_prefixes, u.number)
				FROM unnest(route_number) WITH ORDINALITY AS u (number, n) ORDER BY u.n)));
	-- Last, when nothing can be refused any more: a sequence does not roll back.
	PERFORM setval('tunnel_id',
		greatest((SELECT max(u.id) FROM unnest(op_import.id) u (id)), s.last_value), true)
	FROM tunnel_id s WHERE cardinality(op_import.id) > 0;
	ANALYZE tunnel, subnet, allocation, change; -- so that the next plans know of the many new rows
	RETURN QUERY SELECT format('imported %s tunnels and %s subnets to %s for %s', tunnels, routes,
		pop_name, handle(account_handle));
END
$$;

-- The only door that shows the operator the secrets of tunnels.
CREATE FUNCTION api.op_export(pop_name text) RETURNS TABLE (line text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	pop_id int := pop_find(pop_name);
BEGIN
	RETURN QUERY
	WITH pools AS (
		SELECT l.prefix, (row_number() OVER (ORDER BY l.id) - 1)::int << 16 AS base
		FROM pool l WHERE l.pop = pop_id AND l.kind = 'tunnel'
	), numbered AS (
		SELECT t.*, to_hex(l.base + t.number) AS hex
		FROM tunnel t JOIN pools l ON t.prefix <<= l.prefix WHERE t.pop = pop_id
	), lines AS (
		SELECT 1 AS part, n.id, format('config %s T%s %s %s %s %s', n.hex, n.id,
			coalesce(host(n.endpoint), n.type::text),
			CASE WHEN n.user_enabled AND n.admin_enabled THEN 'up' ELSE 'disabled' END, n.mtu,
			n.secret) AS text
		FROM numbered n
		UNION ALL
		SELECT 2, s.id, format('config %s %s static', s.prefix, n.hex)
		FROM subnet s JOIN numbered n ON n.id = s.tunnel
	)
	SELECT l.text FROM lines l ORDER BY l.part, l.id;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.op_import(text, text, int[], int[], int[], text[], boolean[], int[],
		text[], inet[], int[], cidr[], int[]),
	api.op_export(text) TO operator;
