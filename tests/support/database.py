"""A PostgreSQL 15 cluster of a test's own, the databases in it, and the operator's hand on them."""
import hashlib
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile

from .paths import ROOT, arguments, program
from .wait import until

BIN = "/usr/lib/postgresql/15/bin"
POP = "demo01"
MIGRATIONS = sorted(path.stem for path in (ROOT / "schema/migrations").glob("*.sql"))


class Database:
    """One database of a server. Commands run as the role operator, SQL as the superuser, unless told otherwise."""

    def __init__(self, server, dbname):
        self.server, self.dbname = server, dbname

    def conninfo(self, user="postgres"):
        return f"host={self.server.dir} user={user} dbname={self.dbname}"

    def sql(self, text, user="postgres"):
        """Runs SQL with psql; returns the rows as lists of text."""
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-d", self.conninfo(user), "-c", text],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return [line.split("\x1f") for line in done.stdout.splitlines()]

    def create(self, dbname, template="template0"):
        """Another database of the same server, empty or a copy."""
        Database(self.server, "postgres").sql(f"create database {dbname} template {template}")
        return Database(self.server, dbname)

    def drop(self):
        Database(self.server, "postgres").sql(f"drop database {self.dbname} with (force)")

    # ---- ticctl

    def run(self, *args, user="operator", stdin=None, stdout=subprocess.PIPE):
        env = {name: value for name, value in os.environ.items() if name not in ("DB", "BROKER_DB")}
        return subprocess.run([program("ticctl"), *args], env=env | {"DB": self.conninfo(user)}, input=stdin,
                              stdout=stdout, stderr=subprocess.PIPE, encoding="utf-8", timeout=120)

    def ticctl(self, *args, **more):
        """What a command that has to succeed printed, without the last line end."""
        done = self.run(*args, **more)
        assert (done.returncode, done.stderr) == (0, ""), f"ticctl {' '.join(args)}: {done.stderr}"
        assert done.stdout.endswith("\n")
        return done.stdout[:-1]

    def json(self, *args, **more):
        return json.loads(self.ticctl("--json", *args, **more))

    def refused(self, *args, **more):
        """The sentence of a command that has to be refused or fail; nothing may stand on standard output."""
        done = self.run(*args, **more)
        assert (done.returncode, done.stdout) == (1, ""), f"ticctl {' '.join(args)}: {done}"
        assert done.stderr.startswith("ticctl: ") and done.stderr.count("\n") == 1
        return done.stderr[len("ticctl: "):-1]

    def rule(self, call):
        """The sentence with which a function of the schema api, called as SQL, refuses the operator."""
        done = subprocess.run(["psql", "-X", "-q", "-d", self.conninfo("operator"), "-c", f"select * from api.{call}"], capture_output=True, text=True)
        assert done.returncode == 1 and done.stderr.startswith("ERROR:  "), done
        return done.stderr.splitlines()[0].removeprefix("ERROR:  ")

    def superuser(self):
        """What the operator has a superuser run once in the broker's database."""
        done = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.conninfo(), "-f", ROOT / "schema/superuser.sql"],
                              capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr

    def migrate(self, **more):
        return self.ticctl("migrate", user="postgres", **more)

    def migrate_to(self, last):
        """An older version's database: the migrations up to number `last`, and the record of them."""
        for name in (name for name in MIGRATIONS if int(name[:4]) <= last):
            text = (ROOT / f"schema/migrations/{name}.sql").read_bytes()
            self.sql(text.decode())
            self.sql(f"insert into broker.migration values ({int(name[:4])}, '{name[5:]}', '{hashlib.sha256(text).hexdigest()}')")

    # ---- what most tests begin with

    def add_pop(self, name=POP, number=0, **options):
        """A PoP; `number` keeps the addresses of several apart."""
        options = {"ipv4": f"192.0.2.{42 + number}", "ipv6": f"2001:db8:{0x2ff + number:x}:ffff::1", "tunnels": f"2001:db8:{0x2ff + number:x}::/48",
                   "subnets": f"2001:db8:{0x3000 + 0x1000 * number:x}::/40", "city": "Zürich", "country": "Switzerland", **options}
        return self.ticctl("pop", "add", name, *arguments(options))

    def add_user(self, handle="DEMO", secret=None, **options):
        """An account; with `secret`, that is its TIC secret."""
        added = self.ticctl("user", "add", handle, *arguments({"name": "Zoë Demo", "email": "zoe@example.net", **options}))
        if secret:
            self.sql("select * from api.op_user_secret('{}', '{}', '{}')".format(handle, *digests(secret)), user="operator")
        return added

    def approve(self, *request):
        """Requests (arguments of ticctl) and approves; returns the approval's message."""
        return self.ticctl("request", "approve", str(self.json(*request)["request"]))

    def add_tunnel(self, kind, endpoint=None, handle="DEMO", pop=POP):
        """Requests and approves a tunnel; returns its number."""
        done = self.approve("tunnel", "request", handle, "--pop", pop, "--type", kind, *(["--endpoint", endpoint] if endpoint else []))
        return int(re.search(r"T(\d+)", done).group(1))

    def tunnel_secret(self, number):
        return self.sql(f"select secret from broker.tunnel where id = {number}")[0][0]

    def allow_any_number_of_logins(self):
        """As 0 says in these settings; the tests of the limits set their own."""
        for name in ("login_tunnel_burst", "login_name_burst"):
            self.ticctl("setting", "set", name, "0")

    def pop_is_up(self, name=POP):
        """What popd's report says, good for the next 45 seconds."""
        self.sql("select * from api.popd_report(repeat('a', 32), '0', now(), 3, 3, 3, 0)", user=f"popd_{name}")

    def pop_is_down(self):
        self.sql("update broker.pop_report set at = now() - interval '1 hour'")


class Postgres(Database):
    """The cluster, and its database `broker`: unprivileged user, unix socket only, a short folder under /tmp, gone afterwards."""

    def __init__(self):
        super().__init__(self, "broker")
        self.dir = tempfile.mkdtemp(prefix="broker-pg-", dir="/tmp")
        self.user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        if self.user:
            os.chown(self.dir, self.user.pw_uid, self.user.pw_gid)
        os.chmod(self.dir, 0o755)
        self.data = f"{self.dir}/data"
        self.log = f"{self.dir}/log"
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self.start()
        self.create(self.dbname).superuser()

    def _as_user(self):
        if not self.user:
            return {}
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def _run(self, tool, *args):
        done = subprocess.run([f"{BIN}/{tool}", *args], capture_output=True, text=True, cwd="/", **self._as_user())
        assert done.returncode == 0, f"{tool}: {done.stdout}{done.stderr}"

    def start(self):
        options = f"-c listen_addresses='' -k {self.dir} -c fsync=off -c max_connections=120"
        self._run("pg_ctl", "-D", self.data, "-l", self.log, "-w", "-t", "30", "-o", options, "start")

    def stop(self, mode="fast"):
        self._run("pg_ctl", "-D", self.data, "-w", "-t", "30", "-m", mode, "stop")

    def postmaster(self):
        with open(f"{self.data}/postmaster.pid", encoding="ascii") as f:
            return int(f.readline())

    def _family(self):
        """The postmaster and its children."""
        parent = self.postmaster()
        pids = [parent]
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as f:
                        if int(f.read().rsplit(")", 1)[1].split()[1]) == parent:
                            pids.append(int(entry))
                except OSError:
                    pass
        return pids

    def freeze(self):
        """Still listening, never answering: the worst database."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self):
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number):
        for pid in self._family():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass  # a backend that has just ended by itself

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        try:
            self.thaw()
            self.stop("immediate")
        except (AssertionError, OSError):
            pass
        until(lambda: not os.path.exists(f"{self.data}/postmaster.pid"), 10, "PostgreSQL to end")
        shutil.rmtree(self.dir, ignore_errors=True)


def digests(secret):
    """What the database keeps of a TIC secret."""
    return [getattr(hashlib, name)(secret.encode()).hexdigest() for name in ("md5", "sha256")]
