"""What others do to the host under a running popd: a worker that is held, descriptors that run out, routes and links that are taken away."""
import contextlib
import ctypes
import os
import resource
import signal
import socket
import time

import pytest

from support.daemon import Daemon
from support.machine import faketime_library
from support.network import HOST, POP_IPV4
from support.packets import echo, is_echo_reply
from support.paths import program
from support.server import HttpServer
from support.sockets import open_socket, receive, udp_socket
from support.wait import until

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
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
    resource.prlimit(popd.pid, resource.RLIMIT_NOFILE, (popd.descriptors(), limits[1]))
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
