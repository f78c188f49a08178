"""Limits of connections, timeouts, ten thousand half-open connections, and settings that change at
a SIGHUP."""
import contextlib
import ipaddress
import re
import resource
import select
import signal
import socket
import struct
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


def test_limit_of_all_is_told_when_all_have_logged_in(start):
    ticd = start(connections=20)
    held = [ticd.login() for _ in range(20)]
    late = [ticd.connect() for _ in range(200)]  # many more than get a connection for their refusal
    assert {refusal(sock) for sock in late} == {"400 Too many connections at the moment, please try again in a minute\n"}
    assert held[0].ask("get unixtime", "200")
    assert ticd.log().count("refused: too many connections") < 20  # the log is limited
    for tic in held:
        tic.quit()
    until(lambda: ticd.login().quit(), 5, "a free place")


def test_full_server_closes_the_oldest_that_has_not_logged_in(start):
    ticd = start(connections=20)
    members = [ticd.login() for _ in range(10)]
    silent = [ticd.tic() for _ in range(10)]
    silent[1].ask("username DEMO", "200")
    first = ticd.tic()
    assert silent[0].line() == "400 The server is full and you have not logged in, please try again in a minute"
    assert silent[0].sock.recv(1) == b""
    silent[2].login("DEMO", ticd.SECRET)  # is older than most and may stay from now on
    late = [ticd.connect() for _ in range(200)]
    until(lambda: late[-1].recv(4, socket.MSG_PEEK) == b"200 ", 10, "the greeting of the last")
    for gone in (silent[1], silent[3], first):
        assert read_all(gone.sock).decode().startswith("400 The server is full")
    for tic in [*members, silent[2]]:
        tic.ask("get unixtime", "200")
    assert 0 < ticd.log().count("closed: the server is full") < 20  # the log is limited
    ticd.login().quit()


# ---- fronts

def behind(ticd, header, source=None):
    sock = ticd.connect(source)
    sock.sendall(header)
    return sock


def v1(client):
    return f"PROXY TCP{6 if ':' in client else 4} {client} {'::1' if ':' in client else '127.0.0.1'} 4711 3874\r\n".encode()


def v2(client):
    address = ipaddress.ip_address(client).packed
    body = address + bytes(len(address)) + b"\x12\x34\x0f\x22" + b"\x04\x00\x02ab"  # and a TLV
    return b"\r\n\r\n\0\r\nQUIT\n\x21" + (b"\x11" if len(address) == 4 else b"\x21") + len(body).to_bytes(2, "big") + body


@pytest.mark.parametrize("header", [v1, v2])
@pytest.mark.parametrize("client", ["192.0.2.77", "2001:db8:77::1"])
def test_front_says_for_whom_it_connects(start, header, client):
    ticd = start(ticd_fronts="192.0.2.0/24, 127.0.0.1")
    tic = Tic(behind(ticd, header(client)))
    assert tic.login("DEMO", ticd.SECRET).endswith(f"from {client}")
    assert f"{client}: DEMO logged in" in ticd.log()
    if ":" in client:
        assert "connected over IPv6" in tic.ask("tunnel set T3 endpoint current", "500")
    whole = behind(ticd, header(client) + b"get unixtime\nquit\n")  # with the header in one piece
    assert [line[:4] for line in read_all(whole).splitlines()] == [b"200 "] * 3
    said = behind(ticd, header(client) + b"get unixtime\nquit\n")
    said.shutdown(socket.SHUT_WR)  # whoever says no more is answered all the same
    assert [line[:4] for line in read_all(said).splitlines()] == [b"200 "] * 3
    pieces = ticd.connect()
    pieces.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in header(client):
        pieces.sendall(bytes([byte]))
    assert Tic(pieces).ask("get unixtime", "200")


def test_front_that_speaks_for_itself_is_itself(start):
    ticd = start(ticd_fronts="127.0.0.1", connections_per_address=1)
    for header in (b"PROXY UNKNOWN\r\n", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"):
        held = [Tic(behind(ticd, header)) for _ in range(3)]  # a front's own connections have no limit of an address
        assert held[0].login("DEMO", ticd.SECRET).endswith("from 127.0.0.1")


def test_front_without_the_header_is_closed_and_told_once(start):
    ticd = start()
    ticd.configure(ticd_fronts="127.0.0.1")
    ticd.signal(signal.SIGHUP)
    until(lambda: "reloaded" in ticd.log(), 5, "the reload")
    for garbage in (b"get unixtime\n", b"PROXY TCP4 nonsense\r\n", b"\0" * 2000, b"PROXY " + b"a" * 2000):
        sock = behind(ticd, garbage)
        with contextlib.suppress(ConnectionResetError):  # it is not waited for what a front may say more
            assert sock.recv(1) == b""
    assert ticd.log().count("it is one of [ticd] fronts, but it does not begin with the PROXY protocol") == 1
    with ticd.connect() as silent:  # what it never says is not waited for; nor does the loop spin meanwhile
        silent.sendall(b"PROX")
        cpu = ticd.cpu_seconds()
        with contextlib.suppress(ConnectionResetError):
            assert silent.recv(1) == b""
        assert ticd.cpu_seconds() - cpu < 1
    for header in (b"PROX", v1("192.0.2.77")[:-1], v2("192.0.2.77")[:-1]):
        with ticd.connect() as ended:
            ended.sendall(header)
            cpu = ticd.cpu_seconds()
            ended.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                assert ended.recv(1) == b""
            assert ticd.cpu_seconds() - cpu < 1


def test_header_of_somebody_else_is_no_header(start):
    ticd = start(ticd_fronts="127.0.0.9", connections_per_address=2)
    held = [behind(ticd, v1(f"192.0.2.{n}"), "127.0.0.8") for n in range(2)]
    for sock in held:
        tic = Tic(sock)
        assert tic.line().startswith("400 Unknown command")
        assert tic.login("DEMO", ticd.SECRET).endswith("from 127.0.0.8")
    assert refusal(behind(ticd, v1("192.0.2.9"), "127.0.0.8")).startswith("400 Too many connections from your address")
    assert Tic(behind(ticd, v1("192.0.2.9"), "127.0.0.9")).greeting.startswith("200 ")


def test_clients_of_a_front_have_limits_of_their_own(start):
    ticd = start(ticd_fronts="127.0.0.1", connections_per_address=2)
    held = [Tic(behind(ticd, v1("192.0.2.1"))) for _ in range(2)]
    assert refusal(behind(ticd, v1("192.0.2.1"))).startswith("400 Too many connections from your address")
    assert Tic(behind(ticd, v1("192.0.2.2"))).greeting.startswith("200 ")
    held[0].quit()
    until(lambda: Tic(behind(ticd, v1("192.0.2.1"))).quit(), 5, "a free place")


def two_places(ticd, header, source, kept):
    """Takes two connections into `kept`, if there is room for both."""
    socks = [behind(ticd, header, source) for _ in range(2)]
    if all(sock.recv(4) == b"200 " for sock in socks):
        kept += socks
        return True
    for sock in socks:
        sock.close()
    return False


def test_connections_that_die_leave_no_count_behind(start):
    """Before their header, inside it, behind it, refused: whenever a front or a client goes away."""
    ticd = start(ticd_fronts="127.0.0.1", connections=20, connections_per_address=2)
    says = (b"", b"PROXY TCP4 192", v1("192.0.2.1"), v1("192.0.2.1") + b"get unixtime\n", v1("nonsense"), v2("192.0.2.1")[:20], b"PROXY UNKNOWN\r\n",
            v2("192.0.2.1") + b"quit\n", v1("192.0.2.1") + b"username DEMO\n" * 50)
    before = ticd.descriptors()
    for n in range(600):
        with ticd.connect("127.0.0.1" if n % 3 else "127.0.0.8") as sock:
            if n % 2:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):
                sock.sendall(says[n % len(says)])
    until(lambda: ticd.descriptors() <= before, 20, "the connections to be gone")
    kept = []
    for source, header in (("127.0.0.1", v1("192.0.2.1")), ("127.0.0.8", b"")):
        until(lambda header=header, source=source: two_places(ticd, header, source, kept), 20, "two places")
        assert refusal(behind(ticd, header, source)).startswith("400 Too many connections from your address")


def test_two_hundred_networks_of_one_customer_do_not_fill_the_server(start):
    """They have one /56 in common, and the limits of one /64 would let them be ten thousand."""
    ticd = start(ticd_fronts="127.0.0.1", connections=150, connections_per_address=50)
    others = [Tic(behind(ticd, v1(f"192.0.2.{n}"))) for n in range(50)]
    flood = [behind(ticd, v1(f"2001:db8:56:{n:x}::1")) for n in range(200)]
    answers = [sock.recv(200) for sock in flood]
    assert sum(answer.startswith(b"200 ") for answer in answers) == 100  # headers need not be read in their order
    assert sum(answer.startswith(b"400 Too many connections from your address") for answer in answers) == 100
    assert re.search(r"2001:db8:56:\w+::1: refused: too many connections from 2001:db8:56::/56 \(\d+ in total\)", ticd.log())
    for tic in others:  # the oldest of all, and none of them had to go
        tic.ask("get unixtime", "200")
    wide = [behind(ticd, v1(f"2001:db8:48:{n:x}00::1")) for n in range(120)]
    assert all(sock.recv(4) == b"200 " for sock in wide), "a /48 may have as many as its own limit says"
    ticd.configure(connections_per_48=10)
    ticd.signal(signal.SIGHUP)
    until(lambda: "reloaded" in ticd.log(), 5, "the reload")
    assert refusal(behind(ticd, v1("2001:db8:48:ffff::1"))).startswith("400 Too many connections from your address")


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
        ticd = start(connections=MANY, connections_per_address=2 * MANY, login_timeout=600)
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
        late = ticd.tic()  # for which the oldest has to go
        until(lambda: read_all(held[0]).startswith(b"400 The server is full"), 5, "the place of the oldest")
        assert tic.tunnels() and late.ask("get unixtime", "200")
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
