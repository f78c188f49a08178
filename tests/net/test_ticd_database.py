"""ticd while the database is stopped, frozen, locked or restarted; and the daily job."""
import threading
import time

import pytest

from support.tic import TicError
from support.wait import until


def quick(ticd):
    """Greeting, time and help, which need no database; returns the seconds they took."""
    began = time.monotonic()
    tic = ticd.tic()
    tic.ask("get unixtime", "200")
    tic.block("help")
    tic.quit()
    return time.monotonic() - began


def test_database_stopped_is_said_at_once_and_recovers(ticd, database):
    survivor = ticd.login()
    database.stop()
    try:
        assert quick(ticd) < 0.5
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(TicError, match="400 The database cannot be reached at the moment"):
                ticd.login()
            assert time.monotonic() - began < 2.5
        assert "cannot be reached" in survivor.ask("tunnel list", "400")
        survivor.ask("get unixtime", "200")
        again = ticd.tic()  # a session that got the error may try again
        for _ in range(2):
            with pytest.raises(TicError, match="400 The database"):
                again.login("DEMO", ticd.SECRET)
    finally:
        database.start()
    until(lambda: ticd.login().quit(), 10, "a login after the restart")
    until(lambda: survivor.tunnels(), 10, "the old session")
    again.login("DEMO", ticd.SECRET)


def test_database_frozen_delays_nobody_else(ticd, database):
    survivor = ticd.login()
    outcomes = []

    def try_login():
        began = time.monotonic()
        try:
            ticd.login()
            outcomes.append(("in", time.monotonic() - began))
        except TicError as error:
            outcomes.append((str(error), time.monotonic() - began))

    database.freeze()
    try:
        threads = [threading.Thread(target=try_login) for _ in range(30)]
        for thread in threads:
            thread.start()
        worst = max(quick(ticd) for _ in range(20))
        survivor.send("tunnel list\nget unixtime")
        for thread in threads:
            thread.join()
        assert survivor.line().startswith("400 ") and survivor.line().startswith("200 ")
    finally:
        database.thaw()
    print(f"30 logins waiting: the slowest of 20 others took {worst * 1000:.0f} ms; the logins {min(t for _, t in outcomes):.1f} to {max(t for _, t in outcomes):.1f} s")
    assert worst < 0.5
    assert all("400 The database cannot be reached at the moment" in said for said, _ in outcomes), outcomes
    assert all(seconds < 5 for _, seconds in outcomes)
    until(lambda: ticd.login().quit(), 15, "a login after the thaw")


def test_database_restarted_between_two_questions(ticd, database):
    tic = ticd.login()
    database.stop("immediate")
    database.start()
    until(lambda: tic.tunnels(), 10, "the list")


def test_api_replaced_under_a_running_server(ticd, database):
    """A migration drops the functions and creates them again: prepared statements work afterwards."""
    tic = ticd.login()
    assert tic.tunnels()
    definition = database.sql("select pg_get_functiondef('api.tic_pop_list()'::regprocedure)")
    assert tic.block("pop list") == ["demo01"]
    database.sql("drop function api.tic_pop_list()")
    assert "Internal error" in tic.ask("pop list", "500")
    database.sql("\n".join(row[0] for row in definition) + "; grant execute on function api.tic_pop_list() to ticd")
    until(lambda: tic.block("pop list") == ["demo01"], 5, "the list")


def test_starts_without_a_database(start, database):
    database.stop()
    try:
        ticd = start()
        assert quick(ticd) < 0.5
        with pytest.raises(TicError, match="400 The database"):
            ticd.login()
    finally:
        database.start()
    until(lambda: ticd.login().quit(), 10, "a login")


def test_daily_job_books_once_when_several_ticd_run_it(start, database):
    database.sql("insert into broker.tunnel_day (tunnel, day, sent, received) values (3, (now() at time zone 'utc')::date - 1, 1440, 0)")
    bookings = lambda: [row for row in database.json("ledger", "DEMO") if row["action"] == "static_down_day"]  # noqa: E731
    assert bookings() == []
    servers = [start(isk_daily="yes") for _ in range(3)]
    until(bookings, 10, "the penalty")
    until(lambda: sum("static_down_day" in server.log() for server in servers) == 1, 5, "its line in the log")
    time.sleep(1)
    assert len(bookings()) == 1 and bookings()[0]["amount"] == -5
    assert not any("the daily ISK job failed" in server.log() for server in servers)


@pytest.mark.parametrize("broken, sentence", [("isk_daily(date)", "the daily ISK job"),
                                              ("prune()", "pruning failed")])
def test_daily_job_and_pruning_do_not_stop_each_other(start, database, broken, sentence):
    database.sql("delete from broker.isk_day; delete from broker.tunnel_day;"
                 " insert into broker.tunnel_day (tunnel, day, sent, received) values (3, (now() at time zone 'utc')::date - 1, 1440, 0);"
                 " insert into broker.login (account, at, method, address, tls, client) values (1, now() - interval '91 days', 'md5', '::1', true, 'old')")
    booked = lambda: database.sql("select count(*) from broker.ledger where action = 'static_down_day'")  # noqa: E731
    before = booked()
    database.sql(f"revoke execute on function api.{broken} from ticd")
    try:
        ticd = start(isk_daily="yes")
        until(lambda: sentence in ticd.log(), 10, "the warning")
        if broken == "prune()":
            until(lambda: booked() != before, 5, "the penalty")
        else:
            until(lambda: database.sql("select count(*) from broker.login where client = 'old'") == [["0"]], 5, "the old login to go")
            assert booked() == before
    finally:
        database.sql(f"grant execute on function api.{broken} to ticd; delete from broker.login where client = 'old'")


def test_daily_job_waits_for_the_database(start, database):
    database.stop()
    try:
        ticd = start(isk_daily="yes")
        until(lambda: "the daily ISK job failed, next attempt in 60 s" in ticd.log(), 15, "the warning")
    finally:
        database.start()
