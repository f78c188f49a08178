"""
ICMPv4 errors about what popd sends, above all "fragmentation needed" from the router on the way to the office. The router is a kernel's
own; what no honest router would send is made with scapy.
"""
import contextlib
import logging
import re
import socket
import time

import pytest

from support.netns import ping
from support.network import HOST, POP_IPV4, ROUTER
from support.packets import echo, ipv6, is_echo_reply, packed
from support.paths import slow
from support.sockets import ipv6_tap, open_socket, raw41_socket, receive, send_ipv4, send_ipv6, udp_socket
from support.tunnel import TunnelClient
from support.wait import until
from support.world import transfer

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.layers.inet import ICMP, IP, UDP  # noqa: E402
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6  # noqa: E402
from scapy.packet import Raw  # noqa: E402

CLIENT, CLIENT2, CLIENT3, GATEWAY = "203.0.113.10", "203.0.113.11", "203.0.113.12", "203.0.113.1"


@pytest.fixture(scope="module")
def net(net):
    net.office.address("c0", f"{CLIENT2}/24", f"{CLIENT3}/24")
    net.router.sysctl(net__ipv4__icmp_ratelimit=0)
    return net


def static_tunnel(net, endpoint, mtu=1480):
    tunnel = net.request("static", endpoint=endpoint).known()
    if mtu != 1280:
        net.db.ticctl("tunnel", "set", tunnel.name, "mtu", str(mtu))
        until(lambda: tunnel.shown()["mtu"] == mtu, slow(3), "the MTU")
    return tunnel


@contextlib.contextmanager
def at_host(net):
    """All IPv6 packets that reach the host, and a raw socket to send some."""
    with ipv6_tap(net.host, "h0") as seen:
        yield seen, lambda packet: send_ipv6(net.host, packet)


def udp6(tunnel, size, mark=0):
    """An inner packet of `size` bytes in all from the host to the client."""
    return ipv6(HOST, tunnel.client, 17, bytes([0x12, 0x34, 0, 9]) + (size - 40).to_bytes(2, "big") + b"\1\1" + bytes([mark]) * (size - 48))


def arrived(sock, tunnel, size, seconds=2):
    """The outer IPv4 packet, as the client's kernel put it together, that carries such a packet; or None."""
    return receive(sock, lambda d: len(d) == 20 + size and d[44:60] == packed(tunnel.client), seconds)


def says(net, message, quoted, source=ROUTER):
    """Sends an ICMPv4 message from the router's place."""
    send_ipv4(net.router, bytes(IP(src=source, dst=POP_IPV4) / message / Raw(quoted)))


def fragmentation_needed(net, quoted, mtu, source=ROUTER):
    says(net, ICMP(type=3, code=4, nexthopmtu=mtu), quoted, source)


def six_in_four(tunnel, endpoint, source=POP_IPV4):
    """What popd would send to a static tunnel's client, as a router sees it."""
    return bytes(IP(src=source, dst=endpoint, proto=41, flags="DF", ttl=63) / Raw(udp6(tunnel, 1400)))


def path_mtu(tunnel):
    return tunnel.shown()["path_mtu"]


# ---- what honest routers say

def test_the_kernel_of_a_narrow_router_lowers_the_mtu_and_senders_are_told(net, popd):
    tunnel, other = static_tunnel(net, CLIENT), static_tunnel(net, CLIENT2)
    with net.narrow(1400), at_host(net) as (seen, send), raw41_socket(net.office, CLIENT) as sock:
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
    tunnel = static_tunnel(net, CLIENT)
    with net.narrow(1350), raw41_socket(net.office, CLIENT):
        def known():
            net.host.run("ping", "-6", "-n", "-c", "1", "-W", "1", "-M", "want", "-s", "1432", tunnel.client, check=False)
            return "mtu 1330" in net.host.run("ip", "-6", "route", "get", tunnel.client).stdout
        until(known, slow(8), "the host to know of 1330")


def test_a_transfer_goes_on_when_the_path_narrows_under_it(net, popd):
    """TCP of the kernels, merged on its way into popd; the router's errors and popd's are all that tells the sender."""
    tunnel = static_tunnel(net, CLIENT)
    with TunnelClient(tunnel, net.office, CLIENT, mtu=1480), contextlib.ExitStack() as stack:
        until(lambda: ping(net.host, tunnel.client), slow(5), "the tunnel to work")
        transfer(net.host, net.office, tunnel.client, 8 << 20, during=lambda: stack.enter_context(net.narrow(1400)))
        shown = tunnel.shown()
        assert shown["path_mtu"] == 1400 and shown["effective_mtu"] == 1380
        assert {d["name"] for d in shown["drops"]} <= {"outer-too-big", "too-big", "link-local"}


def test_under_1300_the_mtu_is_1280_and_routers_fragment_what_has_no_df(net, popd):
    tunnel = static_tunnel(net, CLIENT)
    with net.narrow(1000), at_host(net) as (seen, send), raw41_socket(net.office, CLIENT) as sock:
        send(udp6(tunnel, 1400))
        until(lambda: path_mtu(tunnel) == 1000, slow(3), "the router's word to be heard")
        send(udp6(tunnel, 1281))
        raw = receive(seen, lambda d: d[6] == 58 and d[40] == 2)
        assert raw and IPv6(raw)[ICMPv6PacketTooBig].mtu == 1280
        send(udp6(tunnel, 1280))
        assert arrived(sock, tunnel, 1280), "in pieces, put together by the client's kernel"
    assert "1280 go through" in net.popctl("tunnel", "show", tunnel.name, text=True)


def test_a_tunnel_of_1280_never_sets_df_and_passes_any_path(net, popd):
    tunnel = static_tunnel(net, CLIENT, 1280)
    ayiya = net.request("ayiya").known()
    with net.narrow(576), at_host(net) as (_, send), raw41_socket(net.office, CLIENT) as sock, udp_socket(net.office, CLIENT) as udp:
        send(udp6(tunnel, 1280))
        outer = arrived(sock, tunnel, 1280)
        assert outer and outer[6] & 0x40 == 0
        ayiya.up_by_ayiya(udp)
        send(udp6(ayiya, 1280))
        assert receive(udp, lambda d: len(ayiya.open_ayiya(d)) == 1280)
    assert path_mtu(tunnel) is None and path_mtu(ayiya) is None


def test_fragments_from_clients_are_put_together(net, popd):
    """The way from the client is as narrow; its kernel cuts what it sends without DF."""
    tunnel = static_tunnel(net, CLIENT)
    ayiya = net.request("ayiya").known()
    net.office.run("ip", "route", "replace", "default", "via", GATEWAY, "mtu", "lock", "600")
    try:
        with raw41_socket(net.office, CLIENT) as sock, udp_socket(net.office, CLIENT) as udp:
            for s in (sock, udp):
                s.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: never
            sock.sendto(echo(tunnel.client, HOST, ident=6, data=bytes(1400)), (POP_IPV4, 0))
            assert receive(sock, lambda d: is_echo_reply(d[20:], HOST, 6))
            udp.sendto(ayiya.ayiya(echo(ayiya.client, HOST, ident=7, data=bytes(1200))), (POP_IPV4, 5072))
            assert receive(udp, lambda d: is_echo_reply(ayiya.open_ayiya(d), HOST, 7))
    finally:
        net.office.run("ip", "route", "replace", "default", "via", GATEWAY)


def test_our_own_link_may_be_the_narrow_one(net, popd):
    tunnel = static_tunnel(net, CLIENT)
    net.pop.run("ip", "link", "set", "p2", "mtu", "1450")
    try:
        with at_host(net) as (seen, send), raw41_socket(net.office, CLIENT) as sock:
            size, got = 1480, None
            for _ in range(12):  # as a sender does that believes what it is told
                send(udp6(tunnel, size))
                if got := arrived(sock, tunnel, size, 0.3):
                    break
                if told := receive(seen, lambda d: d[6] == 58 and d[40] == 2, 0.3):
                    size = IPv6(told)[ICMPv6PacketTooBig].mtu
            assert got and size == 1400 and path_mtu(tunnel) == 1420, "a plateau that fits"
    finally:
        net.pop.run("ip", "link", "set", "p2", "mtu", "1500")


def test_a_large_answer_of_popd_itself_passes_a_narrow_path(net, popd):
    tunnel = static_tunnel(net, CLIENT)
    with net.narrow(1400), raw41_socket(net.office, CLIENT) as sock:
        fragmentation_needed(net, six_in_four(tunnel, CLIENT), 1400)
        until(lambda: path_mtu(tunnel) == 1400, slow(3), "the router's word to be heard")
        sock.sendto(echo(tunnel.client, tunnel.pop, ident=8, data=bytes(1400)), (POP_IPV4, 0))
        assert receive(sock, lambda d: is_echo_reply(d[20:], tunnel.pop, 8))


# ---- short quotes

def test_eight_bytes_of_a_quote_find_all_tunnels_of_protocol_41_at_that_address(net, popd):
    two, other = [static_tunnel(net, CLIENT3), static_tunnel(net, CLIENT3)], static_tunnel(net, CLIENT2)
    says(net, ICMP(type=3, code=1), six_in_four(two[0], CLIENT3)[:28])
    until(lambda: all(t.shown()["drops"] for t in two), slow(3), "both to be found")
    assert other.shown()["drops"] == []
    for tunnel in two:
        [drop] = tunnel.shown()["drops"]
        assert drop["name"] == "outer-unreachable" and drop["sentence"].endswith(f"deliver our packets to {CLIENT3}")
        assert drop["length"] == 8 + 28 and drop["packet"].startswith("0301") and len(drop["packet"]) == 2 * 36


def test_a_blind_message_lowers_no_mtu(net, popd):
    """Up to the inner destination everything in the quote follows from the client's IPv4 address."""
    tunnel = static_tunnel(net, CLIENT3)
    for keep in (28, 40, 59):
        before = net.drops("icmp4-unverified")
        fragmentation_needed(net, six_in_four(tunnel, CLIENT3)[:keep], 1300)
        until(lambda: net.drops("icmp4-unverified") == before + 1, slow(3), f"{keep} bytes to be disbelieved")  # noqa: B023
    assert path_mtu(tunnel) is None and tunnel.shown()["drops"] == []
    fragmentation_needed(net, six_in_four(tunnel, CLIENT3)[:60], 1300)
    until(lambda: path_mtu(tunnel) == 1300, slow(3), "the whole inner header to be believed")


def test_the_ports_find_an_ayiya_tunnel_and_a_move_forgets_what_was_said(net, popd):
    one, other = net.request("ayiya").known(), net.request("ayiya").known()
    with udp_socket(net.office, CLIENT) as sock, udp_socket(net.office, CLIENT) as sock2:
        one.up_by_ayiya(sock)
        other.up_by_ayiya(sock2)
        quote = bytes(IP(src=POP_IPV4, dst=CLIENT) / UDP(sport=5072, dport=sock.getsockname()[1], len=1352))[:28]
        fragmentation_needed(net, quote, 1330)
        until(lambda: path_mtu(one) == 1330, slow(3), "the tunnel to be found")
        assert path_mtu(other) is None
        says(net, ICMP(type=3, code=3), quote, CLIENT)
        until(lambda: [d["name"] for d in one.shown()["drops"]] == ["outer-unreachable", "outer-too-big"], slow(3), "the other error to be counted")
        assert one.shown()["last_drop"]["from"] == CLIENT
        with udp_socket(net.office, CLIENT) as moved:
            moved.sendto(one.ayiya(b"", opcode=0, proto=59, epoch=time.time() + 2), (POP_IPV4, 5072))
            until(lambda: path_mtu(one) is None, slow(3), "the move")


@pytest.mark.parametrize("message, name", [
    (ICMP(type=3, code=1), "outer-unreachable"),
    (ICMP(type=3, code=13), "outer-unreachable"),
    (ICMP(type=11, code=0), "outer-time-exceeded"),
    (ICMP(type=12, code=0), "outer-parameter-problem"),
])
def test_errors_are_counted_under_their_names_with_who_said_so(net, popd, message, name):
    tunnel = static_tunnel(net, CLIENT)
    says(net, message, six_in_four(tunnel, CLIENT), GATEWAY)
    until(lambda: [(d["name"], d["count"]) for d in tunnel.shown()["drops"]] == [(name, 1)], slow(3), name)
    assert tunnel.shown()["last_drop"]["from"] == GATEWAY and tunnel.shown()["state"] == "up" and path_mtu(tunnel) is None


def test_source_quench_and_echo_are_not_even_looked_at(net, popd):
    tunnel = static_tunnel(net, CLIENT)
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
    tunnel, other, ayiya = static_tunnel(net, CLIENT), static_tunnel(net, CLIENT2), net.request("ayiya").known()
    with udp_socket(net.office, CLIENT) as sock:
        ayiya.up_by_ayiya(sock)
        for name, quote in forgeries(tunnel, ayiya, sock.getsockname()[1]).items():
            before = net.drops("icmp4-unverified")
            fragmentation_needed(net, quote, 1300)
            until(lambda: net.drops("icmp4-unverified") == before + 1, slow(3), name)  # noqa: B023
    before = net.drops("icmp4-unverified")
    broken = bytearray(bytes(ICMP(type=3, code=4, nexthopmtu=1300) / Raw(six_in_four(tunnel, CLIENT))))
    broken[2] ^= 1
    send_ipv4(net.router, bytes(IP(src=ROUTER, dst=POP_IPV4, proto=1) / Raw(bytes(broken))))
    until(lambda: net.drops("icmp4-unverified") == before + 1, slow(3), "the wrong checksum")
    for t in (tunnel, other, ayiya):
        assert path_mtu(t) is None and t.shown()["drops"] == []


def test_a_well_forged_one_lowers_one_tunnel_to_1280_and_no_more(net, popd):
    tunnel, other = static_tunnel(net, CLIENT), static_tunnel(net, CLIENT2)
    with at_host(net) as (_, send), raw41_socket(net.office, CLIENT) as sock, raw41_socket(net.office, CLIENT2) as sock2:
        fragmentation_needed(net, six_in_four(tunnel, CLIENT), 68, "198.51.100.66")
        until(lambda: path_mtu(tunnel) == 68, slow(3), "the forgery to be believed")
        assert tunnel.shown()["effective_mtu"] == 1280
        send(udp6(tunnel, 1280))
        assert arrived(sock, tunnel, 1280)
        send(udp6(other, 1480))
        assert arrived(sock2, other, 1480)


# ---- nobody else waits

def test_a_narrow_tunnel_and_a_flood_of_forgeries_stall_no_other(net, popd):
    narrow, wide, ayiya = static_tunnel(net, CLIENT), static_tunnel(net, CLIENT2), net.request("ayiya").known()
    forged = [bytes(IP(src=ROUTER, dst=POP_IPV4) / ICMP(type=3, code=4, nexthopmtu=1300) / Raw(q))
              for q in (bytes(IP(src=POP_IPV4, dst=f"198.18.{n}.1", proto=41) / Raw(udp6(narrow, 60)))[:28] for n in range(250))]
    count = 400
    flood = open_socket(net.router, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with at_host(net) as (_, send), raw41_socket(net.office, CLIENT2) as sock, udp_socket(net.office, CLIENT) as udp, flood:
        ayiya.up_by_ayiya(udp)
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
