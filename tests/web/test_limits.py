"""What clients may not do: be too many, too slow, too big; and what the operator can do: start, stop, reload, check."""
import resource
import socket
import struct
import subprocess
import time

from support.paths import program
from support.wait import until

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def is_closed(s):
    """Whether the server has closed its side; what it said before is thrown away."""
    s.setblocking(False)
    try:
        while s.recv(65536):
            pass
        return True
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_connection_is_kept_for_many_requests(site):
    with site.connect() as s:
        s.sendall(REQUEST * 200)
        got = b""
        while got.count(b"ok\ndatabase") < 200:
            piece = s.recv(65536)
            assert piece
            got += piece
        assert got.count(b"HTTP/1.1 200 OK") == 200


def test_request_in_pieces_is_answered(site):
    with site.connect() as s:
        for byte in REQUEST:
            s.sendall(bytes([byte]))
        assert b"200 OK" in s.recv(4096)


def test_old_http_is_answered(site):
    assert b" 200 OK" in site.say(b"GET /healthz HTTP/1.0\r\n\r\n")


def test_too_large_requests_are_refused(site):
    assert b" 414 " in site.say(b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 431 " in site.say(b"GET / HTTP/1.1\r\nHost: x\r\nX-Large: " + b"a" * 40000 + b"\r\n\r\n")
    assert b" 431 " in site.say(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20000 + b"\r\n")
    assert site.get("/healthz").status == 200


def test_large_bodies_are_not_taken(site):
    assert b" 405 " in site.say(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\nabc")
    assert b" 405 " in site.say(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"a" * 1000)
    with site.connect() as s:
        s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"4000\r\n" + b"a" * 0x4000 + b"\r\n"

        def refused():
            try:
                s.sendall(chunk)
            except OSError:
                return True
            return is_closed(s)
        until(refused, 5, "an endless body to be cut off")


def test_nonsense_is_survived(site):
    for data in (b"\0" * 1000, b"\r\n" * 1000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/1.1\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                 b"GET http://other/pops/status HTTP/1.1\r\nHost: x\r\n\r\n", b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", b" / HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: \xff\xfe\"\r\n\r\n"):
        answer = site.say(data)
        assert answer == b"" or answer.startswith(b"HTTP/1."), (data, answer[:100])
    assert site.get("/healthz").status == 200


def test_log_cannot_be_forged(site):
    site.say(b"GET /\x1b[31mred\x01 HTTP/1.1\r\nHost: x\r\n\r\n")
    site.get("/healthz")
    assert "\x1b" not in site.log() and "\x01" not in site.log()


def test_slow_request_costs_one_place_for_a_while(make_site):
    site = make_site(limits_request_timeout=2)
    with site.connect() as silent, site.connect() as slow:
        slow.sendall(b"GET /pops/status HTTP/1.1\r\nHost: x\r\n")
        start = time.monotonic()

        def slow_ended():
            try:
                slow.sendall(b"X: y\r\n")  # each byte is activity; it must not buy time
            except OSError:
                return True
            return is_closed(slow)
        until(slow_ended, 5, "the slow request to be cut off", step=0.2)
        assert 1.5 < time.monotonic() - start < 4.5
        until(lambda: is_closed(silent), 3, "the silent connection to be closed")
        assert site.get("/healthz").status == 200


def test_idle_connection_is_closed_but_not_a_busy_one(make_site):
    site = make_site(limits_request_timeout=2)
    with site.connect() as busy:
        for _ in range(8):
            busy.sendall(REQUEST)
            assert b"200 OK" in busy.recv(4096)
            time.sleep(0.5)  # the pause is the subject: shorter than the timeout, longer than it in all
        until(lambda: is_closed(busy), 5, "the idle connection to be closed")


def test_slow_readers_cost_little_and_are_cut_off(make_site):
    site = make_site(limits_response_timeout=3, limits_request_timeout=60)
    site.get("/static/style.css")
    before = site.rss()
    readers = []
    for _ in range(40):
        s = site.connect(receive_buffer=2048)
        s.setblocking(False)
        try:
            while True:
                s.send(b"GET /static/style.css HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        except BlockingIOError:
            pass
        readers.append(s)
    start = time.monotonic()
    assert site.get("/pops/status.json").status in (200, 503)
    assert time.monotonic() - start < 1
    assert site.rss() - before < 20000 << 10  # each reader has its own buffer of 16 KiB
    time.sleep(4.5)  # past the timeout: nothing to be seen from here until one reads
    for s in readers:
        until(lambda s=s: is_closed(s), 5, "the slow reader to be cut off")
        s.close()
    assert site.get("/healthz").status == 200


def test_one_address_has_so_many_connections_and_others_theirs(make_site):
    site = make_site(limits_connections_per_address=5, limits_connections=20)
    held = [site.connect("127.0.0.2") for _ in range(5)]
    for s in held:
        s.sendall(REQUEST)
        assert b"200 OK" in s.recv(4096)
    with site.connect("127.0.0.2") as sixth:
        until(lambda: is_closed(sixth), 3, "the sixth to be refused")
    assert site.get("/healthz").status == 200
    held.pop().close()
    until(lambda: b"200 OK" in site.say(REQUEST, "127.0.0.2"), 3, "a free place to be given")
    for s in held:
        s.close()
    assert "127.0.0.2: refused: 127.0.0.2 already has as many connections as one address may have" in site.log()


def test_full_house_empties_by_itself(make_site):
    site = make_site(limits_connections=20, limits_connections_per_address=0, limits_request_timeout=2)
    held = [site.connect() for _ in range(40)]
    until(lambda: site.get("/healthz").status == 200, 15, "a place when the silent ones are gone")
    for s in held:
        s.close()


def test_eight_addresses_do_not_keep_the_others_out(make_site):
    """Silent, in the middle of a request, after one: whoever waits longest has to go."""
    site = make_site(limits_connections=40, limits_connections_per_address=5, limits_request_timeout=300)
    held = [site.connect(f"127.0.0.{n}") for n in range(2, 10) for _ in range(5)]
    for i, s in enumerate(held):
        s.sendall((b"", b"GET / HTTP/1.1\r\nHost: x\r\n", REQUEST, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")[i % 4])
    until(lambda: sum(b"200 OK" in s.recv(4096) for s in held[2::4]) == 10, 10, "the answers of a quarter")
    for n in range(50):
        assert b"200 OK" in site.say(REQUEST, f"127.0.1.{n + 1}")
    assert "closed: there are 40 connections, and of those without a request it waits longest" in site.log()
    assert sum(is_closed(s) for s in held) >= 1
    for s in held:
        s.close()


# ---- fronts

def asks_for(*clients, method=b"GET", more=b""):
    lines = b"".join(b"X-Forwarded-For: " + client.encode() + b"\r\n" for client in clients)
    return method + b" /healthz HTTP/1.1\r\nHost: x\r\n" + lines + more + b"\r\n"


def test_front_says_for_whom_it_asks(make_site):
    site = make_site(fronts="127.0.0.1, 10.0.0.0/8")
    for lines, client in ((["192.0.2.1"], "192.0.2.1"), (["2001:db8::5"], "2001:db8::5"), (["203.0.113.9, 192.0.2.2, 10.1.2.3"], "192.0.2.2"),
                          (["203.0.113.9", "192.0.2.3"], "192.0.2.3"), (["203.0.113.9, unknown"], "127.0.0.1"), ([], "127.0.0.1")):
        before = len(site.log())
        assert b"200 OK" in site.say(asks_for(*lines))
        until(lambda before=before, client=client: f" {client} GET /healthz 200 " in site.log()[before:], 5, f"{client} in the log")
        assert "203.0.113.9" not in site.log()
    with site.connect() as kept:  # one connection, several clients
        kept.sendall(asks_for("192.0.2.4") + asks_for("192.0.2.5") + asks_for())
        until(lambda: site.log().count(" 192.0.2.4 GET") == site.log().count(" 192.0.2.5 GET") == 1, 5, "both clients in the log")


def test_forwarded_for_of_somebody_else_is_ignored(make_site):
    site = make_site(fronts="127.0.0.9")
    assert b"200 OK" in site.say(asks_for("192.0.2.1"))
    assert b"200 OK" in site.say(asks_for("192.0.2.2"), "127.0.0.9")
    until(lambda: " 192.0.2.2 GET /healthz 200 " in site.log() and " 127.0.0.1 GET /healthz 200 " in site.log(), 5, "both requests in the log")
    assert "192.0.2.1" not in site.log()


def test_clients_of_a_front_have_limits_of_their_own(make_site):
    site = make_site(fronts="127.0.0.1", limits_connections_per_address=2, limits_connections_per_56=3)
    half = asks_for("192.0.2.1", method=b"POST", more=b"Content-Length: 9\r\n")
    held = [site.connect() for _ in range(5)]  # more than one address may have
    for s in held[:2]:
        s.sendall(half)
    until(lambda: b" 429 " in site.say(asks_for("192.0.2.1")), 10, "the third of one client to be refused")
    assert b" 200 OK" in site.say(asks_for("192.0.2.2"))
    held[0].sendall(b"123456789")
    until(lambda: b" 200 OK" in site.say(asks_for("192.0.2.1")), 5, "a free place")
    for n, s in enumerate(held[2:]):
        s.sendall(asks_for(f"2001:db8:0:{n}::1", method=b"POST", more=b"Content-Length: 9\r\n"))
    until(lambda: b" 429 " in site.say(asks_for("2001:db8:0:ff::1")), 10, "the fourth of one /56 to be refused")
    assert b" 200 OK" in site.say(asks_for("2001:db8:0:100::1"))
    assert "2001:db8:0:ff::1: refused: 2001:db8::/56 already has as many connections as one address may have" in site.log()
    for s in held:
        s.close()


def test_requests_that_die_leave_no_count_behind(make_site):
    """Inside the headers, after them, inside the body, unread, refused: whenever a front goes away."""
    site = make_site(fronts="127.0.0.1", limits_connections_per_address=2)
    body = asks_for("192.0.2.1", method=b"POST", more=b"Content-Length: 9\r\n")
    says = (asks_for("192.0.2.1")[:-2], body, body + b"1234", body + b"123456789" + body, asks_for("192.0.2.1") * 3, asks_for("192.0.2.1") + body)
    for n in range(300):
        with site.connect() as s:
            s.sendall(says[n % len(says)])
            if n % 2:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    until(lambda: site.descriptors() < 30, 20, "the connections to be gone")
    with site.connect() as held:
        held.sendall(body)
        until(lambda: b" 200 OK" in site.say(asks_for("192.0.2.1")), 10, "one place of two")
        with site.connect() as second:
            second.sendall(body)
            until(lambda: b" 429 " in site.say(asks_for("192.0.2.1")), 10, "the third to be refused")


def test_crowd_leaves_no_descriptor_behind(make_site):
    site = make_site(limits_request_timeout=2, limits_connections=600, limits_connections_per_address=0)
    before = site.descriptors()
    crowd = [site.connect() for _ in range(500)]
    until(lambda: site.descriptors() > before + 450, 5, "the crowd to be taken in")
    assert site.get("/healthz").status == 200
    for s in crowd:
        s.close()
    until(lambda: site.descriptors() <= before, 10, "the crowd's descriptors to be closed")


def test_out_of_descriptors_webd_says_so_once_and_does_not_spin(make_site):
    site = make_site()
    limits = resource.prlimit(site.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(site.pid, resource.RLIMIT_NOFILE, (3, limits[1]))  # 0 to 2 are open for good
    waiting = [site.connect() for _ in range(3)]
    try:
        until(lambda: "accepts no connection for now" in site.log(), 10, "webd to say so")
        cpu = site.cpu_seconds()
        time.sleep(2)
        assert site.cpu_seconds() - cpu < 0.6
        assert site.log().count("accepts no connection for now") == 1
    finally:
        resource.prlimit(site.pid, resource.RLIMIT_NOFILE, limits)
        for sock in waiting:
            sock.close()
    until(lambda: site.get("/healthz").status == 200, 10, "webd to answer again")


def test_reload_takes_new_settings_and_keeps_old_ones_when_bad(make_site):
    site = make_site()
    until(lambda: site.get("/pops/status").status == 200, 10, "the first view")
    site.configure(title="Other broker", listen="127.0.0.1:1")
    site.signal(1)
    until(lambda: "Other broker" in site.get("/pops/status").text, 5, "the new title")
    assert "listen has changed; restart webd" in site.log()
    with open(site.conf, "a", encoding="ascii") as f:
        f.write("nonsense = 1\n")
    site.signal(1)
    until(lambda: "the settings stay as they were" in site.log(), 5, "the refusal")
    assert "Other broker" in site.get("/pops/status").text
    site.configure(title="Third broker", database_conninfo="this is not a conninfo")
    site.signal(1)
    until(lambda: site.log().count("the settings stay as they were") == 2, 5, "the refusal")
    assert "Other broker" in site.get("/pops/status").text
    until(lambda: site.get("/pops/status.json").json["database"] == "up", 5, "the old connection to serve on")


def test_port_taken_is_one_plain_sentence(site):
    done = site.run("-c", site.conf)
    assert done.returncode == 1 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and f"127.0.0.1:{site.port} is taken by another program" in done.stderr


def test_ipv6_is_served(make_site):
    site = make_site(start=False)
    site.configure(listen=f"[::1]:{site.port}")
    site.ready = lambda: socket.create_connection(("::1", site.port), timeout=1).close() or True
    site.start()
    with socket.create_connection(("::1", site.port), timeout=5) as s:
        s.sendall(REQUEST)
        assert b"200 OK" in s.recv(4096)
    until(lambda: "::1 GET /healthz 200" in site.log(), 2, "the address in the log")


def test_command_line(site, tmp_path):
    assert site.run("--version").stdout.startswith("webd ") and site.run("--help").returncode == 0
    for bad in [], ["--nosuch"], ["-c"], ["-c", site.conf, "extra"], ["--check-config"]:
        done = site.run(*bad)
        assert done.returncode == 2 and "usage:" in done.stderr
    assert site.run("--check-config", "-c", site.conf).returncode == 0
    dump = site.run("--dump-config", "-c", site.conf)
    assert dump.returncode == 0 and "conninfo = (set)" in dump.stdout and f"listen = 127.0.0.1:{site.port}" in dump.stdout
    assert site.settings["database_conninfo"] not in dump.stdout
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([program("webd"), "--dump-config", "-c", site.conf], stdout=full, stderr=subprocess.PIPE, text=True, timeout=10)
    assert done.returncode == 1 and "cannot write the settings: No space left on device" in done.stderr
    bad = tmp_path / "bad.conf"
    for text, line in ("[webd]\nnosuch = 1\n", 2), ("[limits]\n\nconnections = many\n", 3), ("\n[nosuch]\na = b\n", 2):
        bad.write_text(text)
        done = site.run("--check-config", "-c", str(bad))
        assert done.returncode == 1 and done.stderr.startswith(f"{bad}:{line}: "), done.stderr
    assert site.run("--check-config", "-c", str(tmp_path / "missing.conf")).returncode == 1


def test_ends_cleanly_with_open_connections(make_site):
    for number in 15, 2:
        site = make_site()
        with site.connect() as s:
            s.sendall(b"GET / HTTP/1.1\r\n")
            site.signal(number)
            assert site.process.wait(5) == 0
