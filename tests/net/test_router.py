"""
popd as a router: every ICMPv6 answer field by field, ping, traceroute and mtr, and packets that
pass unchanged. scapy is the peer at the tunnel's far end and on the Internet; for the tools
there is a client with a TUN.
"""
import contextlib
import logging
import os
import re
import socket
import threading
import time

import pytest

from support.netns import ping
from support.network import CLIENT2_IPV4, CLIENT_IPV4, HOST, POP_IPV4
from support.packets import is_echo_reply, packed, upper_checksum
from support.paths import slow
from support.sockets import ipv6_tap, open_socket, raw41_socket, receive, send_ipv4, send_ipv6, udp_socket
from support.tunnel import TunnelClient
from support.wait import until

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.layers.inet import IP, TCP, UDP  # noqa: E402
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6MLReport2, ICMPv6ND_NA, ICMPv6ND_NS,  # noqa: E402
                                ICMPv6ND_RS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, ICMPv6PacketTooBig, ICMPv6ParamProblem, ICMPv6TimeExceeded,
                                IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN, RouterAlert)
from scapy.layers.ipsec import AH  # noqa: E402
from scapy.packet import Raw  # noqa: E402

OWN = "2001:db8:2ff:ffff::1"
NOBODY = "2001:db8:2ff:7abc::2"


PLENTY = {"tunnel_errors_per_second": 10000, "errors_per_second": 10000}


@pytest.fixture(scope="module")
def popd(net):
    """These tests ask for many errors, so the limits are out of the way; the tests of the limits
    set their own."""
    yield net.popd.restart(**PLENTY)
    assert net.popd.is_running()


# ---- peers

class Peer:
    """Somebody who sends and receives whole IPv6 packets: a static tunnel's client, or the host on
    the Internet."""

    def __init__(self, send, raw, address):
        self.send, self.raw, self.address = send, raw, address

    def exchange(self, packet, wanted, seconds=2):
        """Sends; returns the first wanted packet that comes back, as scapy's, after checking its
        checksum."""
        self.send(bytes(packet))
        return self.receive(wanted, seconds)

    def receive(self, wanted, seconds=2):
        data = receive(self.raw, lambda d: wanted(IPv6(self.inner(d))), seconds)
        if data is None:
            return None
        data = self.inner(data)
        if data[6] == 58:
            assert upper_checksum(*(socket.inet_ntop(socket.AF_INET6, data[i:i + 16]) for i in (8, 24)), 58, data[40:]) == 0
        return IPv6(data)

    def inner(self, data):
        return data

    def silence_until_echo(self, target):
        """The packets before the answer to a ping of `target`: all answers to earlier packets."""
        got = []
        ident = os.getpid() & 0xFFFF ^ len(got)
        self.send(bytes(IPv6(src=self.address, dst=target) / ICMPv6EchoRequest(id=ident, seq=9)))

        def done(packet):
            if ICMPv6EchoReply in packet and packet[ICMPv6EchoReply].seq == 9:
                return True
            if not isinstance(packet.payload, ICMPv6EchoRequest):  # popd asks once a minute whether the client lives
                got.append(packet)
            return False
        assert self.receive(done), "no answer to the ping after it"
        return got


class Client(Peer):
    def __init__(self, tunnel, sock):
        super().__init__(lambda p: sock.sendto(p, (POP_IPV4, 0)), sock, tunnel.client)

    def inner(self, data):
        return data[20:]


@contextlib.contextmanager
def host_peer(net):
    with ipv6_tap(net.host, "h0") as seen:
        peer = Peer(lambda p: send_ipv6(net.host, p), seen, HOST)
        peer.inner = lambda d: d if d[24:40] == packed(HOST) or d[8:24] != packed(HOST) else bytes(40)  # its own packets are seen as well
        yield peer


@pytest.fixture(scope="module")
def tunnels(net, popd):
    """`mine` is the client's; `wide` takes 1480 bytes, `narrow` 1280; `off` is disabled, `down` was
    never heard from."""
    made = {name: net.request("static", endpoint=CLIENT2_IPV4) for name in ("mine", "narrow", "wide", "off")}
    made["down"] = net.request("ayiya")
    net.db.ticctl("tunnel", "set", made["wide"].name, "mtu", "1480")
    net.db.ticctl("tunnel", "set", made["off"].name, "state", "disabled")
    made["down"].known()
    until(lambda: made["wide"].shown()["mtu"] == 1480 and made["off"].shown()["state"] == "disabled", slow(3), "the tunnels to be as they should")
    return made


@pytest.fixture
def client(net, tunnels):
    with raw41_socket(net.client, CLIENT2_IPV4) as sock:
        yield Client(tunnels["mine"], sock)


@pytest.fixture
def host(net, tunnels):
    with host_peer(net) as peer:
        yield peer


# ---- errors, field by field

# name of the reason: tunnel or address it goes to, packet, type, code, third field, source (from
# the client, from the host)
NEAR, FAR, SELF = "the tunnel's ::1", "the ::1 of the tunnel it goes to", "popd itself"


def errors():
    def to(key, number=2):
        return lambda t: t[key].client[:-1] + str(number)
    probe = UDP(sport=4660, dport=33434) / Raw(b"trace")
    return {
        "no-such-tunnel": (lambda t: NOBODY, probe, (ICMPv6DestUnreach, 3, 0), (NEAR, SELF)),
        "tunnel-disabled": (to("off"), probe, (ICMPv6DestUnreach, 1, 0), (NEAR, FAR)),
        "tunnel-down": (to("down"), probe, (ICMPv6DestUnreach, 0, 0), (NEAR, FAR)),
        "tunnel-net-host": (to("narrow", 5), probe, (ICMPv6DestUnreach, 0, 0), (NEAR, FAR)),
        "too-big": (to("narrow"), Raw(bytes(1241)), (ICMPv6PacketTooBig, 0, 1280), (NEAR, FAR)),
        "not-for-pop, UDP to ::1": (to("mine", 1), probe, (ICMPv6DestUnreach, 4, 0), (NEAR, FAR)),
        "not-for-pop, UDP to popd": (lambda t: OWN, probe, (ICMPv6DestUnreach, 4, 0), (SELF, SELF)),
        "not-for-pop, TCP": (to("mine", 1), TCP(sport=4660, dport=80, flags="S"), (ICMPv6DestUnreach, 4, 0), (NEAR, FAR)),
        "not-for-pop, a protocol nobody knows": (to("mine", 1), Raw(b"12345678"), (ICMPv6DestUnreach, 4, 0), (NEAR, FAR)),
        "not-for-pop, a detour": (to("mine", 1), IPv6ExtHdrRouting(addresses=["2001:db8::1"], segleft=1) / probe, (ICMPv6ParamProblem, 0, 42), (NEAR, FAR)),
        "hop-limit": (to("narrow"), probe, (ICMPv6TimeExceeded, 0, 0), (NEAR, FAR)),
    }


@pytest.mark.parametrize("name", errors())
@pytest.mark.parametrize("where", ["client", "host"])
def test_each_error_has_the_right_source_code_and_quote(net, tunnels, client, host, where, name):
    to, payload, (kind, code, third), sources = errors()[name]
    peer = client if where == "client" else host
    target = to(tunnels)
    # on its way from the host the kernel has made a hop already
    hops = {"client": 1, "host": 2}[where] if name == "hop-limit" else 64
    packet = IPv6(bytes(IPv6(src=peer.address, dst=target, hlim=hops, nh=253, tc=0xB9, fl=0x12345) / payload if isinstance(payload, Raw)
                        else IPv6(src=peer.address, dst=target, hlim=hops, tc=0xB9, fl=0x12345) / payload))
    reason = name.split(",")[0]
    before = net.drops(reason)
    answer = peer.exchange(packet, lambda p: kind in p)
    assert answer, net.popctl("counters")["drops"]
    assert net.drops(reason) == before + 1
    far = next((t.pop for t in tunnels.values() if packed(t.pop)[:8] == packed(target)[:8]), None)
    assert answer.src == {NEAR: tunnels["mine"].pop, FAR: far, SELF: OWN}[sources[where == "host"]] and answer.dst == peer.address
    assert (answer.version, answer.tc, answer.nh, answer.hlim) == (6, 0, 58, 64 if where == "client" else 63)
    error = answer[kind]
    assert error.code == code and bytes(answer)[44:48] == third.to_bytes(4, "big")
    sent = bytearray(bytes(packet))
    sent[7] -= where == "host"
    quoted = bytes(answer)[48:]
    assert quoted == bytes(sent)[:1232] and len(bytes(answer)) <= 1280


@pytest.mark.parametrize("where", ["client", "host"])
@pytest.mark.parametrize("size", [1231, 1232, 1233, 1440])
def test_a_quote_fills_1280_bytes_and_no_more(tunnels, client, host, where, size):
    peer = client if where == "client" else host
    packet = bytes(IPv6(src=peer.address, dst=NOBODY, nh=253) / Raw(os.urandom(size - 40)))
    answer = bytes(peer.exchange(packet, lambda p: ICMPv6DestUnreach in p))
    assert len(answer) == min(48 + size, 1280) and answer[48:55] == packet[:7] and answer[56:] == packet[8:1232]


def unanswerable(source):
    probe = UDP(sport=4660, dport=33434) / Raw(b"trace")
    return {
        "about an error": IPv6(src=source, dst=NOBODY) / ICMPv6DestUnreach(code=0) / Raw(bytes(48)),
        "about a later fragment that may be of one": IPv6(src=source, dst=NOBODY) / IPv6ExtHdrFragment(nh=58, offset=10, m=1) / Raw(bytes(64)),
        "about a packet that ends before it says what it is": IPv6(src=source, dst=NOBODY, nh=58),
        "to all nodes": IPv6(src=source, dst="ff0e::1") / probe,
        "to all nodes, and too big": IPv6(src=source, dst="ff0e::1", nh=253) / Raw(bytes(1400)),
        "to nobody in particular": IPv6(src="::", dst=NOBODY) / probe,
        "to all nodes as the sender": IPv6(src="ff02::1", dst=NOBODY) / probe,
        "to this link": IPv6(src="fe80::1", dst=NOBODY) / probe,
        "about a redirect": IPv6(src=source, dst=NOBODY, nh=58) / Raw(b"\x89" + bytes(39)),
    }


@pytest.mark.parametrize("name", unanswerable("::"))
def test_packets_that_never_get_an_error(net, tunnels, client, name):
    before = net.popctl("status")["icmp_errors_sent"]
    dropped = net.popctl("status")["drops"]
    client.send(bytes(unanswerable(client.address)[name]))
    assert client.silence_until_echo(tunnels["mine"].pop) == []
    # another worker may have had it, and other clients' kernels chat as well
    until(lambda: net.popctl("status")["drops"] > dropped, slow(2), "the drop to be counted")
    assert net.popctl("status")["icmp_errors_sent"] == before


# ---- limits

def flood(net, sock, *tunnels):
    """Sends 100 packets from each that ask for an error; returns the seconds until popd has decided
    about all of them."""
    def decided():
        status = net.popctl("status")
        return status["icmp_errors_sent"] + status["icmp_errors_limited"]
    before, began = decided(), time.monotonic()
    for tunnel in tunnels:
        packet = bytes(IPv6(src=tunnel.client, dst=NOBODY) / UDP(sport=4660, dport=33434))
        for _ in range(100):
            sock.sendto(packet, (POP_IPV4, 0))
    until(lambda: decided() == before + 100 * len(tunnels), slow(5), "all to be answered or held back", step=0.01)
    return time.monotonic() - began


def errors_to(sock):
    count = 0
    while receive(sock, lambda d: d[20 + 6] == 58 and d[20 + 40] == 1, 0.4):
        count += 1
    return count


def test_errors_are_limited_for_each_tunnel_and_in_all_whatever_the_number_of_workers(net, tunnels):
    per_tunnel, in_all = 10, 25
    try:
        net.popd.restart(tunnel_errors_per_second=per_tunnel, errors_per_second=in_all, workers=2)
        with raw41_socket(net.client, CLIENT2_IPV4) as sock:
            took = flood(net, sock, tunnels["mine"])
            count = errors_to(sock)
            assert per_tunnel <= count <= per_tunnel * (1 + took) + 1, "a second's worth, whichever worker has the tunnel"
            time.sleep(1.1)  # the buckets are full again; that is what is tested
            took = flood(net, sock, *(tunnels[name] for name in ("mine", "narrow", "wide")))
            count = errors_to(sock)
            assert in_all <= count <= in_all * (1 + took) + 1
    finally:
        net.popd.restart(**PLENTY)


FLOOD = 20_000  # packets a second of each flood


@contextlib.contextmanager
def floods(net, *packets):
    """Sends each of the packets from the host FLOOD times a second, until the end. It says how many
    went out."""
    stop, sent = threading.Event(), [0] * len(packets)

    def send(index):
        began = time.monotonic()
        with open_socket(net.host, socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
            destination = socket.inet_ntop(socket.AF_INET6, packets[index][24:40]), 0
            while not stop.is_set():
                if sent[index] >= (time.monotonic() - began) * FLOOD:
                    time.sleep(0.001)
                    continue
                sock.sendto(packets[index], destination)
                sent[index] += 1

    threads = [threading.Thread(target=send, args=(i,)) for i in range(len(packets))]
    for thread in threads:
        thread.start()
    try:
        yield sent
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_floods_that_ask_for_other_errors_hold_no_packet_too_big_back(net, tunnels):
    """The rates are popd's defaults. Packets that a loaded machine loses before popd are not
    counted: popd counts what it received."""
    narrow, asked = tunnels["narrow"], 40
    big = bytes(IPv6(src=HOST, dst=narrow.client) / UDP(sport=4660, dport=9) / Raw(bytes(1400 - 48)))
    small = [bytes(IPv6(src=HOST, dst=to) / UDP(sport=4660, dport=9)) for to in (narrow.pop, NOBODY)]

    def too_big():
        return next((d["count"] for d in narrow.shown()["drops"] if d["name"] == "too-big"), 0)

    try:
        net.popd.restart(tunnel_errors_per_second=20, errors_per_second=1000)
        narrow.known()
        before = net.drops("not-for-pop"), net.drops("no-such-tunnel")
        with open_socket(net.host, socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as seen:
            seen.setsockopt(socket.IPPROTO_ICMPV6, 1, b"\xfb" + b"\xff" * 31)  # ICMPV6_FILTER: type 2 only
            with floods(net, *small) as sent:
                until(lambda: min(sent) > FLOOD, slow(20), "a second of flood")
                for _ in range(asked):
                    send_ipv6(net.host, big)
                    time.sleep(0.1)  # half of the tunnel's own rate
                until(lambda: min(sent) > 4 * FLOOD, slow(40), "the floods to go on all the time")
            told = 0
            while receive(seen, lambda d: d[0] == 2 and d[4:8] == (1280).to_bytes(4, "big"), 0.5):
                told += 1
        assert told == too_big(), "each that popd saw was answered"
        assert asked / 2 < told <= asked
        flooded = net.drops("not-for-pop") - before[0], net.drops("no-such-tunnel") - before[1]
        print(f"sent {sent}, seen {flooded}, told {told} of {asked}")
        assert min(flooded) > FLOOD, "the floods reached popd"
    finally:
        net.popd.restart(**PLENTY)


# ---- the tools

def hops(text):
    """Addresses by hop out of the lines of traceroute or mtr."""
    found = {}
    for line in text.splitlines():
        if match := re.match(r"\s*(\d+)[.?:]*\S*\s+([0-9a-f:]{3,})\s", line):
            found[int(match.group(1))] = match.group(2)
    return found


TRACES = {
    "traceroute UDP": ["traceroute", "-6", "-n", "-q", "1", "-w", "2", "-m", "6"],
    "traceroute ICMP": ["traceroute", "-6", "-n", "-I", "-q", "1", "-w", "2", "-m", "6"],
    "traceroute TCP": ["traceroute", "-6", "-n", "-T", "-q", "1", "-w", "2", "-m", "6"],
    "mtr ICMP": ["mtr", "-6", "-n", "--report", "-c", "2", "-i", "0.2", "-G", "1"],
    "mtr UDP": ["mtr", "-6", "-n", "-u", "--report", "-c", "2", "-i", "0.2", "-G", "1"],
    "tracepath": ["tracepath", "-6", "-n", "-m", "6"],
}


@pytest.fixture(scope="module")
def user(net, tunnels):
    tunnel = net.request("ayiya").known()
    with TunnelClient(tunnel, net.client, CLIENT_IPV4):
        until(lambda: ping(net.client, HOST), slow(5), "the tunnel to work")
        yield tunnel


@pytest.mark.parametrize("tool", TRACES)
def test_the_tools_see_popd_as_the_first_hop_on_the_way_out(net, user, tool):
    said = net.client.run(*TRACES[tool], HOST).stdout
    found = hops(said)
    assert found[1] == user.pop and found[3] == HOST and len(found) == 3, said  # the second is the PoP's kernel
    if tool == "tracepath":
        assert "pmtu 1280" in said


@pytest.mark.parametrize("tool", [t for t in TRACES if t != "tracepath"])
@pytest.mark.parametrize("target", ["::1", "popd itself"])
def test_the_tools_end_at_popd_s_own_addresses(net, user, tool, target):
    address = user.pop if target == "::1" else OWN
    said = net.client.run(*TRACES[tool], address).stdout
    assert hops(said) == {1: address}, said
    from_outside = net.host.run(*TRACES[tool], address).stdout
    assert list(hops(from_outside).values())[-1] == address, from_outside


@pytest.mark.parametrize("tool", TRACES)
def test_from_outside_the_tools_see_popd_before_the_client(net, user, tool):
    said = net.host.run(*TRACES[tool], user.client).stdout
    found = hops(said)
    assert found[2] == user.pop and found[3] == user.client and len(found) == 3, said


@pytest.mark.parametrize("size", [0, 56, 1000, 1232])
def test_popd_s_addresses_answer_ping_of_any_size_from_both_sides(net, user, size):
    for space in (net.client, net.host):
        for address in (user.pop, OWN):
            said = space.run("ping", "-6", "-n", "-c", "3", "-i", "0.05", "-W", "2", "-s", str(size), address).stdout
            assert "3 received" in said


def test_link_local_packets_of_a_linux_client_are_no_errors(net, user):
    """Its kernel has sent router solicitations and listener reports by the time the tests above are
    done."""
    until(lambda: any(d["name"] == "link-local" for d in user.shown()["drops"]), slow(10), "the kernel's chatter")
    assert {d["name"] for d in user.shown()["drops"]} <= {"link-local", "hop-limit", "not-for-pop", "too-big"}


# ---- link-local packets of a client's kernel

@pytest.mark.parametrize("to", ["solicited-node multicast", "unicast, to see whether we are still there"])
@pytest.mark.parametrize("option", [b"", bytes(ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:01")), bytes(ICMPv6NDOptDstLLAddr()) + bytes(ICMPv6NDOptSrcLLAddr())])
def test_a_solicitation_for_our_end_is_answered(tunnels, client, to, option):
    pop = tunnels["mine"].pop
    answer = client.exchange(IPv6(src=client.address, dst="ff02::1:ff00:1" if "multicast" in to else pop, hlim=255) / ICMPv6ND_NS(tgt=pop) / Raw(option),
                             lambda p: ICMPv6ND_NA in p)
    assert answer, "no advertisement"
    said = answer[ICMPv6ND_NA]
    assert (answer.src, answer.dst, answer.hlim, answer.plen) == (pop, client.address, 255, 24)
    assert (said.R, said.S, said.O, said.tgt, said.code) == (1, 1, 0, pop, 0)


def chatter(tunnels, source):
    pop, group = tunnels["mine"].pop, IPv6ExtHdrHopByHop(options=[RouterAlert(value=0), PadN(optdata=b"")])
    return {
        "router solicitation, link-local": (IPv6(src="fe80::1", dst="ff02::2", hlim=255) / ICMPv6ND_RS(), "link-local"),
        "router solicitation": (IPv6(src=source, dst="ff02::2", hlim=255) / ICMPv6ND_RS(), "link-local"),
        "router solicitation to us alone": (IPv6(src=source, dst=pop, hlim=255) / ICMPv6ND_RS(), "pop-unused"),
        "MLD report, link-local": (IPv6(src="fe80::1", dst="ff02::16", hlim=1) / group / ICMPv6MLReport2(), "link-local"),
        "MLD report, no address yet": (IPv6(src="::", dst="ff02::16", hlim=1) / group / ICMPv6MLReport2(), "link-local"),
        "MLD report": (IPv6(src=source, dst="ff02::16", hlim=1) / group / ICMPv6MLReport2(), "link-local"),
        "duplicate address detection": (IPv6(src="::", dst="ff02::1:ff00:2", hlim=255) / ICMPv6ND_NS(tgt=source), "link-local"),
        "solicitation for somebody else": (IPv6(src=source, dst="ff02::1:ff00:5", hlim=255) / ICMPv6ND_NS(tgt=source[:-1] + "5"), "link-local"),
        "solicitation from afar": (IPv6(src=source, dst=pop, hlim=254) / ICMPv6ND_NS(tgt=pop), "pop-unused"),
        "solicitation with an option of no length": (IPv6(src=source, dst=pop, hlim=255) / ICMPv6ND_NS(tgt=pop) / Raw(bytes(8)), "pop-unused"),
        "solicitation with half an option": (IPv6(src=source, dst=pop, hlim=255) / ICMPv6ND_NS(tgt=pop) / Raw(b"\1\2" + bytes(6)), "pop-unused"),
        "advertisement": (IPv6(src=source, dst=pop, hlim=255) / ICMPv6ND_NA(tgt=source), "pop-unused"),
    }


@pytest.mark.parametrize("name", chatter({"mine": type("T", (), {"pop": "::1"})}, "::2"))
def test_link_local_packets_that_need_no_answer(net, tunnels, client, name):
    packet, reason = chatter(tunnels, client.address)[name]
    before = net.drops(reason)
    client.send(bytes(packet))
    assert client.silence_until_echo(tunnels["mine"].pop) == []
    until(lambda: net.drops(reason) > before, slow(2), f"one more {reason}")


# ---- forwarded packets are not changed

def strange(source, destination):
    head, probe = IPv6(src=source, dst=destination, tc=0xB8, fl=0xABCDE), UDP(sport=1, dport=9) / Raw(b"payload")
    return {
        "hop-by-hop": head / IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))]) / probe,
        "hop-by-hop with an option nobody knows": head / IPv6ExtHdrHopByHop(options=[PadN(otype=0x1E, optdata=bytes(4))]) / probe,
        "destination options": head / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(12))]) / probe,
        "routing header": head / IPv6ExtHdrRouting(addresses=["2001:db8::1"], segleft=1) / probe,
        "authentication": head / AH(nh=17, payloadlen=4, spi=1, seq=1, icv=bytes(12)) / probe,
        "first fragment": head / IPv6ExtHdrFragment(nh=17, offset=0, m=1, id=77) / Raw(bytes(64)),
        "later fragment": head / IPv6ExtHdrFragment(nh=17, offset=8, m=0, id=77) / Raw(bytes(33)),
        "atomic fragment": head / IPv6ExtHdrFragment(nh=17, id=78) / probe,
        "all of them": head / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting() / IPv6ExtHdrFragment(nh=60, m=1) / IPv6ExtHdrDestOpt() / probe,
        "headers cut short": IPv6(src=source, dst=destination, nh=60) / Raw(b"\x3c\xff\0\0"),
        "nothing at all": IPv6(src=source, dst=destination, nh=59),
        "a protocol nobody knows": IPv6(src=source, dst=destination, nh=253) / Raw(os.urandom(100)),
        "a wrong checksum": head / UDP(sport=1, dport=9, chksum=0x1234) / Raw(b"payload"),
        "ESP": IPv6(src=source, dst=destination, nh=50) / Raw(os.urandom(64)),
    }


@pytest.mark.parametrize("name", strange("::", "::"))
def test_packets_pass_unchanged_both_ways_but_for_the_hop_limit(tunnels, client, host, name):
    for sender, receiver in ((client, host), (host, client)):
        packet = bytes(strange(sender.address, receiver.address)[name])
        sender.send(packet)
        got = receiver.receive(lambda p, packet=packet: bytes(p)[8:] == packet[8:])
        assert got, f"{name} did not arrive"
        assert bytes(got)[:8] == packet[:7] + bytes([64 - 2])  # the PoP's kernel is a hop as well


# ---- ECN and DSCP

ECN_AFTER = {  # RFC 6040 figure 4: inner, outer -> inner; None: dropped
    (0, 0): 0, (0, 1): 0, (0, 2): 0, (0, 3): None,
    (1, 0): 1, (1, 1): 1, (1, 2): 1, (1, 3): 3,
    (2, 0): 2, (2, 1): 1, (2, 2): 2, (2, 3): 3,
    (3, 0): 3, (3, 1): 3, (3, 2): 3, (3, 3): 3,
}


@pytest.mark.parametrize("dscp", [0, 46])
def test_congestion_marks_leave_the_tunnel_as_rfc_6040_says_and_the_outer_dscp_does_not(net, tunnels, client, host, dscp):
    for (inner, outer), after in ECN_AFTER.items():
        packet = IPv6(src=client.address, dst=HOST, tc=10 << 2 | inner) / UDP(sport=1, dport=9) / Raw(bytes([inner, outer]))
        before = net.drops("ecn-invalid")
        send_ipv4(net.client, bytes(IP(src=CLIENT2_IPV4, dst=POP_IPV4, proto=41, tos=dscp << 2 | outer) / Raw(bytes(packet))))
        if after is None:
            until(lambda: net.drops("ecn-invalid") == before + 1, slow(2), "the drop")  # noqa: B023
            continue
        got = host.receive(lambda p: p.src == client.address and p.dst == HOST)
        assert got and got.tc == 10 << 2 | after, (inner, outer)


def outer_class(net, tunnel, sock):
    """The traffic class of the next outer packet to the tunnel's client, and the inner packet."""
    data = receive(sock, lambda d: tunnel.client is None or d[20 + 24:20 + 40] == packed(tunnel.client))
    return data[1], data[20:]


@pytest.mark.parametrize("setting, expected", [("copy", None), ("zero", 0), ("0", 0), ("46", 46), ("63", 63)])
def test_the_outer_dscp_is_policy_and_the_congestion_mark_is_the_inner_one(net, tunnels, setting, expected):
    net.popd.restart(dscp=setting, **PLENTY)
    ayiya = tunnels["down"]
    with raw41_socket(net.client, CLIENT2_IPV4) as sock, udp_socket(net.client, port=40405) as udp, host_peer(net) as host:
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        ayiya.up_by_ayiya(udp)  # from the same port each time: no move
        for tc in (0, 10 << 2 | 1, 46 << 2 | 2, 63 << 2 | 3):
            dscp = tc >> 2 if expected is None else expected
            for tunnel in (tunnels["mine"], ayiya):
                packet = IPv6(src=HOST, dst=tunnel.client, tc=tc) / UDP(sport=1, dport=9)
                host.send(bytes(packet))
                if tunnel is ayiya:
                    data, ancillary, _, _ = udp.recvmsg(2048, 64)
                    got, inner = ancillary[0][2][0], IPv6(tunnel.open_ayiya(data))
                else:
                    got, inner = outer_class(net, tunnel, sock)
                    inner = IPv6(inner)
                assert got == dscp << 2 | tc & 3 and inner.tc == tc


def test_answers_of_popd_do_not_copy_the_congestion_mark_of_the_request(tunnels, client):
    """An echo reply keeps the question's DSCP, but not its congestion mark, and no flow label."""
    answer = client.exchange(IPv6(src=client.address, dst=tunnels["mine"].pop, tc=46 << 2 | 3, fl=5) / ICMPv6EchoRequest(id=5), lambda p: ICMPv6EchoReply in p)
    assert answer.tc == 46 << 2 and answer.fl == 0 and answer.hlim == 64


def test_a_ping_with_extension_headers_is_answered_without_them(tunnels, client):
    packet = IPv6(src=client.address, dst=tunnels["mine"].pop) / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting(segleft=0) / ICMPv6EchoRequest(id=6, data=b"x" * 20)
    answer = client.exchange(packet, lambda p: ICMPv6EchoReply in p)
    assert answer and answer.nh == 58 and answer[ICMPv6EchoReply].data == b"x" * 20
    assert is_echo_reply(bytes(answer), tunnels["mine"].pop, 6, 0)
