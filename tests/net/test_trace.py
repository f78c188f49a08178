"""popctl tunnel trace: each packet's decision, live, for any number of watchers; as text, JSON and
capture files that tshark reads."""
import contextlib
import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
import time

import pytest

from support.network import CLIENT2_IPV4, CLIENT_IPV4, HOST, POP_IPV4
from support.packets import echo, is_echo_reply
from support.paths import program, slow
from support.sockets import raw41_socket, receive, udp_socket
from support.wait import until


@pytest.fixture(scope="module")
def net(net):
    net.popd.restart()
    return net


class Watcher:
    """A running popctl tunnel trace."""

    def __init__(self, net, *words, options=()):
        self.process = subprocess.Popen([program("popctl"), "--socket", net.popd.socket, *options, "tunnel", "trace", *words],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.said = self.process.stderr.readline().decode()
        os.set_blocking(self.process.stdout.fileno(), False)
        self.output = b""

    def lines(self):
        """All but popd's own pings, which come at times of their own."""
        self.output += self.process.stdout.read() or b""
        return [line for line in self.output.decode(errors="replace").splitlines() if " popd: " not in line and '"source":"probe"' not in line]

    def until(self, *parts):
        """The first whole line that has all of these."""
        def found():
            return next((line for line in self.lines() if all(part in line for part in parts)), None)
        try:
            return until(found, slow(5), f"a line with {parts}")
        except Exception:
            print("\n".join(self.lines()))
            raise

    def end(self, how=signal.SIGINT):
        """Ends it; returns the exit status, standard output and standard error."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        os.set_blocking(self.process.stdout.fileno(), True)
        out, err = self.process.communicate(timeout=10)
        return self.process.returncode, self.output + out, err.decode()


@contextlib.contextmanager
def watching(net, *words, options=()):
    watcher = Watcher(net, *words, options=options)
    try:
        assert "following" in watcher.said, watcher.said
        yield watcher
    finally:
        if watcher.process.poll() is None:
            watcher.process.kill()
            watcher.process.communicate()


def tshark(tunnel, *arguments, data=None):
    """Rows of fields, without those of popd's own pings."""
    others = f"not (icmpv6.type == 128 and ipv6.src == {tunnel.pop})"
    done = subprocess.run(["tshark", "-n", "-Y", others, "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", *arguments], input=data, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return [line.split("\t") for line in done.stdout.decode().splitlines()]


# ---- text

def test_each_decision_is_one_line_with_its_verdict(net):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock, watching(net, tunnel.name) as watcher:
        here = f"{CLIENT_IPV4}:{sock.getsockname()[1]}"
        sock.sendto(tunnel.ayiya(b"", opcode=0, proto=59), (POP_IPV4, 5072))
        watcher.until(f" {tunnel.name} ayiya {here}: AYIYA no-op, 44 bytes: accepted")
        tunnel.exchange(sock)
        watcher.until(f" {tunnel.name} ayiya {here}: {tunnel.client} > {HOST} ICMPv6 echo request, 124 bytes: to the uplink")
        watcher.until(f" {tunnel.name} uplink: {HOST} > {tunnel.client} ICMPv6 echo reply, 80 bytes: to {tunnel.name} at {here}")
        tunnel.exchange(sock, tunnel.pop)
        watcher.until(f"{tunnel.client} > {tunnel.pop} ICMPv6 echo request", f": answered with {tunnel.pop} > {tunnel.client} ICMPv6 echo reply")
        sock.sendto(tunnel.ayiya(echo(tunnel.client, HOST, hops=1)), (POP_IPV4, 5072))
        watcher.until(f": dropped: hop-limit, answered with {tunnel.pop} > {tunnel.client} ICMPv6 time exceeded")
        sock.sendto(tunnel.ayiya(echo(tunnel.client, HOST), secret="0" * 32), (POP_IPV4, 5072))
        watcher.until(here, f"{tunnel.client} > {HOST}", ": dropped: ayiya-signature")
        sock.sendto(tunnel.ayiya(b"", opcode=0, proto=59, epoch=time.time() - 400), (POP_IPV4, 5072))
        watcher.until(": AYIYA no-op", "dropped: clock-skew")
        assert len(watcher.lines()) == 7
        status, _, err = watcher.end()
        assert status == 0 and err == ""


def test_packets_of_two_tunnels_show_to_watchers_of_either(net):
    one, two = net.request("ayiya").known(), net.request("static", endpoint=CLIENT2_IPV4).known()
    with udp_socket(net.client) as sock, watching(net, one.name) as first, watching(net, two.client) as second, watching(net, one.name, two.name) as both:
        assert two.name in second.said and one.name in both.said
        one.up_by_ayiya(sock)
        sock.sendto(one.ayiya(echo(one.client, two.client)), (POP_IPV4, 5072))
        line = first.until(f"{one.client} > {two.client}", f": to {two.name} at {CLIENT2_IPV4}")
        assert second.until(f"{one.client} > {two.client}") == line
        assert both.until(f"{one.client} > {two.client}") == line
        net.host.run("ping", "-6", "-n", "-c", "1", "-W", "1", two.client, check=False)
        second.until(f"uplink: {HOST} > {two.client}")
        both.until(f"uplink: {HOST} > {two.client}")
        assert not any(HOST in line for line in first.lines())
        assert len(second.lines()) == 2 and [line for line in both.lines() if two.client in line] == second.lines()


def test_a_drop_shows_to_the_tunnel_it_is_charged_to(net):
    tunnel = net.request("static", endpoint=CLIENT2_IPV4).known()
    with watching(net, tunnel.name) as watcher:
        net.host.run("ping", "-6", "-n", "-c", "1", "-W", "1", "-M", "do", "-s", "1352", tunnel.client, check=False)
        watcher.until(f" {tunnel.name} uplink: {HOST} > {tunnel.client}", "dropped: too-big, answered with", "packet too big, MTU 1280")


def test_heartbeats_and_protocol_41_show(net):
    tunnel = net.request("heartbeat").known()
    with udp_socket(net.client) as beats, raw41_socket(net.client) as sock, watching(net, tunnel.name) as watcher:
        beats.sendto(tunnel.beat(), (POP_IPV4, 3740))
        watcher.until(f"heartbeat {CLIENT_IPV4}:{beats.getsockname()[1]}: heartbeat", ": accepted")
        sock.sendto(echo(tunnel.client, HOST), (POP_IPV4, 0))
        watcher.until(f"proto41 {CLIENT_IPV4}: {tunnel.client} > {HOST}", "to the uplink")
        watcher.until(f"{HOST} > {tunnel.client}", f"to {tunnel.name} at {CLIENT_IPV4}")


def test_all_shows_packets_of_no_tunnel(net):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock, watching(net, "--all") as everything, watching(net, tunnel.name) as one:
        sock.sendto(b"no tunnel packet at all", (POP_IPV4, 5072))
        everything.until(f" - ayiya {CLIENT_IPV4}:{sock.getsockname()[1]}: no AYIYA packet, 23 bytes: dropped: ")
        tunnel.exchange(sock)
        one.until("echo reply")
        everything.until("echo reply")
        assert len(one.lines()) == 2


def test_ends_after_so_many_packets(net):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock, watching(net, tunnel.name, "-c", "3") as watcher:
        for _ in range(4):
            tunnel.exchange(sock)
        watcher.process.wait(timeout=10)
        status, out, _ = watcher.end()
        assert status == 0 and out.count(b"\n") == 3


@pytest.mark.parametrize("words, why", [
    (["T99999"], "there is no tunnel T99999"),
    (["2001:db8::99"], "belongs to no tunnel"),
])
def test_an_unknown_tunnel_is_refused(net, words, why):
    done = net.popctl("tunnel", "trace", *words, check=False)
    assert done.returncode == 1 and why in done.stderr and done.stdout == ""


@pytest.mark.parametrize("words", [[], ["T1", "-c", "none"], ["T1", "-c", "0"], ["T1", "--outer"], ["T1", "--pcap"], ["T1", "--packet"],
                                   ["T1", "--pcap", "-", "--inner", "--outer"]])
def test_a_wrong_call_is_refused_in_a_sentence(net, words):
    done = net.popctl("tunnel", "trace", *words, check=False)
    assert done.returncode == 2 and done.stdout == ""


# ---- JSON

def test_json_has_the_bytes_as_they_came_and_as_they_left_and_no_key(net):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock, watching(net, tunnel.name, options=["--json"]) as watcher:
        sent = tunnel.ayiya(echo(tunnel.client, tunnel.pop, ident=9))
        sock.sendto(sent, (POP_IPV4, 5072))
        answer = receive(sock, lambda d: is_echo_reply(tunnel.open_ayiya(d), tunnel.pop, 9))
        line = json.loads(watcher.until('"udp"'))
        assert line["packet"] == sent.hex() and line["length"] == len(sent) and line["drop"] is None
        assert (line["tunnel"], line["source"], line["from"]) == (tunnel.name, "ayiya", f"{CLIENT_IPV4}:{sock.getsockname()[1]}")
        assert abs(line["at"] / 1e6 - time.time()) < slow(5)
        [out] = line["out"]
        assert out["packet"] == answer.hex() and out["answer"] and out["tunnel"] == tunnel.name
        wrong = tunnel.ayiya(echo(tunnel.client, HOST), secret="0" * 32)
        sock.sendto(wrong, (POP_IPV4, 5072))
        line = json.loads(watcher.until("ayiya-signature"))
        assert line["packet"] == wrong.hex() and line["out"] == [] and "password" in line["text"]
        secret = tunnel.secret.encode()
        # a client that sends its key in place of a signature: the key is not shown
        key = hashlib.sha1(secret).digest()
        sock.sendto(wrong[:24] + key + wrong[44:], (POP_IPV4, 5072))
        until(lambda: len(watcher.lines()) == 3, slow(3), "the third packet")
        output = watcher.end()[1].decode()
        assert not any(k in output for k in (secret.hex(), key.hex(), hashlib.sha256(secret).hexdigest()))


# ---- capture files

def test_outer_packets_are_a_capture_that_tshark_dissects(net, tmp_path):
    tunnel = net.request("ayiya").known()
    path = str(tmp_path / "outer.pcap")
    with udp_socket(net.client) as sock, watching(net, tunnel.name, "--pcap", path, "--outer") as watcher:
        port = str(sock.getsockname()[1])
        sent = tunnel.ayiya(echo(tunnel.client, HOST, ident=5))
        sock.sendto(sent, (POP_IPV4, 5072))
        got = receive(sock, lambda d: is_echo_reply(tunnel.open_ayiya(d), HOST, 5))
        sock.sendto(tunnel.ayiya(b"", opcode=0, proto=59), (POP_IPV4, 5072))
        until(lambda: len(tshark(tunnel, "-r", path)) == 3, slow(5), "three packets in the file")
        assert watcher.end()[0] == 0
    rows = tshark(tunnel, "-r", path, "-T", "fields", "-e", "ip.src", "-e", "udp.srcport", "-e", "ip.dst", "-e", "udp.dstport",
                  "-e", "ayiya.opcode", "-e", "ip.checksum.status", "-e", "udp.checksum.status", "-e", "udp.payload")
    assert [row[:4] for row in rows] == [[CLIENT_IPV4, port, POP_IPV4, "5072"], [POP_IPV4, "5072", CLIENT_IPV4, port], [CLIENT_IPV4, port, POP_IPV4, "5072"]]
    assert [int(row[4], 0) for row in rows] == [1, 1, 0]
    assert all(row[5].split(",")[0] == "1" and row[6] == "1" for row in rows), rows  # both good
    assert [row[7] for row in rows[:2]] == [sent.hex(), got.hex()]
    assert "ICMPv6" in subprocess.run(["tshark", "-n", "-r", path], capture_output=True, text=True).stdout


def test_outer_packets_of_protocol_41_are_a_capture_too(net, tmp_path):
    tunnel = net.request("static", endpoint=CLIENT2_IPV4).known()
    path = str(tmp_path / "outer41.pcap")
    with raw41_socket(net.client, CLIENT2_IPV4) as sock, watching(net, tunnel.name, "--pcap", path, "--outer") as watcher:
        sock.sendto(echo(tunnel.client, HOST, ident=6), (POP_IPV4, 0))
        assert receive(sock, lambda d: is_echo_reply(d[20:], HOST, 6))
        until(lambda: len(tshark(tunnel, "-r", path)) == 2, slow(5), "two packets in the file")
        assert watcher.end()[0] == 0
    rows = tshark(tunnel, "-r", path, "-T", "fields", "-e", "ip.src", "-e", "ip.dst", "-e", "ip.proto", "-e", "ipv6.src", "-e", "icmpv6.type")
    assert rows == [[CLIENT2_IPV4, POP_IPV4, "41", tunnel.client, "128"], [POP_IPV4, CLIENT2_IPV4, "41", HOST, "129"]]


def test_inner_packets_are_the_default_and_go_to_a_pipe(net):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock, watching(net, tunnel.name, "--pcap", "-") as watcher:
        tunnel.exchange(sock, ident=7)
        tunnel.exchange(sock, tunnel.pop, ident=8)
        sock.sendto(tunnel.ayiya(b"", opcode=0, proto=59), (POP_IPV4, 5072))  # nothing inner in it
        until(lambda: (watcher.lines(), len(watcher.output) >= 24 + 4 * (16 + 80))[1], slow(5), "four packets")
        status, data, _ = watcher.end(signal.SIGTERM)
        assert status == 0
    assert struct.unpack("=IHHIIII", data[:24])[6] == 229
    rows = tshark(tunnel, "-r", "-", "-T", "fields", "-e", "ipv6.src", "-e", "ipv6.dst", "-e", "icmpv6.type", "-e", "icmpv6.checksum.status", data=data)
    assert rows == [[tunnel.client, HOST, "128", "1"], [HOST, tunnel.client, "129", "1"],
                    [tunnel.client, tunnel.pop, "128", "1"], [tunnel.pop, tunnel.client, "129", "1"]]


def test_a_file_that_cannot_be_written_is_named(net):
    tunnel = net.request("ayiya").known()
    done = net.popctl("tunnel", "trace", tunnel.name, "--pcap", "/nowhere/at/all.pcap", check=False, text=True)
    assert done.returncode == 1 and "/nowhere/at/all.pcap cannot be written" in done.stderr


# ---- watchers that do not keep up, and none

def test_a_stalled_watcher_loses_packets_is_told_how_many_and_delays_nobody(net):
    tunnel = net.request("static", endpoint=CLIENT2_IPV4).known()
    payload = echo(tunnel.client, HOST, data=bytes(1100))
    count = 3000
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as stalled, raw41_socket(net.client, CLIENT2_IPV4) as sock, \
            watching(net, tunnel.name, "--pcap", os.devnull) as reader:
        stalled.connect(net.popd.socket)
        stalled.sendall(json.dumps({"command": "tunnel trace", "tunnel": tunnel.name, "snap": 2048}).encode() + b"\n")
        stalled.settimeout(10)
        assert b"following" in stalled.recv(4096)
        before, pings = tunnel.shown()["packets_in"], tunnel.shown()["liveness"]["sent"]
        for n in range(count):
            sock.sendto(payload, (POP_IPV4, 0))
            if n % 100 == 0:
                start = time.monotonic()
                net.popctl("status")
                assert time.monotonic() - start < slow(2)
        until(lambda: tunnel.shown()["packets_in"] == before + count, slow(5), "all of them to be forwarded")
        assert tunnel.shown()["packets_in"] == before + count
        # it wakes up: every packet is accounted for, shown or counted as lost
        seen, lost, rest = 0, 0, b""
        total = count + tunnel.shown()["packets_out"] + tunnel.shown()["liveness"]["sent"] - pings
        deadline = time.monotonic() + slow(10)
        while seen + lost < total and time.monotonic() < deadline:
            rest += stalled.recv(1 << 20)
            *lines, rest = rest.split(b"\n")
            for line in map(json.loads, lines):
                lost += line.get("lost", 0)
                seen += "at" in line
        assert seen + lost == total and lost > 0 and seen > 50
        print(f"{total} packets: {seen} seen, {lost} lost")
        status, _, err = reader.end()
        assert status == 0
        print(err)


def test_a_watcher_that_was_killed_leaves_room_for_others(net):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock:
        for _ in range(70):  # more than the limit
            watcher = Watcher(net, tunnel.name)
            assert "following" in watcher.said
            watcher.process.kill()
            watcher.process.communicate()
        with watching(net, tunnel.name) as last:
            tunnel.exchange(sock)
            last.until("echo reply")


def test_a_tunnel_that_comes_back_is_followed_again(net):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock, watching(net, tunnel.name) as watcher:
        net.db.ticctl("tunnel", "set", tunnel.name, "mtu", "1400")
        until(lambda: tunnel.shown()["mtu"] == 1400, slow(3), "the change")
        tunnel.exchange(sock)
        watcher.until("echo reply")


def test_watchers_end_when_popd_ends(net):
    tunnel = net.request("ayiya").known()
    with watching(net, tunnel.name) as watcher:
        net.popd.stop()
        watcher.process.wait(timeout=10)
        status, _, err = watcher.end()
        assert status == 1 and "popd has closed the connection" in err
    net.popd.start()
    net.popd.loaded()


def test_no_packet_takes_the_fast_path_through_the_kernel_while_it_is_followed(net):
    net.pop.run("ethtool", "-K", "p0", "tx", "off", check=False)
    net.popd.restart(bpf_encap="yes")
    try:
        if net.popctl("status")["offloads"]["bpf_encap"] != "on":
            pytest.skip("this kernel or build has no fast path")
        tunnel = net.request("static", endpoint=CLIENT2_IPV4).known()
        for words in ([tunnel.name], ["--all"]):
            with watching(net, *words) as watcher:
                net.host.run("ping", "-6", "-n", "-c", "3", "-i", "0.1", "-W", "1", tunnel.client, check=False)
                until(lambda w=watcher: sum(f"uplink: {HOST} > {tunnel.client}" in line for line in w.lines()) == 3, slow(3), "all three pings")
    finally:
        net.popd.restart()
