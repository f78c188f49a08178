-- Subnets and the name servers of their reverse zones, for the operator.

-- All subnets, or those of an account, on a PoP, or both.
CREATE FUNCTION api.op_subnet_list(account_handle text, pop_name text)
RETURNS TABLE (id text, handle text, pop text, tunnel text, prefix text, name_servers text,
	created text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	account_id int := CASE WHEN account_handle IS NOT NULL THEN account_find(account_handle) END;
	pop_id int := CASE WHEN pop_name IS NOT NULL THEN pop_find(pop_name) END;
BEGIN
	RETURN QUERY SELECT 'R' || s.id, a.handle, p.name, 'T' || t.id, s.prefix::text,
		(SELECT string_agg(n.host, ', ' ORDER BY n.host) FROM name_server n WHERE n.subnet = s.id),
		rfc3339(s.created_at)
	FROM subnet s JOIN tunnel t ON t.id = s.tunnel JOIN account a ON a.id = t.account
	JOIN pop p ON p.id = t.pop
	WHERE (account_id IS NULL OR t.account = account_id) AND (pop_id IS NULL OR t.pop = pop_id)
	ORDER BY s.id;
END
$$;

-- Locks the account of a subnet and returns the tunnel it is routed to and its prefix.
CREATE FUNCTION api.subnet_lock(subnet_id int, OUT account int, OUT pop int, OUT tunnel int,
	OUT prefix cidr)
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
BEGIN
	SELECT t.account INTO account FROM subnet s JOIN tunnel t ON t.id = s.tunnel
	WHERE s.id = subnet_lock.subnet_id;
	IF FOUND THEN
		PERFORM account_lock(account);
		SELECT t.account, t.pop, t.id, s.prefix INTO account, pop, tunnel, prefix
		FROM subnet s JOIN tunnel t ON t.id = s.tunnel WHERE s.id = subnet_lock.subnet_id;
	END IF;
	IF NOT FOUND THEN
		PERFORM refuse('BK002', 'There is no subnet R%s.', subnet_lock.subnet_id::text);
	END IF;
END
$$;

CREATE FUNCTION api.op_subnet_delete(subnet_id int) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	locked record := api.subnet_lock(subnet_id);
	charged text;
BEGIN
	SELECT c.message INTO charged FROM api.charge(locked.account, 'subnet_delete', locked.pop,
		locked.tunnel, subnet_id, NULL, locked.prefix::text) c;
	DELETE FROM subnet s WHERE s.id = op_subnet_delete.subnet_id;
	RETURN QUERY SELECT format('deleted R%s: %s, %s', subnet_id, locked.prefix, charged);
END
$$;

CREATE FUNCTION api.op_ns_add(subnet_id int, host text) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	locked record := api.subnet_lock(subnet_id);
	host_name text := lower(rtrim(op_ns_add.host, '.'));
	charged text;
BEGIN
	PERFORM demand(length(host_name) <= 253 AND host_name ~
		'^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$',
		'"%s" is not the full name of a host.', op_ns_add.host);
	IF EXISTS (SELECT FROM name_server n WHERE n.subnet = subnet_id AND n.host = host_name) THEN
		PERFORM refuse('BK001', 'R%s already has the name server %s.', subnet_id::text, host_name);
	END IF;
	SELECT c.message INTO charged FROM api.charge(locked.account, 'ns_add', locked.pop,
		locked.tunnel, subnet_id, NULL, host_name) c;
	INSERT INTO name_server (subnet, host) VALUES (subnet_id, host_name);
	RETURN QUERY SELECT format('added name server %s to R%s, %s', host_name, subnet_id, charged);
END
$$;

CREATE FUNCTION api.op_ns_remove(subnet_id int, host text) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	locked record := api.subnet_lock(subnet_id);
	host_name text := lower(rtrim(op_ns_remove.host, '.'));
	charged text;
BEGIN
	DELETE FROM name_server n WHERE n.subnet = subnet_id AND n.host = host_name;
	IF NOT FOUND THEN
		PERFORM refuse('BK002', 'R%s has no name server %s.', subnet_id::text, host_name);
	END IF;
	SELECT c.message INTO charged FROM api.charge(locked.account, 'ns_remove', locked.pop,
		locked.tunnel, subnet_id, NULL, host_name) c;
	RETURN QUERY SELECT format('removed name server %s from R%s, %s', host_name, subnet_id,
		charged);
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.op_subnet_list(text, text), api.op_subnet_delete(int),
	api.op_ns_add(int, text), api.op_ns_remove(int, text) TO operator;
