-- What of this database's roles, grants and settings is not as the broker needs it. Each row is a
-- subject and a sentence; no row, nothing is missing.

-- The roles that programs work as.
CREATE FUNCTION api.check_actors() RETURNS TABLE (name text, role_id oid)
LANGUAGE sql STABLE
SET search_path = broker, pg_temp
AS $$
	SELECT n.name, r.oid FROM (
		SELECT unnest(ARRAY['ticd', 'webd', 'operator', 'popd']) UNION ALL
		SELECT 'popd_' || p.name FROM pop p) n (name)
	JOIN pg_roles r ON r.rolname = n.name
$$;

-- What only a superuser can set up (superuser.sql).
CREATE FUNCTION api.check_superuser() RETURNS TABLE (subject text, finding text)
LANGUAGE sql STABLE
SET search_path = broker, pg_temp
AS $$
	SELECT 'superuser.sql', 'a superuser has not run it in this database: log-ins of PoPs are made '
		'by hand, and what only a superuser can close is open'
	WHERE NOT api.can_make_roles()
	UNION ALL
	SELECT 'database', format('its owner %s %s', r.rolname, CASE WHEN r.rolsuper
		THEN 'is a superuser: every door runs with all rights'
		ELSE 'may create roles, and so run programs on the server: run superuser.sql' END)
	FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba
	WHERE d.datname = current_database() AND (r.rolsuper OR r.rolcreaterole)
	UNION ALL
	SELECT r.rolname, 'can log in, is a superuser or has members: nobody may become it'
	FROM pg_roles r WHERE r.rolname IN ('broker_roles', 'broker_names')
		AND (r.rolcanlogin OR r.rolsuper
			OR EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = r.oid))
	UNION ALL
	SELECT a.name, format('may call %s: run superuser.sql', string_agg(DISTINCT CASE
		WHEN p.proname ~ 'advisory' THEN 'the functions of advisory locks'
		WHEN p.proname ~ 'backend' THEN 'the functions that end sessions'
		ELSE 'the functions of large objects' END, ', '))
	FROM api.check_actors() a JOIN pg_proc p ON has_function_privilege(a.role_id, p.oid, 'EXECUTE')
	WHERE p.pronamespace = 'pg_catalog'::regnamespace AND (p.proname ~ '^(lo_|pg_(try_)?advisory_)'
		OR p.proname IN ('loread', 'lowrite', 'pg_terminate_backend', 'pg_cancel_backend'))
	GROUP BY a.name
$$;

CREATE FUNCTION api.check_roles() RETURNS TABLE (subject text, finding text)
LANGUAGE sql STABLE
SET search_path = broker, pg_temp
AS $$
	SELECT n.name, 'the role does not exist' FROM (
		SELECT unnest(ARRAY['ticd', 'webd', 'operator', 'popd']) UNION ALL
		SELECT 'popd_' || p.name FROM pop p WHERE NOT p.shared_login) n (name)
	WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = n.name)
	UNION ALL
	SELECT a.name, format('is %s: it needs no such right', concat_ws(' and ',
		CASE WHEN r.rolsuper THEN 'a superuser' END,
		CASE WHEN r.rolcreaterole THEN 'allowed to create roles' END,
		CASE WHEN r.rolcreatedb THEN 'allowed to create databases' END,
		CASE WHEN r.rolreplication THEN 'allowed to replicate' END,
		CASE WHEN r.rolbypassrls THEN 'allowed to bypass row security' END))
	FROM api.check_actors() a JOIN pg_roles r ON r.oid = a.role_id
	WHERE r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls
	UNION ALL
	SELECT a.name, 'cannot log in' FROM api.check_actors() a JOIN pg_roles r ON r.oid = a.role_id
	WHERE NOT r.rolcanlogin AND a.name <> 'popd'
	UNION ALL
	SELECT a.name, CASE WHEN r.rolconnlimit < 0 THEN 'may open any number of connections'
		ELSE format('may open %s connections, not 5', r.rolconnlimit) END
	FROM api.check_actors() a JOIN pg_roles r ON r.oid = a.role_id
	WHERE a.name LIKE 'popd\_%' AND r.rolconnlimit <> 5
	UNION ALL
	SELECT a.name, 'is no member of popd: none of its doors is open to it' FROM api.check_actors() a
	WHERE a.name LIKE 'popd\_%' AND NOT pg_has_role(a.role_id, 'popd', 'USAGE')
	UNION ALL
	SELECT a.name, format('is a member of %s: it may become that role', r.rolname)
	FROM api.check_actors() a JOIN pg_auth_members m ON m.member = a.role_id
	JOIN pg_roles r ON r.oid = m.roleid
	WHERE NOT (a.name LIKE 'popd\_%' AND r.rolname = 'popd')
	UNION ALL
	SELECT a.name, 'has changed its own settings: "ticctl pop secret" puts them back'
	FROM api.check_actors() a
	WHERE a.name LIKE 'popd\_%' AND api.can_make_roles() AND NOT EXISTS (
		SELECT FROM pg_db_role_setting s WHERE s.setrole = a.role_id AND s.setdatabase = 0
			AND s.setconfig @> ARRAY['idle_in_transaction_session_timeout=1min',
				'tcp_keepalives_idle=60', 'tcp_keepalives_interval=10',
				'tcp_keepalives_count=3', 'temp_file_limit=64MB'])
	UNION ALL
	SELECT 'popd', 'has settings of its own, which a PoP may have made for others: run '
		'"ALTER ROLE popd RESET ALL" as a superuser'
	WHERE EXISTS (SELECT FROM pg_db_role_setting s WHERE s.setrole = to_regrole('popd'))
	UNION ALL
	SELECT 'popd', coalesce('can log in, since these PoPs have no log-in of their own yet '
		'("ticctl pop secret"): '
		|| (SELECT string_agg(p.name, ', ' ORDER BY p.name) FROM pop p WHERE p.shared_login),
		'can log in, which no PoP needs')
	FROM pg_roles r WHERE r.rolname = 'popd' AND r.rolcanlogin
$$;

-- Each role may call its doors and has no other right.
CREATE FUNCTION api.check_grants() RETURNS TABLE (subject text, finding text)
LANGUAGE sql STABLE
SET search_path = broker, pg_temp
AS $$
	SELECT a.name, format('may %s call %s', CASE WHEN d.is_own THEN 'not' ELSE 'also' END,
		string_agg(d.proname, ', ' ORDER BY d.proname))
	FROM api.check_actors() a CROSS JOIN LATERAL (
		SELECT p.oid, p.proname, split_part(p.proname, '_', 1) = CASE WHEN a.name LIKE 'popd%'
				THEN 'popd' WHEN a.name = 'ticd' THEN 'tic' WHEN a.name = 'webd' THEN 'web' ELSE 'op' END
			OR p.proname IN ('isk_daily', 'prune') AND a.name IN ('ticd', 'operator') AS is_own
		FROM pg_proc p WHERE p.pronamespace IN ('api'::regnamespace, 'broker'::regnamespace)) d
	WHERE has_function_privilege(a.role_id, d.oid, 'EXECUTE') <> d.is_own
	GROUP BY a.name, d.is_own
	UNION ALL
	SELECT a.name, 'may not use the schema api' FROM api.check_actors() a
	WHERE NOT has_schema_privilege(a.role_id, 'api', 'USAGE')
	UNION ALL
	SELECT a.name, format('has rights on %s', string_agg('broker.' || c.relname, ', '))
	FROM api.check_actors() a JOIN pg_class c ON c.relnamespace = 'broker'::regnamespace
	WHERE c.relkind IN ('r', 'v') AND has_table_privilege(a.role_id, c.oid,
		'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
	GROUP BY a.name
	UNION ALL
	SELECT a.name, 'may make temporary tables: run "ticctl migrate"' FROM api.check_actors() a
	WHERE has_database_privilege(a.role_id, current_database(), 'TEMPORARY')
	UNION ALL
	SELECT a.name, format('may create objects in schema %s', n.nspname)
	FROM api.check_actors() a JOIN pg_namespace n ON has_schema_privilege(a.role_id, n.oid, 'CREATE')
	WHERE n.nspname IN ('api', 'broker', 'broker_roles', 'public')
	UNION ALL
	SELECT a.name, 'may create schemas' FROM api.check_actors() a
	WHERE has_database_privilege(a.role_id, current_database(), 'CREATE')
$$;

-- Settings of the server that a commit and the rules stand on.
CREATE FUNCTION api.check_settings() RETURNS TABLE (subject text, finding text)
LANGUAGE sql STABLE
SET search_path = broker, pg_temp
AS $$
	SELECT s.name, format('is %s: %s', current_setting(s.name), s.why)
	FROM (VALUES
		('fsync', ARRAY['on'], 'a crash of the machine may destroy the database'),
		('full_page_writes', ARRAY['on'], 'a crash of the machine may destroy the database'),
		('synchronous_commit', ARRAY['on', 'local', 'remote_write', 'remote_apply'],
			'a crash may lose bookings that were acknowledged'),
		('session_replication_role', ARRAY['origin'], 'the rules in triggers are off'),
		('default_transaction_isolation', ARRAY['read committed'],
			'the doors are written for read committed'),
		('default_transaction_read_only', ARRAY['off'], 'nothing can be changed'),
		('max_prepared_transactions', ARRAY['0'],
			'a PoP could prepare a transaction whose locks outlive its session'),
		('track_activities', ARRAY['on'], 'transactions that PoPs leave open are not seen')
		) s (name, good, why)
	WHERE current_setting(s.name) <> ALL (s.good)
	UNION ALL
	SELECT 'broker.' || c.relname, format('its trigger %s is disabled', t.tgname)
	FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
	WHERE c.relnamespace = 'broker'::regnamespace AND t.tgenabled <> 'O'
$$;

-- The PoPs whose log-in has had a transaction open for more than 2 seconds. Only where superuser.sql
-- was run does the owner see those.
CREATE FUNCTION api.check_transactions() RETURNS TABLE (subject text, finding text)
LANGUAGE plpgsql STABLE
SET search_path = broker, pg_temp
AS $$
BEGIN
	IF api.can_make_roles() THEN
		RETURN QUERY SELECT t.role_name, format('has had a transaction open for %s s: restart its '
				'popd, or end its sessions with "ticctl pop secret"',
				extract(epoch FROM t.open_for)::int)
			FROM broker_roles.pop_transactions() t WHERE t.open_for > interval '2 seconds';
	END IF;
END
$$;

CREATE FUNCTION api.op_check() RETURNS TABLE (subject text, finding text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT * FROM (
		SELECT * FROM api.check_superuser() UNION ALL SELECT * FROM api.check_roles() UNION ALL
		SELECT * FROM api.check_grants() UNION ALL SELECT * FROM api.check_settings() UNION ALL
		SELECT * FROM api.check_transactions()) f (subject, finding)
	ORDER BY f.subject, f.finding
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.op_check() TO operator;
