"""popd, ticd and webd with their settings, and the test's hand on each. In a namespace they listen as on a PoP, without one on the loopback."""
import json
import socket
import subprocess

from . import variant
from .daemon import ConfiguredDaemon
from .database import POP
from .paths import program, slow
from .server import HttpServer, Server
from .sockets import free_port, read_all
from .tic import Tic
from .wait import until


class Popd(ConfiguredDaemon):
    name = section = "popd"
    sections = ("popd", "database")

    def __init__(self, folder, conninfo, space, ipv4, **settings):
        self.space, self.socket = space, f"{folder}/popd.sock"
        super().__init__(folder, self.answers, space, **{
            "name": POP, "ipv4": ipv4, "workers": 2, "snapshot": f"{folder}/snapshot", "control": self.socket, "statistics_interval": 1,
            "report_interval": 1, "database_conninfo": conninfo, **settings, **variant.settings()})

    def restart(self, **settings):
        """Runs with these settings beside its own, everything loaded from the database."""
        assert not self.is_running() or self.stop() == 0, self.log()[-4000:]
        self.configure(**settings)
        self.start()
        self.loaded()
        return self

    def answers(self):
        return self.ctl("status")["tunnels"] is not None

    def loaded(self):
        until(lambda: self.ctl("status")["feed"]["loaded"], slow(10), "popd to load everything from the database")

    def ctl(self, *args, check=True, text=False):
        """popctl: its JSON, with `text` its text; without `check` the finished process."""
        done = subprocess.run([program("popctl"), "--socket", self.socket, *([] if text else ["--json"]), *args], capture_output=True, text=True)
        if not check:
            return done
        assert done.returncode == 0, f"popctl {' '.join(args)}: {done.stdout}{done.stderr}"
        return done.stdout if text else json.loads(done.stdout)

    def dump(self):
        """What popd makes of its configuration."""
        done = self.run("-c", self.conf, "--dump-config")
        assert done.returncode == 0, done.stderr
        return dict(line.split(" = ", 1) for line in done.stdout.splitlines() if " = " in line and not line.startswith("#"))

    @property
    def workers(self):
        return int(self.dump()["workers"])

    def refused(self, *args, prefix=(), env=None):
        """Starts popd where it must not start; returns what it said."""
        done = subprocess.run([*prefix, *self.space.command(program("popd"), *args)], capture_output=True, text=True, timeout=20, env=env)
        assert done.returncode == 1, f"exit {done.returncode}: {done.stderr}"
        assert done.stderr.count(" error popd: ") == 1, done.stderr
        return done.stderr


class Ticd(ConfiguredDaemon, Server):
    """Settings without a section are limits."""

    name, section = "ticd", "limits"
    sections = ("ticd", "database", "limits", "isk", "tls")
    URL = "http://broker.example.net"
    SECRET = "correct-horse-battery"  # the TIC secret of the tests' accounts

    def __init__(self, folder, conninfo, space=None, address="127.0.0.1", **settings):
        Server.__init__(self, address, 3874 if space else free_port(), space)
        ConfiguredDaemon.__init__(self, folder, self.greets, space, **{
            "ticd_listen": f"{address}:{self.port}", "ticd_url": self.URL, "ticd_service": "TIC Test", "ticd_log_level": "debug",
            "database_conninfo": conninfo, "database_query_timeout": 2, "connections": 2000, "connections_per_address": 1000,
            "isk_daily": "no", **settings})

    def greets(self):
        """Until ticd has closed the connection, too, so that it no longer counts against a limit. A front is closed
        without a greeting."""
        with self.connect() as sock:
            sock.shutdown(socket.SHUT_WR)
            read_all(sock)
        return True

    def tic(self, space=None):
        return Tic(self.connect(space=space))

    def login(self, user="DEMO", secret=SECRET, method="md5", space=None):
        tic = self.tic(space)
        tic.login(user, secret, method)
        return tic


class Webd(ConfiguredDaemon, HttpServer):
    name = section = "webd"
    sections = ("webd", "database", "limits")

    def __init__(self, folder, conninfo, space=None, address="127.0.0.1", **settings):
        HttpServer.__init__(self, address, 8080 if space else free_port(), space)
        self.url = f"http://{address}:{self.port}"
        ConfiguredDaemon.__init__(self, folder, lambda: self.get("/healthz").status == 200, space, **{
            "listen": f"{address}:{self.port}", "url": f"{self.url}/", "title": "Test broker", "log_level": "debug", "database_conninfo": conninfo,
            "database_query_timeout": 2, "database_connect_timeout": 2, "database_refresh": 1, "database_idle_refresh": 2, **settings})
