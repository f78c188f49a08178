-- A PoP reads and reports for itself alone, by the role its session works as; that role is made and
-- dropped with it, by functions that can make no other.
BEGIN;
SET search_path = tap, public;
SELECT * FROM no_plan();
SELECT t.pop(), t.pop('demo02', 2) AS pop2 \gset
SELECT t.account('DEMO', 500);
SELECT t.tunnel() AS t1 \gset
SELECT t.tunnel('DEMO', 'demo02') AS far \gset

-- What a statement answers in a role, or the refusal.
CREATE FUNCTION pg_temp.said(role_name text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	PERFORM set_config('role', role_name, true);
	EXECUTE statement INTO answer;
	PERFORM set_config('role', 'none', true);
	RETURN answer;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;

-- Its own.
SELECT is(pg_temp.said('popd_demo02', 'SELECT name FROM api.popd_hello()'), 'demo02', 'a PoP is known by its role');
SELECT is(pg_temp.said('popd_demo02', 'SELECT string_agg(id::text, '','') FROM api.popd_tunnels(0, 100)'), :'far', 'it reads its own tunnels');
SELECT is(pg_temp.said('popd_demo02', 'SELECT count(*) FROM api.popd_changes(0, 100) WHERE id = ' || :t1), '0', 'it hears of no other PoP''s tunnels');
SELECT is(pg_temp.said('popd_demo02', 'SELECT count(*) FROM api.popd_report(repeat(''a'', 32), ''1'', now(), 1, 1, 1, 1)'), '1', 'it reports');
SELECT is((SELECT array_agg(s.name || ' ' || s.state ORDER BY s.name) FROM api.web_pop_status() s), '{demo01 down,demo02 up}', 'it reports for itself');
SELECT is(pg_temp.said('popd_demo02', 'SELECT changed FROM api.popd_reasons(''{hop-limit}'', ''{my own words}'')'), '1', 'it says what its drop reasons mean');
SELECT is((SELECT array_agg(r.pop) FROM broker.drop_reason r), ARRAY[:pop2], 'it says so for itself');
SELECT ok(pg_temp.said(r.role_name, 'SELECT name FROM api.popd_hello()') LIKE
	'BK001 The role ' || r.role_name || ' is no PoP''s. A PoP logs in as popd_ and its name; %pooler%', r.role_name || ' is no PoP')
FROM (VALUES ('popd')) r (role_name);
SELECT alike(t.refusal('SELECT api.popd_hello()'), 'BK001 The role postgres is no PoP''s.%', 'a log-in that is no PoP''s is refused in a sentence');
CREATE ROLE popd_stranger IN ROLE popd;
SELECT alike(pg_temp.said('popd_stranger', 'SELECT api.popd_hello()'), 'BK001 The role popd_stranger is no PoP''s.%', 'a role whose PoP does not exist is refused');

-- No way out of it.
SELECT is(t.attempt('popd_demo02', v.statement), '42501', 'a PoP cannot ' || v.what) FROM (VALUES
	('make a log-in', $$SELECT broker_roles.pop_role_set('demo01', NULL)$$),
	('drop a log-in', $$SELECT broker_roles.pop_role_drop('demo01')$$),
	('give itself a password that others know', $$SELECT api.op_pop_secret('demo02', NULL)$$),
	('change its connection limit', 'ALTER ROLE popd_demo02 CONNECTION LIMIT -1')) v (what, statement);

-- The role.
SELECT results_eq($$SELECT rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolconnlimit FROM pg_roles
	WHERE rolname = 'popd_demo01'$$, 'VALUES (true, false, false, false, false, false, 5)', 'its role can log in five times and do nothing else');
SELECT is((SELECT s.setconfig FROM pg_db_role_setting s WHERE s.setrole = 'popd_demo01'::regrole), '{tcp_keepalives_idle=60,tcp_keepalives_interval=10,tcp_keepalives_count=3,idle_in_transaction_session_timeout=1min,temp_file_limit=64MB}',
	'sessions that are cut off and transactions that are left open end by themselves');
SELECT results_eq($$SELECT rolcanlogin, rolcreaterole FROM pg_roles WHERE rolname IN ('popd', 'broker_names')$$,
	'VALUES (false, false), (false, false)', 'popd is a group of a new database');
SELECT results_eq($$SELECT rolcanlogin, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = 'broker_roles'$$, 'VALUES (false, false, true)',
	'nobody logs in as the maker of roles');
SELECT is_empty($$SELECT FROM pg_auth_members WHERE roleid = 'broker_roles'::regrole$$, 'nobody is a member of it');
SELECT is((SELECT rolcreaterole FROM pg_roles WHERE rolname = 'owner'), false, 'the owner of the database makes no roles');
SELECT is(t.attempt('owner', 'CREATE ROLE x'), '42501', 'it tried');
SELECT is((SELECT array_agg(r.rolname) FROM pg_roles r WHERE r.rolname <> 'owner' AND pg_has_role('owner', r.oid, 'MEMBER')
	AND r.rolname <> 'pg_database_owner'), NULL, 'it can become no other role');

-- What a role may do to itself.
SELECT is(t.attempt('popd_demo02', v.statement), '42501', 'a PoP cannot fill the disk: ' || v.statement) FROM (VALUES
	('SET temp_file_limit = -1'), ('ALTER ROLE popd_demo02 SET temp_file_limit = -1'), ('ALTER ROLE popd_demo02 RESET temp_file_limit')) v (statement);
SELECT is(t.attempt('popd_demo02', 'ALTER ROLE popd_demo02 SET idle_in_transaction_session_timeout = 0'), 'ok', 'it may change its own settings');
SELECT alike((SELECT finding FROM api.op_check() WHERE subject = 'popd_demo02'), 'has changed its own settings: %', 'the check says so');
SELECT api.op_pop_secret('demo02', NULL);
SELECT is((SELECT count(*)::int FROM pg_db_role_setting s WHERE s.setrole = 'popd_demo02'::regrole AND 'idle_in_transaction_session_timeout=1min' = ANY (s.setconfig)), 1,
	'a new password puts them back');
SELECT is(t.attempt('popd_demo02', 'SET ROLE popd; ALTER ROLE popd SET default_transaction_read_only = on; RESET ROLE'), 'ok', 'it may change the settings of its group');
SELECT alike((SELECT finding FROM api.op_check() WHERE subject = 'popd'), 'has settings of its own%', 'the check says so, too');
SELECT is(t.attempt('popd_demo02', 'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO popd'), 'ok', 'it may own what needs no right');

-- What the maker makes.
\set verifier 'SCRAM-SHA-256$4096:MTIzNDU2Nzg5MDEyMzQ1Ng==$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI='
SELECT is(pg_temp.said('operator', format('SELECT login FROM api.op_pop_secret(%L, %L)', 'demo01', :'verifier')), 'popd_demo01', 'a password is given as its verifier');
SELECT is((SELECT rolpassword FROM pg_authid WHERE rolname = 'popd_demo01'), :'verifier', 'it is stored as it is');
SELECT is(pg_temp.said('operator', 'SELECT login FROM api.op_pop_secret(''demo01'', NULL)'), 'popd_demo01', 'a PoP may have no password');
SELECT is((SELECT rolpassword FROM pg_authid WHERE rolname = 'popd_demo01'), NULL, 'then it has none');
SELECT is(pg_temp.said('operator', format('SELECT api.op_pop_secret(%L, %L)', 'demo01', v.verifier)), 'BK003 a password is given as its SCRAM-SHA-256 verifier',
	'the password "' || left(v.verifier, 20) || '" is refused')
FROM (VALUES ('secret'), (''), ('md5' || md5('x')), (:'verifier' || ''' SUPERUSER'), ('SCRAM-SHA-256$4096:x$y:z')) v (verifier);
SELECT is(t.attempt('owner', format('SELECT broker_roles.%s(%L%s)', v.call, v.name, v.more)), 'BK002', format('the owner cannot call %s for "%s"', v.call, v.name))
FROM (VALUES ('pop_role_set', 'nowhere1', ', NULL'), ('pop_role_drop', 'nowhere1', ''), ('pop_role_set', '', ', NULL'),
	('pop_role_drop', 'demo01; DROP TABLE x', ''), ('pop_role_set', 'Demo01', ', NULL')) v (call, name, more);
SELECT is(t.attempt('operator', 'SELECT broker_roles.pop_role_set(''demo01'', NULL)'), '42501', 'the operator does it by a door only');

-- The owner puts a view with a function of its own in the table's place: that function has no rights.
SAVEPOINT view;
SET ROLE owner;
CREATE TABLE broker.caught (who text);
GRANT INSERT, SELECT ON broker.caught TO PUBLIC;
CREATE FUNCTION broker.trap() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
	INSERT INTO broker.caught VALUES (current_user); RETURN 'demo01'; END $$;
GRANT EXECUTE ON FUNCTION broker.trap() TO PUBLIC;
ALTER TABLE broker.pop RENAME TO pop_real;
CREATE VIEW broker.pop AS SELECT broker.trap() AS name;
GRANT SELECT ON broker.pop TO PUBLIC;
GRANT USAGE ON SCHEMA broker TO PUBLIC;
DO $$ BEGIN PERFORM broker_roles.pop_role_set('demo01', NULL); EXCEPTION WHEN OTHERS THEN NULL; END $$;
RESET ROLE;
SELECT is((SELECT count(*)::int FROM broker.caught WHERE who <> 'broker_names'), 0, 'what stands in the table''s place never runs as the maker of roles');
ROLLBACK TO view;

-- A PoP is deleted.
SELECT is(t.refusal($$SELECT api.op_pop_delete('demo02')$$), 'BK001 demo02 still has 1 tunnels: delete those first.', 'a PoP with tunnels is not deleted');
SELECT t.day(:far, '2025-01-01', true);
SELECT api.op_tunnel_delete(:far);
SELECT request AS open FROM api.op_tunnel_request('demo', 'demo02', 'ayiya', NULL, NULL) \gset
SELECT is(t.refusal($$SELECT api.op_pop_delete('demo02')$$), 'BK001 demo02 has requests that await a decision: decide those first.',
	'a PoP with open requests is not deleted');
SELECT api.op_request_refuse(:open, NULL), api.op_cost_set('ns_add', 'demo02', -3, NULL);
SELECT is((SELECT message FROM api.op_pop_delete('demo02')), 'deleted demo02 and its log-in popd_demo02', 'a PoP without them is deleted');
SELECT is((SELECT count(*)::int FROM pg_roles WHERE rolname = 'popd_demo02'), 0, 'its log-in goes');
SELECT is(t.refusal($$SELECT api.op_pop_delete('demo02')$$), 'BK002 There is no PoP demo02.', 'it is gone');
SELECT is((SELECT message FROM api.op_pop_add('demo02', '198.51.100.3', '2001:db8:0:ffff::1', '2001:db8:2::/48', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)),
	'added demo02: tunnels from 2001:db8:2::/48, no subnets', 'its name and prefixes are free');

-- PoPs of before share the log-in popd and give their names.
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'api'::regnamespace AND p.proname LIKE 'popd\_%'
	AND p.proargnames[1] = 'pop_name'$$, 'a new database has no doors that take a name');
ALTER ROLE popd LOGIN;
UPDATE broker.pop SET shared_login = true;
SET ROLE owner;
\set top `echo "$TOP"`
DROP FUNCTION api.pop_of_before(text), api.doors_of_before_end();
\i :top/schema/api/popd_before.sql
RESET ROLE;
SELECT is((SELECT rolcanlogin FROM pg_roles WHERE rolname = 'popd'), true, 'popd may log in while a PoP needs it');
SET client_min_messages = error;
SELECT is(pg_temp.said('popd', 'SELECT name FROM api.popd_hello(''demo01'')'), 'demo01', 'a PoP of before is served');
SELECT is(pg_temp.said('popd', 'SELECT string_agg(id::text, '','') FROM api.popd_tunnels(''demo01'', 0, 10)'), :'t1', 'it reads its tunnels');
SELECT is(pg_temp.said('popd', 'SELECT count(*) > 0 FROM api.popd_changes(''demo01'', 0, 10)'), 'true', 'it reads its changes');
SELECT is(pg_temp.said('popd', 'SELECT enabled FROM api.popd_report(''demo01'', repeat(''a'', 32), ''1'', now(), 1, 1, 1, 1)'), 'true', 'it reports');
SELECT is(pg_temp.said('popd', format('SELECT applied FROM api.popd_statistics(''demo01'', repeat(''a'', 32), 1, ARRAY[%s], ARRAY[(now() AT TIME ZONE ''UTC'')::date], '
	'''{1}'', ''{1}'', ''{1}'', ''{1}'', ''{1}'', ''{1}'', ''{1}'', ''{1}'', ''{1}'', ''{1}'')', :t1)), 'true', 'it reports statistics by the day');
SELECT is(pg_temp.said('popd', 'SELECT changed FROM api.popd_reasons(''{of-before}'', ''{a sentence}'')'), '2', 'it says what reasons mean, for all that share the log-in');
SELECT is(pg_temp.said('popd_demo01', 'SELECT changed FROM api.popd_reasons(''{of-before}'', ''{its own sentence}'')'), '1', 'a member of popd for itself alone');
SELECT alike(pg_temp.said('popd_demo01', 'SELECT name FROM api.popd_hello(''demo02'')'), 'BK001 The role % has a log-in of its own and gives no name.',
	'a member of popd cannot use these doors');
SELECT is(pg_temp.said('operator', 'SELECT message FROM api.op_pop_secret(''demo01'', NULL)'), 'demo01 logs in as popd_demo01', 'the PoP is given its own log-in');
SELECT is(pg_temp.said('popd', 'SELECT name FROM api.popd_hello(''demo01'')'), 'BK001 demo01 has a log-in of its own, popd_demo01, and must use it.',
	'then the shared one is closed to it');
SELECT is(pg_temp.said('popd', 'SELECT name FROM api.popd_hello(''demo02'')'), 'demo02', 'and open to the others');
SELECT api.op_pop_secret('demo02', NULL);
SELECT alike(pg_temp.said('popd', 'SELECT changed FROM api.popd_reasons(''{of-before}'', ''{x}'')'), 'BK001 The role popd is no PoP''s.%', 'nobody shares the log-in any more');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'api'::regnamespace AND p.proname LIKE 'popd\_%'
	AND p.proargnames[1] = 'pop_name'$$, 'with the last of them these doors go');
SELECT is((SELECT rolcanlogin FROM pg_roles WHERE rolname = 'popd'), false, 'and nobody logs in as popd');
SELECT * FROM finish();
ROLLBACK;
