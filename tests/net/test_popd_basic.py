"""popd by itself: that it starts, forwards, counts, remembers and refuses. The whole broker's proofs are in the files beside this one."""
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import time

import pytest

from support.netns import ping
from support.network import CLIENT2_IPV4, CLIENT_IPV4, HOST, POP_IPV4
from support.packets import echo, ipv6, is_echo_reply, packed, reply_to, upper_checksum
from support.paths import SANITIZED, slow
from support.sockets import ipv6_tap, open_socket, raw41_socket, receive, udp_socket
from support.wait import until


# ---- the start

def test_starts_and_routes_the_prefixes_to_a_tun_without_an_address_of_the_kernels_own(net, popd):
    status = net.popctl("status")
    assert status["pop"] == "demo01" and status["database"] == "up" and status["workers"] == net.popd.workers
    routes = net.pop.run("ip", "-6", "route", "show", "dev", "sixxs").stdout
    assert "2001:db8:2ff::/48 proto 141" in routes and "2001:db8:3000::/40 proto 141" in routes
    link = json.loads(net.pop.run("ip", "-j", "addr", "show", "sixxs").stdout)[0]
    assert link["mtu"] == 1480 and link["txqlen"] == 8192 and "LOWER_UP" in link["flags"]
    assert link["addr_info"] == []
    queues = net.pop.run("ls", "/sys/class/net/sixxs/queues").stdout.split()
    assert [q for q in queues if q.startswith("tx-")] == [f"tx-{n}" for n in range(net.popd.workers)]


def test_a_tunnel_is_known_within_a_second_of_the_commit_and_gone_as_soon(net, popd):
    tunnel = net.request("ayiya")
    committed = time.monotonic()
    until(tunnel.is_known, slow(1), "the tunnel", step=0.01)
    print(f"known {time.monotonic() - committed:.3f} s after the commit")
    net.db.ticctl("tunnel", "delete", tunnel.name)
    until(lambda: not tunnel.is_known(), slow(1), "the tunnel to go", step=0.01)


# ---- forwarding

@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_ayiya_reaches_the_uplink_and_back(net, popd, algorithm):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock:
        sock.sendto(tunnel.ayiya(echo(tunnel.client, HOST, ident=77), algorithm=algorithm), (POP_IPV4, 5072))
        answer = receive(sock, lambda d: is_echo_reply(tunnel.open_ayiya(d), HOST, 77))
        assert answer, net.popctl("tunnel", "show", tunnel.name)
        assert answer[1] == (0x52 if algorithm == "sha1" else 0x84)  # answered in kind
        shown = tunnel.shown()
        assert shown["endpoint"] == f"{CLIENT_IPV4}:{sock.getsockname()[1]}"
        assert (shown["state"], shown["packets_in"], shown["packets_out"]) == ("up", 1, 1)


@pytest.mark.parametrize("length", [0, 1, 1140, 1232])
def test_ayiya_carries_every_size(net, popd, length):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock:
        sock.sendto(tunnel.ayiya(echo(tunnel.client, HOST, ident=5, data=bytes(length))), (POP_IPV4, 5072))
        answer = receive(sock, lambda d: is_echo_reply(tunnel.open_ayiya(d), HOST, 5))
        assert answer and len(answer) == 44 + 48 + length


def test_heartbeat_and_protocol_41_reach_the_uplink_and_back(net, popd):
    tunnel = net.request("heartbeat").known()
    with udp_socket(net.client) as beats, raw41_socket(net.client) as sock:
        sock.sendto(echo(tunnel.client, HOST, ident=9), (POP_IPV4, 0))
        assert not receive(sock, lambda d: True, 0.5)  # not before the first beat
        beats.sendto(tunnel.beat(), (POP_IPV4, 3740))
        until(lambda: tunnel.shown()["state"] == "up", slow(3), "the tunnel to be up")
        sock.sendto(echo(tunnel.client, HOST, ident=10), (POP_IPV4, 0))
        answer = receive(sock, lambda d: is_echo_reply(d[20:], HOST, 10))
        assert answer and answer[8] == 64  # outer TTL
        assert answer[6] & 0x40 == 0  # a tunnel of MTU 1280 sends without DF


def test_static_and_protocol_41_reach_the_uplink_and_back_with_df_above_1280(net, popd):
    tunnel = net.request("static", endpoint=CLIENT2_IPV4).known()
    net.db.ticctl("tunnel", "set", tunnel.name, "mtu", "1480")
    until(lambda: tunnel.shown()["mtu"] == 1480, slow(3), "the MTU")
    with raw41_socket(net.client, CLIENT2_IPV4) as sock:
        sock.sendto(echo(tunnel.client, HOST, ident=11, data=bytes(1400)), (POP_IPV4, 0))
        answer = receive(sock, lambda d: is_echo_reply(d[20:], HOST, 11))
        assert answer and len(answer) == 20 + 48 + 1400
        assert answer[6] & 0x40 == 0x40
        assert tunnel.shown()["packets_in"] == 1


def test_the_pop_answers_for_its_own_addresses(net, popd):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock:
        tunnel.up_by_ayiya(sock)
        for own in (tunnel.pop, "2001:db8:2ff:ffff::1"):
            sock.sendto(tunnel.ayiya(echo(tunnel.client, own, ident=21)), (POP_IPV4, 5072))
            assert receive(sock, lambda d, own=own: is_echo_reply(tunnel.open_ayiya(d), own, 21)), own
            assert ping(net.host, own, timeout=2), own


def test_two_workers_share_the_tunnels_and_every_packet_arrives(net, popd):
    tunnels = [net.request("ayiya") for _ in range(6)]
    tunnels[-1].known()
    for tunnel in tunnels:
        with udp_socket(net.client) as sock:
            for burst in (range(1), range(1, 51)):  # with the first packet the kernel learns which queue the flow's answers go to
                for n in burst:
                    sock.sendto(tunnel.ayiya(echo(tunnel.client, HOST, ident=3, sequence=n)), (POP_IPV4, 5072))
                for n in burst:  # from then on in order
                    assert receive(sock, lambda d, n=n: is_echo_reply(tunnel.open_ayiya(d), HOST, 3, n)), n
        shown = tunnel.shown()
        assert (shown["packets_in"], shown["packets_out"]) == (51, 51)


def test_the_received_congestion_mark_reaches_the_inner_packet(net, popd):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock, ipv6_tap(net.host, "h0") as seen:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 3)  # CE
        inner = bytearray(echo(tunnel.client, HOST, ident=31))
        inner[1] |= 0x20  # ECT(0)
        sock.sendto(tunnel.ayiya(bytes(inner)), (POP_IPV4, 5072))
        packet = receive(seen, lambda d: d[8:24] == packed(tunnel.client))
        assert packet and packet[1] >> 4 & 3 == 3


def test_coalesced_tcp_in_protocol_41_leaves_as_valid_segments(net, popd):
    """With GRO on the outer device the raw socket gets merged packets; the host must see what the client sent, in packets that fit any path."""
    tunnel = net.request("static", endpoint=CLIENT_IPV4).known()
    size, count, first = 1208, 40, 1000
    data = os.urandom(size * count)

    def segment(at):
        flags = 0x10 | (0x08 if at + size == len(data) else 0)
        head = struct.pack("!HHIIBBHHH", 40000, 80, first + at, 7, 5 << 4, flags, 512, 0, 0)
        tcp = head + data[at:at + size]
        tcp = tcp[:16] + struct.pack("!H", upper_checksum(tunnel.client, HOST, 6, tcp)) + tcp[18:]
        return ipv6(tunnel.client, HOST, 6, tcp)

    net.pop.run("sh", "-c", "echo 20000000 > /sys/class/net/p0/gro_flush_timeout && echo 100 > /sys/class/net/p0/napi_defer_hard_irqs")
    offload(net.pop, "p0", SET_GRO, True)
    offload(net.client, "c0", SET_TSO, False)  # else veth takes the packets for its own machine's and merges nothing
    offload(net.pop, "p1", SET_CHECKSUMS, False)  # and with it segmentation: popd may write merged packets to the TUN; on a wire they are segments again
    try:
        with ipv6_tap(net.host, "h0") as seen, raw41_socket(net.pop, POP_IPV4) as merged, raw41_socket(net.client) as sock:
            for at in range(0, len(data), size):
                sock.sendto(segment(at), (POP_IPV4, 0))
            longest = 0
            while raw := receive(merged, lambda d: True, 0.3):
                longest = max(longest, len(raw))
            got = {}
            while packet := receive(seen, lambda d: d[8:24] == packed(tunnel.client) and d[6] == 6, 0.5):
                assert len(packet) <= 1280
                assert upper_checksum(tunnel.client, HOST, 6, packet[40:]) == 0
                got[struct.unpack("!I", packet[44:48])[0] - first] = packet[60:]
        assert b"".join(got[at] for at in sorted(got)) == data
        print(f"longest merged packet {longest} bytes, {len(got)} segments out of {count}")
        assert longest > 1300, "nothing was merged: this proved nothing"
    finally:
        offload(net.pop, "p0", SET_GRO, False)


SET_CHECKSUMS, SET_TSO, SET_GRO, SIOCETHTOOL = 0x17, 0x1F, 0x2C, 0x8946  # linux/ethtool.h


def offload(space, device, command, on):
    value = ctypes.create_string_buffer(struct.pack("II", command, on))
    with open_socket(space, socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCETHTOOL, struct.pack("16sP", device.encode(), ctypes.addressof(value)))


# ---- counting and telling

def test_a_bad_signature_is_counted_under_its_name_for_tunnel_and_pop(net, popd):
    tunnel = net.request("ayiya").known()
    before = net.drops("ayiya-signature")
    with udp_socket(net.client) as sock:
        tunnel.up_by_ayiya(sock)
        sock.sendto(tunnel.ayiya(echo(tunnel.client, HOST), secret="0" * 32), (POP_IPV4, 5072))
        source = f"{CLIENT_IPV4}:{sock.getsockname()[1]}"
        until(lambda: net.drops("ayiya-signature") == before + 1, slow(3), "the drop")
    row = next(r for r in net.popctl("counters")["drops"] if r["name"] == "ayiya-signature")
    assert (row["tunnel"], row["from"]) == (tunnel.name, source) and row["at"]
    shown = tunnel.shown()
    assert [(r["name"], r["count"], r["text"]) for r in shown["drops"]] == [("ayiya-signature", 1, row["text"])]
    assert (shown["last_drop"]["name"], shown["last_drop"]["from"]) == ("ayiya-signature", source)
    assert "ayiya-signature" in net.popctl("counters", text=True) and row["text"] in net.popctl("tunnel", "show", tunnel.name, text=True)


def test_truncated_and_oversized_datagrams_are_counted_and_harm_nothing(net, popd):
    tunnel = net.request("ayiya").known()
    whole = tunnel.ayiya(echo(tunnel.client, HOST))
    before = sum(row["count"] for row in net.popctl("counters")["drops"])
    with udp_socket(net.client) as sock:
        for length in range(len(whole)):
            sock.sendto(whole[:length], (POP_IPV4, 5072))
        sock.sendto(tunnel.ayiya(bytes(3000)), (POP_IPV4, 5072))
        sock.sendto(bytes(9000), (POP_IPV4, 3740))
    sent = len(whole) + 2
    until(lambda: sum(row["count"] for row in net.popctl("counters")["drops"]) - before == sent, slow(3), "all of them to be counted")
    assert tunnel.shown()["packets_in"] == 0


def test_liveness_probes_are_answered_and_counted_in_the_database(net, popd):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock:
        tunnel.up_by_ayiya(sock)
        probe = receive(sock, lambda d: tunnel.open_ayiya(d)[40] == 128, 70)
        assert probe, "no probe within a minute"
        inner = tunnel.open_ayiya(probe)
        assert inner[8:24] == packed(tunnel.pop) and inner[24:40] == packed(tunnel.client)
        sock.sendto(tunnel.ayiya(reply_to(inner)), (POP_IPV4, 5072))
        until(lambda: tunnel.shown()["liveness"]["received"] == 1, slow(3), "the answer to be counted")
    alive = tunnel.shown()["liveness"]
    assert alive["sent"] == 1 and 0 < alive["rtt_min_us"] <= alive["rtt_max_us"] < 2_000_000
    rows = lambda: net.db.sql(f"select sent, received, rtt_min_us, rtt_max_us, packets_in from broker.tunnel_day where tunnel = {tunnel.number}")  # noqa: E731
    until(lambda: rows() and rows()[0][:2] == ["1", "1"], slow(5), "the statistics to reach the database")
    assert int(rows()[0][2]) == alive["rtt_min_us"] == int(rows()[0][3])


def test_reports_reach_the_database(net, popd):
    def report():
        return net.db.sql("select configured, up, version from broker.pop_report")[0]
    status = net.popctl("status")
    until(lambda: report() == [str(status["tunnels"]["configured"]), str(net.popctl("status")["tunnels"]["up"]), status["version"]], slow(5), "a report")


# ---- popctl

def test_popctl_finds_a_tunnel_by_number_and_by_any_address(net, popd):
    tunnel = net.request("ayiya").known()
    net.db.ticctl("credit", "DEMO", "100", "--why", "test")
    subnet = net.db.approve("subnet", "request", "DEMO", tunnel.name)
    until(lambda: len(tunnel.shown()["routes"]) == 2, slow(3), "the subnet to be known")
    for route in tunnel.shown()["routes"]:
        inside = str(route).split("/", maxsplit=1)[0] + "1234:5678"
        assert net.popctl("tunnel", "show", inside)["id"] == tunnel.name, subnet
    for what in (tunnel.name, tunnel.name.lower(), str(tunnel.number), tunnel.client, tunnel.pop):
        assert net.popctl("tunnel", "show", what)["id"] == tunnel.name


@pytest.mark.parametrize("words, code, said", [
    (["tunnel", "show", "T999999"], 1, "no tunnel T999999"),
    (["tunnel", "show", "2001:db8:ffff::1"], 1, "belongs to no tunnel"),
    (["tunnel", "show", "seven"], 1, "name a tunnel by its number"),
    (["log", "loud"], 1, "must be error, warn, info or debug"),
    (["tunnel", "show"], 2, "needs a tunnel"),
    (["tunnel", "list", "now"], 2, "too many arguments: now"),
    (["status", "--all"], 2, "--all"),
    (["dance"], 2, "unknown command: dance"),
    ([], 2, "no command given"),
    (["--loud"], 2, "unknown option"),
])
def test_popctl_refuses_with_a_sentence(net, popd, words, code, said):
    done = net.popctl(*words, check=False)
    assert (done.returncode, done.stdout) == (code, "") and said in done.stderr


def test_popctl_speaks_to_people(net, popd):
    status = net.popctl("status", text=True)
    assert "demo01 at 192.0.2.1" in status and "database     up" in status
    assert "tunnels are up" in net.popctl("tunnel", "list", text=True)
    listed = net.popctl("tunnel", "list", "--all", text=True).splitlines()
    assert listed[0].split() == ["TUNNEL", "TYPE", "STATE", "CLIENT", "ENDPOINT", "LAST", "SEEN", "IN", "OUT"]
    assert len(listed) - 1 == net.popctl("status")["tunnels"]["configured"]
    assert net.popctl("log", "debug", text=True).startswith("the log level is debug")
    net.popctl("log", "info")


def test_reload_loads_everything_and_says_so(net, popd):
    assert "tunnels loaded in" in net.popctl("reload", text=True)


def test_the_control_socket_bears_bad_input_and_many_clients(net, popd):
    def talk(*lines):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(5)
        sock.connect(net.popd.socket)
        for line in lines:
            sock.sendall(line)
        return sock
    for line, said in ((b"\n", "JSON object"), (b"[]\n", "JSON object"), (b"\xff\xfe\n", "JSON object"), (b'{"command":7}\n', "JSON object"),
                       (b'{"command":"x"}\n', "does not know this command"), (b'{"command":"log"}\n', "log level"), (b'{"command":"tunnel show"}\n', "name a tunnel")):
        sock = talk(line)
        assert said in json.loads(sock.makefile().readline())["error"]
        sock.close()
    sock = talk(b'{"command":"status"}\n{"command":"coun', b'ters"}\n')  # two requests in odd pieces
    lines = sock.makefile()
    assert "pop" in json.loads(lines.readline()) and "drops" in json.loads(lines.readline())
    sock.close()
    sock = talk(b"x" * 5000)
    with pytest.raises(ConnectionResetError):  # closed with what it had not read
        sock.recv(1)
    crowd = [talk() for _ in range(80)]
    assert "all control connections are in use" in crowd[-1].makefile().readline()
    for sock in crowd:
        sock.close()
    until(net.popd.answers, 5, "popd to answer again")


# ---- following the database

def test_a_prefix_given_to_the_pop_is_routed_and_one_taken_away_is_not(net, popd):
    def routed():
        return "2001:db8:4000::/40 proto 141" in net.pop.run("ip", "-6", "route", "show", "dev", "sixxs").stdout
    net.db.sql("insert into broker.pool (pop, kind, prefix, length) select id, 'subnet', '2001:db8:4000::/40', 48 from broker.pop")
    until(routed, slow(1), "the route", step=0.02)
    assert "2001:db8:4000::/40" in net.popctl("status")["prefixes"]
    net.db.sql("delete from broker.pool where prefix = '2001:db8:4000::/40'")
    until(lambda: not routed(), slow(1), "the route to go", step=0.02)


def test_a_disabled_pop_says_so_and_keeps_forwarding(net, popd):
    tunnel = net.request("ayiya").known()
    net.db.ticctl("pop", "disable", "demo01")
    try:
        until(lambda: not net.popctl("status")["enabled"], slow(2), "popd to hear of it")
        assert "disabled by the broker" in net.popctl("status", text=True)
        with udp_socket(net.client) as sock:
            sock.sendto(tunnel.ayiya(echo(tunnel.client, HOST, ident=8)), (POP_IPV4, 5072))
            assert receive(sock, lambda d: is_echo_reply(tunnel.open_ayiya(d), HOST, 8))
    finally:
        net.db.ticctl("pop", "enable", "demo01")
    until(lambda: net.popctl("status")["enabled"], slow(2), "popd to hear of that too")


def test_a_subnet_that_moves_to_an_earlier_tunnel_is_never_refused(net, popd):
    """The new owner is told of first, while the old one still has the prefix."""
    earlier, later = net.request("ayiya").known(), net.request("ayiya").known()
    net.db.approve("subnet", "request", "DEMO", later.name)
    until(lambda: len(later.shown()["routes"]) == 2, slow(2), "the subnet")
    subnet = next(r for r in later.shown()["routes"] if r.endswith("/48"))
    bad = net.popctl("status")["feed"]["bad_rows"]
    net.db.sql(f"update broker.subnet set tunnel = {earlier.number} where prefix = '{subnet}'")
    until(lambda: subnet in earlier.shown()["routes"] and subnet not in later.shown()["routes"], slow(2), "the subnet to move")
    assert net.popctl("status")["feed"]["bad_rows"] == bad


# ---- remembering

def test_killed_while_the_database_is_away_it_forwards_from_the_snapshot_with_endpoints(net, popd):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock:
        tunnel.up_by_ayiya(sock)
        endpoint = tunnel.shown()["endpoint"]
        time.sleep(0.15)  # what the journal may take
        net.db.stop("immediate")
        try:
            popd.kill()
            died = time.monotonic()
            popd.start(wait=False)
            until(lambda: ping(net.host, tunnel.pop, timeout=0.1), 10, "popd to forward", step=0.01)
            took = time.monotonic() - died
            # from the host to the client, who has sent nothing since
            with open_socket(net.host, socket.AF_INET6, socket.SOCK_DGRAM) as out:
                out.sendto(b"hello", (tunnel.client, 9))
            got = receive(sock, lambda d: tunnel.open_ayiya(d)[-5:] == b"hello", 2)
            assert got, "the endpoint is lost"
            print(f"forwarding {took:.2f} s after SIGKILL")
            assert took < slow(2)
            status = net.popctl("status")
            assert status["database"] == "down" and not status["feed"]["loaded"]
            assert tunnel.shown()["endpoint"] == endpoint
            done = net.popctl("reload", check=False)
            assert done.returncode == 1 and "not reloaded" in done.stderr
        finally:
            net.db.start()
    net.popd.loaded()
    late = net.request("ayiya")
    until(late.is_known, slow(12), "changes to flow again")


def test_statistics_survive_a_dead_database_and_are_counted_once(net, popd):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock:
        tunnel.up_by_ayiya(sock)
        for round_ in range(3):
            if round_ == 1:
                net.db.stop("immediate")
            for n in range(10):
                tunnel.exchange(sock, ident=n)
            time.sleep(1.2)
            if round_ == 1:
                net.db.start()

    def counted():
        row = net.db.sql(f"select sum(packets_in), sum(packets_out) from broker.tunnel_day where tunnel = {tunnel.number}")[0]
        shown = tunnel.shown()
        return [int(n) for n in row] == [shown["packets_in"], shown["packets_out"]] and shown["packets_in"] == 30
    until(counted, slow(20), "the database to hold what popd counted")


def test_ends_cleanly_leaves_the_tun_and_takes_it_up_again(net, popd):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock:
        tunnel.up_by_ayiya(sock)
        assert popd.stop() == 0
        assert "2001:db8:2ff::/48" in net.pop.run("ip", "-6", "route", "show", "dev", "sixxs").stdout
        assert not os.path.exists(net.popd.socket)
        index = net.pop.run("cat", "/sys/class/net/sixxs/ifindex").stdout
        popd.start()
        assert net.pop.run("cat", "/sys/class/net/sixxs/ifindex").stdout == index
        assert tunnel.shown()["state"] == "up"
        assert net.pop.run("ip", "-6", "route", "show", "dev", "sixxs").stdout.count("proto 141") == 2


def test_a_damaged_snapshot_is_named_set_aside_and_does_not_matter(net, popd):
    assert popd.stop() == 0
    path = f"{net.dir}/snapshot"
    with open(path, "r+b") as f:
        f.seek(os.path.getsize(path) // 2)
        f.write(b"\xff\x00\xff")
    popd.start()
    net.popd.loaded()
    assert "cannot be used" in popd.log() and os.path.exists(f"{path}.bad")
    assert net.popctl("status")["tunnels"]["configured"] > 0
    os.unlink(f"{path}.bad")


def test_hangup_takes_live_settings_and_names_the_others(net, popd):
    net.popd.configure(log_level="debug", expiry=300, workers=net.popd.workers + 1)
    popd.signal(signal.SIGHUP)
    until(lambda: net.popctl("status")["log_level"] == "debug", 3, "the new level")
    assert "workers has changed in the configuration file and takes effect when popd is restarted" in popd.log()
    net.popd.configure()
    popd.signal(signal.SIGHUP)
    until(lambda: net.popctl("status")["log_level"] == "info", 3, "the old level")


def test_a_vanished_tun_ends_popd_with_a_sentence(net, popd):
    net.pop.run("ip", "link", "delete", "sixxs")
    assert popd.process.wait(5) == 1
    assert "sixxs has vanished" in popd.log()
    popd.start()


# ---- refusing

def test_the_configuration_is_checked_and_dumped(net):
    good = net.popd.configure("good.conf")
    assert net.popd.run("-c", good, "--check-config").returncode == 0
    dumped = net.popd.run("-c", good, "--dump-config")
    assert "name = demo01" in dumped.stdout and net.db.conninfo("popd_demo01") not in dumped.stdout
    for change, said in (({"workers": 65}, "workers"), ({"colour": "red"}, "colour"), ({"name": "Demo"}, "name must be"), ({"ipv4": "127.0.0.256"}, "ipv4"),
                         ({"ayiya_port": 3740}, "must differ"), ({"expiry": 1}, "expiry")):
        bad = net.popd.configure("bad.conf", **change)
        done = net.popd.run("-c", bad, "--check-config")
        assert done.returncode == 1 and said in done.stderr and "bad.conf" in done.stderr
    for argv in ([], ["-c", good, "more"], ["--nonsense"]):
        assert net.popd.run(*argv).returncode == 2
    assert net.popd.run("--version").stdout.startswith("popd ")


def test_refuses_to_start_beside_another_popd_or_a_taken_port(net, popd):
    assert "another popd is running" in net.popd.refused("-c", f"{net.dir}/popd.conf")
    other = net.popd.configure("other.conf", control=f"{net.dir}/other.sock", snapshot=f"{net.dir}/other")
    assert "UDP port 5072 (AYIYA) of 192.0.2.1 is taken" in net.popd.refused("-c", other)
    assert not os.path.exists(f"{net.dir}/other.sock")
    assert net.popctl("status")["pid"]


def test_refuses_to_start_where_it_cannot_work(net):
    def config(**changes):
        return net.popd.configure("refused.conf", control=f"{net.dir}/r.sock", snapshot=f"{net.dir}/r", ayiya_port=15072, heartbeat_port=13740, tun="other", **changes)
    assert "192.0.2.99 is not an address of this host" in net.popd.refused("-c", config(ipv4="192.0.2.99"))
    with open(f"{net.dir}/modules", "w", encoding="ascii") as f:
        f.write("veth 45056 0 - Live 0x0\nsit 49152 0 - Live 0x0\n")
    assert "the kernel module sit is loaded" in net.popd.refused("-c", config(modules=f"{net.dir}/modules"))
    said = net.popd.refused("-c", config(), prefix=["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"])
    assert "must run as root" in said
    said = net.popd.refused("-c", config(), prefix=["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /dev/net && exec "$@"', "sh"])
    assert "no /dev/net/tun" in said
    net.pop.run("ip", "tuntap", "add", "dev", "other", "mode", "tun")
    assert "not a multi-queue TUN" in net.popd.refused("-c", config())
    net.pop.run("ip", "link", "delete", "other")


# ---- size

def test_ten_thousand_tunnels_load_in_two_seconds_and_cost_less_than_a_kibibyte_each(net, popd):
    assert popd.stop() == 0
    for name in os.listdir(net.dir):
        if name.startswith("snapshot"):
            os.unlink(f"{net.dir}/{name}")
    popd.start()
    net.popd.loaded()
    before, known = popd.rss(), net.popctl("status")["tunnels"]["configured"]
    lines = "".join(f"config {n:x} T{n + 100000} ayiya up 1280 {n:032x}\n" for n in range(5000, 15000))
    with open(f"{net.dir}/import", "w", encoding="ascii") as f:
        f.write(lines)
    net.db.ticctl("import", f"{net.dir}/import", "--owner", "DEMO", "--pop", "demo01")
    until(lambda: net.popctl("status")["tunnels"]["configured"] == known + 10000, slow(10), "the import to arrive")
    arrived = time.time()
    net.popctl("reload")
    status = net.popctl("status")
    cost = (popd.rss() - before) / 10000
    print(f"10,000 tunnels: loaded in {status['feed']['load_ms']} ms; {cost:.0f} bytes each (RSS {popd.rss() >> 10} KiB)")
    assert status["feed"]["load_ms"] < slow(2) * 1000
    assert cost < 1024 or SANITIZED
    until(lambda: os.stat(f"{net.dir}/snapshot").st_mtime > arrived, slow(5), "a snapshot with all of them")
    popd.kill()
    net.db.stop("immediate")
    try:
        began = time.monotonic()
        popd.start()
        print(f"restart from the snapshot: {time.monotonic() - began:.2f} s until popctl is answered")
        assert net.popctl("status")["tunnels"]["configured"] == known + 10000
    finally:
        net.db.start()
    began = time.monotonic()
    assert len(net.popctl("tunnel", "list", "--all")["tunnels"]) == known + 10000
    print(f"tunnel list --all: {time.monotonic() - began:.2f} s")
    net.popd.loaded()
    used = popd.cpu_seconds()
    time.sleep(5)
    print(f"idle: {(popd.cpu_seconds() - used) / 5 * 100:.1f} % of a core, with reports and statistics each second")
