-- Not even the schema's owner, writing the table directly, can make the ledger wrong.
BEGIN;
SET search_path = tap, public;
SELECT plan(29);
SELECT t.account() AS a \gset
SELECT api.op_credit('demo', 10, 'a bonus');
SELECT t.account('OTHER') AS other \gset

CREATE FUNCTION pg_temp.attack(cols text, vals text) RETURNS text LANGUAGE sql AS $$
	SELECT t.attack(format('INSERT INTO broker.ledger (account, action, amount, %s) VALUES (%s, %s)', cols,
		(SELECT id FROM broker.account WHERE handle = 'DEMO'), vals))
$$;
SELECT is(t.balance(), 35, 'an account begins with 25 and a bonus adds to it');
SELECT is(pg_temp.attack('n', $$'credit', 1, 2$$), 'ledger_pkey', 'a second row of one number is refused');
SELECT is(pg_temp.attack('n', $$'credit', 1, 4$$), 'ledger_chain', 'a gap in the numbers is refused');
SELECT is(pg_temp.attack('n', $$'credit', 1, 0$$), 'ledger_n_check', 'numbers begin at 1');
SELECT is(pg_temp.attack('previous', $$'credit', 1, 99$$), 'ledger_chain',
	'a row that does not continue the balance before it is refused');
SELECT is(pg_temp.attack('balance', $$'credit', 1, 100$$), 'ledger_sum', 'a balance that is not the sum is refused');
SELECT is(pg_temp.attack('previous, balance', $$'credit', 1, 99, 100$$), 'ledger_chain',
	'a sum that is right but begins elsewhere is refused');
SELECT is(pg_temp.attack('n, previous, balance', $$'credit', 1, 1, 0, 1$$), 'ledger_pkey',
	'a second beginning is refused');
SELECT is(pg_temp.attack('n', $$'gift', 1, 3$$), 'ledger_action_check', 'an unknown action is refused');
SELECT is(t.attack($$INSERT INTO broker.ledger (account, action, amount) VALUES (-1, 'credit', 1)$$),
	'ledger_account_fkey', 'a row without an account is refused');
SELECT is(t.attack(format($$INSERT INTO broker.ledger (account, n, action, amount, previous) VALUES
	(%s, 3, 'credit', 5, 35), (%1$s, 4, 'credit', 5, 35)$$, :a)), 'ledger_chain',
		'of two rows the second continues the first');

SELECT is(t.attack($$UPDATE broker.ledger SET amount = 1000$$), '23001 the ledger is append-only: UPDATE refused',
	'no row is changed');
SELECT is(t.attack($$UPDATE broker.ledger SET why = 'other'$$), '23001 the ledger is append-only: UPDATE refused',
	'not even its reason');
SELECT is(t.attack($$DELETE FROM broker.ledger WHERE n = 2$$), '23001 the ledger is append-only: DELETE refused',
	'no row goes');
SELECT is(t.attack($$TRUNCATE broker.ledger$$), '23001 the ledger is append-only: TRUNCATE refused', 'nor all of them');
SELECT is(t.attack($$TRUNCATE broker.account CASCADE$$), '23001 the ledger is append-only: TRUNCATE refused',
	'nor by way of the accounts');
SELECT is(t.attack($$DELETE FROM broker.account WHERE handle = 'DEMO'$$), 'ledger_account_fkey',
	'an account with a history stays');
SELECT is(t.attack($$UPDATE broker.account SET id = id + 1000$$), 'ledger_account_fkey', 'and keeps its number');
SELECT is(t.attack($$INSERT INTO broker.ledger (account, n, action, amount, previous) SELECT account, n, action, 1,
	previous FROM broker.ledger
	ON CONFLICT (account, n) DO UPDATE SET amount = 1$$), '23001 the ledger is append-only: UPDATE refused',
		'no road round by upsert');

-- Floors are the table's own, not only the functions'.
SELECT is(t.attack(format($$INSERT INTO broker.ledger (account, action, amount) VALUES (%s, 'credit', -25)$$, :a)),
	'ok', 'a correction may take');
SELECT is(t.balance(), 10, 'and is in the balance');
SELECT is(pg_temp.attack('floor', $$'tunnel_request', -10, NULL$$), 'ledger_floor',
	'a request below its floor is refused though the row says none');
SELECT is(pg_temp.attack('floor', $$'ns_add', -11, 0$$), 'ledger_request_in_credit',
	'a request never leaves a negative balance');
SELECT is(pg_temp.attack('why', $$'tunnel_delete', -25, 'x'$$), 'ok', 'a penalty may take it below zero');
SELECT is(t.balance(), -15, 'and it is below zero');
SELECT is(pg_temp.attack('why', $$'ns_add', 0, 'x'$$), 'ledger_floor', 'and then even a free request is refused');

SELECT is(t.balance('OTHER'), 25, 'another account is untouched by all this');
SELECT is((SELECT count(*) FROM broker.ledger l WHERE l.balance <>
	(SELECT sum(k.amount) FROM broker.ledger k WHERE k.account = l.account AND k.n <= l.n)), 0::bigint,
		'every balance is the sum up to it');
SELECT is((SELECT count(*) FROM (SELECT account, count(*) c, max(n) m, min(n) f FROM broker.ledger GROUP BY account) x
	WHERE c <> m OR f <> 1), 0::bigint, 'every account is numbered from 1 without a gap');
SELECT * FROM finish();
ROLLBACK;
