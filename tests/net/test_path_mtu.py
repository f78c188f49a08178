"""
ICMPv4 errors about what popd sends, above all "fragmentation needed" from a router on the way:

    client ──203.0.113.0/24── router ──192.0.2.0/24── pop ──2001:db8:fff0::/64── host
    .2 (.3 .4)           .254 (MTU)  .254         .1, popd                    ::2

The router is a kernel's own; what nobody honest would say is made with scapy.
"""
import contextlib
import logging
import re
import socket
import subprocess
import sys
import time

import pytest

from popd_fixtures import HOST, POP_IPV4, UPLINK, Net, echo, ipv6, is_echo_reply, packed, raw41_socket, receive, slow, udp_socket
from support import variant
from support.netns import Netns, join
from support.paths import ROOT
from support.wait import until
from support.world import transfer

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.layers.inet import ICMP, IP, UDP  # noqa: E402
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6  # noqa: E402
from scapy.packet import Raw  # noqa: E402

CLIENT, CLIENT2, CLIENT3, ROUTER = "203.0.113.2", "203.0.113.3", "203.0.113.4", "192.0.2.254"


class RoutedNet(Net):
    def __init__(self):
        self.router = Netns("popd-router")
        super().__init__()

    def wire(self):
        join(self.client, "c0", self.router, "r0")
        join(self.router, "r1", self.pop, "p0")
        join(self.pop, "p1", self.host, "h0")
        variant.set_outer(self.pop, "p0")
        self.client.address("c0", *(f"{a}/24" for a in (CLIENT, CLIENT2, CLIENT3)))
        self.client.route("default", "via", "203.0.113.254")
        self.router.address("r0", "203.0.113.254/24")
        self.router.address("r1", f"{ROUTER}/24")
        self.router.sysctl(net__ipv4__ip_forward=1, net__ipv4__icmp_ratelimit=0)
        self.pop.address("p0", f"{POP_IPV4}/24")
        self.pop.route("default", "via", ROUTER)
        self.pop.address("p1", f"{UPLINK}/64")
        self.host.address("h0", f"{HOST}/64")
        self.host.route("-6", "default", "via", UPLINK)
        self.pop.sysctl(net__ipv6__conf__all__forwarding=1)
        self.client.nft("table ip quiet { chain out { type filter hook output priority 0; policy accept;"
                        " icmp type destination-unreachable icmp code 2 drop\n }\n}\n")

    @contextlib.contextmanager
    def narrow(self, mtu):
        """The way to the client (not the one back) takes packets of at most `mtu` bytes for a while."""
        self.router.run("ip", "route", "replace", "203.0.113.0/24", "dev", "r0", "proto", "kernel", "src", "203.0.113.254", "mtu", "lock", str(mtu))
        try:
            yield
        finally:
            self.router.run("ip", "route", "replace", "203.0.113.0/24", "dev", "r0", "proto", "kernel", "src", "203.0.113.254")

    def static(self, endpoint, mtu=1480):
        tunnel = self.request("static", endpoint=endpoint).known()
        if mtu != 1280:
            self.db.ticctl("tunnel", "set", tunnel.name, "mtu", str(mtu))
            until(lambda: tunnel.shown()["mtu"] == mtu, slow(3), "the MTU")
        return tunnel

    def remove(self):
        super().remove()
        self.router.remove()


@pytest.fixture(scope="module")
def net():
    made = RoutedNet()
    try:
        yield made.prepare()
        assert made.daemon.is_running()
    finally:
        made.remove()


@contextlib.contextmanager
def at_host(net):
    """All IPv6 packets that reach the host, and a raw socket to send some."""
    with net.host.inside():
        seen = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x86DD))
        out = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
    seen.bind(("h0", 0))
    seen.settimeout(0.2)
    with seen, out:
        yield seen, lambda packet: out.sendto(packet, (socket.inet_ntop(socket.AF_INET6, packet[24:40]), 0))


def udp6(tunnel, size, mark=0):
    """An inner packet of `size` bytes in all from the host to the client."""
    return ipv6(HOST, tunnel.client, 17, bytes([0x12, 0x34, 0, 9]) + (size - 40).to_bytes(2, "big") + b"\1\1" + bytes([mark]) * (size - 48))


def arrived(sock, tunnel, size, seconds=2):
    """The outer IPv4 packet, as the client's kernel put it together, that carries such a packet; or None."""
    return receive(sock, lambda d: len(d) == 20 + size and d[44:60] == packed(tunnel.client), seconds)


def says(net, message, quoted, source=ROUTER):
    """Sends an ICMPv4 message from the router's place."""
    with net.router.inside():
        out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with out:
        out.sendto(bytes(IP(src=source, dst=POP_IPV4) / message / Raw(quoted)), (POP_IPV4, 0))


def fragmentation_needed(net, quoted, mtu, source=ROUTER):
    says(net, ICMP(type=3, code=4, nexthopmtu=mtu), quoted, source)


def six_in_four(tunnel, endpoint, source=POP_IPV4):
    """What popd would send to a static tunnel's client, as a router sees it."""
    return bytes(IP(src=source, dst=endpoint, proto=41, flags="DF", ttl=63) / Raw(udp6(tunnel, 1400)))


def path_mtu(tunnel):
    return tunnel.shown()["path_mtu"]


# ---- what honest routers say

def test_the_kernel_of_a_narrow_router_lowers_the_mtu_and_senders_are_told(net, popd):
    tunnel, other = net.static(CLIENT), net.static(CLIENT2)
    with net.narrow(1400), at_host(net) as (seen, send), raw41_socket(net.client, CLIENT) as sock:
        send(udp6(tunnel, 1480))
        assert not arrived(sock, tunnel, 1480, 1)
        until(lambda: path_mtu(tunnel) == 1400, slow(3), "the router's word to be heard")
        send(udp6(tunnel, 1480))
        raw = receive(seen, lambda d: d[6] == 58 and d[40] == 2)
        assert raw, "no packet too big"
        told = IPv6(raw)
        assert told.src == tunnel.pop and told.dst == HOST and told.hlim == 63 and told[ICMPv6PacketTooBig].mtu == 1380
        assert len(raw) == 1280 and raw[48:] == udp6(tunnel, 1480)[:7] + b"\x3f" + udp6(tunnel, 1480)[8:1232]
        send(udp6(tunnel, 1381))
        assert receive(seen, lambda d: d[6] == 58 and d[40] == 2)
        send(udp6(tunnel, 1380))
        outer = arrived(sock, tunnel, 1380)
        assert outer and outer[6] & 0x40, "with DF"
        shown = tunnel.shown()
        assert shown["last_drop"]["name"] == "too-big" and shown["effective_mtu"] == 1380 and shown["path_mtu_age"] < 60
        said = next(d for d in shown["drops"] if d["name"] == "outer-too-big")
        assert said["count"] == 1
        row = next(r for r in net.popctl("counters")["drops"] if r["name"] == "outer-too-big")
        assert (row["tunnel"], row["from"]) == (tunnel.name, ROUTER)
        assert re.search(r"path MTU +1400, learnt \d+ s ago: packets of at most 1380 go through", net.popctl("tunnel", "show", tunnel.name, text=True))
    assert path_mtu(other) is None and other.shown()["effective_mtu"] == 1480


def test_a_sender_s_kernel_adapts_and_its_transfer_goes_on(net, popd):
    tunnel = net.static(CLIENT)
    with net.narrow(1350), raw41_socket(net.client, CLIENT):
        def known():
            net.host.run("ping", "-6", "-n", "-c", "1", "-W", "1", "-M", "want", "-s", "1432", tunnel.client, check=False)
            return "mtu 1330" in net.host.run("ip", "-6", "route", "get", tunnel.client).stdout
        until(known, slow(8), "the host to know of 1330")


def test_a_transfer_goes_on_when_the_path_narrows_under_it(net, popd):
    """TCP of the kernels, merged on its way into popd; the router's errors and popd's are all that tells the sender."""
    tunnel = net.static(CLIENT)
    command = net.client.command(sys.executable, str(ROOT / "tests/support/tunnel_client.py"), "--type", "static", "--pop", POP_IPV4, "--client", tunnel.client,
                                 "--pop-identity", tunnel.pop, "--secret", tunnel.secret, "--source", CLIENT, "--mtu", "1480")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, contextlib.ExitStack() as stack:
        try:
            assert process.stdout.readline() == "up\n"
            until(lambda: net.host.run("ping", "-6", "-n", "-c", "1", "-W", "1", tunnel.client, check=False).returncode == 0, slow(5), "the tunnel to work")
            transfer(net.host, net.client, tunnel.client, 8 << 20, during=lambda: stack.enter_context(net.narrow(1400)))
            shown = tunnel.shown()
            assert shown["path_mtu"] == 1400 and shown["effective_mtu"] == 1380
            assert {d["name"] for d in shown["drops"]} <= {"outer-too-big", "too-big", "link-local"}
        finally:
            process.terminate()
            process.wait(10)


def test_under_1300_the_mtu_is_1280_and_routers_fragment_what_has_no_df(net, popd):
    tunnel = net.static(CLIENT)
    with net.narrow(1000), at_host(net) as (seen, send), raw41_socket(net.client, CLIENT) as sock:
        send(udp6(tunnel, 1400))
        until(lambda: path_mtu(tunnel) == 1000, slow(3), "the router's word to be heard")
        send(udp6(tunnel, 1281))
        raw = receive(seen, lambda d: d[6] == 58 and d[40] == 2)
        assert raw and IPv6(raw)[ICMPv6PacketTooBig].mtu == 1280
        send(udp6(tunnel, 1280))
        assert arrived(sock, tunnel, 1280), "in pieces, put together by the client's kernel"
    assert "1280 go through" in net.popctl("tunnel", "show", tunnel.name, text=True)


def test_a_tunnel_of_1280_never_sets_df_and_passes_any_path(net, popd):
    tunnel = net.static(CLIENT, 1280)
    ayiya = net.request("ayiya").known()
    with net.narrow(576), at_host(net) as (_, send), raw41_socket(net.client, CLIENT) as sock, udp_socket(net.client, CLIENT) as udp:
        send(udp6(tunnel, 1280))
        outer = arrived(sock, tunnel, 1280)
        assert outer and outer[6] & 0x40 == 0
        udp.sendto(ayiya.ayiya(b"", opcode=0, proto=59), (POP_IPV4, 5072))
        until(lambda: ayiya.shown()["state"] == "up", slow(3), "the tunnel to be up")
        send(udp6(ayiya, 1280))
        assert receive(udp, lambda d: len(ayiya.open_ayiya(d)) == 1280)
    assert path_mtu(tunnel) is None and path_mtu(ayiya) is None


def test_fragments_from_clients_are_put_together(net, popd):
    """The way from the client is as narrow; its kernel cuts what it sends without DF."""
    tunnel = net.static(CLIENT)
    ayiya = net.request("ayiya").known()
    net.client.run("ip", "route", "replace", "default", "via", "203.0.113.254", "mtu", "lock", "600")
    try:
        with raw41_socket(net.client, CLIENT) as sock, udp_socket(net.client, CLIENT) as udp:
            for s in (sock, udp):
                s.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: never
            sock.sendto(echo(tunnel.client, HOST, ident=6, data=bytes(1400)), (POP_IPV4, 0))
            assert receive(sock, lambda d: is_echo_reply(d[20:], HOST, 6))
            udp.sendto(ayiya.ayiya(echo(ayiya.client, HOST, ident=7, data=bytes(1200))), (POP_IPV4, 5072))
            assert receive(udp, lambda d: is_echo_reply(ayiya.open_ayiya(d), HOST, 7))
    finally:
        net.client.run("ip", "route", "replace", "default", "via", "203.0.113.254")


def test_our_own_link_may_be_the_narrow_one(net, popd):
    tunnel = net.static(CLIENT)
    net.pop.run("ip", "link", "set", "p0", "mtu", "1450")
    try:
        with at_host(net) as (seen, send), raw41_socket(net.client, CLIENT) as sock:
            size, got = 1480, None
            for _ in range(12):  # as a sender does that believes what it is told
                send(udp6(tunnel, size))
                if got := arrived(sock, tunnel, size, 0.3):
                    break
                if told := receive(seen, lambda d: d[6] == 58 and d[40] == 2, 0.3):
                    size = IPv6(told)[ICMPv6PacketTooBig].mtu
            assert got and size == 1400 and path_mtu(tunnel) == 1420, "a plateau that fits"
    finally:
        net.pop.run("ip", "link", "set", "p0", "mtu", "1500")


def test_a_large_answer_of_popd_itself_passes_a_narrow_path(net, popd):
    tunnel = net.static(CLIENT)
    with net.narrow(1400), raw41_socket(net.client, CLIENT) as sock:
        fragmentation_needed(net, six_in_four(tunnel, CLIENT), 1400)
        until(lambda: path_mtu(tunnel) == 1400, slow(3), "the router's word to be heard")
        sock.sendto(echo(tunnel.client, tunnel.pop, ident=8, data=bytes(1400)), (POP_IPV4, 0))
        assert receive(sock, lambda d: is_echo_reply(d[20:], tunnel.pop, 8))


# ---- short quotes

def test_eight_bytes_of_a_quote_find_all_tunnels_of_protocol_41_at_that_address(net, popd):
    two, other = [net.static(CLIENT3), net.static(CLIENT3)], net.static(CLIENT2)
    fragmentation_needed(net, six_in_four(two[0], CLIENT3)[:28], 1452)
    until(lambda: [path_mtu(t) for t in two] == [1452, 1452], slow(3), "both to be found")
    assert path_mtu(other) is None
    for tunnel in two:
        [drop] = tunnel.shown()["drops"]
        assert drop["name"] == "outer-too-big" and drop["sentence"].endswith("has an MTU of 1452 bytes")
        assert drop["length"] == 8 + 28 and drop["packet"].startswith("0304") and len(drop["packet"]) == 2 * 36


def test_the_ports_find_an_ayiya_tunnel_and_a_move_forgets_what_was_said(net, popd):
    one, other = net.request("ayiya").known(), net.request("ayiya").known()
    with udp_socket(net.client, CLIENT) as sock, udp_socket(net.client, CLIENT) as sock2:
        sock.sendto(one.ayiya(b"", opcode=0, proto=59), (POP_IPV4, 5072))
        sock2.sendto(other.ayiya(b"", opcode=0, proto=59), (POP_IPV4, 5072))
        until(lambda: one.shown()["state"] == other.shown()["state"] == "up", slow(3), "both to be up")
        quote = bytes(IP(src=POP_IPV4, dst=CLIENT) / UDP(sport=5072, dport=sock.getsockname()[1], len=1352))[:28]
        fragmentation_needed(net, quote, 1330)
        until(lambda: path_mtu(one) == 1330, slow(3), "the tunnel to be found")
        assert path_mtu(other) is None
        says(net, ICMP(type=3, code=3), quote, CLIENT)
        until(lambda: [d["name"] for d in one.shown()["drops"]] == ["outer-unreachable", "outer-too-big"], slow(3), "the other error to be counted")
        assert one.shown()["last_drop"]["from"] == CLIENT
        with udp_socket(net.client, CLIENT) as moved:
            moved.sendto(one.ayiya(b"", opcode=0, proto=59, epoch=time.time() + 2), (POP_IPV4, 5072))
            until(lambda: path_mtu(one) is None, slow(3), "the move")


@pytest.mark.parametrize("message, name", [
    (ICMP(type=3, code=1), "outer-unreachable"),
    (ICMP(type=3, code=13), "outer-unreachable"),
    (ICMP(type=11, code=0), "outer-time-exceeded"),
    (ICMP(type=12, code=0), "outer-parameter-problem"),
])
def test_errors_are_counted_under_their_names_with_who_said_so(net, popd, message, name):
    tunnel = net.static(CLIENT)
    says(net, message, six_in_four(tunnel, CLIENT), "203.0.113.254")
    until(lambda: [(d["name"], d["count"]) for d in tunnel.shown()["drops"]] == [(name, 1)], slow(3), name)
    assert tunnel.shown()["last_drop"]["from"] == "203.0.113.254" and tunnel.shown()["state"] == "up" and path_mtu(tunnel) is None


def test_source_quench_and_echo_are_not_even_looked_at(net, popd):
    tunnel = net.static(CLIENT)
    before = net.drops("icmp4-unverified")
    says(net, ICMP(type=4, code=0), six_in_four(tunnel, CLIENT))
    assert net.router.run("ping", "-n", "-c", "3", "-i", "0.1", POP_IPV4).returncode == 0
    fragmentation_needed(net, six_in_four(tunnel, CLIENT), 1400)
    until(lambda: path_mtu(tunnel) == 1400, slow(3), "the one after them")
    assert net.drops("icmp4-unverified") == before and len(tunnel.shown()["drops"]) == 1


# ---- what nobody honest says

def forgeries(tunnel, ayiya, port):
    """Name and quote, each with one thing wrong."""
    inner = udp6(tunnel, 1400)
    datagram = bytearray(ayiya.ayiya(b""))
    datagram[23] = 1  # from the PoP
    old = bytearray(datagram)
    old[4:8] = int(time.time() - 1000).to_bytes(4, "big")
    def four(**changes):
        fields = {"src": POP_IPV4, "dst": CLIENT, "proto": 41, "flags": "DF", **changes}
        return bytes(IP(**fields) / Raw(inner))
    def udp(payload, dst=CLIENT, **changes):
        fields = {"sport": 5072, "dport": port, **changes}
        return bytes(IP(src=POP_IPV4, dst=dst) / UDP(**fields) / Raw(bytes(payload)))
    return {
        "from another PoP": four(src="192.0.2.77"),
        "to an address nobody has": four(dst="203.0.113.77"),
        "to another client": four(dst=CLIENT2),
        "to an address nobody has, eight bytes of it": four(dst="203.0.113.77")[:28],
        "of no tunnel inside": bytes(IP(src=POP_IPV4, dst=CLIENT, proto=41) / Raw(ipv6(HOST, "2001:db8:bad::1", 17, bytes(20)))),
        "TCP": bytes(IP(src=POP_IPV4, dst=CLIENT, proto=6) / Raw(bytes(20))),
        "the client's identity": udp(ayiya.ayiya(b"")),
        "an old epoch": udp(old),
        "another port": udp(datagram, dport=port ^ 1),
        "another port, eight bytes of it": udp(datagram, dport=port ^ 1)[:28],
        "not from our port": udp(datagram, sport=3740),
        "to another client's address": udp(datagram, dst=CLIENT2),
    }


def test_what_popd_could_not_have_sent_changes_nothing_and_is_counted(net, popd):
    tunnel, other, ayiya = net.static(CLIENT), net.static(CLIENT2), net.request("ayiya").known()
    with udp_socket(net.client, CLIENT) as sock:
        sock.sendto(ayiya.ayiya(b"", opcode=0, proto=59), (POP_IPV4, 5072))
        until(lambda: ayiya.shown()["state"] == "up", slow(3), "the tunnel to be up")
        for name, quote in forgeries(tunnel, ayiya, sock.getsockname()[1]).items():
            before = net.drops("icmp4-unverified")
            fragmentation_needed(net, quote, 1300)
            until(lambda: net.drops("icmp4-unverified") == before + 1, slow(3), name)  # noqa: B023
    before = net.drops("icmp4-unverified")
    broken = bytearray(bytes(ICMP(type=3, code=4, nexthopmtu=1300) / Raw(six_in_four(tunnel, CLIENT))))
    broken[2] ^= 1
    with net.router.inside():
        out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with out:
        out.sendto(bytes(IP(src=ROUTER, dst=POP_IPV4, proto=1) / Raw(bytes(broken))), (POP_IPV4, 0))
    until(lambda: net.drops("icmp4-unverified") == before + 1, slow(3), "the wrong checksum")
    for t in (tunnel, other, ayiya):
        assert path_mtu(t) is None and t.shown()["drops"] == []


def test_a_well_forged_one_lowers_one_tunnel_to_1280_and_no_more(net, popd):
    tunnel, other = net.static(CLIENT), net.static(CLIENT2)
    with at_host(net) as (_, send), raw41_socket(net.client, CLIENT) as sock, raw41_socket(net.client, CLIENT2) as sock2:
        fragmentation_needed(net, six_in_four(tunnel, CLIENT), 68, "198.51.100.66")
        until(lambda: path_mtu(tunnel) == 68, slow(3), "the forgery to be believed")
        assert tunnel.shown()["effective_mtu"] == 1280
        send(udp6(tunnel, 1280))
        assert arrived(sock, tunnel, 1280)
        send(udp6(other, 1480))
        assert arrived(sock2, other, 1480)


# ---- nobody else waits

def test_a_narrow_tunnel_and_a_flood_of_forgeries_stall_no_other(net, popd):
    narrow, wide, ayiya = net.static(CLIENT), net.static(CLIENT2), net.request("ayiya").known()
    forged = [bytes(IP(src=ROUTER, dst=POP_IPV4) / ICMP(type=3, code=4, nexthopmtu=1300) / Raw(q))
              for q in (bytes(IP(src=POP_IPV4, dst=f"198.18.{n}.1", proto=41) / Raw(udp6(narrow, 60)))[:28] for n in range(250))]
    count = 400
    with net.router.inside():
        flood = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with at_host(net) as (_, send), raw41_socket(net.client, CLIENT2) as sock, udp_socket(net.client, CLIENT) as udp, flood:
        udp.sendto(ayiya.ayiya(b"", opcode=0, proto=59), (POP_IPV4, 5072))
        until(lambda: ayiya.shown()["state"] == "up", slow(3), "the tunnel to be up")
        fragmentation_needed(net, six_in_four(narrow, CLIENT), 1320)
        until(lambda: path_mtu(narrow) == 1320, slow(3), "the narrow path to be known")
        got = got_ayiya = 0
        for n in range(count):
            send(udp6(narrow, 1480))
            send(udp6(wide, 1480, n % 256))
            send(udp6(ayiya, 1280, n % 256))
            for packet in forged[n % 25 * 10:][:10]:
                flood.sendto(packet, (POP_IPV4, 0))
            got += arrived(sock, wide, 1480, 1) is not None
            got_ayiya += receive(udp, lambda d: len(d) == 44 + 1280, 1) is not None
    assert (got, got_ayiya) == (count, count)
    assert wide.shown()["packets_out"] == count and path_mtu(wide) is None
    flooded = net.drops("icmp4-unverified")
    print(f"{flooded} forgeries of {10 * count} were counted")
    assert flooded > count
