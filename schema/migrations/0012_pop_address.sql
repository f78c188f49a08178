-- No tunnel that is enabled ends at a PoP: two such tunnels would send a packet back and forth. A
-- user's tunnel does not stand in a PoP's way either: a PoP that takes an address disables the
-- tunnels that end there.

CREATE INDEX ON broker.tunnel (endpoint) WHERE endpoint IS NOT NULL;

UPDATE broker.tunnel t SET admin_enabled = false
WHERE t.admin_enabled AND t.endpoint IN (SELECT p.ipv4 FROM broker.pop p);
ALTER TABLE broker.tunnel DROP CONSTRAINT tunnel_endpoint_not_pop;

-- Addresses of PoPs and endpoints are compared under a lock of table pop, which is taken before the
-- tunnels' rows: whoever takes an address for a PoP excludes those who take one for a tunnel.
CREATE FUNCTION broker.tunnel_endpoint_lock() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
	LOCK TABLE broker.pop IN ROW EXCLUSIVE MODE;
	RETURN NULL;
END
$$;
CREATE TRIGGER endpoint_lock BEFORE INSERT OR UPDATE OF endpoint, user_enabled, admin_enabled
	ON broker.tunnel FOR EACH STATEMENT EXECUTE FUNCTION broker.tunnel_endpoint_lock();

CREATE FUNCTION broker.tunnel_endpoint_not_pop() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
	bad record;
BEGIN
	SELECT n.id, n.endpoint, p.name INTO bad FROM new_rows n JOIN broker.pop p ON p.ipv4 = n.endpoint
	WHERE n.user_enabled AND n.admin_enabled ORDER BY n.id LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'BK001', CONSTRAINT = 'tunnel_endpoint_not_pop',
			MESSAGE = format('T%s cannot end at %s, which is the PoP %s.', bad.id, host(bad.endpoint),
				bad.name);
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER endpoint_not_pop_insert AFTER INSERT ON broker.tunnel REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION broker.tunnel_endpoint_not_pop();
CREATE TRIGGER endpoint_not_pop_update AFTER UPDATE ON broker.tunnel REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION broker.tunnel_endpoint_not_pop();

-- Rows of tunnels are locked before the feed's counters, and these in PoP order, as everywhere.
CREATE FUNCTION broker.pop_address_clear() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
	LOCK TABLE broker.pop IN SHARE ROW EXCLUSIVE MODE;
	PERFORM FROM broker.tunnel t WHERE t.endpoint = NEW.ipv4 AND t.admin_enabled
		ORDER BY t.id FOR NO KEY UPDATE;
	PERFORM FROM broker.feed f ORDER BY f.pop FOR NO KEY UPDATE;
	UPDATE broker.tunnel t SET admin_enabled = false
	WHERE t.endpoint = NEW.ipv4 AND t.admin_enabled;
	RETURN NEW;
END
$$;
CREATE TRIGGER address_clear_insert BEFORE INSERT ON broker.pop
	FOR EACH ROW EXECUTE FUNCTION broker.pop_address_clear();
CREATE TRIGGER address_clear_update BEFORE UPDATE OF ipv4 ON broker.pop
	FOR EACH ROW WHEN (NEW.ipv4 <> OLD.ipv4) EXECUTE FUNCTION broker.pop_address_clear();

-- A PoP that leaves a transaction open after a report holds the report's row: whoever switches the
-- PoP waits 2 seconds for it and then takes the row as it was before.
CREATE FUNCTION broker.pop_report_at(pop int) RETURNS timestamptz
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
DECLARE
	reported timestamptz;
BEGIN
	SELECT r.at INTO reported FROM broker.pop_report r WHERE r.pop = pop_report_at.pop FOR UPDATE;
	RETURN reported;
EXCEPTION WHEN lock_not_available THEN
	RETURN (SELECT r.at FROM broker.pop_report r WHERE r.pop = pop_report_at.pop);
END
$$;

CREATE OR REPLACE FUNCTION broker.pop_switched() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
	silence interval := make_interval(secs => broker.setting_value('pop_silence_seconds'));
	reported timestamptz := broker.pop_report_at(NEW.id);
	living boolean := coalesce(reported > now() - silence, false);
BEGIN
	IF NEW.enabled THEN
		PERFORM broker.pop_history_add(NEW.id,
			CASE WHEN living THEN 'up' ELSE 'down' END::broker.pop_state, now());
		RETURN NULL;
	END IF;
	IF TG_OP = 'UPDATE' AND NOT living AND reported IS NOT NULL THEN
		PERFORM broker.pop_history_add(NEW.id, 'down', reported + silence);
	END IF;
	PERFORM broker.pop_history_add(NEW.id, 'disabled', now());
	RETURN NULL;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA broker FROM PUBLIC;
