-- ISK, the broker's currency. One row an event, numbered from 1 in each account, each row carrying the balance after
-- it. That the balance is the sum of the amounts is proved by constraints alone, with no trust in any function:
--   n is unique in the account and, by the foreign key, row n needs row n-1: no gap, no branch;
--   `previous` is, by the same key, the balance of row n-1 (0 for the first); `balance` is previous + amount by check.
-- Rows are never changed and never go: triggers refuse UPDATE, DELETE and TRUNCATE, for the owner too.
-- The account holds no balance of its own: the newest row is the balance.

CREATE TABLE broker.ledger (
	account    int NOT NULL REFERENCES broker.account,
	n          int NOT NULL CHECK (n >= 1),
	at         timestamptz NOT NULL DEFAULT now(),
	action     text NOT NULL CHECK (action IN ('signup', 'credit', 'tunnel_request', 'tunnel_approve', 'subnet_request',
		'subnet_approve', 'ns_add', 'ns_remove', 'endpoint_move', 'type_change', 'tunnel_delete', 'subnet_delete',
		'static_down_day', 'static_down_week', 'endpoint_week')),
	amount     int NOT NULL CHECK (abs(amount) <= 1000000),
	previous   int NOT NULL,
	balance    int NOT NULL CHECK (abs(balance) <= 1000000000),
	floor      int,
	-- What the event was about; kept when the thing itself is gone, hence no foreign keys.
	pop        int,
	tunnel     int,
	subnet     int,
	request    int,
	why        text NOT NULL DEFAULT '' CHECK (broker.is_line(why, 500)),
	n_before   int GENERATED ALWAYS AS (nullif(n - 1, 0)) STORED,
	PRIMARY KEY (account, n),
	CONSTRAINT ledger_link UNIQUE (account, n, balance),
	CONSTRAINT ledger_chain FOREIGN KEY (account, n_before, previous) REFERENCES broker.ledger (account, n, balance),
	CONSTRAINT ledger_start CHECK (n > 1 OR previous = 0),
	CONSTRAINT ledger_sum CHECK (balance = previous + amount),
	CONSTRAINT ledger_floor CHECK (floor IS NULL OR previous >= floor),
	CONSTRAINT ledger_request_in_credit CHECK (action NOT IN ('tunnel_request', 'subnet_request', 'ns_add')
		OR balance >= 0)
);

CREATE FUNCTION broker.account_balance(account int) RETURNS int
LANGUAGE sql STABLE
RETURN coalesce((SELECT l.balance FROM broker.ledger l
	WHERE l.account = account_balance.account ORDER BY l.n DESC LIMIT 1), 0);

-- Everything that spends takes the account's row lock first, then PoP rows: one order, no deadlock.
CREATE FUNCTION broker.account_lock(account int) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
	PERFORM FROM broker.account a WHERE a.id = account_lock.account FOR NO KEY UPDATE;
END
$$;

-- Fills in what follows from the row before (a value given wrong is left to the constraints to refuse) and always
-- decides the floor itself, from the cost table.
CREATE FUNCTION broker.ledger_append() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
	last_n int;
	last_balance int;
BEGIN
	PERFORM broker.account_lock(NEW.account);
	SELECT l.n, l.balance INTO last_n, last_balance FROM broker.ledger l
	WHERE l.account = NEW.account ORDER BY l.n DESC LIMIT 1;
	NEW.n := coalesce(NEW.n, last_n + 1, 1);
	NEW.previous := coalesce(NEW.previous, last_balance, 0);
	NEW.balance := coalesce(NEW.balance, NEW.previous + NEW.amount);
	NEW.floor := (broker.cost_of(NEW.action, NEW.pop)).floor;
	RETURN NEW;
END
$$;
CREATE TRIGGER ledger_append BEFORE INSERT ON broker.ledger FOR EACH ROW EXECUTE FUNCTION broker.ledger_append();

CREATE FUNCTION broker.ledger_keep() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
	RAISE EXCEPTION 'the ledger is append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER ledger_keep BEFORE UPDATE OR DELETE ON broker.ledger FOR EACH ROW EXECUTE FUNCTION broker.ledger_keep();
CREATE TRIGGER ledger_keep_all BEFORE TRUNCATE ON broker.ledger FOR EACH STATEMENT
	EXECUTE FUNCTION broker.ledger_keep();

-- Writes what an action costs here and now; returns the amount and the balance after it. Refuses with BK004 below the
-- floor.
CREATE FUNCTION broker.charge(account int, action text, pop int, tunnel int, subnet int, request int, why text,
	OUT amount int, OUT balance int)
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
	before int;
	needed int;
	thing text := CASE action
		WHEN 'tunnel_request' THEN 'A tunnel request'
		WHEN 'subnet_request' THEN 'A subnet request'
		WHEN 'ns_add' THEN 'A name server'
		ELSE 'The action ' || action END;
BEGIN
	PERFORM broker.account_lock(account);
	before := broker.account_balance(account);
	SELECT c.amount, c.floor INTO amount, needed FROM broker.cost_of(action, pop) c;
	IF action IN ('tunnel_request', 'subnet_request', 'ns_add') THEN
		needed := greatest(needed, -amount);
	END IF;
	IF before < needed THEN
		PERFORM broker.refuse('BK004', '%s needs a balance of %s ISK and %s has %s.', thing, needed::text,
			(SELECT a.handle FROM broker.account a WHERE a.id = account), before::text);
	END IF;
	INSERT INTO broker.ledger AS l (account, action, amount, pop, tunnel, subnet, request, why)
	VALUES (account, action, amount, pop, tunnel, subnet, request, coalesce(why, ''))
	RETURNING l.balance INTO balance;
END
$$;

-- The ledger is as long as the broker is old; what a person did with it in words: "5 ISK, balance 10".
CREATE FUNCTION broker.price(amount int, balance int) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN format('%s ISK, balance %s', abs(amount), balance);

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA broker FROM PUBLIC;
