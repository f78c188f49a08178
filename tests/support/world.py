"""
The whole of it: the namespaces of network.py, a private PostgreSQL on a unix socket with one PoP and one account with credit, and in
the namespace `pop` popd, ticd and webd, as a test wants them.
"""
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

from .daemons import Popd, Ticd, Webd
from .database import POP, Postgres
from .network import HOST, POP_IPV4, POP_IPV6, SUBNETS, TUNNELS, Network
from .sockets import open_socket
from .tunnel import Tunnel, TunnelClient


class World(Network):
    """popd does not run yet, since many tests configure it first. `settings`: popd's own for all tests of this world."""

    def __init__(self, **settings):
        self.dir = tempfile.mkdtemp(prefix="broker-world-", dir="/tmp")
        self.db = self.popd = self.ticd = self.webd = None
        self.clients = []
        super().__init__()
        try:
            self.db = Postgres()
            self.popd = Popd(self.dir, self.db.conninfo(f"popd_{POP}"), self.pop, POP_IPV4, **settings)
            self.db.migrate()
            self.db.add_pop(ipv4=POP_IPV4, ipv6=POP_IPV6, tunnels=TUNNELS, subnets=SUBNETS)
            self.db.add_user(secret=Ticd.SECRET, name="Demo User", credit=1000)
        except BaseException:
            self.remove()
            raise

    def start_all(self):
        """popd, ticd with a certificate, and webd."""
        self.popd.restart()
        cert, key = certificate(self.dir, "tic", "tic.example.net")
        self.webd = Webd(self.dir, self.db.conninfo("webd"), self.pop, POP_IPV4).start()
        self.ticd = Ticd(self.dir, self.db.conninfo("ticd"), self.pop, POP_IPV4, ticd_url=self.webd.url, tls_certificate=cert, tls_key=key).start()
        return self

    def popctl(self, *args, **more):
        return self.popd.ctl(*args, **more)

    def drops(self, name):
        """How often popd dropped for this reason, in all."""
        return next(row["count"] for row in self.popctl("counters")["drops"] if row["name"] == name)

    # ---- tunnels

    def request(self, kind, endpoint=None):
        """Requests and approves a tunnel; its data come from the database."""
        return self.tunnel(self.db.add_tunnel(kind, endpoint))

    def request_by_tic(self, kind, endpoint=None):
        """The same, with its data as TIC tells them to the account's holder."""
        return Tunnel.of_record(self, self.record(f"T{self.db.add_tunnel(kind, endpoint)}"))

    def tunnel(self, number):
        kind, secret, prefix = self.db.sql(f"select type, secret, host(prefix) from broker.tunnel where id = {number}")[0]
        return Tunnel.of_prefix(self, number, kind, prefix, secret)

    def record(self, name):
        tic = self.ticd.login()
        try:
            return tic.tunnel(name)
        finally:
            tic.quit()

    def connect(self, tunnel, space=None, source=None, **options):
        """A tunnel client in `space` (default: at home, behind the NAT)."""
        self.clients.append(TunnelClient(tunnel.known(3), space or self.home, source, **options))
        return self.clients[-1]

    def drop_clients(self):
        while self.clients:
            self.clients.pop().stop()

    def remove(self):
        """Ends everything; a daemon's status that is not 0 is a finding, a sanitizer's perhaps."""
        self.drop_clients()
        statuses = {daemon.name: daemon.stop() for daemon in (self.webd, self.ticd, self.popd) if daemon}
        super().remove()
        if self.db:
            self.db.remove()
        assert all(status in (0, None, -signal.SIGKILL) for status in statuses.values()), f"exit statuses {statuses}, logs in {self.dir}"
        shutil.rmtree(self.dir)


def certificate(folder, name, subject, kind="ec"):
    """A self-signed pair with a key of a kind ("ec" or "rsa"); returns (certificate, key)."""
    options = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"], "rsa": ["rsa:2048"]}
    cert, key = f"{folder}/{name}.pem", f"{folder}/{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", *options[kind], "-nodes", "-days", "2",
                    "-subj", f"/CN={subject}", "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def transfer(sender, receiver, address, size, during=None, port=7001, seconds=90):
    """Sends `size` random bytes over TCP from namespace to namespace; `during` is called once a quarter has arrived. Compares checksums."""
    listener = open_socket(receiver, socket.AF_INET6, socket.SOCK_STREAM, timeout=seconds)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen()
    out = open_socket(sender, socket.AF_INET6, socket.SOCK_STREAM, timeout=seconds)
    out.connect((address, port))
    into, _ = listener.accept()
    into.settimeout(seconds)
    data = os.urandom(1 << 16)
    sent, got = hashlib.sha256(), hashlib.sha256()

    def push():
        left = size
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
            if during and received > size // 4:
                during()
                during = None
    thread.join(seconds)
    assert received == size and got.digest() == sent.digest(), f"{received} of {size} bytes arrived"
    assert during is None, "the transfer was too short to disturb"
