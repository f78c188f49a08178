-- Deletes what is older than the settings say it is kept. Nothing depends on when this runs; it
-- judges and charges nothing.

-- Deletes old changes; a PoP that is behind them has to reload.
CREATE FUNCTION api.feed_prune() RETURNS bigint
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	oldest_kept timestamptz := now() - make_interval(days => setting_value('feed_keep_days'));
	pop_changes record;
	pop_deleted bigint;
	deleted bigint := 0;
BEGIN
	FOR pop_changes IN SELECT c.pop, max(c.seq) AS seq FROM change c
		WHERE c.at < oldest_kept GROUP BY c.pop ORDER BY c.pop
	LOOP
		UPDATE feed f SET pruned = greatest(f.pruned, pop_changes.seq)
		WHERE f.pop = pop_changes.pop;
		DELETE FROM change c WHERE c.pop = pop_changes.pop AND c.seq <= pop_changes.seq;
		GET DIAGNOSTICS pop_deleted = ROW_COUNT;
		deleted := deleted + pop_deleted;
	END LOOP;
	RETURN deleted;
END
$$;

-- Deletes the rows of a table whose `time_column` is before what the setting keeps; returns their
-- number. Days are UTC. A row that somebody holds locked is left to the next run: a PoP whose
-- transaction stays open holds up nobody.
CREATE FUNCTION api.table_prune(table_name text, time_column text, setting text) RETURNS bigint
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	deleted bigint;
BEGIN
	EXECUTE format('DELETE FROM %1$I WHERE ctid = ANY (ARRAY(SELECT ctid FROM %1$I '
		'WHERE %2$I < %3$s - make_interval(days => $1) FOR UPDATE SKIP LOCKED))', table_name,
		time_column, CASE time_column WHEN 'day' THEN '(now() AT TIME ZONE ''UTC'')::date'
			ELSE 'now()' END)
		USING setting_value(setting);
	GET DIAGNOSTICS deleted = ROW_COUNT;
	RETURN deleted;
END
$$;

-- Deletes the buckets that are full again, which are as good as none. One that a login holds is left
-- for the next time: waiting for several could deadlock.
CREATE FUNCTION api.login_bucket_prune() RETURNS bigint
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	deleted bigint;
BEGIN
	WITH full_again AS (
		SELECT b.account, b.login_tunnel, b.tunnel FROM login_bucket b
		WHERE b.full_at <= now() FOR UPDATE SKIP LOCKED
	)
	DELETE FROM login_bucket b USING full_again f
	WHERE (b.account, b.login_tunnel, b.tunnel) = (f.account, f.login_tunnel, f.tunnel);
	GET DIAGNOSTICS deleted = ROW_COUNT;
	RETURN deleted;
END
$$;

-- Returns what was deleted: a row for each kind of record of which there was any.
CREATE FUNCTION api.prune() RETURNS TABLE (record text, deleted bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT p.record, p.deleted FROM (VALUES
		('change of the feed', api.feed_prune()),
		('statistics batch',
			api.table_prune('statistics_batch', 'at', 'statistics_batch_keep_days')),
		('login', api.table_prune('login', 'at', 'login_keep_days')),
		('full bucket of logins', api.login_bucket_prune()),
		('sample of a tunnel', api.table_prune('tunnel_sample', 'at', 'sample_keep_days')),
		('sample of a PoP', api.table_prune('pop_sample', 'at', 'sample_keep_days')),
		('drops of a tunnel by day and reason',
			api.table_prune('tunnel_drop', 'day', 'drop_keep_days')),
		('drops of a PoP by day and reason',
			api.table_prune('pop_drop', 'day', 'drop_keep_days'))
	) p (record, deleted) WHERE p.deleted > 0;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.prune() TO ticd, operator;
