"""What popd shows of the packets it dropped: the sentence for the user, the last one's sender and
bytes, and no secret."""
import hashlib
import time

import pytest

from support.network import CLIENT2_IPV4, CLIENT_IPV4, HOST, POP_IPV4
from support.packets import echo
from support.paths import slow
from support.sockets import raw41_socket, udp_socket
from support.wait import until

HEAD = 128


@pytest.fixture(scope="module")
def net(net):
    net.popd.restart()
    return net


def errors(net, tunnel):
    return {row["name"]: row for row in net.popctl("tunnel", "errors", tunnel.name)["errors"]}


def dropped(net, tunnel, name, count=1):
    """The row of a reason, once it has been counted so often."""
    until(lambda: errors(net, tunnel).get(name, {"count": 0})["count"] >= count, slow(3), f"{name} to be counted for {tunnel.name}")
    return errors(net, tunnel)[name]


def dropped_of_pop(net, name, before):
    until(lambda: net.drops(name) > before, slow(3), f"{name} to be counted")
    return next(row for row in net.popctl("counters")["drops"] if row["name"] == name)


def keys_of(tunnel):
    secret = tunnel.secret.encode()
    return [secret.hex(), hashlib.sha1(secret).hexdigest(), hashlib.sha256(secret).hexdigest()]


def is_of(row, sock, packet):
    """The row's last packet is this one, as it was sent."""
    host, port = sock.getsockname()[:2]
    assert row["from"] == (f"{host}:{port}" if port else host)
    assert row["length"] == len(packet)
    assert row["packet"] == packet[:HEAD].hex()
    assert row["age"] < slow(3) and row["at"]
    return True


@pytest.mark.parametrize("ahead", [312, -312])
def test_a_skewed_clock_is_shown_in_seconds(net, ahead):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock:
        packet = tunnel.ayiya(echo(tunnel.client, HOST), epoch=time.time() + ahead)
        sock.sendto(packet, (POP_IPV4, 5072))
        row = dropped(net, tunnel, "clock-skew")
        words = row["sentence"].split()
        assert row["sentence"].startswith("the client's clock is ") and row["sentence"].endswith(
            " s ahead of ours" if ahead > 0 else " s behind ours")
        assert abs(int(words[4]) - abs(ahead)) <= 2
        assert is_of(row, sock, packet) and row["source"] == "ayiya"
    text = net.popctl("tunnel", "errors", tunnel.name, text=True)
    assert row["sentence"] in text and "s ago" in text and packet[:4].hex() not in text


def test_a_heartbeat_of_a_skewed_clock_is_shown_in_seconds(net):
    tunnel = net.request("heartbeat").known()
    with udp_socket(net.client) as sock:
        packet = tunnel.beat(when=time.time() - 500)
        sock.sendto(packet, (POP_IPV4, 3740))
        row = dropped(net, tunnel, "clock-skew")
        assert row["sentence"] in (f"the client's clock is {n} s behind ours" for n in range(499, 503))
        assert is_of(row, sock, packet) and row["source"] == "heartbeat"


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_wrong_password_is_named_and_no_key_shows(net, algorithm):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock:
        packet = tunnel.ayiya(echo(tunnel.client, HOST), secret="f" * 32, algorithm=algorithm)
        sock.sendto(packet, (POP_IPV4, 5072))
        row = dropped(net, tunnel, "secret-unknown")
        assert row["sentence"] == f"somebody at {CLIENT_IPV4} does not know this tunnel's secret" and is_of(row, sock, packet)
        assert row["sentence"] in net.popctl("tunnel", "errors", tunnel.name, text=True)
        tunnel.up_by_ayiya(sock)
        sock.sendto(packet, (POP_IPV4, 5072))
        row = dropped(net, tunnel, "ayiya-signature")
        assert "password" in row["sentence"] and is_of(row, sock, packet)
        assert errors(net, tunnel)["secret-unknown"]["count"] == 1
    everything = net.popctl("counters", text=True), net.popctl("counters", "--packet", text=True), str(net.popctl("counters"))
    assert not any(key in text for key in keys_of(tunnel) for text in everything)


def test_a_wrong_password_in_a_heartbeat_is_named_and_no_key_shows(net):
    tunnel = net.request("heartbeat").known()
    with udp_socket(net.client) as sock:
        packet = tunnel.beat(secret="f" * 32)
        sock.sendto(packet, (POP_IPV4, 3740))
        row = dropped(net, tunnel, "secret-unknown")
        assert row["sentence"] == f"somebody at {CLIENT_IPV4} does not know this tunnel's secret" and is_of(row, sock, packet)
        sock.sendto(tunnel.beat(), (POP_IPV4, 3740))
        until(lambda: tunnel.shown()["state"] == "up", slow(3), "the beat to be heard")
        sock.sendto(packet, (POP_IPV4, 3740))
        row = dropped(net, tunnel, "beat-signature")
        assert "password" in row["sentence"] and is_of(row, sock, packet)
        assert not any(key in str(net.popctl("counters")) for key in keys_of(tunnel))
        # a faulty client may send the password itself: it is not shown
        bare = packet[:-32] + tunnel.secret.encode()
        sock.sendto(bare, (POP_IPV4, 3740))
        row = dropped(net, tunnel, "beat-signature", 2)
        assert row["packet"] == (packet[:-32] + bytes(32))[:HEAD].hex() and row["length"] == len(bare)


def test_strangers_fill_nobody_s_book(net):
    """Wrong signatures and protocol 41 from another address, while the client is heard."""
    tunnel, beating = net.request("ayiya").known(), net.request("heartbeat").known()
    with udp_socket(net.client) as own, udp_socket(net.client, CLIENT2_IPV4) as other, raw41_socket(net.client, CLIENT2_IPV4) as raw:
        tunnel.up_by_ayiya(own)
        own.sendto(beating.beat(), (POP_IPV4, 3740))
        until(lambda: beating.shown()["state"] == "up", slow(3), "the beat to be heard")
        before = [net.drops(name) for name in ("forged", "endpoint-mismatch")]
        for _ in range(50):
            other.sendto(tunnel.ayiya(b"", 0, 59, secret="f" * 32), (POP_IPV4, 5072))
            other.sendto(beating.beat(secret="f" * 32), (POP_IPV4, 3740))
            raw.sendto(echo(beating.client, HOST), (POP_IPV4, 0))
        until(lambda: [net.drops(name) for name in ("forged", "endpoint-mismatch")] == [before[0] + 100, before[1] + 50], slow(5), "the PoP to count them")
    assert errors(net, tunnel) == errors(net, beating) == {}


def test_an_authentic_packet_dropped_for_its_inner_packet_is_shown_as_it_came(net):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock:
        packet = tunnel.ayiya(echo("2001:db8:bad::1", HOST))
        sock.sendto(packet, (POP_IPV4, 5072))
        row = dropped(net, tunnel, "spoofed-from-tunnel")
        assert row["sentence"].endswith(": 2001:db8:bad::1") and is_of(row, sock, packet)
        packet = tunnel.ayiya(echo(tunnel.client, HOST, hops=1))
        sock.sendto(packet, (POP_IPV4, 5072))
        assert is_of(dropped(net, tunnel, "hop-limit"), sock, packet)


def test_protocol_41_from_elsewhere_is_shown_with_both_addresses(net):
    tunnel = net.request("static", endpoint=CLIENT2_IPV4).known()
    with raw41_socket(net.client, CLIENT_IPV4) as sock:
        packet = echo(tunnel.client, HOST)
        sock.sendto(packet, (POP_IPV4, 0))
        row = dropped(net, tunnel, "endpoint-mismatch")
        assert row["sentence"] == f"protocol 41 from {CLIENT_IPV4}, but the tunnel's endpoint is {CLIENT2_IPV4}"
        assert row["packet"] == packet[:HEAD].hex() and row["source"] == "proto41" and row["from"] == CLIENT_IPV4


def test_too_large_packets_from_the_uplink_are_shown_with_size_and_mtu(net):
    tunnel = net.request("static", endpoint=CLIENT2_IPV4).known()
    net.host.run("ping", "-6", "-n", "-c", "1", "-W", "1", "-M", "do", "-s", "1352", tunnel.client, check=False)
    row = dropped(net, tunnel, "too-big")
    assert row["sentence"] == "the packet of 1400 bytes is larger than the tunnel's MTU of 1280"
    assert (row["from"], row["source"], row["length"]) == ("uplink", "tun", 1400)


def test_drops_without_a_tunnel_are_counted_for_the_pop(net):
    with udp_socket(net.client) as sock:
        before = net.drops("tunnel-unknown")
        nobody = net.request("ayiya").known()
        packet = bytearray(nobody.ayiya(echo(nobody.client, HOST)))
        packet[8:24] = bytes.fromhex("20010db802ff7abc0000000000000002")
        sock.sendto(bytes(packet), (POP_IPV4, 5072))
        row = dropped_of_pop(net, "tunnel-unknown", before)
        assert row["sentence"] == "no tunnel on this PoP has the client address 2001:db8:2ff:7abc::2"
        assert row["tunnel"] is None and is_of(row, sock, bytes(packet))
        before = net.drops("ayiya-method")
        packet[1] = 0x51
        sock.sendto(bytes(packet), (POP_IPV4, 5072))
        row = dropped_of_pop(net, "ayiya-method", before)
        assert row["sentence"] == "signed with hash method 1 (MD5), which is not supported" and is_of(row, sock, bytes(packet))


def dump(packet):
    """What tcpdump -X would print, made another way."""
    lines = []
    for at in range(0, len(packet), 16):
        row = packet[at:at + 16]
        pairs = " ".join(row[i:i + 2].hex() for i in range(0, len(row), 2))
        lines.append(f"\t0x{at:04x}:  {pairs:39}  {''.join(chr(c) if 32 <= c < 127 else '.' for c in row)}\n")
    return "".join(lines)


def test_the_packet_shows_as_tcpdump_would_print_it(net):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock:
        for inner in (echo(tunnel.client, HOST, data=b"Hello, wide world! " * 9), b""):  # cut at 128 bytes, and whole
            packet = tunnel.ayiya(inner, epoch=time.time() - 900)
            sock.sendto(packet, (POP_IPV4, 5072))
            until(lambda p=packet: errors(net, tunnel).get("clock-skew", {}).get("length") == len(p), slow(3), "the packet")
            shown = net.popctl("tunnel", "errors", tunnel.name, "--packet", text=True)
            assert dump(packet[:HEAD]) in shown and f"{len(packet)} bytes" in shown
            assert dump(packet[:HEAD]) in net.popctl("counters", "--packet", text=True)


def test_a_reset_starts_the_counts_again(net):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock:
        for number in (1, 2):
            sock.sendto(tunnel.ayiya(b"", opcode=0, proto=59, epoch=time.time() - 300 - number), (POP_IPV4, 5072))
            dropped(net, tunnel, "clock-skew", number)
        of_pop = net.drops("clock-skew")
        assert tunnel.name in net.popctl("tunnel", "errors", tunnel.name, "--reset", text=True)
        assert errors(net, tunnel) == {} and tunnel.shown()["drops"] == [] and tunnel.shown()["last_drop"] is None
        assert "nothing was dropped" in net.popctl("tunnel", "errors", tunnel.name, text=True)
        assert net.drops("clock-skew") == of_pop
        packet = tunnel.ayiya(b"", opcode=0, proto=59, epoch=time.time() + 200)
        sock.sendto(packet, (POP_IPV4, 5072))
        row = dropped(net, tunnel, "clock-skew")
        assert row["count"] == 1 and is_of(row, sock, packet)
        net.popctl("counters", "--reset")
        assert net.drops("clock-skew") == 0 and all("packet" not in row for row in net.popctl("counters")["drops"])
        assert net.popctl("counters")["since"]
        assert errors(net, tunnel)["clock-skew"]["count"] == 1


def test_a_tunnel_is_also_named_by_an_address_and_an_unknown_one_refused(net):
    tunnel = net.request("ayiya").known()
    assert net.popctl("tunnel", "errors", tunnel.client)["id"] == tunnel.name
    done = net.popctl("tunnel", "errors", "T99999", check=False)
    assert done.returncode == 1 and "no tunnel T99999" in done.stderr
    assert net.popctl("tunnel", "errors", check=False).returncode == 2
    assert net.popctl("status", "--packet", check=False).returncode == 2
