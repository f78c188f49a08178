-- The daily ISK job judges days by what PoPs reported. A day on which a tunnel was probed and
-- answered is an up day, one on which it was probed and did not answer a down day. A day without
-- probes (the PoP was down or the tunnel disabled) costs nothing and interrupts no streak.

-- Counts one day into a tunnel's streak; returns the actions that are due, in order.
CREATE FUNCTION api.isk_judge(tunnel_id int, is_static boolean, answered boolean) RETURNS text[]
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	down_days int;
	up_days int;
BEGIN
	SELECT s.down_days, s.up_days INTO down_days, up_days FROM tunnel_streak s
	WHERE s.tunnel = tunnel_id;
	down_days := CASE WHEN is_static AND NOT answered THEN coalesce(down_days, 0) + 1 ELSE 0 END;
	up_days := CASE WHEN answered THEN coalesce(up_days, 0) + 1 ELSE 0 END;
	INSERT INTO tunnel_streak (tunnel, down_days, up_days)
	VALUES (tunnel_id, down_days % 7, up_days % 7)
	ON CONFLICT (tunnel) DO UPDATE SET down_days = excluded.down_days, up_days = excluded.up_days;
	RETURN CASE
		WHEN up_days = 7 THEN ARRAY['endpoint_week']
		WHEN down_days = 7 THEN ARRAY['static_down_day', 'static_down_week']
		WHEN down_days > 0 THEN ARRAY['static_down_day']
		ELSE '{}' END;
END
$$;

-- The reason that the ledger records.
CREATE FUNCTION api.isk_note(action text, day date) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = broker, pg_temp
RETURN CASE action
	WHEN 'static_down_day' THEN format('no answer on %s', day)
	WHEN 'static_down_week'
		THEN format('7 days without an answer, the last %s: the tunnel is disabled', day)
	ELSE format('7 days with an answer, the last %s', day) END;

-- Judges every day before `today` that PoPs reported on and that was not judged yet, oldest first,
-- and returns what was booked. The days judged are on record, so it may run at any time and any
-- number of times. It locks all accounts first, as the order of locks demands, and disables tunnels
-- last.
CREATE FUNCTION api.isk_daily(today date)
RETURNS TABLE (day date, handle text, tunnel int, action text, amount int, balance int, note text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	last_judged date;
	reported record;
	disabled_ids int[] := '{}';
BEGIN
	PERFORM demand(today IS NOT NULL, 'The daily job needs a date.');
	LOCK TABLE isk_day IN SHARE ROW EXCLUSIVE MODE; -- one job at a time
	SELECT coalesce(max(i.day), '-infinity') INTO last_judged FROM isk_day i;
	PERFORM FROM account a WHERE a.id IN (
			SELECT t.account FROM tunnel t JOIN tunnel_day d ON d.tunnel = t.id
			WHERE d.day < today AND d.day > last_judged AND d.sent > 0)
		ORDER BY a.id FOR NO KEY UPDATE;
	FOR reported IN
		SELECT d.day, d.received > 0 AS answered, t.id AS tunnel, t.type = 'static' AS is_static,
			t.account, t.pop, a.handle
		FROM tunnel_day d JOIN tunnel t ON t.id = d.tunnel JOIN account a ON a.id = t.account
		WHERE d.day < today AND d.day > last_judged AND d.sent > 0
			AND (t.admin_enabled OR d.received > 0)
		ORDER BY d.day, t.id
	LOOP
		CONTINUE WHEN reported.tunnel = ANY (disabled_ids) AND NOT reported.answered;
		FOREACH action IN ARRAY
			api.isk_judge(reported.tunnel, reported.is_static, reported.answered)
		LOOP
			day := reported.day;
			handle := reported.handle;
			tunnel := reported.tunnel;
			note := api.isk_note(action, reported.day);
			SELECT c.amount, c.balance INTO amount, balance FROM api.charge(reported.account,
				action, reported.pop, reported.tunnel, NULL, NULL, note) c;
			IF action = 'static_down_week' THEN
				disabled_ids := disabled_ids || reported.tunnel;
			END IF;
			RETURN NEXT;
		END LOOP;
	END LOOP;
	INSERT INTO isk_day (day)
	SELECT DISTINCT d.day FROM tunnel_day d WHERE d.day < today AND d.day > last_judged;
	UPDATE tunnel t SET admin_enabled = false WHERE t.id = ANY (disabled_ids);
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.isk_daily(date) TO ticd, operator;
