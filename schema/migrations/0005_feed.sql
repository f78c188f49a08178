-- The feed: what each PoP has to hear about. A row says "tunnel t changed, as number seq"; what it looks like now is
-- read from the tables, so a change can be delivered twice or late without harm, and one row a tunnel (its newest
-- number) is enough. Numbers are taken from the PoP's counter row, whose lock is held until commit: their order is the
-- order of commits, and who has seen number n has seen everything before it. Triggers do all of it; no function has to
-- remember.

CREATE TABLE broker.feed (
	pop    int PRIMARY KEY REFERENCES broker.pop,
	seq    bigint NOT NULL DEFAULT 0,
	-- Changes up to here have been forgotten.
	pruned bigint NOT NULL DEFAULT 0,
	CHECK (pruned <= seq)
);

-- tunnel 0 is the PoP itself: its row or its prefixes.
CREATE TABLE broker.change (
	pop    int NOT NULL REFERENCES broker.feed,
	tunnel int NOT NULL,
	seq    bigint NOT NULL,
	at     timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (pop, tunnel)
);
CREATE INDEX ON broker.change (pop, seq);

-- Locks the counters in PoP order, numbers the changes, and wakes the PoPs when this transaction commits.
CREATE FUNCTION broker.feed_record(pops int[], tunnels int[]) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
	it record;
	base bigint;
	many bigint;
BEGIN
	FOR it IN SELECT u.pop, array_agg(DISTINCT u.tunnel) AS tunnels
		FROM unnest(pops, tunnels) AS u (pop, tunnel) GROUP BY u.pop ORDER BY u.pop
	LOOP
		many := cardinality(it.tunnels);
		UPDATE broker.feed f SET seq = f.seq + many WHERE f.pop = it.pop RETURNING f.seq - many INTO base;
		INSERT INTO broker.change AS c (pop, tunnel, seq)
		SELECT it.pop, u.tunnel, base + u.n FROM unnest(it.tunnels) WITH ORDINALITY AS u (tunnel, n)
		ON CONFLICT (pop, tunnel) DO UPDATE SET seq = excluded.seq, at = excluded.at;
		PERFORM pg_notify('feed_' || p.name, (base + many)::text) FROM broker.pop p WHERE p.id = it.pop;
	END LOOP;
END
$$;

CREATE FUNCTION broker.feed_tunnel() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
	pops int[];
	tunnels int[];
BEGIN
	IF TG_OP = 'INSERT' THEN
		SELECT array_agg(n.pop), array_agg(n.id) INTO pops, tunnels FROM new_rows n;
	ELSIF TG_OP = 'DELETE' THEN
		SELECT array_agg(o.pop), array_agg(o.id) INTO pops, tunnels FROM old_rows o;
	ELSE
		SELECT array_agg(u.pop), array_agg(u.id) INTO pops, tunnels FROM (
			SELECT unnest(ARRAY[o.pop, n.pop]) AS pop, o.id FROM old_rows o JOIN new_rows n USING (id)
			WHERE (o.pop, o.type, o.prefix, o.secret, o.endpoint, o.mtu, o.user_enabled AND o.admin_enabled)
				IS DISTINCT FROM
				(n.pop, n.type, n.prefix, n.secret, n.endpoint, n.mtu, n.user_enabled AND n.admin_enabled)) u;
	END IF;
	PERFORM broker.feed_record(pops, tunnels);
	RETURN NULL;
END
$$;
CREATE TRIGGER feed_insert AFTER INSERT ON broker.tunnel REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION broker.feed_tunnel();
CREATE TRIGGER feed_update AFTER UPDATE ON broker.tunnel REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION broker.feed_tunnel();
CREATE TRIGGER feed_delete AFTER DELETE ON broker.tunnel REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION broker.feed_tunnel();

CREATE FUNCTION broker.feed_subnet() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
	pops int[] := '{}';
	tunnels int[] := '{}';
BEGIN
	IF TG_OP <> 'INSERT' THEN
		SELECT array_agg(o.pop), array_agg(o.tunnel) INTO pops, tunnels FROM old_rows o;
	END IF;
	IF TG_OP <> 'DELETE' THEN
		SELECT pops || array_agg(n.pop), tunnels || array_agg(n.tunnel) INTO pops, tunnels FROM new_rows n;
	END IF;
	PERFORM broker.feed_record(pops, tunnels);
	RETURN NULL;
END
$$;
CREATE TRIGGER feed_insert AFTER INSERT ON broker.subnet REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION broker.feed_subnet();
CREATE TRIGGER feed_update AFTER UPDATE ON broker.subnet REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION broker.feed_subnet();
CREATE TRIGGER feed_delete AFTER DELETE ON broker.subnet REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION broker.feed_subnet();

-- A tunnel keeps its id for life: the feed and the ledger know it by that.
CREATE FUNCTION broker.tunnel_keep_id() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
	RAISE EXCEPTION 'the id of a tunnel or subnet never changes' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER keep_id BEFORE UPDATE OF id ON broker.tunnel
	FOR EACH ROW WHEN (NEW.id <> OLD.id) EXECUTE FUNCTION broker.tunnel_keep_id();
CREATE TRIGGER keep_id BEFORE UPDATE OF id ON broker.subnet
	FOR EACH ROW WHEN (NEW.id <> OLD.id) EXECUTE FUNCTION broker.tunnel_keep_id();

CREATE FUNCTION broker.feed_pop() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		INSERT INTO broker.feed (pop) VALUES (NEW.id);
	ELSIF (OLD.name, OLD.ipv4, OLD.ipv6, OLD.enabled) IS DISTINCT FROM (NEW.name, NEW.ipv4, NEW.ipv6, NEW.enabled) THEN
		PERFORM broker.feed_record(ARRAY[NEW.id], ARRAY[0]);
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER feed_pop AFTER INSERT OR UPDATE ON broker.pop FOR EACH ROW EXECUTE FUNCTION broker.feed_pop();

CREATE FUNCTION broker.feed_pool() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
	IF TG_OP <> 'INSERT' THEN
		PERFORM broker.feed_record(ARRAY[OLD.pop], ARRAY[0]);
	END IF;
	IF TG_OP <> 'DELETE' THEN
		PERFORM broker.feed_record(ARRAY[NEW.pop], ARRAY[0]);
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER feed_pool AFTER INSERT OR DELETE OR UPDATE OF pop, kind, prefix ON broker.pool
	FOR EACH ROW EXECUTE FUNCTION broker.feed_pool();

-- Forgets what is older than the setting; a PoP that asks from before that is told to reload.
CREATE FUNCTION broker.feed_prune() RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
	it record;
BEGIN
	FOR it IN SELECT c.pop, max(c.seq) AS seq FROM broker.change c
		WHERE c.at < now() - make_interval(days => broker.setting_value('feed_keep_days')) GROUP BY c.pop ORDER BY c.pop
	LOOP
		UPDATE broker.feed f SET pruned = greatest(f.pruned, it.seq) WHERE f.pop = it.pop;
		DELETE FROM broker.change c WHERE c.pop = it.pop AND c.seq <= it.seq;
	END LOOP;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA broker FROM PUBLIC;
