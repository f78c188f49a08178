-- The daily ISK job. Liveness is what PoPs reported: a day on which a tunnel was probed and answered is an up day,
-- probed without any answer a down day; a day without probes (the PoP was down, the tunnel not up) is no day at all: it
-- breaks no row of days and costs nothing.

-- One tunnel and one day: moves its streak on, and returns the actions that follow, in order.
CREATE FUNCTION api.isk_judge(tunnel int, static boolean, answered boolean) RETURNS text[]
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	down int;
	up int;
BEGIN
	SELECT s.down_days, s.up_days INTO down, up FROM tunnel_streak s WHERE s.tunnel = tunnel;
	down := CASE WHEN static AND NOT answered THEN coalesce(down, 0) + 1 ELSE 0 END;
	up := CASE WHEN answered THEN coalesce(up, 0) + 1 ELSE 0 END;
	INSERT INTO tunnel_streak AS s (tunnel, down_days, up_days) VALUES (tunnel, down % 7, up % 7)
	ON CONFLICT ON CONSTRAINT tunnel_streak_pkey DO UPDATE SET down_days = excluded.down_days,
		up_days = excluded.up_days;
	RETURN CASE
		WHEN up = 7 THEN ARRAY['endpoint_week']
		WHEN down = 7 THEN ARRAY['static_down_day', 'static_down_week']
		WHEN down > 0 THEN ARRAY['static_down_day']
		ELSE '{}' END;
END
$$;

CREATE FUNCTION api.isk_note(action text, day date) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE action
	WHEN 'static_down_day' THEN format('no answer on %s', day)
	WHEN 'static_down_week' THEN format('no answer for 7 days up to %s, the tunnel is disabled', day)
	ELSE format('answered on 7 days up to %s', day) END;

-- Every day before `today` that PoPs reported on and the job has not done, oldest first. Days done are on record, so it
-- may run at any time and any number of times. Accounts are locked before anything else (see the order of locks),
-- tunnels disabled as the last thing.
CREATE FUNCTION api.isk_daily(today date)
RETURNS TABLE (day date, handle text, tunnel int, action text, amount int, balance int, note text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	done date;
	it record;
	disabled int[] := '{}';
BEGIN
	IF today IS NULL THEN
		PERFORM refuse('BK003', 'The daily job needs a date.');
	END IF;
	PERFORM pg_advisory_xact_lock(hashtext('broker.isk_daily'));
	SELECT max(i.day) INTO done FROM isk_day i;
	PERFORM FROM account a WHERE a.id IN (SELECT t.account FROM tunnel t JOIN tunnel_day d ON d.tunnel = t.id
			WHERE d.day < today AND d.sent > 0 AND (done IS NULL OR d.day > done))
		ORDER BY a.id FOR NO KEY UPDATE;
	FOR it IN
		SELECT d.day, d.received > 0 AS answered, t.id, t.type = 'static' AS static, t.account, t.pop, a.handle
		FROM tunnel_day d JOIN tunnel t ON t.id = d.tunnel JOIN account a ON a.id = t.account
		WHERE d.day < today AND d.sent > 0 AND (done IS NULL OR d.day > done)
			AND (t.admin_enabled OR d.received > 0)
		ORDER BY d.day, t.id
	LOOP
		CONTINUE WHEN it.id = ANY (disabled) AND NOT it.answered;
		FOREACH action IN ARRAY api.isk_judge(it.id, it.static, it.answered) LOOP
			day := it.day;
			handle := it.handle;
			tunnel := it.id;
			note := api.isk_note(action, it.day);
			SELECT c.amount, c.balance INTO amount, balance
				FROM charge(it.account, action, it.pop, it.id, NULL, NULL, note) c;
			IF action = 'static_down_week' THEN
				disabled := disabled || it.id;
			END IF;
			RETURN NEXT;
		END LOOP;
	END LOOP;
	INSERT INTO isk_day (day)
	SELECT DISTINCT d.day FROM tunnel_day d WHERE d.day < today AND (done IS NULL OR d.day > done);
	UPDATE tunnel t SET admin_enabled = false WHERE t.id = ANY (disabled);
	PERFORM feed_prune();
	PERFORM api.statistics_prune();
	DELETE FROM statistics_batch b
		WHERE b.at < now() - make_interval(days => setting_value('statistics_batch_keep_days'));
	DELETE FROM login l WHERE l.at < now() - make_interval(days => setting_value('login_keep_days'));
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.isk_daily(date) TO ticd, operator;
