-- Prefixes handed out, the tunnels and subnets that hold them, and what people asked for.

-- One row a prefix in use or at rest. The exclusion constraint makes overlap impossible, the foreign key and the check
-- keep each inside its pool, and exactly one of tunnel, subnet, released_at says what it is for.
-- first and last: where the prefix lies in its pool, counted in /64s.
CREATE TABLE broker.allocation (
	prefix      cidr NOT NULL,
	pool        int NOT NULL,
	pop         int NOT NULL,
	kind        broker.pool_kind NOT NULL,
	pool_prefix cidr NOT NULL,
	tunnel      int,
	subnet      int,
	released_at timestamptz,
	first       bigint NOT NULL GENERATED ALWAYS AS
		(broker.prefix_high(prefix) - broker.prefix_high(pool_prefix)) STORED,
	last        bigint NOT NULL GENERATED ALWAYS AS (broker.prefix_high(prefix) - broker.prefix_high(pool_prefix)
		+ (1::bigint << (64 - masklen(prefix))) - 1) STORED,
	CONSTRAINT allocation_pool FOREIGN KEY (pool, pop, kind, pool_prefix)
		REFERENCES broker.pool (id, pop, kind, prefix),
	CONSTRAINT allocation_inside CHECK (prefix <<= pool_prefix),
	CONSTRAINT allocation_length CHECK (masklen(prefix) <= 64),
	CONSTRAINT allocation_overlap EXCLUDE USING gist (prefix inet_ops WITH &&),
	CONSTRAINT allocation_owner CHECK (num_nonnulls(tunnel, subnet, released_at) = 1),
	CONSTRAINT allocation_tunnel_kind CHECK (tunnel IS NULL OR kind = 'tunnel'),
	CONSTRAINT allocation_subnet_kind CHECK (subnet IS NULL OR kind = 'subnet'),
	-- Numbers 7fff and ffff stay free: <prefix>:ffff::1 is the PoP daemon itself.
	CONSTRAINT allocation_reserved CHECK (kind <> 'tunnel' OR (masklen(prefix) = 64
		AND broker.prefix_high(prefix) & 32767 <> 32767)),
	CONSTRAINT allocation_of_tunnel UNIQUE (prefix, tunnel, pop),
	CONSTRAINT allocation_of_subnet UNIQUE (prefix, subnet, pop)
);
CREATE UNIQUE INDEX ON broker.allocation (pool, last);
CREATE INDEX ON broker.allocation (tunnel);
CREATE INDEX ON broker.allocation (subnet);
CREATE INDEX ON broker.allocation (pool, released_at) WHERE released_at IS NOT NULL;

-- Largest MTU: 1500 less the outer IPv4 header (20) and, for AYIYA, UDP (8) and AYIYA with SHA-1 (44).
CREATE FUNCTION broker.mtu_most(type broker.tunnel_type) RETURNS int
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE type WHEN 'ayiya' THEN 1428 ELSE 1480 END;

CREATE SEQUENCE broker.tunnel_id AS int;
CREATE SEQUENCE broker.subnet_id AS int;

CREATE TABLE broker.tunnel (
	id            int PRIMARY KEY DEFAULT nextval('broker.tunnel_id') CHECK (id >= 1),
	account       int NOT NULL REFERENCES broker.account,
	pop           int NOT NULL,
	pop_ipv4      inet NOT NULL,
	type          broker.tunnel_type NOT NULL,
	prefix        cidr NOT NULL,
	number        int NOT NULL GENERATED ALWAYS AS (broker.prefix_number(prefix)) STORED,
	routed        cidr NOT NULL GENERATED ALWAYS AS (broker.prefix_routed(prefix)) STORED,
	endpoint      inet,
	mtu           int NOT NULL DEFAULT 1280,
	name          text NOT NULL DEFAULT '' CHECK (broker.is_line(name, 64)),
	secret        text NOT NULL DEFAULT broker.secret_generate() CHECK (secret ~ '^[0-9a-f]{32}$'),
	user_enabled  boolean NOT NULL DEFAULT true,
	admin_enabled boolean NOT NULL DEFAULT true,
	created_at    timestamptz NOT NULL DEFAULT now(),
	-- The copy of the PoP's address is kept right by its foreign key, so that a plain check can compare.
	CONSTRAINT tunnel_pop FOREIGN KEY (pop, pop_ipv4) REFERENCES broker.pop (id, ipv4) ON UPDATE CASCADE,
	CONSTRAINT tunnel_prefix FOREIGN KEY (prefix, id, pop) REFERENCES broker.allocation (prefix, tunnel, pop)
		DEFERRABLE INITIALLY DEFERRED,
	CONSTRAINT tunnel_routed FOREIGN KEY (routed, id, pop) REFERENCES broker.allocation (prefix, tunnel, pop)
		DEFERRABLE INITIALLY DEFERRED,
	CONSTRAINT tunnel_number CHECK (number BETWEEN 0 AND 32766),
	CONSTRAINT tunnel_static_endpoint CHECK ((type = 'static') = (endpoint IS NOT NULL)),
	CONSTRAINT tunnel_endpoint_unicast CHECK (broker.is_endpoint(endpoint)),
	CONSTRAINT tunnel_endpoint_not_pop CHECK (endpoint <> pop_ipv4),
	CONSTRAINT tunnel_mtu CHECK (mtu BETWEEN 1280 AND broker.mtu_most(type)),
	UNIQUE (id, pop)
);
ALTER SEQUENCE broker.tunnel_id OWNED BY broker.tunnel.id;
CREATE INDEX ON broker.tunnel (account, id);
CREATE INDEX ON broker.tunnel (pop, id);
CREATE UNIQUE INDEX ON broker.tunnel (prefix);

CREATE TABLE broker.subnet (
	id         int PRIMARY KEY DEFAULT nextval('broker.subnet_id') CHECK (id >= 1),
	tunnel     int NOT NULL,
	pop        int NOT NULL,
	prefix     cidr NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT subnet_tunnel FOREIGN KEY (tunnel, pop) REFERENCES broker.tunnel (id, pop),
	CONSTRAINT subnet_prefix FOREIGN KEY (prefix, id, pop) REFERENCES broker.allocation (prefix, subnet, pop)
		DEFERRABLE INITIALLY DEFERRED
);
ALTER SEQUENCE broker.subnet_id OWNED BY broker.subnet.id;
CREATE INDEX ON broker.subnet (tunnel);
CREATE UNIQUE INDEX ON broker.subnet (prefix);

ALTER TABLE broker.allocation
	ADD CONSTRAINT allocation_tunnel FOREIGN KEY (tunnel) REFERENCES broker.tunnel DEFERRABLE INITIALLY DEFERRED,
	ADD CONSTRAINT allocation_subnet FOREIGN KEY (subnet) REFERENCES broker.subnet DEFERRABLE INITIALLY DEFERRED;

-- Servers a subnet's reverse zone is delegated to.
CREATE TABLE broker.name_server (
	subnet   int NOT NULL REFERENCES broker.subnet ON DELETE CASCADE,
	host     text NOT NULL CHECK (length(host) <= 253
		AND host ~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$'),
	added_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (subnet, host)
);

-- `cost` is what the request was charged, whatever the table says later. tunnel: the one a subnet is for.
CREATE TYPE broker.request_state AS ENUM ('open', 'approved', 'refused');
CREATE TABLE broker.request (
	id            int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	account       int NOT NULL REFERENCES broker.account,
	kind          broker.pool_kind NOT NULL,
	pop           int NOT NULL REFERENCES broker.pop,
	type          broker.tunnel_type,
	endpoint      inet,
	tunnel        int,
	why           text NOT NULL DEFAULT '' CHECK (broker.is_line(why, 500)),
	cost          int NOT NULL,
	state         broker.request_state NOT NULL DEFAULT 'open',
	created_at    timestamptz NOT NULL DEFAULT now(),
	decided_at    timestamptz,
	decision      text NOT NULL DEFAULT '' CHECK (broker.is_line(decision, 500)),
	result        int,
	CONSTRAINT request_shape CHECK (CASE kind
		WHEN 'tunnel' THEN type IS NOT NULL AND tunnel IS NULL AND (type = 'static') = (endpoint IS NOT NULL)
		ELSE type IS NULL AND tunnel IS NOT NULL AND endpoint IS NULL END),
	CONSTRAINT request_endpoint CHECK (broker.is_endpoint(endpoint)),
	CONSTRAINT request_decided CHECK ((state = 'open') = (decided_at IS NULL)
		AND (state = 'approved') = (result IS NOT NULL))
);
CREATE INDEX ON broker.request (account);
CREATE INDEX ON broker.request (tunnel) WHERE state = 'open';
CREATE INDEX ON broker.request (id) WHERE state = 'open';

-- A prefix whose holder goes is set to rest, by whatever road the holder went.
CREATE FUNCTION broker.allocation_release() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
	IF TG_TABLE_NAME = 'tunnel' THEN
		UPDATE broker.allocation a SET tunnel = NULL, released_at = now() FROM gone g WHERE a.tunnel = g.id;
	ELSE
		UPDATE broker.allocation a SET subnet = NULL, released_at = now() FROM gone g WHERE a.subnet = g.id;
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER allocation_release AFTER DELETE ON broker.tunnel REFERENCING OLD TABLE AS gone
	FOR EACH STATEMENT EXECUTE FUNCTION broker.allocation_release();
CREATE TRIGGER allocation_release AFTER DELETE ON broker.subnet REFERENCING OLD TABLE AS gone
	FOR EACH STATEMENT EXECUTE FUNCTION broker.allocation_release();

-- A hint may only err low: it goes down with every allocation that goes, and to nothing when blocks of another length
-- are wanted.
CREATE FUNCTION broker.pool_hint_lower() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
	UPDATE broker.pool p SET hint = g.first
	FROM (SELECT gone.pool, min(gone.first) AS first FROM gone GROUP BY gone.pool) g
	WHERE p.id = g.pool AND p.hint > g.first;
	RETURN NULL;
END
$$;
CREATE TRIGGER pool_hint_lower AFTER DELETE ON broker.allocation REFERENCING OLD TABLE AS gone
	FOR EACH STATEMENT EXECUTE FUNCTION broker.pool_hint_lower();

CREATE FUNCTION broker.pool_hint_reset() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
	NEW.hint := 0;
	RETURN NEW;
END
$$;
CREATE TRIGGER pool_hint_reset BEFORE UPDATE OF length ON broker.pool
	FOR EACH ROW WHEN (NEW.length <> OLD.length) EXECUTE FUNCTION broker.pool_hint_reset();

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA broker FROM PUBLIC;
