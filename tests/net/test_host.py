"""What others do to the host under a running popd: a worker that is held, descriptors that run out, routes and links that are taken away."""
import contextlib
import ctypes
import fcntl
import itertools
import json
import os
import resource
import signal
import socket
import struct
import time

import pytest

from support.daemon import Daemon
from support.machine import faketime_library
from support.network import HOST, POP_IPV4
from support.packets import echo, is_echo_reply
from support.paths import program, slow
from support.server import HttpServer
from support.sockets import open_socket, receive, udp_socket
from support.wait import until

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
TUNSETIFF, IFF_TUN, IFF_NO_PI, IFF_MULTI_QUEUE, IFF_VNET_HDR = 0x400454CA, 1, 0x1000, 0x100, 0x4000
WALL = 0x40000000  # of threads too


def ptrace(request, tid):
    if LIBC.ptrace(request, tid, None, None) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request}")


@contextlib.contextmanager
def held(tid):
    """One thread stands still; all others go on."""
    ptrace(PTRACE_SEIZE, tid)
    ptrace(PTRACE_INTERRUPT, tid)
    os.waitpid(tid, WALL)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):  # it may be gone
            ptrace(PTRACE_DETACH, tid)


def unix_socket(path):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(path)
    return sock


def workers(popd):
    """The threads that forward: all but the control thread that live long."""
    return sorted(int(tid) for tid in os.listdir(f"/proc/{popd.pid}/task") if int(tid) != popd.pid)


class Clock:
    """The wall clock of a popd that runs instead of the world's own; the monotonic one is the machine's."""

    def __init__(self, net):
        self.file = f"{net.dir}/clock"
        self.step(0)
        env = ("env", f"LD_PRELOAD={faketime_library()}", "DONT_FAKE_MONOTONIC=1", "FAKETIME_NO_CACHE=1", f"FAKETIME_TIMESTAMP_FILE={self.file}",
               "ASAN_OPTIONS=verify_asan_link_order=0")
        self.popd = Daemon(net.pop.command(*env, program("popd"), "-c", net.popd.conf), f"{net.dir}/popd-clock.log", net.popd.ready)

    def step(self, seconds):
        with open(f"{self.file}.new", "w", encoding="ascii") as f:
            f.write(f"{seconds:+d}\n")
        os.rename(f"{self.file}.new", self.file)


@pytest.fixture
def clock(net):
    if net.popd.is_running():
        assert net.popd.stop() == 0
    made = Clock(net)
    try:
        made.popd.start()
        net.popd.loaded()
        yield made
        assert made.popd.stop() == 0
    finally:
        made.popd.stop()
        os.unlink(f"{net.dir}/snapshot")  # learnt under a false clock


def test_a_step_of_the_clock_takes_no_tunnel_down(net, clock):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock, open_socket(net.host, socket.AF_INET6, socket.SOCK_DGRAM) as host:
        tunnel.up_by_ayiya(sock)

        def reached(text):
            host.sendto(text, (tunnel.client, 9))
            return receive(sock, lambda d: d.endswith(text), 2)

        assert reached(b"before")
        for step in (3600, -3600, 86400):
            clock.step(step)
            until(lambda step=step: abs(net.popctl("status")["uptime"]) < 600 and reached(str(step).encode()), 10, "the client to be reached")
            status = net.popctl("status")
            assert status["uptime"] < 600 and status["report_age"] < 600 and status["feed"]["loaded_age"] < 600
            shown = tunnel.shown()
            assert shown["state"] == "up" and shown["last_seen_age"] < 600, shown


def test_a_worker_that_stands_still_is_named_and_holds_up_nobody_else(net, popd):
    tunnel = net.request("ayiya").known()
    workers_before = workers(popd)
    with udp_socket(net.client) as sock:
        tunnel.up_by_ayiya(sock)
        assert net.popctl("status")["stalled_workers"] == []
        with held(workers_before[-1]):
            stalled = until(lambda: net.popctl("status")["stalled_workers"], 20, "the worker to be missed")
            assert len(stalled) == 1 and stalled[0]["seconds"] >= 1 and stalled[0]["since"]
            number = stalled[0]["worker"]
            assert "STALLED" in net.popd.ctl("status", text=True)
            net.db.ticctl("pop", "set", "demo01", "city", "Elsewhere")  # publishes the PoP anew
            net.request("ayiya").known()  # the control thread goes on
            time.sleep(2)
            assert popd.log().count(f"worker {number} stands still") == 1
        until(lambda: net.popctl("status")["stalled_workers"] == [], 20, "the worker to be seen again")
        assert f"worker {number} goes on" in popd.log()
        sock.sendto(tunnel.ayiya(echo(tunnel.client, HOST, ident=4)), (POP_IPV4, 5072))
        assert receive(sock, lambda d: is_echo_reply(tunnel.open_ayiya(d), HOST, 4))


def test_popd_ends_though_a_worker_stands_still_and_keeps_its_tunnels(net, popd):
    tunnel = net.request("ayiya").known()
    with udp_socket(net.client) as sock:
        tunnel.up_by_ayiya(sock)
    worker = workers(popd)[0]
    with held(worker):
        popd.signal(signal.SIGTERM)
        os.waitpid(worker, WALL)  # a thread that is traced is its tracer's to bury
        assert popd.process.wait(20) == 1
    assert "stands still and does not end" in popd.log()
    popd.start()
    assert tunnel.shown()["state"] == "up"  # from the snapshot


def test_out_of_descriptors_popd_says_so_once_and_does_not_spin(net, popd):
    popd.restart(metrics="127.0.0.1:9641")
    metrics = HttpServer("127.0.0.1", 9641, net.pop)
    until(lambda: metrics.get("/metrics").status == 200, 10, "the metrics")
    before = popd.log()
    limits = resource.prlimit(popd.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(popd.pid, resource.RLIMIT_NOFILE, (3, limits[1]))  # 0 to 2 are open for good
    waiting = [metrics.connect() for _ in range(3)]
    asked = [unix_socket(popd.socket) for _ in range(3)]
    try:
        until(lambda: popd.log()[len(before):].count("accepts no connection for now") == 2, 10, "both listeners to say so")
        cpu = popd.cpu_seconds()
        time.sleep(2)
        assert popd.cpu_seconds() - cpu < 0.6
        assert popd.log()[len(before):].count("accepts no connection for now") == 2
    finally:
        resource.prlimit(popd.pid, resource.RLIMIT_NOFILE, limits)
        for sock in (*waiting, *asked):
            sock.close()
    until(lambda: metrics.get("/metrics").status == 200, 10, "the metrics again")
    assert net.popctl("status")["pop"] == "demo01"


# ---- what is popd's own is put back

@pytest.fixture
def flow(net, popd):
    """A tunnel that is up, and carries(): an echo request through it was answered."""
    tunnel = net.request("ayiya").known()
    numbers = itertools.count(1)
    with udp_socket(net.client) as sock:
        tunnel.up_by_ayiya(sock)

        def carries():
            n = next(numbers)
            sock.sendto(tunnel.ayiya(echo(tunnel.client, HOST, ident=61, sequence=n)), (POP_IPV4, 5072))
            return receive(sock, lambda d: is_echo_reply(tunnel.open_ayiya(d), HOST, 61, n), 0.5)

        until(carries, 10, "the tunnel to carry packets")
        until(lambda: net.popctl("status")["reasons"] == [], 10, "the PoP to be fit")
        yield carries


def link(net):
    return json.loads(net.pop.run("ip", "-j", "link", "show", "sixxs").stdout)[0]


def is_whole(net):
    shown = link(net)
    routes = net.pop.run("ip", "-6", "route", "show", "dev", "sixxs", "proto", "141").stdout
    return shown["mtu"] == 1480 and shown["txqlen"] == 8192 and "UP" in shown["flags"] and "2001:db8:2ff::/48" in routes and "2001:db8:3000::/40" in routes


@pytest.mark.parametrize("undo, said", [
    (["ip link set sixxs down", "ip link set sixxs up"], "a route of sixxs was changed"),
    (["ip link set sixxs down"], "it was down"),
    (["ip link set sixxs mtu 1400"], "its MTU was 1400"),
    (["ip link set sixxs txqueuelen 500"], "its queue length was 500"),
    (["ip -6 route flush proto 141"], "2 of its 2 were gone"),
    (["ip -6 route del 2001:db8:3000::/40 dev sixxs"], "1 of its 2 were gone"),
])
def test_what_is_popds_own_is_put_back_with_one_line(net, popd, flow, undo, said):
    popd.restart()  # no undoing of the test before counts
    until(flow, 10, "the tunnel to carry packets")
    before = len(popd.log())
    for command in undo:
        net.pop.run(*command.split())
    until(lambda: is_whole(net) and flow(), 10, "all to be as it was", step=0.02)
    assert 1 <= popd.log()[before:].count(said) <= 2, popd.log()[before:]  # ip flushes in rounds until nothing is left
    assert net.popctl("status")["reasons"] == []


def test_who_undoes_it_again_and_again_is_told_once_and_popd_waits(net, popd, flow):
    popd.restart()
    before = len(popd.log())
    deadline = time.monotonic() + 30
    while "again and again" not in popd.log()[before:]:
        assert time.monotonic() < deadline, popd.log()[before:]
        net.pop.run("ip", "link", "set", "sixxs", "mtu", "1300")
        time.sleep(0.1)
    for _ in range(10):
        net.pop.run("ip", "link", "set", "sixxs", "mtu", "1300")
        time.sleep(0.1)
    said = popd.log()[before:]
    assert said.count("again and again") == 1 and said.count("its MTU was 1300): popd") <= 6, said
    until(lambda: link(net)["mtu"] == 1480, 60, "the MTU to be put right in the end")
    until(lambda: net.popctl("status")["reasons"] == [], 60, "the PoP to be fit")


def test_a_reload_puts_back_what_is_popds_own(net, popd, flow):
    popd.restart()
    net.pop.run("ip", "link", "set", "sixxs", "down")
    net.popctl("reload")
    until(lambda: is_whole(net) and flow(), 5, "all to be as it was")


# ---- what is not popd's own is a reason

def state_of(net):
    return net.db.sql("select state, reason from api.web_pop_status()", user="webd")[0]


@pytest.mark.parametrize("take, give, reason", [
    ("sysctl -qw net.ipv6.conf.all.forwarding=0", "sysctl -qw net.ipv6.conf.all.forwarding=1", "IPv6 forwarding is off"),
    ("ip addr del 192.0.2.1/24 dev p0", "ip addr add 192.0.2.1/24 dev p0", "the PoP's address 192.0.2.1 is not on this host"),
    ("ip route del default", "ip route add default via 100.64.0.1", "the IPv4 default route is gone"),
])
def test_what_is_not_popds_own_is_a_reason_within_a_second(net, popd, flow, take, give, reason):
    before = len(popd.log())
    try:
        net.pop.run(*take.split())
        taken = time.monotonic()
        until(lambda: any(reason in r for r in net.popctl("status")["reasons"]), slow(2), "popd to notice", step=0.02)
        print(f"noticed after {time.monotonic() - taken:.2f} s")
        until(lambda: state_of(net)[0] == "down" and reason in state_of(net)[1], slow(2), "the database to know")
        assert "UNFIT" in popd.ctl("status", text=True)
        assert popd.log()[before:].count(f"this PoP cannot carry packets: {reason}") == 1
    finally:
        net.pop.run(*give.split())
    until(lambda: net.popctl("status")["reasons"] == [] and state_of(net)[0] == "up" and flow(), 10, "the PoP to be fit again")
    history = net.db.sql("select state, coalesce(reason, '') from api.web_pop_history('demo01', 2)", user="webd")
    assert [row[0] for row in history] == ["up", "down"] and reason in history[1][1]


def test_an_uplink_without_carrier_is_a_reason(net, popd, flow):
    try:
        net.router.run("ip", "link", "set", "r2", "down")
        until(lambda: any("carrier" in r or "default route" in r for r in net.popctl("status")["reasons"]), slow(3), "popd to notice")
    finally:
        net.router.run("ip", "link", "set", "r2", "up")
    until(lambda: net.popctl("status")["reasons"] == [], 10, "the PoP to be fit again")


def test_strict_rp_filter_is_a_warning(net, popd, flow):
    try:
        net.pop.sysctl(net__ipv4__conf__all__rp_filter=1)
        until(lambda: any("rp_filter" in w for w in net.popctl("status")["warnings"]), slow(3), "popd to notice")
        assert net.popctl("status")["reasons"] == [] and state_of(net)[0] == "up"
    finally:
        net.pop.sysctl(net__ipv4__conf__all__rp_filter=0)


def test_another_process_on_the_tun_is_a_reason(net, popd, flow):
    with net.pop.inside():
        fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"sixxs", IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE | IFF_VNET_HDR))
    try:
        until(lambda: any("a second popd" in r for r in net.popctl("status")["reasons"]), slow(3), "popd to notice")
    finally:
        os.close(fd)
    until(lambda: net.popctl("status")["reasons"] == [], 10, "the PoP to be fit again")


def test_sit_that_is_loaded_later_is_a_reason_and_names_who_holds_it(net):
    modules = f"{net.dir}/modules-later"
    with open(modules, "w", encoding="ascii") as f:
        f.write("veth 45056 0 - Live 0x0\n")
    net.popd.restart(modules=modules)
    until(lambda: net.popctl("status")["reasons"] == [], 10, "the PoP to be fit")
    with open(modules, "a", encoding="ascii") as f:
        f.write("ipip 20480 0 - Live 0x0\ntunnel4 16384 2 ipip,xfrm4_tunnel, Live 0x0\n")
    reasons = until(lambda: net.popctl("status")["reasons"], slow(3), "popd to notice")
    assert reasons == ["the kernel has protocol 41 too: the kernel module tunnel4 is loaded, held by ipip,xfrm4_tunnel"]
    net.popd.stop()
    assert "held by ipip,xfrm4_tunnel" in net.popd.refused("-c", net.popd.configure("later.conf", modules=modules))
    net.popd.restart(modules=modules, allow_kernel_sit="yes")
    assert net.popctl("status")["reasons"] == []
    net.popd.restart()


def test_a_clock_far_from_the_databases_is_a_reason_unless_it_is_synchronised(net, clock):
    """Which of the two this machine's kernel says is the machine's; popd must say the same."""
    synchronised = LIBC.adjtimex(ctypes.create_string_buffer(512)) != 5
    clock.step(-300)
    where = "warnings" if synchronised else "reasons"
    until(lambda: any("behind the database's" in text for text in net.popctl("status")[where]), slow(5), "popd to notice")
    clock.step(0)
    until(lambda: net.popctl("status")[where] == [], 10, "the clock to be right again")
    assert clock.popd.stop() == 0
    clock.step(300)
    clock.popd.start()  # a popd that says it started in the future hears nothing from the database
    until(lambda: any("ahead of the database's" in text for text in net.popctl("status")[where]), slow(10), "popd to notice at its start")
