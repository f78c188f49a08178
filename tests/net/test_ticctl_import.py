"""ticctl import and export: a PoP's tunnels in a sixxsd configuration file, all of it or nothing."""
import time

SECRETS = [f"{n:032x}" for n in range(0xabc0, 0xabd0)]

# As sixxsd writes it, comments, blocks and all.
FILE = f"""\
# the PoP's own data come from `pop add`
pop
\tset
\t\tdetails 1 demo01 192.0.2.42 2001:db8::42
\t\tid 1
\tend
\ttunnelprefix add 2001:db8:2ff::/48
\tcliacl
\t\treset
\t\tadd ::1
\tend
end

tunnel
\tset
\t\tconfig 0 T4141 172.16.1.1 up 1480

\t\tconfig 1 T5072 ayiya up 1428 {SECRETS[0]}
\t\tconfig 2ae T18572 heartbeat up 1280 {SECRETS[1]}
\t\tconfig 666 T84822 198.18.1.1 disabled 1280 {SECRETS[2]}
\tend
end
subnet
\tset
\t\tconfig 2001:db8:3001::/48 2ae static
\t\tconfig 2001:db8:3055::/48 0 static
\tend
end
pop saveconfig
"""


def ready(broker):
    broker.add_pop()
    broker.add_user()


def everything(broker):
    """What an import could have changed."""
    return broker.sql("select (select count(*) from broker.tunnel), (select count(*) from broker.subnet), (select count(*) from broker.allocation),"
                      " (select string_agg(seq::text, ',' order by pop) from broker.feed), (select last_value from broker.tunnel_id)")


def do_import(broker, text, *extra):
    return broker.ticctl(*extra, "import", "-", "--owner", "demo", "--pop", "demo01", stdin=text)


def refuse_import(broker, text):
    before = everything(broker)
    sentence = broker.refused("import", "-", "--owner", "demo", "--pop", "demo01", stdin=text)
    assert everything(broker) == before
    return sentence


def test_file_keeps_ids_numbers_states_and_secrets(broker, tmp_path):
    ready(broker)
    path = tmp_path / "sixxsd.conf"
    path.write_text(FILE, encoding="ascii")
    assert broker.ticctl("import", str(path), "--owner", "demo", "--pop", "demo01") == "imported 4 tunnels and 2 subnets to demo01 for DEMO"
    assert broker.sql("select id, prefix, type, endpoint, mtu, admin_enabled, secret from broker.tunnel where id <> 4141 order by id") == [
        ["5072", "2001:db8:2ff:1::/64", "ayiya", "", "1428", "t", SECRETS[0]],
        ["18572", "2001:db8:2ff:2ae::/64", "heartbeat", "", "1280", "t", SECRETS[1]],
        ["84822", "2001:db8:2ff:666::/64", "static", "198.18.1.1", "1280", "f", SECRETS[2]]]
    assert broker.sql("select id, prefix, mtu, length(secret) from broker.tunnel where id = 4141") == [["4141", "2001:db8:2ff::/64", "1480", "32"]]
    assert [(row["tunnel"], row["prefix"]) for row in broker.json("subnet", "list", "demo")] == [
        ("T18572", "2001:db8:3001::/48"), ("T4141", "2001:db8:3055::/48")]
    assert broker.json("user", "show", "demo")["balance"] == 25, "taking over costs nothing"


def test_next_tunnel_comes_after_the_imported_ones(broker):
    ready(broker)
    do_import(broker, FILE)
    assert broker.approve("tunnel", "request", "demo", "--pop", "demo01", "--type", "ayiya").startswith("approved T84823: 2001:db8:2ff:2::2/64 ")


def test_bad_line_is_named_and_nothing_is_imported(broker, tmp_path):
    ready(broker)
    good = f"config 1 T1 ayiya up 1280 {SECRETS[0]}\n"
    for bad, reason in [
            ("config x T2 192.0.2.9 up 1280", "the tunnel number is not hexadecimal"),
            ("config 2 2 192.0.2.9 up 1280", "the tunnel id is not T and a number from 1"),
            ("config 2 T2 192.0.2.9 on 1280", "the state is neither up nor disabled"),
            (f"config 2 T2 ayiya up 1280 {SECRETS[1].upper()}", "the secret is not 32 lower-case hexadecimal digits"),
            ("config 2 T2 heartbeat up 1280", "an AYIYA or heartbeat tunnel needs its secret"),
            ("config 2001:db8:3001::/47 1 static", "the prefix is not an IPv6 prefix without host bits"),
            ("route 2001:db8:3001::/48 1", "this is not a config line"),
    ]:
        assert refuse_import(broker, f"# first\n{good}{bad}\n{good}") == f"-:3: {reason}; nothing was imported"
    path = tmp_path / "cut.conf"
    path.write_text(FILE[:FILE.index("subnet")].rsplit("end", 1)[0], encoding="ascii")
    assert broker.refused("import", str(path), "--owner", "demo", "--pop", "demo01") == (
        f"{path}:21: the file ends inside a block; nothing was imported")
    done = broker.run("--json", "import", "-", "--owner", "demo", "--pop", "demo01", stdin="what")
    assert done.returncode == 1 and '"code": "input"' in done.stdout


def test_line_that_the_rules_refuse_is_named_and_nothing_is_imported(broker):
    ready(broker)
    do_import(broker, f"config 1 T1 ayiya up 1280 {SECRETS[0]}\nconfig 2001:db8:3001::/48 1 static\n")
    for bad, line in [
            (f"config 2 T1 ayiya up 1280 {SECRETS[1]}", 2),                                       # an id in use
            (f"config 1 T2 ayiya up 1280 {SECRETS[1]}", 2),                                       # a number in use
            (f"config 7fff T2 ayiya up 1280 {SECRETS[1]}", 2),                                    # reserved for the PoP
            (f"config 2 T2 ayiya up 1480 {SECRETS[1]}", 2),                                       # more than AYIYA carries
            ("config 2 T2 127.0.0.1 up 1480", 2),
            ("config 2 T2 192.0.2.42 up 1480", 2),                                                # the PoP itself
            ("config 2 T9 198.51.100.1 up 1480", 2),                                              # an id twice in the file
            ("config 9 T2 198.51.100.1 up 1480", 2),                                              # a number twice
            ("config 2001:db8:3001::/48 9 static", 2),                                            # a prefix in use
            ("config 2001:db8:3002::/48 5 static", 2),                                            # no such tunnel
            ("config 2001:db8:4000::/48 9 static", 2),                                            # not the PoP's
            ("config 2001:db8:30ff:8000::/49 9 static\nconfig 2001:db8:30ff::/48 9 static", 2),   # overlap in the file
    ]:
        sentence = refuse_import(broker, f"# first\n{bad}\nconfig 9 T9 198.51.100.9 up 1480\n")
        assert sentence.startswith(f"line {line}: "), f"{bad}: {sentence}"


def test_missing_owner_pop_or_file_is_named(broker):
    ready(broker)
    assert broker.refused("import", "-", "--owner", "nobody", "--pop", "demo01", stdin=FILE) == "There is no account NOBODY."
    assert broker.refused("import", "-", "--owner", "demo", "--pop", "nowhere", stdin=FILE) == "There is no PoP nowhere."
    assert broker.refused("import", "/nonexistent", "--owner", "demo", "--pop", "demo01") == "/nonexistent: No such file or directory"
    assert broker.refused("import", "/", "--owner", "demo", "--pop", "demo01") == "/: Is a directory"


def test_export_imported_elsewhere_exports_the_same(broker):
    ready(broker)
    do_import(broker, FILE)
    broker.ticctl("pop", "prefix", "demo01", "tunnel", "2001:db8:2fe::/48")
    do_import(broker, "config 10005 T99999 198.51.100.5 up 1480\nconfig 2001:db8:3077::/64 10005 static\n")  # number 5 of the second prefix
    text = broker.ticctl("export", "--pop", "demo01") + "\n"
    assert broker.ticctl("export", "demo01") + "\n" == text
    assert text.splitlines()[0].startswith("config 0 T4141 172.16.1.1 up 1480 ")
    assert text.splitlines()[-1] == "config 2001:db8:3077::/64 10005 static"
    assert broker.json("export", "--pop", "demo01") == [{"line": line} for line in text.splitlines()]
    for tunnel in broker.json("tunnel", "list"):
        for subnet in broker.json("subnet", "list"):
            if subnet["tunnel"] == tunnel["id"]:
                broker.ticctl("subnet", "delete", subnet["id"])
        broker.ticctl("tunnel", "delete", tunnel["id"])
    broker.ticctl("setting", "set", "prefix_rest_days", "0")
    assert "imported 5 tunnels and 3 subnets" in do_import(broker, text)
    assert broker.ticctl("export", "--pop", "demo01") + "\n" == text


def test_ten_thousand_tunnels_are_one_quick_transaction(broker):
    ready(broker)
    lines = [f"config {n:x} T{n + 1} {('ayiya', 'heartbeat', f'198.51.{n >> 8}.{n & 255}')[n % 3]} up 1280 {n:032x}" for n in range(10000)]
    lines += [f"config 2001:db8:30{n:02x}::/48 {n:x} static" for n in range(256)]
    started = time.monotonic()
    assert do_import(broker, "\n".join(lines)) == "imported 10000 tunnels and 256 subnets to demo01 for DEMO"
    imported = time.monotonic()
    text = broker.ticctl("export", "--pop", "demo01")
    exported = time.monotonic()
    print(f"10,000 tunnels: import {imported - started:.2f} s, export {exported - imported:.2f} s")
    assert text.splitlines() == lines
    assert len(broker.json("tunnel", "list")) == 10000
    assert refuse_import(broker, "\n".join(lines)) == "line 1: there is already a tunnel T1"
