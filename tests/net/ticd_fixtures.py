"""A real ticd on loopback in front of a private PostgreSQL, and hands on both. The client is tests/support/tic.py or a plain socket."""
import hashlib
import os
import socket
import subprocess

import pytest

from support.daemon import Daemon
from support.paths import program
from support.postgres import Postgres
from support.tic import Tic

SECRET = "correct-horse-battery"
URL = "http://broker.example.net"
LIMITS = {"connections": 2000, "connections_per_address": 1000, "logins_per_hour": 0}


def digests(secret):
    return [getattr(hashlib, name)(secret.encode()).hexdigest() for name in ("md5", "sha256")]


def quoted(*values):
    return ", ".join("NULL" if v is None else f"'{v}'" if isinstance(v, str) else str(v) for v in values)


class Database(Postgres):
    """With one PoP, DEMO (three tunnels, one of each type, T1 to T3; a subnet on T1) and MANY (200 tunnels from T1001 on)."""

    def seed(self):
        self.migrate()
        self.op("pop_add", "demo01", "192.0.2.42", "2001:db8:2ff:ffff::1", "2001:db8:2ff::/48", "2001:db8:3000::/40", "Zürich", "CH",
                "DEMO", "Demo Networks", "http://demo.example.net", "AS64500", "net.demo")
        for handle in ("DEMO", "MANY", "OFTEN"):
            self.op("user_add", handle, f"{handle.title()} Tester", f"{handle.lower()}@example.net", 1000, *digests(SECRET))
        for kind, endpoint in (("ayiya", None), ("heartbeat", None), ("static", "192.0.2.7")):
            self.approve("tunnel_request", "DEMO", "demo01", kind, endpoint, None)
        self.approve("subnet_request", "DEMO", 1, None)
        self.sql("select * from api.op_import('MANY', 'demo01', "
                 "array(select n from generate_series(1, 200) n), array(select 1000 + n from generate_series(1, 200) n), "
                 "array(select 1000 + n from generate_series(1, 200) n), array(select 'ayiya' from generate_series(1, 200)), "
                 "array(select true from generate_series(1, 200)), array(select 1280 from generate_series(1, 200)), "
                 "array(select md5(n::text) from generate_series(1, 200) n), array(select null::inet from generate_series(1, 200)), "
                 "'{}', '{}', '{}')", user="operator")
        return self

    def op(self, function, *values):
        return self.sql(f"select * from api.op_{function}({quoted(*values)})", user="operator")

    def approve(self, function, *values):
        request = self.op(function, *values)[0][1]
        return self.op("request_approve", int(request), None)

    def pop_is_up(self):
        """What popd's report says, good for the next 45 seconds."""
        self.sql("select * from api.popd_report('demo01', repeat('a', 32), '0', now(), 3, 3, 3, 0)", user="popd")

    def pop_is_down(self):
        self.sql("update broker.pop_report set at = now() - interval '1 hour'")

    def tunnel_secret(self, tid):
        return self.sql(f"select secret from broker.tunnel where id = {tid}")[0][0]


def certificate(folder, name, subject):
    """A self-signed pair; returns (certificate, key)."""
    cert, key = f"{folder}/{name}.pem", f"{folder}/{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", f"/CN={subject}", "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


class Ticd(Daemon):
    """Settings are given as section_key=value, [limits] also by name alone; `rewrite` changes the file under the running daemon."""

    def __init__(self, folder, conninfo, **settings):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.folder, self.conf = folder, f"{folder}/ticd-{self.port}.conf"
        self.settings = {"ticd": {"listen": f"127.0.0.1:{self.port}", "url": URL, "service": "TIC Test", "log_level": "debug"},
                         "database": {"conninfo": conninfo, "query_timeout": 2}, "limits": dict(LIMITS), "isk": {"daily": "no"}, "tls": {}}
        self.rewrite(**settings)
        super().__init__([program("ticd"), "-c", self.conf], f"{folder}/ticd-{self.port}.log", ready=self.greets)

    def rewrite(self, **settings):
        for name, value in settings.items():
            section, _, key = name.partition("_")
            if section not in self.settings:
                section, key = "limits", name
            self.settings[section][key] = value
        with open(self.conf, "w", encoding="utf-8") as f:
            for section, keys in self.settings.items():
                f.write(f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()))

    def greets(self):
        self.connect().close()
        return True

    def connect(self, **options):
        return socket.create_connection(("127.0.0.1", self.port), 10, **options)

    def tic(self, **options):
        return Tic("127.0.0.1", self.port, **options)

    def login(self, user="DEMO", secret=SECRET, method="md5", tls=False):
        tic = self.tic()
        if tls:
            tic.starttls()
        tic.login(user, secret, method)
        return tic

    def memory_kib(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))

    def files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


@pytest.fixture(scope="module")
def database():
    made = Database()
    try:
        yield made.seed()
    finally:
        made.remove()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    return [certificate(folder, name, f"{name}.example.net") for name in ("one", "two")]


@pytest.fixture
def start(database, tmp_path):
    """start(**settings) gives a running ticd; each must end with status 0, which a leak or a sanitizer's finding would prevent."""
    running = []

    def make(**settings):
        running.append(Ticd(tmp_path, database.conninfo("ticd"), **settings).start())
        return running[-1]

    yield make
    for daemon in running:
        if daemon.process.returncode is None:
            assert daemon.stop() == 0, daemon.log()[-4000:]
        for forbidden in (SECRET, *digests(SECRET)):
            assert forbidden not in daemon.log()


@pytest.fixture
def ticd(start):
    return start()


def read_all(sock):
    """Everything until the other side closes. A reset fails the test: it could have eaten an answer."""
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return data
