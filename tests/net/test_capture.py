"""The recording of the stock client is accepted byte for byte, and an independent dissector finds
nothing wrong with what we send."""
import os
import socket
import subprocess

import pytest
from scapy.all import IP, TCP, UDP, rdpcap

from support.daemon import Daemon
from support.database import POP
from support.machine import faketime_library
from support.netns import ping, run
from support.network import HOST, OFFICE, POP_IPV4
from support.paths import ROOT, program
from support.sockets import open_socket
from support.tic import answer_to
from support.wait import until

CAPTURE = str(ROOT / "tests/vec/aiccu-stock.pcap")
PASSWORD = "blog-pass"  # the capture's user
SECRET = "0123456789abcdef0123456789abcdef"
IMPORT = f"""config 0 T15039 ayiya up 1280 {SECRET}
config 1 T22555 heartbeat up 1280 {SECRET}
config 2 T4141 {OFFICE} up 1280
"""


@pytest.fixture(scope="module")
def captured(world):
    """The capture, and its user and tunnels in our broker under their own numbers and secrets."""
    path = f"{world.dir}/import.conf"
    with open(path, "w", encoding="ascii") as f:
        f.write(IMPORT)
    world.db.add_user("TEST-SIXXS", PASSWORD, name="Test User", credit=100)
    world.db.ticctl("import", path, "--owner", "TEST-SIXXS", "--pop", POP)
    until(lambda: world.popctl("tunnel", "show", "T15039"), 3, "popd to know the imported tunnel")
    return rdpcap(CAPTURE)


def dialogues(packets):
    """Per TCP connection: the client's stream and the server's."""
    streams = {}
    for p in packets:
        if TCP in p and bytes(p[TCP].payload):
            port = p[TCP].sport if p[TCP].dport == 3874 else p[TCP].dport
            streams.setdefault(port, [b"", b""])[p[TCP].sport == 3874] += bytes(p[TCP].payload)
    return list(streams.values())


def test_captured_dialogues_get_the_captured_answers(world, captured):
    for ours, theirs in dialogues(captured):
        sock = world.ticd.connect(space=world.office)
        lines = sock.makefile("rb")
        expected = theirs.decode().splitlines()
        position = 0

        def answer():
            """The server's next answer, whole, and what the scripted server said at this place."""
            nonlocal position
            got, want = [lines.readline().decode().rstrip("\n")], [expected[position]]
            position += 1
            if got[0].startswith("201"):
                while not got[-1].startswith("202"):
                    got.append(lines.readline().decode().rstrip("\n"))
            if want[0].startswith("201"):
                while not want[-1].startswith("202"):
                    want.append(expected[position])
                    position += 1
            return got, want

        answer()
        challenge = None
        for line in ours.decode().splitlines(keepends=True):
            if line.startswith("authenticate"):
                line = f"authenticate md5 {answer_to(challenge, PASSWORD)}\n"
            sock.sendall(line.encode())
            got, want = answer()
            if line.startswith("challenge"):
                challenge = got[0][4:]
            if line.startswith("starttls"):
                assert got[0][:3] in ("200", "500")
                if got[0].startswith("200"):
                    break  # from here on the stock client would speak TLS; the clear dialogue goes on below
            assert got[0][:3] == want[0][:3], f"{line!r}: {got[0]} instead of {want[0]}"
            if line.startswith("tunnel show"):
                assert sorted(k.split(":")[0] for k in got[1:-1]) == sorted(k.split(":")[0] for k in want[1:-1])
                same = ("TunnelId", "Type", "IPv6 PrefixLength", "Tunnel MTU", "UserState", "AdminState", "Password", "Heartbeat_Interval")
                shown, recorded = (dict(row.split(": ", 1) for row in rows[1:-1]) for rows in (got, want))
                assert {k: shown[k] for k in same} == {k: recorded[k] for k in same}
        sock.close()


def test_captured_dialogues_without_starttls_run_to_their_end(world, captured):
    shows = 0
    for ours, _ in dialogues(captured):
        sock = world.ticd.connect(space=world.office)
        lines = sock.makefile("rb")
        lines.readline()
        challenge = ""
        for line in ours.splitlines(keepends=True):
            if line.startswith(b"starttls"):
                continue
            if line.startswith(b"authenticate"):
                line = f"authenticate md5 {answer_to(challenge, PASSWORD)}\n".encode()
            sock.sendall(line)
            got = lines.readline()
            assert got[:1] == b"2", (line, got)
            if line.startswith(b"challenge"):
                challenge = got[4:].rstrip(b"\n").decode()
            if got.startswith(b"201"):
                shows += line.startswith(b"tunnel show")
                while not lines.readline().startswith(b"202"):
                    pass
        assert lines.readline() == b"", "after QUIT the server closes"
        sock.close()
    assert shows >= 3


def test_captured_datagrams_are_accepted_with_the_clock_of_the_capture(world, captured):
    """A popd whose clock stands at the capture's gets the very bytes the stock client sent."""
    datagrams = [p for p in captured if IP in p and UDP in p and p[UDP].dport in (5072, 3740)]
    start = int(float(datagrams[0].time))
    assert world.popd.stop() == 0
    faked = world.pop.command("env", f"LD_PRELOAD={faketime_library()}", "DONT_FAKE_MONOTONIC=1", f"FAKETIME=@{faketime(start)}", "ASAN_OPTIONS=verify_asan_link_order=0",
                              program("popd"), "-c", world.popd.conf)
    popd = Daemon(faked, f"{world.dir}/popd-faked.log", world.popd.ready)
    try:
        popd.start()
        before = world.popctl("counters")
        sockets = {}
        for packet in datagrams:
            port = packet[UDP].sport
            if port not in sockets:
                sockets[port] = open_socket(world.office, socket.AF_INET, socket.SOCK_DGRAM, address=("0.0.0.0", port))
            sockets[port].sendto(bytes(packet[UDP].payload), (POP_IPV4, packet[UDP].dport))
        until(lambda: world.popctl("tunnel", "show", "T15039")["state"] == "up", 3, "the captured AYIYA tunnel to be up")
        until(lambda: world.popctl("tunnel", "show", "T22555")["state"] == "up", 3, "the captured heartbeat tunnel to be up")
        after = world.popctl("counters")
        count = {row["name"]: row["count"] for row in after["drops"]}
        for row in before["drops"]:
            count[row["name"]] -= row["count"]
        # the stock client's kernel sends link-local packets, and only those may be dropped
        assert {name for name, n in count.items() if n} <= {"link-local"}, count
        assert after["keepalives"] - before["keepalives"] == 3  # one no-op and two heartbeats
        for sock in sockets.values():
            sock.close()
        assert popd.stop() == 0
    finally:
        popd.stop()
        os.unlink(f"{world.dir}/snapshot")  # learnt under a false clock
        world.popd.start()


def faketime(seconds):
    import datetime
    return datetime.datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize("method", ["sha1", "sha256"])
def test_what_we_send_is_dissected_without_a_malformed_field(clients, method):
    tunnel, beating = clients.request_by_tic("ayiya"), clients.request_by_tic("heartbeat")
    path = f"{clients.dir}/sent-{method}.pcap"
    clients.pop.run("ethtool", "-K", "p2", "tx", "off")  # else the capture sees checksums that hardware would fill in
    dump = clients.pop.popen("tcpdump", "-i", "p2", "-w", path, "-U", "--immediate-mode", f"src host {POP_IPV4} and (udp port 5072 or proto 41)",
                             stderr=subprocess.PIPE, text=True)
    until(lambda: "listening" in dump.stderr.readline(), 5, "tcpdump to listen")
    clients.connect(tunnel, method=method)
    clients.connect(beating, clients.office, OFFICE)
    until(lambda: ping(clients.home, HOST, count=3), 5, "the AYIYA tunnel to work")
    until(lambda: ping(clients.office, HOST, count=3), 5, "the heartbeat tunnel to work")
    ping(clients.home, tunnel.pop)
    clients.home.run("ping", "-6", "-c", "1", "-t", "1", "-W", "1", HOST, check=False)
    dump.terminate()
    dump.wait(10)

    def tshark(*more):
        return run("tshark", "-r", path, "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", *more).stdout.splitlines()
    assert tshark("-Y", "_ws.malformed || _ws.expert.severity == error || ip.checksum.status == 0 || icmpv6.checksum.status == 0") == []
    ayiya = tshark("-Y", "ayiya", "-T", "fields", "-e", "ayiya.identity", "-e", "ayiya.opcode", "-e", "ayiya.nextheader", "-e", "icmpv6.type")
    assert len(ayiya) >= 5
    for row in ayiya:
        identity, opcode, following, kind = row.split("\t")
        assert opcode in ("1", "0x01", "0x1") and following in ("41", "0x29") and kind, row
    sixinfour = tshark("-Y", "ip.proto == 41 && icmpv6", "-T", "fields", "-e", "ip.ttl", "-e", "ip.flags.df", "-e", "icmpv6.type")
    assert len(sixinfour) >= 3
    for row in sixinfour:
        ttl, df, _ = row.split("\t")
        assert ttl == "64" and df in ("0", "False"), row
