-- The four roles that programs log in with, and the schema of their doors. Roles belong to the
-- whole cluster: this makes those that are absent and alters none. It runs before api/*.sql
-- whenever one of these files has changed; each file of api/ ends with its grants.

DO $$
DECLARE
	role_name text;
BEGIN
	FOREACH role_name IN ARRAY ARRAY['ticd', 'webd', 'popd', 'operator'] LOOP
		IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role_name) THEN
			BEGIN
				EXECUTE format('CREATE ROLE %I LOGIN', role_name);
			EXCEPTION WHEN duplicate_object OR unique_violation THEN
				NULL; -- another database of this cluster made it at the same time
			END;
		END IF;
	END LOOP;
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
DO $$
BEGIN
	EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END
$$;
