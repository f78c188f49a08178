-- The rules more than one door needs: allocation, and what may be done with a tunnel. Doors are in schema/api.
-- Order of locks, everywhere: account rows (by id), then pool rows, then feed counters (by PoP).

-- Is any part of a pool, from one /64 to another, handed out or at rest?
CREATE FUNCTION broker.pool_taken(pool int, first bigint, last bigint) RETURNS boolean
LANGUAGE sql STABLE
RETURN coalesce((SELECT a.first <= pool_taken.last FROM broker.allocation a
	WHERE a.pool = pool_taken.pool AND a.last >= pool_taken.first ORDER BY a.last LIMIT 1), false);

-- Where the lowest free block of a pool begins, in /64s, at or above its hint; NULL when it is full. The caller holds
-- the pool's lock.
CREATE FUNCTION broker.pool_lowest(pool broker.pool) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
	block bigint := 1::bigint << (64 - pool.length);
	room bigint := CASE pool.kind WHEN 'tunnel' THEN 32767 ELSE 1::bigint << (64 - masklen(pool.prefix)) END;
	slot bigint := (pool.hint + block - 1) / block * block;
	taken record;
BEGIN
	WHILE slot + block <= room LOOP
		SELECT a.first, a.last INTO taken FROM broker.allocation a
		WHERE a.pool = pool_lowest.pool.id AND a.last >= slot ORDER BY a.last LIMIT 1;
		IF NOT FOUND OR taken.first >= slot + block THEN
			RETURN slot;
		END IF;
		slot := (taken.last + block) / block * block;
	END LOOP;
	RETURN NULL;
END
$$;

-- Prefixes that have rested long enough may be handed out again.
CREATE FUNCTION broker.pool_wake(pool int) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	DELETE FROM broker.allocation a WHERE a.pool = pool_wake.pool
		AND a.released_at <= now() - make_interval(days => broker.setting_value('prefix_rest_days'));
END;

-- Takes the lowest free prefix of the PoP's pools of that kind and locks its pool until the transaction ends.
CREATE FUNCTION broker.prefix_take(pop int, kind broker.pool_kind, OUT pool int, OUT pool_prefix cidr, OUT prefix cidr)
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
	it broker.pool;
	slot bigint;
BEGIN
	FOR pool IN SELECT p.id FROM broker.pool p
		WHERE p.pop = prefix_take.pop AND p.kind = prefix_take.kind ORDER BY p.id
	LOOP
		PERFORM FROM broker.pool p WHERE p.id = prefix_take.pool FOR NO KEY UPDATE;
		PERFORM broker.pool_wake(pool);
		SELECT p.* INTO it FROM broker.pool p WHERE p.id = prefix_take.pool;
		slot := broker.pool_lowest(it);
		IF slot IS NOT NULL THEN
			UPDATE broker.pool p SET hint = slot + (1::bigint << (64 - it.length)) WHERE p.id = it.id;
			pool_prefix := it.prefix;
			prefix := broker.prefix_of(broker.prefix_high(it.prefix) + slot, it.length);
			RETURN;
		END IF;
	END LOOP;
	PERFORM broker.refuse('BK001', '%s has no free %s prefix.',
		(SELECT p.name FROM broker.pop p WHERE p.id = prefix_take.pop), prefix_take.kind::text);
END
$$;

CREATE FUNCTION broker.tunnel_create(account int, pop int, type broker.tunnel_type, endpoint inet) RETURNS int
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
	taken record;
	tunnel int;
BEGIN
	SELECT * INTO taken FROM broker.prefix_take(pop, 'tunnel');
	tunnel := nextval('broker.tunnel_id');
	INSERT INTO broker.tunnel (id, account, pop, pop_ipv4, type, prefix, endpoint, name)
	SELECT tunnel, account, p.id, p.ipv4, type, taken.prefix, endpoint, 'T' || tunnel
	FROM broker.pop p WHERE p.id = pop;
	INSERT INTO broker.allocation (prefix, pool, pop, kind, pool_prefix, tunnel)
	SELECT u.prefix, taken.pool, pop, 'tunnel', taken.pool_prefix, tunnel
	FROM unnest(ARRAY[taken.prefix, broker.prefix_routed(taken.prefix)]) AS u (prefix);
	RETURN tunnel;
END
$$;

CREATE FUNCTION broker.subnet_create(tunnel int, pop int) RETURNS int
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
	taken record;
	subnet int;
BEGIN
	SELECT * INTO taken FROM broker.prefix_take(pop, 'subnet');
	subnet := nextval('broker.subnet_id');
	INSERT INTO broker.subnet (id, tunnel, pop, prefix) VALUES (subnet, tunnel, pop, taken.prefix);
	INSERT INTO broker.allocation (prefix, pool, pop, kind, pool_prefix, subnet)
	VALUES (taken.prefix, taken.pool, pop, 'subnet', taken.pool_prefix, subnet);
	RETURN subnet;
END
$$;

-- The tunnel as it stands, its account locked; with `account`, only if it is that account's (what is not theirs does
-- not exist for them).
CREATE FUNCTION broker.tunnel_hold(id int, account int DEFAULT NULL) RETURNS broker.tunnel
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
	held broker.tunnel;
BEGIN
	SELECT t.* INTO held FROM broker.tunnel t WHERE t.id = id AND t.account = coalesce(account, t.account);
	PERFORM broker.account_lock(held.account);
	SELECT t.* INTO held FROM broker.tunnel t WHERE t.id = id AND t.account = held.account;
	IF NOT FOUND THEN
		PERFORM broker.refuse('BK002', 'There is no tunnel T%s%s.', id::text,
			CASE WHEN account IS NULL THEN '' ELSE ' of yours' END);
	END IF;
	RETURN held;
END
$$;

-- The same for a TIC session; `only_tunnel` is the tunnel of a per-tunnel login.
CREATE FUNCTION broker.tunnel_hold_own(account int, only_tunnel int, id int) RETURNS broker.tunnel
LANGUAGE plpgsql
AS $$
BEGIN
	IF account IS NULL OR only_tunnel <> id THEN
		PERFORM broker.refuse('BK002', 'There is no tunnel T%s of yours.', id::text);
	END IF;
	RETURN broker.tunnel_hold(id, account);
END
$$;

CREATE FUNCTION broker.type_parse(type text) RETURNS broker.tunnel_type
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
	CASE lower(type)
		WHEN 'ayiya' THEN RETURN 'ayiya';
		WHEN 'heartbeat', '6in4-heartbeat' THEN RETURN 'heartbeat';
		WHEN 'static', '6in4-static' THEN RETURN 'static';
		ELSE PERFORM broker.refuse('BK003', 'A tunnel is ayiya, heartbeat or static, not "%s".', type);
	END CASE;
	RETURN NULL;
END
$$;

CREATE FUNCTION broker.address_parse(address text) RETURNS inet
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
	RETURN address::inet;
EXCEPTION WHEN invalid_text_representation THEN
	PERFORM broker.refuse('BK003', '"%s" is not an IP address.', address);
END
$$;

-- The one place that says in words what an endpoint may be; the table's constraints say it again.
CREATE FUNCTION broker.endpoint_check(type broker.tunnel_type, endpoint inet, pop int) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
	IF type <> 'static' THEN
		IF endpoint IS NOT NULL THEN
			PERFORM broker.refuse('BK003',
				'A tunnel of type %s has no fixed endpoint: it is learned from what the client sends.', type::text);
		END IF;
	ELSIF endpoint IS NULL THEN
		PERFORM broker.refuse('BK003', 'A static tunnel needs the IPv4 address of its endpoint.');
	ELSIF NOT broker.is_endpoint(endpoint) THEN
		PERFORM broker.refuse('BK003',
			'%s cannot be the endpoint of a tunnel: it must be the IPv4 address of one host.', abbrev(endpoint));
	ELSIF EXISTS (SELECT FROM broker.pop p WHERE p.id = endpoint_check.pop AND p.ipv4 = endpoint_check.endpoint) THEN
		PERFORM broker.refuse('BK003', '%s is the PoP itself and cannot be the endpoint of its tunnel.',
			host(endpoint));
	END IF;
END
$$;

-- Moves the endpoint of a static tunnel (held by the caller) and says what it cost.
CREATE FUNCTION broker.tunnel_move(held broker.tunnel, address inet) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
	paid record;
BEGIN
	IF held.type <> 'static' THEN
		PERFORM broker.refuse('BK001', 'T%s is of type %s: its endpoint follows the client and cannot be set.',
			held.id::text, held.type::text);
	END IF;
	PERFORM broker.endpoint_check('static', address, held.pop);
	IF held.endpoint = address THEN
		RETURN format('T%s ends at %s already, nothing was charged', held.id, host(address));
	END IF;
	SELECT * INTO paid FROM broker.charge(held.account, 'endpoint_move', held.pop, held.id, NULL, NULL,
		format('from %s to %s', host(held.endpoint), host(address)));
	UPDATE broker.tunnel t SET endpoint = address WHERE t.id = held.id;
	RETURN format('moved T%s to %s, %s', held.id, host(address), broker.price(paid.amount, paid.balance));
END
$$;

-- What a PoP has to know of a tunnel.
CREATE VIEW broker.tunnel_feed AS
SELECT t.pop, t.id, t.type::text AS type, t.prefix::text AS prefix, t.secret, host(t.endpoint) AS endpoint, t.mtu,
	t.user_enabled AND t.admin_enabled AS enabled,
	concat_ws(',', t.routed,
		(SELECT string_agg(s.prefix::text, ',' ORDER BY s.id) FROM broker.subnet s WHERE s.tunnel = t.id)) AS routes
FROM broker.tunnel t;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA broker FROM PUBLIC;
