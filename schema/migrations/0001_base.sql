-- The ground everything stands on: the schema, the record of migrations, settings, refusals, and the arithmetic of
-- prefixes. Schema broker is private to its owner. Programs come in through schema api only (see schema/README.md).

CREATE SCHEMA IF NOT EXISTS broker;
REVOKE ALL ON SCHEMA broker FROM PUBLIC;

-- Written by the migrator, one row a file of schema/migrations.
CREATE TABLE IF NOT EXISTS broker.migration (
	number     int PRIMARY KEY,
	name       text NOT NULL,
	checksum   text NOT NULL,
	applied_at timestamptz NOT NULL DEFAULT now()
);

-- What an operator may tune and no program needs a configuration file for.
CREATE TABLE broker.setting (
	name  text PRIMARY KEY,
	value int NOT NULL CHECK (value >= 0),
	about text NOT NULL
);
INSERT INTO broker.setting (name, value, about) VALUES
	('prefix_rest_days', 30, 'days a deleted prefix rests before it is handed out again'),
	('pop_silence_seconds', 45, 'a PoP is down when its last report is this old'),
	('feed_keep_days', 7, 'days a change stays in the feed; a PoP further behind reloads everything'),
	('login_keep_days', 90, 'days a login stays on record'),
	('statistics_batch_keep_days', 90, 'days a batch number of statistics is remembered as applied');

CREATE FUNCTION broker.setting_value(setting text) RETURNS int
LANGUAGE sql STABLE STRICT
RETURN (SELECT s.value FROM broker.setting s WHERE s.name = setting);

CREATE TYPE broker.tunnel_type AS ENUM ('ayiya', 'heartbeat', 'static');

-- A refusal: SQLSTATE class BK and a whole sentence, shown to the user word for word. Codes are listed in
-- schema/README.md.
CREATE FUNCTION broker.refuse(code text, sentence text, VARIADIC parts text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
	RAISE EXCEPTION USING ERRCODE = code, MESSAGE = format(sentence, VARIADIC parts);
END
$$;

-- For checking what a caller gave: BK003 unless `good` is true.
CREATE FUNCTION broker.demand(good boolean, sentence text, VARIADIC parts text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
	IF good IS NOT TRUE THEN
		PERFORM broker.refuse('BK003', sentence, VARIADIC parts);
	END IF;
END
$$;

CREATE FUNCTION broker.rfc3339(at timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"');

-- 128 bits from the server's strong random source (two random UUIDs hold 244), as 32 lower-case hex digits.
CREATE FUNCTION broker.secret_generate() RETURNS text
LANGUAGE sql VOLATILE
RETURN left(encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex'), 32);

-- How a switch is told everywhere.
CREATE FUNCTION broker.switch(is_on boolean) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN is_on THEN 'enabled' ELSE 'disabled' END;

-- Prefix arithmetic happens on the upper 64 bits of an IPv6 address, held in a bigint: every prefix we hand out is a
-- /64 or shorter.
CREATE FUNCTION broker.prefix_high(address inet) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN ('x' || encode(substring(inet_send(address) FROM 5 FOR 8), 'hex'))::bit(64)::bigint;

CREATE FUNCTION broker.prefix_of(high bigint, length int) RETURNS cidr
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN network(set_masklen((regexp_replace(lpad(to_hex(high), 16, '0'), '(....)(....)(....)(....)',
	'\1:\2:\3:\4::'))::inet, length));

-- The number of a tunnel is the fourth 16-bit group of its /64; its default routed /64 has the top bit of that group
-- set.
CREATE FUNCTION broker.prefix_number(prefix cidr) RETURNS int
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (broker.prefix_high(prefix) & 65535)::int;

CREATE FUNCTION broker.prefix_routed(prefix cidr) RETURNS cidr
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN network(set_masklen(inet '0:0:0:8000::' | prefix::inet, 64));

CREATE FUNCTION broker.prefix_host(prefix cidr, host int) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN host(prefix::inet + host);

-- An IPv4 address a tunnel may end on. Private and documentation addresses are fine (laboratories use them); what can
-- never be a unicast host elsewhere is not: this network, loopback, link-local, multicast, reserved.
CREATE FUNCTION broker.is_endpoint(address inet) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN family(address) = 4 AND masklen(address) = 32
	AND NOT (address <<= inet '0.0.0.0/8' OR address <<= inet '127.0.0.0/8' OR address <<= inet '169.254.0.0/16'
		OR address <<= inet '224.0.0.0/4' OR address <<= inet '240.0.0.0/4');

-- Handles are stored in capitals and found in any case, whatever the database's language.
CREATE FUNCTION broker.handle(given text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN upper(given COLLATE "C");

-- A single line of printable text: these values travel in line protocols.
CREATE FUNCTION broker.is_line(value text, most int) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN length(value) <= most AND value !~ '[[:cntrl:]]';

-- A reason as people give it: may be missing, never more than a line.
CREATE FUNCTION broker.reason(why text) RETURNS text
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
	PERFORM broker.demand(broker.is_line(coalesce(why, ''), 500), 'A reason is one line of at most 500 characters.');
	RETURN trim(coalesce(why, ''));
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA broker FROM PUBLIC;
