-- The doors of PoPs that were there before every PoP had a log-in of its own (migration 11). They
-- log in as popd, all of them, and give their name. Such a door serves a PoP until `ticctl pop
-- secret` was run for it; with the last such PoP the doors go. A database that never had one has
-- none of them.

-- The PoP of that name, if the session is one of popd itself (a PoP's own role is a member of popd)
-- and the PoP still shares that log-in.
CREATE FUNCTION api.pop_of_before(pop_name text) RETURNS int
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	pop_id int;
BEGIN
	IF api.session_role() <> 'popd' OR session_user LIKE 'popd\_%' THEN
		PERFORM refuse('BK001', 'The role %s has a log-in of its own and gives no name.',
			session_user);
	END IF;
	pop_id := pop_find(pop_name);
	IF NOT (SELECT p.shared_login FROM pop p WHERE p.id = pop_id) THEN
		PERFORM refuse('BK001', '%s has a log-in of its own, popd_%s, and must use it.', pop_name,
			pop_name);
	END IF;
	RAISE WARNING '% uses the log-in popd, which all PoPs share: run "ticctl pop secret %" and '
		'give its popd.conf the new log-in', pop_name, pop_name;
	RETURN pop_id;
END
$$;

CREATE FUNCTION api.popd_hello(pop_name text)
RETURNS TABLE (name text, ipv4 text, ipv6 text, enabled boolean, tunnel_prefixes text,
	subnet_prefixes text, feed_seq bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT h.name, h.ipv4, h.ipv6, h.enabled, h.tunnel_prefixes, h.subnet_prefixes,
		h.feed_seq FROM api.pop_hello(api.pop_of_before(pop_name)) h;
END
$$;

CREATE FUNCTION api.popd_tunnels(pop_name text, after_id int, max_rows int)
RETURNS TABLE (id int, type text, prefix text, secret text, endpoint text, mtu int,
	enabled boolean, routes text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT t.* FROM api.pop_tunnels(api.pop_of_before(pop_name), after_id, max_rows) t;
END
$$;

CREATE FUNCTION api.popd_changes(pop_name text, after_seq bigint, max_rows int)
RETURNS TABLE (seq bigint, op text, id int, type text, prefix text, secret text, endpoint text,
	mtu int, enabled boolean, routes text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT c.* FROM api.pop_changes(api.pop_of_before(pop_name), after_seq, max_rows) c;
END
$$;

CREATE FUNCTION api.popd_report(pop_name text, incarnation text, version text,
	started timestamptz, configured int, up int, active int, seen_seq bigint)
RETURNS TABLE (enabled boolean, feed_seq bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT r.enabled, r.feed_seq FROM api.pop_reported(api.pop_of_before(pop_name),
		incarnation, version, started, configured, up, active, seen_seq, '{}') r;
END
$$;

CREATE FUNCTION api.popd_samples(pop_name text, incarnation text, batch bigint, tunnel int[],
	day date[], quarter int[], sent int[], received int[], rtt_min_us int[], rtt_sum_us bigint[],
	rtt_max_us int[], packets_in bigint[], bytes_in bigint[], packets_out bigint[],
	bytes_out bigint[], drops bigint[], drop_tunnel int[], drop_day date[], drop_reason text[],
	drop_packets bigint[])
RETURNS TABLE (applied boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT s.applied FROM api.pop_samples(api.pop_of_before(pop_name), incarnation,
		batch, tunnel, day, quarter, sent, received, rtt_min_us, rtt_sum_us, rtt_max_us, packets_in,
		bytes_in, packets_out, bytes_out, drops, drop_tunnel, drop_day, drop_reason,
		drop_packets) s;
END
$$;

-- The door of a popd older than migration 8, which reports by the day only.
CREATE FUNCTION api.popd_statistics(pop_name text, incarnation text, batch bigint, tunnel int[],
	day date[], sent int[], received int[], rtt_min_us int[], rtt_sum_us bigint[],
	rtt_max_us int[], packets_in bigint[], bytes_in bigint[], packets_out bigint[],
	bytes_out bigint[], drops bigint[])
RETURNS TABLE (applied boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT s.applied FROM api.popd_samples(pop_name, incarnation, batch, tunnel, day,
		array_fill(NULL::int, ARRAY[coalesce(cardinality(day), 0)]), sent, received, rtt_min_us,
		rtt_sum_us, rtt_max_us, packets_in, bytes_in, packets_out, bytes_out, drops, '{}', '{}',
		'{}', '{}') s;
END
$$;

-- Drops these doors, and lets nobody log in as popd any more where superuser.sql was run, if no PoP
-- needs that.
CREATE FUNCTION api.doors_of_before_end() RETURNS void
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
DECLARE
	door regprocedure;
BEGIN
	IF EXISTS (SELECT FROM pop p WHERE p.shared_login) THEN
		RETURN;
	END IF;
	FOR door IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'api'::regnamespace
		AND p.proname LIKE 'popd\_%' AND p.proargnames[1] = 'pop_name' LOOP
		EXECUTE format('DROP FUNCTION %s', door);
	END LOOP;
	IF api.can_make_roles()
		AND (SELECT r.rolcanlogin FROM pg_roles r WHERE r.rolname = 'popd') THEN
		PERFORM broker_roles.popd_close();
	END IF;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.popd_hello(text), api.popd_tunnels(text, int, int),
	api.popd_changes(text, bigint, int),
	api.popd_report(text, text, text, timestamptz, int, int, int, bigint),
	api.popd_samples(text, text, bigint, int[], date[], int[], int[], int[], int[], bigint[], int[],
		bigint[], bigint[], bigint[], bigint[], bigint[], int[], date[], text[], bigint[]),
	api.popd_statistics(text, text, bigint, int[], date[], int[], int[], int[], bigint[], int[],
		bigint[], bigint[], bigint[], bigint[], bigint[]) TO popd;
DO $$ BEGIN PERFORM api.doors_of_before_end(); END $$;
