-- The ledger and the cost table, for the operator.

CREATE FUNCTION api.op_credit(account_handle text, amount int, note text)
RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	account_id int := account_find(account_handle);
	new_balance int;
BEGIN
	PERFORM demand(amount <> 0 AND amount BETWEEN -1000000 AND 1000000,
		'A credit is an amount from -1000000 to 1000000 ISK that is not 0.');
	PERFORM demand(reason(note) <> '', 'A credit needs a reason.');
	INSERT INTO ledger AS l (account, action, amount, why)
	VALUES (account_id, 'credit', op_credit.amount, reason(note))
	RETURNING l.balance INTO new_balance;
	RETURN QUERY SELECT format('%s %s %s ISK, balance %s',
		CASE WHEN amount > 0 THEN 'credited' ELSE 'debited' END, handle(account_handle),
		abs(amount), new_balance);
END
$$;

CREATE FUNCTION api.op_ledger(account_handle text)
RETURNS TABLE (at text, action text, amount int, balance int, pop text, tunnel text, why text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	account_id int := account_find(account_handle);
BEGIN
	RETURN QUERY SELECT rfc3339(l.at), l.action, l.amount, l.balance, p.name, 'T' || l.tunnel, l.why
	FROM ledger l LEFT JOIN pop p ON p.id = l.pop WHERE l.account = account_id ORDER BY l.n;
END
$$;

-- With a PoP: the costs in force there, `pop` naming those that are its own. Without: every row.
CREATE FUNCTION api.op_cost_list(pop_name text)
RETURNS TABLE (action text, pop text, cost int, floor int)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	pop_id int;
BEGIN
	IF pop_name IS NULL THEN
		RETURN QUERY SELECT c.action, p.name, c.amount, c.floor
		FROM cost c LEFT JOIN pop p ON p.id = c.pop ORDER BY c.action, p.name NULLS FIRST;
		RETURN;
	END IF;
	pop_id := pop_find(pop_name);
	RETURN QUERY SELECT DISTINCT ON (c.action) c.action, p.name, c.amount, c.floor
	FROM cost c LEFT JOIN pop p ON p.id = c.pop
	WHERE c.pop IS NULL OR c.pop = pop_id ORDER BY c.action, c.pop NULLS LAST;
END
$$;

-- `cost` is added to the balance: -10 takes ten.
CREATE FUNCTION api.op_cost_set(action text, pop_name text, cost int, floor int)
RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	pop_id int;
BEGIN
	IF NOT EXISTS (SELECT FROM cost c WHERE c.action = op_cost_set.action) THEN
		PERFORM refuse('BK002', 'There is no action %s.', op_cost_set.action);
	END IF;
	IF pop_name IS NOT NULL THEN
		pop_id := pop_find(pop_name);
	END IF;
	IF op_cost_set.action IN ('signup', 'endpoint_week') THEN
		PERFORM demand(op_cost_set.cost BETWEEN 0 AND 1000000,
			'%s adds to the balance: its cost is 0 to 1000000.', op_cost_set.action);
	ELSE
		PERFORM demand(op_cost_set.cost BETWEEN -1000000 AND 0,
			'%s takes from the balance: its cost is -1000000 to 0, such as -10 for ten ISK.',
			op_cost_set.action);
	END IF;
	PERFORM demand(op_cost_set.floor IS NULL OR op_cost_set.floor BETWEEN 0 AND 1000000,
		'A floor is 0 to 1000000 ISK, or none.');
	PERFORM demand(op_cost_set.action <> 'signup' OR pop_id IS NULL,
		'A signup belongs to no PoP: its cost is set for the whole broker.');
	PERFORM demand(op_cost_set.floor IS NULL OR op_cost_set.action NOT IN
		('signup', 'static_down_day', 'static_down_week', 'endpoint_week'),
		'%s cannot be refused, so it has no floor.', op_cost_set.action);
	INSERT INTO cost (action, pop, amount, floor)
	VALUES (op_cost_set.action, pop_id, op_cost_set.cost, op_cost_set.floor)
	ON CONFLICT ON CONSTRAINT cost_once
	DO UPDATE SET amount = excluded.amount, floor = excluded.floor;
	RETURN QUERY SELECT format('%s %s: %s ISK, floor %s', op_cost_set.action,
		coalesce('on ' || pop_name, 'by default'), op_cost_set.cost,
		coalesce(op_cost_set.floor::text, 'none'));
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.op_credit(text, int, text), api.op_ledger(text),
	api.op_cost_list(text), api.op_cost_set(text, text, int, int) TO operator;
