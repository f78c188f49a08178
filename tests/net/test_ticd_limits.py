"""Limits of connections, timeouts, ten thousand half-open connections, and settings that change at
a SIGHUP."""
import contextlib
import resource
import select
import signal
import time

import pytest

from support import machine
from support.server import Server
from support.sockets import read_all
from support.tic import Tic, answer_to
from support.wait import until

MANY = 10000


def refusal(sock):
    """The one sentence that a refused connection gets before it is closed."""
    sentence = read_all(sock).decode()
    assert sentence.endswith("\n") and sentence.count("\n") == 1
    return sentence


def test_limit_per_address_is_named(start):
    ticd = start(connections_per_address=5)
    held = [ticd.tic() for _ in range(5)]
    assert refusal(ticd.connect()).startswith("400 Too many connections from your address")
    eager = ticd.connect()
    eager.sendall(b"client TIC/draft-00 a/1 b/1\nget unixtime\n")  # unread input must not cost the sentence
    assert refusal(eager).startswith("400 Too many connections from your address")
    assert ticd.connect("127.0.0.2").recv(4) == b"200 "  # another address has a limit of its own
    held.pop().quit()
    until(lambda: ticd.tic().quit(), 5, "a free place")


def test_limit_of_all_is_named_to_every_client_beyond(start):
    ticd = start(connections=20)
    held = [ticd.tic() for _ in range(20)]
    late = [ticd.connect() for _ in range(200)]  # many more than get a connection for their refusal
    assert {refusal(sock) for sock in late} == {"400 Too many connections at the moment, please try again in a minute\n"}
    assert held[0].ask("get unixtime", "200")
    assert ticd.log().count("refused: too many connections") < 20  # the log is limited
    for tic in held:
        tic.quit()
    until(lambda: ticd.login().quit(), 5, "a free place")


def test_out_of_descriptors_is_named_and_survived(start):
    ticd = start(connections=500)
    ticd.login().quit()
    time.sleep(0.1)
    limits = resource.prlimit(ticd.pid, resource.RLIMIT_NOFILE)
    room = 10
    resource.prlimit(ticd.pid, resource.RLIMIT_NOFILE, (ticd.descriptors() + room, limits[1]))
    held = [ticd.connect() for _ in range(room)]
    assert all(sock.recv(100).startswith(b"200 ") for sock in held)
    late = [ticd.connect() for _ in range(3)]
    assert all(refusal(sock).startswith("400 Too many connections at the moment") for sock in late)
    used = time.process_time()
    cpu = ticd.cpu_seconds()
    waiting = ticd.connect()
    time.sleep(1)
    assert ticd.cpu_seconds() - cpu < 0.3 and time.process_time() >= used  # no spinning on the listening socket
    resource.prlimit(ticd.pid, resource.RLIMIT_NOFILE, limits)
    waiting.close()
    until(lambda: ticd.tic().quit(), 5, "connections again")


def test_idle_and_login_timeouts_are_named(start):
    ticd = start(login_timeout=1, idle_timeout=2)
    logged_in = ticd.login()
    began = time.monotonic()
    silent, half = ticd.tic(), ticd.tic()
    half.ask("username DEMO", "200")
    assert silent.line() == "500 No login within 1 seconds, goodbye" and silent.sock.recv(1) == b""
    assert half.line().startswith("500 No login") and half.sock.recv(1) == b""
    assert 0.9 < time.monotonic() - began < 1.9
    assert logged_in.line() == "500 No command for 2 seconds, goodbye" and logged_in.sock.recv(1) == b""
    assert 1.5 < time.monotonic() - began < 3.5


def test_talking_keeps_a_session_alive_but_not_a_login(start):
    ticd = start(login_timeout=2, idle_timeout=1)
    tic, dawdler = ticd.login(), ticd.tic()
    for _ in range(8):
        time.sleep(0.4)
        tic.ask("get unixtime", "200")
        if _ < 3:
            dawdler.ask("get unixtime", "200")
    assert dawdler.line().startswith("500 ")


def test_peer_that_never_reads_is_closed(start):
    ticd = start(write_timeout=1)
    sock = ticd.connect(receive_buffer=2304)
    tic = Tic(sock)
    tic.login("MANY", ticd.SECRET)
    with contextlib.suppress(OSError):
        sock.setblocking(False)
        for _ in range(10000):
            sock.sendall(b"tunnel list\n" * 50)
    until(lambda: "the client does not read its replies" in ticd.log(), 20, "the close")
    assert ticd.rss() < 100 << 20
    ticd.login().quit()


def test_endless_input_without_reading_is_bounded(start):
    """No command is read while replies wait to be sent."""
    ticd = start(write_timeout=30)
    base = ticd.rss()
    socks = []
    for _ in range(20):
        sock = ticd.connect(receive_buffer=2304)
        sock.setblocking(False)
        socks.append(sock)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        for sock in select.select([], socks, [], 0.1)[1]:
            with contextlib.suppress(BlockingIOError):
                sock.send(b"get unixtime\n" * 1000)
    assert ticd.rss() - base < 3 << 20
    ticd.login().quit()


def test_slow_reader_delays_nobody(start):
    ticd = start()
    slow = ticd.login("MANY")
    slow.sock.sendall(b"tunnel list\n" * 20)
    worst = 0
    for _ in range(30):
        began = time.monotonic()
        ticd.tic().quit()
        worst = max(worst, time.monotonic() - began)
    assert worst < 0.5


def test_ten_thousand_half_open_connections(start):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (MANY + 1000, max(hard, MANY + 1000)))
    try:
        ticd = start(connections=MANY, connections_per_address=MANY, login_timeout=600)
        ticd.login().quit()
        files, base = ticd.descriptors(), ticd.rss()
        began = time.monotonic()
        held = [ticd.connect() for _ in range(MANY - 1)]
        for sock in held:
            sock.sendall(b"username DEM")
        for sock in held:
            assert sock.recv(100).startswith(b"200 ")
        took, memory = time.monotonic() - began, ticd.rss()
        began = time.monotonic()
        tic = ticd.login()
        login_took = time.monotonic() - began
        print(f"{MANY} connections in {took:.1f} s, RSS {base >> 10} -> {memory >> 10} KiB ({(memory - base) / MANY:.0f} bytes each), a login then {login_took * 1000:.0f} ms")
        assert memory - base < 8192 * MANY and login_took < 5
        assert refusal(ticd.connect()).startswith("400 Too many connections at the moment")
        assert tic.tunnels()
        for sock in held:
            sock.close()
        until(lambda: ticd.descriptors() <= files + 8, 60, "all of them to be closed")
        assert ticd.rss() < memory * 1.1
        ticd.login().quit()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_settings_change_at_a_hangup(start):
    ticd = start(connections_per_address=50)
    old = ticd.login()
    ticd.configure(ticd_url="https://other.example.net/", ticd_service="Other", idle_timeout=1, connections_per_address=2, ticd_log_level="info",
                 ticd_listen="127.0.0.1:1", database_connections=3)
    ticd.signal(signal.SIGHUP)
    until(lambda: "reloaded" in ticd.log(), 5, "the reload")
    assert "ticd.listen has changed, which takes effect only after a restart" in ticd.log()
    assert "database.connections has changed" in ticd.log() and "ticd.url has changed" not in ticd.log()
    new = ticd.tic()
    assert new.greeting == "200 Other ready (https://other.example.net)"
    assert refusal(ticd.connect()).startswith("400 Too many connections from your address")
    old.ask("get unixtime", "200")
    assert old.line().startswith("500 No command for 1 seconds")

    # a file with an error changes nothing
    with open(ticd.conf, "a", encoding="utf-8") as f:
        f.write("[ticd]\nnonsense = 1\n")
    ticd.signal(signal.SIGHUP)
    until(lambda: "not reloaded: " in ticd.log(), 5, "the refusal")
    assert f"{ticd.conf}:" in ticd.log().split("not reloaded: ")[1]
    until(lambda: ticd.tic().quit(), 5, "service")


def test_ipv6_listener_takes_both_and_tells_addresses_apart(start):
    if not machine.has_ipv6_loopback():
        pytest.skip("no IPv6 on this machine")
    ticd = start()
    ticd.stop()
    ticd.configure(ticd_listen=f"[::]:{ticd.port}", connections_per_address=3)
    ticd.start()
    v4, v6 = ticd.tic(), Tic(Server("::1", ticd.port).connect())
    assert v4.login("DEMO", ticd.SECRET).endswith("from 127.0.0.1")
    v6.ask("username DEMO", "200")
    challenge = v6.ask("challenge md5", "200")
    assert v6.ask("authenticate md5 " + answer_to(challenge, ticd.SECRET), "200").endswith("from ::1")
    assert "connected over IPv6" in v6.ask("tunnel set T3 endpoint current", "500")
    more = [Tic(Server("::1", ticd.port).connect()) for _ in range(2)]
    assert refusal(Server("::1", ticd.port).connect()).startswith("400 Too many connections from your address")
    ticd.tic().quit()
    for tic in more:
        tic.quit()
