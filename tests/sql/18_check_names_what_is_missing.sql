-- `ticctl check` finds nothing in a database as it should be, and names each thing that is not.
BEGIN;
SET search_path = tap, public;
SELECT * FROM no_plan();
SELECT t.pop(), t.pop('demo02', 2);
CREATE FUNCTION pg_temp.findings() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(f.subject || ': ' || f.finding, E'\n') FROM api.op_check() f WHERE f.subject <> 'fsync'
$$;
SELECT is(pg_temp.findings(), NULL, 'nothing is missing');
SELECT is((SELECT finding FROM api.op_check()), 'is off: a crash of the machine may destroy the database', 'the test''s own server does without fsync');
SELECT is(t.attempt('operator', 'SELECT api.op_check()'), 'ok', 'the operator may ask');

-- What is found after some statements, which are undone.
CREATE FUNCTION pg_temp.found(statements text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	findings text;
BEGIN
	BEGIN
		EXECUTE statements;
		findings := pg_temp.findings();
		RAISE EXCEPTION 'undone';
	EXCEPTION WHEN raise_exception THEN
		RETURN findings;
	END;
END
$$;
SELECT is(pg_temp.found(v.statements), v.finding, v.statements) FROM (VALUES
	('GRANT EXECUTE ON FUNCTION pg_advisory_lock(bigint) TO webd', 'webd: may call the functions of advisory locks: run superuser.sql'),
	('GRANT EXECUTE ON FUNCTION pg_try_advisory_xact_lock_shared(int, int) TO ticd', 'ticd: may call the functions of advisory locks: run superuser.sql'),
	('GRANT EXECUTE ON FUNCTION lo_create(oid), loread(int, int) TO webd', 'webd: may call the functions of large objects: run superuser.sql'),
	('GRANT EXECUTE ON FUNCTION pg_terminate_backend(int, bigint) TO popd_demo01', 'popd_demo01: may call the functions that end sessions: run superuser.sql'),
	('GRANT TEMPORARY ON DATABASE broker TO webd', 'webd: may make temporary tables: run "ticctl migrate"'),
	('GRANT CREATE ON DATABASE broker TO webd', 'webd: may create schemas'),
	('GRANT CREATE ON SCHEMA public TO webd', 'webd: may create objects in schema public'),
	('ALTER ROLE owner CREATEROLE', 'database: its owner owner may create roles, and so run programs on the server: run superuser.sql'),
	('ALTER ROLE owner SUPERUSER', 'database: its owner owner is a superuser: every door runs with all rights'),
	('ALTER ROLE popd LOGIN', 'popd: can log in, which no PoP needs'),
	('ALTER ROLE popd LOGIN; UPDATE broker.pop SET shared_login = true',
		'popd: can log in, since these PoPs have no log-in of their own yet ("ticctl pop secret"): demo01, demo02'),
	('ALTER ROLE broker_roles LOGIN', 'broker_roles: can log in, is a superuser or has members: nobody may become it'),
	('GRANT broker_names TO webd', E'broker_names: can log in, is a superuser or has members: nobody may become it\nwebd: is a member of broker_names: it may become that role'),
	('ALTER ROLE webd CREATEROLE CREATEDB', 'webd: is allowed to create roles and allowed to create databases: it needs no such right'),
	('ALTER ROLE ticd NOLOGIN', 'ticd: cannot log in'),
	('ALTER ROLE popd_demo01 CONNECTION LIMIT -1', 'popd_demo01: may open any number of connections'),
	('DROP ROLE popd_demo01', 'popd_demo01: the role does not exist'),
	('REVOKE EXECUTE ON FUNCTION api.tic_login(text, int) FROM ticd', 'ticd: may not call tic_login'),
	('GRANT EXECUTE ON FUNCTION api.op_credit(text, int, text), api.op_check() TO webd', 'webd: may also call op_check, op_credit'),
	('GRANT EXECUTE ON FUNCTION broker.setting_value(text) TO webd', 'webd: may also call setting_value'),
	('REVOKE USAGE ON SCHEMA api FROM webd', 'webd: may not use the schema api'),
	('GRANT SELECT ON broker.ledger TO webd', 'webd: has rights on broker.ledger'),
	('ALTER TABLE broker.ledger DISABLE TRIGGER ledger_append', 'broker.ledger: its trigger ledger_append is disabled'),
	('SET LOCAL synchronous_commit = off', 'synchronous_commit: is off: a crash may lose bookings that were acknowledged'),
	('SET LOCAL default_transaction_isolation = serializable', 'default_transaction_isolation: is serializable: the doors are written for read committed')
	) v (statements, finding);
SELECT alike(pg_temp.found('REVOKE popd FROM popd_demo01'), '%popd_demo01: is no member of popd: none of its doors is open to it%', 'a PoP that is no member of popd');
SELECT alike(pg_temp.found('GRANT operator TO popd_demo01'), '%popd_demo01: is a member of operator: it may become that role%', 'a PoP that is a member of another role');
SELECT alike(pg_temp.found('DROP SCHEMA broker_roles CASCADE'), 'superuser.sql: a superuser has not run it in this database: %', 'a database without superuser.sql');
SELECT is((SELECT count(*) = count(DISTINCT a) FROM regexp_split_to_table(pg_temp.found('GRANT EXECUTE ON FUNCTION pg_advisory_lock(bigint) TO PUBLIC'), E'\n') a), true,
	'what PUBLIC may is named once for each role');
SELECT * FROM finish();
ROLLBACK;
