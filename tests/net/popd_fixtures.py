"""
popd by itself, with its database but without the rest of the broker:

    client ──192.0.2.0/24── pop ──2001:db8:fff0::/64── host
    .2 (.3)                 .1, popd                   ::2

The packets are made here with struct and hashlib, from the documents alone.
"""
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time

from support import variant
from support.daemon import Daemon
from support.netns import Netns, join
from support.paths import BUILD, program
from support.postgres import Postgres
from support.wait import until

POP, POP_IPV4, CLIENT_IPV4, CLIENT2_IPV4 = "demo01", "192.0.2.1", "192.0.2.2", "192.0.2.3"
HOST, UPLINK = "2001:db8:fff0::2", "2001:db8:fff0::1"
TUNNELS, SUBNETS = "2001:db8:2ff::/48", "2001:db8:3000::/40"
SANITIZED = "san" in BUILD.name


def slow(seconds):
    """A promise about time, stretched for an instrumented build."""
    return seconds * (5 if SANITIZED else 1)


class Net:
    """Namespaces, a database with one PoP, and a configuration; popd is started by the tests."""

    def __init__(self):
        argv = [program("popd"), "-c"]  # first of all: a missing build must leave nothing behind
        self.dir = tempfile.mkdtemp(prefix="popd-net-", dir="/tmp")
        self.client, self.pop, self.host = (Netns(f"popd-{n}") for n in ("client", "pop", "host"))
        self.db = Postgres()
        self.daemon = Daemon(self.pop.command(*argv, f"{self.dir}/popd.conf"), f"{self.dir}/popd.log", self.answers)
        self.socket = f"{self.dir}/popd.sock"

    def prepare(self):
        self.db.migrate()
        self.db.ticctl("pop", "add", POP, "--ipv4", POP_IPV4, "--ipv6", "2001:db8:2ff:ffff::1", "--tunnels", TUNNELS, "--subnets", SUBNETS)
        self.db.ticctl("user", "add", "DEMO", "--name", "Demo User", "--email", "demo@example.net", "--credit", "1000")
        self.wire()
        self.configure()
        return self

    def wire(self):
        join(self.client, "c0", self.pop, "p0")
        join(self.pop, "p1", self.host, "h0")
        variant.set_outer(self.pop, "p0")
        self.client.address("c0", f"{CLIENT_IPV4}/24", f"{CLIENT2_IPV4}/24")
        self.pop.address("p0", f"{POP_IPV4}/24")
        self.pop.address("p1", f"{UPLINK}/64")
        self.host.address("h0", f"{HOST}/64")
        self.host.route("-6", "default", "via", UPLINK)
        self.pop.sysctl(net__ipv6__conf__all__forwarding=1)
        # the client's kernel knows nothing of protocol 41 and must not say so
        self.client.nft("table ip quiet { chain out { type filter hook output priority 0; policy accept;"
                        " icmp type destination-unreachable icmp code 2 drop\n }\n}\n")

    def configure(self, file="popd.conf", **changes):
        keys = {"name": POP, "ipv4": POP_IPV4, "workers": 2, "snapshot": f"{self.dir}/snapshot", "control": f"{self.dir}/popd.sock",
                "statistics_interval": 1, "report_interval": 1, **variant.settings(), **changes}
        text = "[popd]\n" + variant.lines(keys) + f"[database]\nconninfo = {self.db.conninfo('popd')}\n"
        pathlib.Path(self.dir, file).write_text(text, encoding="ascii")
        return f"{self.dir}/{file}"

    def dump(self):
        """What popd makes of its configuration."""
        done = subprocess.run([program("popd"), "-c", f"{self.dir}/popd.conf", "--dump-config"], capture_output=True, text=True, check=True)
        return dict(line.split(" = ", 1) for line in done.stdout.splitlines() if " = " in line and not line.startswith("#"))

    @property
    def workers(self):
        return int(self.dump()["workers"])

    def answers(self):
        return self.popctl("status")["tunnels"] is not None

    def loaded(self):
        until(lambda: self.popctl("status")["feed"]["loaded"], slow(10), "popd to load everything from the database")

    def popctl(self, *words, check=True, text=False):
        done = subprocess.run([program("popctl"), "--socket", self.socket, *([] if text else ["--json"]), *words], capture_output=True, text=True)
        if not check:
            return done
        assert done.returncode == 0, f"popctl {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout if text else json.loads(done.stdout)

    def drops(self, name):
        return next(row["count"] for row in self.popctl("counters")["drops"] if row["name"] == name)

    def request(self, kind, endpoint=None):
        """Requests and approves a tunnel; returns its row."""
        more = ["--endpoint", endpoint] if endpoint else []
        asked = self.db.ticctl("tunnel", "request", "DEMO", "--pop", POP, "--type", kind, *more)
        done = self.db.ticctl("request", "approve", re.search(r"request (\d+)", asked).group(1))
        return self.tunnel(int(re.search(r"T(\d+)", done).group(1)))

    def tunnel(self, number):
        row = self.db.sql(f"select t.secret, host(t.prefix) from broker.tunnel t where t.id = {number}")[0]
        return Tunnel(self, number, row[0], row[1])

    def refused(self, *argv, prefix=(), env=None):
        """Starts popd where it must not start; returns what it said."""
        done = subprocess.run([*prefix, *self.pop.command(program("popd"), *argv)], capture_output=True, text=True, timeout=20, env=env)
        assert done.returncode == 1, f"exit {done.returncode}: {done.stderr}"
        assert done.stderr.count(" error popd: ") == 1, done.stderr
        return done.stderr

    def remove(self):
        if self.daemon.is_running():
            self.daemon.stop()
        for space in (self.client, self.pop, self.host):
            space.remove()
        self.db.remove()
        shutil.rmtree(self.dir, ignore_errors=True)


# ---- packets

def packed(address):
    return socket.inet_pton(socket.AF_INET6, address)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def upper_checksum(source, destination, proto, data):
    return checksum(packed(source) + packed(destination) + struct.pack("!II", len(data), proto) + data)


def ipv6(source, destination, proto, payload, hops=64):
    return struct.pack("!IHBB", 6 << 28, len(payload), proto, hops) + packed(source) + packed(destination) + payload


def echo(source, destination, ident=1, sequence=1, data=b"x" * 32, hops=64):
    body = struct.pack("!BBHHH", 128, 0, 0, ident, sequence) + data
    body = body[:2] + struct.pack("!H", upper_checksum(source, destination, 58, body)) + body[4:]
    return ipv6(source, destination, 58, body, hops)


def is_echo_reply(packet, source, ident, sequence=1):
    """A well-formed echo reply from `source` with its checksum right."""
    if len(packet) < 48 or packet[6] != 58 or packet[40] != 129 or struct.unpack("!HH", packet[44:48]) != (ident, sequence):
        return False
    here, there = (socket.inet_ntop(socket.AF_INET6, packet[i:i + 16]) for i in (8, 24))
    assert upper_checksum(here, there, 58, packet[40:]) == 0, "checksum of an echo reply"
    return packed(source) == packet[8:24]


class Tunnel:
    """A tunnel as its client knows it."""

    def __init__(self, net, number, secret, net_address):
        self.net, self.number, self.secret = net, number, secret
        base = packed(net_address)[:8]
        self.client, self.pop = (socket.inet_ntop(socket.AF_INET6, base + bytes(7) + bytes([n])) for n in (2, 1))
        self.name = f"T{number}"

    def shown(self):
        return self.net.popctl("tunnel", "show", self.name)

    def known(self, seconds=10):
        until(lambda: self.net.popctl("tunnel", "show", self.name, check=False).returncode == 0, slow(seconds), f"popd to know {self.name}")
        return self

    # AYIYA: 41 52 11 29, epoch, identity, signature over everything with sha1(secret) in the signature's place

    def ayiya(self, payload, opcode=1, proto=41, epoch=None, secret=None, algorithm="sha1"):
        new = getattr(hashlib, algorithm)
        first = bytes([0x41, 0x52 if algorithm == "sha1" else 0x84, 0x10 | opcode, proto])
        head = first + struct.pack("!I", int(time.time() if epoch is None else epoch)) + packed(self.client)
        key = new((secret or self.secret).encode()).digest()
        return head + new(head + key + payload).digest() + payload

    def open_ayiya(self, datagram):
        """The payload of what the PoP sent, after checking every field."""
        size = {5: 20, 8: 32}[datagram[1] >> 4]
        new = hashlib.sha1 if size == 20 else hashlib.sha256
        assert datagram[0] == 0x41 and datagram[1] & 15 == (2 if size == 20 else 4) and datagram[2] == 0x11 and datagram[3] == 41
        assert -3 < time.time() - struct.unpack("!I", datagram[4:8])[0] < 30  # it may have lain in the socket for a while
        assert datagram[8:24] == packed(self.pop)
        key = new(self.secret.encode()).digest()
        assert datagram[24:24 + size] == new(datagram[:24] + key + datagram[24 + size:]).digest()
        return datagram[24 + size:]

    def beat(self, address="sender", when=None, secret=None):
        text = f"HEARTBEAT TUNNEL {self.client} {address} {int(time.time() if when is None else when)} "
        return text.encode() + hashlib.md5((text + (secret or self.secret)).encode()).hexdigest().encode()


@contextlib.contextmanager
def udp_socket(space, address=CLIENT_IPV4, port=0):
    with space.inside():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, port))
    sock.settimeout(0.2)
    try:
        yield sock
    finally:
        sock.close()


@contextlib.contextmanager
def raw41_socket(space, address=CLIENT_IPV4):
    with space.inside():
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, 41)
    sock.bind((address, 0))
    sock.settimeout(0.2)
    try:
        yield sock
    finally:
        sock.close()


def receive(sock, wanted, seconds=3):
    """The first datagram for which `wanted` says yes, or None."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            data = sock.recv(70000)
        except TimeoutError:
            continue
        if wanted(data):
            return data
    return None


def rss(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
