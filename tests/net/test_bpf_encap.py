"""
The fast path in the kernel (bpf_encap) sends exactly what popd would have sent, and leaves all
other packets to popd.

Every packet is put on the host's wire as a frame, and what comes out is read from the client's
wire as frames; packets that popd has read are told from those that it has not by the TUN's own
counter.
"""
import contextlib
import functools
import json
import pathlib
import random
import re
import socket
import struct
import subprocess
import time

import pytest

from support.machine import has_uso
from support.network import CLIENT2_IPV4, CLIENT_IPV4, HOST, POP_IPV4
from support.packets import checksum, echo, ipv4, ipv6, packed, upper_checksum
from support.paths import ROOT, program, slow
from support.sockets import open_socket, send_ipv4, udp_socket
from support.wait import until
from support.world import World

ETH_IPV4, ETH_IPV6, PACKET_VNET_HDR = 0x0800, 0x86DD, 15
LEASE = 3  # seconds, BPF_ENCAP_LEASE


@pytest.fixture(scope="module")
def net():
    with World() as made:
        # the kernel's own multicast reports would be read by popd, too
        made.pop.nft("table ip6 quiet { chain out { type filter hook output priority 0; policy accept; oifname sixxs icmpv6 type mld2-listener-report drop\n }\n}\n")
        made.pop.run("ethtool", "-K", "p0", "tx", "on", "tso", "on", "gso", "on")  # whatever the variant has set
        made.popd.restart()
        made.static = made.request("static", CLIENT_IPV4).known()
        made.wide = made.request("static", CLIENT2_IPV4).known()
        made.off = made.request("static", CLIENT_IPV4).known()
        made.beating = made.request("heartbeat").known()
        made.ayiya = made.request("ayiya").known()
        made.db.sql(f"update broker.tunnel set mtu = 1480 where id = {made.wide.number}")
        made.db.sql(f"update broker.tunnel set admin_enabled = false where id = {made.off.number}")
        yield made


def mode(net, fast_path, **more):
    """Starts popd with the fast path or without."""
    net.popd.restart(bpf_encap="yes" if fast_path else "no", **more)
    net.dscp = more.get("dscp", "copy")
    assert net.popctl("status")["offloads"]["bpf_encap"] == ("on" if fast_path else "off")
    until(lambda: net.off.shown()["state"] == "disabled" and net.wide.shown()["mtu"] == 1480, slow(5), "the changed tunnels")
    for address in (CLIENT_IPV4, CLIENT2_IPV4):  # the kernel need not ask for a known neighbour
        assert net.pop.run("ping", "-4", "-n", "-c", "1", "-W", "2", address, check=False).returncode == 0


@pytest.fixture
def fast_path(net):
    """popd runs with it; started anew only when it does not."""
    if not net.popd.is_running() or net.popctl("status")["offloads"]["bpf_encap"] != "on" or net.dscp != "copy":
        mode(net, True)


# ---- wires

class Wire:
    """Frames of one device, with their vnet header."""

    def __init__(self, space, device, kind):
        self.sock = open_socket(space, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(kind), timeout=0.1)
        self.sock.setsockopt(263, PACKET_VNET_HDR, 1)
        self.sock.bind((device, kind))

    def send(self, frame, vnet=bytes(10)):
        self.sock.send(vnet + frame)

    def frames(self, wanted, seconds):
        """Those for which `wanted` is true, until none has come for so long: (vnet header, frame)."""
        got, deadline = [], time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                data, where = self.sock.recvfrom(70000)
            except TimeoutError:
                continue
            if where[2] != socket.PACKET_OUTGOING and wanted(data[10:]):
                got.append((data[:10], data[10:]))
                deadline = time.monotonic() + seconds
        return got

    def close(self):
        self.sock.close()


@contextlib.contextmanager
def wires(net):
    host, client = Wire(net.host, "h0", ETH_IPV6), Wire(net.client, "c0", ETH_IPV4)
    try:
        yield host, client
    finally:
        host.close()
        client.close()


@functools.cache
def mac(space, device):
    return bytes.fromhex(json.loads(space.run("ip", "-j", "link", "show", device).stdout)[0]["address"].replace(":", ""))


def frame_to_pop(net, packet):
    return mac(net.pop, "p1") + mac(net.host, "h0") + struct.pack("!H", ETH_IPV6) + packet


def is_proto41(frame):
    return frame[12:14] == b"\x08\x00" and frame[23] == 41


def destination(sent):
    """The outer header of what outer() returned for a frame."""
    return socket.inet_ntoa(sent[26:30])


def read_by_popd(net):
    """How many packets popd has read from the TUN."""
    link = json.loads(net.pop.run("ip", "-s", "-j", "link", "show", "sixxs").stdout)[0]
    return link["stats64"]["tx"]["packets"]


def outer(frame):
    """The part of the frame that must be the same from popd and from the kernel: all but
    identification and checksum, which is verified."""
    assert checksum(frame[14:34]) == 0, "checksum of the outer header"
    assert struct.unpack("!H", frame[16:18])[0] == len(frame) - 14
    return frame[:18] + frame[20:24] + frame[26:]


# ---- packets

def tcp(source, destination, payload, sequence=1, flags=0x10, sport=5000):
    head = struct.pack("!HHIIBBHHH", sport, 80, sequence, 1, 5 << 4, flags, 1000, 0, 0)
    sum_ = upper_checksum(source, destination, 6, head + payload)
    return ipv6(source, destination, 6, head[:16] + struct.pack("!H", sum_) + head[18:] + payload)


def with_class(packet, value):
    return bytes([0x60 | value >> 4, (value & 15) << 4 | packet[1] & 15]) + packet[2:]


def ordinary(t, inner_max):
    """Packets that every tunnel forwards."""
    to = t.client
    yield "echo", echo(HOST, to)
    yield "no payload", ipv6(HOST, to, 59, b"")
    yield "one byte", ipv6(HOST, to, 253, b"x")
    yield "as large as may be", ipv6(HOST, to, 253, bytes(inner_max - 40))
    yield "an odd length", ipv6(HOST, to, 253, bytes(777))
    yield "tcp", tcp(HOST, to, b"data" * 100)
    yield "one more hop", echo(HOST, to, hops=3)
    yield "a fragment", ipv6(HOST, to, 44, struct.pack("!BBHI", 17, 0, 0x0009, 7) + bytes(64))
    yield "extension headers", ipv6(HOST, to, 0, bytes([60, 0, 1, 4, 0, 0, 0, 0]) + bytes([59, 0, 1, 4, 0, 0, 0, 0]))
    yield "a source outside documentation", echo("2001:200::1", to)
    for value in (0x01, 0x02, 0x03, 0x28, 0xB8, 0xFF):
        yield f"traffic class {value:#x}", with_class(echo(HOST, to), value)


def odd(net):
    """Packets that popd answers, drops or logs: (name, packet)."""
    t = net.static
    base = packed(t.client)[:8]
    other = socket.inet_ntop(socket.AF_INET6, base + bytes(7) + b"\x03")
    yield "too big", ipv6(HOST, t.client, 253, bytes(1241))
    yield "the end of its hops", echo(HOST, t.client, hops=2)
    yield "to the PoP's end", echo(HOST, t.pop)
    yield "to popd", echo(HOST, "2001:db8:2ff:ffff::1")
    yield "to the rest of the /64", echo(HOST, other)
    yield "to no tunnel", echo(HOST, "2001:db8:2ff:7000::2")
    yield "to a disabled tunnel", echo(HOST, net.off.client)
    yield "to a tunnel that is down", echo(HOST, net.beating.client)
    yield "to an AYIYA tunnel that is down", echo(HOST, net.ayiya.client)
    yield "from one of ours", echo(net.wide.client, t.client)
    yield "from a unique local address", echo("fd00::1", t.client)
    yield "6to4 of a private address", echo("2002:a00:1::1", t.client)
    yield "another's 6to4", echo("2002:c000:909::1", t.client)
    yield "6to4 of the PoP", echo("2002:c000:201::1", t.client)
    yield "ISATAP of the PoP", echo("2001:db8:fff0::5efe:192.0.2.1", t.client)
    yield "from a documentation prefix, Teredo by the PoP", echo("2001:0:c000:201::1", t.client)


def is_answer(frame):
    """ICMPv6 from the PoP about our packets; other packets on the host's wire are not part of the
    test."""
    return frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] in (1, 2, 3, 4, 129)


def watch_one(net, host, client, packet):
    """What one packet leads to: the frames at the client, the answers at the host, and whether popd
    has read it."""
    before = read_by_popd(net)
    host.send(frame_to_pop(net, packet))
    inner = packet[8:40]  # the addresses tell ours from probes
    sent = client.frames(lambda f: is_proto41(f) and f[42:74] == inner, 0.15)
    answers = host.frames(is_answer, 0.15)
    read = read_by_popd(net) - before
    return [outer(f) for _, f in sent], [f for _, f in answers], read


def counted(net, *tunnels):
    shown = [t.shown() for t in tunnels]
    return [(s["packets_out"], s["bytes_out"]) for s in shown]


def grown(after, before):
    return [tuple(a - b for a, b in zip(x, y)) for x, y in zip(after, before)]


def run_all(net, packets):
    """(what the wires saw, packets that popd read, how the tunnels' and the PoP's counters grew,
    how the drops did)"""
    tunnels = (net.static, net.wide, net.off, net.beating, net.ayiya)
    with wires(net) as (host, client):
        before, pop, drops = counted(net, *tunnels), net.popctl("counters"), {d["name"]: d["count"] for d in net.popctl("counters")["drops"]}
        seen, read = {}, {}
        for what, packet in packets:
            sent, answers, read[what] = watch_one(net, host, client, packet)
            seen[what] = (sent, answers)
        after = net.popctl("counters")
        growth = {"tunnels": grown(counted(net, *tunnels), before), "out": after["packets_out"] - pop["packets_out"],
                  "bytes": after["bytes_out"] - pop["bytes_out"],
                  "drops": {d["name"]: d["count"] - drops[d["name"]] for d in after["drops"] if d["count"] != drops[d["name"]]}}
    return seen, read, growth


# ---- the tests

def test_ordinary_packets_leave_as_popd_sends_them_and_are_counted_the_same(net):
    packets = [(f"{t.name} {what}", p) for t, largest in ((net.static, 1280), (net.wide, 1480)) for what, p in ordinary(t, largest)]
    mode(net, False)
    by_popd, read, growth = run_all(net, packets)
    assert all(len(sent) == 1 and not answers for sent, answers in by_popd.values()), by_popd
    assert all(n >= 1 for n in read.values())
    assert net.popctl("status")["fast_path"] is None
    mode(net, True)
    by_kernel, read, same = run_all(net, packets)
    for what, _ in packets:
        assert by_kernel[what] == by_popd[what], what
    assert not any(read.values()), f"popd has read {[w for w, n in read.items() if n]}"
    assert same == growth
    assert net.popctl("status")["fast_path"] == {"packets_out": len(packets), "bytes_out": sum(len(p) for _, p in packets)}
    assert growth["tunnels"][0] == (len(packets) // 2, sum(len(p) for what, p in packets if what.startswith(f"{net.static.name} ")))
    # DF above 1280 only; then the identification has no meaning
    flags = {t.name: {f[0][18] for what, (f, _) in by_kernel.items() if what.startswith(f"{t.name} ")} for t in (net.static, net.wide)}
    assert flags == {net.static.name: {0x00}, net.wide.name: {0x40}}


def test_all_other_packets_go_through_popd_with_the_same_answers_and_reasons(net):
    mode(net, False)
    by_popd, _, growth = run_all(net, odd(net))
    assert sum(growth["drops"].values()) >= 10 and sum(bool(answers) for _, answers in by_popd.values()) >= 8
    mode(net, True)
    by_both, read, same = run_all(net, odd(net))
    for what in by_popd:
        assert by_both[what] == by_popd[what], what
    assert all(n == 1 for n in read.values()), read
    assert same == growth


def mutated(net, n):
    """Packets of which most are plain and many are not, always the same ones; the last 4 bytes
    number them."""
    dice = random.Random(41)
    inside = [t.client for t in [net.static] * 6 + [net.wide] * 4 + [net.off, net.ayiya]] + [net.static.pop, "2001:db8:2ff:ffff::1", "2001:db8:2ff:7000::2"]
    outside = [HOST] * 8 + ["fd00::1", "2001:db8:fff0::77", "2002:c000:201::1", "2001:db8:fff0::5efe:192.0.2.1", "2001:0:c000:201::1", net.wide.client]
    for number in range(n):
        size = dice.choice((0, 1, 20, 300, 777, 1200, 1236, 1237, 1300, 1436)) + 4
        proto = dice.choice((6, 17, 0, 43, 44, 58, 59, 60, 253))
        body = bytes(dice.getrandbits(8) for _ in range(min(size - 4, 40))).ljust(size - 4, b"-") + struct.pack("!I", number)
        packet = bytearray(with_class(ipv6(dice.choice(outside), dice.choice(inside), proto, body, dice.choice((2, 3, 64, 64, 255))), dice.getrandbits(8)))
        if dice.random() < 0.3:
            packet[dice.randrange(8, 40)] ^= 1 << dice.randrange(8)  # any address
        if dice.random() < 0.1:
            packet[dice.randrange(4, 6)] ^= 1 << dice.randrange(8)  # the length
        if dice.random() < 0.05:
            packet[0] ^= 1 << dice.randrange(8)  # version and class
        yield bytes(packet)


def flood(net, packets):
    """What comes out at the client, in its order from each source to each destination, and how the
    counters have grown."""
    tunnels = (net.static, net.wide, net.off, net.ayiya)
    sent = []
    with wires(net) as (host, client):
        before, drops = counted(net, *tunnels), {d["name"]: d["count"] for d in net.popctl("counters")["drops"]}
        ours = {packet[8:40] for packet in packets}
        for i in range(0, len(packets), 100):
            for packet in packets[i:i + 100]:
                host.send(frame_to_pop(net, packet))
            sent += client.frames(lambda f: is_proto41(f) and f[42:74] in ours and f[40] != 58, 0.05)
        drops = {d["name"]: d["count"] - drops[d["name"]] for d in net.popctl("counters")["drops"]}
    by_flow = {}
    for _, frame in sent:
        by_flow.setdefault(frame[42:74], []).append(outer(frame))
    return by_flow, grown(counted(net, *tunnels), before), {name: n for name, n in drops.items() if n}


def test_random_packets_have_the_same_fate_with_and_without_the_fast_path(net):
    packets = list(mutated(net, 1500))
    mode(net, False)
    read = read_by_popd(net)
    by_popd = flood(net, packets)
    all_ = read_by_popd(net) - read
    mode(net, True)
    read = read_by_popd(net)
    by_both = flood(net, packets)
    rest = read_by_popd(net) - read
    assert by_both == by_popd
    plain = sum(len(frames) for frames in by_popd[0].values())
    assert plain > 200 and len(by_popd[2]) >= 8 and rest <= all_ - plain


@pytest.mark.parametrize("dscp,expected", [("zero", 0x01), ("10", 0x29)])
def test_the_dscp_of_the_configuration_is_set(net, dscp, expected):
    mode(net, True, dscp=dscp)
    with wires(net) as (host, client):
        sent, _, read = watch_one(net, host, client, with_class(echo(HOST, net.static.client), 0xB9))
    assert read == 0 and sent[0][15] == expected and sent[0][30:32] == bytes([0x6B, 0x90])


def test_what_is_routed_to_a_tunnel_goes_there_and_the_longest_prefix_wins(net, fast_path):
    net.db.approve("subnet", "request", "DEMO", net.static.name)
    until(lambda: len(net.static.shown()["routes"]) == 2, slow(5), "popd to know the subnet")
    routes = net.static.shown()["routes"]
    with wires(net) as (host, client):
        for route in routes:
            base = route.split("/")[0]
            sent, _, read = watch_one(net, host, client, echo(HOST, f"{base}42"))
            assert len(sent) == 1 and read == 0, route
            assert destination(sent[0]) == CLIENT_IPV4


def test_a_moved_endpoint_is_followed_at_once(net, fast_path):
    with wires(net) as (host, client):
        for n, address in enumerate((CLIENT_IPV4, CLIENT2_IPV4, CLIENT_IPV4)):
            with udp_socket(net.client, address) as sock:
                sock.sendto(net.beating.beat(when=time.time() + n), (POP_IPV4, 3740))
            until(lambda: net.beating.shown()["endpoint"] == address, slow(3), "the endpoint to move")
            sent, _, read = watch_one(net, host, client, echo(HOST, net.beating.client))
            assert len(sent) == 1 and read == 0 and destination(sent[0]) == address
    # a fast path that is on does not bring a silent tunnel up again
    net.db.sql(f"update broker.tunnel set admin_enabled = false where id = {net.beating.number}")
    until(lambda: net.beating.shown()["state"] == "disabled", slow(5), "the tunnel to be disabled")
    with wires(net) as (host, client):
        sent, answers, read = watch_one(net, host, client, echo(HOST, net.beating.client))
        assert not sent and read == 1 and answers[0][54:56] == bytes([1, 1])
    net.db.sql(f"update broker.tunnel set admin_enabled = true where id = {net.beating.number}")
    until(lambda: net.beating.shown()["state"] != "disabled", slow(5), "the tunnel to be enabled")


def test_a_lowered_path_mtu_reaches_the_kernel_and_df_goes(net, fast_path):
    large = ipv6(HOST, net.wide.client, 253, bytes(1400 - 40))
    with wires(net) as (host, client):
        sent, _, read = watch_one(net, host, client, large)
        assert len(sent) == 1 and read == 0
        quoted = bytes.fromhex("45000000000040004029 0000".replace(" ", "")) + socket.inet_aton(POP_IPV4) + socket.inet_aton(CLIENT2_IPV4)
        quoted = quoted[:2] + struct.pack("!H", 1420) + quoted[4:] + large[:8 + 60]
        body = struct.pack("!BBHHH", 3, 4, 0, 0, 1320) + quoted
        body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
        send_ipv4(net.client, ipv4(CLIENT2_IPV4, POP_IPV4, socket.IPPROTO_ICMP, body))
        until(lambda: net.wide.shown()["path_mtu"] == 1320, slow(3), "the path MTU to be learnt")
        sent, answers, read = watch_one(net, host, client, large)
        assert not sent and read == 1 and answers[0][54] == 2 and struct.unpack("!I", answers[0][58:62])[0] == 1300
        sent, _, read = watch_one(net, host, client, ipv6(HOST, net.wide.client, 253, bytes(1300 - 40)))
        assert len(sent) == 1 and read == 0


class Merged:
    """A packet of many segments as the host's stack hands it to its device, and its vnet header."""

    def __init__(self, net, proto, size, segments):
        self.proto, self.size, self.segments = proto, size, segments
        self.header = 40 + {6: 20, 17: 8}[proto]
        self.check = {6: 16, 17: 6}[proto]
        payload = bytes(i % 251 for i in range(size * segments))
        if proto == 6:
            upper = struct.pack("!HHIIBBHHH", 5000, 80, 1, 1, 5 << 4, 0x18, 1000, 0, 0) + payload
        else:
            upper = struct.pack("!HHHH", 5000, 80, 8 + len(payload), 0) + payload
        pseudo = ~checksum(packed(HOST) + packed(net.static.client) + struct.pack("!II", len(upper), proto)) & 0xFFFF
        self.packet = ipv6(HOST, net.static.client, proto, upper[:self.check] + struct.pack("!H", pseudo) + upper[self.check + 2:])
        self.vnet = struct.pack("<BBHHHH", 1, {6: 4, 17: 5}[proto], 14 + self.header, size, 54, self.check)

    def is_ours(self, frame):
        return is_proto41(frame) and frame[42:74] == self.packet[8:40]

    def check_whole(self, header, frame):
        assert len(frame) == 14 + 20 + len(self.packet) and struct.unpack("<H", header[4:6])[0] == self.size
        assert outer(frame)[30:] == self.packet[:7] + bytes([self.packet[7] - 2]) + self.packet[8:]

    def check_segment(self, n, frame):
        outer(frame)
        inner = frame[34:]
        assert len(inner) == self.header + self.size == 40 + struct.unpack("!H", inner[4:6])[0] and inner[7] == self.packet[7] - 2
        assert inner[self.header:] == self.packet[self.header + n * self.size:self.header + (n + 1) * self.size]
        assert upper_checksum(HOST, socket.inet_ntop(socket.AF_INET6, inner[24:40]), self.proto, inner[40:]) == 0
        if self.proto == 6:
            assert struct.unpack("!I", inner[44:48])[0] == 1 + n * self.size and bool(inner[53] & 8) == (n == self.segments - 1)
        else:
            assert struct.unpack("!H", inner[44:46])[0] == 8 + self.size


# protocol, size of the payloads, how many; whether p0 may take it whole, which no device may when
# the frame is over 64 KiB
MERGED = {"tcp": (6, 1220, 7, True), "udp": (17, 1232, 5, True), "cut-tcp": (6, 1220, 7, False), "cut-udp": (17, 1232, 5, False),
          "as-large-as-a-header-can-say": (6, 1190, 55, False), "larger": (6, 1091, 60, False)}


@pytest.mark.parametrize("case", MERGED)
def test_merged_packets_leave_merged_and_every_segment_is_right(net, fast_path, case):
    proto, size, segments, whole = MERGED[case]
    if proto == 17 and not has_uso():
        pytest.skip("packet sockets of this kernel know no merged datagrams")
    merged = Merged(net, proto, size, segments)
    before = counted(net, net.static)
    read = read_by_popd(net)
    features = ("gso", "tso", "tx")
    if not whole:
        net.pop.run("ethtool", "-K", "p0", *(word for f in features for word in (f, "off")))
    try:
        with wires(net) as (host, client):
            host.send(frame_to_pop(net, merged.packet), merged.vnet)
            got = client.frames(merged.is_ours, 0.3)
    finally:
        net.pop.run("ethtool", "-K", "p0", *(word for f in reversed(features) for word in (f, "on")))
    assert read_by_popd(net) == read
    assert grown(counted(net, net.static), before) == [(segments, segments * (size + merged.header))]
    if whole:
        (header, frame), = got
        merged.check_whole(header, frame)
        return
    assert len(got) == segments
    for n, (_, frame) in enumerate(got):
        merged.check_segment(n, frame)


def test_a_merged_packet_with_segments_too_large_for_the_tunnel_goes_through_popd(net, fast_path):
    merged = Merged(net, 6, 1221, 3)
    read = read_by_popd(net)
    with wires(net) as (host, client):
        host.send(frame_to_pop(net, merged.packet), merged.vnet)
        assert not client.frames(merged.is_ours, 0.3)
        until(lambda: read_by_popd(net) > read, 2, "popd to read it")
    until(lambda: any(d["name"] == "too-big" for d in net.static.shown()["drops"]), 2, "popd to say why")


def test_packets_to_an_unknown_neighbour_go_through_popd(net, fast_path):
    with wires(net) as (host, client):
        net.pop.run("ip", "neigh", "flush", "dev", "p0")
        sent, _, read = watch_one(net, host, client, echo(HOST, net.static.client))
        assert len(sent) == 1 and read == 1
        sent, _, read = watch_one(net, host, client, echo(HOST, net.static.client))
        assert len(sent) == 1 and read == 0


def test_a_tunnel_that_is_traced_takes_no_fast_path_until_nobody_watches(net, fast_path):
    watcher = subprocess.Popen([program("popctl"), "--socket", net.popd.socket, "--json", "tunnel", "trace", net.static.name], stdout=subprocess.PIPE, text=True)
    try:
        with wires(net) as (host, client):
            def read(tunnel):
                sent, _, n = watch_one(net, host, client, echo(HOST, tunnel.client))
                assert len(sent) == 1
                return n
            until(lambda: read(net.static) == 1, slow(5), "the tunnel to be watched")
            assert packed(net.static.client).hex() in watcher.stdout.readline()
            until(lambda: read(net.wide) == 0, slow(5), "the others to take it, as soon as their neighbour is known")
            watcher.terminate()
            watcher.wait(5)
            until(lambda: read(net.static) == 0, slow(5), "nobody to watch any more")
    finally:
        watcher.kill()
        watcher.stdout.close()


def test_a_tunnel_deleted_under_traffic_takes_its_counters_along_and_its_slot_starts_anew(net, fast_path):
    doomed = net.request("static", CLIENT_IPV4).known()
    with wires(net) as (host, client):
        for _ in range(20):
            host.send(frame_to_pop(net, echo(HOST, doomed.client)))
        until(lambda: doomed.shown()["packets_out"] >= 20, 3, "the packets to be counted")
        net.db.ticctl("tunnel", "delete", doomed.name)
        for _ in range(200):
            host.send(frame_to_pop(net, echo(HOST, doomed.client)))
        until(lambda: not doomed.is_known(), slow(5), "the tunnel to go")
        client.frames(is_proto41, 0.2)
        sent, answers, read = watch_one(net, host, client, echo(HOST, doomed.client))
        assert not sent and read == 1 and answers
        time.sleep(1.2)  # until the slot is free
        heir = net.request("static", CLIENT_IPV4).known()
        assert heir.shown()["packets_out"] == 0
        sent, _, read = watch_one(net, host, client, echo(HOST, heir.client))
        assert len(sent) == 1 and read == 0
        assert heir.shown()["packets_out"] == 1


def test_statistics_of_the_database_have_its_packets(net, fast_path):
    def bytes():
        return sum(int(row[0]) for row in net.db.sql(f"select bytes_out from broker.tunnel_day where tunnel = {net.static.number}"))
    before = bytes()
    with wires(net) as (host, client):
        for _ in range(10):
            host.send(frame_to_pop(net, echo(HOST, net.static.client)))
        client.frames(is_proto41, 0.2)
    net.popd.stop()  # the last statistics are sent then
    assert bytes() - before == 10 * len(echo(HOST, net.static.client))


def filters(net):
    return net.pop.run("tc", "filter", "show", "dev", "sixxs", "egress").stdout.count(" handle ")


def test_a_killed_popd_forwards_no_longer_than_its_lease_and_the_next_one_takes_over(net):
    mode(net, True)
    packet = echo(HOST, net.static.client)
    with wires(net) as (host, client):
        net.popd.kill()
        assert filters(net) == 1
        def is_quiet():
            host.send(frame_to_pop(net, packet))
            return not client.frames(is_proto41, 0.2)
        killed = time.monotonic()
        until(is_quiet, LEASE + 2, "a dead popd's program to stop")
        assert time.monotonic() - killed < LEASE + 1.5
        net.popd.start()
        net.popd.loaded()
        assert filters(net) == 1
        sent, _, read = watch_one(net, host, client, packet)
        assert len(sent) == 1 and read == 0
    assert net.popd.stop() == 0
    assert filters(net) == 0
    # and a popd without the fast path removes what a killed one left
    net.popd.start()
    net.popd.kill()
    mode(net, False)
    assert filters(net) == 0


@contextlib.contextmanager
def started_by(net, *prefix):
    """A popd that wants the fast path, started by a program that takes rights away. Yields what it has logged so far."""
    net.popd.stop()
    net.popd.configure(bpf_encap="yes", workers=1)
    command, net.popd.command = net.popd.command, net.pop.command(*prefix, program("popd"), "-c", f"{net.dir}/popd.conf")
    before = len(net.popd.log())
    try:
        net.popd.start()
        net.popd.loaded()
        yield lambda: net.popd.log()[before:]
    finally:
        net.popd.stop()
        net.popd.command = command


def test_without_the_right_popd_says_so_once_and_forwards_by_itself(net):
    with started_by(net, "setpriv", "--bounding-set=-bpf,-sys_admin", "--inh-caps=-bpf,-sys_admin") as log:
        assert net.popctl("status")["offloads"]["bpf_encap"] == "missing"
        assert log().count("bpf_encap") == 1
        with wires(net) as (host, client):
            sent, _, read = watch_one(net, host, client, echo(HOST, net.static.client))
        assert len(sent) == 1 and read == 1


def unit_capabilities():
    """What the shipped unit gives popd, as setpriv names them."""
    unit = (ROOT / "deploy/systemd/popd.service").read_text()
    return ",".join(f"+{name[4:].lower()}" for name in re.search("(?m)^CapabilityBoundingSet=(.*)$", unit)[1].split())


def test_the_units_capabilities_are_enough(net):
    """Without CAP_PERFMON and CAP_SYS_ADMIN the verifier is stricter, Linux 6.1's most of all."""
    capabilities = unit_capabilities()
    assert "+bpf" in capabilities and "perfmon" not in capabilities and "sys_admin" not in capabilities
    with started_by(net, "setpriv", f"--bounding-set=-all,{capabilities}", f"--inh-caps=-all,{capabilities}") as log:
        status = f"/proc/{net.popd.process.pid}/status"
        held = int(re.search("CapEff:\t(.*)", pathlib.Path(status).read_text())[1], 16)
        assert held.bit_count() == len(capabilities.split(","))
        assert net.popctl("status")["offloads"]["bpf_encap"] == "on", log()
        assert "verifier" not in log()
