-- Accounts, for the operator. The caller makes the TIC secret and shows it once; only its digests
-- come here.

CREATE FUNCTION api.op_user_add(handle text, full_name text, email text, credit int, md5_hex text,
	sha256_hex text)
RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	account_id int;
	first_credit int := coalesce(op_user_add.credit, (cost_of('signup', NULL)).amount);
BEGIN
	PERFORM demand(handle(op_user_add.handle) ~ '^[A-Z0-9][A-Z0-9-]{1,31}$',
		'A handle is 2 to 32 letters, digits and hyphens and does not begin with a hyphen.');
	PERFORM demand(op_user_add.full_name <> '' AND is_line(op_user_add.full_name, 100),
		'A name is one line of 1 to 100 characters.');
	PERFORM demand(length(op_user_add.email) <= 254
		AND op_user_add.email ~ '^[^[:space:][:cntrl:]@]+@[^[:space:][:cntrl:]@]+$',
		'"%s" is not an e-mail address.', op_user_add.email);
	PERFORM demand(first_credit BETWEEN 0 AND 1000000,
		'The credit of a new account is 0 to 1000000 ISK.');
	INSERT INTO account AS a (handle, full_name, email, md5_hex, sha256_hex)
	VALUES (handle(op_user_add.handle), op_user_add.full_name, op_user_add.email,
		op_user_add.md5_hex, op_user_add.sha256_hex)
	ON CONFLICT DO NOTHING RETURNING a.id INTO account_id;
	IF account_id IS NULL THEN
		PERFORM refuse('BK001', 'There is already an account %s.', handle(op_user_add.handle));
	END IF;
	INSERT INTO ledger (account, action, amount) VALUES (account_id, 'signup', first_credit);
	RETURN QUERY SELECT format('added %s, balance %s', handle(op_user_add.handle), first_credit);
END
$$;

CREATE FUNCTION api.op_user_list()
RETURNS TABLE (handle text, full_name text, email text, state text, balance int, tunnels int,
	created text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
	SELECT a.handle, a.full_name, a.email, switch(a.enabled), account_balance(a.id),
		(SELECT count(*)::int FROM tunnel t WHERE t.account = a.id), rfc3339(a.created_at)
	FROM account a ORDER BY a.handle
$$;

CREATE FUNCTION api.op_user_show(account_handle text)
RETURNS TABLE (handle text, full_name text, email text, state text, balance int, tunnels int,
	subnets int, requests int, created text, last_login text, client text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	account_id int := account_find(account_handle);
BEGIN
	RETURN QUERY SELECT a.handle, a.full_name, a.email, switch(a.enabled), account_balance(a.id),
		(SELECT count(*)::int FROM tunnel t WHERE t.account = a.id),
		(SELECT count(*)::int FROM subnet s JOIN tunnel t ON t.id = s.tunnel
			WHERE t.account = a.id),
		(SELECT count(*)::int FROM request r WHERE r.account = a.id AND r.state = 'open'),
		rfc3339(a.created_at), rfc3339(l.at), l.client
	FROM account a
	LEFT JOIN LATERAL (SELECT g.at, g.client FROM login g WHERE g.account = a.id
		ORDER BY g.at DESC LIMIT 1) l ON true
	WHERE a.id = account_id;
END
$$;

-- A disabled account cannot log in or request anything; its tunnels stay as they are.
CREATE FUNCTION api.op_user_enable(account_handle text, enabled boolean)
RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	account_id int := account_find(account_handle);
BEGIN
	PERFORM demand(op_user_enable.enabled IS NOT NULL,
		'The state of an account is enabled or disabled.');
	UPDATE account a SET enabled = op_user_enable.enabled WHERE a.id = account_id;
	RETURN QUERY SELECT format('%s %s%s', switch(op_user_enable.enabled), handle(account_handle),
		CASE WHEN op_user_enable.enabled THEN ''
			ELSE ': it cannot log in or request anything; its tunnels stay as they are' END);
END
$$;

CREATE FUNCTION api.op_user_secret(account_handle text, md5_hex text, sha256_hex text)
RETURNS TABLE (message text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = broker, pg_temp
AS $$
DECLARE
	account_id int := account_find(account_handle);
BEGIN
	UPDATE account a SET md5_hex = op_user_secret.md5_hex, sha256_hex = op_user_secret.sha256_hex
	WHERE a.id = account_id;
	RETURN QUERY SELECT format('%s has a new TIC secret, the old one no longer works',
		handle(account_handle));
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.op_user_add(text, text, text, int, text, text), api.op_user_list(),
	api.op_user_show(text), api.op_user_enable(text, boolean),
	api.op_user_secret(text, text, text) TO operator;
