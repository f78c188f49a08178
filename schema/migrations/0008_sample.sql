-- What tunnels did by the quarter of an hour as well as by the day; the same of each PoP as a whole, which outlives its
-- tunnels; and what was dropped for which reason. One batch of a PoP feeds all of it in one transaction. Weeks, months
-- and years are sums over days, made when somebody asks.
-- The columns from sent to drops are popd's list (popd/core/measure.h), in every table.

INSERT INTO broker.setting (name, value, about) VALUES
	('sample_keep_days', 8, 'days that samples by the quarter of an hour are kept; the sums of days stay'),
	('drop_keep_days', 90, 'days that drops are kept by reason; their sum stays');

-- A row of a batch, with NULL for where it does not count: `tunnel` that is not this PoP's, `at` of what popd knows by
-- the day only.
CREATE TYPE broker.measured AS (
	pop         int,
	tunnel      int,
	day         date,
	at          timestamptz,
	sent        bigint,
	received    bigint,
	rtt_min_us  int,
	rtt_sum_us  bigint,
	rtt_max_us  int,
	packets_in  bigint,
	octets_in   bigint,
	packets_out bigint,
	octets_out  bigint,
	drops       bigint
);

-- Each row is written over some times in its quarter, hence the room left in the pages.
CREATE TABLE broker.tunnel_sample (
	tunnel      int NOT NULL REFERENCES broker.tunnel ON DELETE CASCADE,
	-- The quarter's beginning.
	at          timestamptz NOT NULL CONSTRAINT tunnel_sample_quarter CHECK (extract(epoch FROM at) % 900 = 0),
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
	PRIMARY KEY (tunnel, at)
) WITH (fillfactor = 80);
CREATE INDEX ON broker.tunnel_sample (at);

CREATE TABLE broker.pop_day (
	pop         int NOT NULL REFERENCES broker.pop,
	day         date NOT NULL,
	sent        bigint NOT NULL DEFAULT 0 CHECK (sent >= 0),
	received    bigint NOT NULL DEFAULT 0 CHECK (received >= 0),
	rtt_min_us  int CHECK (rtt_min_us >= 0),
	rtt_sum_us  bigint NOT NULL DEFAULT 0 CHECK (rtt_sum_us >= 0),
	rtt_max_us  int CHECK (rtt_max_us >= 0),
	packets_in  bigint NOT NULL DEFAULT 0 CHECK (packets_in >= 0),
	octets_in   bigint NOT NULL DEFAULT 0 CHECK (octets_in >= 0),
	packets_out bigint NOT NULL DEFAULT 0 CHECK (packets_out >= 0),
	octets_out  bigint NOT NULL DEFAULT 0 CHECK (octets_out >= 0),
	drops       bigint NOT NULL DEFAULT 0 CHECK (drops >= 0),
	PRIMARY KEY (pop, day)
) WITH (fillfactor = 50);

CREATE TABLE broker.pop_sample (
	pop         int NOT NULL REFERENCES broker.pop,
	at          timestamptz NOT NULL CONSTRAINT pop_sample_quarter CHECK (extract(epoch FROM at) % 900 = 0),
	sent        bigint NOT NULL DEFAULT 0 CHECK (sent >= 0),
	received    bigint NOT NULL DEFAULT 0 CHECK (received >= 0),
	rtt_min_us  int CHECK (rtt_min_us >= 0),
	rtt_sum_us  bigint NOT NULL DEFAULT 0 CHECK (rtt_sum_us >= 0),
	rtt_max_us  int CHECK (rtt_max_us >= 0),
	packets_in  bigint NOT NULL DEFAULT 0 CHECK (packets_in >= 0),
	octets_in   bigint NOT NULL DEFAULT 0 CHECK (octets_in >= 0),
	packets_out bigint NOT NULL DEFAULT 0 CHECK (packets_out >= 0),
	octets_out  bigint NOT NULL DEFAULT 0 CHECK (octets_out >= 0),
	drops       bigint NOT NULL DEFAULT 0 CHECK (drops >= 0),
	PRIMARY KEY (pop, at)
) WITH (fillfactor = 50);

-- What the days so far still tell of each PoP.
INSERT INTO broker.pop_day (pop, day, sent, received, rtt_min_us, rtt_sum_us, rtt_max_us, packets_in, octets_in,
	packets_out, octets_out, drops)
SELECT t.pop, d.day, sum(d.sent), sum(d.received), min(d.rtt_min_us), sum(d.rtt_sum_us), max(d.rtt_max_us),
	sum(d.packets_in), sum(d.octets_in), sum(d.packets_out), sum(d.octets_out), sum(d.drops)
FROM broker.tunnel_day d JOIN broker.tunnel t ON t.id = d.tunnel GROUP BY t.pop, d.day;

-- Drops by reason: a name of popd's list (popd/core/drop.h) and what it means, which each popd tells when it starts.
CREATE TABLE broker.drop_reason (
	name text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9-]{0,39}$'),
	text text NOT NULL CHECK (broker.is_line(text, 200))
);
CREATE TABLE broker.tunnel_drop (
	tunnel  int NOT NULL REFERENCES broker.tunnel ON DELETE CASCADE,
	day     date NOT NULL,
	reason  text NOT NULL CHECK (reason ~ '^[a-z][a-z0-9-]{0,39}$'),
	packets bigint NOT NULL CHECK (packets >= 0),
	PRIMARY KEY (tunnel, day, reason)
) WITH (fillfactor = 80);
CREATE INDEX ON broker.tunnel_drop (day);
-- The PoP's, those that no tunnel is known for among them.
CREATE TABLE broker.pop_drop (
	pop     int NOT NULL REFERENCES broker.pop,
	day     date NOT NULL,
	reason  text NOT NULL CHECK (reason ~ '^[a-z][a-z0-9-]{0,39}$'),
	packets bigint NOT NULL CHECK (packets >= 0),
	PRIMARY KEY (pop, day, reason)
) WITH (fillfactor = 50);
