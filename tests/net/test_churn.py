"""
While tunnels are added, changed and deleted by the thousand, the others do not lose a packet.

Numbered packets go both ways through tunnels of each type at a steady pace, far below what any
queue holds. Meanwhile waves of other tunnels come by the database's feed, change (state, MTU,
secret, subnets, subnets from one tunnel to another) and go again, and all is loaded anew in
their midst. CHURN_TUNNELS (100,000) are added, changed and deleted in all, in CHURN_WAVES waves.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from support.network import CLIENT2_IPV4, CLIENT_IPV4, HOST, POP_IPV4
from support.paths import ROOT, SANITIZED, slow
from support.wait import until

TUNNELS = int(os.environ.get("CHURN_TUNNELS", "10000" if SANITIZED else "100000"))
WAVES = int(os.environ.get("CHURN_WAVES", "5"))
RATE = 100  # packets a second, each tunnel, each way
FIRST, MOST = 1000, 32000  # numbers of a /48 that are the waves'

# The broker's rules have tests of their own, and would be most of the time of this one: the rows
# are written with triggers and foreign keys off, and the feed hears of them by the function that
# its triggers call.
AROUND_THE_RULES = "SET session_replication_role = replica;"
TELL = "SELECT broker.feed_record(array_agg(t.pop), array_agg(t.id)) FROM ({}) t;"
ADD = AROUND_THE_RULES + """
BEGIN;
INSERT INTO broker.tunnel (id, account, pop, pop_ipv4, type, prefix, endpoint)
SELECT {first} + n, a.id, p.id, p.ipv4, (ARRAY['ayiya', 'heartbeat', 'static'])[n % 3 + 1]::broker.tunnel_type,
	('2001:db8:2ff:' || to_hex({first} + n) || '::/64')::cidr,
	CASE WHEN n % 3 = 2 THEN '198.51.100.1'::inet + n % 250 END
FROM generate_series(0, {count} - 1) n, broker.account a, broker.pop p;
INSERT INTO broker.subnet (tunnel, pop, prefix)
SELECT t.id, t.pop, ('2001:db8:30' || to_hex(128 + t.id / 256 % 128) || ':' || to_hex(t.id % 256 * 256) || '::/56')::cidr
FROM broker.tunnel t WHERE t.id >= {first} AND t.id % 4 = 0;
""" + TELL.format("SELECT pop, id FROM broker.tunnel WHERE id >= {first}") + "COMMIT;"
CHANGE = AROUND_THE_RULES + """
BEGIN;
UPDATE broker.tunnel SET user_enabled = id % 5 <> 0, mtu = 1280 + id % 100, secret = md5(secret) WHERE id >= {first};
UPDATE broker.subnet SET tunnel = tunnel + CASE WHEN tunnel % 2 = 0 THEN 1 ELSE -1 END WHERE tunnel >= {first};
""" + TELL.format("SELECT pop, id FROM broker.tunnel WHERE id >= {first}") + "COMMIT;"
DELETE = AROUND_THE_RULES + """
BEGIN;
DELETE FROM broker.subnet WHERE tunnel >= {first};
CREATE TEMP TABLE gone AS SELECT pop, id FROM broker.tunnel WHERE id >= {first};
DELETE FROM broker.tunnel WHERE id >= {first};
""" + TELL.format("SELECT pop, id FROM gone") + "COMMIT;"


class Traffic:
    """tests/support/flows.py between the client and the host."""

    def __init__(self, net, tunnels):
        description = {
            "rate": RATE, "pop": POP_IPV4, "host": HOST, "client_space": net.client.name, "host_space": net.host.name,
            "tunnels": [{"kind": kind, "client": t.client, "pop_identity": t.pop, "secret": t.secret, "source": source}
                        for kind, source, t in tunnels]}
        path = pathlib.Path(net.dir, "flows.json")
        path.write_text(json.dumps(description), encoding="ascii")
        self.process = subprocess.Popen([sys.executable, str(ROOT / "tests/support/flows.py"), str(path)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "up\n", "the traffic did not begin"

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=30)
        return json.loads(out.splitlines()[-1])


def followed(net):
    """Waits until popd has every row of the feed."""
    seq = int(net.db.sql("SELECT seq FROM broker.feed")[0][0])
    until(lambda: net.popctl("status")["feed"]["seq"] >= seq, slow(60), f"popd to hear of change {seq}", step=0.2)


def wave(net, count, known):
    """Adds, changes and deletes `count` tunnels; all is loaded once more while they are there."""
    configured = lambda: net.popctl("status")["tunnels"]["configured"]  # noqa: E731
    net.db.sql(ADD.format(first=FIRST, count=count))
    followed(net)
    assert configured() == known + count
    net.db.sql(CHANGE.format(first=FIRST))
    followed(net)
    state = net.popctl("tunnel", "show", f"T{FIRST + 5}")
    assert state["state"] == "disabled" and state["mtu"] == 1280 + (FIRST + 5) % 100
    moved = [t for t in (FIRST, FIRST + 1) if any(r.endswith("/56") for r in net.popctl("tunnel", "show", f"T{t}")["routes"])]
    assert moved == [FIRST + 1], "the subnet of the first belongs to the second now"
    net.popctl("reload")
    assert configured() == known + count
    net.db.sql(DELETE.format(first=FIRST))
    followed(net)
    assert configured() == known


def test_not_a_packet_of_the_others_is_lost(net):
    net.pop.route("198.51.100.0/24", "via", CLIENT_IPV4)  # popd pings the waves' static tunnels
    net.popd.restart()
    tunnels = [("ayiya", CLIENT_IPV4, net.request("ayiya")), ("ayiya", CLIENT2_IPV4, net.request("ayiya")),
               ("heartbeat", CLIENT_IPV4, net.request("heartbeat")), ("heartbeat", CLIENT_IPV4, net.request("heartbeat")),
               ("static", CLIENT2_IPV4, net.request("static", CLIENT2_IPV4))]
    for _, _, tunnel in tunnels:
        tunnel.known()
    count = min(TUNNELS // WAVES, MOST - FIRST)
    traffic = Traffic(net, tunnels)
    dropped = {row["name"]: row["count"] for row in net.popctl("counters")["drops"]}
    memory = []
    began = time.monotonic()
    try:
        for _ in range(WAVES):
            wave(net, count, len(tunnels))
            memory.append(net.popd.rss())
    finally:
        results = traffic.end()
    print(f"{WAVES * count} tunnels added, changed and deleted in {time.monotonic() - began:.0f} s;",
          f"{sum(r[way]['sent'] for r in results for way in ('up', 'down'))} packets; RSS after each wave",
          " ".join(f"{m >> 20}" for m in memory), "MiB")
    for (kind, _, tunnel), result in zip(tunnels, results):
        for way in ("up", "down"):
            assert result[way]["faults"] == {} and result[way]["received"] == result[way]["sent"] > RATE, f"{kind} {tunnel.name} {way}: {result[way]}"
        shown = tunnel.shown()
        assert (shown["packets_in"], shown["packets_out"]) == (result["up"]["sent"], result["down"]["sent"]), f"{kind} {tunnel.name}: counters"
        assert shown["drops"] == [], f"{kind} {tunnel.name} dropped"
    now = {row["name"]: row["count"] for row in net.popctl("counters")["drops"]}
    assert now == dropped, "nobody's packet was dropped"
    # what the allocator keeps after a wave reaches a limit; configurations that were never freed
    # would not
    assert max(memory) - memory[0] < 16 << 20 or SANITIZED, f"memory grows by waves: {memory}"
    assert net.popctl("status")["feed"]["bad_rows"] == 0
    assert net.popd.stop() == 0
