"""Packets from people who mean harm, and from clients that are wrong: none is delivered, each is
counted under its name, the log stays small."""
import socket
import time

import pytest

from support import ayiya
from support.netns import ping
from support.network import HOST, OFFICE, POP_IPV4
from support.packets import echo, ipv4
from support.sockets import open_socket, send_ipv4, send_ipv6, send_udp
from support.wait import until

WRONG = "f" * 32
NOBODY = "2001:db8:2ff:7abc::2"
OWN_PORT = 40404  # all that the AYIYA tunnel's rightful owner sends comes from here: another port would have to be a second newer


@pytest.fixture(scope="module")
def tunnels(world):
    """An AYIYA, a heartbeat and a static tunnel; the second is up."""
    made = [world.request(kind, endpoint).known() for kind, endpoint in (("ayiya", None), ("heartbeat", None), ("static", OFFICE))]
    send_beat(world, made[1].beat())
    return made


@pytest.fixture(scope="module")
def at_host(world):
    """A raw ICMPv6 socket at the host: what was delivered."""
    with open_socket(world.host, socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6, timeout=0) as sock:
        yield sock


def delivered(sock):
    """How many of our forged echo requests have come."""
    count = 0
    while True:
        try:
            packet = sock.recv(65535)
        except BlockingIOError:
            return count
        count += packet[0] == 128 and b"forged" in packet


def send_ayiya(w, datagram, source_port=0):
    """Returns the port it came from."""
    return send_udp(w.office, (POP_IPV4, 5072), datagram, source_port)


def send_beat(w, line):
    send_udp(w.office, (POP_IPV4, 3740), line)


def send_41(w, payload, source=OFFICE):
    send_ipv4(w.office, ipv4(source, POP_IPV4, 41, payload))


def up(w, tunnel):
    """Makes the AYIYA tunnel's endpoint our own port, which is returned."""
    send_ayiya(w, tunnel.ayiya(b"", 0, 59), OWN_PORT)
    until(lambda: tunnel.shown()["state"] == "up", 3, "the tunnel to be up")
    return OWN_PORT


def forged(source, destination, hops=64):
    return echo(source, destination, data=b"forged", hops=hops)


# name of the drop -> what sends such a packet, from the world and its tunnels
CASES = {
    "outer-short": lambda w, a, h, s: send_ayiya(w, b"\x41\x52\x11"),
    "ayiya-form": lambda w, a, h, s: send_ayiya(w, b"\x31" + a.ayiya(forged(a.client, HOST))[1:]),
    "ayiya-unsigned": lambda w, a, h, s: send_ayiya(w, bytes([0x41, 0x00, 0x01, 41]) + a.ayiya(b"")[4:24] + forged(a.client, HOST)),
    "secret-unknown": lambda w, a, h, s: send_ayiya(w, w.request("ayiya").known().ayiya(b"", 0, 59, secret=WRONG)),
    "ayiya-signature": lambda w, a, h, s: send_ayiya(w, a.ayiya(forged(a.client, HOST), secret=WRONG), up(w, a)),
    "forged": lambda w, a, h, s: up(w, a) and send_ayiya(w, a.ayiya(forged(a.client, HOST), secret=WRONG)),
    "ayiya-trailing": lambda w, a, h, s: send_ayiya(w, a.ayiya(forged(a.client, HOST) + b"more")),
    "tunnel-unknown": lambda w, a, h, s: send_ayiya(w, ayiya.build(NOBODY, WRONG, forged(a.client, HOST))),
    "clock-skew": lambda w, a, h, s: send_ayiya(w, a.ayiya(forged(a.client, HOST), epoch=time.time() - 200)),
    "tunnel-type": lambda w, a, h, s: send_ayiya(w, s.ayiya(forged(a.client, HOST))),
    "beat-form": lambda w, a, h, s: send_beat(w, b"HEARTBEAT TUNNEL what is this"),
    "beat-signature": lambda w, a, h, s: send_beat(w, h.beat(secret=WRONG)),
    "beat-address": lambda w, a, h, s: send_beat(w, h.beat("192.0.2.99")),
    "endpoint-mismatch": lambda w, a, h, s: send_41(w, forged(s.client, HOST), "203.0.113.77"),
    "inner-short": lambda w, a, h, s: send_41(w, forged(s.client, HOST)[:30]),
    "inner-version": lambda w, a, h, s: send_41(w, b"\x45" + bytes(60)),
    "spoofed-from-tunnel": lambda w, a, h, s: send_ayiya(w, a.ayiya(forged("2001:db8:bad::1", HOST)), OWN_PORT),
    "inner-martian-dest": lambda w, a, h, s: send_41(w, forged(s.client, "::1")),
    "inner-multicast": lambda w, a, h, s: send_41(w, forged(s.client, "ff0e::1")),
    "link-local": lambda w, a, h, s: send_ayiya(w, a.ayiya(forged("fe80::1", "ff02::2")), OWN_PORT),
    "same-tunnel": lambda w, a, h, s: send_41(w, forged(s.client, s.client)),
    "tunnel-loop": lambda w, a, h, s: send_41(w, forged(s.client, "2002:c000:201::1")),
    "hop-limit": lambda w, a, h, s: send_41(w, forged(s.client, HOST, hops=1)),
    "no-such-tunnel": lambda w, a, h, s: send_41(w, forged(s.client, NOBODY)),
}


@pytest.mark.parametrize("name", CASES)
def test_is_dropped_under_its_name_and_not_delivered(world, tunnels, at_host, name):
    delivered(at_host)
    before = world.drops(name)
    CASES[name](world, *tunnels)
    until(lambda: world.drops(name) == before + 1, 3, f"one more {name}: {world.popctl('counters')['drops']}")
    assert delivered(at_host) == 0


NEVER_GLOBAL = ["fd00::1", "fc00::1", "100::1", "64:ff9b:1::1", "2001:2::1", "5f00::1", "::ffff:192.0.2.9", "fec0::1",
                "2002:a00:1::1", "2002:c0a8:101::1", "2002:7f00:1::1", "2002:6440:1::1"]


@pytest.mark.parametrize("address", NEVER_GLOBAL)
def test_an_address_that_is_never_global_passes_neither_way(world, tunnels, at_host, address):
    static = tunnels[2]
    delivered(at_host)
    to, source = world.drops("inner-martian-dest"), world.drops("inner-martian-source")
    send_41(world, forged(static.client, address))
    until(lambda: world.drops("inner-martian-dest") == to + 1, 3, "the destination to be refused")
    send_41(world, forged(address, HOST))
    until(lambda: world.drops("inner-martian-source") == source + 1, 3, "the source to be refused")
    send_ipv6(world.host, forged(address, static.client))
    if not address.startswith("::ffff"):  # the PoP's kernel does not forward that one
        until(lambda: world.drops("inner-martian-source") == source + 2, 3, "the source to be refused from the uplink too")
    assert delivered(at_host) == 0


def test_the_controls_are_delivered(world, tunnels, at_host):
    """Without this the test above could not fail."""
    delivered(at_host)
    own, beating, static = tunnels
    send_ayiya(world, own.ayiya(forged(own.client, HOST)), OWN_PORT)
    send_41(world, forged(static.client, HOST))
    send_41(world, forged(beating.client, HOST))
    total = [0]

    def three():
        total[0] += delivered(at_host)
        return total[0] == 3
    until(three, 3, "three honest packets to arrive")


def test_uplink_cannot_send_with_our_sources(world, tunnels):
    before = world.drops("spoofed-from-uplink")
    send_ipv6(world.host, forged("2001:db8:2ff:7::2", tunnels[2].client))
    until(lambda: world.drops("spoofed-from-uplink") == before + 1, 3, "the spoof to be counted")


def test_replayed_datagram_neither_arrives_nor_steals_the_tunnel(world, at_host):
    tunnel = world.request("ayiya").known()
    packet, now = forged(tunnel.client, HOST), int(time.time())
    first = tunnel.ayiya(packet, epoch=now - 20)
    owner = send_ayiya(world, first)
    send_ayiya(world, tunnel.ayiya(packet, epoch=now), owner)

    def endpoint():
        return tunnel.shown()["endpoint"]
    until(lambda: endpoint() == f"{OFFICE}:{owner}", 3, "the endpoint to be learnt")
    delivered(at_host)
    moves, stale = world.drops("replay-move"), world.drops("replay-stale")
    send_ayiya(world, first)  # another port: a thief
    send_ayiya(world, tunnel.ayiya(packet, epoch=now))  # not newer
    until(lambda: world.drops("replay-move") == moves + 2, 3, "both to be replays")
    send_ayiya(world, first, owner)  # the owner's own port, 20 s old
    until(lambda: world.drops("replay-stale") == stale + 1, 3, "the old one to be stale")
    assert endpoint() == f"{OFFICE}:{owner}"
    assert delivered(at_host) == 0


def test_no_tunnel_ends_at_another_pops_address(world):
    """A loop of two PoPs begins with a packet that claims to come from one."""
    other = "203.0.113.88"
    world.db.add_pop("other01", 7, ipv4=other)
    world.popctl("reload")
    ayiya, beating, static = world.request("ayiya").known(), world.request("heartbeat").known(), world.request("static", OFFICE).known()
    with open_socket(world.office, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        def send(proto, payload):
            raw.sendto(ipv4(other, POP_IPV4, proto, payload), (POP_IPV4, 0))

        def udp(port, payload):
            send(17, (4444).to_bytes(2, "big") + port.to_bytes(2, "big") + (8 + len(payload)).to_bytes(2, "big") + bytes(2) + payload)

        before = world.drops("outer-pop")

        def refused():
            send(41, forged(static.client, HOST))
            return world.drops("outer-pop") > before
        until(refused, 5, "popd to know the other PoP")
        before = world.drops("outer-pop")
        udp(5072, ayiya.ayiya(forged(ayiya.client, HOST)))
        udp(3740, beating.beat())
        until(lambda: world.drops("outer-pop") == before + 2, 3, "both to be refused")
    assert ayiya.shown()["endpoint"] is None and beating.shown()["endpoint"] is None


def test_every_truncation_of_every_kind_is_survived(world, tunnels):
    own, beating, static = tunnels
    datagram, line, inner = own.ayiya(forged(own.client, HOST)), beating.beat(), forged(static.client, HOST)
    for end in range(len(datagram)):
        send_ayiya(world, datagram[:end])
    for end in range(len(line)):
        send_beat(world, line[:end])
    for end in range(len(inner)):
        send_41(world, inner[:end])
    assert world.popd.is_running()
    world.request("ayiya").known(3)


def test_a_flood_of_junk_leaves_the_log_small_and_the_others_served(clients):
    tunnel = clients.request("ayiya")
    clients.connect(tunnel)
    until(lambda: ping(clients.home, HOST), 5, "the tunnel to work")
    before, log = clients.drops("forged"), len(clients.popd.log())
    datagram = tunnel.ayiya(b"\x60" + bytes(1200), secret=WRONG)
    with open_socket(clients.office, socket.AF_INET, socket.SOCK_DGRAM) as s:
        for burst in range(20):
            for _ in range(500):
                s.sendto(datagram, (POP_IPV4, 5072))
            if burst % 5 == 0:
                assert ping(clients.home, HOST)
    until(lambda: clients.drops("forged") > before + 5000, 5, "the flood to be counted")
    assert not {"forged", "ayiya-signature", "secret-unknown"} & {d["name"] for d in tunnel.shown()["drops"]}, "the book is its user's"
    assert ping(clients.home, HOST, count=3)
    assert len(clients.popd.log()) - log < 20_000
