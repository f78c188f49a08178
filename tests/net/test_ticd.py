"""The dialogue with a real ticd in clear text: every spelling of a command, every login, every record, and invalid input."""
import fcntl
import random
import re
import socket
import statistics
import struct
import subprocess
import termios
import time

import pytest

from support.daemons import Ticd
from support.paths import program
from support.sockets import read_all
from support.tic import Tic, TicError, answer_to
from support.wait import until

AICCU_ABORTS_AT = 1014
SECRET, URL = Ticd.SECRET, Ticd.URL


class Speaker:
    """Sends lines in one of several ways that must not matter."""

    def __init__(self, sock, manner):
        self.sock, self.manner = sock, manner
        self.lines = sock.makefile("rb")

    def say(self, *lines):
        case = {"capitals": str.upper, "small": str.lower}.get(self.manner, str)
        end = "\r\n" if self.manner == "CRLF" else "\n"
        data = "".join(" ".join([case(line.split(" ")[0]), *line.split(" ")[1:]]) + end for line in lines).encode()
        if self.manner == "bytewise":
            for byte in data:
                self.sock.send(bytes([byte]))
        elif self.manner == "random":
            while data:
                cut = random.randint(1, 40)
                self.sock.send(data[:cut])
                data = data[cut:]
        else:
            self.sock.sendall(data)

    def hear(self):
        return self.lines.readline().decode("ascii").removesuffix("\n")

    def hear_block(self):
        lines = [self.hear()]
        assert lines[0].startswith("201 "), lines
        while not lines[-1].startswith("202 "):
            lines.append(self.hear())
        return lines[1:-1]


@pytest.mark.parametrize("manner", ["LF", "CRLF", "capitals", "small", "bytewise", "random"])
def test_dialogue_in_any_manner(ticd, database, manner):
    database.pop_is_up()
    sock = ticd.connect()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s = Speaker(sock, manner)
    assert s.hear() == f"200 TIC Test ready ({URL})"
    s.say("client TIC/draft-00 Tester/1.0 Linux/6.1")
    assert s.hear().startswith("200 ")
    s.say("get unixtime")
    assert re.fullmatch(r"200 \d+", time_line := s.hear()) and abs(int(time_line[4:]) - time.time()) < 3
    s.say("starttls")
    assert s.hear() == "500 This service is not TLS enabled"
    s.say("username DEMO")
    assert s.hear().startswith("200 ")
    s.say("challenge md5")
    assert re.fullmatch("200 [0-9a-f]{32}", challenge := s.hear())
    s.say("authenticate md5 " + answer_to(challenge[4:], SECRET))
    assert s.hear() == "200 Successfully logged in using md5 as DEMO (Demo Tester) from 127.0.0.1"
    s.say("tunnel list")
    assert s.hear_block() == ["T1 2001:db8:2ff::2 ayiya demo01", "T2 2001:db8:2ff:1::2 heartbeat demo01", "T3 2001:db8:2ff:2::2 192.0.2.7 demo01"]
    s.say("tunnel show T1")
    assert s.hear_block()[0] == "TunnelId: T1"
    s.say("QUIT Zij die gaan, groeten u")
    assert s.hear().startswith("200 ")
    assert sock.recv(1) == b""


def test_dialogue_pipelined_is_answered_in_order(ticd, database):
    database.pop_is_up()
    sock = ticd.connect()
    s = Speaker(sock, "LF")
    s.say("client TIC/draft-00 Tester/1.0 Linux/6.1", "get unixtime", "username DEMO", "challenge md5")
    answers = [s.hear() for _ in range(5)]
    s.say("authenticate md5 " + answer_to(answers[-1][4:], SECRET), "tunnel list", "get unixtime", "tunnel show T2", "tunnel show T99", "pop list", "help", "quit")
    sock.shutdown(socket.SHUT_WR)
    rest = s.lines.read().decode().splitlines()
    codes = [line[:3] for line in rest if re.match(r"\d{3} ", line)]
    assert codes == ["200", "201", "202", "200", "201", "202", "500", "201", "202", "201", "202", "200"]
    assert rest.index("T1 2001:db8:2ff::2 ayiya demo01") < rest.index("TunnelId: T2") < rest.index("demo01")


def test_pipelined_flood_of_lines_is_answered_to_the_last(ticd):
    """More lines than any buffer of ticd holds: each gets its answer."""
    sock = ticd.connect()
    count = 3000
    sock.sendall(b"get unixtime\n" * count + b"quit\n")
    lines = read_all(sock).splitlines()
    assert len(lines) == count + 2 and lines[-1].startswith(b"200 Bye")


@pytest.mark.parametrize("method", ["md5", "sha256"])
def test_login_methods(ticd, method):
    tic = ticd.tic()
    assert tic.login("demo", SECRET, method) == f"Successfully logged in using {method} as DEMO (Demo Tester) from 127.0.0.1"
    until(lambda: f"DEMO logged in using {method} over clear text, client: TIC/draft-00 Tester/1.0 Linux/6.1" in ticd.log(), 5, "the log")


def test_login_for_one_tunnel(ticd, database):
    database.pop_is_up()
    tic = ticd.tic()
    assert " as DEMO/T2 " in tic.login("DEMO/T2", database.tunnel_secret(2))
    assert [t[0] for t in tic.tunnels()] == ["T2"]
    assert tic.tunnel("T2")["Password"] == database.tunnel_secret(2)
    with pytest.raises(TicError, match="500 You have no tunnel T1"):
        tic.tunnel("T1")
    for login, secret in (("DEMO/T2", SECRET), ("DEMO/T1001", database.tunnel_secret(1001)), ("DEMO/T2x", database.tunnel_secret(2))):
        with pytest.raises(TicError, match="500 Login failed"):
            ticd.login(login, secret)


def test_login_clear_outside_tls_is_refused(ticd):
    tic = ticd.tic()
    tic.ask("username DEMO", "200")
    assert "needs TLS" in tic.ask("challenge clear", "500")
    tic.ask("challenge md5", "200")


def test_challenges_are_single_use_and_differ(ticd):
    seen = set()
    for _ in range(20):
        tic = ticd.tic()
        tic.ask("username DEMO", "200")
        seen.add(tic.ask("challenge md5", "200"))
    assert len(seen) == 20
    tic = ticd.tic()
    tic.ask("username DEMO", "200")
    challenge = tic.ask("challenge md5", "200")
    tic.ask("authenticate md5 " + "0" * 32, "500")
    tic.ask("authenticate md5 " + answer_to(challenge, SECRET), "400")


def refused_login(ticd, user, secret, source):
    """The replies to a refused login, and the seconds it took."""
    tic = Tic(ticd.connect(source))
    words = [tic.ask(f"username {user}", "200")]
    challenge = tic.ask("challenge sha256", "200")
    began = time.perf_counter()
    words.append(tic.ask(f"authenticate sha256 {answer_to(challenge, secret, 'sha256')}", "500"))
    return words, time.perf_counter() - began


def test_unknown_user_and_wrong_password_are_alike(ticd):
    times = {"DEMO": [], "NOBODY": []}
    words = set()
    for i in range(40):
        for user, taken in times.items():
            said, seconds = refused_login(ticd, user, "wrong", f"127.0.1.{i + 1}")  # few from each address: many would be slowed
            words.add(tuple(said))
            taken.append(seconds)
    assert len(words) == 1
    demo, nobody = (statistics.median(t) for t in times.values())
    print(f"wrong password {demo * 1000:.2f} ms, unknown user {nobody * 1000:.2f} ms")
    assert abs(demo - nobody) < 0.005 and demo > 0.045 and nobody > 0.045
    assert "login as NOBODY refused: no such login" in ticd.log() and "login as DEMO refused: wrong secret" in ticd.log()


def test_third_refused_login_is_the_last(ticd):
    tic = ticd.tic()
    for _ in range(3):
        tic.ask("username DEMO", "200")
        tic.ask("challenge md5", "200")
        tic.send("authenticate md5 00")
        assert tic.line().startswith("500 ")
    assert tic.sock.recv(1) == b""


@pytest.fixture
def limited(database):
    """Two logins at once instead of any number, of each kind."""
    names = ("login_tunnel_burst", "login_name_burst")
    for name in names:
        database.ticctl("setting", "set", name, "2")
    yield database
    for name in names:
        database.ticctl("setting", "set", name, "0")
    database.sql("delete from broker.login_bucket")


def test_too_many_logins_for_a_tunnel_are_told_until_when(ticd, limited):
    limited.pop_is_up()
    for _ in range(2):
        tic = ticd.login()
        assert tic.tunnel("T1") == tic.tunnel("T1")  # one login, however often it asks
        tic.quit()
    told = rf"500 DEMO has logged in for T1 too often: 2 logins are possible at once and 5 more an hour, the next one at 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\. See {URL}/ "
    for _ in range(4):  # more than the name has for what shows no tunnel
        with pytest.raises(TicError, match=told):
            ticd.login().tunnel("T1")
    tic = ticd.login()
    tic.ask("tunnel list", "500")
    assert tic.tunnel("T2")["TunnelId"] == "T2"  # the tunnel of another router
    assert tic.tunnels()
    ticd.login("DEMO/T1", limited.tunnel_secret(1)).tunnel("T1")  # another login name, which is counted separately


def test_too_many_logins_that_show_no_tunnel_are_told_until_when(ticd, limited):
    limited.pop_is_up()
    for _ in range(2):
        ticd.login("MANY").quit()
    tic = ticd.login("MANY")
    for question in ("tunnel list", "route list", "pop list", "tunnel set T1001 state disabled"):
        assert re.match(r"MANY has logged in without showing a tunnel too often: 2 logins are possible at once .* at 20\S*Z\. See " + URL, tic.ask(question, "500"))
    assert tic.tunnel("T1001")["TunnelId"] == "T1001"
    assert tic.tunnels()


def test_failed_logins_slow_their_address_and_no_other(ticd):
    near, far = "127.0.0.5", "127.0.0.6"
    for _ in range(8):
        tic = Tic(ticd.connect(near))
        for _ in range(3):
            tic.ask("username DEMO", "200")
            tic.ask("challenge md5", "200")
            tic.send("authenticate md5 00")
            assert tic.line().startswith("500 Login failed")
    assert re.search(rf"{near}: login as DEMO refused: wrong secret; 2\d failures from {near}, which now waits \d+ ms for each answer", ticd.log())
    eager = [ticd.connect(near) for _ in range(40)]
    for sock in eager:  # not waiting for the answers
        sock.sendall(b"username DEMO\nchallenge md5\nauthenticate md5 00\n")
    until(lambda: ticd.log().count(f"{near}: authenticate -> initial") == 8 * 3 + 40, 20, "the refusals")
    slow = Tic(ticd.connect(near))
    slow.ask("username DEMO", "200")
    slow.send("authenticate md5 " + answer_to(slow.ask("challenge md5", "200"), SECRET))
    quick = Tic(ticd.connect(far))
    quick.login("DEMO", SECRET)
    quick.quit()
    slow.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        slow.sock.recv(1)
    slow.sock.settimeout(20)
    assert slow.line().startswith("200 Successfully")


def test_login_disabled_account_is_told_why(ticd, database):
    database.add_user("GONE", SECRET, name="Gone Tester")
    database.ticctl("user", "disable", "GONE")
    with pytest.raises(TicError, match="500 The account GONE is disabled"):
        ticd.login("GONE")
    with pytest.raises(TicError, match="500 Login failed"):
        ticd.login("GONE", "wrong")


def test_records(ticd, database):
    database.pop_is_up()
    tic = ticd.login()
    for tid, kind, ipv4, n in (("T1", "ayiya", "ayiya", ""), ("T2", "6in4-heartbeat", "heartbeat", "1:"), ("T3", "6in4-static", "192.0.2.7", "2:")):
        record = tic.tunnel(tid)
        name = record.pop("Tunnel Name")
        assert name.isascii()
        assert record == {
            "TunnelId": tid, "Type": kind, "IPv6 Endpoint": f"2001:db8:2ff:{n or ':'}:2".replace(":::", "::"),
            "IPv6 POP": f"2001:db8:2ff:{n or ':'}:1".replace(":::", "::"), "IPv6 PrefixLength": "64", "Tunnel MTU": "1280", "POP Id": "demo01",
            "IPv4 Endpoint": ipv4, "IPv4 POP": "192.0.2.42", "UserState": "enabled", "AdminState": "enabled",
            "Password": database.tunnel_secret(int(tid[1:])), "Heartbeat_Interval": "60"}
    assert tic.block("pop list") == ["demo01"]
    assert tic.block("pop show DEMO01") == [
        "POPId: demo01", "City: Z??rich", "Country: CH", "IPv4: 192.0.2.42", "IPv6: 2001:db8:2ff:ffff::1", "ISP Short: DEMO",
        "ISP Name: Demo Networks", "ISP Website: http://demo.example.net", "ISP ASN: AS64500", "ISP LIR: net.demo"]
    assert tic.block("route list") == ["R1 T1 2001:db8:3000::/48"]
    route = tic.block("route show R1")
    assert route[:5] == ["RouteId: R1", "TunnelId: T1", "Prefix: 2001:db8:3000::/48", "POP Id: demo01", "State: enabled"]
    for question in ("tunnel show T1001", "tunnel show T77777", "route show R2", "pop show nowhere"):
        tic.ask(question, "500")
    for question in ("tunnel show", "tunnel show T", "tunnel", "get", "get motd", "frobnicate", ""):
        tic.ask(question, "400")


def test_pop_down_is_the_sentence(ticd, database):
    tic = ticd.login()
    database.pop_is_down()
    tic.send("tunnel show T1")
    assert tic.line() == f"500 This PoP is unfortunately currently down, see {URL}/pops/status/ for more information."
    database.pop_is_up()
    assert tic.tunnel("T1")["TunnelId"] == "T1"


def test_changes(ticd, database):
    database.pop_is_up()
    tic = ticd.login()
    balance = database.json("ledger", "DEMO")[-1]["balance"]
    assert "192.0.2.9" in tic.ask("tunnel set T3 endpoint 192.0.2.9", "200")
    assert tic.tunnel("T3")["IPv4 Endpoint"] == "192.0.2.9"
    assert balance - database.json("ledger", "DEMO")[-1]["balance"] == 15
    assert "AYIYA" in tic.ask("tunnel set T1 endpoint 192.0.2.9", "500").upper()
    tic.ask("tunnel set T1 state disabled", "200")
    assert tic.tunnel("T1")["UserState"] == "disabled"
    tic.ask("tunnel set T1 state enabled", "200")
    assert tic.tunnel("T1")["UserState"] == "enabled"
    tic.ask("tunnel set T1001 state disabled", "500")
    tic.ask("tunnel set T1 state sometimes", "400")


def waiting_in(sock):
    return struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, b"\0\0\0\0"))[0]


def test_long_list_in_clear_never_fills_the_stock_clients_buffer(ticd):
    tic = ticd.login("MANY")
    tic.send("tunnel list")
    data, most, reads, began = tic.buffer, 0, 0, time.monotonic()
    while not data.endswith(b"202 Done\n"):
        waiting = waiting_in(tic.sock)
        most = max(most, waiting)
        assert waiting < AICCU_ABORTS_AT
        if waiting:
            data += tic.sock.recv(waiting)
            reads += 1
        time.sleep(0.002)
    lines = data.decode().splitlines()
    assert lines[0].startswith("201 ") and len(lines) == 202
    assert all(re.fullmatch(r"T1\d{3} 2001:db8:2ff:[0-9a-f]+::2 ayiya demo01", line) for line in lines[1:-1])
    print(f"{len(data)} bytes, at most {most} waiting, {time.monotonic() - began:.2f} s")
    assert most > 900, "the pace is needlessly slow"


def test_long_list_waits_for_a_reader_that_is_slow(ticd):
    """A peer that acknowledges late, because its window is closed, gets everything."""
    sock = ticd.connect(receive_buffer=2304)
    s = Speaker(sock, "LF")
    s.say("username MANY", "challenge md5")
    challenge = [s.hear() for _ in range(3)][-1][4:]
    s.say("authenticate md5 " + answer_to(challenge, SECRET), *["tunnel list"] * 3, "quit")
    time.sleep(1)
    rest = s.lines.read().splitlines()
    assert len([line for line in rest if line.startswith(b"T1")]) == 600 and rest[-1] == b"200 Bye"


@pytest.mark.parametrize("said, sentence", ids=["NUL", "NUL in a line", "TLS", "line", "no line", "HTTP"], argvalues=[
    (b"\x00", b"500 This service accepts lines of plain text only"),
    (b"get unixtime\x00\n", b"500 This service accepts lines of plain text only"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x99" * 3000, b"500 This service accepts lines of plain text only"),
    (b"x" * 1025 + b"\n", b"500 A line may have at most 1024 bytes"),
    (b"x" * 100000, b"500 A line may have at most 1024 bytes"),
    (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 40 + b"\r\n", b"500 Too many invalid commands"),
])
def test_nonsense_is_answered_and_closed(ticd, said, sentence):
    """The reply arrives, and then a FIN, though the server has not read all the input."""
    sock = ticd.connect()
    sock.sendall(said)
    answer = read_all(sock)
    assert sentence in answer and answer.endswith(b"\n")


def test_clients_that_vanish_leave_nothing_behind(ticd):
    base = until(lambda: ticd.descriptors(), 5, "files")
    for how in range(60):
        sock = ticd.connect()
        if how % 3 == 0:
            sock.sendall(b"QUIT\n")
        if how % 3 == 1:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(b"username DEMO\nchallenge md5\nauthenticate md5 00\ntunnel list\n")
        sock.close()
    tic = ticd.login()
    tic.send("tunnel list")
    tic.sock.close()
    until(lambda: ticd.descriptors() <= base + 4, 10, "all sockets to be closed")  # four to the database stay


def test_garbage_does_not_stop_it(ticd):
    random.seed(5)
    words = b"client username challenge authenticate md5 sha256 tunnel list show set T1 endpoint current help quit starttls get unixtime".split()
    for i in range(150):
        sock = ticd.connect()
        if i % 2:
            sock.sendall(random.randbytes(random.randint(1, 3000)))
        else:
            sock.sendall(b"".join(b" ".join(random.choices(words, k=random.randint(0, 5))) + random.choice([b"\n", b"\r\n", b" "]) for _ in range(30)))
        if i % 4 < 2:
            sock.shutdown(socket.SHUT_WR)
        sock.close()
    ticd.login().quit()


def test_stop_says_goodbye_after_what_is_under_way(ticd, database):
    idle, busy = ticd.login(), ticd.login()
    lock = subprocess.Popen(["psql", "-X", "-q", "-d", database.conninfo(), "-c", "begin; lock table broker.tunnel; select pg_sleep(1)"],
                            stdout=subprocess.DEVNULL)
    until(lambda: database.sql("select 1 from pg_locks l join pg_class c on c.oid = l.relation where c.relname = 'tunnel' "
                               "and l.mode = 'AccessExclusiveLock' and l.granted"), 5, "the lock")
    busy.send("tunnel list")
    until(lambda: database.sql("select 1 from pg_stat_activity where usename = 'ticd' and state = 'active'"), 5, "the question")
    began = time.monotonic()
    assert ticd.stop() == 0
    assert time.monotonic() - began < 5
    assert idle.line().startswith("400 This server is stopping") and idle.sock.recv(1) == b""
    rest = busy.buffer + read_all(busy.sock)
    assert rest.startswith(b"201 ") and rest.splitlines()[-1].startswith(b"400 This server is stopping")
    lock.wait()


def test_options(ticd, tmp_path):
    def run(*args):
        done = ticd.run(*args)
        return done.returncode, done.stdout, done.stderr

    assert run("--version")[1].startswith("ticd ")
    assert run("--help")[0] == 0
    assert run()[0] == 2 and run("--frobnicate")[0] == 2 and run("-c", ticd.conf, "more")[0] == 2
    assert run("-c", ticd.conf, "--check-config")[0] == 0
    status, dump, _ = run("-c", ticd.conf, "--dump-config")
    assert status == 0 and f"url = {URL}" in dump and "host=" not in dump
    with open("/dev/full", "w", encoding="ascii") as full:
        for args in (["--version"], ["--help"], ["-c", ticd.conf, "--dump-config"]):
            done = subprocess.run([program("ticd"), *args], stdout=full, stderr=subprocess.PIPE, text=True, timeout=20)
            assert (done.returncode, done.stderr) == (1, "ticd: standard output: No space left on device\n"), args
    bad = tmp_path / "bad.conf"
    bad.write_text("[ticd]\nlisten = nowhere\n")
    status, _, error = run("-c", str(bad))
    assert status == 1 and error.startswith(f"{bad}:2: ")
    status, _, error = run("-c", ticd.conf)  # the port is taken
    assert status == 1 and "127.0.0.1:" in error and "is taken by another program" in error
    bad.write_text("[tls]\ncertificate = /nonexistent.pem\nkey = /nonexistent.key\n")
    assert run("-c", str(bad), "--check-config")[0] == 1
