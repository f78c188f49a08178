"""webd as a child process on a free port of the loopback, and a plain HTTP client that shows what really came over the wire."""
import http.client
import json
import shutil
import socket
import tempfile

from support.daemon import Daemon
from support.paths import program


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def text(self):
        return self.body.decode("utf-8")

    @property
    def json(self):
        return json.loads(self.body)

    def __getitem__(self, name):
        return self.headers.get(name)


class Site:
    def __init__(self, conninfo, **settings):
        self.dir = tempfile.mkdtemp(prefix="broker-web-", dir="/tmp")
        self.config = f"{self.dir}/webd.conf"
        self.port = free_port()
        self.conninfo = conninfo
        self.url = f"http://127.0.0.1:{self.port}"
        self.write(**settings)
        self.command = [program("webd"), "-c", self.config]
        self.daemon = Daemon(self.command, f"{self.dir}/log", lambda: self.get("/healthz").status == 200)

    def write(self, title="Test broker", refresh=1, idle_refresh=2, limits="", listen=None, more=""):
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(f"[webd]\nlisten = {listen or f'127.0.0.1:{self.port}'}\nurl = {self.url}/\ntitle = {title}\nlog_level = debug\n{more}\n"
                    f"[database]\nconninfo = {self.conninfo}\nquery_timeout = 2\nconnect_timeout = 2\nrefresh = {refresh}\nidle_refresh = {idle_refresh}\n"
                    f"[limits]\n{limits}\n")

    def start(self):
        self.daemon.start()
        return self

    def get(self, path, method="GET", headers=None, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def connect(self, source="127.0.0.1"):
        return socket.create_connection(("127.0.0.1", self.port), timeout=10, source_address=(source, 0))

    def say(self, data, source="127.0.0.1"):
        """Sends raw bytes and returns all that came back before the server closed (or nothing came for a second)."""
        answer = b""
        with self.connect(source) as s:
            s.settimeout(1)
            try:
                s.sendall(data)
                while piece := s.recv(65536):
                    answer += piece
            except OSError:
                pass
        return answer

    def log(self):
        return self.daemon.log()

    def remove(self):
        """Stops it; a status that is not 0 is a finding (a sanitizer's, perhaps)."""
        try:
            if self.daemon.process:
                status = self.daemon.stop()
                assert status == 0, f"webd ended with {status}:\n{self.log()[-4000:]}"
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)
