-- Each role can call its own doors and do nothing else. The tests try it rather than read the
-- catalogue.
BEGIN;
SET search_path = tap, public;
SELECT * FROM no_plan();
SELECT t.pop(), t.pop('demo02', 2);
CREATE TEMP TABLE actor AS SELECT unnest(ARRAY['ticd', 'webd', 'popd_demo01', 'operator']) AS role;

-- The doors, by role.
CREATE TEMP TABLE door AS SELECT p.oid, p.oid::regprocedure::text AS signature, p.proname AS name, CASE
	WHEN p.proname LIKE 'tic\_%' THEN '{ticd}' WHEN p.proname LIKE 'popd\_%' THEN '{popd_demo01}' WHEN p.proname LIKE 'web\_%'
		THEN '{webd}'
	WHEN p.proname LIKE 'op\_%' THEN '{operator}' WHEN p.proname IN ('isk_daily', 'prune') THEN '{ticd,operator}'
		ELSE '{}' END::text[] AS meant,
	format('SELECT %s(%s)', p.oid::regproc, (SELECT string_agg('NULL::' || format_type(a.t, NULL), ', ' ORDER BY a.n)
		FROM unnest(p.proargtypes) WITH ORDINALITY a (t, n))) AS call
FROM pg_proc p WHERE p.pronamespace = 'api'::regnamespace;
SELECT cmp_ok((SELECT count(*)::int FROM door WHERE meant <> '{}'), '>=', 45, 'the doors are found');

-- A role's own door, called with NULLs, answers anything but 42501 (permission denied); another
-- door answers exactly that.
SELECT is((SELECT array_agg(d.signature ORDER BY 1) FROM door d WHERE a.role = ANY (d.meant)
	AND t.attempt(a.role, d.call) = '42501'), NULL,
	a.role || ' can call each of its own doors') FROM actor a;
SELECT is((SELECT array_agg(d.signature ORDER BY 1) FROM door d WHERE a.role <> ALL (d.meant)
	AND t.attempt(a.role, d.call) <> '42501'), NULL,
	a.role || ' can call no other door') FROM actor a;
SELECT is((SELECT array_agg(p.oid::regprocedure::text) FROM pg_proc p WHERE p.pronamespace = 'broker'::regnamespace
	AND t.attempt(a.role, format('SELECT %s(%s)', p.oid::regproc,
		(SELECT string_agg('NULL::' || format_type(x.t, NULL), ', ')
		FROM unnest(p.proargtypes) x (t)))) <> '42501'), NULL, a.role || ' can call no internal function')
			FROM actor a;

-- Every table and view, every verb.
CREATE TEMP TABLE relation AS SELECT c.oid::regclass::text AS name, (SELECT quote_ident(attname) FROM pg_attribute
	WHERE attrelid = c.oid AND attnum = 1) AS col FROM pg_class c WHERE c.relnamespace = 'broker'::regnamespace
		AND c.relkind IN ('r', 'v');
SELECT cmp_ok((SELECT count(*)::int FROM relation), '>=', 20, 'the tables are found');
SELECT is((SELECT array_agg(x.name ORDER BY 1) FROM relation x
	WHERE t.attempt(a.role, format(v.statement, x.name, x.col)) <> '42501'), NULL,
	a.role || ' cannot ' || v.verb || ' any table')
FROM actor a, (VALUES ('read', 'SELECT FROM %s LIMIT 1'), ('insert into', 'INSERT INTO %s DEFAULT VALUES'),
	('update', 'UPDATE %s SET %s = DEFAULT'), ('delete from', 'DELETE FROM %s'), ('truncate', 'TRUNCATE %s'),
	('lock', 'LOCK TABLE %s IN ACCESS EXCLUSIVE MODE'), ('drop', 'DROP TABLE %s')) v (verb, statement);
SELECT is((SELECT array_agg(c.relname) FROM pg_class c WHERE c.relnamespace = 'broker'::regnamespace AND c.relkind = 'S'
	AND t.attempt(a.role, format('SELECT nextval(%L)', c.oid::regclass)) <> '42501'), NULL,
		a.role || ' cannot use a sequence') FROM actor a;
SELECT is(t.attempt(a.role, v.statement), '42501', a.role || ' cannot ' || v.verb) FROM actor a, (VALUES
	('make a table in schema broker', 'CREATE TABLE broker.x ()'),
	('make a door', 'CREATE FUNCTION api.x() RETURNS int LANGUAGE sql RETURN 1'),
		('make a temporary table', 'CREATE TEMP TABLE x ()'), ('make a schema', 'CREATE SCHEMA x'),
	('replace a door', 'CREATE OR REPLACE FUNCTION api.web_version() RETURNS TABLE (schema int) LANGUAGE sql AS $$SELECT 1$$'),
	('make a role', 'CREATE ROLE x'), ('hold an advisory lock', 'SELECT pg_advisory_lock(1)'), ('hold one for a transaction', 'SELECT pg_advisory_xact_lock(1)'),
	('hold one of two numbers', 'SELECT pg_advisory_lock(hashtext(''broker.login''), 1)'), ('try an advisory lock', 'SELECT pg_try_advisory_lock_shared(1, 1)'),
	('make a large object', 'SELECT lo_create(0)'), ('fill one', 'SELECT lo_from_bytea(0, ''x'')'), ('open one', 'SELECT lo_open(1, 131072)'),
	('end a session', 'SELECT pg_terminate_backend(0)'), ('cancel a statement', 'SELECT pg_cancel_backend(0)'),
	('make PoPs'' roles', 'SELECT broker_roles.popd_close()')) v (verb, statement);
SELECT is(t.attempt('owner', v.statement), v.code, 'the owner of the database: ' || v.statement) FROM (VALUES ('SELECT lo_create(0)', '42501'),
	('SELECT pg_advisory_lock(1)', '42501'), ('SELECT pg_advisory_xact_lock(1)', 'ok'), ('SELECT pg_terminate_backend(0)', '42501'), ('CREATE ROLE x', '42501')) v (statement, code);

-- How the doors are built.
SELECT is((SELECT array_agg(d.signature ORDER BY 1) FROM door d JOIN pg_proc p USING (oid) WHERE d.meant <> '{}'
	AND NOT p.prosecdef), NULL,
	'every door runs as its owner');
SELECT is((SELECT array_agg(d.signature ORDER BY 1) FROM door d JOIN pg_proc p USING (oid) WHERE (p.proconfig[1] = 'search_path=broker, pg_temp') IS NOT TRUE), NULL,
	'every function of schema api has its own search path');
SELECT is((SELECT array_agg(p.oid::regprocedure::text) FROM pg_proc p WHERE p.pronamespace = 'broker'::regnamespace
	AND p.prosecdef), NULL,
	'no function of schema broker runs as its owner');
SELECT is((SELECT array_agg(p.oid::regprocedure::text) FROM pg_proc p,
	aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
	WHERE p.pronamespace IN ('broker'::regnamespace, 'api'::regnamespace) AND x.grantee = 0), NULL,
		'PUBLIC can call no function');
SELECT is((SELECT array_agg(r.rolname) FROM pg_roles r WHERE r.rolname <> a.role
	AND r.rolname <> 'popd' AND pg_has_role(a.role, r.oid, 'MEMBER')), NULL,
	a.role || ' can become no other role') FROM actor a;
SELECT is((SELECT array_agg(r.rolname || ' ' || x.what) FROM pg_roles r,
	LATERAL (VALUES ('super', r.rolsuper), ('createrole', r.rolcreaterole), ('createdb', r.rolcreatedb),
		('bypassrls', r.rolbypassrls), ('replication', r.rolreplication), ('no login', NOT r.rolcanlogin)) x (what, has)
	WHERE r.rolname IN (SELECT role FROM actor) AND x.has), NULL, 'the roles can log in and have no other attribute');
SELECT * FROM finish();
ROLLBACK;
