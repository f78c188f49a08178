"""
The whole of it in namespaces:

    client ──192.168.77.0/24── router ──198.51.100.0/24── pop ──2001:db8:fff0::/64── host
    192.168.77.2             NAT for 192.168.77/24      198.51.100.2                  ::2
                               │
    direct ──203.0.113.0/24────┘   (no NAT: protocol 41 has no ports to translate)
    203.0.113.10, later .20

popd, ticd and webd run in `pop`; their database is a private PostgreSQL on a unix socket.
"""
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading

from . import variant
from .daemon import Daemon
from .netns import Netns, join
from .paths import ROOT, program
from .postgres import Postgres
from .tic import Tic
from .wait import until

POP, POP_IPV4, HOST = "demo01", "198.51.100.2", "2001:db8:fff0::2"
URL = f"http://{POP_IPV4}:8080"
DIRECT, DIRECT2 = "203.0.113.10", "203.0.113.20"

# one transaction: there is never a moment without translation
NAT = """
table ip nat {{ }}
flush table ip nat
table ip nat {{
  chain post {{
    type nat hook postrouting priority 100; policy accept;
    ip saddr 192.168.77.0/24 ip protocol udp masquerade to :{low}-{high}
    ip saddr 192.168.77.0/24 masquerade
  }}
}}
"""


class World:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="broker-world-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.client, self.router, self.pop, self.host, self.direct = (Netns(n) for n in ("client", "router", "pop", "host", "direct"))
        self.db = None
        self.daemons = {}
        self.tunnels = []

    def wire(self):
        join(self.client, "c0", self.router, "r0")
        join(self.direct, "d0", self.router, "r1")
        join(self.router, "r2", self.pop, "p0")
        join(self.pop, "p1", self.host, "h0")
        variant.set_outer(self.pop, "p0")
        self.client.address("c0", "192.168.77.2/24")
        self.client.route("default", "via", "192.168.77.1")
        self.direct.address("d0", f"{DIRECT}/24")
        self.direct.route("default", "via", "203.0.113.1")
        self.router.address("r0", "192.168.77.1/24")
        self.router.address("r1", "203.0.113.1/24")
        self.router.address("r2", "198.51.100.1/24")
        self.router.sysctl(net__ipv4__ip_forward=1)
        self.pop.address("p0", f"{POP_IPV4}/24")
        self.pop.route("default", "via", "198.51.100.1")
        self.pop.address("p1", "2001:db8:fff0::1/64")
        self.host.address("h0", f"{HOST}/64")
        self.host.route("-6", "default", "via", "2001:db8:fff0::1")
        self.pop.sysctl(net__ipv6__conf__all__forwarding=1)
        for space in (self.client, self.direct):
            # the test client is the only one to speak on these; its kernel must not answer protocol 41 with errors
            space.nft("table ip quiet {\n chain out {\n type filter hook output priority 0; policy accept;\n"
                      "icmp type destination-unreachable icmp code 2 drop\n }\n}\n")
        self.nat(10000, 19999)

    def nat(self, low, high):
        """(Re-)maps the router's UDP ports: what was mapped before is forgotten."""
        self.router.nft(NAT.format(low=low, high=high))
        self.router.run("conntrack", "-F", check=False)

    # ---- the broker

    def broker(self):
        """The network, PostgreSQL, the schema, a PoP and an account with credit; then the three daemons."""
        self.wire()
        self.db = Postgres()
        self.db.migrate()
        self.db.ticctl("pop", "add", POP, "--ipv4", POP_IPV4, "--ipv6", "2001:db8:2ff:ffff::1", "--tunnels", "2001:db8:2ff::/48",
                       "--subnets", "2001:db8:3000::/40", "--city", "Springfield", "--country", "US")
        added = json.loads(self.db.ticctl("--json", "user", "add", "DEMO", "--name", "Demo User", "--email", "demo@example.net", "--credit", "500"))
        self.secret = (added[0] if isinstance(added, list) else added)["secret"]
        self.configure()
        self.start_daemons()
        return self

    def configure(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=tic.example.net",
                        "-keyout", f"{self.dir}/key.pem", "-out", f"{self.dir}/cert.pem"], check=True, capture_output=True)
        popd = {"name": POP, "ipv4": POP_IPV4, "tun": "sixxs", "workers": 1, "snapshot": f"{self.dir}/popd.snapshot", "statistics_interval": 2,
                "control": f"{self.dir}/popd.sock", "log_level": "debug", **variant.settings()}
        files = {
            "popd.conf": "[popd]\n" + variant.lines(popd) + f"[database]\nconninfo = {self.db.conninfo('popd')}\n",
            "ticd.conf": f"""[ticd]
listen = 0.0.0.0:3874
url = {URL}
[database]
conninfo = {self.db.conninfo('ticd')}
[tls]
certificate = {self.dir}/cert.pem
key = {self.dir}/key.pem
[limits]
logins_per_hour = 0
""",
            "webd.conf": f"""[webd]
listen = 0.0.0.0:8080
url = {URL}
[database]
conninfo = {self.db.conninfo('webd')}
""",
        }
        for name, text in files.items():
            with open(f"{self.dir}/{name}", "w", encoding="ascii") as f:
                f.write(text)

    def start_daemons(self):
        ready = {
            "popd": lambda: self.popctl("status").get("tunnels") is not None,
            "ticd": lambda: self.tic(self.host_of("pop")).quit(),
            "webd": lambda: self.web("/healthz")[0] == 200,
        }
        for name, condition in ready.items():
            command = self.pop.command(program(name), "-c", f"{self.dir}/{name}.conf")
            self.daemons[name] = Daemon(command, f"{self.dir}/{name}.log", condition).start()

    def host_of(self, name):
        return getattr(self, name)

    popd = property(lambda self: self.daemons["popd"])
    ticd = property(lambda self: self.daemons["ticd"])
    webd = property(lambda self: self.daemons["webd"])

    def popctl(self, *words):
        done = subprocess.run([program("popctl"), "--socket", f"{self.dir}/popd.sock", "--json", *words], capture_output=True, text=True)
        assert done.returncode == 0, f"popctl {' '.join(words)}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    def drops(self, name):
        """How often popd dropped for this reason, all in all."""
        for row in self.popctl("counters")["drops"]:
            if row["name"] == name:
                return row["count"]
        return 0

    def tic(self, space):
        def connect():
            with space.inside():
                return socket.create_connection((POP_IPV4, 3874), 15)
        return Tic(None, netns_connect=connect)

    def web(self, path):
        """GET from the PoP's own namespace: (status, body)."""
        with self.pop.inside():
            s = socket.create_connection((POP_IPV4, 8080), 10)
        with s:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: {POP_IPV4}\r\nConnection: close\r\n\r\n".encode())
            data = b""
            while chunk := s.recv(65536):
                data += chunk
        head, body = data.split(b"\r\n\r\n", 1)
        return int(head.split(b" ")[1]), body.decode()

    # ---- tunnels

    def request(self, kind, *more):
        """Requests and approves a tunnel; returns its TIC record, fetched as a client would."""
        asked = json.loads(self.db.ticctl("--json", "tunnel", "request", "DEMO", "--pop", POP, "--type", kind, *more))
        asked = asked[0] if isinstance(asked, list) else asked
        before = {t[0] for t in self.listed()}
        self.db.ticctl("request", "approve", str(asked["request"]))
        tid, = {t[0] for t in self.listed()} - before
        return self.record(tid)

    def listed(self):
        tic = self.tic(self.pop)
        tic.login("DEMO", self.secret)
        tunnels = tic.tunnels()
        tic.quit()
        return tunnels

    def record(self, tid):
        tic = self.tic(self.pop)
        tic.login("DEMO", self.secret)
        record = tic.tunnel(tid)
        tic.quit()
        return record

    def known(self, record):
        """Waits until popd has the tunnel."""
        def look():
            return self.popctl("tunnel", "show", record["TunnelId"])
        return until(look, 3, f"popd to know {record['TunnelId']}")

    def connect(self, record, space=None, source=None, tun="tun0", **more):
        """A tunnel client in `space` (default: behind the NAT)."""
        kind = {"ayiya": "ayiya", "6in4-heartbeat": "heartbeat", "6in4-static": "static"}[record["Type"]]
        self.known(record)
        client = Client(self, space or self.client, record, kind, source, tun, more)
        self.tunnels.append(client)
        return client

    def drop_clients(self):
        for client in self.tunnels:
            client.stop()
        self.tunnels.clear()

    def remove(self):
        self.drop_clients()
        statuses = {name: daemon.stop() for name, daemon in self.daemons.items()}
        for space in (self.client, self.router, self.pop, self.host, self.direct):
            space.remove()
        if self.db:
            self.db.remove()
        assert all(status in (0, None) for status in statuses.values()), f"exit statuses {statuses}, logs in {self.dir}"
        subprocess.run(["rm", "-rf", self.dir], check=True)


class Client:
    """The test's tunnel client as a process in a namespace."""

    def __init__(self, world, space, record, kind, source, tun, more):
        self.record, self.space = record, space
        self.address = record["IPv6 Endpoint"]
        command = space.command(sys.executable, str(ROOT / "tests/support/tunnel_client.py"), "--type", kind, "--pop", record["IPv4 POP"],
                                "--client", self.address, "--pop-identity", record["IPv6 POP"], "--secret", record["Password"],
                                "--mtu", record["Tunnel MTU"], "--tun", tun)
        if source:
            command += ["--source", source]
        for name, value in more.items():
            command += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "up\n", "the tunnel client did not come up"

    def beat(self):
        self.process.send_signal(signal.SIGUSR1)

    def rebind(self):
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        """Ends the client; returns what it counted."""
        if self.process.poll() is None:
            self.process.terminate()
            out, _ = self.process.communicate(timeout=10)
            return json.loads(out.splitlines()[-1]) if out.strip() else {}
        return {}


def ping(space, address, count=1, size=56, timeout=1):
    """True when `address` answered every echo request."""
    done = space.run("ping", "-6", "-n", "-c", str(count), "-i", "0.2", "-W", str(timeout), "-s", str(size), address, check=False)
    return f" {count} received" in done.stdout


def transfer(sender, receiver, address, bytes, during=None, port=7001, seconds=90):
    """Sends `bytes` random bytes over TCP from namespace to namespace; `during` is called once a quarter has arrived. Compares checksums."""
    import hashlib
    with receiver.inside():
        listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen()
    listener.settimeout(seconds)
    with sender.inside():
        out = socket.create_connection((address, port), seconds)
    into, _ = listener.accept()
    into.settimeout(seconds)
    data = os.urandom(1 << 16)
    sent, got = hashlib.sha256(), hashlib.sha256()

    def push():
        left = bytes
        with out:
            while left:
                piece = data[:min(left, len(data))]
                out.sendall(piece)
                sent.update(piece)
                left -= len(piece)
            out.shutdown(socket.SHUT_WR)
            out.recv(1)  # until the other side has read everything and closed

    thread = threading.Thread(target=push, daemon=True)
    thread.start()
    received = 0
    with into, listener:
        while chunk := into.recv(1 << 16):
            got.update(chunk)
            received += len(chunk)
            if during and received > bytes // 4:
                during()
                during = None
    thread.join(seconds)
    assert received == bytes and got.digest() == sent.digest(), f"{received} of {bytes} bytes arrived"
    assert during is None, "the transfer was too short to disturb"
