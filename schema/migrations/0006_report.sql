-- What PoPs tell: that they live, and what their tunnels did. And who logged in.

CREATE TABLE broker.pop_report (
	pop         int PRIMARY KEY REFERENCES broker.pop,
	at          timestamptz NOT NULL,
	incarnation text NOT NULL CHECK (incarnation ~ '^[0-9a-f]{32}$'),
	version     text NOT NULL CHECK (broker.is_line(version, 100)),
	started     timestamptz NOT NULL,
	configured  int NOT NULL CHECK (configured >= 0),
	up          int NOT NULL CHECK (up >= 0),
	active      int NOT NULL CHECK (active >= 0),
	feed_seq    bigint NOT NULL
);

-- Each change of state, oldest first. Going down happens in silence, so its row is written late (by the next report or
-- switch) with the time it became true; until then the view pop_status tells it.
CREATE TYPE broker.pop_state AS ENUM ('up', 'down', 'disabled');
CREATE TABLE broker.pop_history (
	id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	pop   int NOT NULL REFERENCES broker.pop,
	since timestamptz NOT NULL,
	state broker.pop_state NOT NULL
);
CREATE INDEX ON broker.pop_history (pop, id);

-- The one answer to "is this PoP up": the status page and TIC both read it here.
CREATE VIEW broker.pop_status AS
SELECT p.id AS pop, p.name, s.state,
	CASE WHEN s.state = 'down' AND h.state = 'up' THEN r.at + t.silence ELSE h.since END AS since,
	h.state AS recorded, r.at AS last_report,
	coalesce(r.configured, (SELECT count(*)::int FROM broker.tunnel n WHERE n.pop = p.id)) AS configured,
	coalesce(r.up, 0) AS up, coalesce(r.active, 0) AS active, r.version
FROM broker.pop p
CROSS JOIN (SELECT make_interval(secs => broker.setting_value('pop_silence_seconds')) AS silence) t
LEFT JOIN broker.pop_report r ON r.pop = p.id
LEFT JOIN LATERAL (SELECT h.state, h.since FROM broker.pop_history h
	WHERE h.pop = p.id ORDER BY h.id DESC LIMIT 1) h ON true
CROSS JOIN LATERAL (SELECT CASE WHEN NOT p.enabled THEN 'disabled' WHEN r.at > now() - t.silence THEN 'up' ELSE 'down'
	END::broker.pop_state AS state) s;

CREATE FUNCTION broker.pop_history_add(pop int, state broker.pop_state, since timestamptz) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	INSERT INTO broker.pop_history (pop, state, since)
	SELECT pop_history_add.pop, pop_history_add.state, pop_history_add.since
	WHERE pop_history_add.state IS DISTINCT FROM
		(SELECT h.state FROM broker.pop_history h WHERE h.pop = pop_history_add.pop ORDER BY h.id DESC LIMIT 1);
END;

-- A report came: the silence before it, if there was one, and then the return.
CREATE FUNCTION broker.pop_reported() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
	silence interval := make_interval(secs => broker.setting_value('pop_silence_seconds'));
BEGIN
	IF NOT (SELECT p.enabled FROM broker.pop p WHERE p.id = NEW.pop) THEN
		RETURN NULL;
	END IF;
	IF TG_OP = 'UPDATE' AND NEW.at >= OLD.at + silence THEN
		PERFORM broker.pop_history_add(NEW.pop, 'down', OLD.at + silence);
	END IF;
	IF NEW.at > now() - silence THEN
		PERFORM broker.pop_history_add(NEW.pop, 'up', NEW.at);
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER pop_reported AFTER INSERT OR UPDATE ON broker.pop_report FOR EACH ROW
	EXECUTE FUNCTION broker.pop_reported();

-- The operator's switch. A PoP that went silent and is then disabled was down in between.
CREATE FUNCTION broker.pop_switched() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
	silence interval := make_interval(secs => broker.setting_value('pop_silence_seconds'));
	reported timestamptz := (SELECT r.at FROM broker.pop_report r WHERE r.pop = NEW.id FOR UPDATE);
	living boolean := coalesce(reported > now() - silence, false);
BEGIN
	IF NEW.enabled THEN
		PERFORM broker.pop_history_add(NEW.id, CASE WHEN living THEN 'up' ELSE 'down' END::broker.pop_state, now());
		RETURN NULL;
	END IF;
	IF TG_OP = 'UPDATE' AND NOT living AND reported IS NOT NULL THEN
		PERFORM broker.pop_history_add(NEW.id, 'down', reported + silence);
	END IF;
	PERFORM broker.pop_history_add(NEW.id, 'disabled', now());
	RETURN NULL;
END
$$;
CREATE TRIGGER pop_added AFTER INSERT ON broker.pop FOR EACH ROW EXECUTE FUNCTION broker.pop_switched();
CREATE TRIGGER pop_switched AFTER UPDATE OF enabled ON broker.pop
	FOR EACH ROW WHEN (NEW.enabled <> OLD.enabled) EXECUTE FUNCTION broker.pop_switched();

-- One row a tunnel and day (UTC), summed from what the PoP sends in batches. rtt_sum_us / received is the average.
CREATE TABLE broker.tunnel_day (
	tunnel      int NOT NULL REFERENCES broker.tunnel ON DELETE CASCADE,
	day         date NOT NULL,
	sent        int NOT NULL DEFAULT 0 CHECK (sent >= 0),
	received    int NOT NULL DEFAULT 0 CHECK (received >= 0),
	rtt_min_us  int CHECK (rtt_min_us >= 0),
	rtt_sum_us  bigint NOT NULL DEFAULT 0 CHECK (rtt_sum_us >= 0),
	rtt_max_us  int CHECK (rtt_max_us >= 0),
	packets_in  bigint NOT NULL DEFAULT 0 CHECK (packets_in >= 0),
	octets_in   bigint NOT NULL DEFAULT 0 CHECK (octets_in >= 0),
	packets_out bigint NOT NULL DEFAULT 0 CHECK (packets_out >= 0),
	octets_out  bigint NOT NULL DEFAULT 0 CHECK (octets_out >= 0),
	drops       bigint NOT NULL DEFAULT 0 CHECK (drops >= 0),
	PRIMARY KEY (tunnel, day)
);
CREATE INDEX ON broker.tunnel_day (day);

CREATE TABLE broker.statistics_batch (
	pop         int NOT NULL REFERENCES broker.pop,
	incarnation text NOT NULL CHECK (incarnation ~ '^[0-9a-f]{32}$'),
	batch       bigint NOT NULL,
	at          timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (pop, incarnation, batch)
);
CREATE INDEX ON broker.statistics_batch (at);

-- The daily ISK job: the days it has done, and how many days in a row each tunnel has been silent or answered.
CREATE TABLE broker.isk_day (
	day     date PRIMARY KEY,
	done_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE broker.tunnel_streak (
	tunnel    int PRIMARY KEY REFERENCES broker.tunnel ON DELETE CASCADE,
	down_days int NOT NULL DEFAULT 0 CHECK (down_days BETWEEN 0 AND 6),
	up_days   int NOT NULL DEFAULT 0 CHECK (up_days BETWEEN 0 AND 6),
	CHECK (down_days = 0 OR up_days = 0)
);

-- Full TIC logins; tunnel is set for a per-tunnel login.
CREATE TABLE broker.login (
	id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	account int NOT NULL REFERENCES broker.account,
	tunnel  int,
	at      timestamptz NOT NULL DEFAULT now(),
	method  text NOT NULL CHECK (broker.is_line(method, 20)),
	address inet NOT NULL,
	tls     boolean NOT NULL,
	client  text NOT NULL CHECK (broker.is_line(client, 200))
);
CREATE INDEX ON broker.login (account, at);

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA broker FROM PUBLIC;
