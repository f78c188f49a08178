-- Accounts, by the operator's hand. The TIC secret is made by the caller, shown once there, and arrives here as digests
-- only.

CREATE FUNCTION api.op_user_add(handle text, full_name text, email text, credit int, md5_hex text, sha256_hex text)
RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	account_id int;
	gift int := coalesce($4, (cost_of('signup', NULL)).amount);
BEGIN
	PERFORM demand(handle($1) ~ '^[A-Z0-9][A-Z0-9-]{1,31}$',
		'A handle is 2 to 32 letters, digits and hyphens and does not begin with a hyphen.');
	PERFORM demand($2 <> '' AND is_line($2, 100), 'A name is one line of 1 to 100 characters.');
	PERFORM demand(length($3) <= 254 AND $3 ~ '^[^[:space:][:cntrl:]@]+@[^[:space:][:cntrl:]@]+$',
		'That is not an e-mail address.');
	PERFORM demand(gift BETWEEN 0 AND 1000000, 'The credit of a new account is 0 to 1000000 ISK.');
	INSERT INTO account (handle, full_name, email, md5_hex, sha256_hex) VALUES (handle($1), $2, $3, $5, $6)
	ON CONFLICT DO NOTHING RETURNING account.id INTO account_id;
	IF account_id IS NULL THEN
		PERFORM refuse('BK001', 'There is an account %s already.', handle($1));
	END IF;
	INSERT INTO ledger (account, action, amount) VALUES (account_id, 'signup', gift);
	RETURN QUERY SELECT format('added %s, balance %s', handle($1), gift);
END
$$;

CREATE FUNCTION api.op_user_list()
RETURNS TABLE (handle text, full_name text, email text, state text, balance int, tunnels int, created text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT a.handle, a.full_name, a.email, switch(a.enabled),
		account_balance(a.id), (SELECT count(*)::int FROM tunnel t WHERE t.account = a.id), rfc3339(a.created_at)
	FROM account a ORDER BY a.handle
$$;

CREATE FUNCTION api.op_user_show(of_handle text)
RETURNS TABLE (handle text, full_name text, email text, state text, balance int, tunnels int, subnets int, requests int,
	created text, last_login text, client text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	account_id int := account_find($1);
BEGIN
	RETURN QUERY SELECT a.handle, a.full_name, a.email, switch(a.enabled),
		account_balance(a.id), (SELECT count(*)::int FROM tunnel t WHERE t.account = a.id),
		(SELECT count(*)::int FROM subnet s JOIN tunnel t ON t.id = s.tunnel WHERE t.account = a.id),
		(SELECT count(*)::int FROM request r WHERE r.account = a.id AND r.state = 'open'),
		rfc3339(a.created_at), rfc3339(l.at), l.client
	FROM account a
	LEFT JOIN LATERAL (SELECT g.at, g.client FROM login g WHERE g.account = a.id ORDER BY g.at DESC LIMIT 1) l ON true
	WHERE a.id = account_id;
END
$$;

-- A disabled account cannot log in or ask for anything; its tunnels are left as they are.
CREATE FUNCTION api.op_user_enable(handle text, "on" boolean) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	account_id int := account_find($1);
BEGIN
	PERFORM demand($2 IS NOT NULL, 'An account is enabled or disabled.');
	UPDATE account a SET enabled = $2 WHERE a.id = account_id;
	RETURN QUERY SELECT CASE WHEN $2 THEN format('enabled %s', handle($1))
		ELSE format('disabled %s: no login and no requests, its tunnels stay as they are', handle($1)) END;
END
$$;

CREATE FUNCTION api.op_user_secret(handle text, md5_hex text, sha256_hex text) RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	account_id int := account_find($1);
BEGIN
	UPDATE account a SET md5_hex = $2, sha256_hex = $3 WHERE a.id = account_id;
	RETURN QUERY SELECT format('%s has a new TIC secret, the old one no longer works', handle($1));
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.op_user_add(text, text, text, int, text, text), api.op_user_list(),
	api.op_user_show(text), api.op_user_enable(text, boolean), api.op_user_secret(text, text, text) TO operator;
