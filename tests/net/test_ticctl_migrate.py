"""ticctl migrate: once, all or nothing, never backwards."""
import subprocess

from support.database import MIGRATIONS
from support.paths import program

NEWEST = int(MIGRATIONS[-1][:4])


def fingerprint(database):
    """Everything in the two schemas, and what is recorded about it."""
    return (database.sql("select n.nspname, c.relname, c.relkind, c.relacl from pg_class c join pg_namespace n on n.oid = c.relnamespace"
                         " where n.nspname in ('broker', 'api') order by 1, 2"),
            database.sql("select p.oid::regprocedure, p.proacl, md5(p.prosrc) from pg_proc p"
                         " where p.pronamespace::regnamespace::text in ('broker', 'api') order by p.oid"),
            database.sql("select number, checksum, applied_at from broker.migration order by 1"))


def test_empty_database_gets_everything_and_a_second_run_changes_nothing(blank):
    names = ", ".join(name.replace("_", " ", 1) for name in MIGRATIONS)
    assert blank.migrate() == f"applied {names}; api re-created; schema is current ({NEWEST})"
    before = fingerprint(blank)
    assert blank.migrate() == f"schema is current ({NEWEST})"
    assert blank.json("migrate", user="postgres") == {"message": f"schema is current ({NEWEST})", "schema": NEWEST, "applied": 0, "api": False}
    assert fingerprint(blank) == before
    assert blank.ticctl("pop", "list") == "There are no PoPs."


def test_json_lists_the_applied_migrations(blank):
    done = blank.json("migrate", user="postgres")
    assert (done["schema"], done["applied"], done["api"]) == (NEWEST, len(MIGRATIONS), True)


def test_newer_schema_is_refused_and_left_alone(broker):
    broker.sql("insert into broker.migration values (9999, 'from_tomorrow', 'x')")
    broker.sql("comment on schema api is 'of another version'")
    before = fingerprint(broker)
    assert broker.refused("migrate", user="postgres") == (
        "the database's schema is newer than this ticctl: it has migration 9999 from_tomorrow; nothing was done")
    assert fingerprint(broker) == before


def test_migration_changed_since_it_ran_is_refused(broker):
    broker.sql("update broker.migration set checksum = repeat('0', 64) where number = 2")
    name = MIGRATIONS[1].replace("_", " ", 1)
    assert broker.refused("migrate", user="postgres") == f"migration {name} was changed after the database ran it; nothing was done"


def test_doors_are_renewed_when_they_differ_or_are_gone(broker):
    broker.sql("drop function api.op_pop_list()")
    assert broker.migrate() == f"schema is current ({NEWEST})", "what the record says is believed"
    broker.sql("comment on schema api is 'of another version'")
    assert broker.migrate() == f"api re-created; schema is current ({NEWEST})"
    assert broker.ticctl("pop", "list") == "There are no PoPs."
    broker.sql("drop schema api cascade")
    assert "ticctl migrate" in broker.refused("pop", "list")
    assert broker.migrate() == f"api re-created; schema is current ({NEWEST})"
    assert broker.ticctl("pop", "list") == "There are no PoPs."


def test_data_survive_new_doors(broker):
    broker.add_pop()
    broker.sql("drop schema api cascade")
    broker.migrate()
    assert broker.json("pop", "list")[0]["name"] == "demo01"


def test_pop_days_are_summed_from_older_tunnel_days(blank):
    """Migration 8 makes the PoP's days from the tunnels'."""
    blank.migrate_to(7)
    blank.sql("set session_replication_role = replica;"  # rows of their own, without what belongs to them
              " insert into broker.pop (name, ipv4, ipv6) values ('demo01', '192.0.2.42', '2001:db8::1');"
              " insert into broker.tunnel (account, pop, pop_ipv4, type, prefix) values (1, 1, '192.0.2.42', 'ayiya', '2001:db8:2ff::/64'),"
              " (1, 1, '192.0.2.42', 'ayiya', '2001:db8:2ff:1::/64');"
              " insert into broker.tunnel_day values (1, '2025-01-01', 10, 4, 100, 900, 400, 1, 2, 3, 4, 5), (2, '2025-01-01', 10, 0, null, 0, null, 1, 2, 3, 4, 5),"
              " (2, '2025-01-02', 10, 1, 50, 50, 50, 7, 7, 7, 7, 7)")
    assert blank.migrate().startswith("applied 0008 sample, ")
    rows = blank.json("pop", "statistics", "demo01", "--from", "2025-01-01", "--until", "2025-01-31")
    assert [tuple(row.values()) for row in rows] == [("2025-01-01", 20, 4, 80, 100, 225, 400, 2, 4, 6, 8, 10),
                                                     ("2025-01-02", 10, 1, 90, 50, 50, 50, 7, 7, 7, 7, 7)]


def test_failure_half_way_leaves_the_database_as_it_was(blank):
    blank.sql("create schema broker; create table broker.pop_report (id int)")
    sentence = blank.refused("migrate", user="postgres")
    assert sentence.startswith("schema/migrations/0") and 'relation "pop_report" already exists (42P07)' in sentence
    assert blank.sql("select to_regclass('broker.migration'), to_regclass('broker.account'), to_regnamespace('api')") == [["", "", ""]]
    blank.sql("drop table broker.pop_report")
    assert blank.migrate().startswith("applied ")


def test_many_at_once_do_the_work_once(blank):
    command = [program("ticctl"), "--db", blank.conninfo(), "migrate"]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(6)]
    answers = [(child.communicate(timeout=60), child.returncode) for child in children]
    assert [status for _, status in answers] == [0] * 6, answers
    printed = sorted(out for (out, _), _ in answers)
    assert printed[0].startswith("applied 0001") and printed[1:] == [f"schema is current ({NEWEST})\n"] * 5


def test_only_the_owner_may(broker):
    assert "permission denied" in broker.refused("migrate")


def test_ledger_of_the_separate_charge_is_continued(blank):
    """Migration 10 moves the charge out of schema broker and lets the ledger's trigger decide price
    and floor."""
    blank.migrate_to(9)
    blank.sql("insert into broker.account (handle, full_name, email, md5_hex, sha256_hex) values ('DEMO', 'Zoë', 'zoe@example.net', md5(''),"
              " repeat('0', 64)); insert into broker.pop (name, ipv4, ipv6) values ('demo01', '192.0.2.42', '2001:db8::1');"
              " insert into broker.pool (pop, kind, prefix, length) values (1, 'tunnel', '2001:db8:2ff::/48', 64);"
              " insert into broker.ledger (account, action, amount) values (1, 'signup', 40);"
              " select broker.tunnel_create(1, 1, 'static', '198.51.100.7'), broker.charge(1, 'tunnel_request', 1, 1, null, null, 'before')")
    assert blank.migrate().startswith("applied 0010 charge")
    assert blank.ticctl("tunnel", "set", "T1", "endpoint", "198.51.100.8") == "moved T1 to 198.51.100.8, charged 15 ISK, balance 15"
    assert [(row["action"], row["balance"], row["why"]) for row in blank.json("ledger", "demo")] == [
        ("signup", 40, ""), ("tunnel_request", 30, "before"), ("endpoint_move", 15, "from 198.51.100.7 to 198.51.100.8")]
