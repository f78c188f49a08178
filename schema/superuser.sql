-- What only a superuser can set up, in the broker's database: once before the first
-- `ticctl migrate`, and again after the database was restored from a backup.
--
--     psql -d broker -f superuser.sql
--
-- It may run any number of times. It takes nothing from a broker that runs.
--
--   1. The roles of the doors, so that the owner of the database needs no right to create roles;
--      that right is taken from it, since on PostgreSQL 15 whoever has it can run programs on the
--      server (by granting itself pg_execute_server_program).
--   2. The role broker_roles, without log-in and without members, and its functions, which make,
--      alter and drop the log-in roles of PoPs: popd_ and the name of a PoP, nothing else. Only the
--      database's owner may call them.
--   3. What every role of a cluster may do, and no role of the broker needs: advisory locks, large
--      objects, temporary tables, ending the sessions of others.

BEGIN;
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL client_min_messages = warning;

-- 1. Roles

DO $$
DECLARE
	role_name text;
	owner_name text := (SELECT pg_get_userbyid(d.datdba) FROM pg_database d
		WHERE d.datname = current_database());
BEGIN
	IF NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
		RAISE EXCEPTION 'superuser.sql must be run by a superuser, and % is none', current_user;
	END IF;
	FOREACH role_name IN ARRAY ARRAY['ticd', 'webd', 'operator', 'popd', 'broker_roles',
		'broker_names'] LOOP
		IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role_name) THEN
			EXECUTE format('CREATE ROLE %I %s', role_name,
				CASE WHEN role_name IN ('ticd', 'webd', 'operator') THEN 'LOGIN'
					ELSE 'NOLOGIN' END);
		END IF;
	END LOOP;
	FOR role_name IN SELECT m.member::regrole::text FROM pg_auth_members m
		WHERE m.roleid IN ('broker_roles'::regrole, 'broker_names'::regrole) LOOP
		EXECUTE format('REVOKE broker_roles, broker_names FROM %s', role_name);
	END LOOP;
	IF NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = owner_name) THEN
		EXECUTE format('ALTER ROLE %I NOCREATEROLE', owner_name);
	END IF;
END
$$;
ALTER ROLE broker_roles NOLOGIN NOSUPERUSER NOCREATEDB NOREPLICATION NOBYPASSRLS CREATEROLE;
ALTER ROLE broker_names NOLOGIN NOSUPERUSER NOCREATEDB NOREPLICATION NOBYPASSRLS NOCREATEROLE;
GRANT pg_signal_backend, pg_read_all_stats TO broker_roles;
GRANT SET ON PARAMETER temp_file_limit TO broker_roles;

-- 2. The log-ins of PoPs

DROP SCHEMA IF EXISTS broker_roles CASCADE;
CREATE SCHEMA broker_roles;

-- True for the name of a PoP. The table belongs to the database's owner, who could put a view with
-- functions of its own in its place: those would run as this function's owner, hence as a role that
-- has no other right than to read the table.
CREATE FUNCTION broker_roles.is_pop(pop_name text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN EXISTS (SELECT FROM broker.pop p WHERE p.name = pop_name);
END
$$;

-- The role of a PoP; refuses any other name.
CREATE FUNCTION broker_roles.role_of(pop_name text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF pop_name !~ '^[a-z][a-z0-9]{1,31}$' OR NOT broker_roles.is_pop(pop_name) THEN
		RAISE EXCEPTION 'there is no PoP %', pop_name USING ERRCODE = 'BK002';
	END IF;
	RETURN 'popd_' || pop_name;
END
$$;

-- Ends the sessions of a role; returns their number. The server shows a transaction the same sessions
-- again and again until it is asked to look anew.
CREATE FUNCTION broker_roles.sessions_end(role_name text) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM pg_stat_clear_snapshot();
	RETURN (SELECT count(*) FILTER (WHERE pg_terminate_backend(a.pid)) FROM pg_stat_activity a
		WHERE a.usename = sessions_end.role_name AND a.pid <> pg_backend_pid());
END
$$;

-- Runs statements that change a role, of whose sessions none may be in the way: a role may alter
-- itself, and holds its row until its transaction ends. Another operator may hold it, too.
CREATE FUNCTION broker_roles.role_change(role_name text, statements text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '500ms'
AS $$
BEGIN
	FOR attempt IN 1..8 LOOP
		PERFORM broker_roles.sessions_end(role_name);
		BEGIN
			EXECUTE statements;
			RETURN;
		EXCEPTION WHEN lock_not_available OR internal_error THEN
			-- internal_error: the row of the role was changed by another transaction
			NULL;
		END;
	END LOOP;
	RAISE EXCEPTION 'another transaction holds the role %, try again', role_name
		USING ERRCODE = 'BK001';
END
$$;

-- Makes the log-in role of a PoP, or gives it another password, and ends its sessions. `verifier`
-- is the password as PostgreSQL stores it; NULL: none, so that only a client certificate or the
-- name of the operating system's user lets it in.
CREATE FUNCTION broker_roles.pop_role_set(pop_name text, verifier text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	role_name text := broker_roles.role_of(pop_name);
BEGIN
	IF verifier !~ ('^SCRAM-SHA-256\$[1-9][0-9]{3,6}:[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}='
		':[A-Za-z0-9+/]{43}=$') THEN
		RAISE EXCEPTION 'a password is given as its SCRAM-SHA-256 verifier'
			USING ERRCODE = 'BK003';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role_name) THEN
		EXECUTE format('CREATE ROLE %I', role_name);
	END IF;
	-- A role may change its own settings. Sessions of a PoP whose machine was cut off count towards
	-- its limit until the server notices; a transaction that its popd left open ends by itself,
	-- unless that asked for something else. The last one no session may change.
	PERFORM broker_roles.role_change(role_name, format('ALTER ROLE %1$I LOGIN INHERIT NOCREATEROLE '
		'NOCREATEDB CONNECTION LIMIT 5 PASSWORD %2$L; GRANT popd TO %1$I; '
		'ALTER ROLE %1$I RESET ALL; '
		'ALTER ROLE %1$I SET tcp_keepalives_idle = 60; '
		'ALTER ROLE %1$I SET tcp_keepalives_interval = 10; '
		'ALTER ROLE %1$I SET tcp_keepalives_count = 3; '
		'ALTER ROLE %1$I SET idle_in_transaction_session_timeout = ''1min''; '
		'ALTER ROLE %1$I SET temp_file_limit = ''64MB''', role_name, verifier));
	PERFORM broker_roles.sessions_end(role_name);
END
$$;

-- Drops the log-in role of a PoP and ends its sessions; nothing happens when there is none. A role
-- may own things that it needs no right for (default privileges, objects in other databases of the
-- server): what is in this database goes with it. False: there is more elsewhere, so the role stays,
-- without log-in and without any right here.
CREATE FUNCTION broker_roles.pop_role_drop(pop_name text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	role_name text := broker_roles.role_of(pop_name);
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role_name) THEN
		RETURN true;
	END IF;
	PERFORM broker_roles.role_change(role_name, format('ALTER ROLE %1$I NOLOGIN PASSWORD NULL; '
		'GRANT %1$I TO broker_roles; DROP OWNED BY %1$I; REVOKE %1$I FROM broker_roles; '
		'REVOKE popd FROM %1$I', role_name));
	BEGIN
		PERFORM broker_roles.role_change(role_name, format('DROP ROLE %I', role_name));
		RETURN true;
	EXCEPTION WHEN dependent_objects_still_exist THEN
		RETURN false;
	END;
END
$$;

-- Nobody logs in as popd itself any more.
CREATE FUNCTION broker_roles.popd_close() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	ALTER ROLE popd NOLOGIN PASSWORD NULL;
	PERFORM broker_roles.sessions_end('popd');
END
$$;

-- The transactions that log-ins of PoPs have open in this database, and for how long.
CREATE FUNCTION broker_roles.pop_transactions() RETURNS TABLE (role_name text, open_for interval)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT a.usename::text, clock_timestamp() - a.xact_start FROM pg_stat_activity a
	WHERE a.usename ~ '^popd(_|$)' AND a.datname = current_database()
		AND a.xact_start IS NOT NULL
$$;

ALTER FUNCTION broker_roles.is_pop(text) OWNER TO broker_names;
ALTER FUNCTION broker_roles.pop_role_set(text, text) OWNER TO broker_roles;
ALTER FUNCTION broker_roles.pop_role_drop(text) OWNER TO broker_roles;
ALTER FUNCTION broker_roles.popd_close() OWNER TO broker_roles;
ALTER FUNCTION broker_roles.pop_transactions() OWNER TO broker_roles;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA broker_roles FROM PUBLIC;
GRANT USAGE ON SCHEMA broker_roles TO broker_roles;
GRANT EXECUTE ON FUNCTION broker_roles.is_pop(text), broker_roles.role_of(text),
	broker_roles.sessions_end(text), broker_roles.role_change(text, text) TO broker_roles;

-- 3. What nobody needs

DO $$
DECLARE
	owner_name text := (SELECT pg_get_userbyid(d.datdba) FROM pg_database d
		WHERE d.datname = current_database());
	signature regprocedure;
BEGIN
	EXECUTE format('GRANT USAGE ON SCHEMA broker_roles TO %I', owner_name);
	EXECUTE format('GRANT EXECUTE ON FUNCTION broker_roles.pop_role_set(text, text), '
		'broker_roles.pop_role_drop(text), broker_roles.popd_close(), '
		'broker_roles.pop_transactions() TO %I', owner_name);
	FOR signature IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace
		AND (p.proname ~ '^(lo_|pg_(try_)?advisory_)' OR p.proname IN ('loread', 'lowrite',
			'pg_terminate_backend', 'pg_cancel_backend')) LOOP
		EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', signature);
	END LOOP;
	GRANT EXECUTE ON FUNCTION pg_terminate_backend(int, bigint) TO broker_roles;
	-- `ticctl migrate` alone takes an advisory lock.
	EXECUTE format('GRANT EXECUTE ON FUNCTION pg_advisory_xact_lock(bigint) TO %I', owner_name);
	EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
	-- After a restore, and in a database of before, the table is there already (see roles.sql).
	IF to_regclass('broker.pop') IS NOT NULL THEN
		GRANT USAGE ON SCHEMA broker TO broker_names;
		GRANT SELECT (name) ON broker.pop TO broker_names;
	END IF;
END
$$;
COMMIT;
