-- Not even the schema's owner, writing the table directly, can make the ledger wrong.
BEGIN;
SET search_path = tap, public;
SELECT plan(37);
SELECT t.account() AS a \gset
SELECT api.op_credit('demo', 10, 'a bonus');
SELECT t.account('OTHER') AS other \gset

CREATE FUNCTION pg_temp.attack(cols text, vals text) RETURNS text LANGUAGE sql AS $$
	SELECT t.attack(format('INSERT INTO broker.ledger (account, action, amount, %s) VALUES (%s, %s)', cols,
		(SELECT id FROM broker.account WHERE handle = 'DEMO'), vals))
$$;
SELECT is(t.balance(), 35, 'an account begins with 25 ISK and a bonus adds to it');
SELECT is(pg_temp.attack('n', $$'credit', 1, 2$$), 'ledger_pkey', 'a second row with a number of the account is refused');
SELECT is(pg_temp.attack('n', $$'credit', 1, 4$$), 'ledger_chain', 'a gap in the numbers is refused');
SELECT is(pg_temp.attack('n', $$'credit', 1, 0$$), 'ledger_n_check', 'a row with the number 0 is refused');
SELECT is(pg_temp.attack('previous', $$'credit', 1, 99$$), 'ledger_chain',
	'a row that does not continue the balance before it is refused');
SELECT is(pg_temp.attack('balance', $$'credit', 1, 100$$), 'ledger_sum', 'a balance that is not the sum is refused');
SELECT is(pg_temp.attack('previous, balance', $$'credit', 1, 99, 100$$), 'ledger_chain',
	'a right sum over a wrong previous balance is refused');
SELECT is(pg_temp.attack('n, previous, balance', $$'credit', 1, 1, 0, 1$$), 'ledger_pkey',
	'a second first row is refused');
SELECT is(pg_temp.attack('n', $$'gift', 1, 3$$), 'ledger_action_check', 'an unknown action is refused');
SELECT is(t.attack($$INSERT INTO broker.ledger (account, action, amount) VALUES (-1, 'credit', 1)$$),
	'BK002 There is no account with the number -1.', 'a row of an account that does not exist is refused');
SELECT is(t.attack(format($$INSERT INTO broker.ledger (account, n, action, amount, previous) VALUES
	(%s, 3, 'credit', 5, 35), (%1$s, 4, 'credit', 5, 35)$$, :a)), 'ledger_chain',
		'the second of two rows in one statement has to continue the first');

SELECT is(t.attack($$UPDATE broker.ledger SET amount = 1000$$), '23001 the ledger is append-only: UPDATE refused',
	'an amount cannot be changed');
SELECT is(t.attack($$UPDATE broker.ledger SET why = 'other'$$), '23001 the ledger is append-only: UPDATE refused',
	'a reason cannot be changed');
SELECT is(t.attack($$DELETE FROM broker.ledger WHERE n = 2$$), '23001 the ledger is append-only: DELETE refused',
	'a row cannot be deleted');
SELECT is(t.attack($$TRUNCATE broker.ledger$$), '23001 the ledger is append-only: TRUNCATE refused', 'the table cannot be truncated');
SELECT is(t.attack($$TRUNCATE broker.account CASCADE$$), '23001 the ledger is append-only: TRUNCATE refused',
	'the ledger cannot be truncated through the accounts');
SELECT is(t.attack($$DELETE FROM broker.account WHERE handle = 'DEMO'$$), 'ledger_account_fkey',
	'an account with ledger rows cannot be deleted');
SELECT is(t.attack($$UPDATE broker.account SET id = id + 1000$$), 'ledger_account_fkey', 'its number cannot be changed');
SELECT is(t.attack($$INSERT INTO broker.ledger (account, n, action, amount, previous) SELECT account, n, action, 1,
	previous FROM broker.ledger
	ON CONFLICT (account, n) DO UPDATE SET amount = 1$$), '23001 the ledger is append-only: UPDATE refused',
		'an upsert cannot change a row');

-- The trigger decides every floor, whatever the row says; the constraints stand behind it.
SELECT is(t.attack(format($$INSERT INTO broker.ledger (account, action, amount) VALUES (%s, 'credit', -25)$$, :a)),
	'ok', 'a negative credit is accepted');
SELECT is(t.balance(), 10, 'and lowers the balance');
SELECT is(pg_temp.attack('floor', $$'tunnel_request', -10, NULL$$), 'ledger_floor',
	'a request below its floor is refused though the row claims to have no floor');
SELECT is(pg_temp.attack('floor', $$'ns_add', -11, 0$$), 'ledger_floor',
	'a request dearer than the balance is refused though the row claims the floor 0');
SELECT is(t.refusal(format($$INSERT INTO broker.ledger (account, action, amount, floor) VALUES (%s, 'ns_add', -11, 0)$$, :a)),
	'BK004 A name server needs a balance of 11 ISK and DEMO has 10.', 'the refusal names the floor that was applied');
SELECT is(pg_temp.attack('floor', $$'ns_add', -1, 10$$), 'ok', 'a row may claim a floor of its own');
SELECT is((SELECT floor FROM broker.ledger WHERE account = :a ORDER BY n DESC LIMIT 1), 1,
	'the recorded floor is the one that was applied');
SELECT is(t.attack(format($$INSERT INTO broker.ledger (account, action) VALUES (%s, 'ns_remove')$$, :a)), 'ok',
	'a row without an amount is accepted');
SELECT is((SELECT amount FROM broker.ledger WHERE account = :a ORDER BY n DESC LIMIT 1), -1,
	'its amount is the price of its action');
SELECT matches(t.attack(format($$INSERT INTO broker.ledger (account, action) VALUES (%s, 'credit')$$, :a)), '^23502',
	'an action without a price needs an amount');
SELECT api.op_credit('demo', 2, 'both back');
SELECT is(pg_temp.attack('why', $$'tunnel_delete', -25, 'x'$$), 'ok', 'a penalty may lower a balance below 0');
SELECT is(t.balance(), -15, 'the balance is below 0');
SELECT is(pg_temp.attack('why', $$'ns_add', 0, 'x'$$), 'ledger_floor', 'a balance below 0 refuses even a free request');
ALTER TABLE broker.ledger DISABLE TRIGGER ledger_append;
CREATE FUNCTION pg_temp.bare(action text, amount int, floor int) RETURNS text LANGUAGE sql AS $$
	SELECT t.attack(format('INSERT INTO broker.ledger (account, n, previous, balance, action, amount, floor) '
		'SELECT l.account, l.n + 1, l.balance, l.balance + %1$s, %2$L, %1$s, %3$L FROM broker.ledger l '
		'WHERE l.account = %4$s ORDER BY l.n DESC LIMIT 1', amount, action, floor, broker.account_find('OTHER')))
$$;
SELECT is(pg_temp.bare('ns_add', -1, 26), 'ledger_floor', 'without the trigger the constraint refuses below the floor');
SELECT is(pg_temp.bare('ns_add', -26, NULL), 'ledger_request_in_credit',
	'without the trigger the constraint refuses a request into debt');
ALTER TABLE broker.ledger ENABLE TRIGGER ledger_append;

SELECT is(t.balance('OTHER'), 25, 'none of this changed another account');
SELECT is((SELECT count(*) FROM broker.ledger l WHERE l.balance <>
	(SELECT sum(k.amount) FROM broker.ledger k WHERE k.account = l.account AND k.n <= l.n)), 0::bigint,
		'every balance is the sum of the amounts up to it');
SELECT is((SELECT count(*) FROM (SELECT account, count(*) c, max(n) m, min(n) f FROM broker.ledger GROUP BY account) x
	WHERE c <> m OR f <> 1), 0::bigint, 'the rows of every account are numbered from 1 without a gap');
SELECT * FROM finish();
ROLLBACK;
