"""Every command of ticctl against a real database: its output as text and as JSON, and its exit status."""
import datetime
import hashlib
import json
import os
import re
import subprocess

import pytest

from support.paths import ROOT, program


TODAY = datetime.datetime.now(datetime.timezone.utc).date()
SECRET_LINE = re.compile(r"TIC secret: ([a-km-np-z2-9]{24}) \(shown this once\)")


def week_up(broker, tunnel, pop="demo01"):
    """The seven days before today, each with an answered ping, as the PoP reports them."""
    days = [str(TODAY - datetime.timedelta(days=n)) for n in range(7, 0, -1)]
    n = len(days)
    column = "array[" + ",".join(["{0}"] * n) + "]"
    broker.sql(f"select * from api.popd_samples(repeat('a', 32), 1, {column.format(tunnel)}, '{{{','.join(days)}}}', {column.format('null')}::int[],"
                      + ",".join([column.format(1)] * 2 + [column.format(9000)] * 3 + [column.format(0)] * 5) + ", '{}', '{}', '{}', '{}')",
                      user=f"popd_{pop}")


def test_canonical_plan_to_the_last_isk(broker):
    broker.add_pop()
    assert broker.add_user("demo").startswith("added DEMO, balance 25\n")
    assert broker.ticctl("tunnel", "request", "demo", "--pop", "demo01", "--type", "ayiya", "--why", "to learn") == (
        "request 1: ayiya tunnel on demo01, charged 10 ISK, balance 15")
    assert broker.ticctl("request", "approve", "1") == "approved T1: 2001:db8:2ff::2/64 on demo01, charged 5 ISK, balance 10"
    assert broker.refused("subnet", "request", "demo", "T1") == "A subnet request needs a balance of 15 ISK and DEMO has 10."
    week_up(broker, 1)
    done = broker.json("daily")
    assert [(row["handle"], row["tunnel"], row["action"], row["amount"], row["balance"]) for row in done] == [
        ("DEMO", 1, "endpoint_week", 5, 15)]
    assert broker.ticctl("daily") == "Nothing was due."
    asked = broker.json("subnet", "request", "demo", "T1", "--why", "a network at home")
    assert asked["message"] == f"request {asked['request']}: a subnet for T1 on demo01, charged 10 ISK, balance 5"
    assert broker.ticctl("request", "approve", str(asked["request"])) == "approved R1: 2001:db8:3000::/48 to T1, charged 4 ISK, balance 1"
    assert broker.ticctl("ns", "add", "R1", "ns1.example.net") == "added name server ns1.example.net to R1, charged 1 ISK, balance 0"
    assert broker.refused("ns", "add", "R1", "ns2.example.net") == "A name server needs a balance of 1 ISK and DEMO has 0."
    assert [(row["action"], row["amount"], row["balance"]) for row in broker.json("ledger", "demo")] == [
        ("signup", 25, 25), ("tunnel_request", -10, 15), ("tunnel_approve", -5, 10), ("endpoint_week", 5, 15), ("subnet_request", -10, 5),
        ("subnet_approve", -4, 1), ("ns_add", -1, 0)]


def test_statistics_are_told_by_quarter_day_week_month_and_year(broker):
    broker.add_pop()
    broker.add_user("demo")
    broker.ticctl("tunnel", "request", "demo", "--pop", "demo01", "--type", "ayiya")
    broker.ticctl("request", "approve", "1")
    broker.ticctl("setting", "set", "sample_keep_days", "10000")
    broker.sql("select * from api.popd_reasons('{hop-limit}', '{the hop limit ran out}'); select * from api.popd_samples(repeat('a', 32), 1,"
                      f" array[1, 1, 1], array['2024-12-30', '2025-01-05', '{TODAY}']::date[], array[3, null, 0], array[4, 4, 4], array[4, 3, 4],"
                      " array[1000, 2000, 3000], array[4000, 6000, 12000], array[1000, 2000, 3000], array[7, 7, 7], array[700, 700, 700],"
                      " array[8, 8, 8], array[800, 800, 800], array[0, 5, 0], array[1, 0], array['2025-01-05', '2025-01-05']::date[],"
                      " array['hop-limit', 'tunnel-unknown'], array[5, 6])", user="popd_demo01")
    weeks = broker.json("tunnel", "statistics", "T1", "--by", "week", "--until", "2025-01-05")
    assert weeks == [{"period": "2025-W01", "sent": 8, "received": 7, "loss_percent": 12.5, "rtt_min_us": 1000, "rtt_average_us": 1429,
                      "rtt_max_us": 2000, "packets_in": 14, "bytes_in": 1400, "packets_out": 16, "bytes_out": 1600, "drops": 5}]
    periods = {unit: [row["period"] for row in broker.json("pop", "statistics", "demo01", "--by", unit, "--until", "2025-01-31", *more)]
               for unit, *more in (("month",), ("year",), ("day", "--from", "2024-12-01"))}
    assert periods == {"month": ["2024-12", "2025-01"], "year": ["2024", "2025"], "day": ["2024-12-30", "2025-01-05"]}
    assert [row["period"] for row in broker.json("tunnel", "statistics", "T1", "--by", "quarter")] == [f"{TODAY}T00:00:00Z"]
    assert re.search(r"(?m)^PERIOD +SENT .*\n.* 2000 ", broker.ticctl("tunnel", "statistics", "T1", "--by=week"))
    assert broker.ticctl("tunnel", "errors", "T1").splitlines()[1].split(maxsplit=3) == ["2025-01-05", "hop-limit", "5", "the hop limit ran out"]
    assert [(row["reason"], row["packets"], row["meaning"]) for row in broker.json("pop", "errors", "demo01", "--from", "2025-01-05")] == [
        ("tunnel-unknown", 6, None), ("hop-limit", 5, "the hop limit ran out")]


# Every command, in an order in which each finds what it needs: the line, a pattern of its text, and the keys of its JSON.
# All run as text in one database and with --json in another.
MESSAGE = {"message"}
LOGIN = {"message", "login", "password"}
COMMANDS = [
    ("pop list", r"^There are no PoPs\.$", []),
    ("pop add demo01 --ipv4 192.0.2.42 --ipv6 2001:db8:2ff:ffff::1 --tunnels 2001:db8:2ff::/48 --subnets 2001:db8:3000::/40 --city Genève",
     r"^added demo01: tunnels from 2001:db8:2ff::/48, subnets from 2001:db8:3000::/40\nlog-in: popd_demo01\npassword: \w{24} \(shown this once\)$", LOGIN),
    ("pop secret demo01", r"^demo01 logs in as popd_demo01\nlog-in: popd_demo01\npassword: \w{24} \(shown this once\)$", LOGIN),
    ("pop secret demo01 --certificate", r"^demo01 logs in as popd_demo01\nlog-in: popd_demo01$", {"message", "login"}),
    ("pop add gone01 --ipv4 192.0.2.43 --ipv6 2001:db8::1 --tunnels 2001:db8:9::/48 --subnets 2001:db8:a000::/40 --certificate",
     r"^added gone01: tunnels from 2001:db8:9::/48, subnets from 2001:db8:a000::/40\nlog-in: popd_gone01$", {"message", "login"}),
    ("pop delete gone01", "^deleted gone01 and its log-in popd_gone01$", MESSAGE),
    ("pop list", r"(?m)^NAME +STATE .*TUNNELS +SUBNETS +REASON\ndemo01 +down .*Genève", [{"name": "demo01", "state": "down", "tunnels": 0}]),
    ("pop show demo01", r"(?m)^name: +demo01\n(.*\n)*city: +Genève\n(.*\n)*version: +-$", {"name": "demo01", "version": None, "up": 0}),
    ("pop disable demo01", "^disabled demo01$", MESSAGE),
    ("pop enable demo01", "^enabled demo01$", MESSAGE),
    ("pop set demo01 city Zürich", "^demo01: city is now Zürich$", MESSAGE),
    ("pop prefix demo01 subnet 2001:db8:5000::/48 --length 56", "^added 2001:db8:5000::/48 to demo01 for subnets$", MESSAGE),
    ("user list", r"^There are no accounts\.$", []),
    ("user add demo --name Zoë --email zoe@example.net --credit 500", r"^added DEMO, balance 500\nTIC secret: \w{24} \(shown this once\)$",
     {"message", "secret"}),
    ("user list", r"(?m)^HANDLE  FULL NAME .*\nDEMO    Zoë  ", [{"handle": "DEMO", "full_name": "Zoë", "balance": 500}]),
    ("user show DEMO", r"(?m)^balance: +500$", {"handle": "DEMO", "last_login": None}),
    ("user disable demo", "^disabled DEMO: ", MESSAGE),
    ("user enable demo", "^enabled DEMO$", MESSAGE),
    ("user secret demo", r"^DEMO has a new TIC secret, .*\nTIC secret: \w{24} \(shown this once\)$", {"message", "secret"}),
    ("credit demo +5 --why bonus", "^credited DEMO 5 ISK, balance 505$", MESSAGE),
    ("credit demo 5 --why=bonus", "^credited DEMO 5 ISK, balance 510$", MESSAGE),
    ("credit demo -10 --why loan", "^debited DEMO 10 ISK, balance 500$", MESSAGE),
    ("ledger demo", r"(?m)^AT .*AMOUNT  BALANCE .*\n(.*\n)*.* -10 +500 +- +- +loan$", [{"action": "signup", "amount": 500}, {}, {}, {}]),
    ("tunnel list", r"^There are no such tunnels\.$", []),
    ("request list", r"^There are no requests\.$", []),
    ("tunnel request demo --pop demo01 --type static --endpoint 198.51.100.7", "^request 1: static tunnel on demo01, charged 10 ISK, balance 490$",
     {"message", "request"}),
    ("request list", r"(?m)^ID .*\n 1 +open ", [{"id": 1, "state": "open", "endpoint": "198.51.100.7", "decided": None}]),
    ("request approve 1 --why welcome", "^approved T1: 2001:db8:2ff::2/64 on demo01, charged 5 ISK, balance 485$", MESSAGE),
    ("tunnel request demo --pop=demo01 --type=heartbeat --why=more", "^request 2: ", {"message", "request"}),
    ("request refuse 2 --why enough", "^refused request 2, its 10 ISK are not refunded, balance 475$", MESSAGE),
    ("request list", r"^There are no requests\.$", []),
    ("request list --all", r"(?m)^ 2  refused +DEMO", [{"id": 1, "result": "T1"}, {"id": 2, "state": "refused", "decision": "enough"}]),
    ("tunnel list", r"(?m)^T1  DEMO ", [{"id": "T1", "endpoint": "198.51.100.7", "mtu": 1280}]),
    ("tunnel list demo --pop demo01", r"(?m)^T1  DEMO ", [{"id": "T1"}]),
    ("tunnel show T1", r"(?m)^ipv6 endpoint: +2001:db8:2ff::2$", {"id": "T1", "sent": None}),
    ("tunnel show 1", r"(?m)^routed: +2001:db8:2ff:8000::/64$", {"id": "T1", "prefix": "2001:db8:2ff::/64"}),
    ("tunnel statistics T1", r"^There are no statistics of this tunnel for these days\.$", []),
    ("tunnel statistics T1 --by quarter --from 2026-01-01 --until 2026-01-31", r"^There are no statistics of this tunnel for these days\.$", []),
    ("tunnel errors T1", r"^No packets of this tunnel were dropped on these days\.$", []),
    ("pop statistics demo01 --by=week", r"^There are no statistics of this PoP for these days\.$", []),
    ("pop errors demo01 --from 2026-01-01", r"^This PoP dropped no packets on these days\.$", []),
    ("tunnel set T1 endpoint 198.51.100.8", "^moved T1 to 198.51.100.8, charged 15 ISK, balance 460$", MESSAGE),
    ("tunnel set t1 mtu 1480", "^T1 has an MTU of 1480$", MESSAGE),
    ("tunnel set 1 name home", '^T1 is called "home"$', MESSAGE),
    ("tunnel set T1 state disabled", "^disabled T1$", MESSAGE),
    ("tunnel set T1 state enabled", "^enabled T1$", MESSAGE),
    ("tunnel set T1 type ayiya", "^T1 is now of type ayiya with an MTU of 1428, charged 15 ISK, balance 445$", MESSAGE),
    ("subnet list", r"^There are no such subnets\.$", []),
    ("subnet request demo T1 --why network", "^request 3: a subnet for T1 on demo01, charged 10 ISK, balance 435$", {"message", "request"}),
    ("request approve 3", "^approved R1: 2001:db8:3000::/48 to T1, charged 4 ISK, balance 431$", MESSAGE),
    ("ns add R1 ns.example.net", "^added name server ns.example.net to R1, charged 1 ISK, balance 430$", MESSAGE),
    ("subnet list demo --pop demo01", r"(?m)^R1  DEMO .*ns\.example\.net", [{"id": "R1", "tunnel": "T1", "prefix": "2001:db8:3000::/48"}]),
    ("ns remove r1 NS.example.net.", "^removed name server ns.example.net from R1, charged 1 ISK, balance 429$", MESSAGE),
    ("export --pop demo01", r"^config 0 T1 ayiya up 1428 [0-9a-f]{32}\nconfig 2001:db8:3000::/48 0 static$", [{"line"}, {"line"}]),
    ("subnet delete R1", "^deleted R1: 2001:db8:3000::/48, charged 50 ISK, balance 379$", MESSAGE),
    ("tunnel delete T1", "^deleted T1: 2001:db8:2ff::/64, charged 25 ISK, balance 354$", MESSAGE),
    ("import /dev/null --owner demo --pop demo01", "^imported 0 tunnels and 0 subnets to demo01 for DEMO$", MESSAGE),
    ("cost list", r"(?m)^subnet_request +- +-10 +15$", None),
    ("cost set ns_add -2", r"^ns_add by default: -2 ISK, floor 1$", MESSAGE),
    ("cost set ns_add -3 --floor 4 --pop demo01", r"^ns_add on demo01: -3 ISK, floor 4$", MESSAGE),
    ("cost set ns_add -4", r"^ns_add by default: -4 ISK, floor 1$", MESSAGE),
    ("cost set ns_add -5 --pop demo01", r"^ns_add on demo01: -5 ISK, floor 4$", MESSAGE),
    ("cost set ns_add -5 --pop demo01 --floor none", r"^ns_add on demo01: -5 ISK, floor none$", MESSAGE),
    ("cost list --pop demo01", r"(?m)^ns_add +demo01 +-5 +-$", None),
    ("setting list", r"(?m)^prefix_rest_days +30 ", None),
    ("setting set prefix_rest_days 0", "^prefix_rest_days is now 0$", MESSAGE),
    ("check", r"(?m)^database +its owner postgres is a superuser: ", None),
    ("daily", r"^Nothing was due\.$", []),
    ("prune", r"^Nothing was old enough to be deleted\.$", []),
    ("daily 2026-01-31", r"^Nothing was due\.$", []),
]


def test_every_command_says_in_text_what_it_did(broker):
    for line, pattern, _ in COMMANDS:
        said = broker.ticctl(*line.split())
        assert re.search(pattern, said), f"ticctl {line}: {said}"
        assert not re.search(r"[ \t]$", said, re.MULTILINE), f"ticctl {line}: blanks at a line's end"


def test_prune_says_what_it_deleted(broker):
    broker.add_user()
    broker.sql("insert into broker.login (account, at, method, address, tls, client) select 1, now() - n * interval '60 days', 'md5', '::1', true, ''"
               " from generate_series(1, 3) n")
    assert broker.ticctl("prune").splitlines() == ["RECORD  DELETED", "login         2"]
    assert broker.sql("select count(*) from broker.login") == [["1"]]


def check_json(line, got, wanted):
    if isinstance(wanted, set):
        assert set(got) == wanted, line
    elif isinstance(wanted, dict):
        assert wanted.items() <= got.items(), f"{line}: {got}"
    elif wanted is not None:
        assert len(got) == len(wanted), f"{line}: {got}"
        for item, one in zip(got, wanted):
            check_json(line, item, one)


def test_every_command_has_the_same_as_json(broker):
    for n, (line, pattern, wanted) in enumerate(COMMANDS):
        words = line.split()
        words.insert([0, 1, len(words)][n % 3], "--json")  # it may stand anywhere
        got = json.loads(broker.ticctl(*words))
        check_json(line, got, wanted)
        if isinstance(got, dict) and "message" in got:
            assert re.search(pattern.split(r"\n")[0].rstrip("$"), got["message"]), line


def test_no_command_is_missing_from_the_list_above_or_the_manual():
    helped = subprocess.run([program("ticctl"), "help"], capture_output=True, text=True, check=True).stdout
    known = {" ".join(re.match(r"ticctl ((?:[a-z]+ ?)+)", line).group(1).split()) for line in helped.splitlines() if line.startswith("ticctl ")}
    used = {" ".join(line.split()[:n]) for line, _, _ in COMMANDS for n in (1, 2)}
    assert known - used == {"migrate"}, "tested in test_ticctl_migrate.py"
    manual = (ROOT / "deploy/man/ticctl.8").read_text(encoding="utf-8")
    assert {words for words in known if not re.search(rf"^\.(It )?Cm {words}\b", manual, re.MULTILINE)} == set()


def test_refusals_are_the_rules_own_words(broker):
    broker.add_pop()
    broker.add_user()
    for line, door in [
            ("pop show nowhere", "op_pop_show('nowhere')"),
            ("pop add demo01 --ipv4 192.0.2.9 --ipv6 2001:db8::1 --tunnels 2001:db8:9::/48 --subnets 2001:db8:a000::/40",
             "op_pop_add('demo01', '192.0.2.9', '2001:db8::1', '2001:db8:9::/48', '2001:db8:a000::/40', '', '', '', '', '', '', '')"),
            ("pop prefix demo01 tunnel 2001:db8:2ff::/48", "op_pop_prefix_add('demo01', 'tunnel', '2001:db8:2ff::/48', null)"),
            ("user show nobody", "op_user_show('nobody')"),
            ("user add demo --name X --email x@example.net", f"op_user_add('demo', 'X', 'x@example.net', null, '{'0' * 32}', '{'0' * 64}')"),
            ("ledger nobody", "op_ledger('nobody')"),
            ("credit demo 0 --why nothing", "op_credit('demo', 0, 'nothing')"),
            ("tunnel show T77", "op_tunnel_show(77)"),
            ("tunnel delete 77", "op_tunnel_delete(77)"),
            ("tunnel statistics T77", "op_tunnel_statistics(77, 'day', null, null)"),
            ("tunnel errors T77", "op_tunnel_errors(77, null, null)"),
            ("pop statistics nowhere", "op_pop_statistics('nowhere', 'day', null, null)"),
            ("pop statistics demo01 --from 2026-02-02 --until 2026-02-01",
             "op_pop_statistics('demo01', 'day', '2026-02-02', '2026-02-01')"),
            ("subnet delete R77", "op_subnet_delete(77)"),
            ("request approve 77", "op_request_approve(77, '')"),
            ("tunnel request demo --pop demo01 --type static", "op_tunnel_request('demo', 'demo01', 'static', null, '')"),
            ("cost set nothing -1", "op_cost_set('nothing', null, -1, null)"),
            ("cost set ns_add +1", "op_cost_set('ns_add', null, 1, null)"),
            ("setting set nothing 1", "op_setting_set('nothing', 1)"),
            ("export --pop nowhere", "op_export('nowhere')"),
    ]:
        assert broker.refused(*line.split()) == broker.rule(door)
    assert broker.sql("select count(*) from broker.ledger") == [["1"]]


def test_refusal_as_json_is_an_object_and_still_a_sentence(broker):
    done = broker.run("--json", "pop", "show", "nowhere")
    assert (done.returncode, done.stderr) == (1, "ticctl: There is no PoP nowhere.\n")
    assert json.loads(done.stdout) == {"error": "There is no PoP nowhere.", "code": "BK002"}
    done = broker.run("pop", "show", "--json")
    assert done.returncode == 2 and json.loads(done.stdout) == {"error": "NAME is missing", "code": "usage"}


@pytest.mark.parametrize("line, complaint, usage", [
    ("", "no command was given; ticctl help lists the commands", None),
    ("dance", "there is no command 'dance'; ticctl help lists the commands", None),
    ("pop dance", "there is no command 'pop dance'; ticctl help lists the commands", "pop add NAME"),
    ("pop", "there is no command 'pop'; ticctl help lists the commands", "pop add NAME"),
    ("help dance", "there is no command 'dance'; ticctl help lists the commands", None),
    ("--db", "--db needs a conninfo", None),
    ("pop show", "NAME is missing", "pop show NAME"),
    ("pop show a b", "unexpected argument 'b'", "pop show NAME"),
    ("pop list --all", "unknown option --all", "pop list"),
    ("credit demo 5", "--why is missing", "credit HANDLE AMOUNT --why TEXT"),
    ("credit demo five --why x", "AMOUNT must be an amount such as 5, +5 or -5, not 'five'", "credit HANDLE AMOUNT --why TEXT"),
    ("tunnel show R7", "T<id> must be a tunnel such as T7, not 'R7'", "tunnel show T<id>"),
    ("tunnel request demo --pop p --type gre", "--type must be one of ayiya|heartbeat|static, not 'gre'",
     "tunnel request HANDLE --pop P --type ayiya|heartbeat|static [--endpoint A] [--why TEXT]"),
    ("tunnel request demo --pop p --type static --endpoint 192.0.2.300", "--endpoint must be an IPv4 address, not '192.0.2.300'",
     "tunnel request HANDLE --pop P --type ayiya|heartbeat|static [--endpoint A] [--why TEXT]"),
    ("daily 2026-02-30", "DATE must be a date such as 2026-11-23, not '2026-02-30'", "daily [DATE]"),
    ("import x --owner demo", "--pop is missing", "import FILE --owner HANDLE --pop P"),
])
def test_wrong_command_line_ends_with_2_and_shows_the_right_one(line, complaint, usage):
    env = {"PATH": os.environ["PATH"], "DB": "host=/nonexistent"}  # it must not even try to connect
    done = subprocess.run([program("ticctl"), *line.split()], env=env, capture_output=True, text=True)
    lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout, lines[0]) == (2, "", f"ticctl: {complaint}")
    if usage:
        assert lines[1].removeprefix("usage: ").startswith(f"ticctl {usage}")
    else:
        assert len(lines) == 1


def test_help_and_version_need_no_database():
    env = {"DB": "host=/nonexistent"}
    for words, start in [(["help"], "usage: ticctl"), (["--help"], "usage: ticctl"), (["-h", "pop"], "ticctl pop add"),
                         (["help", "tunnel", "set"], "ticctl tunnel set"), (["tunnel", "set", "--help"], "ticctl tunnel set"),
                         (["--version"], "ticctl 0.")]:
        done = subprocess.run([program("ticctl"), *words], env=env, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith(start), words


def test_conninfo_comes_from_option_then_db_then_broker_db(broker):
    good, bad = broker.conninfo("operator"), "host=/nonexistent dbname=x"
    for option, db, broker_db, status in [(good, bad, bad, 0), (None, good, bad, 0), (None, None, good, 0), (None, "", good, 0),
                                          (bad, good, good, 1), (None, bad, good, 1), (None, None, bad, 1)]:
        env = {name: value for name, value in (("DB", db), ("BROKER_DB", broker_db)) if value is not None}
        words = [f"--db={option}", "pop", "list"] if option else ["pop", "list"]
        done = subprocess.run([program("ticctl"), *words], env=env, capture_output=True, text=True)
        assert done.returncode == status, (option, db, broker_db, done.stderr)


@pytest.mark.parametrize("conninfo", ["host=/nonexistent dbname=x password=hunter2", "dbname=x pasword=hunter2", "password='hunter2",
                                      "postgresql://u:hunter2@[::1", "postgresql://u:hunter2@127.0.0.1:1/x"])
def test_unreachable_database_is_one_plain_sentence_without_the_password(conninfo):
    done = subprocess.run([program("ticctl"), "--json", "pop", "list"], env={"DB": conninfo}, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("ticctl: the database") and done.stderr.count("\n") == 1
    assert json.loads(done.stdout)["code"] == "database"
    assert "hunter2" not in done.stdout + done.stderr


def test_tic_secret_is_shown_once_and_stored_as_digests_only(broker):
    broker.add_pop()
    first = SECRET_LINE.search(broker.add_user()).group(1)
    second = broker.json("user", "secret", "demo")["secret"]
    assert re.fullmatch(SECRET_LINE.pattern[len("TIC secret: ("):].split(")")[0], second) and first != second
    assert broker.sql("select md5_hex, sha256_hex from broker.account") == [
        [hashlib.md5(second.encode()).hexdigest(), hashlib.sha256(second.encode()).hexdigest()]]
    later = [broker.ticctl(*extra, *line.split()) for line in ("user list", "user show demo", "ledger demo", "export --pop demo01")
             for extra in ((), ("--json",)) if line != "export --pop demo01" or extra]
    dump = subprocess.run(["pg_dump", "-d", broker.conninfo("postgres"), "--data-only"], capture_output=True, text=True, check=True).stdout
    for secret in (first, second):
        assert secret not in dump + "".join(later)


def test_tunnel_secret_is_in_the_export_only(broker):
    broker.add_pop()
    broker.add_user()
    broker.approve("tunnel", "request", "demo", "--pop", "demo01", "--type", "ayiya")
    secret = broker.ticctl("export", "--pop", "demo01").split()[-1]
    assert [[secret]] == broker.sql("select secret from broker.tunnel")
    for line in ("tunnel list", "tunnel show T1", "user show demo", "request list --all", "ledger demo"):
        assert secret not in broker.ticctl(*line.split()) + broker.ticctl("--json", *line.split())


def test_text_of_every_language_is_aligned_and_never_acts_on_the_terminal(broker):
    broker.add_pop()
    broker.ticctl("pop", "set", "demo01", "country", "\u202edrawkcab")
    broker.ticctl("pop", "set", "demo01", "city", "東京")
    heading, row = broker.ticctl("pop", "list").splitlines()
    column = heading.index("COUNTRY")
    assert row[column - 2:].startswith("\\xe2\\x80\\xaedrawkcab"), "two characters that take two columns each stand before it"
    assert broker.json("pop", "list")[0]["city"] == "東京"
    done = broker.run("pop", "show", "\x1b[31mred")
    assert (done.returncode, done.stderr) == (1, "ticctl: There is no PoP \\x1b[31mred.\n")


def test_answer_that_cannot_be_written_is_a_failure(broker):
    with open("/dev/full", "w", encoding="ascii") as full:
        for words in (("pop", "list"), ("--json", "cost", "list")):
            done = broker.run(*words, stdout=full)
            assert done.returncode == 1 and "could not be written: No space left on device" in done.stderr, done
        for words in (("help",), ("--version",)):
            done = broker.run(*words, stdout=full)
            assert (done.returncode, done.stderr) == (1, "ticctl: standard output: No space left on device\n"), words


def test_words_that_are_not_utf8_never_reach_the_database(broker):
    done = subprocess.run([program("ticctl"), b"--db", broker.conninfo("operator").encode(), b"pop", b"show", b"Z\xfcrich"], capture_output=True)
    assert done.returncode == 2 and b"NAME must be UTF-8 text that is not empty, not 'Z\\xfcrich'" in done.stderr
