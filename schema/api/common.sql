-- The rules that more than one door needs; no role may call them. Doors written in SQL are checked
-- when they are created, so this file has to come first. Locks are taken in one order everywhere:
-- account rows by id, then pool rows by id, then feed counters by PoP.

-- True where superuser.sql was run for the owner of these functions, who may then have roles of PoPs
-- made.
CREATE FUNCTION api.can_make_roles() RETURNS boolean
LANGUAGE sql STABLE
SET search_path = broker, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM pg_namespace n JOIN pg_proc p ON p.pronamespace = n.oid
		WHERE n.nspname = 'broker_roles' AND p.proname = 'pop_role_set'
			AND has_schema_privilege(n.oid, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE'))
$$;

-- Charges an account for an action on a PoP. The ledger's trigger reads the price and the floor
-- under the account's lock and refuses with BK004. `message` is "charged 5 ISK, balance 10".
CREATE FUNCTION api.charge(account_id int, action text, pop_id int, tunnel_id int, subnet_id int,
	request_id int, note text, OUT amount int, OUT balance int, OUT message text)
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
BEGIN
	INSERT INTO ledger AS l (account, action, pop, tunnel, subnet, request, why)
	VALUES (account_id, charge.action, pop_id, tunnel_id, subnet_id, request_id, coalesce(note, ''))
	RETURNING l.amount, l.balance INTO charge.amount, charge.balance;
	message := format('charged %s ISK, balance %s', abs(charge.amount), charge.balance);
END
$$;

-- True when any /64 of a pool between two offsets is handed out or at rest.
CREATE FUNCTION api.pool_is_taken(pool_id int, first_offset bigint, last_offset bigint)
RETURNS boolean
LANGUAGE sql STABLE
SET search_path = broker, pg_temp
AS $$
	SELECT coalesce((SELECT a.first <= pool_is_taken.last_offset FROM allocation a
		WHERE a.pool = pool_is_taken.pool_id AND a.last >= pool_is_taken.first_offset
		ORDER BY a.last LIMIT 1), false)
$$;

-- The offset, in /64s, of a pool's lowest free block at or above its hint; NULL when the pool is
-- full. The caller holds the pool's lock.
CREATE FUNCTION api.pool_lowest_free(pool_row broker.pool) RETURNS bigint
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	block_size bigint := 1::bigint << (64 - pool_row.length);
	pool_size bigint := CASE pool_row.kind WHEN 'tunnel' THEN 32767
		ELSE 1::bigint << (64 - masklen(pool_row.prefix)) END;
	block bigint := (pool_row.hint + block_size - 1) / block_size * block_size;
	taken record;
BEGIN
	WHILE block + block_size <= pool_size LOOP
		SELECT a.first, a.last INTO taken FROM allocation a
		WHERE a.pool = pool_row.id AND a.last >= block ORDER BY a.last LIMIT 1;
		IF NOT FOUND OR taken.first >= block + block_size THEN
			RETURN block;
		END IF;
		block := (taken.last + block_size) / block_size * block_size;
	END LOOP;
	RETURN NULL;
END
$$;

-- Makes the prefixes of a pool available again that have rested long enough.
CREATE FUNCTION api.pool_end_rest(pool_id int) RETURNS void
LANGUAGE sql
SET search_path = broker, pg_temp
AS $$
	DELETE FROM allocation a WHERE a.pool = pool_end_rest.pool_id
		AND a.released_at <= now() - make_interval(days => setting_value('prefix_rest_days'))
$$;

-- Takes the lowest free prefix of a PoP's pools of a kind and locks its pool until the transaction
-- ends. Refuses with BK001 when all pools are full.
CREATE FUNCTION api.prefix_take(pop_id int, kind broker.pool_kind, OUT pool_id int,
	OUT pool_prefix cidr, OUT prefix cidr)
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	pool_row broker.pool;
	block bigint;
BEGIN
	FOR pool_id IN SELECT p.id FROM pool p
		WHERE p.pop = pop_id AND p.kind = prefix_take.kind ORDER BY p.id
	LOOP
		PERFORM FROM pool p WHERE p.id = pool_id FOR NO KEY UPDATE;
		PERFORM api.pool_end_rest(pool_id);
		SELECT p.* INTO pool_row FROM pool p WHERE p.id = pool_id;
		block := api.pool_lowest_free(pool_row);
		IF block IS NOT NULL THEN
			UPDATE pool p SET hint = block + (1::bigint << (64 - pool_row.length))
			WHERE p.id = pool_id;
			pool_prefix := pool_row.prefix;
			prefix := prefix_of(prefix_high(pool_row.prefix) + block, pool_row.length);
			RETURN;
		END IF;
	END LOOP;
	PERFORM refuse('BK001', '%s has no free %s prefix.',
		(SELECT p.name FROM pop p WHERE p.id = pop_id), prefix_take.kind::text);
END
$$;

-- Makes a tunnel on the PoP's lowest free prefix and returns its id.
CREATE FUNCTION api.tunnel_create(account_id int, pop_id int, type broker.tunnel_type,
	endpoint inet) RETURNS int
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	free record;
	new_id int;
BEGIN
	SELECT * INTO free FROM api.prefix_take(pop_id, 'tunnel');
	new_id := nextval('tunnel_id');
	INSERT INTO tunnel (id, account, pop, pop_ipv4, type, prefix, endpoint, name)
	SELECT new_id, account_id, p.id, p.ipv4, tunnel_create.type, free.prefix,
		tunnel_create.endpoint, 'T' || new_id
	FROM pop p WHERE p.id = pop_id;
	INSERT INTO allocation (prefix, pool, pop, kind, pool_prefix, tunnel)
	SELECT u.prefix, free.pool_id, pop_id, 'tunnel', free.pool_prefix, new_id
	FROM unnest(ARRAY[free.prefix, prefix_routed(free.prefix)]) AS u (prefix);
	RETURN new_id;
END
$$;

-- Gives a tunnel the PoP's lowest free subnet and returns the subnet's id.
CREATE FUNCTION api.subnet_create(tunnel_id int, pop_id int) RETURNS int
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	free record;
	new_id int;
BEGIN
	SELECT * INTO free FROM api.prefix_take(pop_id, 'subnet');
	new_id := nextval('subnet_id');
	INSERT INTO subnet (id, tunnel, pop, prefix)
	VALUES (new_id, subnet_create.tunnel_id, pop_id, free.prefix);
	INSERT INTO allocation (prefix, pool, pop, kind, pool_prefix, subnet)
	VALUES (free.prefix, free.pool_id, pop_id, 'subnet', free.pool_prefix, new_id);
	RETURN new_id;
END
$$;

-- Refuses with BK002 unless there is such a tunnel.
CREATE FUNCTION api.tunnel_check(tunnel_id int) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = broker, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM tunnel t WHERE t.id = tunnel_check.tunnel_id) THEN
		PERFORM refuse('BK002', 'There is no tunnel T%s.', tunnel_check.tunnel_id::text);
	END IF;
END
$$;

-- Locks the account of a tunnel and returns the tunnel as it is under that lock.
CREATE FUNCTION api.tunnel_lock(tunnel_id int) RETURNS broker.tunnel
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	tunnel_row broker.tunnel;
BEGIN
	SELECT t.* INTO tunnel_row FROM tunnel t WHERE t.id = tunnel_lock.tunnel_id;
	IF FOUND THEN
		PERFORM account_lock(tunnel_row.account);
		SELECT t.* INTO tunnel_row FROM tunnel t
		WHERE t.id = tunnel_lock.tunnel_id AND t.account = tunnel_row.account;
	END IF;
	IF NOT FOUND THEN
		PERFORM refuse('BK002', 'There is no tunnel T%s.', tunnel_lock.tunnel_id::text);
	END IF;
	RETURN tunnel_row;
END
$$;

-- The same for a TIC session, for which the tunnels of other accounts do not exist. A session that
-- logged in as HANDLE/T12 has 12 as `login_tunnel_id` and only that tunnel.
CREATE FUNCTION api.tunnel_lock_own(account_id int, login_tunnel_id int, tunnel_id int)
RETURNS broker.tunnel
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	tunnel_row broker.tunnel;
BEGIN
	IF account_id IS NOT NULL
		AND (login_tunnel_id IS NULL OR login_tunnel_id = tunnel_lock_own.tunnel_id) THEN
		PERFORM account_lock(account_id);
		SELECT t.* INTO tunnel_row FROM tunnel t
		WHERE t.id = tunnel_lock_own.tunnel_id AND t.account = account_id;
	END IF;
	IF tunnel_row.id IS NULL THEN
		PERFORM refuse('BK002', 'There is no tunnel T%s of yours.',
			tunnel_lock_own.tunnel_id::text);
	END IF;
	RETURN tunnel_row;
END
$$;

CREATE FUNCTION api.type_parse(type text) RETURNS broker.tunnel_type
LANGUAGE plpgsql IMMUTABLE
SET search_path = broker, pg_temp
AS $$
BEGIN
	CASE lower(type)
		WHEN 'ayiya' THEN RETURN 'ayiya';
		WHEN 'heartbeat', '6in4-heartbeat' THEN RETURN 'heartbeat';
		WHEN 'static', '6in4-static' THEN RETURN 'static';
		ELSE PERFORM refuse('BK003',
			'The type of a tunnel is ayiya, heartbeat or static, not "%s".', type);
	END CASE;
END
$$;

-- NULL for NULL; BK003 for what is not an address.
CREATE FUNCTION api.address_parse(address text) RETURNS inet
LANGUAGE plpgsql IMMUTABLE
SET search_path = broker, pg_temp
AS $$
BEGIN
	RETURN address::inet;
EXCEPTION WHEN invalid_text_representation THEN
	PERFORM refuse('BK003', '"%s" is not an IP address.', address);
END
$$;

-- Refuses in words what the constraints of the table would refuse.
CREATE FUNCTION api.endpoint_check(type broker.tunnel_type, endpoint inet, pop_id int) RETURNS void
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	there record;
BEGIN
	IF type <> 'static' THEN
		IF endpoint IS NOT NULL THEN
			PERFORM refuse('BK003', 'A tunnel of type %s has no fixed endpoint: '
				'the PoP learns it from the client''s packets.', type::text);
		END IF;
	ELSIF endpoint IS NULL THEN
		PERFORM refuse('BK003', 'A static tunnel needs the IPv4 address of its endpoint.');
	ELSIF NOT is_endpoint(endpoint) THEN
		PERFORM refuse('BK003', '%s cannot be the endpoint of a tunnel: '
			'it must be the IPv4 address of one host.', abbrev(endpoint));
	END IF;
	SELECT p.id, p.name INTO there FROM pop p WHERE p.ipv4 = endpoint_check.endpoint;
	IF there.id = pop_id THEN
		PERFORM refuse('BK003', '%s is the PoP itself and cannot be the endpoint of its tunnel.',
			host(endpoint));
	ELSIF FOUND THEN
		PERFORM refuse('BK003', '%s is the PoP %s and cannot be the endpoint of a tunnel.',
			host(endpoint), there.name);
	END IF;
END
$$;

-- Counts one more action of a user on a tunnel whose account the caller has locked. Refuses with
-- BK005 when the last hour has as many as the setting allows. `done` is the action in words, as in
-- "T7 was <done> 10 times".
CREATE FUNCTION api.tunnel_action_count(tunnel_id int, action_name text, setting_name text,
	done text)
RETURNS void
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	most int := setting_value(setting_name);
	recent timestamptz[];
BEGIN
	IF most = 0 THEN
		RETURN;
	END IF;
	SELECT array_agg(u.at ORDER BY u.at) INTO recent
	FROM tunnel_action a CROSS JOIN unnest(a.times) AS u (at)
	WHERE a.tunnel = tunnel_id AND a.action = action_name
		AND u.at > now() - interval '1 hour';
	IF cardinality(recent) >= most THEN
		PERFORM refuse('BK005', 'T%s was %s %s times within an hour, and %s is the limit, since each '
			'time reaches its PoP; it is possible again at %s.', tunnel_id::text, done,
			cardinality(recent)::text, most::text,
			rfc3339(recent[cardinality(recent) - most + 1] + interval '1 hour'));
	END IF;
	INSERT INTO tunnel_action AS a (tunnel, action, times)
	VALUES (tunnel_id, action_name, recent || now())
	ON CONFLICT (tunnel, action) DO UPDATE SET times = excluded.times;
END
$$;

-- Moves the endpoint of a static tunnel, whose account the caller has locked; returns the message.
-- What its user does is limited, what staff do is not.
CREATE FUNCTION api.endpoint_move(tunnel_row broker.tunnel, address inet, by_user boolean)
RETURNS text
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	charged text;
BEGIN
	IF tunnel_row.type <> 'static' THEN
		PERFORM refuse('BK001',
			'T%s is of type %s: its endpoint follows the client and cannot be set.',
			tunnel_row.id::text, tunnel_row.type::text);
	END IF;
	PERFORM api.endpoint_check('static', address, tunnel_row.pop);
	IF tunnel_row.endpoint = address THEN
		RETURN format('T%s already ends at %s, nothing was charged', tunnel_row.id, host(address));
	END IF;
	IF by_user THEN
		PERFORM api.tunnel_action_count(tunnel_row.id, 'endpoint_move', 'endpoint_moves_per_hour',
			'moved');
	END IF;
	SELECT c.message INTO charged FROM api.charge(tunnel_row.account, 'endpoint_move',
		tunnel_row.pop, tunnel_row.id, NULL, NULL,
		format('from %s to %s', host(tunnel_row.endpoint), host(address))) c;
	UPDATE tunnel t SET endpoint = address WHERE t.id = tunnel_row.id;
	RETURN format('moved T%s to %s, %s', tunnel_row.id, host(address), charged);
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
