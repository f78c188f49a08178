-- Requests: a user asks and pays for asking, the staff decide, an approval costs again. A refusal
-- refunds nothing.

CREATE FUNCTION api.request_add(account_id int, kind broker.pool_kind, pop_id int,
	type broker.tunnel_type, endpoint inet, tunnel_id int, note text, OUT message text,
	OUT request int)
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	pop_row broker.pop;
	charged record;
BEGIN
	PERFORM account_lock(account_id);
	IF NOT (SELECT a.enabled FROM account a WHERE a.id = account_id) THEN
		PERFORM refuse('BK001', 'This account is disabled and cannot request anything.');
	END IF;
	SELECT p.* INTO pop_row FROM pop p WHERE p.id = pop_id;
	IF pop_row.enabled IS NOT TRUE THEN
		PERFORM refuse('BK001', '%s is disabled and takes no requests.', pop_row.name);
	END IF;
	request := nextval('request_id_seq');
	SELECT c.* INTO charged FROM api.charge(account_id, kind || '_request', pop_id, tunnel_id, NULL,
		request, reason(note)) c;
	INSERT INTO request (id, account, kind, pop, type, endpoint, tunnel, why, cost)
	OVERRIDING SYSTEM VALUE
	VALUES (request_add.request, account_id, request_add.kind, pop_id, request_add.type,
		request_add.endpoint, tunnel_id, reason(note), -charged.amount);
	message := format('request %s: %s on %s, %s', request,
		coalesce(type || ' tunnel', 'a subnet for T' || tunnel_id), pop_row.name, charged.message);
END
$$;

CREATE FUNCTION api.op_tunnel_request(account_handle text, pop_name text, type text, endpoint inet,
	note text)
RETURNS TABLE (message text, request int)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	account_id int := account_find(account_handle);
	pop_id int := pop_find(pop_name);
	tunnel_type broker.tunnel_type := api.type_parse(type);
BEGIN
	PERFORM api.endpoint_check(tunnel_type, endpoint, pop_id);
	RETURN QUERY SELECT r.message, r.request FROM api.request_add(account_id, 'tunnel', pop_id,
		tunnel_type, endpoint, NULL, note) r;
END
$$;

CREATE FUNCTION api.op_subnet_request(account_handle text, tunnel_id int, note text)
RETURNS TABLE (message text, request int)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	tunnel_row broker.tunnel := api.tunnel_lock(tunnel_id);
BEGIN
	IF tunnel_row.account <> account_find(account_handle) THEN
		PERFORM refuse('BK002', '%s has no tunnel T%s.', handle(account_handle), tunnel_id::text);
	END IF;
	RETURN QUERY SELECT r.message, r.request FROM api.request_add(tunnel_row.account, 'subnet',
		tunnel_row.pop, NULL, NULL, tunnel_row.id, note) r;
END
$$;

-- The open requests, or all of them.
CREATE FUNCTION api.op_request_list(decided_too boolean)
RETURNS TABLE (id int, state text, handle text, kind text, pop text, type text, endpoint text,
	tunnel text, cost int, why text, created text, decided text, decision text, result text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT r.id, r.state::text, a.handle, r.kind::text, p.name, r.type::text, host(r.endpoint),
		'T' || r.tunnel, r.cost, r.why, rfc3339(r.created_at), rfc3339(r.decided_at), r.decision,
		CASE r.kind WHEN 'tunnel' THEN 'T' ELSE 'R' END || r.result
	FROM request r JOIN account a ON a.id = r.account JOIN pop p ON p.id = r.pop
	WHERE r.state = 'open' OR op_request_list.decided_too ORDER BY r.id
$$;

-- Locks the account of a request and returns the request, which is still open under that lock.
CREATE FUNCTION api.request_lock(request_id int) RETURNS broker.request
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	request_row broker.request;
BEGIN
	SELECT r.* INTO request_row FROM request r WHERE r.id = request_id;
	IF NOT FOUND THEN
		PERFORM refuse('BK002', 'There is no request %s.', request_id::text);
	END IF;
	PERFORM account_lock(request_row.account);
	SELECT r.* INTO STRICT request_row FROM request r WHERE r.id = request_id;
	IF request_row.state <> 'open' THEN
		PERFORM refuse('BK001', 'Request %s has already been %s.', request_id::text,
			request_row.state::text);
	END IF;
	RETURN request_row;
END
$$;

CREATE FUNCTION api.op_request_approve(request_id int, note text) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	request_row broker.request := api.request_lock(request_id);
	new_id int;
	description text;
	charged text;
BEGIN
	IF request_row.kind = 'tunnel' THEN
		PERFORM api.endpoint_check(request_row.type, request_row.endpoint, request_row.pop);
		new_id := api.tunnel_create(request_row.account, request_row.pop, request_row.type,
			request_row.endpoint);
		SELECT format('T%s: %s/%s on %s', t.id, prefix_host(t.prefix, 2), masklen(t.prefix), p.name)
		INTO description FROM tunnel t JOIN pop p ON p.id = t.pop WHERE t.id = new_id;
		SELECT c.message INTO charged FROM api.charge(request_row.account, 'tunnel_approve',
			request_row.pop, new_id, NULL, request_id, reason(note)) c;
	ELSE
		IF NOT EXISTS (SELECT FROM tunnel t WHERE t.id = request_row.tunnel) THEN
			PERFORM refuse('BK001', 'T%s has been deleted: refuse request %s.',
				request_row.tunnel::text, request_id::text);
		END IF;
		new_id := api.subnet_create(request_row.tunnel, request_row.pop);
		SELECT format('R%s: %s to T%s', s.id, s.prefix, s.tunnel) INTO description FROM subnet s
		WHERE s.id = new_id;
		SELECT c.message INTO charged FROM api.charge(request_row.account, 'subnet_approve',
			request_row.pop, request_row.tunnel, new_id, request_id, reason(note)) c;
	END IF;
	UPDATE request r SET state = 'approved', decided_at = now(), decision = reason(note),
		result = new_id
	WHERE r.id = request_id;
	RETURN QUERY SELECT format('approved %s, %s', description, charged);
END
$$;

CREATE FUNCTION api.op_request_refuse(request_id int, note text) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	request_row broker.request := api.request_lock(request_id);
BEGIN
	UPDATE request r SET state = 'refused', decided_at = now(), decision = reason(note)
	WHERE r.id = request_id;
	RETURN QUERY SELECT format('refused request %s, its %s ISK are not refunded, balance %s',
		request_id, request_row.cost, account_balance(request_row.account));
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.op_tunnel_request(text, text, text, inet, text),
	api.op_subnet_request(text, int, text), api.op_request_list(boolean),
	api.op_request_approve(int, text), api.op_request_refuse(int, text) TO operator;
