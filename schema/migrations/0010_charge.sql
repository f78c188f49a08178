-- A charge has one price and one floor: the ledger's trigger reads both from the cost table under
-- the account's lock, applies the floor and records it. What only doors call moves to schema/api,
-- where it can change without a migration.

DROP FUNCTION broker.charge(int, text, int, int, int, int, text), broker.price(int, int),
	broker.pool_taken(int, bigint, bigint), broker.pool_lowest(broker.pool), broker.pool_wake(int),
	broker.prefix_take(int, broker.pool_kind),
	broker.tunnel_create(int, int, broker.tunnel_type, inet), broker.subnet_create(int, int),
	broker.tunnel_hold(int, int), broker.tunnel_hold_own(int, int, int), broker.type_parse(text),
	broker.address_parse(text), broker.endpoint_check(broker.tunnel_type, inet, int),
	broker.tunnel_move(broker.tunnel, inet), broker.feed_prune();

-- An unknown name is an error: a rule that silently used NULL instead would prune or rest nothing.
CREATE OR REPLACE FUNCTION broker.setting_value(setting text) RETURNS int
LANGUAGE plpgsql STABLE
AS $$
DECLARE
	found_value int;
BEGIN
	SELECT s.value INTO found_value FROM broker.setting s WHERE s.name = setting_value.setting;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no setting "%"', setting_value.setting
			USING ERRCODE = 'no_data_found';
	END IF;
	RETURN found_value;
END
$$;

-- Locks an account's row until the transaction ends. Whatever spends takes this lock first, then
-- pool rows, then feed counters: one order, no deadlock.
CREATE OR REPLACE FUNCTION broker.account_lock(account int) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
	PERFORM FROM broker.account a WHERE a.id = account_lock.account FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		PERFORM broker.refuse('BK002', 'There is no account with the number %s.',
			coalesce(account_lock.account::text, 'NULL'));
	END IF;
END
$$;

-- An action as the subject of a sentence: "<Moving an endpoint> needs a balance of ...".
CREATE FUNCTION broker.action_subject(action text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE action
	WHEN 'tunnel_request' THEN 'A tunnel request'
	WHEN 'tunnel_approve' THEN 'The approval of a tunnel'
	WHEN 'subnet_request' THEN 'A subnet request'
	WHEN 'subnet_approve' THEN 'The approval of a subnet'
	WHEN 'ns_add' THEN 'A name server'
	WHEN 'ns_remove' THEN 'Removing a name server'
	WHEN 'endpoint_move' THEN 'Moving an endpoint'
	WHEN 'type_change' THEN 'Changing the type of a tunnel'
	WHEN 'tunnel_delete' THEN 'Deleting a tunnel'
	WHEN 'subnet_delete' THEN 'Deleting a subnet'
	ELSE 'The action ' || action END;

-- The one place that decides a floor: fills in what follows from the row before, the price unless
-- the row brings its amount, and always the floor. A request may not lead into debt, so its floor
-- is at least its price. A value that contradicts the row before is left to the constraints.
CREATE OR REPLACE FUNCTION broker.ledger_append() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
	newest record;
	cost record;
BEGIN
	PERFORM broker.account_lock(NEW.account);
	SELECT l.n, l.balance INTO newest FROM broker.ledger l
	WHERE l.account = NEW.account ORDER BY l.n DESC LIMIT 1;
	SELECT c.amount, c.floor INTO cost FROM broker.cost_of(NEW.action, NEW.pop) c;
	NEW.n := coalesce(NEW.n, newest.n + 1, 1);
	NEW.amount := coalesce(NEW.amount, cost.amount);
	NEW.previous := coalesce(NEW.previous, newest.balance, 0);
	NEW.balance := coalesce(NEW.balance, NEW.previous + NEW.amount);
	NEW.floor := CASE WHEN NEW.action IN ('tunnel_request', 'subnet_request', 'ns_add')
		THEN greatest(cost.floor, -NEW.amount) ELSE cost.floor END;
	IF NEW.previous < NEW.floor THEN
		RAISE EXCEPTION USING ERRCODE = 'BK004', CONSTRAINT = 'ledger_floor',
			MESSAGE = format('%s needs a balance of %s ISK and %s has %s.',
				broker.action_subject(NEW.action), NEW.floor,
				(SELECT a.handle FROM broker.account a WHERE a.id = NEW.account), NEW.previous);
	END IF;
	RETURN NEW;
END
$$;

-- Locks the counters in PoP order, numbers the changes and wakes the PoPs when the transaction
-- commits.
CREATE OR REPLACE FUNCTION broker.feed_record(pops int[], tunnels int[]) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
	changed record;
	last_seq bigint;
BEGIN
	FOR changed IN SELECT u.pop, array_agg(DISTINCT u.tunnel) AS tunnels
		FROM unnest(feed_record.pops, feed_record.tunnels) AS u (pop, tunnel)
		GROUP BY u.pop ORDER BY u.pop
	LOOP
		UPDATE broker.feed f SET seq = f.seq + cardinality(changed.tunnels)
		WHERE f.pop = changed.pop RETURNING f.seq INTO STRICT last_seq;
		INSERT INTO broker.change AS c (pop, tunnel, seq)
		SELECT changed.pop, u.tunnel, last_seq - cardinality(changed.tunnels) + u.n
		FROM unnest(changed.tunnels) WITH ORDINALITY AS u (tunnel, n)
		ON CONFLICT (pop, tunnel) DO UPDATE SET seq = excluded.seq, at = excluded.at;
		PERFORM pg_notify('feed_' || p.name, last_seq::text) FROM broker.pop p
		WHERE p.id = changed.pop;
	END LOOP;
END
$$;

ALTER TYPE broker.measured RENAME TO measurement;

UPDATE broker.setting SET about = CASE name
	WHEN 'pop_silence_seconds' THEN 'seconds without a report after which a PoP is down'
	WHEN 'feed_keep_days'
		THEN 'days the feed keeps a change; a PoP further behind reloads everything'
	WHEN 'login_keep_days' THEN 'days the record of a login is kept'
	WHEN 'statistics_batch_keep_days'
		THEN 'days a batch of statistics that is sent again is recognised'
	WHEN 'sample_keep_days' THEN 'days quarter-hour samples are kept; daily sums stay'
	WHEN 'drop_keep_days' THEN 'days drops are kept by reason; their daily sums stay'
	ELSE about END;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA broker FROM PUBLIC;
