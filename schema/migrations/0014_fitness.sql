-- A PoP is up when it can carry a packet: its report has reasons when it cannot, sentences of popd's.
-- Each change of state or reason is a row of history.

ALTER TABLE broker.pop_report ADD COLUMN reasons text[] NOT NULL DEFAULT '{}';
ALTER TABLE broker.pop_history ADD COLUMN reason text;

-- NULL: it is fit.
CREATE FUNCTION broker.pop_unfit(reasons text[]) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN nullif(array_to_string(reasons, '; '), '');

-- `since` is the time of the state, whatever reasons it has had.
CREATE OR REPLACE VIEW broker.pop_status AS
SELECT p.id AS pop, p.name, s.state,
	CASE WHEN s.state = 'down' AND h.state = 'up' THEN r.at + t.silence ELSE h.since END AS since,
	h.state AS recorded, r.at AS last_report,
	coalesce(r.configured, (SELECT count(*)::int FROM broker.tunnel n WHERE n.pop = p.id))
		AS configured,
	coalesce(r.up, 0) AS up, coalesce(r.active, 0) AS active, r.version,
	CASE WHEN s.state <> 'down' THEN NULL
		WHEN r.at IS NULL THEN 'never reported'
		WHEN r.at <= now() - t.silence THEN 'no report'
		ELSE broker.pop_unfit(r.reasons) END AS reason
FROM broker.pop p
CROSS JOIN (SELECT make_interval(secs => broker.setting_value('pop_silence_seconds')) AS silence) t
LEFT JOIN broker.pop_report r ON r.pop = p.id
LEFT JOIN LATERAL (SELECT l.state, (SELECT min(e.since) FROM broker.pop_history e
		WHERE e.pop = p.id AND e.id > coalesce((SELECT max(o.id) FROM broker.pop_history o
			WHERE o.pop = p.id AND o.state <> l.state), 0)) AS since
	FROM broker.pop_history l WHERE l.pop = p.id ORDER BY l.id DESC LIMIT 1) h ON true
CROSS JOIN LATERAL (SELECT CASE WHEN NOT p.enabled THEN 'disabled'
	WHEN r.at > now() - t.silence AND r.reasons = '{}' THEN 'up' ELSE 'down'
	END::broker.pop_state AS state) s;

DROP FUNCTION broker.pop_history_add(int, broker.pop_state, timestamptz);
CREATE FUNCTION broker.pop_history_add(pop int, state broker.pop_state, since timestamptz,
	reason text DEFAULT NULL) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	INSERT INTO broker.pop_history (pop, state, since, reason)
	SELECT pop_history_add.pop, pop_history_add.state, pop_history_add.since,
		pop_history_add.reason
	WHERE NOT EXISTS (SELECT FROM (SELECT h.state, h.reason FROM broker.pop_history h
			WHERE h.pop = pop_history_add.pop ORDER BY h.id DESC LIMIT 1) l
		WHERE l.state = pop_history_add.state
			AND l.reason IS NOT DISTINCT FROM pop_history_add.reason);
END;

-- A report came: the silence before it, if there was one, and then what it says.
CREATE OR REPLACE FUNCTION broker.pop_reported() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
	silence interval := make_interval(secs => broker.setting_value('pop_silence_seconds'));
	unfit text := broker.pop_unfit(NEW.reasons);
BEGIN
	IF NOT (SELECT p.enabled FROM broker.pop p WHERE p.id = NEW.pop) THEN
		RETURN NULL;
	END IF;
	IF TG_OP = 'UPDATE' AND NEW.at >= OLD.at + silence THEN
		PERFORM broker.pop_history_add(NEW.pop, 'down', OLD.at + silence, 'no report');
	END IF;
	IF NEW.at > now() - silence THEN
		PERFORM broker.pop_history_add(NEW.pop,
			CASE WHEN unfit IS NULL THEN 'up' ELSE 'down' END::broker.pop_state, NEW.at, unfit);
	END IF;
	RETURN NULL;
END
$$;

-- The operator's switch. A PoP that went silent and is then disabled was down in between. Like 0012's,
-- it goes on without a PoP that holds its report.
CREATE OR REPLACE FUNCTION broker.pop_switched() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
	silence interval := make_interval(secs => broker.setting_value('pop_silence_seconds'));
	reported timestamptz := broker.pop_report_at(NEW.id);
	unfit text := (SELECT broker.pop_unfit(r.reasons) FROM broker.pop_report r
		WHERE r.pop = NEW.id);
BEGIN
	IF reported IS NULL THEN
		unfit := 'never reported';
	ELSIF reported <= now() - silence THEN
		unfit := 'no report';
	END IF;
	IF NEW.enabled THEN
		PERFORM broker.pop_history_add(NEW.id,
			CASE WHEN unfit IS NULL THEN 'up' ELSE 'down' END::broker.pop_state, now(), unfit);
		RETURN NULL;
	END IF;
	IF TG_OP = 'UPDATE' AND unfit = 'no report' THEN
		PERFORM broker.pop_history_add(NEW.id, 'down', reported + silence, unfit);
	END IF;
	PERFORM broker.pop_history_add(NEW.id, 'disabled', now());
	RETURN NULL;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA broker FROM PUBLIC;
