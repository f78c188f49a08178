-- Every PoP has a log-in of its own, popd_<name>, and its doors know it by that. PoPs of before
-- logged in as popd, all of them; such a PoP may go on until it was given its own log-in.

ALTER TABLE broker.pop ADD COLUMN shared_login boolean NOT NULL DEFAULT false;
UPDATE broker.pop SET shared_login = true;

-- What a drop reason means is each PoP's own word, for its own drops.
ALTER TABLE broker.drop_reason ADD COLUMN pop int REFERENCES broker.pop;
ALTER TABLE broker.drop_reason DROP CONSTRAINT drop_reason_pkey;
INSERT INTO broker.drop_reason (pop, name, text)
SELECT p.id, r.name, r.text FROM broker.drop_reason r CROSS JOIN broker.pop p;
DELETE FROM broker.drop_reason r WHERE r.pop IS NULL;
ALTER TABLE broker.drop_reason ADD PRIMARY KEY (pop, name);

-- Every PoP knows the addresses of all PoPs: a new, changed or deleted one is news for each. The
-- counter of a deleted PoP is gone by then.
CREATE OR REPLACE FUNCTION broker.feed_pop() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
	pops int[];
BEGIN
	IF TG_OP = 'INSERT' THEN
		INSERT INTO broker.feed (pop) VALUES (NEW.id);
	END IF;
	IF TG_OP <> 'UPDATE' OR OLD.ipv4 <> NEW.ipv4 THEN
		SELECT array_agg(f.pop) INTO pops FROM broker.feed f;
	ELSIF (OLD.name, OLD.ipv6, OLD.enabled) IS DISTINCT FROM (NEW.name, NEW.ipv6, NEW.enabled) THEN
		pops := ARRAY[NEW.id];
	END IF;
	PERFORM broker.feed_record(pops, array_fill(0, ARRAY[coalesce(cardinality(pops), 0)]));
	RETURN NULL;
END
$$;
DROP TRIGGER feed_pop ON broker.pop;
CREATE TRIGGER feed_pop AFTER INSERT OR DELETE OR UPDATE ON broker.pop
	FOR EACH ROW EXECUTE FUNCTION broker.feed_pop();

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA broker FROM PUBLIC;
