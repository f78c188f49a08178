-- PoPs and the settings of the whole broker, for the operator.

-- Adds a pool. The constraint refuses an overlap with any PoP's pool; this says so in words.
CREATE FUNCTION api.pool_add(pop_id int, kind broker.pool_kind, prefix cidr, length int)
RETURNS void
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
BEGIN
	PERFORM demand(family(prefix) = 6, '%s is not an IPv6 prefix.', prefix::text);
	IF kind = 'tunnel' THEN
		PERFORM demand(masklen(prefix) = 48 AND length = 64,
			'A prefix for tunnels is a /48, which is cut into /64s; %s is not.', prefix::text);
	ELSE
		PERFORM demand(masklen(prefix) >= 16 AND length BETWEEN masklen(prefix) AND 64,
			'%s cannot be cut into subnets of length %s: a prefix for subnets is a /16 or '
			'longer, and its subnets are at least as long and at most a /64.', prefix::text,
			length::text);
	END IF;
	INSERT INTO pool (pop, kind, prefix, length)
	VALUES (pop_id, pool_add.kind, pool_add.prefix, pool_add.length);
EXCEPTION WHEN exclusion_violation THEN
	PERFORM refuse('BK001', '%s overlaps %s.', prefix::text,
		coalesce((SELECT format('%s of %s', l.prefix, p.name)
			FROM pool l JOIN pop p ON p.id = l.pop WHERE l.prefix && pool_add.prefix LIMIT 1),
			'a prefix that was added at the same time'));
END
$$;

-- Makes the log-in role of a PoP, or gives it another password: `verifier`, NULL for none. False
-- where superuser.sql was never run, so that nobody here can make roles.
CREATE FUNCTION api.pop_login_set(pop_name text, verifier text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
BEGIN
	IF NOT api.can_make_roles() THEN
		RETURN false;
	END IF;
	PERFORM broker_roles.pop_role_set(pop_name, verifier);
	RETURN true;
END
$$;

CREATE FUNCTION api.pop_login_by_hand(pop_name text) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = broker, pg_temp
RETURN format('superuser.sql was not run in this database, so the log-in must be made by hand: '
	'CREATE ROLE popd_%s LOGIN CONNECTION LIMIT 5 IN ROLE popd', pop_name);

-- '; disabled T3, T5, which ended there' for the tunnels that a PoP at this address will disable
-- (migrations/0012_pop_address.sql), or ''.
CREATE FUNCTION api.tunnels_ending_at(address inet) RETURNS text
LANGUAGE sql STABLE
SET search_path = broker, pg_temp
AS $$
	SELECT coalesce('; disabled ' || string_agg('T' || t.id, ', ' ORDER BY t.id)
		|| ', which ended there', '')
	FROM tunnel t WHERE t.endpoint = tunnels_ending_at.address AND t.admin_enabled
$$;

-- `verifier`: of the password of the PoP's log-in, NULL for none. `login` is that role, NULL when it
-- could not be made.
CREATE FUNCTION api.op_pop_add(name text, ipv4 inet, ipv6 inet, tunnel_prefix cidr,
	subnet_prefix cidr, city text, country text, isp_short text, isp_name text, isp_website text,
	isp_asn text, isp_lir text, verifier text DEFAULT NULL)
RETURNS TABLE (message text, login text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	pop_id int;
	disabled text;
BEGIN
	PERFORM demand(name ~ '^[a-z][a-z0-9]{1,31}$',
		'The name of a PoP is 2 to 32 lower-case letters and digits and begins with a letter.');
	PERFORM demand(name <> 'status',
		'A PoP cannot be called status: the page /pops/status has that name.');
	PERFORM demand(is_endpoint(ipv4), 'A PoP needs the IPv4 address of one host.');
	PERFORM demand(family(ipv6) = 6 AND masklen(ipv6) = 128,
		'A PoP needs the IPv6 address of one host.');
	PERFORM demand(tunnel_prefix IS NOT NULL, 'A PoP needs a prefix for tunnels.');
	LOCK TABLE pop IN SHARE ROW EXCLUSIVE MODE;
	disabled := api.tunnels_ending_at(ipv4);
	INSERT INTO pop AS p (name, ipv4, ipv6, city, country, isp_short, isp_name, isp_website,
		isp_asn, isp_lir)
	VALUES (op_pop_add.name, op_pop_add.ipv4, op_pop_add.ipv6, coalesce(op_pop_add.city, ''),
		coalesce(op_pop_add.country, ''), coalesce(op_pop_add.isp_short, ''),
		coalesce(op_pop_add.isp_name, ''), coalesce(op_pop_add.isp_website, ''),
		coalesce(op_pop_add.isp_asn, ''), coalesce(op_pop_add.isp_lir, ''))
	RETURNING p.id INTO pop_id;
	PERFORM api.pool_add(pop_id, 'tunnel', tunnel_prefix, 64);
	IF subnet_prefix IS NOT NULL THEN
		PERFORM api.pool_add(pop_id, 'subnet', subnet_prefix, greatest(48, masklen(subnet_prefix)));
	END IF;
	IF api.pop_login_set(name, verifier) THEN
		login := 'popd_' || name;
	END IF;
	message := format('added %s: tunnels from %s, %s%s%s', name, tunnel_prefix,
		coalesce('subnets from ' || subnet_prefix::text, 'no subnets'), disabled,
		CASE WHEN login IS NULL THEN '; ' || api.pop_login_by_hand(name) ELSE '' END);
	RETURN NEXT;
EXCEPTION WHEN unique_violation THEN
	PERFORM refuse('BK001', 'There is already a PoP called %s or at %s.', name, host(ipv4));
WHEN check_violation THEN
	PERFORM refuse('BK003', 'City, country and provider are single lines of at most 100 characters '
		'(the AS number of at most 20), and the website is an http or https address.');
END
$$;

-- Gives a PoP a new password and ends its sessions, so that the old one is of no more use to anybody.
-- A PoP of before has its own log-in from now on and may no longer use the one that all share. Where
-- superuser.sql was never run the role must have been made by hand; then only the latter is done.
CREATE FUNCTION api.op_pop_secret(pop_name text, verifier text)
RETURNS TABLE (message text, login text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	pop_id int := pop_find(pop_name);
	is_set boolean := api.pop_login_set(pop_name, verifier);
BEGIN
	IF NOT is_set AND to_regrole('popd_' || pop_name) IS NULL THEN
		PERFORM refuse('BK001', '%s.', api.pop_login_by_hand(pop_name));
	END IF;
	UPDATE pop p SET shared_login = false WHERE p.id = pop_id AND p.shared_login;
	IF FOUND THEN
		PERFORM api.doors_of_before_end();
	END IF;
	IF is_set THEN
		message := format('%s logs in as popd_%s', pop_name, pop_name);
		login := 'popd_' || pop_name;
	ELSE
		message := format('%s logs in as popd_%s; whoever made that role sets its password',
			pop_name, pop_name);
	END IF;
	RETURN NEXT;
END
$$;

-- Deletes a PoP without tunnels, all that is known of it, and its log-in. What was charged there
-- stays in the ledger.
CREATE FUNCTION api.op_pop_delete(pop_name text) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
SET lock_timeout = '2s'
AS $$
DECLARE
	pop_id int := pop_find(pop_name);
	tunnels bigint := (SELECT count(*) FROM tunnel t WHERE t.pop = pop_id);
	has_maker boolean := api.can_make_roles();
	is_dropped boolean;
	table_name text;
BEGIN
	IF tunnels > 0 THEN
		PERFORM refuse('BK001', '%s still has %s tunnels: delete those first.', pop_name,
			tunnels::text);
	ELSIF EXISTS (SELECT FROM request r WHERE r.pop = pop_id AND r.state = 'open') THEN
		PERFORM refuse('BK001', '%s has requests that await a decision: decide those first.',
			pop_name);
	END IF;
	IF has_maker THEN
		is_dropped := broker_roles.pop_role_drop(pop_name); -- ends its sessions, and so their locks
	END IF;
	FOREACH table_name IN ARRAY ARRAY['request', 'cost', 'allocation', 'pool', 'pop_report',
		'pop_history', 'pop_day', 'pop_sample', 'pop_drop', 'drop_reason', 'statistics_batch',
		'change', 'feed'] LOOP
		EXECUTE format('DELETE FROM %I WHERE pop = $1', table_name) USING pop_id;
	END LOOP;
	DELETE FROM pop p WHERE p.id = pop_id;
	PERFORM api.doors_of_before_end();
	RETURN QUERY SELECT format('deleted %s%s', pop_name, CASE WHEN is_dropped
		THEN ' and its log-in popd_' || pop_name
		WHEN has_maker THEN format('; its log-in popd_%s is closed, but a superuser has to drop it: it '
			'owns objects in another database of this server', pop_name)
		ELSE '; its log-in, if it has one, must be dropped by hand: DROP ROLE popd_' || pop_name
		END);
EXCEPTION WHEN lock_not_available THEN
	PERFORM refuse('BK001', '%s has left a transaction open that holds it: end its sessions first.',
		pop_name);
END
$$;

-- Adds one more prefix to a PoP. `kind` is tunnel or subnet, `length` that of its subnets
-- (NULL: /48).
CREATE FUNCTION api.op_pop_prefix_add(pop_name text, kind text, prefix cidr, length int)
RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	PERFORM demand(kind IN ('tunnel', 'subnet'), 'A prefix is for tunnel or subnet, not for "%s".',
		kind);
	PERFORM api.pool_add(pop_find(pop_name), kind::pool_kind, prefix,
		coalesce(length, CASE kind WHEN 'tunnel' THEN 64 ELSE greatest(48, masklen(prefix)) END));
	RETURN QUERY SELECT format('added %s to %s for %ss', prefix, pop_name, kind);
END
$$;

-- Changes one property of a PoP. A new address reaches the PoP by its feed.
CREATE FUNCTION api.op_pop_set(pop_name text, key text, value text) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
SET lock_timeout = '2s'
AS $$
DECLARE
	pop_id int := pop_find(pop_name);
	disabled text := '';
BEGIN
	PERFORM demand(key IN ('ipv4', 'ipv6', 'city', 'country', 'isp_short', 'isp_name',
		'isp_website', 'isp_asn', 'isp_lir'), '"%s" is not a property of a PoP that can be set: '
		'use ipv4, ipv6, city, country, isp_short, isp_name, isp_website, isp_asn or isp_lir.',
		key);
	PERFORM demand(value IS NOT NULL, 'The value is missing.');
	IF key IN ('ipv4', 'ipv6') THEN
		PERFORM api.address_parse(value);
	END IF;
	IF key = 'ipv4' THEN
		LOCK TABLE pop IN SHARE ROW EXCLUSIVE MODE;
		disabled := api.tunnels_ending_at(value::inet);
	END IF;
	EXECUTE format('UPDATE pop SET %I = $1::%s WHERE id = $2', key,
		CASE WHEN key IN ('ipv4', 'ipv6') THEN 'inet' ELSE 'text' END)
		USING value, pop_id;
	RETURN QUERY SELECT format('%s: %s is now %s%s', pop_name, key, value, disabled);
EXCEPTION WHEN check_violation OR unique_violation THEN
	PERFORM refuse('BK003', '"%s" cannot be the %s of %s: it is not valid, or another PoP uses it.',
		value, key, pop_name);
WHEN lock_not_available THEN
	PERFORM refuse('BK001', '%s has left a transaction open that holds it. Restart its popd, or end '
		'its sessions with "ticctl pop secret".', pop_name);
END
$$;

CREATE FUNCTION api.op_pop_list()
RETURNS TABLE (name text, state text, since text, city text, country text, ipv4 text, ipv6 text,
	tunnels int, subnets int, reason text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT p.name, s.state::text, rfc3339(s.since), p.city, p.country, host(p.ipv4), host(p.ipv6),
		(SELECT count(*)::int FROM tunnel t WHERE t.pop = p.id),
		(SELECT count(*)::int FROM subnet n JOIN tunnel t ON t.id = n.tunnel WHERE t.pop = p.id),
		s.reason
	FROM pop p JOIN pop_status s ON s.pop = p.id ORDER BY p.name
$$;

CREATE FUNCTION api.op_pop_show(pop_name text)
RETURNS TABLE (name text, state text, reason text, since text, city text, country text, ipv4 text, ipv6 text,
	isp_short text, isp_name text, isp_website text, isp_asn text, isp_lir text,
	tunnel_prefixes text, subnet_prefixes text, tunnels int, subnets int, configured int, up int,
	active int, version text, started text, last_report text, feed_seq bigint,
	feed_seq_reported bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	pop_id int := pop_find(pop_name);
BEGIN
	RETURN QUERY SELECT p.name, s.state::text, s.reason, rfc3339(s.since), p.city, p.country, host(p.ipv4),
		host(p.ipv6), p.isp_short, p.isp_name, p.isp_website, p.isp_asn, p.isp_lir,
		(SELECT string_agg(l.prefix::text, ', ' ORDER BY l.id) FROM pool l
			WHERE l.pop = p.id AND l.kind = 'tunnel'),
		(SELECT string_agg(format('%s (/%s each)', l.prefix, l.length), ', ' ORDER BY l.id)
			FROM pool l WHERE l.pop = p.id AND l.kind = 'subnet'),
		(SELECT count(*)::int FROM tunnel t WHERE t.pop = p.id),
		(SELECT count(*)::int FROM subnet n JOIN tunnel t ON t.id = n.tunnel WHERE t.pop = p.id),
		s.configured, s.up, s.active, s.version, rfc3339(r.started), rfc3339(s.last_report), f.seq,
		r.feed_seq
	FROM pop p JOIN pop_status s ON s.pop = p.id JOIN feed f ON f.pop = p.id
	LEFT JOIN pop_report r ON r.pop = p.id WHERE p.id = pop_id;
END
$$;

CREATE FUNCTION api.op_pop_enable(pop_name text, enabled boolean) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	pop_id int := pop_find(pop_name);
BEGIN
	PERFORM demand(enabled IS NOT NULL, 'The state of a PoP is enabled or disabled.');
	UPDATE pop p SET enabled = op_pop_enable.enabled WHERE p.id = pop_id;
	RETURN QUERY SELECT format('%s %s', switch(op_pop_enable.enabled), pop_name);
END
$$;

CREATE FUNCTION api.op_setting_list() RETURNS TABLE (name text, value int, about text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT s.name, s.value, s.about FROM setting s ORDER BY s.name
$$;

CREATE FUNCTION api.op_setting_set(name text, value int) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	PERFORM demand(value >= 0, 'A setting is a whole number of 0 or more.');
	UPDATE setting s SET value = op_setting_set.value WHERE s.name = op_setting_set.name;
	IF NOT FOUND THEN
		PERFORM refuse('BK002', 'There is no setting %s.', name);
	END IF;
	RETURN QUERY SELECT format('%s is now %s', name, value);
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.op_pop_add(text, inet, inet, cidr, cidr, text, text, text, text, text,
		text, text, text),
	api.op_pop_secret(text, text), api.op_pop_delete(text),
	api.op_pop_prefix_add(text, text, cidr, int), api.op_pop_set(text, text, text),
	api.op_pop_list(), api.op_pop_show(text), api.op_pop_enable(text, boolean),
	api.op_setting_list(), api.op_setting_set(text, int) TO operator;
