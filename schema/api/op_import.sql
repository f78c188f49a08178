-- Taking over a whole PoP from a sixxsd configuration, and giving it back in the same form. The caller has parsed the
-- text; here is judged whether it may be. All or nothing; the first bad line is named. Ids, numbers and secrets stay;
-- nobody is charged. A number above ffff means the tunnel lies in another of the PoP's tunnel prefixes: 10005 is number
-- 5 of the second.

CREATE TYPE api.import_tunnel AS (line int, id int, number int, pool int, pool_prefix cidr, prefix cidr,
	type broker.tunnel_type, enabled boolean, mtu int, secret text, endpoint inet);
CREATE TYPE api.import_route AS (line int, id int, prefix cidr, pool int, pool_prefix cidr, tunnel int, account int);

-- What is wrong with the tunnels, in the words of the first bad line, or NULL.
CREATE FUNCTION api.import_tunnel_fault(pop int, tunnels api.import_tunnel[]) RETURNS text
LANGUAGE sql STABLE
SET search_path = broker, pg_temp
AS $$
	SELECT format('line %s: %s', f.line, f.fault) FROM (
		SELECT u.line, CASE
			WHEN u.id IS NULL OR u.id < 1 THEN 'a tunnel id is a whole number from 1'
			WHEN count(*) OVER (PARTITION BY u.id) > 1 THEN format('T%s stands in the file more than once', u.id)
			WHEN EXISTS (SELECT FROM tunnel t WHERE t.id = u.id) THEN format('there is a tunnel T%s already', u.id)
			WHEN u.pool IS NULL THEN format('the PoP has no tunnel prefix for number %s', to_hex(u.number))
			WHEN u.number & 65535 > 32766
				THEN format('number %s is beyond 7ffe, the last of a tunnel', to_hex(u.number))
			WHEN count(*) OVER (PARTITION BY u.number) > 1
				THEN format('number %s stands in the file more than once', to_hex(u.number))
			WHEN a.released_at IS NOT NULL THEN format('%s is at rest since %s', u.prefix, rfc3339(a.released_at))
			WHEN a.prefix IS NOT NULL THEN format('%s belongs to T%s', u.prefix, a.tunnel)
			WHEN (u.type = 'static') <> (u.endpoint IS NOT NULL) THEN 'static tunnels, and only they, have an address'
			WHEN NOT is_endpoint(u.endpoint) THEN format('%s cannot be the endpoint of a tunnel', u.endpoint)
			WHEN u.endpoint = p.ipv4 THEN format('%s is the PoP itself', host(u.endpoint))
			WHEN (u.mtu BETWEEN 1280 AND mtu_max(u.type)) IS NOT TRUE
				THEN format('the MTU of a tunnel of type %s is 1280 to %s', u.type, mtu_max(u.type))
			WHEN (u.secret ~ '^[0-9a-f]{32}$') IS NOT TRUE THEN 'a secret is 32 lower-case hexadecimal digits'
			WHEN u.enabled IS NULL THEN 'a tunnel is up or disabled'
			END AS fault
		FROM unnest(tunnels) u CROSS JOIN pop p LEFT JOIN allocation a ON a.prefix = u.prefix
		WHERE p.id = import_tunnel_fault.pop
	) f WHERE f.fault IS NOT NULL ORDER BY f.line LIMIT 1
$$;

-- The routes with their tunnels and pools, once the tunnels are in; those that are a tunnel's own default routed /64
-- need nothing done and are left out. Look-ups are here, in SQL functions (planned at each call), and not in the
-- inserts: tables have just grown by thousands.
CREATE FUNCTION api.import_routes_find(pop int, line int[], prefix cidr[], tunnel_prefix cidr[])
RETURNS api.import_route[]
LANGUAGE sql
SET search_path = broker, pg_temp
AS $$
	SELECT array_agg(ROW(f.line, nextval('subnet_id'), f.prefix, f.pool, f.pool_prefix, f.tunnel,
		f.account)::api.import_route)
	FROM (
		SELECT u.line, u.prefix, l.id AS pool, l.prefix AS pool_prefix, t.id AS tunnel, t.account
		FROM unnest($2, $3, $4) AS u (line, prefix, tunnel_prefix)
		LEFT JOIN tunnel t ON t.prefix = u.tunnel_prefix
		LEFT JOIN pool l ON l.pop = $1 AND l.kind = 'subnet' AND u.prefix <<= l.prefix
		WHERE u.prefix IS DISTINCT FROM prefix_routed(u.tunnel_prefix)
		ORDER BY u.line
	) f
$$;

-- What is wrong with them. Sorted prefixes overlap only if neighbours do.
CREATE FUNCTION api.import_route_fault(account int, routes api.import_route[]) RETURNS text
LANGUAGE sql STABLE
SET search_path = broker, pg_temp
AS $$
	SELECT format('line %s: %s', f.line, f.fault) FROM (
		SELECT u.line, CASE
			WHEN u.account IS DISTINCT FROM $1 THEN 'the tunnel number belongs to no tunnel of this account on this PoP'
			WHEN masklen(u.prefix) > 64 THEN format('%s is longer than a /64', u.prefix)
			WHEN u.pool IS NULL THEN format('%s lies in no subnet prefix of the PoP', u.prefix)
			WHEN u.prefix && lag(u.prefix) OVER (ORDER BY u.prefix) THEN format('%s overlaps %s in the file', u.prefix,
				lag(u.prefix) OVER (ORDER BY u.prefix))
			WHEN pool_taken(u.pool, prefix_high(u.prefix) - prefix_high(u.pool_prefix),
				prefix_high(u.prefix) - prefix_high(u.pool_prefix) + (1::bigint << (64 - masklen(u.prefix))) - 1)
				THEN format('%s is in use or at rest', u.prefix)
			END AS fault
		FROM unnest($2) u
	) f WHERE f.fault IS NOT NULL ORDER BY f.line LIMIT 1
$$;

CREATE FUNCTION api.import_tunnels(account int, pop int, tunnels api.import_tunnel[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	fault text := api.import_tunnel_fault($2, $3);
	many bigint;
BEGIN
	IF fault IS NOT NULL THEN
		PERFORM refuse('BK003', '%s', fault);
	END IF;
	INSERT INTO tunnel (id, account, pop, pop_ipv4, type, prefix, endpoint, mtu, name, secret, admin_enabled)
	SELECT u.id, $1, p.id, p.ipv4, u.type, u.prefix, u.endpoint, u.mtu, 'T' || u.id, u.secret, u.enabled
	FROM unnest($3) u CROSS JOIN pop p WHERE p.id = $2 ORDER BY u.id;
	GET DIAGNOSTICS many = ROW_COUNT;
	INSERT INTO allocation (prefix, pool, pop, kind, pool_prefix, tunnel)
	SELECT h.prefix, u.pool, $2, 'tunnel', u.pool_prefix, u.id
	FROM unnest($3) u CROSS JOIN LATERAL (VALUES (u.prefix), (prefix_routed(u.prefix))) h (prefix);
	RETURN many;
END
$$;

CREATE FUNCTION api.import_routes(account int, pop int, routes api.import_route[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	fault text := api.import_route_fault($1, $3);
	many bigint;
BEGIN
	IF fault IS NOT NULL THEN
		PERFORM refuse('BK003', '%s', fault);
	END IF;
	INSERT INTO subnet (id, tunnel, pop, prefix) SELECT u.id, u.tunnel, $2, u.prefix FROM unnest($3) u;
	GET DIAGNOSTICS many = ROW_COUNT;
	INSERT INTO allocation (prefix, pool, pop, kind, pool_prefix, subnet)
	SELECT u.prefix, u.pool, $2, 'subnet', u.pool_prefix, u.id FROM unnest($3) u;
	RETURN many;
END
$$;

CREATE FUNCTION api.op_import(handle text, pop text, line int[], tunnel_number int[], id int[], type text[],
	enabled boolean[], mtu int[], secret text[], endpoint inet[],
	route_line int[], route_prefix cidr[], route_number int[])
RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	account_id int := account_find($1);
	pop_id int := pop_find($2);
	pools int[];
	prefixes cidr[];
	tunnels bigint;
	routes bigint;
BEGIN
	PERFORM account_lock(account_id);
	PERFORM FROM pool l WHERE l.pop = pop_id ORDER BY l.id FOR NO KEY UPDATE;
	PERFORM pool_wake(l.id) FROM pool l WHERE l.pop = pop_id;
	SELECT array_agg(l.id ORDER BY l.id), array_agg(l.prefix ORDER BY l.id) INTO pools, prefixes
	FROM pool l WHERE l.pop = pop_id AND l.kind = 'tunnel';
	tunnels := api.import_tunnels(account_id, pop_id, ARRAY(
		SELECT ROW(u.line, u.id, u.number, pools[(u.number >> 16) + 1], prefixes[(u.number >> 16) + 1],
			api.import_prefix(prefixes, u.number), type_parse(u.type), u.enabled, u.mtu,
			coalesce(u.secret, CASE WHEN u.type = 'static' THEN secret_generate() END), u.endpoint)::api.import_tunnel
		FROM unnest($3, $4, $5, $6, $7, $8, $9, $10) AS u (line, number, id, type, enabled, mtu, secret, endpoint)));
	routes := api.import_routes(account_id, pop_id, api.import_routes_find(pop_id, $11, $12,
		ARRAY(SELECT api.import_prefix(prefixes, u.number) FROM unnest($13) WITH ORDINALITY AS u (number, n)
			ORDER BY u.n)));
	-- Last, when nothing can be refused any more: a sequence does not go back with its transaction.
	PERFORM setval('tunnel_id', greatest((SELECT max(u.id) FROM unnest($5) u (id)), s.last_value), true) FROM tunnel_id s
	WHERE cardinality($5) > 0;
	ANALYZE tunnel, subnet, allocation, change; -- many new rows: let the next question be planned with them in mind
	RETURN QUERY SELECT format('imported %s tunnels and %s subnets to %s for %s', tunnels, routes, $2, handle($1));
END
$$;

-- The /64 that a number means, or NULL.
CREATE FUNCTION api.import_prefix(prefixes cidr[], number int) RETURNS cidr
LANGUAGE sql IMMUTABLE
SET search_path = broker, pg_temp
AS $$
	SELECT prefix_of(prefix_high(prefixes[(number >> 16) + 1]) + (number & 65535), 64)
$$;

-- Secrets included: this is the one door that shows them to the operator.
CREATE FUNCTION api.op_export(pop text) RETURNS TABLE (line text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	pop_id int := pop_find($1);
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
			CASE WHEN n.user_enabled AND n.admin_enabled THEN 'up' ELSE 'disabled' END, n.mtu, n.secret) AS text
		FROM numbered n
		UNION ALL
		SELECT 2, s.id, format('config %s %s static', s.prefix, n.hex) FROM subnet s JOIN numbered n ON n.id = s.tunnel
	)
	SELECT l.text FROM lines l ORDER BY l.part, l.id;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.op_import(text, text, int[], int[], int[], text[], boolean[], int[], text[], inet[],
	int[], cidr[], int[]), api.op_export(text) TO operator;
