"""A PoP's own log-in: its password is shown once and nowhere else, it goes with the PoP, and PoPs of before move to it."""
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.database import Database, Postgres
from support.wait import until


@pytest.fixture(scope="module")
def strict():
    """A cluster that asks PoPs for their passwords, logs whatever it is told, and has an owner without rights."""
    with Postgres() as made:
        made.sql("alter system set log_statement = 'all'")
        with open(f"{made.data}/pg_hba.conf", "r+", encoding="ascii") as hba:
            rules = hba.read()
            hba.seek(0)
            hba.write("local all +popd scram-sha-256\n" + rules)
        made.sql("select pg_reload_conf(); create role broker login")
        made.sql("alter database broker owner to broker")
        made.superuser()
        made.ticctl("migrate", user="broker")
        yield made


def log_in(database, password, statement="select name from api.popd_hello()", **more):
    return subprocess.run(["psql", "-X", "-A", "-t", "-w", "-d", database.conninfo("popd_demo01"), "-c", statement], capture_output=True, text=True,
                          env={"PGPASSWORD": password}, timeout=60, **more)


def add_pop(database):
    done = database.json("pop", "add", "demo01", "--ipv4", "192.0.2.42", "--ipv6", "2001:db8:2ff:ffff::1", "--tunnels", "2001:db8:2ff::/48",
                         "--subnets", "2001:db8:3000::/40")
    assert done["login"] == "popd_demo01"
    return done["password"]


def test_the_password_is_told_once_lets_in_and_is_in_no_log(strict):
    first = add_pop(strict)
    assert log_in(strict, first).stdout == "demo01\n"
    session = subprocess.Popen(["psql", "-X", "-q", "-d", strict.conninfo("popd_demo01"), "-c", "select pg_sleep(600)"], env={"PGPASSWORD": first},
                               stderr=subprocess.PIPE, text=True)
    until(lambda: strict.sql("select count(*) from pg_stat_activity where usename = 'popd_demo01'") == [["1"]], 20, "the session")
    second = strict.json("pop", "secret", "demo01")["password"]
    assert "terminating connection" in session.communicate(timeout=60)[1], "whoever had the old password is out"
    assert "password authentication failed" in log_in(strict, first).stderr and log_in(strict, second).stdout == "demo01\n"
    with open(strict.log, encoding="utf-8") as log:
        text = log.read()
    assert "op_pop_secret" in text and "SCRAM-SHA-256$" in text, "the log has what it was told"
    assert first not in text and second not in text
    dump = subprocess.run(["pg_dump", "-d", strict.conninfo()], capture_output=True, text=True, check=True).stdout
    assert first not in dump and second not in dump
    assert strict.json("pop", "secret", "demo01", "--certificate") == {"message": "demo01 logs in as popd_demo01", "login": "popd_demo01"}
    assert "password authentication failed" in log_in(strict, second).stderr, "it has none any more"


def test_a_session_made_with_the_old_password_meanwhile_ends_too(strict):
    """Until a new password is committed the old one lets in, and popd logs in again at once."""
    old = strict.json("pop", "secret", "demo01")["password"]
    strict.sql("update broker.pop set shared_login = true")
    holder = subprocess.Popen(["psql", "-X", "-q", "-d", strict.conninfo()], stdin=subprocess.PIPE, text=True)
    holder.stdin.write("begin; update broker.pop set city = city;\n")
    holder.stdin.flush()
    until(lambda: strict.sql("select count(*) from pg_locks where relation = 'broker.pop'::regclass and mode = 'RowExclusiveLock'") == [["1"]], 20, "the holder")
    with ThreadPoolExecutor() as pool:
        changed = pool.submit(strict.json, "pop", "secret", "demo01")
        until(lambda: strict.sql("select count(*) from pg_stat_activity where usename = 'operator' and wait_event_type = 'Lock'") == [["1"]], 20, "ticctl")
        session = subprocess.Popen(["psql", "-X", "-q", "-w", "-d", strict.conninfo("popd_demo01"), "-c", "select pg_sleep(600)"],
                                   env={"PGPASSWORD": old}, stderr=subprocess.PIPE, text=True)
        until(lambda: strict.sql("select count(*) from pg_stat_activity where usename = 'popd_demo01'") == [["1"]], 20, "the session")
        holder.communicate("commit;\n", timeout=60)
        assert changed.result(60)["login"] == "popd_demo01"
    assert "terminating connection" in session.communicate(timeout=60)[1]


def test_it_goes_with_the_pop(strict):
    password = strict.json("pop", "secret", "demo01")["password"]
    assert log_in(strict, password).returncode == 0
    assert strict.ticctl("pop", "delete", "demo01") == "deleted demo01 and its log-in popd_demo01"
    assert log_in(strict, password).returncode == 2
    assert strict.sql("select count(*) from pg_roles where rolname = 'popd_demo01'") == [["0"]]


def test_a_pop_with_objects_elsewhere_is_deleted(strict):
    """Nobody can take it from a role to own objects in the other databases of a server."""
    password = add_pop(strict)
    elsewhere = strict.create("elsewhere")
    elsewhere.sql("create schema open; grant all on schema open to public")
    assert log_in(strict, password, "alter default privileges grant select on tables to popd").returncode == 0
    assert log_in(elsewhere, password, "create table open.mine ()").returncode == 0
    assert strict.ticctl("pop", "delete", "demo01") == ("deleted demo01; its log-in popd_demo01 is closed, but a superuser has to drop it: it owns "
                                                         "objects in another database of this server")
    assert log_in(strict, password).returncode == 2
    again = add_pop(strict)
    assert log_in(strict, again).stdout == "demo01\n", "its name is free all the same"
    elsewhere.drop()
    assert strict.ticctl("pop", "delete", "demo01") == "deleted demo01 and its log-in popd_demo01"


def test_a_restored_broker_needs_the_file_once_more(strict):
    """A dump that the owner restores, into a database where the superuser's file has not run yet."""
    add_pop(strict)
    restored = strict.create("restored")
    strict.sql("alter database restored owner to broker")
    dump = subprocess.run(["pg_dump", "-d", strict.conninfo()], capture_output=True, text=True, check=True).stdout
    subprocess.run(["psql", "-X", "-q", "-d", restored.conninfo()], input=dump, capture_output=True, text=True, check=True)
    assert restored.sql("select has_database_privilege('webd', 'restored', 'temporary')") == [["t"]]
    restored.superuser()
    assert restored.ticctl("migrate", user="broker").startswith("schema is current")
    assert restored.sql("select has_database_privilege('webd', 'restored', 'temporary')") == [["f"]]
    assert restored.json("pop", "secret", "demo01")["login"] == "popd_demo01"
    restored.drop()
    strict.ticctl("pop", "delete", "demo01")


def test_where_nobody_is_superuser_the_operator_is_told_what_to_do(strict):
    strict.sql("create role tenant login createrole")
    rented = strict.create("rented")
    strict.sql("alter database rented owner to tenant")
    rented.sql("grant execute on function pg_advisory_xact_lock(bigint) to public")
    rented.ticctl("migrate", user="tenant")
    said = rented.ticctl("pop", "add", "rented01", "--ipv4", "192.0.2.77", "--ipv6", "2001:db8::1", "--tunnels", "2001:db8:9::/48",
                         "--subnets", "2001:db8:a000::/40")
    statement = "CREATE ROLE popd_rented01 LOGIN CONNECTION LIMIT 5 IN ROLE popd"
    assert said == ("added rented01: tunnels from 2001:db8:9::/48, subnets from 2001:db8:a000::/40; superuser.sql was not run in this database, so "
                    f"the log-in must be made by hand: {statement}"), "without a password that would be of no use"
    assert rented.refused("pop", "secret", "rented01").endswith(f"by hand: {statement}.")
    rented.sql(f"{statement} password 'by hand'", user="tenant")
    assert rented.ticctl("pop", "secret", "rented01") == "rented01 logs in as popd_rented01; whoever made that role sets its password"
    rented.drop()
    strict.sql("drop role popd_rented01")


def test_a_broker_of_before_moves_pop_by_pop(strict):
    older = strict.create("older")
    older.superuser()
    older.migrate_to(10)
    older.sql("alter role popd login password 'shared'; insert into broker.pop (name, ipv4, ipv6) values ('old01', '192.0.2.42', '2001:db8::1'),"
              " ('old02', '192.0.2.43', '2001:db8::2'); insert into broker.drop_reason values ('hop-limit', 'the hop limit ran out')")
    older.migrate()

    def old(pop):
        done = subprocess.run(["psql", "-X", "-A", "-t", "-w", "-d", Database.conninfo(older, "popd"), "-c", f"select name from api.popd_hello('{pop}')"],
                              capture_output=True, text=True, env={"PGPASSWORD": "shared"}, timeout=60)
        return done.stdout, done.stderr

    out, err = old("old01")
    assert out == "old01\n" and err.startswith("WARNING:  old01 uses the log-in popd, which all PoPs share: run \"ticctl pop secret old01\"")
    assert older.json("pop", "secret", "old01")["login"] == "popd_old01"
    assert "old01 has a log-in of its own, popd_old01, and must use it" in old("old01")[1] and old("old02")[0] == "old02\n"
    assert older.sql("select count(*) from broker.drop_reason") == [["2"]], "what reasons mean is each PoP's own"
    older.ticctl("pop", "secret", "old02")
    assert old("old02")[0] == "" and older.sql("select rolcanlogin from pg_roles where rolname = 'popd'") == [["f"]]
    assert older.sql("select count(*) from pg_proc where proname like 'popd\\_%' and proargnames[1] = 'pop_name'") == [["0"]]
    assert older.migrate().startswith("schema is current")
    for pop in ("old01", "old02"):
        older.ticctl("pop", "delete", pop)
    older.drop()
