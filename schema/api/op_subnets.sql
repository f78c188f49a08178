-- Subnets and the servers of their reverse zones, by the operator's hand.

CREATE FUNCTION api.op_subnet_list(of_handle text, of_pop text)
RETURNS TABLE (id text, handle text, pop text, tunnel text, prefix text, name_servers text, created text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	account_id int := CASE WHEN $1 IS NOT NULL THEN account_find($1) END;
	pop_id int := CASE WHEN $2 IS NOT NULL THEN pop_find($2) END;
BEGIN
	RETURN QUERY SELECT 'R' || s.id, a.handle, p.name, 'T' || t.id, s.prefix::text,
		(SELECT string_agg(n.host, ', ' ORDER BY n.host) FROM name_server n WHERE n.subnet = s.id),
		rfc3339(s.created_at)
	FROM subnet s JOIN tunnel t ON t.id = s.tunnel JOIN account a ON a.id = t.account JOIN pop p ON p.id = t.pop
	WHERE (account_id IS NULL OR t.account = account_id) AND (pop_id IS NULL OR t.pop = pop_id) ORDER BY s.id;
END
$$;

-- The subnet's tunnel, its account locked; BK002 when there is no such subnet.
CREATE FUNCTION api.subnet_hold(id int) RETURNS broker.tunnel
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	held broker.tunnel;
BEGIN
	PERFORM account_lock((SELECT t.account FROM subnet s JOIN tunnel t ON t.id = s.tunnel WHERE s.id = $1));
	SELECT t.* INTO held FROM subnet s JOIN tunnel t ON t.id = s.tunnel WHERE s.id = $1;
	IF NOT FOUND THEN
		PERFORM refuse('BK002', 'There is no subnet R%s.', $1::text);
	END IF;
	RETURN held;
END
$$;

CREATE FUNCTION api.op_subnet_delete(id int) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	held tunnel := api.subnet_hold($1);
	gone cidr := (SELECT s.prefix FROM subnet s WHERE s.id = $1);
	paid record;
BEGIN
	SELECT * INTO paid FROM charge(held.account, 'subnet_delete', held.pop, held.id, $1, NULL, gone::text);
	DELETE FROM subnet WHERE id = $1;
	RETURN QUERY SELECT format('deleted R%s: %s, %s', $1, gone, price(paid.amount, paid.balance));
END
$$;

CREATE FUNCTION api.op_ns_add(subnet int, host text) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	held tunnel := api.subnet_hold($1);
	named text := lower(rtrim($2, '.'));
	paid record;
BEGIN
	PERFORM demand(named ~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$'
		AND length(named) <= 253,
		'"%s" is not the name of a host.', $2);
	IF EXISTS (SELECT FROM name_server n WHERE n.subnet = $1 AND n.host = named) THEN
		PERFORM refuse('BK001', 'R%s has the name server %s already.', $1::text, named);
	END IF;
	SELECT * INTO paid FROM charge(held.account, 'ns_add', held.pop, held.id, $1, NULL, named);
	INSERT INTO name_server (subnet, host) VALUES ($1, named);
	RETURN QUERY SELECT format('added name server %s to R%s, %s', named, $1, price(paid.amount, paid.balance));
END
$$;

CREATE FUNCTION api.op_ns_remove(subnet int, host text) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	held tunnel := api.subnet_hold($1);
	named text := lower(rtrim($2, '.'));
	paid record;
BEGIN
	DELETE FROM name_server n WHERE n.subnet = $1 AND n.host = named;
	IF NOT FOUND THEN
		PERFORM refuse('BK002', 'R%s has no name server %s.', $1::text, named);
	END IF;
	SELECT * INTO paid FROM charge(held.account, 'ns_remove', held.pop, held.id, $1, NULL, named);
	RETURN QUERY SELECT format('removed name server %s from R%s, %s', named, $1, price(paid.amount, paid.balance));
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.op_subnet_list(text, text), api.op_subnet_delete(int), api.op_ns_add(int, text),
	api.op_ns_remove(int, text)
	TO operator;
