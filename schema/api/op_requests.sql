-- Requests: a person asks and pays for asking; the staff decide; an approval costs again, a refusal gives nothing back.

CREATE FUNCTION api.request_add(account int, kind broker.pool_kind, pop int, type broker.tunnel_type, endpoint inet,
	tunnel int, why text, OUT message text, OUT request int)
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	paid record;
	at_pop record;
	act text := $2 || '_request';
BEGIN
	PERFORM account_lock($1);
	IF NOT (SELECT a.enabled FROM account a WHERE a.id = $1) THEN
		PERFORM refuse('BK001', 'This account is disabled and cannot request anything.');
	END IF;
	SELECT p.name, p.enabled INTO at_pop FROM pop p WHERE p.id = $3;
	IF NOT at_pop.enabled THEN
		PERFORM refuse('BK001', '%s is disabled and takes no requests.', at_pop.name);
	END IF;
	INSERT INTO request (account, kind, pop, type, endpoint, tunnel, why, cost)
	VALUES ($1, $2, $3, $4, $5, $6, reason($7), -(cost_of(act, $3)).amount) RETURNING id INTO request;
	SELECT * INTO paid FROM charge($1, act, $3, $6, NULL, request, reason($7));
	message := format('request %s: %s on %s, %s', request, coalesce($4 || ' tunnel', 'a subnet for T' || $6),
		at_pop.name, price(paid.amount, paid.balance));
END
$$;

CREATE FUNCTION api.op_tunnel_request(handle text, pop text, type text, endpoint inet, why text)
RETURNS TABLE (message text, request int)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	account_id int := account_find($1);
	pop_id int := pop_find($2);
	wanted tunnel_type := type_parse($3);
BEGIN
	PERFORM endpoint_check(wanted, $4, pop_id);
	RETURN QUERY SELECT * FROM api.request_add(account_id, 'tunnel', pop_id, wanted, $4, NULL, $5);
END
$$;

CREATE FUNCTION api.op_subnet_request(handle text, tunnel int, why text) RETURNS TABLE (message text, request int)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	held broker.tunnel;
BEGIN
	held := tunnel_hold($2);
	IF held.account <> account_find($1) THEN
		PERFORM refuse('BK002', '%s has no tunnel T%s.', handle($1), $2::text);
	END IF;
	RETURN QUERY SELECT * FROM api.request_add(held.account, 'subnet', held.pop, NULL, NULL, held.id, $3);
END
$$;

CREATE FUNCTION api.op_request_list(everything boolean)
RETURNS TABLE (id int, state text, handle text, kind text, pop text, type text, endpoint text, tunnel text, cost int,
	why text, created text, decided text, decision text, result text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT r.id, r.state::text, a.handle, r.kind::text, p.name, r.type::text, host(r.endpoint), 'T' || r.tunnel, r.cost,
		r.why, rfc3339(r.created_at), rfc3339(r.decided_at), r.decision,
		CASE r.kind WHEN 'tunnel' THEN 'T' ELSE 'R' END || r.result
	FROM request r JOIN account a ON a.id = r.account JOIN pop p ON p.id = r.pop
	WHERE r.state = 'open' OR $1 ORDER BY r.id
$$;

-- The request, its account locked, still open.
CREATE FUNCTION api.request_hold(id int) RETURNS broker.request
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	held broker.request;
BEGIN
	PERFORM account_lock((SELECT r.account FROM request r WHERE r.id = $1));
	SELECT r.* INTO held FROM request r WHERE r.id = $1;
	IF NOT FOUND THEN
		PERFORM refuse('BK002', 'There is no request %s.', $1::text);
	ELSIF held.state <> 'open' THEN
		PERFORM refuse('BK001', 'Request %s has been %s already.', $1::text, held.state::text);
	END IF;
	RETURN held;
END
$$;

CREATE FUNCTION api.op_request_approve(id int, why text) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	held request := api.request_hold($1);
	made int;
	what text;
	paid record;
BEGIN
	IF held.kind = 'tunnel' THEN
		PERFORM endpoint_check(held.type, held.endpoint, held.pop);
		made := tunnel_create(held.account, held.pop, held.type, held.endpoint);
		SELECT format('T%s: %s/%s on %s', t.id, prefix_host(t.prefix, 2), masklen(t.prefix), p.name) INTO what
		FROM tunnel t JOIN pop p ON p.id = t.pop WHERE t.id = made;
		SELECT * INTO paid FROM charge(held.account, 'tunnel_approve', held.pop, made, NULL, $1, reason($2));
	ELSE
		IF NOT EXISTS (SELECT FROM tunnel t WHERE t.id = held.tunnel) THEN
			PERFORM refuse('BK001', 'T%s is gone: refuse request %s.', held.tunnel::text, $1::text);
		END IF;
		made := subnet_create(held.tunnel, held.pop);
		SELECT format('R%s: %s to T%s', s.id, s.prefix, s.tunnel) INTO what FROM subnet s WHERE s.id = made;
		SELECT * INTO paid FROM charge(held.account, 'subnet_approve', held.pop, held.tunnel, made, $1, reason($2));
	END IF;
	UPDATE request SET state = 'approved', decided_at = now(), decision = reason($2), result = made WHERE id = $1;
	RETURN QUERY SELECT format('approved %s, %s', what, price(paid.amount, paid.balance));
END
$$;

CREATE FUNCTION api.op_request_refuse(id int, why text) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	held request := api.request_hold($1);
BEGIN
	UPDATE request SET state = 'refused', decided_at = now(), decision = reason($2) WHERE id = $1;
	RETURN QUERY SELECT format('refused request %s, the %s ISK paid for it are spent, balance %s', $1, held.cost,
		account_balance(held.account));
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.op_tunnel_request(text, text, text, inet, text), api.op_subnet_request(text, int, text),
	api.op_request_list(boolean), api.op_request_approve(int, text), api.op_request_refuse(int, text) TO operator;
