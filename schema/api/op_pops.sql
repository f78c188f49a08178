-- PoPs, by the operator's hand.

-- Adds a pool; overlap with any pool of any PoP is refused by constraint and told in words here.
CREATE FUNCTION api.pool_add(pop int, kind broker.pool_kind, prefix cidr, length int) RETURNS void
LANGUAGE plpgsql
SET search_path = broker, pg_temp
AS $$
BEGIN
	PERFORM demand(family($3) = 6, '%s is not an IPv6 prefix.', $3::text);
	IF $2 = 'tunnel' THEN
		PERFORM demand(masklen($3) = 48 AND $4 = 64, 'Tunnels come from a /48 (cut into /64s), not from %s.', $3::text);
	ELSE
		PERFORM demand(masklen($3) >= 16 AND $4 BETWEEN masklen($3) AND 64,
			'Subnets of length %s do not fit %s: a pool is a /16 or longer, its subnets as long up to /64.',
			$4::text, $3::text);
	END IF;
	INSERT INTO pool (pop, kind, prefix, length) VALUES ($1, $2, $3, $4);
EXCEPTION WHEN exclusion_violation THEN
	PERFORM refuse('BK001', '%s overlaps %s.', $3::text,
		coalesce((SELECT format('%s of %s', l.prefix, p.name) FROM pool l JOIN pop p ON p.id = l.pop
			WHERE l.prefix && $3 LIMIT 1),
			'a prefix that was just added'));
END
$$;

CREATE FUNCTION api.op_pop_add(name text, ipv4 inet, ipv6 inet, tunnels cidr, subnets cidr, city text, country text,
	isp_short text, isp_name text, isp_website text, isp_asn text, isp_lir text)
RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	pop_id int;
BEGIN
	PERFORM demand($1 ~ '^[a-z][a-z0-9]{1,31}$',
		'A PoP name is 2 to 32 lower-case letters and digits and begins with a letter.');
	PERFORM demand($1 <> 'status', 'A PoP cannot be called status: that is the name of a page.');
	PERFORM demand(is_endpoint($2), 'A PoP needs the IPv4 address of one host.');
	PERFORM demand(family($3) = 6 AND masklen($3) = 128, 'A PoP needs the IPv6 address of one host.');
	PERFORM demand($4 IS NOT NULL, 'A PoP needs a tunnel prefix.');
	INSERT INTO pop (name, ipv4, ipv6, city, country, isp_short, isp_name, isp_website, isp_asn, isp_lir)
	VALUES ($1, $2, $3, coalesce($6, ''), coalesce($7, ''), coalesce($8, ''), coalesce($9, ''), coalesce($10, ''),
		coalesce($11, ''), coalesce($12, ''))
	RETURNING pop.id INTO pop_id;
	PERFORM api.pool_add(pop_id, 'tunnel', $4, 64);
	IF $5 IS NOT NULL THEN
		PERFORM api.pool_add(pop_id, 'subnet', $5, greatest(48, masklen($5)));
	END IF;
	RETURN QUERY SELECT format('added %s: tunnels from %s, %s', $1, $4,
		coalesce('subnets from ' || $5::text, 'no subnets'));
EXCEPTION WHEN unique_violation THEN
	PERFORM refuse('BK001', 'There is a PoP called %s or at %s already.', $1, host($2));
WHEN check_violation THEN
	PERFORM refuse('BK003', 'City, country and provider are lines of at most 100 characters (AS number 20), '
		'the website an http address.');
END
$$;

-- One more prefix for a PoP: kind is tunnel or subnet, length the size of its subnets (NULL: /48).
CREATE FUNCTION api.op_pop_prefix_add(name text, kind text, prefix cidr, length int) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
BEGIN
	PERFORM demand($2 IN ('tunnel', 'subnet'), 'A prefix is for tunnel or subnet, not "%s".', $2);
	PERFORM api.pool_add(pop_find($1), $2::pool_kind, $3,
		coalesce($4, CASE $2 WHEN 'tunnel' THEN 64 ELSE greatest(48, masklen($3)) END));
	RETURN QUERY SELECT format('added %s to %s for %ss', $3, $1, $2);
END
$$;

-- Changes one property of a PoP; a new address reaches the PoP by its feed.
CREATE FUNCTION api.op_pop_set(name text, key text, value text) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	pop_id int := pop_find($1);
BEGIN
	PERFORM demand(
		$2 IN ('ipv4', 'ipv6', 'city', 'country', 'isp_short', 'isp_name', 'isp_website', 'isp_asn', 'isp_lir'),
		'"%s" of a PoP cannot be set: it is ipv4, ipv6, city, country, isp_short, isp_name, isp_website, isp_asn '
		'or isp_lir.', $2);
	PERFORM demand($3 IS NOT NULL, 'The value is missing.');
	IF $2 IN ('ipv4', 'ipv6') THEN
		PERFORM address_parse($3);
	END IF;
	EXECUTE format('UPDATE pop SET %I = $1::%s WHERE id = $2', $2,
		CASE WHEN $2 IN ('ipv4', 'ipv6') THEN 'inet' ELSE 'text' END)
		USING $3, pop_id;
	RETURN QUERY SELECT format('%s: %s is now %s', $1, $2, $3);
EXCEPTION WHEN check_violation OR unique_violation THEN
	PERFORM refuse('BK003', '"%s" cannot be the %s of %s: it does not fit, or another PoP or a tunnel has it.', $3, $2,
		$1);
END
$$;

CREATE FUNCTION api.op_pop_list()
RETURNS TABLE (name text, state text, since text, city text, country text, ipv4 text, ipv6 text, tunnels int,
	subnets int)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT p.name, s.state::text, rfc3339(s.since), p.city, p.country, host(p.ipv4), host(p.ipv6),
		(SELECT count(*)::int FROM tunnel t WHERE t.pop = p.id),
		(SELECT count(*)::int FROM subnet n JOIN tunnel t ON t.id = n.tunnel WHERE t.pop = p.id)
	FROM pop p JOIN pop_status s ON s.pop = p.id ORDER BY p.name
$$;

CREATE FUNCTION api.op_pop_show(of_name text)
RETURNS TABLE (name text, state text, since text, city text, country text, ipv4 text, ipv6 text, isp_short text,
	isp_name text, isp_website text, isp_asn text, isp_lir text, tunnel_prefixes text, subnet_prefixes text,
	tunnels int, subnets int, configured int, up int, active int, version text, started text, last_report text,
	feed_seq bigint, feed_seq_reported bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	pop_id int := pop_find($1);
BEGIN
	RETURN QUERY SELECT p.name, s.state::text, rfc3339(s.since), p.city, p.country, host(p.ipv4), host(p.ipv6),
		p.isp_short, p.isp_name, p.isp_website, p.isp_asn, p.isp_lir,
		(SELECT string_agg(l.prefix::text, ', ' ORDER BY l.id) FROM pool l WHERE l.pop = p.id AND l.kind = 'tunnel'),
		(SELECT string_agg(format('%s (/%s each)', l.prefix, l.length), ', ' ORDER BY l.id) FROM pool l
			WHERE l.pop = p.id AND l.kind = 'subnet'),
		(SELECT count(*)::int FROM tunnel t WHERE t.pop = p.id),
		(SELECT count(*)::int FROM subnet n JOIN tunnel t ON t.id = n.tunnel WHERE t.pop = p.id),
		s.configured, s.up, s.active, s.version, rfc3339(r.started), rfc3339(s.last_report), f.seq, r.feed_seq
	FROM pop p JOIN pop_status s ON s.pop = p.id JOIN feed f ON f.pop = p.id LEFT JOIN pop_report r ON r.pop = p.id
	WHERE p.id = pop_id;
END
$$;

CREATE FUNCTION api.op_pop_enable(name text, "on" boolean) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	pop_id int := pop_find($1);
BEGIN
	PERFORM demand($2 IS NOT NULL, 'A PoP is enabled or disabled.');
	UPDATE pop p SET enabled = $2 WHERE p.id = pop_id;
	RETURN QUERY SELECT format('%s %s', switch($2), $1);
END
$$;

-- Settings of the whole broker (broker.setting).
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
	PERFORM demand($2 >= 0, 'A setting is a whole number, zero or more.');
	UPDATE setting s SET value = $2 WHERE s.name = $1;
	IF NOT FOUND THEN
		PERFORM refuse('BK002', 'There is no setting %s.', $1);
	END IF;
	RETURN QUERY SELECT format('%s is now %s', $1, $2);
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.op_pop_add(text, inet, inet, cidr, cidr, text, text, text, text, text, text, text),
	api.op_pop_prefix_add(text, text, cidr, int), api.op_pop_set(text, text, text), api.op_pop_list(),
	api.op_pop_show(text), api.op_pop_enable(text, boolean), api.op_setting_list(), api.op_setting_set(text, int)
	TO operator;
