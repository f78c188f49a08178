-- The roles of the doors, the schema of the doors, and what these roles may not do. Roles belong to
-- the whole cluster: this makes those that are absent and alters none. It runs at every migration,
-- also when nothing has changed: a restore may have brought rights back. superuser.sql has what only
-- a superuser may do; each file of api/ ends with its grants.

-- popd is the group of the PoPs' own roles, popd_<name>. Nobody logs in as popd, except PoPs that
-- were there before they had roles of their own.
DO $$
DECLARE
	role_name text;
BEGIN
	FOREACH role_name IN ARRAY ARRAY['ticd', 'webd', 'popd', 'operator'] LOOP
		IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role_name) THEN
			BEGIN
				EXECUTE format('CREATE ROLE %I %s', role_name,
					CASE role_name WHEN 'popd' THEN 'NOLOGIN' ELSE 'LOGIN' END);
			EXCEPTION WHEN duplicate_object OR unique_violation THEN
				NULL; -- another database of this cluster made it at the same time
			WHEN insufficient_privilege THEN
				RAISE EXCEPTION USING ERRCODE = 'BK001', MESSAGE = format(
					'The role %s does not exist, and %s may not create it: let a superuser run '
					'superuser.sql in this database first.', role_name, current_user);
			END;
		END IF;
	END LOOP;
	IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'broker_names') THEN
		GRANT USAGE ON SCHEMA broker TO broker_names;
		GRANT SELECT (name) ON broker.pop TO broker_names;
	END IF;
	EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END
$$;

CREATE SCHEMA IF NOT EXISTS api;
REVOKE ALL ON SCHEMA api FROM PUBLIC;
GRANT USAGE ON SCHEMA api TO ticd, webd, popd, operator;

-- Only the owner has rights in schema broker.
REVOKE ALL ON SCHEMA broker FROM PUBLIC, ticd, webd, popd, operator;
REVOKE ALL ON ALL TABLES IN SCHEMA broker FROM PUBLIC, ticd, webd, popd, operator;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA broker FROM PUBLIC, ticd, webd, popd, operator;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA broker FROM PUBLIC, ticd, webd, popd, operator;
