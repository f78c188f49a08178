-- The four roles programs log in with, and the schema of their doors. Roles belong to the whole cluster: made when
-- absent, never altered. Run before api/*.sql, whenever this file or one of those has changed; each of those ends with
-- its grants.

DO $$
DECLARE
	wanted text;
BEGIN
	FOREACH wanted IN ARRAY ARRAY['ticd', 'webd', 'popd', 'operator'] LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
			BEGIN
				EXECUTE format('CREATE ROLE %I LOGIN', wanted);
			EXCEPTION WHEN duplicate_object OR unique_violation THEN
				NULL; -- another database of this cluster was quicker
			END;
		END IF;
	END LOOP;
END
$$;

CREATE SCHEMA IF NOT EXISTS api;
REVOKE ALL ON SCHEMA api FROM PUBLIC;
GRANT USAGE ON SCHEMA api TO ticd, webd, popd, operator;

-- Nobody but the owner reaches into schema broker, by any road.
REVOKE ALL ON SCHEMA broker FROM PUBLIC, ticd, webd, popd, operator;
REVOKE ALL ON ALL TABLES IN SCHEMA broker FROM PUBLIC, ticd, webd, popd, operator;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA broker FROM PUBLIC, ticd, webd, popd, operator;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA broker FROM PUBLIC, ticd, webd, popd, operator;
DO $$
BEGIN
	EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END
$$;
