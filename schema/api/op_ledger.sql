-- The ledger and the cost table, by the operator's hand.

CREATE FUNCTION api.op_credit(handle text, amount int, why text) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	account_id int := account_find($1);
	after int;
BEGIN
	PERFORM demand($2 <> 0 AND abs($2) <= 1000000, 'A credit is 1 to 1000000 ISK, or as many less than none.');
	PERFORM demand(reason($3) <> '', 'A credit needs a reason.');
	INSERT INTO ledger AS l (account, action, amount, why) VALUES (account_id, 'credit', $2, reason($3))
		RETURNING l.balance INTO after;
	RETURN QUERY SELECT format('%s %s %s ISK, balance %s', CASE WHEN $2 > 0 THEN 'credited' ELSE 'debited' END,
		handle($1), abs($2), after);
END
$$;

CREATE FUNCTION api.op_ledger(handle text)
RETURNS TABLE (at text, action text, amount int, balance int, pop text, tunnel text, why text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	account_id int := account_find($1);
BEGIN
	RETURN QUERY SELECT rfc3339(l.at), l.action, l.amount, l.balance, p.name, 'T' || l.tunnel, l.why
	FROM ledger l LEFT JOIN pop p ON p.id = l.pop WHERE l.account = account_id ORDER BY l.n;
END
$$;

-- With a PoP: the costs in force there (pop says which are its own); without: every row.
CREATE FUNCTION api.op_cost_list(of_pop text) RETURNS TABLE (action text, pop text, cost int, floor int)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	pop_id int;
BEGIN
	IF $1 IS NULL THEN
		RETURN QUERY SELECT c.action, p.name, c.amount, c.floor FROM cost c LEFT JOIN pop p ON p.id = c.pop
			ORDER BY c.action, p.name NULLS FIRST;
		RETURN;
	END IF;
	pop_id := pop_find($1);
	RETURN QUERY SELECT DISTINCT ON (c.action) c.action, p.name, c.amount, c.floor FROM cost c
		LEFT JOIN pop p ON p.id = c.pop
		WHERE c.pop IS NULL OR c.pop = pop_id ORDER BY c.action, c.pop NULLS LAST;
END
$$;

-- `cost` is what is added to the balance: -10 takes ten.
CREATE FUNCTION api.op_cost_set(action text, pop text, cost int, floor int) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	pop_id int;
	gain boolean := $1 IN ('signup', 'endpoint_week');
BEGIN
	IF NOT EXISTS (SELECT FROM cost c WHERE c.action = $1) THEN
		PERFORM refuse('BK002', 'There is no action %s.', $1);
	END IF;
	IF $2 IS NOT NULL THEN
		pop_id := pop_find($2);
	END IF;
	PERFORM demand(abs($3) <= 1000000 AND (gain AND $3 >= 0 OR NOT gain AND $3 <= 0), CASE WHEN gain
		THEN '%s is earned: give 0 to 1000000.' ELSE '%s is paid: give 0 to -1000000, as -10 for ten ISK.' END, $1);
	PERFORM demand($4 IS NULL OR $4 BETWEEN 0 AND 1000000, 'A floor is 0 to 1000000 ISK, or none.');
	PERFORM demand(NOT ($1 = 'signup' AND pop_id IS NOT NULL),
		'Signing up happens at no PoP: its cost is the same everywhere.');
	PERFORM demand($4 IS NULL OR $1 NOT IN ('signup', 'static_down_day', 'static_down_week', 'endpoint_week'),
		'%s cannot be refused, so it has no floor.', $1);
	INSERT INTO cost (action, pop, amount, floor) VALUES ($1, pop_id, $3, $4)
	ON CONFLICT ON CONSTRAINT cost_once DO UPDATE SET amount = excluded.amount, floor = excluded.floor;
	RETURN QUERY SELECT format('%s %s: %s ISK, floor %s', $1, coalesce('on ' || $2, 'by default'), $3,
		coalesce($4::text, 'none'));
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.op_credit(text, int, text), api.op_ledger(text), api.op_cost_list(text),
	api.op_cost_set(text, text, int, int)
	TO operator;
