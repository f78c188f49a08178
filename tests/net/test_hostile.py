"""Packets from people who mean harm, and from clients that are wrong: none is delivered, each is counted under its name, the log stays small."""
import socket
import time

import pytest

from support import ayiya, forge
from support.wait import until
from support.world import DIRECT, HOST, ping

WRONG = "f" * 32
OWN_PORT = 40404  # all that the AYIYA tunnel's rightful owner sends comes from here: another port would have to be a second newer


@pytest.fixture(scope="module")
def tunnels(world):
    """An AYIYA and a heartbeat tunnel that are up, and a static one; and a place where all that reaches the host can be counted."""
    records = {kind: world.request(kind, *(["--endpoint", DIRECT] if kind == "static" else [])) for kind in ("ayiya", "heartbeat", "static")}
    for record in records.values():
        world.known(record)
    forge.udp(world, 3740, ayiya.beat(records["heartbeat"]["IPv6 Endpoint"], records["heartbeat"]["Password"]))
    return records


@pytest.fixture(scope="module")
def at_host(world):
    """A raw ICMPv6 socket at the host: what was delivered."""
    with world.host.inside():
        s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    s.setblocking(False)
    yield s
    s.close()


def delivered(sock):
    """How many of our forged echo requests have come."""
    count = 0
    while True:
        try:
            packet = sock.recv(65535)
        except BlockingIOError:
            return count
        count += packet[0] == 128 and b"forged" in packet


def a(records):
    return records["ayiya"]["IPv6 Endpoint"], records["ayiya"]["Password"]


# name of the drop -> what sends such a packet
CASES = {
    "outer-short": lambda w, t: forge.udp(w, 5072, b"\x41\x52\x11"),
    "ayiya-form": lambda w, t: forge.udp(w, 5072, b"\x31" + ayiya.build(*a(t), forge.echo(a(t)[0], HOST))[1:]),
    "ayiya-unsigned": lambda w, t: forge.udp(w, 5072, bytes([0x41, 0x00, 0x01, 41]) + ayiya.build(*a(t))[4:24] + forge.echo(a(t)[0], HOST)),
    "ayiya-signature": lambda w, t: forge.udp(w, 5072, ayiya.build(a(t)[0], WRONG, forge.echo(a(t)[0], HOST))),
    "tunnel-unknown": lambda w, t: forge.udp(w, 5072, ayiya.build("2001:db8:2ff:7abc::2", WRONG, forge.echo(a(t)[0], HOST))),
    "clock-skew": lambda w, t: forge.udp(w, 5072, ayiya.build(*a(t), forge.echo(a(t)[0], HOST), epoch=int(time.time()) - 200)),
    "tunnel-type": lambda w, t: forge.udp(w, 5072, ayiya.build(t["static"]["IPv6 Endpoint"], t["static"]["Password"], forge.echo(a(t)[0], HOST))),
    "beat-form": lambda w, t: forge.udp(w, 3740, b"HEARTBEAT TUNNEL what is this"),
    "beat-signature": lambda w, t: forge.udp(w, 3740, ayiya.beat(t["heartbeat"]["IPv6 Endpoint"], WRONG)),
    "beat-address": lambda w, t: forge.udp(w, 3740, ayiya.beat(t["heartbeat"]["IPv6 Endpoint"], t["heartbeat"]["Password"], "192.0.2.99")),
    "endpoint-mismatch": lambda w, t: forge.protocol41(w, "203.0.113.77", t["static"]["IPv6 Endpoint"], HOST),
    "inner-short": lambda w, t: forge.protocol41(w, DIRECT, None, None, payload=forge.echo(t["static"]["IPv6 Endpoint"], HOST)[:30]),
    "inner-version": lambda w, t: forge.protocol41(w, DIRECT, None, None, payload=b"\x45" + bytes(60)),
    "spoofed-from-tunnel": lambda w, t: forge.udp(w, 5072, ayiya.build(*a(t), forge.echo("2001:db8:bad::1", HOST)), source_port=OWN_PORT),
    "inner-martian-dest": lambda w, t: forge.protocol41(w, DIRECT, t["static"]["IPv6 Endpoint"], "::1"),
    "inner-multicast": lambda w, t: forge.protocol41(w, DIRECT, t["static"]["IPv6 Endpoint"], "ff0e::1"),
    "link-local": lambda w, t: forge.udp(w, 5072, ayiya.build(*a(t), forge.echo("fe80::1", "ff02::2")), source_port=OWN_PORT),
    "same-tunnel": lambda w, t: forge.protocol41(w, DIRECT, t["static"]["IPv6 Endpoint"], t["static"]["IPv6 Endpoint"]),
    "tunnel-loop": lambda w, t: forge.protocol41(w, DIRECT, t["static"]["IPv6 Endpoint"], "2002:c633:6402::1"),
    "hop-limit": lambda w, t: forge.protocol41(w, DIRECT, None, None, payload=forge.echo(t["static"]["IPv6 Endpoint"], HOST, hop_limit=1)),
    "no-such-tunnel": lambda w, t: forge.protocol41(w, DIRECT, t["static"]["IPv6 Endpoint"], "2001:db8:2ff:7abc::2"),
}


@pytest.mark.parametrize("name", CASES)
def test_is_dropped_under_its_name_and_not_delivered(world, tunnels, at_host, name):
    delivered(at_host)
    before = world.drops(name)
    CASES[name](world, tunnels)
    until(lambda: world.drops(name) == before + 1, 3, f"one more {name}: {world.popctl('counters')['drops']}")
    assert delivered(at_host) == 0


def test_the_controls_are_delivered(world, tunnels, at_host):
    """Without this the test above could not fail."""
    delivered(at_host)
    forge.udp(world, 5072, ayiya.build(*a(tunnels), forge.echo(a(tunnels)[0], HOST)), source_port=OWN_PORT)
    forge.protocol41(world, DIRECT, tunnels["static"]["IPv6 Endpoint"], HOST)
    forge.protocol41(world, DIRECT, tunnels["heartbeat"]["IPv6 Endpoint"], HOST)
    total = [0]

    def three():
        total[0] += delivered(at_host)
        return total[0] == 3
    until(three, 3, "three honest packets to arrive")


def test_uplink_cannot_send_with_our_sources(world, tunnels):
    before = world.drops("spoofed-from-uplink")
    with world.host.inside():
        s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with s:
        s.sendto(forge.echo("2001:db8:2ff:7::2", tunnels["static"]["IPv6 Endpoint"]), (tunnels["static"]["IPv6 Endpoint"], 0))
    until(lambda: world.drops("spoofed-from-uplink") == before + 1, 3, "the spoof to be counted")


def test_replayed_datagram_neither_arrives_nor_steals_the_tunnel(world, at_host):
    record = world.request("ayiya")
    world.known(record)
    client, secret = record["IPv6 Endpoint"], record["Password"]
    now = int(time.time())
    first = ayiya.build(client, secret, forge.echo(client, HOST), epoch=now - 20)
    owner = forge.udp(world, 5072, first)
    forge.udp(world, 5072, ayiya.build(client, secret, forge.echo(client, HOST), epoch=now), source_port=owner)

    def endpoint():
        return world.popctl("tunnel", "show", record["TunnelId"])["endpoint"]
    until(lambda: endpoint() == f"{DIRECT}:{owner}", 3, "the endpoint to be learnt")
    delivered(at_host)
    moves, stale = world.drops("replay-move"), world.drops("replay-stale")
    forge.udp(world, 5072, first)                                             # another port: a thief
    forge.udp(world, 5072, ayiya.build(client, secret, forge.echo(client, HOST), epoch=now))  # not newer
    until(lambda: world.drops("replay-move") == moves + 2, 3, "both to be replays")
    forge.udp(world, 5072, first, source_port=owner)                          # the owner's own port, 20 s old
    until(lambda: world.drops("replay-stale") == stale + 1, 3, "the old one to be stale")
    assert endpoint() == f"{DIRECT}:{owner}"
    assert delivered(at_host) == 0


def test_every_truncation_of_every_kind_is_survived(world, tunnels):
    whole = ayiya.build(*a(tunnels), forge.echo(a(tunnels)[0], HOST))
    line = ayiya.beat(tunnels["heartbeat"]["IPv6 Endpoint"], tunnels["heartbeat"]["Password"])
    for end in range(len(whole)):
        forge.udp(world, 5072, whole[:end])
    for end in range(len(line)):
        forge.udp(world, 3740, line[:end])
    inner = forge.echo(tunnels["static"]["IPv6 Endpoint"], HOST)
    for end in range(0, len(inner)):
        forge.protocol41(world, DIRECT, None, None, payload=inner[:end])
    assert world.popd.is_running()
    record = world.request("ayiya")
    world.known(record)


def test_a_flood_of_junk_leaves_the_log_small_and_the_others_served(clients):
    record = clients.request("ayiya")
    clients.connect(record)
    until(lambda: ping(clients.client, HOST), 5, "the tunnel to work")
    before, log = clients.drops("ayiya-signature"), len(clients.popd.log())
    datagram = ayiya.build(record["IPv6 Endpoint"], WRONG, b"\x60" + bytes(1200))
    with clients.direct.inside():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with s:
        for burst in range(20):
            for _ in range(500):
                s.sendto(datagram, ("198.51.100.2", 5072))
            if burst % 5 == 0:
                assert ping(clients.client, HOST)
    until(lambda: clients.drops("ayiya-signature") > before + 5000, 5, "the flood to be counted")
    assert ping(clients.client, HOST, count=3)
    assert len(clients.popd.log()) - log < 20_000
